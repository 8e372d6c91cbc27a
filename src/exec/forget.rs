//! Connection tracking: entries with an address are deleted, one by one
//! (`IPCTNL_MSG_CT_GET`, `IPCTNL_MSG_CT_DELETE`;
//! `include/uapi/linux/netfilter/nfnetlink_conntrack.h`).

use std::io;
use std::net::IpAddr;

use netlink_sys::protocols::NETLINK_NETFILTER;
use netlink_sys::{Socket, SocketAddr};

use super::Cause;
use crate::net::ConntrackTuple;

/// `NFNL_SUBSYS_CTNETLINK << 8` with the message's number.
const CT_GET: u16 = 0x0101;
const CT_DELETE: u16 = 0x0102;
const CTA_TUPLE_ORIG: u16 = 1;
const CTA_TUPLE_REPLY: u16 = 2;
const CTA_ID: u16 = 12;
const CTA_ZONE: u16 = 18;
/// Within a tuple.
const CTA_TUPLE_IP: u16 = 1;
const CTA_TUPLE_PROTO: u16 = 2;
const NLM_F_REQUEST: u16 = 0x1;
const NLM_F_ACK: u16 = 0x4;
const NLM_F_DUMP: u16 = 0x300;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const HEADER: usize = 16;
/// `struct nfgenmsg`.
const OWN_HEADER: usize = 4;

/// Which entries are meant.
pub(super) enum Meant<'a> {
    /// Those that have the address as a source or destination, in either direction.
    Address(IpAddr),
    /// The one that began like this, in that zone.
    Connection(&'a ConntrackTuple, u16),
}

/// Deletes every entry of the calling thread's namespace that is meant. One that goes
/// by itself meanwhile is no error.
pub(super) fn forget(meant: &Meant<'_>) -> Result<(), Cause> {
    // A dump goes through the connections of all namespaces, which share one table.
    if count().is_ok_and(|count| count == 0) {
        return Ok(());
    }
    let mut socket = Socket::new(NETLINK_NETFILTER).map_err(Cause::io("netlink"))?;
    socket.bind_auto().map_err(Cause::io("netlink"))?;
    let address = match meant {
        Meant::Address(address) => *address,
        Meant::Connection(original, _) => original.src,
    };
    let family = if address.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 };
    let family = [u8::try_from(family).unwrap_or_default(), 0, 0, 0];
    let mut found = Vec::new();
    exchange(&socket, CT_GET, NLM_F_DUMP, &family, &mut |entry| found.extend(chosen(entry, meant)))?;
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

/// The attributes that name this entry and no other, where it is meant.
fn chosen(entry: &[u8], meant: &Meant<'_>) -> Option<Vec<u8>> {
    let entry = entry.get(OWN_HEADER..)?;
    if !is_meant(entry, meant) {
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

fn is_meant(entry: &[u8], meant: &Meant<'_>) -> bool {
    let tuple = |wanted| {
        let found = attributes(entry).find(|(kind, _)| *kind == wanted);
        found.and_then(|(_, whole)| whole.get(4..)).unwrap_or_default()
    };
    // Within a tuple, and in its two parts, each value by its kind (`enum ctattr_ip`, `enum ctattr_l4proto`).
    let part = |tuple: &[u8], part| {
        let found = attributes(tuple).find(|(kind, _)| *kind == part);
        found.and_then(|(_, whole)| whole.get(4..)).map(<[u8]>::to_vec).unwrap_or_default()
    };
    let has = |part: &[u8], kinds: &[u16], value: &[u8]| {
        attributes(part).any(|(kind, whole)| kinds.contains(&kind) && whole.get(4..4 + value.len()) == Some(value))
    };
    match meant {
        Meant::Address(address) => {
            let sides = [CTA_TUPLE_ORIG, CTA_TUPLE_REPLY].map(|side| part(tuple(side), CTA_TUPLE_IP));
            sides.iter().any(|ip| has(ip, &[1, 2, 3, 4], &octets(*address)))
        }
        Meant::Connection(original, zone) => {
            let began = tuple(CTA_TUPLE_ORIG);
            let (ip, proto) = (part(began, CTA_TUPLE_IP), part(began, CTA_TUPLE_PROTO));
            // An echo's identifier stands for both ports.
            let end_has =
                |kinds: &[u16], port: Option<u16>| port.is_none_or(|port| has(&proto, kinds, &port.to_be_bytes()));
            let in_zone = match zone {
                0 => !attributes(entry).any(|(kind, _)| kind == CTA_ZONE),
                zone => tuple(CTA_ZONE) == zone.to_be_bytes(),
            };
            let ends = has(&ip, &[1, 3], &octets(original.src)) && has(&ip, &[2, 4], &octets(original.dst));
            let ports = end_has(&[2, 4, 7], original.sport) && end_has(&[3, 4, 7], original.dport);
            ends && has(&proto, &[1], &[original.proto]) && ports && in_zone
        }
    }
}

fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
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
            assert_eq!(chosen(&entry, &Meant::Address(address.parse().unwrap())), keys, "{address}");
        }
        for other in ["10.0.0.5", "0.0.0.0", "::1"] {
            assert_eq!(chosen(&entry, &Meant::Address(other.parse().unwrap())), None, "{other}");
        }
        for cut in 0..entry.len() {
            let _ = chosen(&entry[..cut], &Meant::Address("10.0.0.4".parse().unwrap()));
        }
        let [src, dst] = ["10.0.0.4", "192.0.2.9"].map(|address| address.parse().unwrap());
        let began = ConntrackTuple { src, dst, proto: 6, sport: None, dport: None };
        assert_eq!(chosen(&entry, &Meant::Connection(&began, 9)), keys);
        assert_eq!(chosen(&entry, &Meant::Connection(&began, 0)), None, "another zone");
        let others = [
            ConntrackTuple { src: dst, dst: src, ..began.clone() },
            ConntrackTuple { proto: 17, ..began.clone() },
            ConntrackTuple { sport: Some(7), ..began.clone() },
        ];
        for other in others {
            assert_eq!(chosen(&entry, &Meant::Connection(&other, 9)), None, "{other:?}");
        }
    }
}
