//! `fipscope.diff/1`: node and time are those of the second snapshot;
//! `before` is null where an object appeared, `after` where it went.

use serde::Serialize;

use super::{Head, document};
use crate::net::{Change, NetnsName, Object, Snapshot};
use crate::report::message;

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

/// One change, which `fipscope.watch/1` tells too.
#[derive(Serialize)]
pub(super) struct Entry<'a> {
    namespace: Option<&'a NetnsName>,
    object: Option<Reference>,
    before: Option<String>,
    after: Option<String>,
    message: String,
}

#[derive(Serialize)]
struct Reference {
    kind: &'static str,
    key: String,
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
    pub(super) fn of(change: &'a Change) -> Self {
        let reference = |object: &Object| Reference { kind: object.kind(), key: key(object, change.netns.as_ref()) };
        Self {
            namespace: change.netns.as_ref(),
            object: change.object().map(reference),
            before: change.before.as_ref().map(ToString::to_string),
            after: change.after.as_ref().map(ToString::to_string),
            message: message(change),
        }
    }
}

/// What a person would look the object up by.
fn key(object: &Object, netns: Option<&NetnsName>) -> String {
    match object {
        Object::Netns(_) => netns.map(ToString::to_string).unwrap_or_default(),
        Object::Link(link) => link.name.to_string(),
        Object::Addr(addr) => format!("{} dev {}", addr.address, addr.dev),
        Object::Rule(rule) => rule.to_string(),
        Object::Route(route) => format!("{} table {}", route.dst, route.table),
        Object::Neigh(neigh) => format!("{} dev {}", neigh.address, neigh.dev),
        Object::Table(_, table) => format!("{} {}", table.family.word(), table.name),
        Object::Chain(at, chain) => format!("{at} {}", chain.name),
        Object::NfRule(at, _) => format!("{} {}", at.at, at.chain),
        Object::Connection(entry) => entry.original.to_string(),
        Object::Sysctl(name, _) => name.clone(),
        Object::OvsPort(port) => port.name.clone(),
        Object::FileLine(file, ..) => file.file().to_owned(),
        // What stands before the colon names the part.
        Object::Part(_) => object.to_string().split(':').next().unwrap_or_default().to_owned(),
        Object::Fact(fact) => match serde_json::to_value(fact) {
            Ok(serde_json::Value::Object(named)) => named.keys().next().cloned().unwrap_or_default(),
            _ => String::new(),
        },
    }
}
