//! Devices that come and go, and what goes with them (`unregister_netdevice`).

use std::net::IpAddr;

use crate::net::{
    Change, IfName, Ipv4Conf, Link, Mac, Netns, NetnsName, Object as Thing, Observed, OperState, Peer, Rule, Snapshot,
};
use crate::neutron::DeviceKind;

use super::super::{Place, SwitchPort, Veth, VethEnd};
use super::{Effect, come, gone};

/// `IFF_BROADCAST` and `IFF_MULTICAST`: a device that is off.
const OFF: u32 = 0x1002;
const MTU: u32 = 1500;
/// What the kernel waits, in hundredths of a second, before it answers for another.
const PROXY_DELAY: i64 = 80;

/// A veth pair, both ends off.
pub(super) fn add_veth(snapshot: &Snapshot, place: &Place, pair: &Veth) -> Vec<Change> {
    let (Some(here), Some(there)) = (place.seen(snapshot), pair.peer_netns.seen(snapshot)) else { return Vec::new() };
    if here.link(&pair.end.name).is_some() || there.link(&pair.peer.name).is_some() {
        return Vec::new();
    }
    let index = free_index(here, 0);
    let peer_index = free_index(there, u32::from(*place == pair.peer_netns));
    let end = |netns: &Netns, end: &VethEnd, index: u32, other: u32, peer: Peer| {
        let apart = !matches!(peer, Peer::Here(_));
        let link = device(netns, &end.name, "veth", index);
        Link {
            mac: Some(end.mac.unwrap_or_else(|| made_up(&end.name))),
            mtu: end.mtu.unwrap_or(MTU),
            link: Some(other),
            link_netnsid: apart.then_some(0),
            peer: Some(peer),
            ..link
        }
    };
    let one = end(here, &pair.end, index, peer_index, points_at(&pair.peer_netns, peer_index, place));
    let other = end(there, &pair.peer, peer_index, index, points_at(place, index, &pair.peer_netns));
    let mut changes = registered(here, place, one);
    changes.extend(registered(there, &pair.peer_netns, other));
    changes
}

/// A bridge.
pub(super) fn add_bridge(snapshot: &Snapshot, place: &Place, name: &IfName) -> Vec<Change> {
    match place.seen(snapshot) {
        Some(netns) if netns.link(name).is_none() => {
            let link = Link { mac: Some(made_up(name)), ..device(netns, name, "bridge", free_index(netns, 0)) };
            registered(netns, place, link)
        }
        _ => Vec::new(),
    }
}

/// The device of a port that Open vSwitch makes, where it is put.
pub(super) fn add_internal(snapshot: &Snapshot, port: &SwitchPort) -> Vec<Change> {
    match port.netns.seen(snapshot) {
        Some(netns) if port.internal && netns.link(&port.name).is_none() => {
            let link = device(netns, &port.name, "openvswitch", free_index(netns, 0));
            let mac = Some(port.mac.unwrap_or_else(|| made_up(&port.name)));
            registered(netns, &port.netns, Link { mac, mtu: port.mtu.unwrap_or(MTU), ..link })
        }
        _ => Vec::new(),
    }
}

/// A device that is off goes to another namespace, and loses what stood on it and
/// its bridge (`dev_change_net_namespace`). It keeps its index where that is free.
pub(super) fn moved(snapshot: &Snapshot, name: &IfName, from: &Place, to: &Place) -> Vec<Change> {
    let (Some(here), Some(there)) = (from.seen(snapshot), to.seen(snapshot)) else { return Vec::new() };
    let Some(link) = here.link(name).filter(|_| from != to && there.link(name).is_none()) else { return Vec::new() };
    let is_taken = there.links().iter().any(|other| other.index == link.index);
    let index = if is_taken { free_index(there, 0) } else { link.index };
    let other = other_end(link, from);
    let arrived = Link {
        mac: link.mac,
        mtu: link.mtu,
        link: link.link,
        link_netnsid: other.as_ref().filter(|(place, _)| place != to).map(|_| 0),
        peer: other.as_ref().map_or_else(|| link.peer.clone(), |(place, index)| Some(points_at(place, *index, to))),
        ..device(there, name, link.kind.as_deref().unwrap_or_default(), index)
    };
    let mut changes = unregistered(here, from, link);
    changes.extend(registered(there, to, Link { kind: link.kind.clone(), ..arrived }));
    let peer = other.and_then(|(place, at)| {
        let peer = place.seen(snapshot)?.links().iter().find(|peer| peer.index == at)?;
        let link_netnsid = (place != *to).then_some(0);
        let after = Link { link: Some(index), link_netnsid, peer: Some(points_at(to, index, &place)), ..peer.clone() };
        let boxed = |link: Link| Some(Thing::Link(Box::new(link)));
        Some(Change::new(place.name().cloned(), boxed(peer.clone()), boxed(after)))
    });
    changes.extend(peer);
    changes
}

/// Where the other end of a pair stands, and its index.
fn other_end(link: &Link, here: &Place) -> Option<(Place, u32)> {
    match link.peer.as_ref()? {
        Peer::In(name, index) => Some((Place::Netns(name.clone()), *index)),
        Peer::Host(index) => Some((Place::Host, *index)),
        Peer::Here(index) => Some((here.clone(), *index)),
        Peer::Elsewhere => None,
    }
}

