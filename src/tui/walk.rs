//! The walk screen's state: which packet is watched, how far it has come, and
//! whether it moves by itself.

mod picture;
mod station;
mod ways;
mod words;

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

pub(super) use picture::{HEIGHT, Picture, lay_out};
pub(super) use station::{Row, Stage, Station, rows, stations};
pub(super) use words::{agreement, answer, class};

use super::overview::FipId;
use super::state::Node;
use crate::net::{IfName, RouteAnswer, RouteQuestion};
use crate::path::{ICMP, Packet, Start, TCP, UDP, Walk};
use crate::topology::Topology;
pub(super) use ways::walks;

/// How long the packet stays at a station while it moves by itself.
pub(super) const PACE: Duration = Duration::from_millis(700);

/// A tick that comes a little early moves it all the same.
const EARLY: SignedDuration = SignedDuration::from_millis(500);

/// A host outside, where nobody named one: TEST-NET-2 (RFC 5737).
pub(super) const OUTSIDE: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 7);

/// The protocols that one key goes through, each with a port that is asked for
/// by default; for ICMP the identifier.
const PROTOCOLS: [(u8, u16); 3] = [(TCP, 443), (UDP, 53), (ICMP, 1)];

/// The source port of a packet; for ICMP the identifier stands for both.
const SOURCE_PORT: u16 = 40000;

/// An answer of the kernel to a question, as `app` brings it.
pub type Answered = (RouteQuestion, Result<RouteAnswer, String>);

/// A packet being watched on its way.
#[derive(Clone, Debug, PartialEq)]
pub struct Walking {
    /// Which packet.
    pub asked: Asked,
    /// Where it goes, or why that cannot be said.
    pub walks: Result<Walks, String>,
    /// The way back is in sight.
    pub back: bool,
    /// The station that it has come to, from 0.
    pub step: usize,
    /// It moves by itself.
    pub playing: bool,
    /// When it came to the station.
    pub moved_at: Timestamp,
    /// The kernel was asked, and has not answered yet.
    pub asking: bool,
    /// When it was asked last.
    pub asked_at: Option<Timestamp>,
    /// It is to be asked as soon as the last time is long enough ago.
    pub put_off: bool,
    /// How many lines of the evidence are scrolled away.
    pub scroll: usize,
}

/// A packet and its answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Walks {
    /// The way there.
    pub forth: Walk,
    /// The way of the answer, where there can be one.
    pub back: Option<Walk>,
    /// Where such a packet could enter the node; several where addresses overlap.
    pub entrances: Vec<Start>,
}

/// Which packet is watched: enough to find its way again after a reading.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// From where to where.
    pub ends: Ends,
    /// Protocol number (IANA).
    pub proto: u8,
    /// Destination port; for ICMP the identifier.
    pub port: u16,
    /// Source port, where it is one in particular.
    pub from: Option<u16>,
    /// Which of the entrances, where there are several.
    pub entrance: usize,
}

/// The two ends of a packet's way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ends {
    /// A floating IP's instance and a host outside.
    Fip {
        /// Whose.
        id: FipId,
        /// From outside to the floating IP.
        inbound: bool,
    },
    /// Two addresses.
    Addresses {
        /// Source.
        src: Ipv4Addr,
        /// Destination.
        dst: Ipv4Addr,
    },
}

impl Asked {
    /// A first packet between these ends: TCP to the port of HTTPS.
    pub fn new(ends: Ends) -> Self {
        Self { ends, proto: TCP, port: PROTOCOLS[0].1, from: None, entrance: 0 }
    }

    /// The same with this protocol, and this port or the usual one.
    #[must_use]
    pub fn with(self, proto: u8, port: Option<u16>) -> Self {
        let usual = PROTOCOLS.iter().find(|(number, _)| *number == proto).map_or(0, |(_, port)| *port);
        Self { proto, port: port.unwrap_or(usual), ..self }
    }

    /// The same from this source port, where there is one.
    #[must_use]
    pub fn from_port(self, from: Option<u16>) -> Self {
        Self { from, ..self }
    }

    /// The same with the next protocol, round and round.
    #[must_use]
    pub(super) fn next_protocol(self) -> Self {
        let at = PROTOCOLS.iter().position(|(number, _)| *number == self.proto);
        let (proto, port) = PROTOCOLS[at.map_or(0, |at| (at + 1) % PROTOCOLS.len())];
        Self { proto, port, ..self }
    }

    /// A new packet the other way.
    #[must_use]
    pub(super) fn turned(self) -> Self {
        let ends = match self.ends {
            Ends::Fip { id, inbound } => Ends::Fip { id, inbound: !inbound },
            Ends::Addresses { src, dst } => Ends::Addresses { src: dst, dst: src },
        };
        Self { ends, entrance: 0, ..self }
    }

    /// Source and destination on this node; the refusal is for the user.
    pub(super) fn addresses(&self, topology: &Topology) -> Result<(Ipv4Addr, Ipv4Addr), String> {
        let (id, inbound) = match &self.ends {
            Ends::Addresses { src, dst } => return Ok((*src, *dst)),
            Ends::Fip { id, inbound } => (id, *inbound),
        };
        let fip = id.find(topology).ok_or_else(|| format!("{} is not on this node any more", id.label()))?;
        let (address, what) = if inbound { (fip.floating_ip, "floating") } else { (fip.fixed_ip, "fixed") };
        match address {
            Some(IpAddr::V4(address)) if inbound => Ok((OUTSIDE, address)),
            Some(IpAddr::V4(address)) => Ok((address, OUTSIDE)),
            Some(IpAddr::V6(address)) => Err(format!("walks are of IPv4, and {address} is not")),
            None => Err(format!("nothing on this node tells the {what} IP of {}", id.label())),
        }
    }

