//! A packet on its way through one namespace, with the connection it belongs to.

use super::RuleAt;
use crate::net::netfilter::{CT_STATES, CtDirection, CtState};
use crate::path::model::NatKind;
use crate::path::packet::{Endpoint, ICMP, Packet, TCP};
use crate::path::track::{Connection, is_icmp_request};

/// Protocols beside TCP and UDP that have ports (IANA).
pub(super) const UDPLITE: u8 = 136;
pub(super) const DCCP: u8 = 33;
pub(super) const SCTP: u8 = 132;

/// A packet on its way through one namespace: make one where it enters, pass its
/// hooks in order, and confirm its connection where it leaves or is delivered.
#[derive(Clone, Debug)]
pub(in crate::path) struct Passing {
    /// The packet as it is now.
    pub(in crate::path) packet: Packet,
    /// Its connection, once tracking has seen it.
    pub(in crate::path) connection: Option<Connection>,
    /// Which way of the connection it goes.
    pub(in crate::path) direction: CtDirection,
    /// Exempted from tracking.
    pub(in crate::path) untracked: bool,
    /// It opened the connection.
    pub(in crate::path) first: bool,
    /// What changed it, in order.
    pub(in crate::path) events: Vec<Event>,
    /// An ICMP error: whose connection it speaks of is written in its payload.
    pub(super) error: bool,
    /// The bindings of a first packet, destination and source.
    pub(super) bound: [Option<Binding>; 2],
}

/// A change of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::path) enum Event {
    /// Of its mark.
    Mark {
        /// Before.
        before: u32,
        /// After.
        after: u32,
        /// The rule.
        rule: RuleAt,
    },
    /// Of an address or a port.
    Translation {
        /// How.
        kind: NatKind,
        /// Before.
        before: Endpoint,
        /// After.
        after: Endpoint,
        /// The rule; `None` where the connection had been bound before.
        rule: Option<RuleAt>,
    },
}

/// Which side of a packet a translation changes (`enum nf_nat_manip_type`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Manip {
    /// Source: after routing.
    Source,
    /// Destination: before routing.
    Destination,
}

/// What a first packet was bound to: by a rule, or to what it is already.
#[derive(Clone, Copy, Debug)]
pub(super) struct Binding {
    pub(super) rule: Option<(NatKind, RuleAt)>,
}

impl Passing {
    /// A packet that enters a namespace, or that the namespace sends.
    pub(in crate::path) fn new(packet: Packet) -> Self {
        Self {
            packet,
            connection: None,
            direction: CtDirection::Original,
            untracked: false,
            first: false,
            events: Vec::new(),
            error: false,
            bound: [None, None],
        }
    }

    /// Its connection as the namespace remembers it once the packet has left or
    /// was delivered; `None` for what is not tracked.
    pub(in crate::path) fn confirmed(&self) -> Option<&Connection> {
        self.connection.as_ref()
    }

    /// The state that `--ctstate` sees: `NEW`, `ESTABLISHED`, `UNTRACKED` or
    /// `INVALID`.
    pub(in crate::path) fn state(&self) -> CtState {
        match &self.connection {
            Some(connection) if self.direction == CtDirection::Reply || connection.answered => CtState::Established,
            Some(_) => CtState::New,
            None if self.untracked => CtState::Untracked,
            None => CtState::Invalid,
        }
    }

    /// The same with `SNAT` and `DNAT`, as bits (`xt_conntrack.c:
    /// conntrack_mt`).
    pub(super) fn state_bits(&self) -> u16 {
        let translated = self.connection.as_ref().map_or(0, |connection| {
            let source = if connection.src_nat { bit(CtState::Snat) } else { 0 };
            source | if connection.dst_nat { bit(CtState::Dnat) } else { 0 }
        });
        bit(self.state()) | translated
    }

