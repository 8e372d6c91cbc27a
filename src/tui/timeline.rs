//! What the console remembers of the node's changes: moment by moment, with
//! readings in between from which the node of any moment is made again. Bounded:
//! what is oldest is forgotten, and counted.

mod events;
mod replay;
mod still;
mod weight;

use std::collections::VecDeque;
use std::sync::Arc;

use jiff::Timestamp;

pub use events::{Event, EventRow, EventsView};
pub use still::Still;

use crate::check::Turn;
use crate::net::{Change, Snapshot, changes};

/// Changes that are remembered at most.
pub const MOST_CHANGES: usize = 10_000;

/// Bytes that all of it may take, as estimated. A single moment, or a single
/// reading, that is larger is kept all the same while it is the last one.
pub const MOST_WEIGHT: usize = 64 << 20;

/// Changes after which a reading is kept again: few enough to be carried out in
/// some milliseconds, many enough that readings do not fill the memory.
const SPAN: usize = 2_048;

/// Changes that came together, and what they did to the findings.
#[derive(Clone, Debug, PartialEq)]
pub struct Moment {
    /// Its number, from 0 on.
    pub number: u64,
    /// When the first of the changes was heard of.
    pub at: Timestamp,
    /// When the node was as it is after them.
    pub taken_at: Timestamp,
    /// The changes, flapping ones too: without them nothing could be made again.
    pub changes: Vec<Change>,
    /// The findings that they raised and cleared.
    pub turns: Vec<Turn>,
    /// How many changes had been told with the last of these.
    told: u64,
}

impl Moment {
    /// Whether it is worth a line: not only learned neighbours coming and going.
    pub fn tells(&self) -> bool {
        !self.turns.is_empty() || self.changes.iter().any(|change| !change.is_flapping())
    }
}

/// The node's changes, as far back as they are remembered.
///
/// A position is the number of moments that have been: at position 3 the moments
/// 0, 1 and 2 are over. The last position is the node as it is now.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Timeline {
    segments: VecDeque<Segment>,
    newest: Option<Arc<Snapshot>>,
    next: u64,
    told: u64,
    forgotten: u64,
    /// Nothing is forgotten: what there is is bounded by the file that it is from.
    whole: bool,
}

/// A reading, and the moments after it.
#[derive(Clone, Debug, PartialEq)]
struct Segment {
    base: Arc<Snapshot>,
    since: Timestamp,
    first: u64,
    told: u64,
    moments: Vec<Arc<Moment>>,
    changes: usize,
    weight: usize,
    /// What the reading alone weighs.
    base_weight: usize,
}

impl Timeline {
    /// The node was read: what differs from the reading before has changed.
    pub fn read(&mut self, snapshot: &Arc<Snapshot>, turns: Vec<Turn>) {
        match self.newest.clone() {
            None => self.begin(snapshot, snapshot.taken_at),
            Some(old) => {
                let found = changes(&old, snapshot);
                self.push(snapshot.taken_at, found, turns, snapshot);
            }
        }
    }

    /// The node changed, and is now as the snapshot has it.
    pub fn push(&mut self, at: Timestamp, changes: Vec<Change>, turns: Vec<Turn>, now: &Arc<Snapshot>) {
        if self.segments.is_empty() {
            return self.begin(now, at);
        }
        self.newest = Some(now.clone());
        if changes.is_empty() && turns.is_empty() {
            return;
        }
        if self.remember(at, now.taken_at, changes, turns) {
            self.begin(now, at);
        }
        self.forget();
    }

    /// The oldest position that is remembered.
    pub fn begin_position(&self) -> u64 {
        self.segments.front().map_or(0, |segment| segment.first)
    }

    /// The position of the node as it is now.
    pub fn end_position(&self) -> u64 {
        self.next
    }

    /// The moments that are remembered, the oldest first.
    pub fn moments(&self) -> impl DoubleEndedIterator<Item = &Arc<Moment>> {
        self.segments.iter().flat_map(|segment| &segment.moments)
    }

    /// Those from a number on.
    pub fn moments_from(&self, number: u64) -> impl Iterator<Item = &Arc<Moment>> {
        let at = self.segments.partition_point(|segment| segment.first <= number).saturating_sub(1);
        let moments = self.segments.iter().skip(at).flat_map(|segment| &segment.moments);
        moments.skip_while(move |moment| moment.number < number)
    }

    /// Changes that were told and are forgotten.
    pub fn forgotten(&self) -> u64 {
        self.forgotten
    }

    /// The node as it was at a position, to be made again; `None` where that is
    /// forgotten.
    pub fn still(&self, position: u64) -> Option<Still> {
        let (base, moments) = if position == self.next {
            (self.newest.clone()?, Vec::new())
        } else {
            let (segment, since) = self.segment(position)?;
            (segment.base.clone(), segment.moments.get(..since)?.to_vec())
        };
        Some(Still { position, base, moments })
    }

    /// The node as it was at a position; `None` where that is forgotten. Takes its
    /// time.
    pub fn node_at(&self, position: u64) -> Option<Arc<Snapshot>> {
        self.still(position).map(|still| still.snapshot())
    }

    /// When the node came to be as it was at a position.
    pub fn time_at(&self, position: u64) -> Option<Timestamp> {
        let (segment, since) = self.segment(position)?;
        Some(since.checked_sub(1).and_then(|at| segment.moments.get(at)).map_or(segment.since, |moment| moment.at))
    }

    /// How many changes have been told since a position.
    pub fn told_since(&self, position: u64) -> u64 {
        let before = self.segment(position).map(|(segment, since)| {
            since.checked_sub(1).and_then(|at| segment.moments.get(at)).map_or(segment.told, |moment| moment.told)
        });
        self.told - before.unwrap_or(self.forgotten)
    }

