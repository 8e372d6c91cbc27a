//! From one reading of a node to the next: a router that a change does not touch is
//! not judged again.
//!
//! What the checks of a router ask, the [`Scene`] sees: its own namespaces, the fip
//! namespaces, the host, the external networks and which namespaces there are. A
//! router's findings are kept while all of that is as it was. Where a check asked
//! for more (a packet can be walked anywhere), they are kept while the whole node
//! is as it was. The checks that have to see all of a node see it each time.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::scene::is_fip;
use super::{Finding, Findings, Scene, fold, of_node, of_router};
use crate::net::{Host, NetnsName, Observed, Snapshot};
use crate::neutron::ReleaseRange;
use crate::topology::{ExternalNetwork, FloatingIp, NodeKind, Router, Topology};

/// Judges a node that is read again and again.
#[derive(Default)]
pub struct Judge {
    last: Option<Last>,
    kept: BTreeMap<String, Kept>,
}

/// The reading before, and what all routers have in common.
struct Last {
    snapshot: Arc<Snapshot>,
    kind: NodeKind,
    external_networks: Vec<ExternalNetwork>,
    release: ReleaseRange,
}

/// A router, and what was found of it.
struct Kept {
    router: Router,
    floating_ips: Vec<Arc<FloatingIp>>,
    found: Vec<Finding>,
    looked_beyond: bool,
}

/// What of a reading is as it was.
struct Same<'o> {
    old: &'o Snapshot,
    new: &'o Snapshot,
    /// All of it.
    everything: bool,
}

impl Judge {
    /// Runs every check that a snapshot can answer: the same as
    /// [`super::judge()`], in time that goes by what is not as it was in the
    /// snapshot before. The topology is what the snapshot comes to, without what
    /// findings made of it.
    pub fn read(&mut self, snapshot: &Arc<Snapshot>, topology: &Topology) -> Vec<Finding> {
        let scene = Scene::of(snapshot, topology);
        let (last, mut kept) = (self.last.take(), std::mem::take(&mut self.kept));
        let same = last.as_ref().filter(|last| last.holds(&scene)).map(|last| Same::of(&last.snapshot, snapshot));
        let mut fips = by_router(topology);
        let mut all = Findings::default();
        for (router, part) in topology.routers.iter().zip(scene.parts()) {
            let floating_ips = fips.remove(router.id.as_str()).unwrap_or_default();
            let before = kept.remove(&router.id).filter(|kept| {
                same.as_ref().is_some_and(|same| same.holds(kept, router)) && kept.has(router, &floating_ips)
            });
            let now = before.unwrap_or_else(|| Kept::of(router, floating_ips, &part));
            all.add(&now.found);
            self.kept.insert(router.id.clone(), now);
        }
        of_node(&scene, None, &mut all);
        self.last = Some(Last {
            snapshot: snapshot.clone(),
            kind: topology.kind.clone(),
            external_networks: topology.external_networks.clone(),
            release: scene.release().clone(),
        });
        fold::fold(all.done())
    }
}

impl Last {
    /// Whether what all routers have in common is as it was.
    fn holds(&self, scene: &Scene<'_>) -> bool {
        let (old, new) = (&self.snapshot, scene.snapshot);
        let alike = |(one, other): ((&NetnsName, &Observed<_>), (&NetnsName, &Observed<_>))| {
            let content = matches!((one.1, other.1), (Observed::Seen(_), Observed::Seen(_))) && !is_fip(one.0);
            one.0 == other.0 && (content || one.1.is_same(other.1))
        };
        old.namespaces.len() == new.namespaces.len()
            && old.namespaces.iter().zip(&new.namespaces).all(alike)
            && old.namespaces_unreadable == new.namespaces_unreadable
            && is_same_host(&old.host, &new.host)
            && self.kind == scene.topology.kind
            && self.external_networks == scene.topology.external_networks
            && self.release == *scene.release()
    }
}

impl<'o> Same<'o> {
    fn of(old: &'o Snapshot, new: &'o Snapshot) -> Self {
        let mut pairs = old.namespaces.values().zip(new.namespaces.values());
        Self { old, new, everything: pairs.all(|(one, other)| one.is_same(other)) }
    }