    /// The packet itself.
    pub(super) fn packet(&self, src: Ipv4Addr, dst: Ipv4Addr) -> Packet {
        let packet = Packet::first(src, dst, self.proto);
        match self.proto {
            TCP | UDP => packet.ports(self.from.unwrap_or(SOURCE_PORT), self.port),
            ICMP => packet.ports(self.port, self.port),
            _ => packet,
        }
    }

    /// What one calls it by.
    pub(super) fn label(&self) -> String {
        match &self.ends {
            Ends::Addresses { src, dst } => format!("{src} → {dst}"),
            Ends::Fip { id, inbound: true } => format!("walk to {}", id.label()),
            Ends::Fip { id, inbound: false } => {
                format!("walk from {}", id.fixed.map_or_else(|| id.label(), |fixed| fixed.to_string()))
            }
        }
    }
}

impl Walks {
    /// The way there, or back.
    pub fn way(&self, back: bool) -> &Walk {
        self.back.as_ref().filter(|_| back).unwrap_or(&self.forth)
    }

    /// Every lookup that would prove the two ways, each once.
    pub(super) fn questions(&self) -> Vec<RouteQuestion> {
        let hops = [Some(&self.forth), self.back.as_ref()].into_iter().flatten().flat_map(|walk| &walk.hops);
        let mut questions: Vec<RouteQuestion> = hops.filter_map(|hop| hop.question.clone()).collect();
        questions.sort();
        questions.dedup();
        questions
    }
}

impl Walking {
    /// The walk of a packet, from its beginning, moving.
    pub(super) fn of(asked: Asked, node: &Node, now: Timestamp) -> Self {
        let walks = walks(node, &asked);
        Self {
            asked,
            walks,
            back: false,
            step: 0,
            playing: true,
            moved_at: now,
            asking: false,
            asked_at: None,
            put_off: false,
            scroll: 0,
        }
    }

    /// The kernel was asked after that moment.
    pub(super) fn was_asked_since(&self, then: Timestamp) -> bool {
        self.asked_at.is_some_and(|at| at > then)
    }

    /// The walk in sight.
    pub fn walk(&self) -> Option<&Walk> {
        self.walks.as_ref().ok().map(|walks| walks.way(self.back))
    }

    /// The source address that the packet should leave with: that of an
    /// instance with a floating IP.
    pub(super) fn wanted(&self) -> Option<IpAddr> {
        match &self.asked.ends {
            Ends::Fip { id, inbound: false } if !self.back => id.floating,
            Ends::Fip { .. } | Ends::Addresses { .. } => None,
        }
    }

    /// Packets of the way in sight go to the left on the screen: instances
    /// stand on the left, the world outside on the right.
    pub(super) fn leftward(&self) -> bool {
        let outside = |start: &Start| {
            let device = start.device.as_ref().map(IfName::as_str);
            device.is_some_and(|device| device.starts_with("fg-") || device.starts_with("qg-"))
        };
        self.walks.as_ref().is_ok_and(|walks| outside(&walks.forth.start) != (self.back && walks.back.is_some()))
    }

    /// Finds the way again on another reading; the packet stays at its station
    /// where there still is such a one.
    pub(super) fn rebuild(&mut self, node: &Node) {
        let before = self.walk().and_then(|walk| stations(walk).get(self.step).map(Station::id));
        self.walks = walks(node, &self.asked);
        self.asking = false;
        let Some(walk) = self.walk() else {
            self.step = 0;
            self.playing = false;
            return;
        };
        let all = stations(walk);
        let same = before.and_then(|id| all.iter().position(|station| station.id() == id));
        self.step = same.unwrap_or(self.step).min(all.len().saturating_sub(1));
    }

    /// Watches another packet, or another way of it, from the beginning.
    pub(super) fn restart(&mut self, now: Timestamp) {
        self.step = 0;
        self.scroll = 0;
        self.playing = true;
        self.moved_at = now;
    }

    /// The last station's place.
    pub(super) fn last(&self) -> usize {
        self.walk().map_or(0, |walk| stations(walk).len().saturating_sub(1))
    }

    /// Goes on by stations, negative back, and stands there.
    pub(super) fn go(&mut self, by: isize) {
        self.step = self.step.saturating_add_signed(by).min(self.last());
        self.scroll = 0;
        self.playing = false;
    }

    /// Time has passed: a packet that moves by itself goes on.
    pub(super) fn tick(&mut self, now: Timestamp) {
        if self.playing && now.duration_since(self.moved_at) >= EARLY {
            let last = self.last();
            self.step = (self.step + 1).min(last);
            self.scroll = 0;
            self.playing = self.step < last;
            self.moved_at = now;
        }
    }

    /// What the kernel said, hop by hop.
    pub(super) fn witnessed(&mut self, answers: &[Answered]) {
        self.asking = false;
        if let Ok(walks) = &mut self.walks {
            walks.forth.witnessed(answers);
            if let Some(back) = &mut walks.back {
                back.witnessed(answers);
            }
        }
    }
}
