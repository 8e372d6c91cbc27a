//! Bytes of a frame to a packet (RFC 791, 792, 768, 9293; IEEE 802.1Q). Bytes
//! are whatever someone sent: every access may miss.

use std::net::Ipv4Addr;

use super::count::Count;
use crate::net::{Frame, Heading, Mac};
use crate::path::{ICMP, Packet, TCP, UDP};

const IPV4: u16 = 0x0800;
/// Tags of 802.1Q and 802.1ad.
const TAG: u16 = 0x8100;
const OUTER_TAG: u16 = 0x88a8;
const IPV4_HEADER: usize = 20;
const UDP_HEADER: usize = 8;
const DONT_FRAGMENT: u16 = 0x4000;
const MORE_FRAGMENTS: u16 = 0x2000;
const OFFSET: u16 = 0x1fff;

/// A packet as it was heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Heard {
    pub(super) packet: Packet,
    pub(super) ttl: u8,
    pub(super) count: Count,
    pub(super) fragment: Option<Fragment>,
}

impl Heard {
    /// No router has passed it on yet, if it is Linux's: it still has the life that it
    /// was given (`IPDEFTTL`, include/uapi/linux/ip.h).
    pub(super) fn is_fresh(&self) -> bool {
        self.ttl == 64
    }

    /// RFC 791: a router does not send on what arrives with the last second of its life.
    pub(super) fn ends(&self, heading: Heading) -> bool {
        heading == Heading::In && self.ttl <= 1
    }
}

/// A part of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fragment {
    /// The same in all parts of a packet.
    pub(super) id: u16,
    /// It is the one with the ports.
    pub(super) is_first: bool,
}

/// Reads a frame; `None` for what is not whole IPv4.
#[inline]
pub(super) fn parse(frame: &Frame<'_>) -> Option<Heard> {
    let bytes = frame.bytes;
    let mut link = 14;
    let mut kind = half(bytes, 12)?;
    while matches!(kind, TAG | OUTER_TAG) && link < 22 {
        kind = half(bytes, link + 2)?;
        link += 4;
    }
    if kind != IPV4 {
        return None;
    }
    let ip = bytes.get(link..)?;
    let head: &[u8; IPV4_HEADER] = ip.first_chunk()?;
    let header = usize::from(head[0] & 0xf) * 4;
    if head[0] >> 4 != 4 || header < IPV4_HEADER {
        return None;
    }
    let flags = half(head, 6)?;
    let is_first = flags & OFFSET == 0;
    let fragment = (!is_first || flags & MORE_FRAGMENTS != 0).then_some(Fragment { id: half(head, 4)?, is_first });
    let body = if is_first { ip.get(header..).unwrap_or_default() } else { &[] };
    let proto = head[9];
    let (ports, icmp) = ports(proto, body);
    let carried = (frame.length as usize).saturating_sub(link);
    let count = count(frame.segment, carried, usize::from(half(head, 2)?), header + transport(proto, body));
    let packet = Packet {
        src: address(head, 12)?,
        dst: address(head, 16)?,
        proto,
        sport: ports.map(|(sport, _)| sport),
        dport: ports.map(|(_, dport)| dport),
        icmp,
        tcp_flags: if proto == TCP { body.get(13).copied().unwrap_or(0) } else { 0 },
        mark: 0,
        tos: head[1],
        length: u32::try_from(count.bytes).unwrap_or(u32::MAX),
        dont_fragment: flags & DONT_FRAGMENT != 0,
        src_mac: bytes.get(6..12).and_then(|mac| mac.try_into().ok()).map(Mac),
    };
    Some(Heard { packet, ttl: head[8], count, fragment })
}

/// Source and destination.
type Ports = (u16, u16);
/// Type and code.
type Icmp = (u8, u8);

/// Ports, or the identifier of an ICMP question and its answer; type and code
/// of ICMP.
#[inline]
fn ports(proto: u8, body: &[u8]) -> (Option<Ports>, Option<Icmp>) {
    match proto {
        TCP | UDP => (half(body, 0).zip(half(body, 2)), None),
        ICMP => {
            let icmp = body.first().copied().zip(body.get(1).copied());
            let asks = icmp.is_some_and(|(kind, _)| matches!(kind, 0 | 8 | 13 | 14));
            (half(body, 4).filter(|_| asks).map(|id| (id, id)), icmp)
        }
        _ => (None, None),
    }
}

/// The length of the header behind IPv4's, which each segment has again.
#[inline]
fn transport(proto: u8, body: &[u8]) -> usize {
    match proto {
        TCP => body.get(12).map_or(IPV4_HEADER, |byte| (usize::from(byte >> 4) * 4).max(20)),
        UDP => UDP_HEADER,
        _ => 0,
    }
}

/// What a frame carries: the kernel may have merged segments, or not yet have
/// split them; on the wire each has its headers.
#[inline]
fn count(segment: u16, carried: usize, said: usize, headers: usize) -> Count {
    let whole = |bytes: usize| u64::try_from(bytes).unwrap_or(u64::MAX);
    if segment == 0 {
        // Behind a short packet stands padding; a length of zero is one beyond 16 bits.
        let bytes = if said == 0 { carried } else { said.min(carried) };
        return Count { packets: 1, bytes: whole(bytes) };
    }
    let segments = carried.saturating_sub(headers).div_ceil(usize::from(segment)).max(1);
    Count { packets: whole(segments), bytes: whole(carried + (segments - 1) * headers) }
}

#[inline]
fn half(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

#[inline]
fn address(bytes: &[u8], at: usize) -> Option<Ipv4Addr> {
    Some(<[u8; 4]>::try_from(bytes.get(at..at + 4)?).ok()?.into())
}

#[cfg(test)]
mod tests;
