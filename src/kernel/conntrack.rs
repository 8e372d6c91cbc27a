//! Tracked connections (`IPCTNL_MSG_CT_GET`;
//! `include/uapi/linux/netfilter/nfnetlink_conntrack.h`).

use std::net::IpAddr;

use super::Error;
use super::attr::{AF_INET, AF_INET6, Attr, Malformed, attrs, header};
use super::socket::Socket;
use crate::net::{ConntrackEntry, ConntrackTuple};

/// `NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_GET`.
const CT_GET: u16 = 0x0101;
const CTA_TUPLE_ORIG: u16 = 1;
const CTA_TUPLE_REPLY: u16 = 2;
const CTA_STATUS: u16 = 3;
const CTA_TIMEOUT: u16 = 7;
const CTA_MARK: u16 = 8;
const CTA_COUNTERS_ORIG: u16 = 9;
const CTA_COUNTERS_REPLY: u16 = 10;
const CTA_ID: u16 = 12;
const CTA_ZONE: u16 = 18;
const CTA_TIMESTAMP: u16 = 20;
/// `NLA_F_NESTED`.
const NESTED: u16 = 0x8000;
const ICMP: u8 = 1;

/// All connections of the socket's namespace, both families.
pub(crate) fn dump_conntrack(socket: &mut Socket) -> Result<Vec<ConntrackEntry>, Error> {
    // struct nfgenmsg, all zero: every family
    socket.dump("tracked connections", CT_GET, &[0; 4], |message| decode(message).map(Some))
}

/// The connection of the socket's namespace that has this direction, the original's
/// or the reply's, in the zone that has no number. `None` where there is none.
pub(crate) fn find_conntrack(socket: &mut Socket, tuple: &ConntrackTuple) -> Result<Option<ConntrackEntry>, Error> {
    let what = "a tracked connection";
    // An echo's request and its answer differ in the type, which nothing else tells.
    for icmp in if tuple.proto == ICMP { &[8, 0][..] } else { &[0] } {
        match socket.answer(what, CT_GET, &question(tuple, *icmp), decode)? {
            Ok(entry) => return Ok(Some(entry)),
            // Of a protocol that is tracked by its addresses alone there is nothing to say.
            Err(error) if matches!(error.raw_os_error(), Some(libc::ENOENT | libc::EINVAL | libc::EOPNOTSUPP)) => {}
            Err(source) => return Err(Error::Refused { what, source }),
        }
    }
    Ok(None)
}

/// `struct nfgenmsg` and the direction that is looked for (`CTA_TUPLE_ORIG`): the
/// kernel finds connections by either of theirs.
fn question(tuple: &ConntrackTuple, icmp: u8) -> Vec<u8> {
    let (src, dst) = match (tuple.src, tuple.dst) {
        (IpAddr::V4(src), IpAddr::V4(dst)) => (attr(1, &src.octets()), attr(2, &dst.octets())),
        (src, dst) => (attr(3, &octets(src)), attr(4, &octets(dst))),
    };
    let port = |kind, port: Option<u16>| port.map(|port| attr(kind, &port.to_be_bytes())).unwrap_or_default();
    let proto = match tuple.proto {
        ICMP => [attr(1, &[ICMP]), port(4, tuple.sport), attr(5, &[icmp]), attr(6, &[0])].concat(),
        proto => [attr(1, &[proto]), port(2, tuple.sport), port(3, tuple.dport)].concat(),
    };
    let tuple_of = [attr(NESTED | 1, &[src, dst].concat()), attr(NESTED | 2, &proto)].concat();
    let family = if tuple.src.is_ipv4() { AF_INET } else { AF_INET6 };
    [&[family, 0, 0, 0][..], &attr(NESTED | CTA_TUPLE_ORIG, &tuple_of)].concat()
}

fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}

