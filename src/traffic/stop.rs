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

impl View<'_> {
    /// Where packets of one direction vanish: the first hop of which a tenth or
    /// more does not come to the next. Where frames were lost before we saw them,
    /// only where nothing comes there.
    pub(super) fn stops_at(&self, direction: Direction) -> Option<StopsAt> {
        let mut hops = Hop::chain(self.kind).to_vec();
        if direction == Direction::Inbound {
            hops.reverse();
        }
        hops.retain(|hop| self.visible[*hop as usize]);
        let stop = hops.windows(2).find(|pair| self.vanish(direction, pair[0], pair[1]));
        match stop {
            Some(pair) => Some(StopsAt::Hop(pair[0])),
            None => self.is_silent(direction, *hops.last()?).then_some(StopsAt::VmSilent),
        }
    }

    fn vanish(&self, direction: Direction, here: Hop, next: Hop) -> bool {
        let (here, next_now) = (self.at(direction, here), self.at(direction, next));
        let later = self.after[direction as usize][next as usize];
        let expected = here.count.packets.saturating_sub(here.ends);
        let came = next_now.count.packets.saturating_sub(next_now.begins);
        let missing = expected.saturating_sub(came);
        // The last one may have been on its way when the interval ended.
        let on_its_way = missing == 1 && next_now.last.max(later.last) >= here.last;
        let enough = if self.lossy { came == 0 } else { missing * 10 >= expected };
        missing > 0 && enough && !on_its_way
    }

    fn is_silent(&self, direction: Direction, last: Hop) -> bool {
        if direction == Direction::Outbound {
            return false;
        }
        let (to, from) = (self.at(Direction::Inbound, last), self.at(Direction::Outbound, last));
        let later = self.after[Direction::Outbound as usize][last as usize];
        let waited = self.end.saturating_sub(to.first) >= PATIENCE;
        to.count.packets > 0 && from.count.packets + later.count.packets == 0 && waited
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
        Passed { count: Count { packets, bytes: packets * 84 }, ends, begins, first: 1, last: 1000 + packets }
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
        view.stops_at(direction).map(StopsAt::word)
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
            view.stops_at(Direction::Outbound)
        };
        assert_eq!(stops(&after), Some(StopsAt::Hop(Hop::Qr)));
        after[0][1] = Passed { last: 2001, ..passed(1, 0, 0) };
        assert_eq!(stops(&after), None);
    }
}
