//! Everything that was read of a node, as one value.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::netfilter::Netfilter;
use super::{Addr, ConntrackEntry, ConntrackFill, Host, IfName, Link, Neigh, NetnsName, Observed, Route, Rule};

/// The schema of the document that a snapshot is on disk.
pub const SCHEMA: &str = "fipscope.snapshot/1";

/// One reading of a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Always [`SCHEMA`].
    pub schema: String,
    /// The host's name.
    pub node: String,
    /// When the reading began (RFC 3339, UTC).
    pub taken_at: jiff::Timestamp,
    /// What read it and from where (`kernel`, `sosreport`, …), for people.
    #[serde(default)]
    pub source: String,
    /// The folder that the namespaces' names come from.
    #[serde(default)]
    pub netns_dir: String,
    /// The named namespaces. `Unreadable` where one could not be entered. Copies
    /// of a snapshot share them until one of the copies writes into one, so one
    /// that is the same pointer is the same namespace.
    pub namespaces: BTreeMap<NetnsName, Observed<Arc<Netns>>>,
    /// Why the namespace folder itself could not be listed, if so.
    #[serde(default)]
    pub namespaces_unreadable: Option<String>,
    /// The host's side.
    pub host: Host,
}

/// Settings by full name (`net.ipv4.ip_forward`), as far as they were asked for.
pub type Sysctls = BTreeMap<String, Observed<i64>>;

/// One network namespace. Each part answers for itself: a namespace whose
/// netfilter could not be read still has its routes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Netns {
    /// Devices, by index.
    pub links: Observed<Vec<Link>>,
    /// Addresses, sorted by device and address.
    pub addrs: Observed<Vec<Addr>>,
    /// Policy rules of both families, in the order that the kernel asks them.
    pub rules: Observed<Vec<Rule>>,
    /// Routes of all tables and both families, sorted; IPv4 routes of the same
    /// table, destination, type of service and metric in the kernel's order, in
    /// which the first one counts.
    pub routes: Observed<Vec<Route>>,
    /// Neighbours and proxy entries, sorted by device and address.
    pub neighs: Observed<Vec<Neigh>>,
    /// Packet filter and translation.
    pub netfilter: Observed<Netfilter>,
    /// Settings that netlink does not carry.
    pub sysctls: Sysctls,
    /// Tracked connections, only where they were asked for.
    pub conntrack: Option<Observed<Vec<ConntrackEntry>>>,
    /// How full the connection table is.
    pub conntrack_fill: Observed<ConntrackFill>,
    /// What the source does not tell about parts that it otherwise has (a text
    /// report without IPv6 rules). To be taken as unreadable, never as absent.
    pub gaps: Vec<Gap>,
}

/// The lists of a namespace whose order is promised.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum List {
    Links,
    Addrs,
    Rules,
    Routes,
    Neighs,
}

impl List {
    /// All of them.
    pub(super) const ALL: [Self; 5] = [Self::Links, Self::Addrs, Self::Rules, Self::Routes, Self::Neighs];
}

/// Something that a part which was read does not say.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Gap {
    /// What (`IPv6 rules`).
    pub part: String,
    /// Why it is not known.
    pub why: String,
}

impl Gap {
    /// A gap in what is known of a part.
    pub fn new(part: impl Into<String>, why: impl Into<String>) -> Self {
        Self { part: part.into(), why: why.into() }
    }
}

impl Snapshot {
    /// A snapshot with nothing in it.
    pub fn empty(node: impl Into<String>, taken_at: jiff::Timestamp) -> Self {
        Self {
            schema: SCHEMA.to_owned(),
            node: node.into(),
            taken_at,
            source: String::new(),
            netns_dir: String::new(),
            namespaces: BTreeMap::new(),
            namespaces_unreadable: None,
            host: Host::default(),
        }
    }

    /// The named namespace, where it was read.
    pub fn netns(&self, name: &NetnsName) -> Option<&Netns> {
        self.namespaces.get(name).and_then(Observed::seen).map(Arc::as_ref)
    }

    /// The namespace of a place, where it was read; `None` is the host's own.
    pub fn netns_at(&self, place: Option<&NetnsName>) -> Option<&Netns> {
        match place {
            Some(name) => self.netns(name),
            None => self.host.netns.seen().map(Arc::as_ref),
        }
    }

    /// The named namespaces that were read.
    pub fn seen(&self) -> impl Iterator<Item = (&NetnsName, &Netns)> {
        self.namespaces.iter().filter_map(|(name, netns)| Some((name, netns.seen()?.as_ref())))
    }

    /// The same, and the host's own last, which has no name.
    pub fn places(&self) -> impl Iterator<Item = (Option<&NetnsName>, &Netns)> {
        self.seen().map(|(name, netns)| (Some(name), netns)).chain(self.netns_at(None).map(|netns| (None, netns)))
    }

    /// A named namespace to write into. Other snapshots that share it keep it as it was.
    pub fn netns_mut(&mut self, name: &NetnsName) -> Option<&mut Netns> {
        self.namespaces.get_mut(name)?.make_mut()
    }

    /// Every namespace that was read, the host's own last, to write into.
    pub fn each_netns_mut(&mut self) -> impl Iterator<Item = &mut Netns> {
        self.namespaces.values_mut().chain([&mut self.host.netns]).filter_map(Observed::make_mut)
    }
}

impl Netns {
    /// The devices, none where they could not be read.
    pub fn links(&self) -> &[Link] {
        slice(&self.links)
    }

    /// The addresses, none where they could not be read.
    pub fn addrs(&self) -> &[Addr] {
        slice(&self.addrs)
    }

    /// The rules, none where they could not be read.
    pub fn rules(&self) -> &[Rule] {
        slice(&self.rules)
    }

    /// The routes, none where they could not be read.
    pub fn routes(&self) -> &[Route] {
        slice(&self.routes)
    }

    /// The neighbours, none where they could not be read.
    pub fn neighs(&self) -> &[Neigh] {
        slice(&self.neighs)
    }

    /// The device of that name.
    pub fn link(&self, name: &IfName) -> Option<&Link> {
        self.links().iter().find(|link| link.name == *name)
    }

    /// A setting's value, where it was read.
    pub fn sysctl(&self, name: &str) -> Option<i64> {
        self.sysctls.get(name).and_then(Observed::seen).copied()
    }

    /// Puts every list into its promised order.
    pub fn sort(&mut self) {
        for list in List::ALL {
            self.sort_list(list);
        }
    }

    /// Puts one list into its promised order.
    pub(super) fn sort_list(&mut self, list: List) {
        match list {
            List::Links => sort(&mut self.links, |links| links.sort_by_key(|link| link.index)),
            List::Addrs => sort(&mut self.addrs, <[_]>::sort),
            // The kernel keeps insertion order among equal priorities; so do we.
            List::Rules => sort(&mut self.rules, |rules| rules.sort_by_key(|rule| (rule.family, rule.priority))),
            List::Routes => sort(&mut self.routes, Route::sort),
            List::Neighs => sort(&mut self.neighs, <[_]>::sort),
        }
    }
}

fn sort<T>(observed: &mut Observed<Vec<T>>, by: impl FnOnce(&mut [T])) {
    if let Observed::Seen(list) = observed {
        by(list);
    }
}

fn slice<T>(observed: &Observed<Vec<T>>) -> &[T] {
    observed.seen().map_or(&[], Vec::as_slice)
}
