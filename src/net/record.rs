//! A recording: a snapshot, and behind it, line by line, what changed since.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Change, Snapshot};

/// The schema of a recording's lines after the first, which is a snapshot.
pub const RECORD_SCHEMA: &str = "fipscope.record/1";

/// One line of a recording.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recorded {
    /// Always [`RECORD_SCHEMA`].
    pub schema: String,
    /// When the node was as it is after these changes (RFC 3339, UTC).
    pub at: Timestamp,
    /// When the first of the changes was heard of, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heard: Option<Timestamp>,
    /// What changed since the line before.
    pub changes: Vec<Change>,
}

/// A node as it was read, and what changed since, as far as that was kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recording {
    /// The node as it was at first.
    pub first: Snapshot,
    /// What changed, the oldest first; nothing where it is a snapshot alone.
    pub lines: Vec<Recorded>,
    /// What is missing from it, in a sentence for people.
    pub remark: Option<String>,
}

impl Recorded {
    /// A line of its own schema.
    pub fn new(at: Timestamp, changes: Vec<Change>) -> Self {
        Self { schema: RECORD_SCHEMA.to_owned(), at, heard: None, changes }
    }

    /// The same, where the first of the changes was heard of at that time.
    #[must_use]
    pub fn heard(self, heard: Timestamp) -> Self {
        Self { heard: Some(heard), ..self }
    }

    /// When it began.
    pub fn began(&self) -> Timestamp {
        self.heard.unwrap_or(self.at)
    }
}

impl Recording {
    /// A node that does not change.
    pub fn still(first: Snapshot) -> Self {
        Self { first, lines: Vec::new(), remark: None }
    }

    /// Nothing was recorded behind the snapshot.
    pub fn is_still(&self) -> bool {
        self.lines.is_empty() && self.remark.is_none()
    }

    /// The node as it was at last.
    pub fn last(self) -> Snapshot {
        let mut snapshot = self.first;
        snapshot.replay(self.lines);
        snapshot
    }
}

impl Snapshot {
    /// The node as it was after these lines.
    pub fn replay(&mut self, lines: impl IntoIterator<Item = Recorded>) {
        let mut changes = Vec::new();
        for line in lines {
            self.taken_at = line.at;
            changes.extend(line.changes);
        }
        self.apply(&changes);
    }
}
