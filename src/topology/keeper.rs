//! From one reading of a node to the next: what a change does not touch is not
//! read again.
//!
//! A router and its floating IPs are a part of their own. What a part rests on is
//! found by looking at what it asked: its namespaces, the host and its siblings
//! are all that it can see ([`View`]), and all of them remember what they are
//! asked. A part is kept while they would answer the same.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use super::chain::View;
use super::discover::{Node, RouterParts, nowhere};
use super::facts;
use super::host::{Answers, HostFacts};
use super::index::{Look, Space};
use super::model::{Blind, FloatingIp, Router, Topology};
use super::node_kind::kind_of;
use super::read::{external_network, router};
use crate::net::{NetnsName, Snapshot};
use crate::neutron::LinkLocalPair;

/// So many routers of a fip namespace are asked where its gateway is.
const SIBLINGS: usize = 8;

/// A node that is read again and again.
#[derive(Default)]
pub struct Keeper {
    last: Option<Arc<Snapshot>>,
    parts: BTreeMap<String, Part>,
}

/// What a router came to, and what that rests on.
struct Part {
    router: Router,
    floating_ips: Vec<Arc<FloatingIp>>,
    parts: RouterParts,
    siblings: Vec<LinkLocalPair>,
    /// What its namespaces were asked: qrouter, fip, snat.
    looks: [BTreeSet<Look>; 3],
    answers: Answers,
}

/// Namespaces that are not the same as in the reading before, as they were then.
struct Former<'o> {
    old: &'o Snapshot,
    new: &'o Snapshot,
    /// `None` for those that are the same.
    spaces: BTreeMap<NetnsName, Option<Space<'o>>>,
}

impl Topology {
    /// Reads a snapshot as a node of the L3 agent. Takes time in proportion to
    /// the snapshot's size.
    pub fn of(snapshot: &Snapshot) -> Self {
        understand(snapshot, None, &mut BTreeMap::new())
    }
}

impl Keeper {
    /// Reads a snapshot: the same as [`Topology::of`], in time that goes by what
    /// is not as it was in the snapshot before.
    pub fn read(&mut self, snapshot: &Arc<Snapshot>) -> Topology {
        let old = self.last.replace(snapshot.clone());
        understand(snapshot, old.as_deref(), &mut self.parts)
    }
}

fn understand<'s>(snapshot: &'s Snapshot, old: Option<&'s Snapshot>, parts: &mut BTreeMap<String, Part>) -> Topology {
    let node = Node::of(snapshot);
    let host = HostFacts::of(snapshot);
    let mut former = old.map(|old| Former { old, new: snapshot, spaces: BTreeMap::new() });
    let siblings = siblings(&node.routers);
    let mut kept = std::mem::take(parts);
    for router in &node.routers {
        let siblings = siblings.get(&router.fip).map_or(&[][..], Vec::as_slice);
        let spaces = router.places().map(|name| node.space(name));
        let [qrouter, fip, snat] = spaces;
        let view = View { router, qrouter, fip, snat, host: &host, siblings };
        let same = kept.remove(&router.id).filter(|part| former.as_mut().is_some_and(|old| part.holds(&view, old)));
        parts.insert(router.id.clone(), same.unwrap_or_else(|| Part::of(&view)));
    }
    let mut floating_ips: Vec<Arc<FloatingIp>> = node
        .routers
        .iter()
        .filter_map(|router| parts.get(&router.id))
        .flat_map(|part| &part.floating_ips)
        .cloned()
        .collect();
    floating_ips.sort_by(|a, b| key(a).cmp(&key(b)));
    Topology {
        node: snapshot.node.clone(),
        kind: kind_of(snapshot),
        external_networks: node.fips().map(|(name, space)| external_network(name, space)).collect(),
        routers: parts.values().map(|part| part.router.clone()).collect(),
        floating_ips,
        blind: Blind::of(snapshot),
    }
}

impl Part {
    fn of(view: &View) -> Self {
        let spaces = [view.qrouter, view.fip, view.snat];
        // What was asked before is not this part's.
        for space in spaces {
            space.forget_looks();
        }
        view.host.take_answers();
        let drafts = facts::of_router(view);
        let shared = view.shared(&drafts);
        let floating_ips = drafts.into_iter().map(|draft| Arc::new(view.judge(draft, &shared))).collect();
        Self {
            router: router(view),
            floating_ips,
            parts: view.router.clone(),
            siblings: view.siblings.to_vec(),
            // Places where nothing stands can be one and the same.
            looks: spaces.map(Space::looks),
            answers: view.host.take_answers(),
        }
    }

    /// Whether everything that it rests on is as it was.
    fn holds<'s>(&self, view: &View<'_, 's>, former: &mut Former<'s>) -> bool {
        let places = view.router.places();
        let spaces = [view.qrouter, view.fip, view.snat];
        self.parts == *view.router
            && self.siblings == view.siblings
            && view.host.agrees(&self.answers)
            && places
                .iter()
                .zip(spaces)
                .zip(&self.looks)
                .all(|((name, space), looks)| former.agrees(name, space, looks))
    }
}

impl<'o> Former<'o> {
    /// Whether a namespace answers as it did.
    fn agrees(&mut self, name: &NetnsName, space: &Space<'o>, looks: &BTreeSet<Look>) -> bool {
        let (old, new) = (self.old, self.new);
        let former = self.spaces.entry(name.clone()).or_insert_with(|| {
            match (old.namespaces.get(name), new.namespaces.get(name)) {
                (Some(old), Some(new)) if old.is_same(new) => None,
                (None, None) if old.namespaces_unreadable == new.namespaces_unreadable => None,
                (Some(old), _) => Some(Space::of(old)),
                (None, _) => Some(nowhere(old)),
            }
        });
        former.as_ref().is_none_or(|former| space.agree(former, looks))
    }
}

/// Pairs of some routers of each fip namespace.
fn siblings(routers: &[RouterParts]) -> BTreeMap<NetnsName, Vec<LinkLocalPair>> {
    let mut all: BTreeMap<NetnsName, Vec<Option<LinkLocalPair>>> = BTreeMap::new();
    for router in routers {
        let some = all.entry(router.fip.clone()).or_default();
        if some.len() < SIBLINGS {
            some.push(router.pair.addresses);
        }
    }
    all.into_iter().map(|(name, pairs)| (name, pairs.into_iter().flatten().collect())).collect()
}

fn key(fip: &FloatingIp) -> (Option<&String>, Option<IpAddr>, Option<IpAddr>, &String) {
    (fip.external_network.as_ref(), fip.floating_ip, fip.fixed_ip, &fip.router)
}
