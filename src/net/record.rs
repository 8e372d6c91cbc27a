//! A recording: a snapshot, and behind it, line by line, what changed since.

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
    pub at: jiff::Timestamp,
    /// What changed since the line before.
    pub changes: Vec<Change>,
}

impl Recorded {
    /// A line of its own schema.
    pub fn new(at: jiff::Timestamp, changes: Vec<Change>) -> Self {
        Self { schema: RECORD_SCHEMA.to_owned(), at, changes }
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
