//! What a node comes to, as text for people and as JSON for programs.
//!
//! Pure: takes values, returns strings; `app` writes them. The JSON documents
//! are promises (their schemas lie in `assets/schema/`); the text is not.
//! Whatever came from outside is made printable here, in the text by
//! [`style::Style`], in JSON by escaping.

mod entry;
pub mod json;
mod judged;
mod repair;
mod select;
pub mod style;
mod table;
pub mod text;

pub use crate::check::Focus;
use crate::net::Change;
use crate::path::Walk;
use crate::traffic::{Errand, Fate, Stations};
pub use entry::{Entry, EntryQuery, entry, entry_words};
use judged::subject;
pub use judged::{Counts, Group, Judged, Narrowed, Shown, nameless};
pub use select::{Candidate, Query, Selection, addresses, select};

/// What is known of a traced packet's answer.
#[derive(Clone, Copy, Debug)]
pub enum Back<'a> {
    /// Nobody wanted to know.
    NotAsked,
    /// There is none, or none that comes back this way.
    None,
    /// The answer's own walk.
    Walk(&'a Walk),
}

/// A packet of our own that was followed, and what became of it.
#[derive(Clone, Copy, Debug)]
pub struct Probed<'a> {
    /// About which floating IP.
    pub floating_ip: std::net::Ipv4Addr,
    /// What was sent.
    pub errand: &'a Errand,
    /// Its way.
    pub stations: &'a Stations,
    /// What became of it.
    pub fate: &'a Fate,
    /// Why it goes no further, where it does not.
    pub reason: Option<&'a str>,
    /// Packets that the kernel dropped before they were seen.
    pub lost: u64,
}

/// A change in one line: `+`, `-` or `~`, and what came, went, or differs.
fn message(change: &Change) -> String {
    Change { netns: None, ..change.clone() }.to_string()
}
