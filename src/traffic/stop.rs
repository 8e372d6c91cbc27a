//! The hop after which a floating IP's packets vanish.

use serde::Serialize;

use super::state::{Hop, Owed, Passage, Passed, Seat};
use crate::topology::Direction;

/// Answers are waited for so long before their absence says anything (nanoseconds).
const PATIENCE: u64 = 200_000_000;

/// Of so many packets, and a tenth of all that were lost, losses alone would have left
/// one: where none comes to the next hop they vanish.
const MANY: u64 = 100;

/// After which hop packets vanish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopsAt {
    /// They were seen here, and not at the next hop.
    Hop(Hop),
    /// They went to the instance, and nothing came back: this node did its part.
    VmSilent,
}

impl StopsAt {
    /// The word in text and JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Hop(hop) => hop.word(),
            Self::VmSilent => "vm-silent",
        }
    }
}

/// Packets of a floating IP that were seen at a place and nowhere beyond.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Missing {
    /// The place. Where it is [`StopsAt::VmSilent`] they went to the instance, in
    /// conversations in which it said nothing.
    pub after: StopsAt,
    /// How many are missing.
    pub packets: u64,
    /// Of how many.
    pub of: u64,
    /// Conversations of which a tenth or more stops there.
    pub flows: usize,
}

impl Serialize for StopsAt {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.word())
    }
}

/// An interval's view of one floating IP.
pub(super) struct View<'a> {
    pub(super) seat: &'a Seat,
    /// Outbound and inbound, of the interval.
    pub(super) now: &'a [Passage; 2],
    /// The same of what came after the interval's end so far.
    pub(super) after: &'a [Passage; 2],
    /// When the interval ended.
    pub(super) end: u64,
    /// So many packets may have passed unseen.
    pub(super) doubt: u64,
    /// What the interval before left to be looked for in this one.
    pub(super) owed: Option<&'a Owed>,
}

/// Packets that were seen at a hop and not at the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Gap {
    /// The hop that saw them.
    pub(super) hop: Hop,
    pub(super) missing: u64,
    /// How many should have come.
    pub(super) of: u64,
}

impl Gap {
    /// A tenth or more.
    pub(super) fn is_stop(self) -> bool {
        is_much(self.missing, self.of)
    }
}

/// A tenth or more of them.
pub(super) fn is_much(part: u64, of: u64) -> bool {
    part > 0 && part.saturating_mul(10) >= of
}

