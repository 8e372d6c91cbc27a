//! One conversation, followed: what of it passed each device, both ways and under
//! all its addresses, and its last packets.

mod recent;

use std::collections::VecDeque;
use std::net::Ipv4Addr;
use std::sync::Arc;

pub use recent::{LATELY, Lately};

use recent::Recent;

use super::count::Count;
use super::meter::Sighting;
use super::state::{FipId, Hop};
use crate::net::{ConntrackEntry, Frame, Heading, IfName, NetnsName};
use crate::path::{Endpoint, ICMP, Packet, TCP, UDP, Walk};

/// Places that are told apart, and last packets that are kept.
const MOST_POINTS: usize = 64;
const MOST_GLIMPSES: usize = 24;
/// Pairs of ends that are looked for.
const MOST_PAIRS: usize = 32;

/// A frame surfaces no later than that after it was caught (nanoseconds).
const HELD: u64 = 1_000_000_000;

/// What is followed: a conversation under every pair of ends that translations
/// give it. Packets between them are its, whichever way they go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Conversation {
    /// Protocol number (IANA).
    pub proto: u8,
    /// Source and destination of the way forth. A port of `None` stands for any.
    pub pairs: Vec<[Endpoint; 2]>,
    /// Where it is looked for: other tenants may use the same addresses.
    pub namespaces: Vec<NetnsName>,
}

/// Which way a packet of a conversation goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    /// As the conversation was begun.
    Forth,
    /// The answer.
    Back,
}

/// A device, with the way in which packets of the way forth pass it; answers pass
/// it the other way round.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waypoint {
    /// The namespace.
    pub namespace: NetnsName,
    /// The device.
    pub device: IfName,
    /// Of the way forth.
    pub heading: Heading,
}

/// Counts a conversation's packets.
#[derive(Clone, Debug)]
pub struct Follow {
    trail: Trail,
    recent: Recent,
    /// What is older may have been read already where it passed, or not.
    since: u64,
    /// The capture's numbers of the points, while they hold.
    numbers: Vec<Option<(u32, u32)>>,
}

/// What was seen of a conversation.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Trail {
    /// Which one.
    pub conversation: Arc<Conversation>,
    /// Where it passed, in the order in which it was first seen there.
    pub points: Vec<TrailPoint>,
    /// Its last packets, the oldest first.
    pub last: VecDeque<Glimpse>,
    /// How long nothing of it had been seen when this was told (nanoseconds).
    pub quiet: u64,
    /// Frames of any conversation that were lost before they were seen, since what was
    /// seen lately began.
    pub lost: u64,
}

/// A place where a conversation passed.
#[derive(Clone, Debug, PartialEq)]
pub struct TrailPoint {
    /// Where.
    pub at: Waypoint,
    /// The floating IP whose hop this is, where it is one's.
    pub hop: Option<(Ipv4Addr, Hop)>,
    /// Forth and back, since it is followed.
    pub counts: [Count; 2],
    /// Forth and back, in the [`LATELY`] before the last that was seen anywhere.
    pub lately: [Lately; 2],
}

/// A packet that was seen somewhere.
#[derive(Clone, Debug, PartialEq)]
pub struct Glimpse {
    /// When, in nanoseconds since 1970 (UTC).
    pub time: u64,
    /// Where; its heading is the packet's own.
    pub at: Waypoint,
    /// Forth or back.
    pub way: Way,
    /// The packet as it was there.
    pub packet: Packet,
    /// How much it was: the kernel may have merged several.
    pub count: Count,
}

