//! A plan carried out on a snapshot: the steps, and what the kernel does by
//! itself because of them.
//!
//! Each step becomes the [`Change`]s that a watch of the node would report. A
//! step that the kernel would refuse (a second object of the same kind, a route
//! out of a device that is off) changes nothing. Modelled are the things that
//! plans are made of: namespaces, devices, addresses, rules, routes, neighbours,
//! settings of devices, settings below `/proc/sys`, the packet filter, the
//! agent's files, Open vSwitch's ports. What the kernel chooses for a new device
//! is made up. Of IPv6, what a device takes along when it is switched off; not
//! what it makes up when it is switched on.

mod addr;
mod device;
mod link;
mod namespace;
mod netfilter;
mod outside;
mod route;
mod setting;

use crate::net::{
    Change, ConntrackEntry, ConntrackTuple, IfName, Neigh, NeighState, Netns, NetnsName, Object as Thing, Observed,
    Rule, Snapshot,
};

use super::{Action, LinkSetting, Object, Place, Plan, Veth, VethEnd};

pub(super) use netfilter::{chain, parsed};
pub(super) use setting::sysctl_key;

/// The snapshot as it is when the plan has been carried out.
pub fn simulate(plan: &Plan, snapshot: &Snapshot) -> Snapshot {
    let mut simulation = Simulation::of(snapshot);
    for step in plan.to_do() {
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
                let effects = self.netns(place).map(|netns| netfilter::edit(netns, edit, of_chain));
                any |= self.apply(&changes(place.name(), effects.unwrap_or_default()));
            }
            return any;
        }
        if let Some(changes) = outside::change(&self.snapshot, action).or_else(|| self.whole(place, action)) {
            return self.apply(&changes);
        }
        if let Action::Move { dev, from, to } = action {
            return self.move_link(dev, from, to);
        }
        match action {
            Action::Forget { address } => {
                let has = |tuple: &ConntrackTuple| tuple.src == *address || tuple.dst == *address;
                return self.forget(place, |entry| has(&entry.original) || has(&entry.reply));
            }
            Action::ForgetConnection { original, zone } => {
                return self.forget(place, |entry| entry.original == *original && entry.zone == *zone);
            }
            // Nothing of it stays on the node.
            Action::Probe { .. } | Action::Announce { .. } => return true,
            _ => {}
        }
        let all = match (self.netns(place), action) {
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

    /// What a step does to a whole namespace or device; `None` for other steps.
    fn whole(&self, place: &Place, action: &Action) -> Option<Vec<Change>> {
        let snapshot = &self.snapshot;
        Some(match action {
            Action::Add(Object::Netns(name)) => namespace::add(snapshot, name),
            Action::Delete(Object::Netns(name)) => namespace::delete(snapshot, name),
            Action::Add(Object::Veth(pair)) => device::add_veth(snapshot, place, pair),
            Action::Add(Object::Bridge(name)) => device::add_bridge(snapshot, place, name),
            Action::Delete(Object::Veth(Veth { end: VethEnd { name, .. }, .. }) | Object::Bridge(name)) => {
                device::delete(snapshot, place.name(), name)
            }
            _ => return None,
        })
    }

    /// The snapshot so far.
    pub(super) fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// A namespace as it is by now.
    pub(super) fn netns(&self, place: &Place) -> Option<&Netns> {
        place.seen(&self.snapshot)
    }

    /// A device is switched off where it leaves.
    fn move_link(&mut self, dev: &IfName, from: &Place, to: &Place) -> bool {
        let off = Action::SetLink { dev: dev.clone(), to: LinkSetting::Up(false), from: None };
        if device::moved(&self.snapshot, dev, from, to).is_empty() {
            return false;
        }
        let was_on = self.perform(from, &off);
        self.apply(&device::moved(&self.snapshot, dev, from, to));
        if was_on && let Some(netns) = self.netns(to) {
            let here = link::Here { snapshot: &self.snapshot, place: to.name(), netns };
            let changes = link::other_end_looked_at(here, dev);
            self.apply(&changes);
        }
        true
    }

    /// False where none of the connections that were read is meant.
    fn forget(&mut self, place: &Place, is_meant: impl Fn(&ConntrackEntry) -> bool) -> bool {
        let netns = match place {
            Place::Host => self.snapshot.host.netns.make_mut(),
            Place::Netns(name) if !self.snapshot.namespaces.contains_key(name) => return false,
            Place::Netns(name) => self.snapshot.netns_mut(name),
        };
        let Some(Netns { conntrack: Some(Observed::Seen(entries)), .. }) = netns else { return true };
        let before = entries.len();
        entries.retain(|entry| !is_meant(entry));
        entries.len() < before
    }

    fn apply(&mut self, changes: &[Change]) -> bool {
        self.snapshot.apply(changes);
        !changes.is_empty()
    }
}

/// The namespace of a place, where it was read.
pub(super) fn netns_of<'s>(snapshot: &'s Snapshot, place: &Place) -> Option<&'s Netns> {
    match place {
        Place::Host => snapshot.netns_at(None),
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
pub(super) fn same_rule(one: &Rule, other: &Rule) -> bool {
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
