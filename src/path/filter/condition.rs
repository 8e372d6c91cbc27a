//! One condition of a rule, compiled: yes, no, or cannot be told.

use super::Crossing;
use super::bind::has_ports;
use super::passing::{DCCP, Passing, SCTP, UDPLITE, bit};
use crate::net::Mac;
use crate::net::netfilter::{CtDirection, Match, Port, PortMatch};
use crate::path::packet::{ICMP, Packet, TCP, UDP};

use ipnet::IpNet;

/// Whether a packet meets a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Truth {
    /// It does.
    Yes,
    /// It does not.
    No,
    /// Nobody can tell from here, for this reason.
    Unknown(&'static str),
}

/// A rule that we cannot read.
pub(super) const NOT_UNDERSTOOD: &str = "a rule is not understood";
const PORT: &str = "a rule asks for a port that the kernel chose by itself";
const MAC: &str = "a rule asks for a hardware address that is not known";
const ICMP_TYPE: &str = "a rule asks for an ICMP type that is not known";
/// What an ICMP error belongs to is written in its payload.
pub(super) const ERROR: &str = "a rule asks for the connection that an ICMP error speaks of";

/// An address under a mask.
#[derive(Clone, Copy, Debug)]
pub(super) struct Net {
    bits: u32,
    mask: u32,
    invert: bool,
}

/// A device's name, or its beginning (`qr-+`).
#[derive(Clone, Copy, Debug)]
pub(super) struct Device<'s> {
    name: &'s str,
    prefix: bool,
    invert: bool,
}

/// The ports that a condition looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Source,
    Destination,
    Either,
}

/// A condition.
#[derive(Clone, Debug)]
pub(super) enum Condition<'s> {
    Source(Net),
    Destination(Net),
    In(Device<'s>),
    Out(Device<'s>),
    Protocol {
        number: u8,
        invert: bool,
    },
    Port {
        side: Side,
        port: PortMatch,
    },
    TcpFlags {
        mask: u8,
        set: u8,
        invert: bool,
    },
    Multiport {
        side: Side,
        ports: &'s [Port],
        invert: bool,
    },
    Icmp {
        kind: u8,
        codes: (u8, u8),
        invert: bool,
    },
    Mark {
        value: u32,
        mask: u32,
        invert: bool,
    },
    Connmark {
        value: u32,
        mask: u32,
        invert: bool,
    },
    State {
        bits: u16,
        invert: bool,
    },
    /// `lenient`: in one `-m conntrack` with states, which then decide alone for
    /// what has no connection (`xt_conntrack.c: conntrack_mt`).
    Direction {
        direction: CtDirection,
        lenient: bool,
    },
    Mac {
        mac: Mac,
        invert: bool,
    },
    Never,
    Unknown,
}

/// Compiles the matches of a rule.
pub(super) fn conditions(matches: &[Match]) -> Box<[Condition<'_>]> {
    let mut out = Vec::with_capacity(matches.len());
    let mut before = None;
    for each in matches {
        compile(each, before, &mut out);
        before = Some(each);
    }
    out.into_boxed_slice()
}

fn compile<'s>(each: &'s Match, before: Option<&Match>, out: &mut Vec<Condition<'s>>) {
    out.push(match each {
        // Protocol 0 is any, and no packet of ours is a fragment.
        Match::Comment(_) | Match::Protocol { number: 0, .. } | Match::Fragment { invert: true } => return,
        Match::Source { net, invert } => address(*net, *invert).map_or(Condition::Never, Condition::Source),
        Match::Destination { net, invert } => address(*net, *invert).map_or(Condition::Never, Condition::Destination),
        Match::InIface { name, invert } => Condition::In(Device::of(name, *invert)),
        Match::OutIface { name, invert } => Condition::Out(Device::of(name, *invert)),
        Match::Protocol { number, invert } => Condition::Protocol { number: *number, invert: *invert },
        Match::Fragment { invert: false } => Condition::Never,
        Match::Ports { module, sport, dport, tcp_flags } => {
            out.push(module_protocol(module));
            out.extend(sport.map(|port| Condition::Port { side: Side::Source, port }));
            out.extend(dport.map(|port| Condition::Port { side: Side::Destination, port }));
            out.extend(tcp_flags.map(|(mask, set, invert)| Condition::TcpFlags { mask, set, invert }));
            return;
        }
        Match::Multiport { side, ports, invert } => match side.as_str() {
            "sports" => Condition::Multiport { side: Side::Source, ports, invert: *invert },
            "dports" => Condition::Multiport { side: Side::Destination, ports, invert: *invert },
            "ports" => Condition::Multiport { side: Side::Either, ports, invert: *invert },
            _ => Condition::Unknown,
        },
        Match::Icmp { kind, codes, invert } => Condition::Icmp { kind: *kind, codes: *codes, invert: *invert },
        Match::Mark { value, mask, invert } => Condition::Mark { value: *value, mask: *mask, invert: *invert },
        Match::Connmark { value, mask, invert } => Condition::Connmark { value: *value, mask: *mask, invert: *invert },
        Match::Ctstate { states, invert, .. } => {
            Condition::State { bits: states.iter().fold(0, |bits, state| bits | bit(*state)), invert: *invert }
        }
        Match::Ctdir { direction } => {
            let lenient = matches!(before, Some(Match::Ctstate { module, .. }) if module == "conntrack");
            Condition::Direction { direction: *direction, lenient }
        }
        Match::MacSource { mac, invert } => Condition::Mac { mac: *mac, invert: *invert },
        Match::Other(_) => Condition::Unknown,
    });
}