impl Conversation {
    /// Between two ends, and as the walk of its first packet and the tracked
    /// connections that it belongs to have them.
    pub fn of(proto: u8, ends: [Endpoint; 2], walk: Option<&Walk>, entries: &[ConntrackEntry]) -> Self {
        let mut found = Self { proto, pairs: Vec::new(), namespaces: Vec::new() };
        found.add(ends);
        for hop in walk.iter().flat_map(|walk| &walk.hops) {
            for packet in [&hop.entered, &hop.left] {
                found.add([packet.source(), packet.destination()]);
            }
            found.look_in(&hop.namespace);
        }
        let mut tracked = Vec::new();
        for entry in entries.iter().filter(|entry| entry.original.proto == proto) {
            let (original, reply) = (&entry.original, &entry.reply);
            let end = |(address, port)| match address {
                std::net::IpAddr::V4(address) => Some(Endpoint { address, port }),
                std::net::IpAddr::V6(_) => None,
            };
            let forth = [end((original.src, original.sport)), end((original.dst, original.dport))];
            let after = [end((reply.dst, reply.dport)), end((reply.src, reply.sport))];
            let both = [forth, after].map(|[source, destination]| Some([source?, destination?]));
            let [Some(forth), Some(after)] = both else { continue };
            // It may be our way back that began the connection.
            let is_ours = found.way_of(forth).or_else(|| found.way_of(after));
            let turn = |[source, destination]: [Endpoint; 2]| [destination, source];
            let pairs = match is_ours {
                Some(Way::Forth) => [forth, after],
                Some(Way::Back) => [forth, after].map(turn),
                None => continue,
            };
            for pair in pairs {
                found.add(pair);
            }
            tracked.extend(pairs);
        }
        // A port that was any is one in particular, once connection tracking tells it; where it
        // does not, the same address with the port from before says nothing.
        let exact: Vec<[Endpoint; 2]> = tracked.into_iter().filter(|pair| !is_vague(pair)).collect();
        let told = |vague: &[Endpoint; 2]| exact.iter().any(|pair| (0..2).all(|at| covers(vague[at], pair[at])));
        found.pairs.retain(|pair| !is_vague(pair) || !told(pair));
        found
    }

    /// Some of its addresses are known without their ports: what is counted there may
    /// be other conversations', too.
    pub fn is_vague(&self) -> bool {
        matches!(self.proto, ICMP | TCP | UDP) && self.pairs.iter().any(is_vague)
    }

    /// Looks in this namespace, too.
    pub fn look_in(&mut self, name: &NetnsName) {
        if !self.namespaces.contains(name) {
            self.namespaces.push(name.clone());
        }
    }

    /// Which way a packet goes; `None` where it is another conversation's.
    pub fn way(&self, packet: &Packet) -> Option<Way> {
        if packet.proto != self.proto {
            return None;
        }
        self.way_of([packet.source(), packet.destination()])
    }

    /// Which way a packet between these ends goes.
    pub fn way_of(&self, [source, destination]: [Endpoint; 2]) -> Option<Way> {
        let is = |one, other| self.pairs.iter().any(|[a, b]| covers(*a, one) && covers(*b, other));
        if is(source, destination) {
            return Some(Way::Forth);
        }
        is(destination, source).then_some(Way::Back)
    }

    fn add(&mut self, pair: [Endpoint; 2]) {
        if !self.pairs.contains(&pair) && self.pairs.len() < MOST_PAIRS {
            self.pairs.push(pair);
        }
    }
}

fn is_vague(pair: &[Endpoint; 2]) -> bool {
    pair.iter().any(|end| end.port.is_none())
}

/// Whether an end is the one that is known, whose port may be any.
fn covers(known: Endpoint, end: Endpoint) -> bool {
    known.address == end.address && (known.port.is_none() || known.port == end.port)
}

impl Waypoint {
    /// The devices that a walk passes, in order.
    pub fn of_walk(walk: &Walk) -> Vec<Self> {
        let mut all = Vec::new();
        for hop in &walk.hops {
            let at =
                |device: &IfName, heading| Self { namespace: hop.namespace.clone(), device: device.clone(), heading };
            all.extend(hop.iif.as_ref().map(|device| at(device, Heading::In)));
            all.extend(hop.oif.as_ref().map(|device| at(device, Heading::Out)));
        }
        all
    }
}

