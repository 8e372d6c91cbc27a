//! Whether a step can still be done as it was planned: the steps are gone
//! through, one after the other, on a fresh reading of the node.

use std::collections::BTreeSet;

use crate::net::netfilter::{Backend, Table};
use crate::net::{Netns, Snapshot};

use super::fit::{edit_is_so, is_so, link_is, must_tell, same_key, same_route, setting, table};
use super::simulate::Simulation;
use super::{Action, Place, Plan, TableEdit};

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
    /// Tables that earlier steps made: what the kernel puts into a new one
    /// beside our rules is its own choice.
    made: BTreeSet<(Place, Backend, String)>,
}

/// What is to be done about each step of a plan on the node as it is read.
pub fn due(plan: &Plan, snapshot: &Snapshot) -> Vec<Due> {
    let mut rehearsal = Rehearsal::of(snapshot);
    plan.steps.iter().map(|step| rehearsal.next(&step.netns, &step.action)).collect()
}

/// A table of the packet filter without counters and handles; `None` where
/// there is none. The error says why it could not be read.
pub fn table_of(netns: &Netns, edit: &TableEdit) -> Result<Option<Table>, String> {
    let unread = match (netns.netfilter.seen(), edit.backend) {
        (None, _) => Some(netns.netfilter.unreadable().unwrap_or("the packet filter was not read")),
        (Some(netfilter), Backend::Nft) => netfilter.nft.unreadable(),
        (Some(netfilter), Backend::Legacy) => netfilter.legacy.unreadable(),
    };
    match unread {
        Some(why) => Err(why.to_owned()),
        None => Ok(table(netns, edit).map(Table::settled)),
    }
}

impl Rehearsal {
    /// Before the first step.
    pub fn of(snapshot: &Snapshot) -> Self {
        Self { simulation: Simulation::of(snapshot), made: BTreeSet::new() }
    }

    /// The node as it is by now.
    pub fn snapshot(&self) -> &Snapshot {
        self.simulation.snapshot()
    }

    /// A table of the packet filter as it is by now, as [`table_of`] gives it;
    /// `None` where earlier steps made it.
    pub fn table(&self, place: &Place, edit: &TableEdit) -> Option<Result<Option<Table>, String>> {
        if self.made.contains(&(place.clone(), edit.backend, edit.table.clone())) {
            return None;
        }
        let unread = || Err(format!("{place} could not be read"));
        Some(place.seen(self.simulation.snapshot()).map_or_else(unread, |netns| table_of(netns, edit)))
    }

    /// The next step: what is to be done about it. It counts as done then.
    pub fn next(&mut self, place: &Place, action: &Action) -> Due {
        let snapshot = self.simulation.snapshot();
        let netns = place.seen(snapshot);
        if let Action::Netfilter(edit) = action {
            return self.edit(place, edit);
        }
        let is_written = netns.is_some_and(|netns| is_rounded_so(netns, action));
        if is_written || is_so(snapshot, place, netns, action) {
            return Due::Already;
        }
        if let Some(changed) = netns.and_then(|netns| otherwise(netns, action)) {
            return Due::Changed(changed);
        }
        if self.simulation.perform(place, action) || !must_tell(action) {
            return Due::Do;
        }
        Due::Changed(format!("this cannot be done any more in {place}: {}", action.sentence()))
    }

    /// All edits of a table are to be done, or none.
    fn edit(&mut self, place: &Place, edit: &TableEdit) -> Due {
        match self.table(place, edit) {
            Some(Err(why)) => return Due::Changed(format!("the table {} of {place}: {why}", edit.table)),
            Some(Ok(None)) => {
                self.made.insert((place.clone(), edit.backend, edit.table.clone()));
            }
            Some(Ok(Some(_))) | None => {}
        }
        let (mut any_so, mut any_due) = (false, false);
        for of_chain in &edit.edits {
            let netns = place.seen(self.simulation.snapshot());
            let is_so = edit_is_so(netns.and_then(|netns| table(netns, edit)), of_chain);
            let one = TableEdit { edits: vec![of_chain.clone()], ..edit.clone() };
            if !is_so && !self.simulation.perform(place, &Action::Netfilter(one)) {
                return Due::Changed(format!(
                    "the table {} of {place} is not as it was: no place for {of_chain}",
                    edit.table
                ));
            }
            any_so |= is_so;
            any_due |= !is_so;
        }
        match (any_so, any_due) {
            (_, false) => Due::Already,
            (false, true) => Due::Do,
            (true, true) => Due::Changed(format!("the table {} of {place} has some of it already", edit.table)),
        }
    }
}

/// What is not as the plan saw it, where the plan says what it saw.
fn otherwise(netns: &Netns, action: &Action) -> Option<String> {
    match action {
        Action::SetLink { dev, from: Some(from), .. } => {
            if netns.link(dev).is_none() {
                return Some(format!("the device {dev} is gone"));
            }
            (!link_is(netns, dev, from)).then(|| format!("{dev} is not as it was"))
        }
        Action::Sysctl { key, from: Some(from), .. } => {
            let now = setting(netns, key).filter(|now| now != from && !is_rounded(key, *from, *now))?;
            Some(format!("{key} is {now} by now, no longer {from}"))
        }
        Action::ReplaceRoute { to, from } => match (netns.routes().iter().find(|there| same_key(there, to)), from) {
            (None, None) => None,
            (Some(now), Some(from)) if same_route(now, from) => None,
            (Some(now), _) => Some(format!("the route is {now} by now")),
            (None, Some(from)) => Some(format!("the route {from} is gone")),
        },
        _ => None,
    }
}

/// A setting is what the step writes, as the kernel then tells it.
fn is_rounded_so(netns: &Netns, action: &Action) -> bool {
    let Action::Sysctl { key, to, .. } = action else { return false };
    setting(netns, key).is_some_and(|now| is_rounded(key, *to, now))
}

/// The kernel keeps this time in ticks of its own clock and rounds down, so that
/// what was written as 1 (hundredth of a second) reads 0 (`net/core/neighbour.c`).
fn is_rounded(key: &str, written: i64, now: i64) -> bool {
    key.starts_with("net.ipv4.neigh.") && key.ends_with("proxy_delay") && (written, now) == (1, 0)
}
