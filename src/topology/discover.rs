//! What stands on the node: its namespaces indexed, its routers with their
//! pairs, its external networks.

use std::collections::{BTreeMap, BTreeSet};

use super::index::Space;
use super::layout;
use super::model::RouterKind;
use super::pair::{Pair, Pairs};
use crate::net::{NetnsName, Snapshot};
use crate::neutron::{
    AllocationLine, DeviceKind, Layout, NamespaceKind, PairEntry, RouterPrefix, pair_lines, parse_namespace,
};

/// Stands for the fip namespace of a router of which nothing tells the external
/// network.
const UNKNOWN_NETWORK: &str = "?";

/// The node, indexed.
pub(super) struct Node<'a> {
    /// What was read.
    pub(super) snapshot: &'a Snapshot,
    /// Its routers, sorted by id.
    pub(super) routers: Vec<RouterParts>,
    spaces: BTreeMap<&'a NetnsName, Space<'a>>,
    /// Answers for every namespace that does not stand here.
    nowhere: Space<'a>,
    fips: Vec<&'a NetnsName>,
}

/// A router and the places that it is made of.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct RouterParts {
    /// Its id; only the ten characters of its devices where nothing tells more.
    pub(super) id: String,
    /// What its devices are called after.
    pub(super) prefix: RouterPrefix,
    /// How it routes.
    pub(super) kind: RouterKind,
    /// `qrouter-<id>`, standing here or not.
    pub(super) qrouter: NetnsName,
    /// `snat-<id>`, standing here or not.
    pub(super) snat: NetnsName,
    /// The fip namespace that it belongs to.
    pub(super) fip: NetnsName,
    /// Its pair.
    pub(super) pair: Pair,
    /// Its layout; where it has no pair, the one that it would have.
    pub(super) layout: Layout,
    /// The same, `None` where nothing on the node tells it.
    pub(super) told_layout: Option<Layout>,
}

impl<'a> Node<'a> {
    /// Indexes a snapshot.
    pub(super) fn of(snapshot: &'a Snapshot) -> Self {
        let mut node = Self {
            snapshot,
            routers: Vec::new(),
            spaces: BTreeMap::new(),
            nowhere: nowhere(snapshot),
            fips: Vec::new(),
        };
        let mut ids = BTreeSet::new();
        for (name, netns) in &snapshot.namespaces {
            let Some((kind, id)) = parse_namespace(name) else { continue };
            match kind {
                NamespaceKind::Router | NamespaceKind::Snat => {
                    ids.insert(id.to_owned());
                }
                NamespaceKind::Fip => node.fips.push(name),
                NamespaceKind::Dhcp | NamespaceKind::OvnMetadata => continue,
            }
            node.spaces.insert(name, Space::of(netns));
        }
        let entries = pair_entries(snapshot);
        ids.extend(node.routers_by_device(&ids, &entries));
        node.add_routers(ids, &entries);
        layout::decide(&mut node);
        node
    }

