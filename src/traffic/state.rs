//! What was counted: plain data that a screen can hold.

use std::collections::HashSet;
use std::net::Ipv4Addr;

use super::count::Count;
use super::flow::FlowTable;
use super::talk::{TalkKey, Talks};
use super::tally::Tallies;
use crate::topology::{Direction, FipKind};

/// A packet takes no longer from one hop to the next, on a busy node either
/// (nanoseconds): what is seen that shortly before an end may come to the next hop
/// after it.
pub(super) const FLIGHT: u64 = 10_000_000;

/// A hop of a floating IP: the device at which its packets are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Hop {
    /// The router's port on the instance's subnet.
    Qr,
    /// The router's end of the pair.
    Rfp,
    /// The fip namespace's end of the pair.
    Fpr,
    /// The agent gateway port.
    Fg,
    /// The snat namespace's port on the instance's subnet.
    Sg,
    /// The router's gateway port.
    Qg,
}

impl Hop {
    /// Every hop, as JSON has them.
    pub const ALL: [Self; 6] = [Self::Qr, Self::Rfp, Self::Fpr, Self::Fg, Self::Sg, Self::Qg];

    /// The word in text and JSON: how such devices' names begin.
    pub fn word(self) -> &'static str {
        match self {
            Self::Qr => "qr",
            Self::Rfp => "rfp",
            Self::Fpr => "fpr",
            Self::Fg => "fg",
            Self::Sg => "sg",
            Self::Qg => "qg",
        }
    }

    /// The hops of a floating IP as its outbound packets take them, if its instance is
    /// on this node.
    pub fn chain(kind: FipKind) -> &'static [Self] {
        match kind {
            FipKind::Distributed => &[Self::Qr, Self::Rfp, Self::Fpr, Self::Fg],
            FipKind::Centralized => &[Self::Qr, Self::Sg, Self::Qg],
            FipKind::Legacy => &[Self::Qr, Self::Qg],
        }
    }

    /// The hops of one direction, in packet order. From the snat namespace packets go
    /// straight to the instance, past the router's own port.
    pub fn way(kind: FipKind, direction: Direction) -> Vec<Self> {
        let mut hops = Self::chain(kind).to_vec();
        if direction == Direction::Inbound {
            hops.retain(|hop| kind != FipKind::Centralized || *hop != Self::Qr);
            hops.reverse();
        }
        hops
    }
}

/// A floating IP whose packets are counted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FipId {
    /// The floating IP.
    pub floating_ip: Ipv4Addr,
    /// The instance's address, where the node tells it.
    pub fixed_ip: Option<Ipv4Addr>,
    /// The router's id.
    pub router: String,
    /// The external network's id, where the node tells it.
    pub external_network: Option<String>,
    /// Where it is implemented.
    pub kind: FipKind,
}

#[cfg(test)]
impl FipId {
    /// One of a router `r`.
    pub(crate) fn distributed() -> Self {
        Self {
            floating_ip: [192, 168, 1, 3].into(),
            fixed_ip: Some([10, 0, 0, 4].into()),
            router: "r".to_owned(),
            external_network: None,
            kind: FipKind::Distributed,
        }
    }
}

/// Everything that was counted since the beginning, and in the interval that is
/// open.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Traffic {
    pub(super) routers: Vec<Option<String>>,
    pub(super) fips: Vec<Seat>,
    /// By router: what only one of the places where packets count twice has seen so far.
    pub(super) ahead: Vec<Lanes>,
    /// When the open interval ends (nanoseconds since 1970), where that is known.
    pub(super) until: u64,
    /// The open interval, and what came after its end already.
    pub(super) banks: [Bank; 2],
    /// Conversations in which the instance spoke in the interval before.
    pub(super) spoke: HashSet<TalkKey>,
    /// Tallies that were ever begun.
    pub(super) begun: u64,
    /// So many frames the open interval, and the next one, may lack at some hops that
    /// nobody tells as lost in them.
    pub(super) doubts: [u64; 2],
}

/// A floating IP under its number, which stays its own.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Seat {
    pub(super) id: FipId,
    pub(super) visible: Visible,
    /// The node has it, as far as is known; and had it when it was looked at before.
    pub(super) stands: bool,
    pub(super) stood: bool,
    /// The numbers of the namespaces that its packets pass.
    pub(super) namespaces: [Option<usize>; 2],
    /// It became known as it is in the open interval, and perhaps in the next one: not all
    /// hops have counted from the beginning.
    pub(super) unsure: [bool; 2],
    /// Packets that the interval before took to be on their way, by direction and hop.
    pub(super) owed: Owed,
}

