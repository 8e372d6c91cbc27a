//! The pair between a router and the fip namespace, taken away piece by piece,
//! so that the whole can be put back.

use crate::net::{FileName, Link};
use crate::neutron::{Layout, LinkLocalPair, PairEntry, RouterPrefix};

use super::super::associate::Site;
use super::super::{Action, AgentWill, Object, Place, Plan, Step, Veth, VethEnd, bare};
use super::{filter, lines};

/// Adds the steps; nothing where the router has no pair.
pub(super) fn steps(plan: &mut Plan, site: &Site<'_>) {
    let prefix = RouterPrefix::of(&site.router.id);
    let (rfp, fpr) = (prefix.rfp(), prefix.fpr());
    let (router, fip) = (site.router_place(), site.fip_place());
    if let Some(outer) = site.outer {
        for rule in outer.rules().iter().filter(|rule| rule.iif.as_ref() == Some(&fpr)) {
            plan.push(&fip, Action::Delete(Object::Rule(rule.clone())));
        }
        let pair = site.router.fip_2_rtr.as_ref().and_then(|end| LinkLocalPair::of_net(end.address?));
        for route in outer.routes().iter().filter(|route| pair.is_some_and(|pair| route.table == pair.table())) {
            plan.push(&fip, Action::Delete(Object::Route(route.clone())));
        }
    }
    let ends = [(&router, Some(site.inner), &rfp), (&fip, site.outer, &fpr)];
    for (place, netns, dev) in ends {
        all(plan, place, netns.map(|netns| bare::routes_and_neighbours(netns, dev)).unwrap_or_default());
    }
    for edit in filter::scopes(site, &rfp) {
        plan.push(&router, Action::Netfilter(edit));
    }
    for (place, netns, dev) in ends {
        all(plan, place, netns.map(|netns| bare::addresses(netns, dev)).unwrap_or_default());
    }
    if let (Some(end), Some(peer)) = (site.inner.link(&rfp), site.outer.and_then(|netns| netns.link(&fpr))) {
        let whole = |link: &Link| VethEnd { name: link.name.clone(), mac: link.mac, mtu: Some(link.mtu) };
        let veth = Veth { end: whole(end), peer_netns: fip.clone(), peer: whole(peer) };
        plan.push(&router, Action::Delete(Object::Veth(veth)));
    }
    if !site.agent_may_run() {
        let id = &site.router.id;
        lines(plan, site, FileName::LinkLocal, |line| line.parse().is_ok_and(|entry: PairEntry| entry.router == *id));
    }
}

/// What the agent does to what became of the pair, where Neutron dropped the
/// floating IP: from Pike on it stands as long as the router has a gateway, and is
/// made again. Older agents took it along themselves.
pub(super) fn foretell(plan: &mut Plan, of_pair: &[Step], site: &Site<'_>) {
    if of_pair.is_empty() || site.router.layout != Some(Layout::Pike) {
        return;
    }
    let when = if site.agent_may_run() { AgentWill::UndoAtUpdate } else { AgentWill::UndoAtRestart };
    let is_its = |step: &Step| of_pair.iter().any(|own| own.netns == step.netns && is_part(&step.action, &own.action));
    for step in plan.steps.iter_mut().filter(|step| !step.already).filter(|step| is_its(step)) {
        step.agent = Some(when);
    }
    plan.warnings.push(
        "The pair does not stay away: the L3 agent makes it again, as long as the router has a gateway.".to_owned(),
    );
}

/// An action is another one, or some of its edits.
fn is_part(action: &Action, whole: &Action) -> bool {
    match (action, whole) {
        (Action::Netfilter(edit), Action::Netfilter(whole)) => {
            edit.table == whole.table && edit.edits.iter().all(|one| whole.edits.contains(one))
        }
        (action, whole) => action == whole,
    }
}

/// What cannot be put back.
pub(super) fn warnings(site: &Site<'_>) -> Vec<String> {
    let rfp = RouterPrefix::of(&site.router.id).rfp();
    let shaped =
        |link: &&Link| link.qdiscs.iter().any(|qdisc| !["noqueue", "pfifo_fast"].contains(&qdisc.kind.as_str()));
    let found = site.inner.link(&rfp).filter(shaped);
    found
        .map(|_| format!("{rfp} limits traffic (QoS): that goes with it, and undoing does not bring it back."))
        .into_iter()
        .collect()
}

/// Adds what is not done by an earlier step.
fn all(plan: &mut Plan, place: &Place, actions: Vec<Action>) {
    for action in actions {
        if !plan.steps.iter().any(|step| step.action == action) {
            plan.push(place, action);
        }
    }
}