    /// The position before the last change worth telling; `None` where none is
    /// remembered.
    pub fn back(&self, position: u64) -> Option<u64> {
        let mut older = self.moments().rev().filter(|moment| moment.number < position);
        older.find(|moment| moment.tells()).map(|moment| moment.number)
    }

    /// The position after the next change worth telling; `None` where none follows.
    pub fn forward(&self, position: u64) -> Option<u64> {
        let mut newer = self.moments().filter(|moment| moment.number >= position);
        newer.find(|moment| moment.tells()).map(|moment| moment.number + 1)
    }

    /// The segment that a position lies in, and how many of its moments are over.
    fn segment(&self, position: u64) -> Option<(&Segment, usize)> {
        let at = self.segments.partition_point(|segment| segment.first <= position).checked_sub(1)?;
        let segment = self.segments.get(at)?;
        let since = usize::try_from(position - segment.first).ok()?;
        (since <= segment.moments.len()).then_some((segment, since))
    }

    /// Takes a moment in; true where a reading should be kept again behind it.
    fn remember(&mut self, at: Timestamp, taken_at: Timestamp, changes: Vec<Change>, turns: Vec<Turn>) -> bool {
        let Some(last) = self.segments.back_mut() else { return true };
        self.told += changes.iter().filter(|change| !change.is_flapping()).count() as u64;
        last.changes += changes.len();
        last.weight += changes.iter().map(weight::change).sum::<usize>() + weight::turns(&turns);
        let moment = Moment { number: self.next, at, taken_at, changes, turns, told: self.told };
        last.moments.push(Arc::new(moment));
        self.next += 1;
        // Where nothing is forgotten, readings take at most half as much as the changes.
        let heavy = self.whole.then_some(3 * last.base_weight);
        last.changes >= SPAN && heavy.is_none_or(|heavy| last.weight >= heavy)
    }

    fn begin(&mut self, base: &Arc<Snapshot>, since: Timestamp) {
        self.newest = Some(base.clone());
        let weight = weight::snapshot(base);
        let (first, told, moments) = (self.next, self.told, Vec::new());
        let base = base.clone();
        self.segments.push_back(Segment { base, since, first, told, moments, changes: 0, weight, base_weight: weight });
    }

    /// Lets whole segments go, the oldest first, but never the last one that says
    /// something.
    fn forget(&mut self) {
        let is_over = |all: &VecDeque<Segment>| {
            let sum = |of: fn(&Segment) -> usize| all.iter().map(of).sum::<usize>();
            sum(|segment| segment.changes) > MOST_CHANGES || sum(|segment| segment.weight) > MOST_WEIGHT
        };
        while is_over(&self.segments) && self.segments.iter().filter(|it| !it.moments.is_empty()).count() > 1 {
            self.segments.pop_front();
            self.forgotten = self.segments.front().map_or(self.told, |segment| segment.told);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::{Family, Netns, NetnsName, Observed, Rule, TableId};

    fn node(rules: u32) -> Arc<Snapshot> {
        let mut snapshot = Snapshot::empty("node", Timestamp::UNIX_EPOCH);
        let rules = (0..rules).map(|at| Rule::lookup(Family::V4, at, TableId(16))).collect();
        let netns = Netns { rules: Observed::Seen(rules), ..Netns::default() };
        snapshot.namespaces.insert(NetnsName::from("qrouter-a"), Observed::Seen(netns.into()));
        Arc::new(snapshot)
    }

    /// A timeline of a rule more at each moment.
    fn of(moments: u32) -> Timeline {
        let mut timeline = Timeline::default();
        (0..=moments).for_each(|rules| timeline.read(&node(rules), Vec::new()));
        timeline
    }

    #[test]
    fn positions_go_by_changes() {
        let timeline = of(3);
        assert_eq!((timeline.back(3), timeline.back(1), timeline.back(0)), (Some(2), Some(0), None));
        assert_eq!((timeline.forward(0), timeline.forward(2), timeline.forward(3)), (Some(1), Some(3), None));
        assert_eq!((0..=3).map(|at| timeline.told_since(at)).collect::<Vec<_>>(), [3, 2, 1, 0]);
        for at in 0..=3_u32 {
            assert_eq!(timeline.node_at(at.into()).unwrap().settled(), node(at).settled());
        }
        assert_eq!(timeline.node_at(4), None);
    }

    #[test]
    fn what_is_oldest_is_forgotten_and_counted() {
        let mut timeline = of(0);
        let (few, many) = (node(0), node(1_000));
        let rounds = 25;
        for _ in 0..rounds {
            timeline.read(&many, Vec::new());
            timeline.read(&few, Vec::new());
        }
        let kept: usize = timeline.moments().map(|moment| moment.changes.len()).sum();
        assert!((MOST_CHANGES - 3_000..=MOST_CHANGES).contains(&kept), "{kept}");
        assert_eq!(timeline.forgotten() + kept as u64, rounds * 2_000);
        let begin = timeline.begin_position();
        assert_eq!(timeline.node_at(begin - 1), None);
        for at in begin..=timeline.end_position() {
            let wanted = if at % 2 == 0 { &few } else { &many };
            assert_eq!(timeline.node_at(at).unwrap().settled(), wanted.settled(), "{at}");
        }
        // What was forgotten is said to be further away than all that is kept.
        assert_eq!(timeline.told_since(0), kept as u64);
    }

    #[test]
    fn one_storm_is_kept_until_the_next_change() {
        let mut timeline = of(0);
        timeline.read(&node(12_000), Vec::new());
        assert_eq!((timeline.moments().count(), timeline.forgotten()), (1, 0));
        timeline.read(&node(12_001), Vec::new());
        assert_eq!((timeline.moments().count(), timeline.forgotten()), (1, 12_000));
    }
}
