//! `fipscope.watch/1`, a line per event: a change of the node, or a finding
//! that was raised or cleared.

use jiff::Timestamp;
use serde::Serialize;

use super::check::Finding;
use super::diff::Entry;
use super::{Head, finish};
use crate::check::Turn;
use crate::net::{Change, NetnsName, Snapshot};
use crate::report::Judged;
use crate::topology::ObjectRef;

#[derive(Serialize)]
struct Changed<'a> {
    #[serde(flatten)]
    head: Head<'a>,
    at: Timestamp,
    kind: &'static str,
    #[serde(flatten)]
    entry: Entry<'a>,
    finding: Option<()>,
}

#[derive(Serialize)]
struct Turned<'a> {
    #[serde(flatten)]
    head: Head<'a>,
    at: Timestamp,
    kind: &'static str,
    namespace: Option<&'a NetnsName>,
    object: &'a ObjectRef,
    before: Option<()>,
    after: Option<()>,
    message: &'a str,
    finding: Finding<'a>,
}

/// The line of a change that was heard of at a moment; `snapshot` is the node after it.
pub fn change(snapshot: &Snapshot, at: Timestamp, change: &Change) -> String {
    let head = Head::new("fipscope.watch/1", snapshot);
    finish(serde_json::to_string(&Changed { head, at, kind: "change", entry: Entry::of(change), finding: None }))
}

/// The line of a finding that was raised or cleared. `snapshot` and `judged` are
/// those that it belongs to: for a cleared one, the last that had it.
pub fn turn(snapshot: &Snapshot, at: Timestamp, turn: &Turn, judged: Judged<'_>) -> String {
    let finding = &turn.finding;
    finish(serde_json::to_string(&Turned {
        head: Head::new("fipscope.watch/1", snapshot),
        at,
        kind: if turn.raised { "raised" } else { "cleared" },
        namespace: finding.namespace.as_ref(),
        object: &finding.object,
        before: None,
        after: None,
        message: &finding.message,
        finding: Finding::of(finding, judged, snapshot),
    }))
}
