//! Comparisons of a field of the packet, of its metadata or of its connection
//! with a constant.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

use super::draft::{DESTINATION, Draft, FRAGMENT, IN_IFACE, OUT_IFACE, PROTOCOL, Register, SOURCE, Source, Strange};
use super::rule::value;
use super::wire::{Malformed, be16, be32, fields, text};
use crate::net::netfilter::{CT_STATES, CtState, Match, NfFamily, Port, PortMatch};

/// `NFT_META_*`.
pub(super) const META_MARK: u32 = 3;
pub(super) const META_IIFNAME: u32 = 6;
pub(super) const META_OIFNAME: u32 = 7;
pub(super) const META_NFPROTO: u32 = 15;
pub(super) const META_L4PROTO: u32 = 16;

/// `NFT_CT_*`.
pub(super) const CT_STATE: u32 = 0;
pub(super) const CT_STATUS: u32 = 2;
pub(super) const CT_MARK: u32 = 3;

/// `NFT_PAYLOAD_*`.
const NETWORK_HEADER: u32 = 1;
const TRANSPORT_HEADER: u32 = 2;

/// `NFT_CMP_*`.
const EQ: u32 = 0;
const NEQ: u32 = 1;
const LT: u32 = 2;
const LTE: u32 = 3;
const GT: u32 = 4;
const GTE: u32 = 5;

const TCP: u8 = 6;
const UDP: u8 = 17;

/// `NFTA_CMP_*`: 1 register, 2 operation, 3 data.
pub(super) fn compare(draft: &mut Draft, data: &[u8]) -> Result<(), Strange> {
    let found = fields::<4>(data)?;
    let register = draft.load(be32(found[1].ok_or(Malformed)?)?)?;
    let op = be32(found[2].ok_or(Malformed)?)?;
    let data = value(found[3].ok_or(Malformed)?)?;
    if register.xor != [0; 16] {
        return Err("arithmetic before a comparison".into());
    }
    if let Source::Payload { base: TRANSPORT_HEADER, offset: offset @ (0 | 2) } = register.source {
        return port(draft, register, offset, op, data);
    }
    let invert = match op {
        EQ => false,
        NEQ => true,
        _ => return Err("a comparison of order".into()),
    };
    match register.source {
        Source::Meta(key @ (META_IIFNAME | META_OIFNAME)) if !register.masked => iface(draft, key, data, invert),
        _ if data.len() != register.len => Err("a comparison of a part of a value".into()),
        Source::Meta(META_L4PROTO) if !register.masked => protocol(draft, data[0], invert),
        Source::Meta(META_NFPROTO) if !register.masked => family(draft, data[0], invert),
        Source::Meta(META_MARK) => {
            let (value, mask) = mark(register, data)?;
            draft.matches.push(Match::Mark { value, mask, invert });
            Ok(())
        }
        Source::Ct(CT_MARK) => {
            let (value, mask) = mark(register, data)?;
            draft.matches.push(Match::Connmark { value, mask, invert });
            Ok(())
        }
        Source::Ct(key) => states(draft, key, register, data, invert),
        Source::Payload { base: NETWORK_HEADER, offset } => network(draft, offset, register, data, invert),
        Source::Payload { base: TRANSPORT_HEADER, offset: 13 } => tcp_flags(draft, register, data[0], invert),
        _ => Err("a field that iptables does not compare so".into()),
    }
}

/// `NFTA_RANGE_*`: 1 register, 2 operation, 3 first, 4 last.
pub(super) fn range(draft: &mut Draft, data: &[u8]) -> Result<(), Strange> {
    let found = fields::<5>(data)?;
    let [_, Some(register), Some(op), Some(from), Some(to)] = found else { return Err(Malformed.into()) };
    let register = draft.load(be32(register)?)?;
    let invert = be32(op)? != 0;
    let (from, to) = (value(from)?, value(to)?);
    match register.source {
        Source::Payload { base: TRANSPORT_HEADER, offset: offset @ (0 | 2) }
            if !register.masked && register.len == 2 =>
        {
            let port = Port { from: be16(from)?, to: be16(to)? };
            say_port(draft, offset, PortMatch { port, invert })
        }
        _ => Err("a range that iptables does not compare so".into()),
    }
}

