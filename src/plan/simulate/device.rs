//! Devices that come and go, and what the kernel takes along with them.

use std::collections::BTreeSet;

use crate::net::{
    Change, IfName, Ipv4Conf, Link, LinkStats, Mac, Netns, NetnsName, Object as Thing, Observed, OperState, Peer, Rule,
    Snapshot,
};

use super::super::{Place, Veth, VethEnd};
use super::link::{Here, peer_of};
use super::{Effect, changes, come, gone, netns_of};

/// `IFF_BROADCAST | IFF_MULTICAST`.
const ETHERNET: u32 = 0x1002;
const DEFAULT_MTU: u32 = 1500;

/// Both ends of a new pair, switched off.
pub(super) fn add_veth(snapshot: &Snapshot, place: &Place, pair: &Veth) -> Vec<Change> {
    let (Some(near), Some(far)) = (netns_of(snapshot, place), netns_of(snapshot, &pair.peer_netns)) else {
        return Vec::new();
    };
    let is_same = *place == pair.peer_netns;
    let is_taken = near.link(&pair.end.name).is_some() || far.link(&pair.peer.name).is_some();
    if is_taken || (is_same && pair.end.name == pair.peer.name) {
        return Vec::new();
    }
    let near_index = next_index(near);
    let far_index = if is_same { near_index.saturating_add(1) } else { next_index(far) };
    let peer = |place: &Place, index| match place {
        _ if is_same => Peer::Here(index),
        Place::Host => Peer::Host(index),
        Place::Netns(name) => Peer::In(name.clone(), index),
    };
    let ends = [
        (place, near, &pair.end, near_index, peer(&pair.peer_netns, far_index), far_index),
        (&pair.peer_netns, far, &pair.peer, far_index, peer(place, near_index), near_index),
    ];
    let mut all = Vec::new();
    for (place, netns, end, index, peer, other) in ends {
        let link = Link { peer: Some(peer), link: Some(other), ..veth(netns, end, index, place) };
        let link = Link { link_netnsid: (!is_same).then_some(0), ..link };
        let mut effects = vec![come(Thing::Link(Box::new(link)))];
        effects.extend(rules(netns, &end.name, false));
        all.extend(changes(place.name(), effects));
    }
    all
}

/// A device gone; of a pair, both ends.
pub(super) fn delete(snapshot: &Snapshot, place: &Place, name: &IfName) -> Vec<Change> {
    let Some(netns) = netns_of(snapshot, place) else { return Vec::new() };
    let place = place.name();
    let Some(link) = netns.link(name) else { return Vec::new() };
    let mut all = changes(place, taken_along(netns, link));
    if let Some((place, netns, peer)) = peer_of(Here { snapshot, place, netns }, link) {
        all.extend(changes(place, taken_along(netns, peer)));
    }
    all
}

/// A namespace gone, with the far ends of its pairs.
pub(super) fn delete_netns(snapshot: &Snapshot, name: &NetnsName) -> Vec<Change> {
    let Some(netns) = snapshot.netns(name) else { return Vec::new() };
    let here = Here { snapshot, place: Some(name), netns };
    let peers = netns.links().iter().filter_map(|link| peer_of(here, link));
    let mut all: Vec<Change> = peers
        .filter(|(place, ..)| *place != Some(name))
        .flat_map(|(place, netns, peer)| changes(place, taken_along(netns, peer)))
        .collect();
    all.push(Change::new(Some(name.clone()), Some(Thing::Netns(Box::new(Observed::Seen(netns.clone())))), None));
    all
}

fn next_index(netns: &Netns) -> u32 {
    netns.links().iter().map(|link| link.index).max().unwrap_or(0).saturating_add(1)
}

