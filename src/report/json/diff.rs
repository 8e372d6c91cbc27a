//! `fipscope.diff/1`: node and time are those of the second snapshot;
//! `before` is null where an object appeared, `after` where it went.

use serde::Serialize;

use super::{Head, document};
use crate::net::{Change, NetnsName, Object, Snapshot};
use crate::topology::{ObjectKind, ObjectRef};

#[derive(Serialize)]
struct Diff<'a> {
    #[serde(flatten)]
    head: Head<'a>,
    since: Since<'a>,
    changes: Vec<Entry<'a>>,
}

/// The first snapshot.
#[derive(Serialize)]
struct Since<'a> {
    node: &'a str,
    taken_at: jiff::Timestamp,
}

#[derive(Serialize)]
struct Entry<'a> {
    namespace: Option<&'a NetnsName>,
    object: Option<ObjectRef>,
    before: Option<String>,
    after: Option<String>,
}

/// The changes that lead from one snapshot to the other.
pub fn diff(before: &Snapshot, after: &Snapshot, changes: &[Change]) -> String {
    document(&Diff {
        head: Head::new("fipscope.diff/1", after),
        since: Since { node: &before.node, taken_at: before.taken_at },
        changes: changes.iter().map(Entry::of).collect(),
    })
}

impl<'a> Entry<'a> {
    fn of(change: &'a Change) -> Self {
        Self {
            namespace: Some(&change.netns),
            object: change.after.as_ref().or(change.before.as_ref()).map(reference),
            before: change.before.as_ref().map(ToString::to_string),
            after: change.after.as_ref().map(ToString::to_string),
        }
    }
}

fn reference(object: &Object) -> ObjectRef {
    let (kind, key) = match object {
        Object::Netns => (ObjectKind::Netns, String::new()),
        Object::Link(link) => (ObjectKind::Link, link.name.to_string()),
        Object::Addr(addr) => (ObjectKind::Addr, format!("{} dev {}", addr.address, addr.dev)),
        Object::Rule(rule) => (ObjectKind::Rule, rule.to_string()),
        Object::Route(route) => (ObjectKind::Route, format!("{} table {}", route.dst, route.table)),
        Object::Neigh(neigh) => (ObjectKind::Neigh, format!("{} dev {}", neigh.address, neigh.dev)),
    };
    ObjectRef { kind, key }
}