    /// Whether everything that a router's findings rest on is as it was.
    fn holds(&self, kept: &Kept, router: &Router) -> bool {
        let same = |name: &NetnsName| match (self.old.namespaces.get(name), self.new.namespaces.get(name)) {
            (Some(one), Some(other)) => one.is_same(other),
            (None, None) => true,
            _ => false,
        };
        let own = [&router.namespace, &router.snat_namespace];
        self.everything || (!kept.looked_beyond && own.into_iter().flatten().all(same))
    }
}

impl Kept {
    fn of(router: &Router, floating_ips: Vec<Arc<FloatingIp>>, part: &Scene<'_>) -> Self {
        let mut findings = Findings::default();
        of_router(part, &mut findings);
        let looked_beyond = part.looked_beyond();
        Self { router: router.clone(), floating_ips, found: findings.done(), looked_beyond }
    }

    /// Whether the router and its floating IPs are as they were.
    fn has(&self, router: &Router, floating_ips: &[Arc<FloatingIp>]) -> bool {
        let mut both = self.floating_ips.iter().zip(floating_ips);
        self.router == *router
            && self.floating_ips.len() == floating_ips.len()
            && both.all(|(one, other)| Arc::ptr_eq(one, other) || one == other)
    }
}

fn by_router(topology: &Topology) -> HashMap<&str, Vec<Arc<FloatingIp>>> {
    let mut all: HashMap<&str, Vec<Arc<FloatingIp>>> = HashMap::new();
    for fip in &topology.floating_ips {
        all.entry(&fip.router).or_default().push(fip.clone());
    }
    all
}

/// Two hosts that differ in the L3 agent's process at most: how long it has been
/// running changes all the time, and no check of a router asks for it.
fn is_same_host(one: &Host, other: &Host) -> bool {
    fn asked(host: &Host) -> impl PartialEq {
        let Host { kernel, netns, agent: _, state_path, path_origin, lock_path, ha_confs_path, .. } = host;
        let Host { link_local_file, priority_file, neutron_version, ovs, ovn_controller, gaps, .. } = host;
        let places = (kernel, netns, state_path, path_origin, lock_path, ha_confs_path);
        (places, (link_local_file, priority_file, neutron_version, ovs, ovn_controller, gaps))
    }
    asked(one) == asked(other)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::check::Subject;
    use crate::neutron::Layout;
    use crate::topology::scenario::Scenario;
    use crate::topology::{Keeper, ObjectKind, ObjectRef};

    /// Leaves a mark in what is kept of each router, and says which marks are
    /// there after a change.
    fn kept_after(change: impl FnOnce(&mut Snapshot)) -> Vec<bool> {
        let node = Arc::new(Scenario::scale(Layout::Pike, 3, 2).snapshot);
        let (mut keeper, mut judge) = (Keeper::default(), Judge::default());
        judge.read(&node, &keeper.read(&node));
        let object = ObjectRef { kind: ObjectKind::Netns, key: String::new() };
        for (id, kept) in &mut judge.kept {
            let mut found = Findings::default();
            found.cannot_tell(&Subject::node(), None, object.clone(), id.clone());
            kept.found.extend(found.done());
        }
        let mut next = (*node).clone();
        change(&mut next);
        let next = Arc::new(next);
        judge.read(&next, &keeper.read(&next));
        let is_marked =
            |(id, kept): (&String, &Kept)| kept.found.iter().any(|one| one.why_unknown.as_ref() == Some(id));
        judge.kept.iter().map(is_marked).collect()
    }

    fn damage(node: &mut Snapshot, kind: &str) {
        let name = node.namespaces.keys().find(|name| name.as_str().starts_with(kind)).unwrap().clone();
        let netns = node.netns_mut(&name).unwrap();
        let Observed::Seen(routes) = &mut netns.routes else { return };
        routes.pop();
    }

    #[test]
    fn a_router_that_nothing_touched_is_not_judged_again() {
        assert_eq!(kept_after(|_| ()), [true, true, true]);
        assert_eq!(kept_after(|node| damage(node, "qrouter-")), [false, true, true]);
    }

    #[test]
    fn what_all_have_in_common_touches_all() {
        assert_eq!(kept_after(|node| damage(node, "fip-")), [false; 3]);
        assert_eq!(kept_after(|node| node.host.priority_file = Observed::Absent), [false; 3]);
        assert_eq!(kept_after(|node| drop(node.namespaces.pop_first())), [false; 3]);
    }
}
