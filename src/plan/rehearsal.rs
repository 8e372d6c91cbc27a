//! Whether a step can still be done as it was planned: the steps are gone
//! through, one after the other, on a fresh reading of the node.

use std::collections::BTreeSet;

use crate::net::netfilter::{Backend, NfFamily, Table, parse_rule};
use crate::net::{IFF_UP, IfName, Link, Netns, NetnsName, Observed, Route, Snapshot};

use super::simulate::{Simulation, same_route};
use super::{Action, ChainEdit, LinkSetting, Object, Place, Plan, TableEdit, Undo};

/// What is to be done about a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Due {
    /// It is to be done.
    Do,
    /// It is so already.
    Already,
    /// The node is not as the plan has it; the text says in what.
    Changed(String),
}

/// A plan gone through on a reading of the node, step by step.
pub struct Rehearsal {
    simulation: Simulation,
    /// Namespaces that earlier steps made, and devices: what happens in them
    /// cannot be told from the reading.
    made: BTreeSet<NetnsName>,
    devices: BTreeSet<IfName>,
    /// Tables that were not there and are made by their first rule.
    tables: BTreeSet<(Place, Backend, String)>,
}

/// What is to be done about each step of a plan on the node as it is read.
pub fn due(plan: &Plan, snapshot: &Snapshot) -> Vec<Due> {
    let mut rehearsal = Rehearsal::of(snapshot);
    plan.steps.iter().map(|step| rehearsal.next(&step.netns, &step.action)).collect()
}

impl Rehearsal {
    /// Before the first step.
    pub fn of(snapshot: &Snapshot) -> Self {
        Self {
            simulation: Simulation::of(snapshot),
            made: BTreeSet::new(),
            devices: BTreeSet::new(),
            tables: BTreeSet::new(),
        }
    }

    /// The node as it is by now.
    pub fn snapshot(&self) -> &Snapshot {
        self.simulation.snapshot()
    }

    /// A table of the packet filter as it is by now, without counters and
    /// handles; `None` where it, or its namespace, was made by earlier steps.
    pub fn table(&self, place: &Place, edit: &TableEdit) -> Option<Result<Option<Table>, String>> {
        let is_new = self.tables.contains(&(place.clone(), edit.backend, edit.table.clone()));
        match self.netns(place) {
            _ if is_new => None,
            Some(netns) => Some(table_of(netns, edit)),
            None if place.name().is_some_and(|name| self.made.contains(name)) => None,
            None => Some(Err(format!("{place} could not be read"))),
        }
    }

    /// The next step: what is to be done about it. It counts as done then.
    pub fn next(&mut self, place: &Place, action: &Action) -> Due {
        let due = self.due(place, action);
        if due == Due::Do {
            self.remember(action);
        }
        due
    }

    fn due(&mut self, place: &Place, action: &Action) -> Due {
        if place.name().is_some_and(|name| self.made.contains(name)) && self.netns(place).is_none() {
            return Due::Do;
        }
        if let Action::Add(Object::Netns(name)) | Action::Delete(Object::Netns(name)) = action {
            let is_there = self.snapshot().namespaces.contains_key(name);
            let wanted = matches!(action, Action::Add(_));
            self.simulation.perform(place, action);
            return if is_there == wanted { Due::Already } else { Due::Do };
        }
        let Some(netns) = self.netns(place) else {
            return Due::Changed(format!("{place} is not there, or cannot be read"));
        };
        if let Action::Netfilter(edit) = action {
            return self.edit(place, edit);
        }
        if device(action).is_some_and(|dev| self.devices.contains(dev) && netns.link(dev).is_none()) {
            return Due::Do;
        }
        if let Some(changed) = otherwise(netns, action) {
            return Due::Changed(changed);
        }
        if self.simulation.perform(place, action) {
            return Due::Do;
        }
        match self.holds(place, action) {
            Some(true) => Due::Already,
            Some(false) => Due::Changed(format!("this cannot be done any more: {}", action.sentence())),
            // What the simulation does not know is left to the kernel.
            None => Due::Do,
        }
    }

    /// Whether what a step is to bring about is so; `None` where it cannot be
    /// told.
    fn holds(&self, place: &Place, action: &Action) -> Option<bool> {
        let netns = self.netns(place)?;
        match action {
            Action::Add(Object::Veth(pair)) => Some(netns.link(&pair.end.name).is_some()),
            Action::Add(Object::Bridge(name)) => Some(netns.link(name).is_some()),
            Action::Delete(Object::Veth(pair)) => Some(netns.link(&pair.end.name).is_none()),
            Action::Delete(Object::Bridge(name)) => Some(netns.link(name).is_none()),
            Action::SetLink { dev, to, .. } => netns.link(dev).map(|link| current(netns, link, to) == *to),
            Action::Sysctl { key, to, .. } => {
                let known = netns.sysctls.get(&key.replace('/', ".")).and_then(Observed::seen);
                known.map(|known| known == to)
            }
            Action::ReplaceRoute { to, .. } => Some(netns.routes().iter().any(|there| same_route(there, to))),
            _ => match action.inverse() {
                Undo::Action(back) => Some(self.simulation.would(place, &back)),
                Undo::Nothing(_) => None,
            },
        }
    }

