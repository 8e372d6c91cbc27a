//! A plan carried out on a snapshot: the steps, and what the kernel does by
//! itself because of them.
//!
//! Each step becomes the [`Change`]s that a watch of the node would report. A
//! step that the kernel would refuse (a second object of the same kind, a route
//! out of a device that is off) changes nothing. Modelled are the things that
//! repairs are made of: addresses, rules, routes, neighbours, settings of
//! devices, settings below `/proc/sys`, and the packet filter; veth
//! pairs that come, devices and namespaces that go, with what hangs on them.
//! A new namespace is not. Of IPv6, what a device takes along when
//! it is switched off; not what it makes up when it is switched on.

mod addr;
mod device;
mod link;
mod netfilter;
mod route;
mod setting;

use crate::net::{Change, Neigh, NeighState, Netns, NetnsName, Object as Thing, Rule, Snapshot};

use super::{Action, Object, Place, Plan};

pub(super) use netfilter::chain;
pub(super) use setting::sysctl_key;

/// The snapshot as it is when the plan has been carried out.
pub fn simulate(plan: &Plan, snapshot: &Snapshot) -> Snapshot {
    let mut simulation = Simulation::of(snapshot);
    for step in &plan.steps {
        simulation.perform(&step.netns, &step.action);
    }
    simulation.snapshot
}

/// A snapshot under way.
pub(super) struct Simulation {
    snapshot: Snapshot,
}

impl Simulation {
    pub(super) fn of(snapshot: &Snapshot) -> Self {
        Self { snapshot: snapshot.clone() }
    }

    /// Carries a step out; false where nothing came of it.
    pub(super) fn perform(&mut self, place: &Place, action: &Action) -> bool {
        if let Action::Netfilter(edit) = action {
            // Places in a chain hold at the moment at which they are used.
            let mut any = false;
            for of_chain in &edit.edits {
                let effect = self.netns(place).and_then(|netns| netfilter::edit(netns, edit, of_chain));
                any |= self.apply(&changes(place.name(), effect));
            }
            return any;
        }
        let all = match (self.netns(place), action) {
            (_, Action::Add(Object::Veth(pair))) => device::add_veth(&self.snapshot, place, pair),
            (_, Action::Delete(Object::Veth(pair))) => device::delete(&self.snapshot, place, &pair.end.name),
            (_, Action::Delete(Object::Bridge(name))) => device::delete(&self.snapshot, place, name),
            (_, Action::Delete(Object::Netns(name))) => device::delete_netns(&self.snapshot, name),
            (Some(netns), Action::SetLink { dev, to, .. }) => {
                let here = link::Here { snapshot: &self.snapshot, place: place.name(), netns };
                let mut all = changes(place.name(), link::set(here, dev, to));
                all.extend(link::other_end(here, dev, to));
                all
            }
            (Some(netns), action) => changes(place.name(), within(netns, action)),
            (None, _) => Vec::new(),
        };
        self.apply(&all)
    }

    /// A namespace as it is by now.
    pub(super) fn netns(&self, place: &Place) -> Option<&Netns> {
        netns_of(&self.snapshot, place)
    }

    fn apply(&mut self, changes: &[Change]) -> bool {
        self.snapshot.apply(changes);
        !changes.is_empty()
    }
}

/// The namespace of a place, where it was read.
pub(super) fn netns_of<'s>(snapshot: &'s Snapshot, place: &Place) -> Option<&'s Netns> {
    match place {
        Place::Host => snapshot.host.netns.seen(),
        Place::Netns(name) => snapshot.netns(name),
    }
}

/// An object before and after, in one namespace.
type Effect = (Option<Thing>, Option<Thing>);

fn changes(place: Option<&NetnsName>, effects: impl IntoIterator<Item = Effect>) -> Vec<Change> {
    effects.into_iter().map(|(before, after)| Change::new(place.cloned(), before, after)).collect()
}

/// What a step does that stays within its namespace.
fn within(netns: &Netns, action: &Action) -> Vec<Effect> {
    match action {
        Action::Add(Object::Addr(addr)) => addr::add(netns, addr),
        Action::Delete(Object::Addr(addr)) => addr::delete(netns, addr),
        Action::Add(Object::Rule(rule)) => add_rule(netns, rule).into_iter().collect(),
        Action::Delete(Object::Rule(rule)) => {
            let found = netns.rules().iter().find(|there| same_rule(there, rule));
            found.map(|there| gone(Thing::Rule(Box::new(there.clone())))).into_iter().collect()
        }
        Action::Add(Object::Route(route)) => route::add(netns, route).into_iter().collect(),
        Action::Delete(Object::Route(route)) => route::delete(netns, route).into_iter().collect(),
        Action::ReplaceRoute { to, .. } => route::replace(netns, to).into_iter().collect(),
        Action::Add(Object::Neigh(neigh)) => add_neigh(netns, neigh).into_iter().collect(),
        Action::Delete(Object::Neigh(neigh)) => {
            let found = netns.neighs().iter().find(|there| same_neigh(there, neigh));
            found.map(|there| gone(Thing::Neigh(there.clone()))).into_iter().collect()
        }
        Action::Sysctl { key, to, .. } => setting::write(netns, key, *to),
        _ => Vec::new(),
    }
}

fn gone(thing: Thing) -> Effect {
    (Some(thing), None)
}

fn come(thing: Thing) -> Effect {
    (None, Some(thing))
}

fn add_rule(netns: &Netns, rule: &Rule) -> Option<Effect> {
    if netns.rules().iter().any(|there| same_rule(there, rule)) {
        return None;
    }
    let is_there = |dev: &Option<crate::net::IfName>| dev.as_ref().is_none_or(|dev| netns.link(dev).is_some());
    let (iif_detached, oif_detached) = (!is_there(&rule.iif), !is_there(&rule.oif));
    Some(come(Thing::Rule(Box::new(Rule { iif_detached, oif_detached, ..rule.clone() }))))
}

/// The same rule to the kernel, whoever installed it.
fn same_rule(one: &Rule, other: &Rule) -> bool {
    let bare = |rule: &Rule| Rule { iif_detached: false, oif_detached: false, protocol: 0, ..rule.clone() };
    bare(one) == bare(other)
}

fn add_neigh(netns: &Netns, neigh: &Neigh) -> Option<Effect> {
    netns.link(&neigh.dev)?;
    let state = if neigh.proxy { NeighState::None } else { NeighState::Permanent };
    let neigh = Neigh { state, ..neigh.clone() };
    let before = netns.neighs().iter().find(|there| same_neigh(there, &neigh));
    (before != Some(&neigh)).then(|| (before.cloned().map(Thing::Neigh), Some(Thing::Neigh(neigh))))
}

fn same_neigh(one: &Neigh, other: &Neigh) -> bool {
    (&one.dev, one.address, one.proxy) == (&other.dev, other.address, other.proxy)
}
