//! Findings' repairs as one plan.
//!
//! A finding says what mends it as changes of objects; here they become steps,
//! in an order in which nothing is announced before it works and nothing goes
//! on being announced after it stopped working: a floating IP's route makes the
//! node answer ARP for it, so it goes first and comes late.

mod convert;
mod mending;
mod position;
mod shown;
mod veth;

use crate::check::{Applicability, Finding};
use crate::net::netfilter::RuleBody;
use crate::net::{NetnsName, Snapshot};
use crate::neutron::{NamespaceKind, parse_namespace};

use super::simulate::{Simulation, netns_of};
use super::{Action, Object, Place, Plan, Undo, bare, overwritten};
use convert::Converted;
pub use mending::{Mending, roots};
use position::Chains;
pub use shown::{Piece, Shown, pieces_of};

/// A step to be, and the rules of its chain that a new rule goes before.
struct Draft {
    place: Place,
    action: Action,
    behind: Vec<RuleBody>,
}

/// The steps that mend these findings, root causes first within what the order
/// of steps leaves free. What is so already, or comes to be so by an earlier
/// step, is left out. Give a finding together with those that follow from it
/// ([`together`]): the kernel brings not everything back by itself.
pub fn plan(findings: &[&Finding], snapshot: &Snapshot) -> Plan {
    let mut steps: Vec<Draft> = Vec::new();
    for finding in ordered(findings) {
        let mut chains = Chains::of(snapshot);
        for change in &finding.mend {
            let behind = chains.follow(change);
            if let Converted::Steps(actions) = convert::convert(change, &finding.mend, snapshot) {
                let place = change.netns.clone().map_or(Place::Host, Place::Netns);
                let draft = |action| Draft { place: place.clone(), action, behind: behind.clone() };
                steps.extend(actions.into_iter().map(draft));
            }
        }
    }
    // Stable: what one finding lists in an order stays so where the stage is one.
    steps.sort_by_key(|step| stage(&step.place, &step.action));
    let mut plan = Plan::new(intent(findings));
    let mut simulation = Simulation::of(snapshot);
    for Draft { place, mut action, behind } in steps {
        let is_new = position::place(&mut action, &behind, netns_of(snapshot, &place), simulation.netns(&place));
        let all = if is_new { bared(&simulation, &place, action) } else { Vec::new() };
        for (place, action) in all {
            let old = simulation.netns(&place).and_then(|netns| overwritten(netns, &action)).cloned();
            if !simulation.perform(&place, &action) {
                continue;
            }
            plan.push(&place, action);
            if let (Some(old), Some(step)) = (old, plan.steps.last_mut()) {
                step.undo = Undo::Action(Action::Add(Object::Neigh(old)));
            }
        }
    }
    plan.gathered()
}

/// What mends these findings and is no step of a plan, in sentences: lines of
/// the agent's files, objects that the agent has to make.
pub fn by_hand(findings: &[&Finding], snapshot: &Snapshot) -> Vec<String> {
    let mut sentences = Vec::new();
    let all = ordered(findings).into_iter();
    for (change, mend) in all.flat_map(|finding| finding.mend.iter().map(|change| (change, &finding.mend))) {
        if let Converted::ByHand = convert::convert(change, mend, snapshot) {
            let sentence = convert::sentence(change, snapshot);
            if !sentences.contains(&sentence) {
                sentences.push(sentence);
            }
        }
    }
    sentences
}

/// A finding and those that follow from it, however far. What follows from one
/// that is mended elsewhere cannot be mended before it.
pub fn together<'f>(root: &'f Finding, all: &'f [Finding]) -> Vec<&'f Finding> {
    let mut found = vec![root];
    if root.applicability == Applicability::DisplayOnly {
        return found;
    }
    let mut at = 0;
    while let Some(cause) = found.get(at) {
        let id = cause.id.as_str();
        let more = all.iter().filter(|finding| finding.because_of.as_deref() == Some(id));
        let more: Vec<&Finding> = more.filter(|finding| !found.iter().any(|known| known.id == finding.id)).collect();
        found.extend(more);
        at += 1;
    }
    found
}

fn ordered<'f>(findings: &[&'f Finding]) -> Vec<&'f Finding> {
    let mut ordered = findings.to_vec();
    ordered.sort_by_key(|finding| finding.because_of.is_some());
    ordered
}

fn intent(findings: &[&Finding]) -> String {
    match findings {
        [] => "Nothing to mend".to_owned(),
        [one] => format!("Mend {} {}", one.code, one.name),
        [first, others @ ..] => format!("Mend {} {} and {} more", first.code, first.name, others.len()),
    }
}

/// An action; before that, where it takes a device away, what takes away all that
/// stands on it, and on the other end of its pair.
fn bared(simulation: &Simulation, place: &Place, action: Action) -> Vec<(Place, Action)> {
    let ends = match &action {
        Action::Delete(Object::Veth(pair)) => vec![(place, &pair.end.name), (&pair.peer_netns, &pair.peer.name)],
        Action::Move { dev, from, .. } => vec![(from, dev)],
        _ => Vec::new(),
    };
    let mut all = Vec::new();
    for of in [bare::routes_and_neighbours, bare::addresses] {
        for (place, dev) in &ends {
            let actions = simulation.netns(place).map(|netns| of(netns, dev)).unwrap_or_default();
            all.extend(actions.into_iter().map(|action| ((*place).clone(), action)));
        }
    }
    all.push((place.clone(), action));
    all
}

/// Where in the order a step belongs.
fn stage(place: &Place, action: &Action) -> u8 {
    match action {
        Action::Delete(Object::Route(_)) => 0,
        Action::Delete(Object::Rule(_)) => 1,
        Action::Delete(_) => 2,
        // Devices before what is set of them, where one finding lists both.
        Action::Add(Object::Netns(_) | Object::Veth(_) | Object::Bridge(_))
        | Action::SetLink { .. }
        | Action::Move { .. }
        | Action::Sysctl { .. } => 3,
        Action::Add(Object::Neigh(_)) => 5,
        Action::Add(Object::Route(route)) | Action::ReplaceRoute { to: route, .. } => {
            let is_host = route.dst.prefix_len() == route.dst.max_prefix_len();
            if is_host && place.name().is_some_and(is_fip_namespace) { 9 } else { 6 }
        }
        Action::Add(Object::Rule(_)) => 7,
        Action::Netfilter(_) => 8,
        // Asked before anything of the address is there.
        Action::Add(_) | Action::Probe { .. } => 4,
        Action::Forget { .. } | Action::ForgetConnection { .. } => 10,
        Action::Announce { .. } => 11,
    }
}

fn is_fip_namespace(name: &NetnsName) -> bool {
    matches!(parse_namespace(name), Some((NamespaceKind::Fip, _)))
}
