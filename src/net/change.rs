//! What changed between two readings, in the node's own terms.
//!
//! [`changes`] and [`Snapshot::apply`](super::Snapshot::apply) are each other's
//! inverse: `apply(a, changes(a, b))` is `b`, up to the order of lists that
//! have none, and up to what [`Snapshot::settled`](super::Snapshot::settled)
//! leaves out (counters, ages, handles, tracked connections, the time). A plan
//! is simulated by applying the same changes that a watch would report.

mod apply;
mod diff;
mod list;
mod words;

use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub use diff::{changes, host_changes, netns_changes};

use super::netfilter::{Backend, Chain, Netfilter, NfFamily, NfRule, Table};
use super::{
    Addr, Agent, AllocationFile, ConntrackEntry, ConntrackFill, Gap, Link, Neigh, Netns, NetnsName, Observed, Ovs,
    OvsPort, PathOrigin, Route, Rule,
};

/// One change of one object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// The namespace; `None` is the host's own side.
    pub netns: Option<NetnsName>,
    /// What stood there before; `None` where it appeared.
    pub before: Option<Object>,
    /// What stands there now; `None` where it went.
    pub after: Option<Object>,
}

/// One thing that can appear, go, or become another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Object {
    /// A whole namespace: it came, went, or its readability changed.
    Netns(Observed<Arc<Netns>>),
    /// A whole part, where its outcome changed (seen, absent, unreadable).
    Part(Box<Part>),
    /// A device, by name.
    Link(Box<Link>),
    /// An address, by device and address.
    Addr(Addr),
    /// A policy rule. It has no key: another rule is another object. Added, it
    /// goes behind those of the same priority, as the kernel does it.
    Rule(Box<Rule>),
    /// A route, by table, destination, type of service, metric and source. Added,
    /// it goes behind those of the same key, as `ip route append` does it.
    Route(Box<Route>),
    /// A neighbour or proxy entry, by device and address.
    Neigh(Neigh),
    /// A netfilter table, by backend, family and name. Where it was there
    /// before and after, the two values carry no chains: those are objects of
    /// their own.
    Table(Backend, Box<Table>),
    /// A chain, by place and name. Where it was there before and after, the two
    /// values carry no rules.
    Chain(TableAt, Box<Chain>),
    /// A rule of a chain.
    NfRule(RuleAt, Box<NfRule>),
    /// A tracked connection, by its first direction and zone. Readings are not
    /// compared by these: only what mends a finding names one, which is to go.
    Connection(Box<ConntrackEntry>),
    /// A setting, by name.
    Sysctl(String, Observed<i64>),
    /// A port of Open vSwitch, by name.
    OvsPort(Box<OvsPort>),
    /// A line of one of the agent's allocation files, and its place from 0.
    FileLine(FileName, usize, String),
    /// A single fact about the host.
    Fact(Fact),
}

/// A part of a namespace or of the host, with its outcome.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "each is the field of that name in Netns or Host")]
pub enum Part {
    Links(Observed<Vec<Link>>),
    Addrs(Observed<Vec<Addr>>),
    Rules(Observed<Vec<Rule>>),
    Routes(Observed<Vec<Route>>),
    Neighs(Observed<Vec<Neigh>>),
    Netfilter(Observed<Netfilter>),
    Tables(Backend, Observed<Vec<Table>>),
    ConntrackFill(Observed<ConntrackFill>),
    Gaps(Vec<Gap>),
    HostGaps(Vec<Gap>),
    Ovs(Observed<Ovs>),
    Agent(Observed<Agent>),
    File(FileName, Observed<AllocationFile>),
}

/// Where a chain stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableAt {
    /// Whose table.
    pub backend: Backend,
    /// Its family.
    pub family: NfFamily,
    /// Its name.
    pub table: String,
}

/// Where a netfilter rule stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleAt {
    /// The table.
    pub at: TableAt,
    /// The chain's name.
    pub chain: String,
    /// The place in the chain, from 0: for a rule that went, the place it had;
    /// for a rule that came, the place it has. [`changes`] lists the removals
    /// of a chain from its end, then the additions from its beginning, so that
    /// each place holds at the moment it is used.
    pub position: usize,
}

/// One of the agent's allocation files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FileName {
    /// `fip-linklocal-networks`.
    LinkLocal,
    /// `fip-priorities`.
    Priorities,
}

/// A single fact about the host or the reading.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "each is the field of that name in Snapshot, Host or Ovs")]
pub enum Fact {
    Node(String),
    NetnsDir(String),
    NamespacesUnreadable(Option<String>),
    Kernel(Option<String>),
    StatePath(Option<PathBuf>),
    PathOrigin(PathOrigin),
    LockPath(Option<PathBuf>),
    HaConfsPath(Option<PathBuf>),
    NeutronVersion(Observed<String>),
    OvnController(bool),
    OvsVersion(Option<String>),
    OvsExternalId(String, Option<String>),
}

impl Change {
    /// A change from one value of an object to another.
    pub fn new(netns: Option<NetnsName>, before: Option<Object>, after: Option<Object>) -> Self {
        Self { netns, before, after }
    }

    /// True for what happens on a node where nobody changes anything: learned
    /// neighbours coming, going and being confirmed. A neighbour that stops
    /// answering, or answers from another hardware address, is no flapping.
    pub fn is_flapping(&self) -> bool {
        let calm = |object: &Option<Object>| match object {
            Some(Object::Neigh(neigh)) => neigh.is_learned(),
            Some(_) => false,
            None => true,
        };
        let mac = |object: &Option<Object>| match object {
            Some(Object::Neigh(neigh)) => neigh.mac,
            _ => None,
        };
        let moved = self.before.is_some() && self.after.is_some() && mac(&self.before) != mac(&self.after);
        calm(&self.before) && calm(&self.after) && !moved
    }

    /// True for what the kernel learns from the wire by itself: neighbours that
    /// it looks for, finds and loses. Flapping is among that; so is a neighbour
    /// that does not answer, which on a busy node happens all the time.
    pub fn is_learning(&self) -> bool {
        let learned = |object: &Option<Object>| match object {
            Some(Object::Neigh(neigh)) => !neigh.proxy && !neigh.state.is_given(),
            Some(_) => false,
            None => true,
        };
        learned(&self.before) && learned(&self.after)
    }

    /// The object, as it is now or as it was last.
    pub fn object(&self) -> Option<&Object> {
        self.after.as_ref().or(self.before.as_ref())
    }
}
