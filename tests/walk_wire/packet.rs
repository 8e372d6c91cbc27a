//! Test packets as bytes, and bytes seen on a device as test packets.
//!
//! Each packet carries the number of its flow where no translation changes it:
//! UDP and ICMP in their data, TCP in its sequence number.

use std::net::Ipv4Addr;

use fipscope::path::{ICMP, Packet, TCP, UDP};

const MARK: [u8; 4] = *b"flow";
const QUESTION: u8 = b'?';
const ANSWER: u8 = b'!';
/// The upper bits of sequence numbers that are ours.
const SEQUENCE: u32 = 0xf1b;
const IPV4_HEADER: usize = 20;

/// What a packet is in its flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// The packet that was sent.
    Question,
    /// What the other side answered.
    Answer,
    /// An ICMP error about the question, or about the answer.
    Error { about: bool },
}

/// A test packet as it was on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) flow: u32,
    pub(crate) way: Way,
    pub(crate) src: Ipv4Addr,
    pub(crate) dst: Ipv4Addr,
    pub(crate) proto: u8,
    /// For ICMP echo both are the identifier.
    pub(crate) sport: u16,
    pub(crate) dport: u16,
}

/// The bytes of the packet, from its IPv4 header on. The kernel fills in the
/// header's checksum.
pub(crate) fn encode(packet: &Packet, flow: u32) -> Vec<u8> {
    let length = usize::try_from(packet.length).unwrap();
    let mut bytes = vec![0; length];
    bytes[0] = 0x45;
    bytes[1] = packet.tos;
    bytes[2..4].copy_from_slice(&u16::try_from(length).unwrap().to_be_bytes());
    bytes[6] = if packet.dont_fragment { 0x40 } else { 0 };
    bytes[8] = 64;
    bytes[9] = packet.proto;
    bytes[12..16].copy_from_slice(&packet.src.octets());
    bytes[16..20].copy_from_slice(&packet.dst.octets());
    let (sport, dport) = (packet.sport.unwrap(), packet.dport.unwrap());
    let body = &mut bytes[IPV4_HEADER..];
    match packet.proto {
        ICMP => {
            body[0] = 8;
            body[4..6].copy_from_slice(&sport.to_be_bytes());
            body[8..17].copy_from_slice(&label(QUESTION, flow));
            let sum = checksum(body, 0);
            body[2..4].copy_from_slice(&sum.to_be_bytes());
        }
        UDP => {
            body[0..2].copy_from_slice(&sport.to_be_bytes());
            body[2..4].copy_from_slice(&dport.to_be_bytes());
            let length = u16::try_from(body.len()).unwrap();
            body[4..6].copy_from_slice(&length.to_be_bytes());
            body[8..17].copy_from_slice(&label(QUESTION, flow));
        }
        _ => {
            body[0..2].copy_from_slice(&sport.to_be_bytes());
            body[2..4].copy_from_slice(&dport.to_be_bytes());
            body[4..8].copy_from_slice(&(SEQUENCE << 20 | flow).to_be_bytes());
            body[12] = 5 << 4;
            body[13] = packet.tcp_flags;
            body[14..16].copy_from_slice(&0xffff_u16.to_be_bytes());
            let sum = checksum(body, pseudo(packet.src, packet.dst, TCP, body.len()));
            body[16..18].copy_from_slice(&sum.to_be_bytes());
        }
    }
    bytes
}

/// The data of the answer to a UDP question with that data.
pub(crate) fn answer(data: &[u8]) -> Option<Vec<u8>> {
    let (QUESTION, flow) = labelled(data)? else { return None };
    Some(label(ANSWER, flow).to_vec())
}

/// Reads what was seen; `None` for what is not ours.
pub(crate) fn decode(bytes: &[u8]) -> Option<Seen> {
    let (&version, proto) = (bytes.first()?, *bytes.get(9)?);
    let header = usize::from(version & 0xf) * 4;
    if version >> 4 != 4 || header < IPV4_HEADER {
        return None;
    }
    let address = |at: usize| Some(Ipv4Addr::from(<[u8; 4]>::try_from(bytes.get(at..at + 4)?).ok()?));
    let (src, dst) = (address(12)?, address(16)?);
    let body = bytes.get(header..)?;
    let word = |at: usize| Some(u16::from_be_bytes(body.get(at..at + 2)?.try_into().ok()?));
    let seen = |flow, way, sport, dport| Some(Seen { flow, way, src, dst, proto, sport, dport });
    match proto {
        ICMP => match body.first()? {
            0 | 8 => {
                let (_, flow) = labelled(body.get(8..)?)?;
                let way = if body[0] == 8 { Way::Question } else { Way::Answer };
                seen(flow, way, word(4)?, word(4)?)
            }
            3 | 11 | 12 => {
                let inner = decode(body.get(8..)?)?;
                seen(inner.flow, Way::Error { about: inner.way == Way::Question }, 0, 0)
            }
            _ => None,
        },
        UDP => {
            let (kind, flow) = labelled(body.get(8..)?)?;
            let way = if kind == QUESTION { Way::Question } else { Way::Answer };
            seen(flow, way, word(0)?, word(2)?)
        }
        TCP => {
            let number = |at: usize| Some(u32::from_be_bytes(body.get(at..at + 4)?.try_into().ok()?));
            let flags = *body.get(13)?;
            let (number, way) = if flags & 0x12 == 0x02 {
                (number(4)?, Way::Question)
            } else {
                (number(8)?.wrapping_sub(1), Way::Answer)
            };
            (number >> 20 == SEQUENCE).then_some(())?;
            seen(number & 0xf_ffff, way, word(0)?, word(2)?)
        }
        _ => None,
    }
}

fn label(kind: u8, flow: u32) -> [u8; 9] {
    let mut label = [kind; 9];
    label[1..5].copy_from_slice(&MARK);
    label[5..9].copy_from_slice(&flow.to_be_bytes());
    label
}

fn labelled(data: &[u8]) -> Option<(u8, u32)> {
    (data.get(1..5)? == MARK).then_some(())?;
    Some((data[0], u32::from_be_bytes(data.get(5..9)?.try_into().ok()?)))
}

fn pseudo(src: Ipv4Addr, dst: Ipv4Addr, proto: u8, length: usize) -> u32 {
    let halves = |address: Ipv4Addr| (address.to_bits() >> 16) + (address.to_bits() & 0xffff);
    halves(src) + halves(dst) + u32::from(proto) + u32::try_from(length).unwrap()
}

/// RFC 1071.
fn checksum(bytes: &[u8], start: u32) -> u16 {
    let mut sum = start;
    for pair in bytes.chunks(2) {
        sum += u32::from(pair[0]) << 8 | u32::from(pair.get(1).copied().unwrap_or(0));
    }
    while sum >> 16 != 0 {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).unwrap()
}
