//! A timeline made of a recording: all of it at once, what it did to the findings
//! later.

use std::sync::Arc;

use super::Timeline;
use super::still::after;
use crate::check::Turn;
use crate::net::{Recorded, Snapshot};

impl Timeline {
    /// What a recording holds: the node at first, and what changed. None of it is
    /// ever forgotten. What the changes did to the findings is not known yet.
    pub fn replay(first: &Arc<Snapshot>, lines: impl IntoIterator<Item = Recorded>) -> Self {
        let mut timeline = Self { whole: true, ..Self::default() };
        timeline.begin(first, first.taken_at);
        let mut taken_at = first.taken_at;
        for line in lines {
            taken_at = line.at;
            if line.changes.is_empty() {
                continue;
            }
            let at = line.began();
            if timeline.remember(at, line.at, line.changes, Vec::new()) {
                let now = timeline.carried_out();
                timeline.begin(&now, at);
            }
        }
        let mut newest = timeline.carried_out();
        Arc::make_mut(&mut newest).taken_at = taken_at;
        timeline.newest = Some(newest);
        timeline
    }

    /// The node as it is now; `None` where there is none yet.
    pub fn newest(&self) -> Option<&Arc<Snapshot>> {
        self.newest.as_ref()
    }

    /// Takes in what moments did to the findings, by their numbers.
    pub fn turn(&mut self, turns: Vec<(u64, Vec<Turn>)>) {
        for (number, turns) in turns {
            let at = self.segments.partition_point(|segment| segment.first <= number).checked_sub(1);
            let Some(segment) = at.and_then(|at| self.segments.get_mut(at)) else { continue };
            let at = usize::try_from(number - segment.first).ok();
            if let Some(moment) = at.and_then(|at| segment.moments.get_mut(at)) {
                Arc::make_mut(moment).turns = turns;
            }
        }
    }

    /// The node after all that is remembered.
    fn carried_out(&self) -> Arc<Snapshot> {
        let last = self.segments.back();
        last.map_or_else(
            || Arc::new(Snapshot::empty("", jiff::Timestamp::UNIX_EPOCH)),
            |last| after(&last.base, &last.moments),
        )
    }
}

#[cfg(test)]
mod tests {
    use jiff::{SignedDuration, Timestamp};

    use super::*;
    use crate::net::{Family, Netns, NetnsName, Observed, Rule, TableId, changes};

    fn node(rules: u32) -> Snapshot {
        let mut snapshot = Snapshot::empty("node", Timestamp::UNIX_EPOCH + SignedDuration::from_secs(rules.into()));
        let rules = (0..rules).map(|at| Rule::lookup(Family::V4, at, TableId(16))).collect();
        let netns = Netns { rules: Observed::Seen(rules), ..Netns::default() };
        snapshot.namespaces.insert(NetnsName::from("qrouter-a"), Observed::Seen(netns.into()));
        snapshot
    }

    #[test]
    fn a_recording_is_a_timeline_of_which_nothing_is_forgotten() {
        let (few, many) = (node(0), node(1_000));
        let there = changes(&few, &many);
        let back = changes(&many, &few);
        let lines = (0..30).map(|at| {
            let changes = if at % 2 == 0 { there.clone() } else { back.clone() };
            Recorded::new(many.taken_at, changes)
        });
        let timeline = Timeline::replay(&Arc::new(few.clone()), lines);
        assert_eq!((timeline.begin_position(), timeline.end_position(), timeline.forgotten()), (0, 30, 0));
        assert_eq!(timeline.told_since(0), 30_000);
        assert!((2..15).contains(&timeline.segments.len()), "{}", timeline.segments.len());
        for at in 0..=30 {
            let wanted = if at % 2 == 0 { &few } else { &many };
            assert_eq!(timeline.node_at(at).unwrap().settled(), wanted.settled(), "{at}");
        }
    }

    #[test]
    fn a_line_without_changes_is_no_moment_but_time_goes_on() {
        let first = node(2);
        let later = first.taken_at + SignedDuration::from_secs(60);
        let timeline = Timeline::replay(&Arc::new(first.clone()), [Recorded::new(later, Vec::new())]);
        assert_eq!((timeline.end_position(), timeline.newest().map(|node| node.taken_at)), (0, Some(later)));
        assert_eq!(timeline.time_at(0), Some(first.taken_at));
    }
}