impl View<'_> {
    /// The first gap of a direction; `stop`: the first of a tenth or more.
    pub(super) fn gap(&self, direction: Direction, stop: bool) -> Option<Gap> {
        self.gaps(direction).find(|gap| !stop || gap.is_stop())
    }

    /// The gaps of a direction, in packet order. Where frames were lost before we saw
    /// them, only those that this
    /// cannot explain.
    pub(super) fn gaps(&self, direction: Direction) -> impl Iterator<Item = Gap> {
        self.pairs(direction).into_iter().filter_map(move |[here, next]| self.between(direction, here, next))
    }

    /// Packets went to the instance, long enough ago for an answer, and it said nothing.
    pub(super) fn is_silent(&self) -> bool {
        let Some(last) = self.last() else { return false };
        let to = self.at(Direction::Inbound, last);
        let said = |bank: &[Passage; 2]| bank[Direction::Outbound as usize].iter().any(|hop| hop.count.packets > 0);
        let waited = self.end.saturating_sub(to.first) >= PATIENCE;
        let arrived = to.count.packets;
        arrived > 0 && self.is_sure(arrived, arrived) && !said(self.now) && !said(self.after) && waited
    }

    /// Packets that went to the instance.
    pub(super) fn arrived(&self) -> u64 {
        self.last().map_or(0, |last| self.at(Direction::Inbound, last).count.packets)
    }

    /// The hop before the instance, where that is listened at: what came to none but
    /// earlier ones may have been dropped by this node.
    fn last(&self) -> Option<Hop> {
        let last = Hop::way(self.seat.id.kind, Direction::Inbound).last().copied();
        last.filter(|last| self.seat.visible[*last as usize])
    }

    /// The hops that are listened at, in packet order.
    fn hops(&self, direction: Direction) -> Vec<Hop> {
        let mut hops = Hop::way(self.seat.id.kind, direction);
        hops.retain(|hop| self.seat.visible[*hop as usize]);
        hops
    }

    /// What the next interval has to look for: packets that may come to the next hop
    /// after this one's end.
    pub(super) fn owes(&self) -> Owed {
        [Direction::Outbound, Direction::Inbound].map(|direction| {
            let mut owed = [0; 6];
            for [hop, next] in self.pairs(direction) {
                let (missing, _) = self.missing(direction, hop, next);
                owed[hop as usize] = if self.is_on_its_way(direction, hop, next) { missing } else { 0 };
            }
            owed
        })
    }

    fn between(&self, direction: Direction, hop: Hop, next: Hop) -> Option<Gap> {
        let (missing, of) = self.missing(direction, hop, next);
        let is_told = self.is_sure(missing, of) && !self.is_on_its_way(direction, hop, next);
        is_told.then_some(Gap { hop, missing, of })
    }

    /// Whether no doubt explains that so many of these are missing.
    fn is_sure(&self, missing: u64, of: u64) -> bool {
        missing > self.doubt || (missing == of && of >= MANY && is_much(of, self.doubt))
    }

    /// Packets that a hop should have passed on and the next one did not see, of how many.
    fn missing(&self, direction: Direction, hop: Hop, next: Hop) -> (u64, u64) {
        let (here, there) = (self.at(direction, hop), self.at(direction, next));
        let owed = self.owed.map_or(0, |owed| owed[direction as usize][hop as usize]);
        let of = owed + here.count.packets.saturating_sub(here.ends);
        let came = there.count.packets.saturating_sub(there.begins);
        (of.saturating_sub(came), of)
    }

    /// Whether what is missing may only have been on its way when the interval ended:
    /// no more than passed in its last moment, or the very last one, and the next hop
    /// saw something later than that.
    fn is_on_its_way(&self, direction: Direction, hop: Hop, next: Hop) -> bool {
        let (here, there) = (self.at(direction, hop), self.at(direction, next));
        let later = self.after[direction as usize][next as usize];
        let (missing, _) = self.missing(direction, hop, next);
        let at_most = here.late.max(u64::from(there.last < here.last));
        missing <= at_most && there.last.max(later.last) >= here.last
    }

    fn pairs(&self, direction: Direction) -> Vec<[Hop; 2]> {
        self.hops(direction).windows(2).map(|pair| [pair[0], pair[1]]).collect()
    }

    fn at(&self, direction: Direction, hop: Hop) -> Passed {
        self.now[direction as usize][hop as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::traffic::count::Count;
    use crate::traffic::state::FipId;

    fn passed(packets: u64, ends: u64, begins: u64) -> Passed {
        Passed { count: Count { packets, bytes: packets * 84 }, ends, begins, late: 0, first: 1, last: 1000 + packets }
    }

    /// A floating IP all of whose hops are listened at.
    fn seat() -> Seat {
        Seat { visible: [true, true, true, true, false, false], ..Seat::new(FipId::distributed()) }
    }

    /// Where packets of one direction vanish.
    fn stop(view: &View<'_>, direction: Direction) -> Option<StopsAt> {
        let silent = || (direction == Direction::Inbound && view.is_silent()).then_some(StopsAt::VmSilent);
        view.gap(direction, true).map(|gap| StopsAt::Hop(gap.hop)).or_else(silent)
    }

    /// The hops qr, rfp, fpr, fg of both directions.
    fn stops(out: [Passed; 4], inward: [Passed; 4], direction: Direction, doubt: u64) -> Option<&'static str> {
        let fill = |four: [Passed; 4]| {
            let mut passage = Passage::default();
            passage[..4].copy_from_slice(&four);
            passage
        };
        let (seat, nothing) = (seat(), [Passage::default(); 2]);
        let now = [fill(out), fill(inward)];
        let view = View { seat: &seat, now: &now, after: &nothing, end: 1_000_000_000, doubt, owed: None };
        stop(&view, direction).map(StopsAt::word)
    }

    fn plain(packets: [u64; 4]) -> [Passed; 4] {
        packets.map(|packets| passed(packets, 0, 0))
    }

    #[test]
    fn the_hop_is_the_last_one_that_saw_them() {
        let out = |packets| stops(plain(packets), plain([0; 4]), Direction::Outbound, 0);
        assert_eq!(out([10, 10, 10, 10]), None);
        assert_eq!(out([0, 0, 0, 0]), None);
        assert_eq!(out([10, 0, 0, 0]), Some("qr"));
        assert_eq!(out([10, 10, 0, 0]), Some("rfp"));
        assert_eq!(out([10, 10, 10, 0]), Some("fpr"));
        assert_eq!(out([10, 5, 5, 5]), Some("qr"));
        assert_eq!(out([100, 95, 95, 95]), None);
        let inward = |packets| stops(plain([1; 4]), plain(packets), Direction::Inbound, 0);
        assert_eq!(inward([10, 10, 10, 10]), None);
        assert_eq!(inward([0, 0, 0, 10]), Some("fg"));
        assert_eq!(inward([0, 0, 10, 10]), Some("fpr"));
        assert_eq!(inward([0, 10, 10, 10]), Some("rfp"));
    }

    #[test]
    fn what_turns_around_on_the_node_is_not_lost() {
        let mut out = plain([10, 10, 10, 0]);
        out[2] = passed(10, 10, 0);
        assert_eq!(stops(out, plain([0; 4]), Direction::Outbound, 0), None);
        let mut inward = plain([10, 10, 10, 0]);
        inward[2] = passed(10, 0, 10);
        assert_eq!(stops(plain([10; 4]), inward, Direction::Inbound, 0), None);
        // Ten turned, ten came by fg: of those, none went on.
        inward[3] = passed(10, 0, 0);
        assert_eq!(stops(plain([10; 4]), inward, Direction::Inbound, 0), Some("fg"));
    }

    #[test]
    fn a_silent_instance_is_not_the_nodes_fault() {
        let inward = plain([10; 4]);
        assert_eq!(stops(plain([0; 4]), inward, Direction::Inbound, 0), Some("vm-silent"));
        assert_eq!(stops(plain([0; 4]), inward, Direction::Outbound, 0), None);
    }

    #[test]
    fn what_nobody_saw_go_to_the_instance_was_perhaps_dropped_here() {
        let silent = |visible, doubt| {
            let seat = Seat { visible, ..seat() };
            let nothing = [Passage::default(); 2];
            let mut now = nothing;
            now[1][..4].copy_from_slice(&plain([10; 4]));
            let view = View { seat: &seat, now: &now, after: &nothing, end: 1_000_000_000, doubt, owed: None };
            (view.is_silent(), view.arrived())
        };
        assert_eq!(silent([true, true, true, true, false, false], 0), (true, 10));
        assert_eq!(silent([false, false, true, true, false, false], 0), (false, 0));
        assert_eq!(silent([true, true, true, true, false, false], 10), (false, 10), "its answers may be what was lost");
    }

    #[test]
    fn what_the_capture_may_have_lost_is_no_gap() {
        let out = |packets, doubt| stops(plain(packets), plain([0; 4]), Direction::Outbound, doubt);
        assert_eq!(out([10, 5, 5, 5], 5), None);
        assert_eq!(out([10, 5, 5, 5], 4), Some("qr"));
        assert_eq!(out([2, 0, 0, 0], 2), None, "silence may be lost, too");
        assert_eq!(out([100, 0, 0, 0], 1000), Some("qr"), "no loss takes all of so many");
        assert_eq!((out([100, 0, 0, 0], 1001), out([100, 1, 1, 1], 1000)), (None, None));
    }

    #[test]
    fn a_packet_on_its_way_at_the_end_is_not_lost() {
        let mut out = [Passage::default(); 2];
        out[0][0] = passed(1, 0, 0);
        let mut after = [Passage::default(); 2];
        let stops = |after: &[Passage; 2]| {
            let view = View { seat: &seat(), now: &out, after, end: 2000, doubt: 0, owed: None };
            stop(&view, Direction::Outbound)
        };
        assert_eq!(stops(&after), Some(StopsAt::Hop(Hop::Qr)));
        after[0][1] = Passed { last: 2001, ..passed(1, 0, 0) };
        assert_eq!(stops(&after), None);
    }

    #[test]
    fn what_is_taken_to_be_on_its_way_is_looked_for_in_the_next_interval() {
        let (mut seat, nothing) = (seat(), [Passage::default(); 2]);
        let mut told = Vec::new();
        // One of a thousand is lost each time, while one passes in the last moment; then none is lost.
        for lost in [1, 1, 1, 1, 0, 0] {
            let mut out = plain([1000, 1000 - lost, 1000 - lost, 1000 - lost]);
            out[0] = Passed { late: 1, last: 900, ..out[0] };
            let mut now = nothing;
            now[0][..4].copy_from_slice(&out);
            let view = View { seat: &seat, now: &now, after: &nothing, end: 2000, doubt: 0, owed: Some(&seat.owed) };
            told.push(view.gap(Direction::Outbound, false).map_or(0, |gap| gap.missing));
            seat.owed = view.owes();
        }
        assert_eq!(told.iter().sum::<u64>() + seat.owed[0][0], 4, "{told:?}");
        assert!(told[..5].iter().sum::<u64>() >= 3, "no more than the last one stays unsaid: {told:?}");
    }

    #[test]
    fn one_that_is_lost_before_others_is_no_packet_on_its_way() {
        let mut out = plain([5, 4, 4, 4]);
        out[0].last = 1000;
        assert_eq!(stops(out, plain([1; 4]), Direction::Outbound, 0), Some("qr"));
    }
}