impl Follow {
    /// Nothing seen yet; what was caught before `since` (nanoseconds since 1970) is left
    /// out: of some places it was read before.
    pub fn new(conversation: Arc<Conversation>, since: u64) -> Self {
        let trail = Trail { conversation, ..Trail::default() };
        Self { trail, recent: Recent::default(), since, numbers: Vec::new() }
    }

    /// Which conversation.
    pub fn conversation(&self) -> &Arc<Conversation> {
        &self.trail.conversation
    }

    /// What was seen so far, and lately before `until` (nanoseconds since 1970): what was
    /// caught before that has surfaced everywhere.
    pub fn trail(&self, until: u64) -> Trail {
        let mut trail = self.trail.clone();
        self.recent.tell(until, &mut trail);
        trail
    }

    /// So many frames, of whatever conversation, were lost before they were seen, up to
    /// that time (nanoseconds since 1970).
    pub fn lose(&mut self, frames: u64, until: u64) {
        self.recent.lose(frames, until);
    }

    /// The capture's numbers mean others from here on.
    pub fn renumber(&mut self) {
        self.numbers.fill(None);
    }

    /// Counts a packet, where it is the conversation's. `name` says where the frame
    /// was caught. True where it was counted.
    pub fn see(
        &mut self,
        frame: &Frame<'_>,
        seen: &Sighting<'_>,
        name: impl FnOnce() -> Option<(NetnsName, IfName)>,
    ) -> bool {
        let Some(way) = self.trail.conversation.way(&seen.packet) else { return false };
        // What is much older comes from a clock that was set back.
        if frame.at < self.since && self.since - frame.at <= HELD {
            return false;
        }
        let forth = if (way == Way::Forth) == (frame.heading == Heading::In) { Heading::In } else { Heading::Out };
        let key = (frame.namespace, frame.device);
        let known = self.numbers.iter().zip(&self.trail.points);
        let at = known.clone().position(|(number, point)| *number == Some(key) && point.at.heading == forth);
        let Some(at) = at.or_else(|| self.point(key, forth, name, seen.floating_ip.map(|(id, _, hop)| (id, hop))))
        else {
            return false;
        };
        let point = &mut self.trail.points[at];
        point.counts[way as usize] += seen.count;
        self.recent.see(frame.at, (at, way), seen.count.packets, seen.ends);
        let place = Waypoint { heading: frame.heading, ..point.at.clone() };
        self.keep(Glimpse { time: frame.at, at: place, way, packet: seen.packet, count: seen.count });
        true
    }

    /// Keeps a packet in its place by time, as frames of several namespaces come one
    /// namespace after another, while it is one of the last.
    fn keep(&mut self, glimpse: Glimpse) {
        let last = &mut self.trail.last;
        // Those of a clock that was set back would stay the last ones.
        if last.back().is_some_and(|newest| newest.time.saturating_sub(glimpse.time) > HELD) {
            last.clear();
        }
        let at = last.partition_point(|known| known.time <= glimpse.time);
        last.insert(at, glimpse);
        if last.len() > MOST_GLIMPSES {
            last.pop_front();
        }
    }

    /// The place of a point that is new, or that had another number.
    fn point(
        &mut self,
        key: (u32, u32),
        heading: Heading,
        name: impl FnOnce() -> Option<(NetnsName, IfName)>,
        hop: Option<(&FipId, Hop)>,
    ) -> Option<usize> {
        let (namespace, device) = name()?;
        let wanted = &self.trail.conversation.namespaces;
        if !wanted.is_empty() && !wanted.contains(&namespace) {
            return None;
        }
        let at = Waypoint { namespace, device, heading };
        if let Some(known) = self.trail.points.iter().position(|point| point.at == at) {
            self.numbers[known] = Some(key);
            return Some(known);
        }
        if self.trail.points.len() >= MOST_POINTS {
            return None;
        }
        let hop = hop.map(|(id, hop)| (id.floating_ip, hop));
        self.trail.points.push(TrailPoint { at, hop, counts: Default::default(), lately: Default::default() });
        self.numbers.push(Some(key));
        Some(self.trail.points.len() - 1)
    }
}

#[cfg(test)]
mod tests;
