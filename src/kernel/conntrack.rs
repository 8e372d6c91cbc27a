//! Tracked connections (`IPCTNL_MSG_CT_GET`;
//! `include/uapi/linux/netfilter/nfnetlink_conntrack.h`).

use super::Error;
use super::attr::{Attr, Malformed, attrs, header};
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

/// All connections of the socket's namespace, both families.
pub(crate) fn dump_conntrack(socket: &mut Socket) -> Result<Vec<ConntrackEntry>, Error> {
    // struct nfgenmsg, all zero: every family
    socket.dump("tracked connections", CT_GET, &[0; 4], |message| decode(message).map(Some))
}

fn decode(message: &[u8]) -> Result<ConntrackEntry, Malformed> {
    let (_, rest) = header::<4>(message)?;
    let (mut original, mut reply, mut status, mut mark, mut zone) = (None, None, 0, 0, 0);
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
            attr(0x8009, &[attr(1, &5_u64.to_be_bytes()), attr(2, &300_u64.to_be_bytes())].concat()),
        ]
        .concat();
        let entry = decode(&bytes).unwrap();
        assert_eq!((entry.original.sport, entry.reply.dst.to_string().as_str()), (Some(4000), "192.168.1.3"));
        assert_eq!((entry.status, entry.mark, entry.zone), (0x19e, 0x400_0000, 7));
        assert_eq!((entry.original_count, entry.reply_count), (Some((5, 300)), None));
        assert_eq!(decode(&bytes[..4]), Err(Malformed));
    }
}