fn module_protocol<'s>(module: &str) -> Condition<'s> {
    let number = match module {
        "tcp" => TCP,
        "udp" => UDP,
        "udplite" => UDPLITE,
        "sctp" => SCTP,
        "dccp" => DCCP,
        _ => return Condition::Unknown,
    };
    Condition::Protocol { number, invert: false }
}

/// An IPv6 prefix in a table of both families: no IPv4 packet gets past it.
fn address(net: IpNet, invert: bool) -> Option<Net> {
    let IpNet::V4(net) = net else { return None };
    let mask = net.netmask().to_bits();
    Some(Net { bits: net.addr().to_bits() & mask, mask, invert })
}

impl Net {
    /// The one address that it asks for.
    pub(super) fn host(self) -> Option<u32> {
        (self.mask == u32::MAX && !self.invert).then_some(self.bits)
    }
}

impl<'s> Device<'s> {
    fn of(name: &'s str, invert: bool) -> Self {
        match name.strip_suffix('+') {
            Some(name) => Self { name, prefix: true, invert },
            None => Self { name, prefix: false, invert },
        }
    }

    fn is(self, device: &str) -> bool {
        let same = if self.prefix { device.starts_with(self.name) } else { device == self.name };
        same != self.invert
    }
}

impl Condition<'_> {
    /// Whether a packet meets it.
    pub(super) fn holds(&self, at: &Crossing<'_>, passing: &Passing) -> Truth {
        let packet = &passing.packet;
        match *self {
            Self::Source(net) => truth((packet.src.to_bits() & net.mask == net.bits) != net.invert),
            Self::Destination(net) => truth((packet.dst.to_bits() & net.mask == net.bits) != net.invert),
            Self::In(device) => truth(device.is(at.iif)),
            Self::Out(device) => truth(device.is(at.oif)),
            Self::Protocol { number, invert } => truth((packet.proto == number) != invert),
            Self::Port { side, port } => ports(packet, side, &[port.port], port.invert),
            Self::Multiport { side, ports: list, invert } => match packet.proto {
                TCP | UDP | UDPLITE | SCTP | DCCP => ports(packet, side, list, invert),
                _ => Truth::No,
            },
            Self::TcpFlags { mask, set, invert } => truth((packet.tcp_flags & mask == set) != invert),
            Self::Icmp { kind, codes, invert } => icmp(packet, kind, codes, invert),
            Self::Mark { value, mask, invert } => truth((packet.mark & mask == value) != invert),
            Self::Connmark { value, mask, invert } => match &passing.connection {
                Some(connection) => truth((connection.mark & mask == value) != invert),
                None if passing.error => Truth::Unknown(ERROR),
                None => Truth::No,
            },
            Self::State { .. } | Self::Direction { .. } if passing.error => Truth::Unknown(ERROR),
            Self::State { bits, invert } => truth((passing.state_bits() & bits != 0) != invert),
            Self::Direction { direction, lenient } => {
                truth(if passing.connection.is_some() { passing.direction == direction } else { lenient })
            }
            Self::Mac { mac, invert } => match packet.src_mac {
                _ if at.iif.is_empty() => Truth::No,
                Some(found) => truth((found == mac) != invert),
                None => Truth::Unknown(MAC),
            },
            Self::Never => Truth::No,
            Self::Unknown => Truth::Unknown(NOT_UNDERSTOOD),
        }
    }
}

fn truth(yes: bool) -> Truth {
    if yes { Truth::Yes } else { Truth::No }
}

fn ports(packet: &Packet, side: Side, list: &[Port], invert: bool) -> Truth {
    if !has_ports(packet.proto) {
        return Truth::No;
    }
    let asked = match side {
        Side::Source => [Some(packet.sport), None],
        Side::Destination => [Some(packet.dport), None],
        Side::Either => [Some(packet.sport), Some(packet.dport)],
    };
    let mut unknown = false;
    for port in asked.into_iter().flatten() {
        match port {
            Some(port) if list.iter().any(|range| (range.from..=range.to).contains(&port)) => return truth(!invert),
            Some(_) => {}
            None if list.contains(&Port { from: 0, to: u16::MAX }) => return truth(!invert),
            None => unknown = true,
        }
    }
    if unknown { Truth::Unknown(PORT) } else { truth(invert) }
}

fn icmp(packet: &Packet, kind: u8, codes: (u8, u8), invert: bool) -> Truth {
    match packet.icmp {
        _ if packet.proto != ICMP => Truth::No,
        _ if kind == u8::MAX => truth(!invert),
        Some((found, code)) => truth((found == kind && (codes.0..=codes.1).contains(&code)) != invert),
        None => Truth::Unknown(ICMP_TYPE),
    }
}