    /// The namespace of that name; one that stands nowhere answers with nothing.
    pub(super) fn space(&self, name: &NetnsName) -> &Space<'a> {
        self.spaces.get(name).unwrap_or(&self.nowhere)
    }

    /// The fip namespaces that stand here.
    pub(super) fn fips(&self) -> impl Iterator<Item = (&'a NetnsName, &Space<'a>)> {
        self.fips.iter().map(|name| (*name, self.space(name)))
    }

    /// Routers that only an `fpr-` device speaks of.
    fn routers_by_device(&self, known: &BTreeSet<String>, entries: &[PairEntry]) -> BTreeSet<String> {
        let prefixes: BTreeSet<RouterPrefix> = known.iter().map(|id| RouterPrefix::of(id)).collect();
        let devices = self.fips().flat_map(|(_, space)| space.devices(DeviceKind::FipToRouter).iter());
        let unknown = devices.filter_map(|link| RouterPrefix::of_device(&link.name));
        unknown
            .filter(|prefix| !prefixes.contains(prefix))
            .map(|prefix| {
                let full = entries.iter().find(|entry| prefix.matches(&entry.router));
                full.map_or_else(|| prefix.as_str().to_owned(), |entry| entry.router.clone())
            })
            .collect()
    }

    fn add_routers(&mut self, ids: BTreeSet<String>, entries: &[PairEntry]) {
        let legacy_agent = self.snapshot.host.agent.seen().is_some_and(|agent| agent.mode.as_deref() == Some("legacy"));
        let mut pairs = Pairs::of(self, &ids, entries);
        self.routers = ids
            .into_iter()
            .map(|id| {
                let pair = pairs.take(&id);
                let qrouter = NamespaceKind::Router.name(&id);
                let snat = NamespaceKind::Snat.name(&id);
                let kind = self.kind(self.space(&qrouter), self.space(&snat), pair.rfp.is_some(), legacy_agent);
                let prefix = RouterPrefix::of(&id);
                let fip = pair.fip.clone().unwrap_or_else(|| self.likely_fip(&prefix));
                RouterParts { id, prefix, kind, qrouter, snat, fip, pair, layout: Layout::Pike, told_layout: None }
            })
            .collect();
    }

    #[expect(clippy::unused_self, reason = "reads as a question to the node")]
    fn kind(&self, qrouter: &Space, snat: &Space, has_rfp: bool, legacy_agent: bool) -> RouterKind {
        let has = |space: &Space, kind| !space.devices(kind).is_empty();
        let legacy = !has_rfp
            && !snat.is_here()
            && (has(qrouter, DeviceKind::RouterGateway) || has(qrouter, DeviceKind::Ha) || legacy_agent);
        match (legacy, has(qrouter, DeviceKind::Ha) || has(snat, DeviceKind::Ha)) {
            (true, true) => RouterKind::LegacyHa,
            (true, false) => RouterKind::Legacy,
            (false, true) => RouterKind::DistributedHa,
            (false, false) => RouterKind::Distributed,
        }
    }

    /// Where a router's pair would end that has none: where a rule still speaks
    /// of its device, else in the only fip namespace that there is.
    fn likely_fip(&self, prefix: &RouterPrefix) -> NetnsName {
        let device = prefix.fpr();
        let by_rule = |space: &Space| space.rules_iif(device.as_str()).is_ok_and(|rules| !rules.is_empty());
        if let Some((name, _)) = self.fips().find(|(_, space)| by_rule(space)) {
            return name.clone();
        }
        match self.fips[..] {
            [only] => only.clone(),
            _ => unknown_fip(),
        }
    }
}

impl RouterParts {
    /// The external network's id, where the node tells.
    pub(super) fn external_network(&self) -> Option<String> {
        let fip = self.pair.fip.as_ref()?;
        parse_namespace(fip).map(|(_, id)| id.to_owned())
    }

    /// The namespaces that it is made of: router, fip and snat namespace.
    pub(super) fn places(&self) -> [&NetnsName; 3] {
        [&self.qrouter, &self.fip, &self.snat]
    }

    /// True for a router whose floating IPs go through a fip namespace.
    pub(super) fn is_distributed(&self) -> bool {
        matches!(self.kind, RouterKind::Distributed | RouterKind::DistributedHa)
    }
}

fn unknown_fip() -> NetnsName {
    NamespaceKind::Fip.name(UNKNOWN_NETWORK)
}

/// What stands for every namespace that is not there.
pub(super) fn nowhere(snapshot: &Snapshot) -> Space<'_> {
    snapshot.namespaces_unreadable.as_ref().map_or_else(Space::nowhere, |why| Space::blind(why))
}

fn pair_entries(snapshot: &Snapshot) -> Vec<PairEntry> {
    let file = snapshot.host.link_local_file.seen();
    file.into_iter().flat_map(pair_lines).filter_map(AllocationLine::entry).collect()
}
