//! Devices switched on and off, and what they take along and bring back
//! (`fib_netdev_event`, `arp_netdev_event`, `veth_open` and `veth_close`).

use std::net::Ipv4Addr;

use ipnet::{IpNet, Ipv4Net};

use crate::net::{
    Addr, AddrFlags, Change, IFF_LOWER_UP, IFF_UP, IfName, Link, NetnsName, Object as Thing, OperState, Peer, Qdisc,
};
use crate::net::{NeighState, Netns, Snapshot};

use super::super::LinkSetting;
use super::addr::{self, SCOPE_HOST};
use super::{Effect, changes, come, gone};

/// `IFF_RUNNING`: it carries packets, as the driver says.
const IFF_RUNNING: u32 = 0x40;
const CARRIES: u32 = IFF_LOWER_UP | IFF_RUNNING;
/// Kinds of devices that have no queue.
const VIRTUAL: [&str; 3] = ["veth", "bridge", "openvswitch"];

/// Where a step happens.
#[derive(Clone, Copy)]
pub(super) struct Here<'s> {
    pub(super) snapshot: &'s Snapshot,
    pub(super) place: Option<&'s NetnsName>,
    pub(super) netns: &'s Netns,
}

/// What a setting of a device does in its own namespace.
pub(super) fn set(here: Here<'_>, dev: &IfName, to: &LinkSetting) -> Vec<Effect> {
    let netns = here.netns;
    let Some(link) = netns.link(dev) else { return Vec::new() };
    let mut after = link.clone();
    match to {
        LinkSetting::Mtu(mtu) => after.mtu = *mtu,
        LinkSetting::Mac(mac) => after.mac = Some(*mac),
        LinkSetting::Master(bridge) => {
            after.master = bridge.as_ref().and_then(|bridge| netns.link(bridge)).map(|bridge| bridge.index);
        }
        LinkSetting::Up(_) => {}
    }
    if after != *link {
        let mut effects = vec![became(link, after)];
        if let LinkSetting::Mac(_) = to {
            // `neigh_changeaddr`: even permanent ones are forgotten.
            let known = addr::neighbours(netns, link, false).into_iter();
            effects.extend(known.filter(|(before, _)| !matches!(before, Some(Thing::Neigh(neigh)) if neigh.proxy)));
        }
        return effects;
    }
    match (to, link.flags & IFF_UP != 0) {
        (LinkSetting::Up(true), false) => on(here, link),
        (LinkSetting::Up(false), true) => off(netns, link),
        _ => Vec::new(),
    }
}

/// What it does to the other end of a veth pair.
pub(super) fn other_end(here: Here<'_>, dev: &IfName, to: &LinkSetting) -> Vec<Change> {
    let (Some(link), LinkSetting::Up(up)) = (here.netns.link(dev), to) else { return Vec::new() };
    let Some((place, netns, peer)) = peer_of(here, link) else { return Vec::new() };
    let carries = *up && peer.flags & IFF_UP != 0;
    if peer.flags & IFF_UP == 0 || carries == (peer.flags & IFF_LOWER_UP != 0) {
        return Vec::new();
    }
    let after = carrying(netns, peer, carries);
    let mut effects = linkdown(netns, &after);
    effects.insert(0, became(peer, after));
    if !carries {
        // `neigh_carrier_down`.
        let learned = netns.neighs().iter().filter(|neigh| neigh.dev == peer.name && !neigh.proxy);
        let learned = learned.filter(|neigh| neigh.state != NeighState::Permanent);
        effects.extend(learned.map(|neigh| gone(Thing::Neigh(neigh.clone()))));
    }
    changes(place, effects)
}

/// Why the other end of a pair has no signal is found out when all is done: the
/// device that took it may stand elsewhere by then.
pub(super) fn other_end_looked_at(here: Here<'_>, dev: &IfName) -> Vec<Change> {
    let Some((place, netns, peer)) = here.netns.link(dev).and_then(|link| peer_of(here, link)) else {
        return Vec::new();
    };
    let after = carrying(netns, peer, false);
    if peer.flags & IFF_UP == 0 || after == *peer { Vec::new() } else { changes(place, [became(peer, after)]) }
}