/// An end in `other`, as it is seen from another place.
fn points_at(other: &Place, index: u32, from: &Place) -> Peer {
    match other {
        same if same == from => Peer::Here(index),
        Place::Host => Peer::Host(index),
        Place::Netns(name) => Peer::In(name.clone(), index),
    }
}

/// A device goes, with everything on it and with the other end of its pair.
pub(super) fn delete(snapshot: &Snapshot, place: Option<&NetnsName>, name: &IfName) -> Vec<Change> {
    let here = place.cloned().map_or(Place::Host, Place::Netns);
    let Some(netns) = here.seen(snapshot) else { return Vec::new() };
    let Some(link) = netns.link(name) else { return Vec::new() };
    let other = other_end(link, &here);
    let mut changes = unregistered(netns, &here, link);
    if let Some((there, index)) = other
        && let Some(netns) = there.seen(snapshot)
        && let Some(peer) = netns.links().iter().find(|peer| peer.index == index)
    {
        changes.extend(unregistered(netns, &there, peer));
    }
    changes
}

fn free_index(netns: &Netns, beyond: u32) -> u32 {
    netns.links().iter().map(|link| link.index).max().unwrap_or(0) + 1 + beyond
}

fn device(netns: &Netns, name: &IfName, kind: &str, index: u32) -> Link {
    let forwarding = netns.sysctl("net.ipv4.ip_forward") == Some(1);
    Link {
        kind: Some(kind.to_owned()),
        mtu: MTU,
        flags: OFF,
        state: OperState::Down,
        ipv4: Some(Ipv4Conf { forwarding, send_redirects: true, ..Ipv4Conf::default() }),
        ..Link::new(index, name.clone())
    }
}

/// A hardware address where the kernel would choose one: local, of one device.
fn made_up(name: &IfName) -> Mac {
    let sum = name.as_str().bytes().fold(7_u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
    let [a, b, c, d] = sum.to_be_bytes();
    Mac([0x02, 0, a, b, c, d])
}

/// Rules that name the device begin to match; a gateway port has a setting of
/// its own that is read.
fn registered(netns: &Netns, place: &Place, link: Link) -> Vec<Change> {
    let mut effects = rules(netns, &link.name, false);
    effects.extend(proxy_delay(&link.name).map(|name| come(Thing::Sysctl(name, Observed::Seen(PROXY_DELAY)))));
    effects.insert(0, come(Thing::Link(Box::new(link))));
    super::changes(place.name(), effects)
}

fn unregistered(netns: &Netns, place: &Place, link: &Link) -> Vec<Change> {
    let name = &link.name;
    let mut effects = rules(netns, name, true);
    let routes = netns.routes().iter().filter(|route| route.next_hops.iter().any(|hop| hop.dev.as_ref() == Some(name)));
    effects.extend(routes.map(|route| gone(Thing::Route(Box::new(route.clone())))));
    let neighs = netns.neighs().iter().filter(|neigh| neigh.dev == *name);
    effects.extend(neighs.map(|neigh| gone(Thing::Neigh(neigh.clone()))));
    let own: Vec<_> = netns.addrs().iter().filter(|addr| addr.dev == *name).collect();
    let lost =
        |source: Option<IpAddr>| source.is_some_and(|source| own.iter().any(|addr| addr.address.addr() == source));
    let from_it = netns.routes().iter().filter(|route| lost(route.pref_src) && route.dev() != Some(name));
    effects.extend(from_it.map(|route| gone(Thing::Route(Box::new(route.clone())))));
    effects.extend(own.iter().map(|addr| gone(Thing::Addr((*addr).clone()))));
    let setting = proxy_delay(name).filter(|setting| netns.sysctls.contains_key(setting));
    effects.extend(setting.map(|setting| {
        let value = netns.sysctls.get(&setting).cloned().unwrap_or_default();
        gone(Thing::Sysctl(setting, value))
    }));
    effects.push(gone(Thing::Link(Box::new(link.clone()))));
    super::changes(place.name(), effects)
}

fn proxy_delay(name: &IfName) -> Option<String> {
    let is_gateway = DeviceKind::AgentGateway.is(name) || DeviceKind::RouterGateway.is(name);
    is_gateway.then(|| format!("net.ipv4.neigh.{}.proxy_delay", name.as_str()))
}

/// The rules that name a device, as they become when it goes or comes.
fn rules(netns: &Netns, name: &IfName, detached: bool) -> Vec<Effect> {
    let named = |dev: &Option<IfName>| dev.as_ref() == Some(name);
    let its = netns.rules().iter().filter(|rule| named(&rule.iif) || named(&rule.oif));
    let boxed = |rule: Rule| Thing::Rule(Box::new(rule));
    its.map(|rule| {
        let mut after = rule.clone();
        after.iif_detached = if named(&rule.iif) { detached } else { rule.iif_detached };
        after.oif_detached = if named(&rule.oif) { detached } else { rule.oif_detached };
        (Some(boxed(rule.clone())), Some(boxed(after)))
    })
    .collect()
}
