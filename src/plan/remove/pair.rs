//! The pair between a router and the fip namespace, taken away piece by piece,
//! so that the whole can be put back.

use crate::net::{FileName, IfName, Link, NeighState, Netns};
use crate::neutron::{LinkLocalPair, PairEntry, RouterPrefix};

use super::super::associate::Site;
use super::super::{Action, LinkSetting, Object, Place, Plan, Veth, VethEnd};
use super::{filter, lines};

/// `RTPROT_KERNEL`: goes and comes by itself.
const KERNEL: u8 = 2;
/// `RT_SCOPE_LINK`: an address that the kernel makes up for itself (IPv6).
const SCOPE_LINK: u8 = 253;

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
        routes_and_neighbours(plan, place, netns, dev);
    }
    for edit in filter::scopes(site, &rfp) {
        plan.push(&router, Action::Netfilter(edit));
    }
    for (place, netns, dev) in ends {
        addresses(plan, place, netns, dev);
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

fn routes_and_neighbours(plan: &mut Plan, place: &Place, netns: Option<&Netns>, dev: &IfName) {
    let Some(netns) = netns else { return };
    let own = netns.routes().iter().filter(|route| route.dev() == Some(dev) && route.protocol != KERNEL);
    for route in own {
        let is_done = plan.steps.iter().any(|step| step.action == Action::Delete(Object::Route(route.clone())));
        if !is_done {
            plan.push(place, Action::Delete(Object::Route(route.clone())));
        }
    }
    let set = |neigh: &&crate::net::Neigh| neigh.dev == *dev && neigh.state == NeighState::Permanent && !neigh.proxy;
    for neigh in netns.neighs().iter().filter(set) {
        plan.push(place, Action::Delete(Object::Neigh(neigh.clone())));
    }
}

fn addresses(plan: &mut Plan, place: &Place, netns: Option<&Netns>, dev: &IfName) {
    let Some(netns) = netns else { return };
    for addr in netns.addrs().iter().filter(|addr| addr.dev == *dev && addr.scope != SCOPE_LINK) {
        let is_done = plan.steps.iter().any(|step| step.action == Action::Delete(Object::Addr(addr.clone())));
        if !is_done {
            plan.push(place, Action::Delete(Object::Addr(addr.clone())));
        }
    }
    if netns.link(dev).is_some_and(Link::is_up) {
        let (to, from) = (LinkSetting::Up(false), Some(LinkSetting::Up(true)));
        plan.push(place, Action::SetLink { dev: dev.clone(), to, from });
    }
}