/// A name up to its NUL is the whole name; without one, names that begin so.
fn iface(draft: &mut Draft, key: u32, data: &[u8], invert: bool) -> Result<(), Strange> {
    let mut name = text(data).into_owned();
    if !data.contains(&0) {
        name.push('+');
    }
    if key == META_IIFNAME {
        draft.say_first(IN_IFACE, Match::InIface { name, invert })
    } else {
        draft.say_first(OUT_IFACE, Match::OutIface { name, invert })
    }
}

fn protocol(draft: &mut Draft, number: u8, invert: bool) -> Result<(), Strange> {
    if !invert {
        draft.layer4 = Some(number);
    }
    draft.say_first(PROTOCOL, Match::Protocol { number, invert })
}

/// Only a table of both families asks for the family.
fn family(draft: &mut Draft, number: u8, invert: bool) -> Result<(), Strange> {
    let asked = match number {
        2 => NfFamily::Ip,
        10 => NfFamily::Ip6,
        _ => return Err("a family that is new to us".into()),
    };
    match (invert, draft.layer3, draft.family) {
        (false, Some(known), _) if known == asked => Ok(()),
        (false, None, NfFamily::Inet) => {
            draft.layer3 = Some(asked);
            Ok(())
        }
        _ => Err("a condition on the family".into()),
    }
}

/// Marks are numbers in the order of the host.
fn mark(register: Register, data: &[u8]) -> Result<(u32, u32), Strange> {
    let [a, b, c, d, ..] = register.mask;
    let value: [u8; 4] = data.try_into().map_err(|_| Malformed)?;
    Ok((u32::from_ne_bytes(value), u32::from_ne_bytes([a, b, c, d])))
}

/// `state & mask != 0` is any of these states, `== 0` none of them. The bits of
/// `ct state` are those of `--ctstate` but for untracked; of `ct status` only
/// those that `--ctstate` knows too (`linux/netfilter/nf_conntrack_common.h`).
fn states(draft: &mut Draft, key: u32, register: Register, data: &[u8], equal_negated: bool) -> Result<(), Strange> {
    let (value, mask) = mark(register, data)?;
    if value != 0 || !register.masked {
        return Err("a comparison of connection states".into());
    }
    let states: Vec<CtState> = CT_STATES
        .iter()
        .filter(|(state, _, bit)| mask & native_bit(key, *state, *bit) != 0)
        .map(|(state, ..)| *state)
        .collect();
    let known: u32 =
        CT_STATES.iter().map(|(state, _, bit)| native_bit(key, *state, *bit)).fold(0, |all, bit| all | bit);
    if states.is_empty() || mask & !known != 0 {
        return Err("states that iptables does not have".into());
    }
    // `neq 0` is the plain form, `eq 0` the negated one.
    draft.matches.push(Match::Ctstate { module: "conntrack".to_owned(), states, invert: !equal_negated });
    Ok(())
}

fn native_bit(key: u32, state: CtState, bit: u16) -> u32 {
    match (key, state) {
        (CT_STATUS, CtState::Snat) => 0x10,
        (CT_STATUS, CtState::Dnat) => 0x20,
        (CT_STATUS, _) | (_, CtState::Snat | CtState::Dnat) => 0,
        (_, CtState::Untracked) => 0x40,
        _ => u32::from(bit),
    }
}

/// Fields of the IP header that iptables compares: addresses, the protocol of
/// IPv4, the fragment offset of IPv4.
fn network(draft: &mut Draft, offset: u32, register: Register, data: &[u8], invert: bool) -> Result<(), Strange> {
    match (draft.layer3, offset, register.len) {
        (Some(NfFamily::Ip), 12, 1..=4) | (Some(NfFamily::Ip6), 8, 1..=16) => {
            address(draft, SOURCE, register, data, invert)
        }
        (Some(NfFamily::Ip), 16, 1..=4) | (Some(NfFamily::Ip6), 24, 1..=16) => {
            address(draft, DESTINATION, register, data, invert)
        }
        (Some(NfFamily::Ip), 9, 1) if !register.masked => protocol(draft, data[0], invert),
        (Some(NfFamily::Ip), 6, 2) if register.mask[..2] == [0x1f, 0xff] && data == [0, 0] => {
            draft.say_first(FRAGMENT, Match::Fragment { invert: !invert })
        }
        _ => Err("a field of the IP header that iptables does not compare so".into()),
    }
}