fn veth(netns: &Netns, end: &VethEnd, index: u32, place: &Place) -> Link {
    Link {
        index,
        name: end.name.clone(),
        kind: Some("veth".to_owned()),
        mac: end.mac.or_else(|| Some(stand_in(place, &end.name))),
        mtu: end.mtu.unwrap_or(DEFAULT_MTU),
        flags: ETHERNET,
        state: OperState::Down,
        stats: LinkStats::default(),
        link: None,
        link_netnsid: None,
        peer: None,
        master: None,
        group: 0,
        ipv4: conf(netns),
        qdiscs: Vec::new(),
        filters: Vec::new(),
    }
}

/// The namespace's defaults for devices. They are not read; the loopback device
/// was made with them, and forwarding is set for all at once.
fn conf(netns: &Netns) -> Option<Ipv4Conf> {
    let model = netns.links().iter().find(|link| link.is_loopback())?.ipv4?;
    let forwarding = netns.sysctl("net.ipv4.ip_forward").map_or(model.forwarding, |value| value != 0);
    Some(Ipv4Conf { forwarding, proxy_arp: false, ..model })
}

/// Stands for the address that the kernel will choose.
fn stand_in(place: &Place, name: &IfName) -> Mac {
    let words = format!("{place}/{name}");
    let hash = words.bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    let [a, b, c, d] = hash.to_be_bytes();
    Mac([0x02, 0x00, a, b, c, d])
}

/// A device with what stands on it.
fn taken_along(netns: &Netns, link: &Link) -> Vec<Effect> {
    let is_its = |dev: Option<&IfName>| dev == Some(&link.name);
    let addrs = netns.addrs().iter().filter(|addr| addr.dev == link.name);
    let mut effects: Vec<Effect> = vec![gone(Thing::Link(Box::new(link.clone())))];
    effects.extend(addrs.clone().map(|addr| gone(Thing::Addr(addr.clone()))));
    // Routes that would send from one of its addresses go as well.
    let stays = |address| netns.addrs().iter().any(|addr| addr.dev != link.name && addr.address.addr() == address);
    let lost: BTreeSet<_> = addrs.map(|addr| addr.address.addr()).filter(|address| !stays(*address)).collect();
    let routes = netns.routes().iter().filter(|route| {
        let all_out = !route.next_hops.is_empty() && route.next_hops.iter().all(|hop| is_its(hop.dev.as_ref()));
        let sends = route.table == crate::net::TableId::MAIN && route.pref_src.is_some_and(|src| lost.contains(&src));
        all_out || sends
    });
    effects.extend(routes.map(|route| gone(Thing::Route(Box::new(route.clone())))));
    let neighs = netns.neighs().iter().filter(|neigh| neigh.dev == link.name);
    effects.extend(neighs.map(|neigh| gone(Thing::Neigh(neigh.clone()))));
    effects.extend(rules(netns, &link.name, true));
    let its = [format!("net.ipv4.conf.{}.", link.name), format!("net.ipv4.neigh.{}.", link.name)];
    let sysctls = netns.sysctls.iter().filter(|(key, _)| its.iter().any(|start| key.starts_with(start)));
    effects.extend(sysctls.map(|(key, value)| gone(Thing::Sysctl(key.clone(), value.clone()))));
    effects
}

/// Rules that name the device find it, or lose it.
fn rules(netns: &Netns, name: &IfName, lose: bool) -> Vec<Effect> {
    let concerned = netns.rules().iter().filter(|rule| {
        let named = |dev: &Option<IfName>, detached| dev.as_ref() == Some(name) && detached != lose;
        named(&rule.iif, rule.iif_detached) || named(&rule.oif, rule.oif_detached)
    });
    let boxed = |rule: Rule| Some(Thing::Rule(Box::new(rule)));
    let change = |rule: &Rule| {
        let mut after = rule.clone();
        if after.iif.as_ref() == Some(name) {
            after.iif_detached = lose;
        }
        if after.oif.as_ref() == Some(name) {
            after.oif_detached = lose;
        }
        (boxed(rule.clone()), boxed(after))
    };
    concerned.map(change).collect()
}
