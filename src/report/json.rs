//! JSON documents, exactly as promised: every one begins with its schema, the
//! node and the time; absent values are `null`, lists are always there, sorted.
//!
//! The JSON Schemas lie in `assets/schema/`; a field that is added, renamed or
//! removed here needs a new schema number.

mod acknowledge;
mod check;
mod diff;
mod explain;
mod list;
mod plan;
mod probe;
mod result;
mod show;
mod trace;
mod tracked;
mod traffic;
pub mod watch;

pub use acknowledge::acknowledge;
pub use check::check;
pub use diff::diff;
pub use explain::explain;
pub use list::list;
pub use plan::{plan, undo_plan};
pub use probe::probe;
pub use result::{Result, journal, result};
use serde::Serialize;
pub use show::show;
pub use trace::trace;
pub use traffic::traffic;

use crate::net::{Recorded, Snapshot};

/// What every document begins with.
#[derive(Serialize)]
struct Head<'a> {
    schema: &'static str,
    node: &'a str,
    taken_at: jiff::Timestamp,
}

impl<'a> Head<'a> {
    fn new(schema: &'static str, snapshot: &'a Snapshot) -> Self {
        Self { schema, node: &snapshot.node, taken_at: snapshot.taken_at }
    }
}

/// Everything read from the node, as `fipscope --from` loads it again: one line.
pub fn snapshot(snapshot: &Snapshot) -> String {
    finish(serde_json::to_string(snapshot))
}

/// A line of a recording, as `fipscope --from` loads it behind a snapshot.
pub fn recorded(line: &Recorded) -> String {
    finish(serde_json::to_string(line))
}

/// A document for programs, which people read too.
fn document(value: &impl Serialize) -> String {
    finish(serde_json::to_string_pretty(value))
}

/// One of several documents, a line each.
fn line(value: &impl Serialize) -> String {
    finish(serde_json::to_string(value))
}

/// Escapes what a terminal would act on (C1 controls, bidirectional overrides):
/// outside strings JSON is ASCII, so the document means the same.
fn finish(json: serde_json::Result<String>) -> String {
    // Plain structs with text keys always serialise.
    let mut json = json.unwrap_or_else(|error| serde_json::Value::from(error.to_string()).to_string());
    let acts = |c: char| matches!(c, '\u{7f}'..='\u{9f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}');
    // Most documents are ASCII, which is quickly said of a few megabytes.
    if (!json.is_ascii() || json.contains('\u{7f}')) && json.contains(acts) {
        let escape = |c: char| if acts(c) { format!("\\u{:04x}", u32::from(c)) } else { c.to_string() };
        json = json.chars().map(escape).collect();
    }
    json.push('\n');
    json
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_acts_on_is_escaped_and_means_the_same() {
        let text = "a\u{9b}2J\u{202e}\u{1b}\u{7f}é";
        let json = document(&text);
        assert_eq!(json, "\"a\\u009b2J\\u202e\\u001b\\u007fé\"\n");
        assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
    }
}
