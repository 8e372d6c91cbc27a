//! A moment of the past, from which the node is made again.

use std::sync::Arc;

use super::Moment;
use crate::net::{Change, Snapshot};

/// The node as it was at a position of the timeline: a reading and what changed
/// since. Cheap to have; to make the node of it takes its time.
#[derive(Clone, Debug, PartialEq)]
pub struct Still {
    /// The position.
    pub position: u64,
    pub(super) base: Arc<Snapshot>,
    pub(super) moments: Vec<Arc<Moment>>,
}

impl Still {
    /// The node. Takes its time: for a thread that has it.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        after(&self.base, &self.moments)
    }

    /// Whether it is the very same moment of the same timeline.
    pub fn is_same(&self, other: &Self) -> bool {
        self.position == other.position && Arc::ptr_eq(&self.base, &other.base)
    }
}

/// A reading after some moments.
pub(super) fn after(base: &Arc<Snapshot>, moments: &[Arc<Moment>]) -> Arc<Snapshot> {
    let Some(last) = moments.last() else { return base.clone() };
    let mut snapshot = (**base).clone();
    let all: Vec<Change> = moments.iter().flat_map(|moment| moment.changes.iter().cloned()).collect();
    snapshot.apply(&all);
    snapshot.taken_at = last.taken_at;
    Arc::new(snapshot)
}