fn on(here: Here<'_>, link: &Link) -> Vec<Effect> {
    let netns = here.netns;
    // One whose other end we cannot see is taken to have a signal.
    let carries = peer_of(here, link).is_none_or(|(_, _, peer)| peer.flags & IFF_UP != 0);
    let mut after = carrying(netns, link, carries);
    after.flags |= IFF_UP;
    let is_virtual = link.is_loopback() || link.kind.as_deref().is_some_and(|kind| VIRTUAL.contains(&kind));
    if is_virtual && link.qdiscs.is_empty() {
        // Nothing stands at its root before it is switched on for the first time
        // (`attach_default_qdiscs` of `net/sched/sch_generic.c`).
        after.qdiscs.push(Qdisc { kind: "noqueue".to_owned(), handle: 0, parent: u32::MAX });
    }
    let mut addrs: Vec<Addr> = addr::of(netns, link).cloned().collect();
    let mut effects = Vec::new();
    if link.is_loopback() && addrs.is_empty() {
        // `inetdev_event`: it comes with its address.
        addrs.push(loopback(&link.name));
        effects.extend(addrs.iter().map(|addr| come(Thing::Addr(addr.clone()))));
    }
    let made = addr::made(&after, &addrs);
    effects.insert(0, became(link, after));
    effects.extend(addr::missing(netns, made));
    effects
}

fn loopback(dev: &IfName) -> Addr {
    let address = IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::LOCALHOST, 8));
    let flags = AddrFlags::default();
    Addr { dev: dev.clone(), address, peer: None, broadcast: None, scope: SCOPE_HOST, flags }
}

fn off(netns: &Netns, link: &Link) -> Vec<Effect> {
    let mut after = link.clone();
    after.flags &= !(IFF_UP | CARRIES);
    after.state = OperState::Down;
    let mut effects = vec![became(link, after)];
    // Addresses stay, and what is delivered to the node itself.
    effects.extend(addr::routes(netns, link, |route| route.scope != SCOPE_HOST));
    effects.extend(addr::neighbours(netns, link, false));
    let six = netns.routes().iter().filter(|route| route.dst.addr().is_ipv6() && route.dev() == Some(&link.name));
    effects.extend(six.map(|route| gone(Thing::Route(Box::new(route.clone())))));
    let six = addr::of(netns, link).filter(|addr| addr.address.addr().is_ipv6());
    effects.extend(six.map(|addr| gone(Thing::Addr(addr.clone()))));
    effects
}

/// The device with a signal, or without. Why it has none the kernel finds out
/// by the other end's index, in the wrong namespace where the two are in
/// different ones (`default_operstate` of `net/core/link_watch.c`).
fn carrying(netns: &Netns, link: &Link, carries: bool) -> Link {
    let is_veth = link.kind.as_deref() == Some("veth");
    let taken_for_peer = netns.links().iter().find(|other| Some(other.index) == link.link && other.index != link.index);
    let is_here = matches!(link.peer, Some(Peer::Here(_)));
    let peer_is_off = taken_for_peer.is_some_and(|peer| is_here || peer.flags & IFF_LOWER_UP == 0);
    let mut after = link.clone();
    (after.flags, after.state) = match carries {
        true if is_veth => (link.flags | CARRIES, OperState::Up),
        true => (link.flags | CARRIES, OperState::Unknown),
        false if peer_is_off => (link.flags & !CARRIES, OperState::Lowerlayerdown),
        false => (link.flags & !CARRIES, OperState::Down),
    };
    after
}

/// The routes of a device whose signal comes or goes: they stay, marked.
fn linkdown(netns: &Netns, after: &Link) -> Vec<Effect> {
    let carries = after.flags & IFF_LOWER_UP != 0;
    let is_its = |dev: &Option<IfName>| dev.as_ref() == Some(&after.name);
    let all = netns.routes().iter().filter(|route| route.dst.addr().is_ipv4() && route.scope != SCOPE_HOST);
    let its = all.filter(|route| route.next_hops.iter().any(|hop| is_its(&hop.dev) && hop.linkdown == carries));
    let marked = its.map(|route| {
        let mut marked = route.clone();
        for hop in marked.next_hops.iter_mut().filter(|hop| is_its(&hop.dev)) {
            hop.linkdown = !carries;
        }
        (Some(Thing::Route(Box::new(route.clone()))), Some(Thing::Route(Box::new(marked))))
    });
    marked.collect()
}

fn became(before: &Link, after: Link) -> Effect {
    (Some(Thing::Link(Box::new(before.clone()))), Some(Thing::Link(Box::new(after))))
}

/// The other end, where it was read: its namespace and itself.
pub(super) fn peer_of<'s>(here: Here<'s>, link: &Link) -> Option<(Option<&'s NetnsName>, &'s Netns, &'s Link)> {
    let (place, netns, index) = match link.peer.as_ref()? {
        Peer::In(name, index) => {
            let (name, netns) = here.snapshot.namespaces.get_key_value(name)?;
            (Some(name), netns.seen()?.as_ref(), *index)
        }
        Peer::Host(index) => (None, here.snapshot.netns_at(None)?, *index),
        Peer::Here(index) => (here.place, here.netns, *index),
        Peer::Elsewhere => return None,
    };
    netns.links().iter().find(|peer| peer.index == index).map(|peer| (place, netns, peer))
}
