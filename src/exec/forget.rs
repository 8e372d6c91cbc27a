//! Connection tracking: entries with an address are deleted, one by one
//! (`IPCTNL_MSG_CT_GET`, `IPCTNL_MSG_CT_DELETE`;
//! `include/uapi/linux/netfilter/nfnetlink_conntrack.h`).

use std::io;
use std::net::IpAddr;

use netlink_sys::protocols::NETLINK_NETFILTER;
use netlink_sys::{Socket, SocketAddr};

use super::Cause;

/// `NFNL_SUBSYS_CTNETLINK << 8` with the message's number.
const CT_GET: u16 = 0x0101;
const CT_DELETE: u16 = 0x0102;
const CTA_TUPLE_ORIG: u16 = 1;
const CTA_TUPLE_REPLY: u16 = 2;
const CTA_ID: u16 = 12;
const CTA_ZONE: u16 = 18;
/// Within a tuple.
const CTA_TUPLE_IP: u16 = 1;
const NLM_F_REQUEST: u16 = 0x1;
const NLM_F_ACK: u16 = 0x4;
const NLM_F_DUMP: u16 = 0x300;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const HEADER: usize = 16;
/// `struct nfgenmsg`.
const OWN_HEADER: usize = 4;

/// Deletes every entry of the calling thread's namespace that has the address
/// as a source or destination, in either direction. One that goes by itself
/// meanwhile is no error.
pub(super) fn forget(address: IpAddr) -> Result<(), Cause> {
    // A dump goes through the connections of all namespaces, which share one table.
    if count().is_ok_and(|count| count == 0) {
        return Ok(());
    }
    let mut socket = Socket::new(NETLINK_NETFILTER).map_err(Cause::io("netlink"))?;
    socket.bind_auto().map_err(Cause::io("netlink"))?;
    let family = if address.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 };
    let family = [u8::try_from(family).unwrap_or_default(), 0, 0, 0];
    let mut found = Vec::new();
    exchange(&socket, CT_GET, NLM_F_DUMP, &family, &mut |entry| found.extend(chosen(entry, address)))?;
    for keys in found {
        let body = [&family[..], &keys].concat();
        match exchange(&socket, CT_DELETE, NLM_F_ACK, &body, &mut |_| {}) {
            Err(Cause::Kernel { errno: libc::ENOENT, .. }) => {}
            other => other?,
        }
    }
    Ok(())
}

/// How many connections the calling thread's namespace has.
fn count() -> Result<i64, Cause> {
    super::sysctl::read("net.netfilter.nf_conntrack_count")
}

/// The attributes that name this entry and no other, where it has the address.
fn chosen(entry: &[u8], address: IpAddr) -> Option<Vec<u8>> {
    let is_side = |kind| kind == CTA_TUPLE_ORIG || kind == CTA_TUPLE_REPLY;
    let bytes = match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    };
    let has = |tuple: &[u8]| {
        let ip = attributes(tuple).find(|(kind, _)| *kind == CTA_TUPLE_IP);
        ip.is_some_and(|(_, ip)| attributes(ip.get(4..).unwrap_or_default()).any(|(_, it)| it.get(4..) == Some(&bytes)))
    };
    let entry = entry.get(OWN_HEADER..)?;
    if !attributes(entry).any(|(kind, whole)| is_side(kind) && has(whole.get(4..).unwrap_or_default())) {
        return None;
    }
    let is_key = |kind| [CTA_TUPLE_ORIG, CTA_ID, CTA_ZONE].contains(&kind);
    let keys = attributes(entry).filter(|(kind, _)| is_key(*kind));
    let padded = |whole: &[u8]| {
        let mut whole = whole.to_vec();
        whole.resize(whole.len().next_multiple_of(4), 0);
        whole
    };
    Some(keys.flat_map(|(_, whole)| padded(whole)).collect())
}

/// Attributes with their headers, by kind; ends where they make no sense.
fn attributes(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let [a, b, c, d] = *bytes.first_chunk::<4>()?;
        let length = usize::from(u16::from_ne_bytes([a, b]));
        let whole = bytes.get(..length).filter(|whole| whole.len() >= 4)?;
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((u16::from_ne_bytes([c, d]) & 0x3fff, whole))
    })
}

/// One request; what comes back is given out without its header, until the
/// kernel says that this was all.
fn exchange(socket: &Socket, kind: u16, flags: u16, body: &[u8], each: &mut dyn FnMut(&[u8])) -> Result<(), Cause> {
    let length = u32::try_from(HEADER + body.len()).unwrap_or(u32::MAX);
    let mut request = length.to_ne_bytes().to_vec();
    request.extend(kind.to_ne_bytes());
    request.extend((NLM_F_REQUEST | flags).to_ne_bytes());
    request.extend([0; 8]);
    request.extend(body);
    socket.send_to(&request, &SocketAddr::new(0, 0), 0).map_err(Cause::io("netlink"))?;
    loop {
        let (answer, from) = socket.recv_from_full().map_err(Cause::io("netlink"))?;
        if from.port_number() != 0 {
            continue;
        }
        let mut rest = answer.as_slice();
        while let Some([l0, l1, l2, l3, k0, k1, ..]) = rest.first_chunk::<HEADER>() {
            let length = usize::try_from(u32::from_ne_bytes([*l0, *l1, *l2, *l3])).unwrap_or(usize::MAX);
            let malformed = || Cause::Io { what: "netlink".to_owned(), source: io::ErrorKind::InvalidData.into() };
            let payload = rest.get(HEADER..length).ok_or_else(malformed)?;
            match u16::from_ne_bytes([*k0, *k1]) {
                NLMSG_ERROR | NLMSG_DONE => {
                    return match payload.first_chunk().map_or(0, |code| i32::from_ne_bytes(*code)) {
                        0 => Ok(()),
                        code => Err(Cause::Kernel { errno: code.saturating_neg(), text: None }),
                    };
                }
                _ => each(payload),
            }
            rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attr(kind: u16, value: &[u8]) -> Vec<u8> {
        let mut bytes = u16::try_from(4 + value.len()).unwrap().to_ne_bytes().to_vec();
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(value);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    fn side(kind: u16, src: [u8; 4], dst: [u8; 4]) -> Vec<u8> {
        let ip = attr(0x8001, &[attr(1, &src), attr(2, &dst)].concat());
        attr(0x8000 | kind, &[ip, attr(0x8002, &attr(1, &[6]))].concat())
    }

    #[test]
    fn an_entry_is_named_by_its_own_attributes() {
        let original = side(1, [10, 0, 0, 4], [192, 0, 2, 9]);
        let reply = side(2, [192, 0, 2, 9], [192, 168, 1, 3]);
        let (id, zone) = (attr(12, &[0, 0, 0, 7]), attr(18, &[0, 9]));
        let entry = [&[2, 0, 0, 0][..], &original, &reply, &attr(3, &[0; 4]), &id, &zone].concat();
        let keys = Some([&original[..], &id, &zone].concat());
        for address in ["10.0.0.4", "192.0.2.9", "192.168.1.3"] {
            assert_eq!(chosen(&entry, address.parse().unwrap()), keys, "{address}");
        }
        for other in ["10.0.0.5", "0.0.0.0", "::1"] {
            assert_eq!(chosen(&entry, other.parse().unwrap()), None, "{other}");
        }
        for cut in 0..entry.len() {
            let _ = chosen(&entry[..cut], "10.0.0.4".parse().unwrap());
        }
    }
}
