//! The journal on the screen: the changes made on this node, the last one
//! first, and the selected one step by step.

use super::list::List;
use super::words::Mark;
use crate::plan::journal::{Past, State as PastState};

/// The changes of the past.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct JournalView {
    /// What was read, the oldest first; `None` while it is read, an error where
    /// it could not be.
    pub past: Option<Result<Vec<Past>, String>>,
    /// Cursor and scroll offset, from the last change down.
    pub list: List,
    /// The change under the cursor; it survives readings.
    pub selected: Option<u64>,
}

impl JournalView {
    /// The changes, the last one first.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = &Past> {
        let all: &[Past] = match &self.past {
            Some(Ok(all)) => all,
            _ => &[],
        };
        all.iter().rev()
    }

    /// The change under the cursor.
    pub fn current(&self) -> Option<&Past> {
        self.rows().nth(self.list.cursor)
    }

    /// Moves the cursor by rows, negative upward.
    pub fn step(&mut self, by: isize, height: usize) {
        let count = self.rows().len();
        self.list.step(by, height, count, |_| true);
        self.selected = self.current().map(|past| past.id);
    }

    /// Moves the cursor to a row.
    pub fn go(&mut self, to: usize, height: usize) {
        let count = self.rows().len();
        self.list.go(to, height, count, |_| true);
        self.selected = self.current().map(|past| past.id);
    }

    /// Another reading of the journal.
    pub fn read(&mut self, past: Result<Vec<Past>, String>, height: usize) {
        self.past = Some(past);
        let count = self.rows().len();
        let same = self.selected.and_then(|id| self.rows().position(|past| past.id == id));
        match same {
            Some(at) => self.list.follow(at, height, count),
            None => self.list.go(0, height, count, |_| true),
        }
        self.selected = self.current().map(|past| past.id);
    }
}

/// What became of a change, as a mark.
pub(super) fn mark(past: &Past) -> Mark {
    match past.state {
        PastState::Done => Mark::Ok,
        PastState::Undone => Mark::None,
        PastState::Unfinished => Mark::Unknown,
        PastState::Failed if past.left().next().is_some() => Mark::Broken,
        PastState::Failed => Mark::Degraded,
    }
}