/// An attribute, padded; a value that is too long for one does not occur.
fn attr(kind: u16, value: &[u8]) -> Vec<u8> {
    let mut bytes = u16::try_from(4 + value.len()).unwrap_or(u16::MAX).to_ne_bytes().to_vec();
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(value);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

fn decode(message: &[u8]) -> Result<ConntrackEntry, Malformed> {
    let (_, rest) = header::<4>(message)?;
    let (mut original, mut reply, mut status, mut mark, mut zone) = (None, None, 0, 0, 0);
    let mut started = None;
    let (mut timeout, mut id, mut original_count, mut reply_count) = (None, None, None, None);
    for attr in attrs(rest) {
        match attr.kind {
            CTA_TUPLE_ORIG => original = Some(tuple(attr)?),
            CTA_TUPLE_REPLY => reply = Some(tuple(attr)?),
            CTA_STATUS => status = attr.be32()?,
            CTA_TIMEOUT => timeout = Some(attr.be32()?),
            CTA_MARK => mark = attr.be32()?,
            CTA_COUNTERS_ORIG => original_count = Some(counters(attr)?),
            CTA_COUNTERS_REPLY => reply_count = Some(counters(attr)?),
            CTA_ID => id = Some(attr.be32()?),
            CTA_ZONE => zone = attr.be16()?,
            // `CTA_TIMESTAMP_START`; nanoseconds since 1970.
            CTA_TIMESTAMP => started = attr.nested().find(|inner| inner.kind == 1).map(Attr::be64).transpose()?,
            _ => {}
        }
    }
    Ok(ConntrackEntry {
        original: original.ok_or(Malformed)?,
        reply: reply.ok_or(Malformed)?,
        status,
        mark,
        zone,
        timeout,
        id,
        started,
        original_count,
        reply_count,
    })
}

/// `CTA_TUPLE_IP` (1) and `CTA_TUPLE_PROTO` (2), each nested.
fn tuple(attr: Attr<'_>) -> Result<ConntrackTuple, Malformed> {
    let (mut src, mut dst, mut proto, mut sport, mut dport) = (None, None, 0, None, None);
    for part in attr.nested() {
        for inner in part.nested() {
            match (part.kind, inner.kind) {
                (1, 1 | 3) => src = Some(inner.ip()?),
                (1, 2 | 4) => dst = Some(inner.ip()?),
                (2, 1) => proto = inner.u8()?,
                (2, 2) => sport = Some(inner.be16()?),
                (2, 3) => dport = Some(inner.be16()?),
                // CTA_PROTO_ICMP_ID and CTA_PROTO_ICMPV6_ID stand for both ports.
                (2, 4 | 7) => (sport, dport) = (Some(inner.be16()?), Some(inner.be16()?)),
                _ => {}
            }
        }
    }
    Ok(ConntrackTuple { src: src.ok_or(Malformed)?, dst: dst.ok_or(Malformed)?, proto, sport, dport })
}

/// `CTA_COUNTERS_PACKETS` (1) and `CTA_COUNTERS_BYTES` (2).
fn counters(attr: Attr<'_>) -> Result<(u64, u64), Malformed> {
    let (mut packets, mut bytes) = (0, 0);
    for inner in attr.nested() {
        match inner.kind {
            1 => packets = inner.be64()?,
            2 => bytes = inner.be64()?,
            _ => {}
        }
    }
    Ok((packets, bytes))
}

#[cfg(test)]
mod tests {
    use super::super::attr::attribute as attr;
    use super::*;

    fn side(kind: u16, src: [u8; 4], dst: [u8; 4], sport: u16, dport: u16) -> Vec<u8> {
        let ip = attr(0x8001, &[attr(1, &src), attr(2, &dst)].concat());
        let ports = [attr(1, &[6]), attr(2, &sport.to_be_bytes()), attr(3, &dport.to_be_bytes())].concat();
        attr(0x8000 | kind, &[ip, attr(0x8002, &ports)].concat())
    }

    #[test]
    fn a_translated_connection() {
        let bytes = [
            vec![2, 0, 0, 0],
            side(1, [10, 0, 0, 4], [192, 0, 2, 9], 4000, 80),
            side(2, [192, 0, 2, 9], [192, 168, 1, 3], 80, 4000),
            attr(CTA_STATUS, &0x19e_u32.to_be_bytes()),
            attr(CTA_MARK, &0x400_0000_u32.to_be_bytes()),
            attr(CTA_ZONE, &7_u16.to_be_bytes()),
            attr(CTA_TIMESTAMP, &attr(1, &1_795_401_000_500_000_000_u64.to_be_bytes())),
            attr(0x8009, &[attr(1, &5_u64.to_be_bytes()), attr(2, &300_u64.to_be_bytes())].concat()),
        ]
        .concat();
        let entry = decode(&bytes).unwrap();
        assert_eq!((entry.original.sport, entry.reply.dst.to_string().as_str()), (Some(4000), "192.168.1.3"));
        assert_eq!((entry.status, entry.mark, entry.zone), (0x19e, 0x400_0000, 7));
        assert_eq!(entry.started, Some(1_795_401_000_500_000_000));
        assert_eq!((entry.original_count, entry.reply_count), (Some((5, 300)), None));
        assert_eq!(decode(&bytes[..4]), Err(Malformed));
    }

    #[test]
    fn a_question_names_one_direction() {
        let ask = |src: &str, dst: &str, proto| {
            let (src, dst) = (src.parse().unwrap(), dst.parse().unwrap());
            question(&ConntrackTuple { src, dst, proto, sport: Some(4000), dport: Some(80) }, 8)
        };
        let whole = ask("10.0.0.4", "192.0.2.9", 6);
        let expected = [vec![2, 0, 0, 0], side(1, [10, 0, 0, 4], [192, 0, 2, 9], 4000, 80)].concat();
        assert_eq!(whole, expected);
        assert_eq!(ask("2001:db8::1", "2001:db8::2", 17)[0], 10);
        let echo = ask("10.0.0.4", "192.0.2.9", 1);
        assert!(echo.windows(8).any(|bytes| bytes == attr(5, &[8])), "{echo:?}");
    }
}