    /// All edits of a table are to be done, or none.
    fn edit(&mut self, place: &Place, edit: &TableEdit) -> Due {
        match self.table(place, edit) {
            None => return Due::Do,
            Some(Ok(None)) => {
                self.tables.insert((place.clone(), edit.backend, edit.table.clone()));
                return Due::Do;
            }
            Some(Err(why)) => return Due::Changed(format!("the table {} of {place}: {why}", edit.table)),
            Some(Ok(Some(_))) => {}
        }
        let mut done = [0, 0];
        for of_chain in &edit.edits {
            let table = self.table(place, edit).and_then(Result::ok).flatten();
            let is_so = is_so(table.as_ref(), of_chain);
            let one = TableEdit { edits: vec![of_chain.clone()], ..edit.clone() };
            let does = !is_so && self.simulation.perform(place, &Action::Netfilter(one));
            match (is_so, does) {
                (true, _) => done[0] += 1,
                (false, true) => done[1] += 1,
                (false, false) => {
                    return Due::Changed(format!(
                        "the table {} of {place} is not as it was: no place for {of_chain}",
                        edit.table
                    ));
                }
            }
        }
        match done {
            [_, 0] => Due::Already,
            [0, _] => Due::Do,
            _ => Due::Changed(format!("the table {} of {place} has some of it already", edit.table)),
        }
    }

    fn netns(&self, place: &Place) -> Option<&Netns> {
        match place {
            Place::Host => self.snapshot().host.netns.seen(),
            Place::Netns(name) => self.snapshot().netns(name),
        }
    }

    fn remember(&mut self, action: &Action) {
        match action {
            Action::Add(Object::Netns(name)) => {
                self.made.insert(name.clone());
            }
            Action::Add(Object::Veth(pair)) => {
                self.devices.extend([pair.end.name.clone(), pair.peer.name.clone()]);
            }
            Action::Add(Object::Bridge(name)) => {
                self.devices.insert(name.clone());
            }
            _ => {}
        }
    }
}

/// A table without counters and handles; `None` where there is none.
pub fn table_of(netns: &Netns, edit: &TableEdit) -> Result<Option<Table>, String> {
    let unreadable = |why: Option<&str>| why.unwrap_or("it was not read").to_owned();
    let Some(netfilter) = netns.netfilter.seen() else { return Err(unreadable(netns.netfilter.unreadable())) };
    let tables = match edit.backend {
        Backend::Nft => &netfilter.nft,
        Backend::Legacy => &netfilter.legacy,
    };
    if let Some(why) = tables.unreadable() {
        return Err(why.to_owned());
    }
    let mut found = tables.seen().into_iter().flatten();
    Ok(found.find(|table| table.family == NfFamily::Ip && table.name == edit.table).map(Table::settled))
}

/// What is not as the plan saw it, where the plan says what it saw.
fn otherwise(netns: &Netns, action: &Action) -> Option<String> {
    match action {
        Action::SetLink { dev, to, from } => {
            let Some(link) = netns.link(dev) else { return Some(format!("the device {dev} is gone")) };
            let now = current(netns, link, to);
            let is_other = from.as_ref().is_some_and(|from| now != *from && now != *to);
            is_other.then(|| format!("{dev} is not as it was: {now:?}"))
        }
        Action::Sysctl { key, to, from: Some(from) } => {
            let now = netns.sysctl(&key.replace('/', "."))?;
            (now != *from && now != *to).then(|| format!("{key} is {now} by now, no longer {from}"))
        }
        Action::ReplaceRoute { to, from } => {
            let key = |route: &Route| (route.table, route.dst.trunc(), route.tos, route.metric);
            let now = netns.routes().iter().find(|there| key(there) == key(to));
            match (now, from) {
                (Some(now), _) if same_route(now, to) => None,
                (Some(now), Some(from)) if same_route(now, from) => None,
                (None, None) => None,
                (Some(now), _) => Some(format!("the route is {now} by now")),
                (None, Some(from)) => Some(format!("the route {from} is gone")),
            }
        }
        _ => None,
    }
}

/// The setting of a device as it is, of the kind that a step sets.
fn current(netns: &Netns, link: &Link, kind: &LinkSetting) -> LinkSetting {
    match kind {
        LinkSetting::Up(_) => LinkSetting::Up(link.flags & IFF_UP != 0),
        LinkSetting::Mtu(_) => LinkSetting::Mtu(link.mtu),
        LinkSetting::Mac(mac) => LinkSetting::Mac(link.mac.unwrap_or(*mac)),
        LinkSetting::Master(_) => {
            LinkSetting::Master(link.master.and_then(|index| {
                netns.links().iter().find(|other| other.index == index).map(|other| other.name.clone())
            }))
        }
    }
}

fn device(action: &Action) -> Option<&IfName> {
    match action {
        Action::Add(object) | Action::Delete(object) => match object {
            Object::Addr(addr) => Some(&addr.dev),
            Object::Route(route) => route.dev(),
            Object::Neigh(neigh) => Some(&neigh.dev),
            _ => None,
        },
        Action::SetLink { dev, .. } => Some(dev),
        Action::ReplaceRoute { to, .. } => to.dev(),
        _ => None,
    }
}

/// Whether one edit finds its end reached.
fn is_so(table: Option<&Table>, edit: &ChainEdit) -> bool {
    let has = |chain: &str, words: &str| {
        let Ok((_, rule)) = parse_rule(&format!("-A {chain} {words}")) else { return false };
        let chain = table.and_then(|table| table.chain(chain));
        chain.is_some_and(|chain| chain.rules.iter().any(|there| there.body == rule.body))
    };
    match edit {
        ChainEdit::NewChain(name) => table.is_some_and(|table| table.chain(name).is_some()),
        ChainEdit::DropChain(name) => table.is_none_or(|table| table.chain(name).is_none()),
        ChainEdit::Add { chain, rule, .. } => has(chain, rule),
        ChainEdit::Delete { chain, rule, .. } => !has(chain, rule),
    }
}