/// By direction and hop: so many packets had still to come to the next hop.
pub(super) type Owed = [[u64; 6]; 2];

/// The hops of a floating IP whose namespaces are listened in.
pub(super) type Visible = [bool; 6];

/// What one interval counted.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Bank {
    /// What is not in any of the following yet.
    pub(super) tallies: Tallies,
    /// By router.
    pub(super) routers: Vec<Lanes>,
    /// By floating IP: outbound, inbound.
    pub(super) fips: Vec<[Passage; 2]>,
    pub(super) flows: FlowTable,
    /// Conversations of floating IPs, by hop.
    pub(super) talks: Talks,
    /// Packets of devices that the snapshot does not know, by the namespace's number.
    pub(super) unplaced: Vec<u64>,
    /// The segments of the largest frame.
    pub(super) largest: u64,
}

/// Packets by class, and by where they were counted.
pub(super) type Lanes = [[Count; 3]; 5];

/// Where a packet was counted. What goes through a snat namespace of this node is
/// seen at qr and again at sg, or at sg alone where it comes from another node:
/// so both count, and the larger one holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lane {
    Only,
    Near,
    Far,
}

/// A floating IP's packets in one direction, by hop.
pub(super) type Passage = [Passed; 6];

/// What passed a hop.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Passed {
    pub(super) count: Count,
    /// Packets of these that rightly go no further: turned around to a floating IP
    /// of this node, for the namespace itself, or at the end of their life.
    pub(super) ends: u64,
    /// Packets of these that did not come by the hop before.
    pub(super) begins: u64,
    /// Packets of these that may come to the next hop after the interval's end.
    pub(super) late: u64,
    /// Time of the first and the last one.
    pub(super) first: u64,
    pub(super) last: u64,
}

impl Traffic {
    /// Nothing counted; the first interval ends then (nanoseconds since 1970).
    pub fn until(end: u64) -> Self {
        Self { until: end, ..Self::default() }
    }

    /// When the open interval ends, in nanoseconds since 1970.
    pub fn end(&self) -> u64 {
        self.until
    }

    /// The open interval ends then already.
    pub fn cut(&mut self, end: u64) {
        self.until = self.until.min(end);
    }

    /// Packets of the open interval whose device the meter did not know: the node
    /// has changed since it was read.
    pub fn unplaced(&self) -> u64 {
        self.banks.iter().map(Bank::unplaced).sum()
    }

    /// The number of a router; new ones are added.
    pub(super) fn router(&mut self, id: Option<&str>) -> usize {
        let found = self.routers.iter().position(|known| known.as_deref() == id);
        found.unwrap_or_else(|| {
            self.routers.push(id.map(str::to_owned));
            self.routers.len() - 1
        })
    }

    /// The number of a floating IP; new ones are added.
    pub(super) fn fip(&mut self, id: FipId) -> usize {
        let same = |known: &FipId| (known.floating_ip, &known.router) == (id.floating_ip, &id.router);
        let Some(at) = self.fips.iter().position(|seat| same(&seat.id)) else {
            self.fips.push(Seat::new(id));
            self.doubt(self.fips.len() - 1);
            return self.fips.len() - 1;
        };
        let seat = &mut self.fips[at];
        let is_other = (seat.id.fixed_ip, seat.id.kind) != (id.fixed_ip, id.kind) || !seat.stood;
        (seat.id, seat.stands) = (id, true);
        if is_other {
            self.doubt(at);
        }
        at
    }

    /// These hops of a floating IP are listened at, in these namespaces.
    pub(super) fn listen(&mut self, at: usize, visible: Visible, namespaces: [Option<usize>; 2]) {
        let is_other = self.fips[at].visible != visible;
        (self.fips[at].visible, self.fips[at].namespaces) = (visible, namespaces);
        if is_other {
            self.doubt(at);
        }
    }

    /// What was counted of a floating IP so far is not what passed: where frames were
    /// understood already, they were understood otherwise.
    pub(super) fn doubt(&mut self, at: usize) {
        let begun = self.banks.each_ref().map(Bank::has_any);
        self.fips[at].unsure.iter_mut().zip(begun).for_each(|(unsure, begun)| *unsure |= begun);
    }

    /// The node is looked at anew: what it does not have any more is told only while
    /// packets of it were seen.
    pub(super) fn look_anew(&mut self) {
        self.fips.iter_mut().for_each(|seat| seat.stood = std::mem::take(&mut seat.stands));
    }

