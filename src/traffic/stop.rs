//! The hop after which a floating IP's packets vanish.

use serde::Serialize;

use super::state::{Hop, Passage, Passed, Visible};
use crate::topology::{Direction, FipKind};

/// Answers are waited for so long before their absence says anything (nanoseconds).
const PATIENCE: u64 = 200_000_000;

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
    pub(super) kind: FipKind,
    pub(super) visible: &'a Visible,
    /// Outbound and inbound, of the interval.
    pub(super) now: &'a [Passage; 2],
    /// The same of what came after the interval's end so far.
    pub(super) after: &'a [Passage; 2],
    /// When the interval ended.
    pub(super) end: u64,
    /// The kernel dropped frames before we saw them.
    pub(super) lossy: bool,
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
    /// them, only where nothing comes to the next hop.
    pub(super) fn gaps(&self, direction: Direction) -> impl Iterator<Item = Gap> {
        let hops = self.hops(direction);
        let pairs: Vec<[Hop; 2]> = hops.windows(2).map(|pair| [pair[0], pair[1]]).collect();
        pairs.into_iter().filter_map(move |[here, next]| self.between(direction, here, next))
    }

    /// Packets went to the instance, long enough ago for an answer, and it said nothing.
    pub(super) fn is_silent(&self) -> bool {
        let Some(last) = self.last() else { return false };
        let (to, from) = (self.at(Direction::Inbound, last), self.at(Direction::Outbound, last));
        let later = self.after[Direction::Outbound as usize][last as usize];
        let waited = self.end.saturating_sub(to.first) >= PATIENCE;
        to.count.packets > 0 && from.count.packets + later.count.packets == 0 && waited
    }

    /// Packets that went to the instance.
    pub(super) fn arrived(&self) -> u64 {
        self.last().map_or(0, |last| self.at(Direction::Inbound, last).count.packets)
    }

    /// The hop before the instance.
    fn last(&self) -> Option<Hop> {
        self.hops(Direction::Inbound).last().copied()
    }

    /// The hops that are listened at, in packet order.
    fn hops(&self, direction: Direction) -> Vec<Hop> {
        let mut hops = Hop::chain(self.kind).to_vec();
        if direction == Direction::Inbound {
            hops.reverse();
        }
        hops.retain(|hop| self.visible[*hop as usize]);
        hops
    }

    fn between(&self, direction: Direction, hop: Hop, next: Hop) -> Option<Gap> {
        let (here, next_now) = (self.at(direction, hop), self.at(direction, next));
        let later = self.after[direction as usize][next as usize];
        let of = here.count.packets.saturating_sub(here.ends);
        let came = next_now.count.packets.saturating_sub(next_now.begins);
        let missing = of.saturating_sub(came);
        // The last ones may have been on their way when the interval ended.
        let on_their_way = missing <= here.late.max(1) && next_now.last.max(later.last) >= here.last;
        let enough = missing > 0 && (!self.lossy || came == 0);
        (enough && !on_their_way).then_some(Gap { hop, missing, of })
    }

    fn at(&self, direction: Direction, hop: Hop) -> Passed {
        self.now[direction as usize][hop as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::traffic::count::Count;

    fn passed(packets: u64, ends: u64, begins: u64) -> Passed {
        Passed { count: Count { packets, bytes: packets * 84 }, ends, begins, late: 0, first: 1, last: 1000 + packets }
    }

    /// Where packets of one direction vanish.
    fn stop(view: &View<'_>, direction: Direction) -> Option<StopsAt> {
        let silent = || (direction == Direction::Inbound && view.is_silent()).then_some(StopsAt::VmSilent);
        view.gap(direction, true).map(|gap| StopsAt::Hop(gap.hop)).or_else(silent)
    }

    /// The hops qr, rfp, fpr, fg of both directions.
    fn stops(out: [Passed; 4], inward: [Passed; 4], direction: Direction, lossy: bool) -> Option<&'static str> {
        let fill = |four: [Passed; 4]| {
            let mut passage = Passage::default();
            passage[..4].copy_from_slice(&four);
            passage
        };
        let view = View {
            kind: FipKind::Distributed,
            visible: &[true, true, true, true, false, false],
            now: &[fill(out), fill(inward)],
            after: &[Passage::default(); 2],
            end: 1_000_000_000,
            lossy,
        };
        stop(&view, direction).map(StopsAt::word)
    }

    fn plain(packets: [u64; 4]) -> [Passed; 4] {
        packets.map(|packets| passed(packets, 0, 0))
    }

    #[test]
    fn the_hop_is_the_last_one_that_saw_them() {
        let out = |packets| stops(plain(packets), plain([0; 4]), Direction::Outbound, false);
        assert_eq!(out([10, 10, 10, 10]), None);
        assert_eq!(out([0, 0, 0, 0]), None);
        assert_eq!(out([10, 0, 0, 0]), Some("qr"));
        assert_eq!(out([10, 10, 0, 0]), Some("rfp"));
        assert_eq!(out([10, 10, 10, 0]), Some("fpr"));
        assert_eq!(out([10, 5, 5, 5]), Some("qr"));
        assert_eq!(out([100, 95, 95, 95]), None);
        let inward = |packets| stops(plain([1; 4]), plain(packets), Direction::Inbound, false);
        assert_eq!(inward([10, 10, 10, 10]), None);
        assert_eq!(inward([0, 0, 0, 10]), Some("fg"));
        assert_eq!(inward([0, 0, 10, 10]), Some("fpr"));
        assert_eq!(inward([0, 10, 10, 10]), Some("rfp"));
    }

    #[test]
    fn what_turns_around_on_the_node_is_not_lost() {
        let mut out = plain([10, 10, 10, 0]);
        out[2] = passed(10, 10, 0);
        assert_eq!(stops(out, plain([0; 4]), Direction::Outbound, false), None);
        let mut inward = plain([10, 10, 10, 0]);
        inward[2] = passed(10, 0, 10);
        assert_eq!(stops(plain([10; 4]), inward, Direction::Inbound, false), None);
        // Ten turned, ten came by fg: of those, none went on.
        inward[3] = passed(10, 0, 0);
        assert_eq!(stops(plain([10; 4]), inward, Direction::Inbound, false), Some("fg"));
    }

    #[test]
    fn a_silent_instance_is_not_the_nodes_fault() {
        let inward = plain([10; 4]);
        assert_eq!(stops(plain([0; 4]), inward, Direction::Inbound, false), Some("vm-silent"));
        assert_eq!(stops(plain([0; 4]), inward, Direction::Outbound, false), None);
    }

    #[test]
    fn where_the_capture_loses_frames_only_silence_counts() {
        assert_eq!(stops(plain([10, 5, 5, 5]), plain([0; 4]), Direction::Outbound, true), None);
        assert_eq!(stops(plain([10, 0, 0, 0]), plain([0; 4]), Direction::Outbound, true), Some("qr"));
    }

    #[test]
    fn a_packet_on_its_way_at_the_end_is_not_lost() {
        let mut out = [Passage::default(); 2];
        out[0][0] = passed(1, 0, 0);
        let mut after = [Passage::default(); 2];
        let stops = |after: &[Passage; 2]| {
            let visible = &[true, true, true, true, false, false];
            let view = View { kind: FipKind::Distributed, visible, now: &out, after, end: 2000, lossy: false };
            stop(&view, Direction::Outbound)
        };
        assert_eq!(stops(&after), Some(StopsAt::Hop(Hop::Qr)));
        after[0][1] = Passed { last: 2001, ..passed(1, 0, 0) };
        assert_eq!(stops(&after), None);
    }
}