    /// Connection tracking (`nf_conntrack_core.c: nf_conntrack_in`).
    pub(super) fn track(&mut self, known: &[Connection]) {
        if self.untracked || self.connection.is_some() {
            return;
        }
        if self.packet.proto == ICMP && self.packet.icmp.is_some_and(|(kind, _)| is_icmp_error(kind)) {
            self.error = true;
            return;
        }
        if let Some((found, direction)) = Connection::find(known, &self.packet) {
            let answered = found.answered || direction == CtDirection::Reply;
            self.direction = direction;
            // A first answer is ESTABLISHED already, and so is what follows it.
            self.connection = Some(Connection { answered, ..found.clone() });
        } else if opens(&self.packet) {
            self.connection = Some(Connection::opened_by(&self.packet));
            self.first = true;
        }
    }

    /// Exempts it from tracking, unless tracking has it (`xt_CT.c`).
    pub(super) fn exempt(&mut self) {
        self.untracked |= self.connection.is_none() && !self.error;
    }

    /// Sets the mark.
    pub(super) fn set_mark(&mut self, after: u32, rule: RuleAt) {
        let before = std::mem::replace(&mut self.packet.mark, after);
        if before != after {
            self.events.push(Event::Mark { before, after, rule });
        }
    }

    /// Changes the packet as its connection has it (`nf_nat_packet`): a reply
    /// gets back what the other side of the first packet was changed from.
    pub(super) fn translate(&mut self, manip: Manip) {
        let Some(connection) = &self.connection else { return };
        let reply = self.direction == CtDirection::Reply;
        let source_was_changed = (manip == Manip::Source) != reply;
        if !(if source_was_changed { connection.src_nat } else { connection.dst_nat }) {
            return;
        }
        let other = if reply { connection.original } else { connection.reply };
        let after = if manip == Manip::Source { other.dst } else { other.src };
        let bound = self.bound[manip.index()].and_then(|binding| binding.rule).filter(|_| self.first);
        let kind = match (reply, manip) {
            (true, Manip::Source) => NatKind::UndoDnat,
            (true, Manip::Destination) => NatKind::UndoSnat,
            (false, Manip::Source) => bound.map_or(NatKind::Snat, |(kind, _)| kind),
            (false, Manip::Destination) => bound.map_or(NatKind::Dnat, |(kind, _)| kind),
        };
        let before = manip.of(&self.packet);
        manip.set(&mut self.packet, after);
        self.events.push(Event::Translation { kind, before, after, rule: bound.map(|(_, rule)| rule) });
    }
}

impl Manip {
    /// Its place in [`Passing::bound`].
    pub(super) fn index(self) -> usize {
        usize::from(self == Self::Source)
    }

    fn of(self, packet: &Packet) -> Endpoint {
        match self {
            Self::Source => packet.source(),
            Self::Destination => packet.destination(),
        }
    }

    /// An echo has one identifier, which stands for both ports.
    fn set(self, packet: &mut Packet, to: Endpoint) {
        match self {
            Self::Source => (packet.src, packet.sport) = (to.address, to.port),
            Self::Destination => (packet.dst, packet.dport) = (to.address, to.port),
        }
        if packet.proto == ICMP {
            (packet.sport, packet.dport) = (to.port, to.port);
        }
    }
}

/// The bit of a state in `xt_conntrack`.
pub(super) fn bit(state: CtState) -> u16 {
    CT_STATES.iter().find(|(known, ..)| *known == state).map_or(0, |(.., bit)| *bit)
}

/// Whether tracking takes such a packet for the first of a connection. TCP may
/// be picked up in the middle (`nf_conntrack_tcp_loose`, on by default), but not
/// with an answer, an end or a reset (`nf_conntrack_proto_tcp.c`, row `sNO`).
fn opens(packet: &Packet) -> bool {
    const FIN: u8 = 0x01;
    const SYN: u8 = 0x02;
    const RST: u8 = 0x04;
    const ACK: u8 = 0x10;
    match packet.proto {
        TCP => match packet.tcp_flags {
            flags if flags & RST != 0 => false,
            flags if flags & SYN != 0 => flags & ACK == 0,
            flags => flags & FIN == 0 && flags & ACK != 0,
        },
        ICMP => packet.icmp.is_none_or(|(kind, _)| is_icmp_request(kind)),
        _ => true,
    }
}

/// Types of ICMP that speak of another packet (`icmp_is_err`).
fn is_icmp_error(kind: u8) -> bool {
    matches!(kind, 3 | 4 | 5 | 11 | 12)
}