    /// Whether the open interval ends so soon after a frame of that time.
    pub(super) fn is_late(&self, at: u64) -> bool {
        at < self.until && self.until - at <= FLIGHT
    }

    /// Where a frame of that time is counted, with room for every number given out.
    pub(super) fn bank(&mut self, at: u64) -> &mut Bank {
        let (routers, fips) = (self.routers.len(), self.fips.len());
        let bank = &mut self.banks[usize::from(at >= self.until)];
        bank.fit(routers, fips);
        bank
    }
}

impl Seat {
    pub(super) fn new(id: FipId) -> Self {
        Self {
            id,
            visible: Visible::default(),
            stands: true,
            stood: false,
            namespaces: [None; 2],
            unsure: [false; 2],
            owed: Owed::default(),
        }
    }

    /// So many of its packets a hop may lack that were not lost on their way, where so many
    /// frames may be missing of what was heard; [`u64::MAX`] where nobody can tell how many.
    pub(super) fn doubt(&self, bank: &Bank, frames: u64) -> u64 {
        if self.unsure[0] {
            return u64::MAX;
        }
        let unplaced = self.namespaces.iter().flatten().filter_map(|number| bank.unplaced.get(*number));
        frames.saturating_mul(bank.largest.max(1)).saturating_add(unplaced.sum())
    }

    /// The next interval begins.
    pub(super) fn go_on(&mut self) {
        self.unsure = [self.unsure[1], false];
    }
}

impl Bank {
    /// A frame in the namespace of that number belongs to no device that is known.
    pub(super) fn misplace(&mut self, namespace: u32, packets: u64) {
        let number = namespace as usize;
        if self.unplaced.len() <= number {
            self.unplaced.resize(number + 1, 0);
        }
        self.unplaced[number] += packets;
    }

    /// Packets of devices that the snapshot does not know.
    pub(super) fn unplaced(&self) -> u64 {
        self.unplaced.iter().sum()
    }

    /// Something was counted.
    fn has_any(&self) -> bool {
        self.largest > 0 || self.unplaced() > 0 || !self.tallies.is_empty()
    }

    pub(super) fn fit(&mut self, routers: usize, fips: usize) {
        if self.routers.len() < routers {
            self.routers.resize(routers, Lanes::default());
        }
        if self.fips.len() < fips {
            self.fips.resize(fips, [Passage::default(); 2]);
        }
    }
}

impl Passed {
    pub(super) fn add(&mut self, more: &Self) {
        if more.count.packets == 0 {
            return;
        }
        self.first = if self.count.packets == 0 { more.first } else { self.first.min(more.first) };
        self.count += more.count;
        self.ends += more.ends;
        self.begins += more.begins;
        self.late += more.late;
        self.last = self.last.max(more.last);
    }
}

/// An interval's packets of a class, each once. `ahead` is what only one of the two
/// places has seen so far and the other may see yet: never more than an interval
/// brought, as what does not come in the next one does not come at all.
pub(super) fn each_once(ahead: &mut [Count; 3], [only, near, far]: [Count; 3]) -> Count {
    let [_, near_before, far_before] = *ahead;
    let [near_now, far_now] = [near_before + near, far_before + far];
    *ahead = [Count::default(), (near_now - far_now).min(near), (far_now - near_now).min(far)];
    only + (near_now.max(far_now) - near_before.max(far_before))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packets(packets: u64) -> Count {
        Count { packets, bytes: 100 * packets }
    }

    /// What intervals come to in which so many packets were counted near and far.
    fn told(intervals: &[[u64; 2]]) -> Vec<u64> {
        let mut ahead = [Count::default(); 3];
        let told = intervals.iter().map(|[near, far]| {
            let count = each_once(&mut ahead, [Count::default(), packets(*near), packets(*far)]);
            assert_eq!(count.bytes, 100 * count.packets);
            count.packets
        });
        told.collect()
    }

    #[test]
    fn a_packet_that_is_seen_again_after_the_end_counts_once() {
        assert_eq!(told(&[[10, 9], [10, 10], [10, 10], [10, 11]]), [10, 10, 10, 10]);
        assert_eq!(told(&[[9, 10], [11, 10]]), [10, 10]);
    }

    #[test]
    fn what_never_came_to_the_other_place_hides_nothing_for_long() {
        let broken = [[1000, 0]; 50];
        let later = [[0, 500]; 4];
        let told = told(&[&broken[..], &later[..]].concat());
        assert!(told[..50].iter().all(|count| *count == 1000));
        assert_eq!(told[52..], [500, 500]);
    }
}
