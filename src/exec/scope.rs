//! What of the node a change has to do with: on a large node nothing else is
//! read again while it is made.

use std::collections::BTreeSet;

use crate::kernel::{HostPart, ReadOptions, read_again};
use crate::net::{NetnsName, Peer, Snapshot};
use crate::neutron::{NamespaceKind, parse_namespace};
use crate::plan::journal::Aim;
use crate::plan::{Action, Object, Place, Plan, Step};

use super::Site;

/// The namespaces that a change touches, and those that its floating IPs'
/// packets go through.
pub(super) struct Scope {
    names: BTreeSet<NetnsName>,
    /// Something of the host's own is changed, or to be another.
    host: bool,
    /// Tracked connections are forgotten, or to be others: they are read, too.
    conntrack: bool,
}

impl Scope {
    /// Of a plan made from that reading.
    pub(super) fn of(plan: &Plan, aim: &Aim, seen: &Snapshot) -> Self {
        let mut places: BTreeSet<&Place> = plan.steps.iter().map(|step| &step.netns).collect();
        for step in &plan.steps {
            if let Action::Add(object) | Action::Delete(object) = &step.action {
                match object {
                    Object::Veth(pair) => drop(places.insert(&pair.peer_netns)),
                    Object::OvsPort(port) => drop(places.insert(&port.netns)),
                    _ => {}
                }
            }
        }
        let mut names: BTreeSet<NetnsName> = places.iter().filter_map(|place| place.name().cloned()).collect();
        // A namespace may itself be made or taken away.
        names.extend(plan.steps.iter().filter_map(|step| match &step.action {
            Action::Add(Object::Netns(name)) | Action::Delete(Object::Netns(name)) => Some(name.clone()),
            _ => None,
        }));
        let is_named = |name: &&NetnsName| aim.gone.iter().any(|id| id.contains(name.as_str()));
        names.extend(seen.namespaces.keys().filter(is_named).cloned());
        for name in names.clone() {
            names.extend(beside(&name, seen, !aim.gone.is_empty()));
        }
        let host = places.contains(&Place::Host) || aim.gone.iter().any(|id| id.contains("@host/"));
        let forgets = |step: &Step| matches!(step.action, Action::ForgetConnection { .. });
        let conntrack = !aim.gone.is_empty() && plan.steps.iter().any(forgets) || tells_connections(aim);
        Self { names, host, conntrack }
    }

    /// The node before the change: the agent may run by now that did not.
    pub(super) fn before(&self, seen: &Snapshot, site: &Site) -> Snapshot {
        read_again(seen, &self.names, if self.host { HostPart::All } else { HostPart::Agent }, &self.options(site))
    }

    fn options(&self, site: &Site) -> ReadOptions {
        ReadOptions { conntrack: self.conntrack, ..site.options() }
    }

    /// The node after it.
    pub(super) fn after(&self, before: &Snapshot, site: &Site) -> Snapshot {
        read_again(before, &self.names, if self.host { HostPart::All } else { HostPart::None }, &self.options(site))
    }
}

/// Whether a reading of tracked connections tells that it came to what it is for
/// (DVR406).
pub(super) fn tells_connections(aim: &Aim) -> bool {
    aim.gone.iter().any(|id| id.starts_with("DVR406@"))
}

/// The namespaces that packets come from or go to next: the other ends of a
/// router's pairs, its snat namespace; of a fip namespace all routers, where
/// findings about any of them are to be gone.
fn beside(name: &NetnsName, seen: &Snapshot, all: bool) -> Vec<NetnsName> {
    let Some((kind, id)) = parse_namespace(name) else { return Vec::new() };
    let links = seen.netns(name).map_or(&[][..], |netns| netns.links());
    let peers = links.iter().filter_map(|link| match &link.peer {
        Some(Peer::In(name, _)) => Some(name.clone()),
        _ => None,
    });
    let other = |kind: NamespaceKind| Some(kind.name(id)).filter(|name| seen.namespaces.contains_key(name));
    match kind {
        NamespaceKind::Router => peers.chain(other(NamespaceKind::Snat)).collect(),
        NamespaceKind::Fip if all => peers.collect(),
        NamespaceKind::Snat => other(NamespaceKind::Router).into_iter().collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::neutron::Layout;
    use crate::plan::{Remove, remove};
    use crate::topology::Topology;
    use crate::topology::scenario::{FIP, QROUTER, Scenario};

    #[test]
    fn it_is_what_the_steps_touch_and_what_the_packets_pass() {
        let node = Scenario::article(Layout::Pike).with_second_router(Layout::Pike).snapshot;
        let wanted = Remove::new("192.168.1.3".parse().unwrap());
        let plan = remove(&node, &Topology::of(&node), &wanted).unwrap();
        let names = |plan: &Plan, aim: &Aim| Scope::of(plan, aim, &node).names;
        let own = [FIP, QROUTER].map(NetnsName::from).into();
        assert_eq!(names(&plan, &Aim::default()), own);
        // A rule alone is looked at with the way that its packets take.
        let mut rule = Plan::new("");
        rule.append(Plan { steps: vec![plan.steps[1].clone()], ..Plan::new("") });
        assert_eq!(names(&rule, &Aim::default()), own);
        // What is to be gone in the fip namespace may concern every router.
        let aim = Aim { gone: vec![format!("DVR508@{FIP}/x")], ..Aim::default() };
        assert_eq!(names(&plan, &aim).len(), 3);
    }
}