/// An address with a prefix: the bytes that were loaded, or a mask of bits.
fn address(draft: &mut Draft, place: usize, register: Register, data: &[u8], invert: bool) -> Result<(), Strange> {
    let v4 = draft.layer3 == Some(NfFamily::Ip);
    let (mut bytes, mut mask) = ([0; 16], [0; 16]);
    bytes[..register.len].copy_from_slice(data);
    mask[..register.len].copy_from_slice(&register.mask[..register.len]);
    let (addr, mask) = (ip(bytes, v4), ip(mask, v4));
    let said = match (ipnet::ip_mask_to_prefix(mask).ok().and_then(|prefix| IpNet::new(addr, prefix).ok()), place) {
        (Some(net), SOURCE) => Match::Source { net, invert },
        (Some(net), _) => Match::Destination { net, invert },
        (None, _) => {
            let (not, option) = (if invert { "! " } else { "" }, if place == SOURCE { "-s" } else { "-d" });
            Match::Other(format!("{not}{option} {addr}/{mask}"))
        }
    };
    draft.say_first(place, said)
}

fn ip(bytes: [u8; 16], v4: bool) -> IpAddr {
    let [a, b, c, d, ..] = bytes;
    if v4 { Ipv4Addr::new(a, b, c, d).into() } else { Ipv6Addr::from(bytes).into() }
}

fn port(draft: &mut Draft, register: Register, offset: u32, op: u32, data: &[u8]) -> Result<(), Strange> {
    if register.masked || register.len != 2 {
        return Err("a field of the transport header that iptables does not compare so".into());
    }
    let port = be16(data)?;
    let (from, to) = match op {
        EQ | NEQ => (Some(port), Some(port)),
        LT => (Some(0), port.checked_sub(1)),
        LTE => (Some(0), Some(port)),
        GT => (port.checked_add(1), Some(u16::MAX)),
        GTE => (Some(port), Some(u16::MAX)),
        _ => (None, None),
    };
    let (Some(from), Some(to)) = (from, to) else { return Err("a comparison that never holds".into()) };
    say_port(draft, offset, PortMatch { port: Port { from, to }, invert: op == NEQ })
}

/// Ports and flags of one rule share one `-m tcp` or `-m udp`.
fn say_port(draft: &mut Draft, offset: u32, said: PortMatch) -> Result<(), Strange> {
    let Match::Ports { sport, dport, .. } = transport(draft)? else { return Err("ports".into()) };
    let slot = if offset == 0 { sport } else { dport };
    *slot = Some(match *slot {
        None => said,
        Some(before) => both(before, said).ok_or("two conditions on the same port")?,
    });
    Ok(())
}

/// Two bounds that make one range (`>= 80` and `<= 90`).
fn both(one: PortMatch, two: PortMatch) -> Option<PortMatch> {
    let (from, to) = (one.port.from.max(two.port.from), one.port.to.min(two.port.to));
    (!one.invert && !two.invert && from <= to).then_some(PortMatch { port: Port { from, to }, invert: false })
}

fn tcp_flags(draft: &mut Draft, register: Register, comp: u8, invert: bool) -> Result<(), Strange> {
    let mask = register.mask[0];
    if !register.masked || draft.layer4 != Some(TCP) || (mask | comp) & 0xc0 != 0 {
        return Err("flags of TCP that iptables does not compare so".into());
    }
    match transport(draft)? {
        Match::Ports { tcp_flags: tcp_flags @ None, .. } => {
            *tcp_flags = Some((mask, comp, invert));
            Ok(())
        }
        _ => Err("two conditions on the flags of TCP".into()),
    }
}

/// The rule's `-m tcp` or `-m udp`.
fn transport(draft: &mut Draft) -> Result<&mut Match, Strange> {
    let module = match draft.layer4 {
        Some(TCP) => "tcp",
        Some(UDP) => "udp",
        _ => return Err("ports of a protocol that is not asked for".into()),
    };
    let ours = |each: &Match| matches!(each, Match::Ports { .. });
    let at = draft.matches.iter().position(ours).unwrap_or_else(|| {
        draft.matches.push(Match::Ports { module: module.to_owned(), sport: None, dport: None, tcp_flags: None });
        draft.matches.len() - 1
    });
    draft.matches.get_mut(at).ok_or_else(|| "ports".into())
}
