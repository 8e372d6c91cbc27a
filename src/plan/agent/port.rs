//! Ports and neighbours.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::net::{Addr, AddrFlags, IfName, Mac, Neigh, NeighState, Route, TableId};

use super::super::{Action, LinkSetting, Object, Place, Plan, Veth, VethEnd};
use super::{Forms, Port};

/// Makes a port's device, wires it, switches it on and gives it its address.
pub fn plug(plan: &mut Plan, place: &Place, port: &Port) {
    let end = VethEnd { name: port.device.clone(), mac: Some(port.mac), mtu: port.mtu };
    let peer = VethEnd { name: port.wire.device.clone(), mac: None, mtu: port.mtu };
    let pair = Veth { end, peer_netns: port.wire.netns.clone(), peer };
    plan.push(place, Action::Add(Object::Veth(pair)));
    if let Some(bridge) = &port.wire.bridge {
        plan.push(&port.wire.netns, attach(&port.wire.device, bridge));
    }
    plan.push(&port.wire.netns, Action::up(&port.wire.device));
    switch_on(plan, place, port);
}

/// Switches a port's device on and gives it its address.
pub fn switch_on(plan: &mut Plan, place: &Place, port: &Port) {
    plan.push(place, Action::up(&port.device));
    plan.push(place, address(&port.device, port.address, broadcast(port.address)));
}

/// A neighbour that never changes and is never asked for.
pub fn neighbour(plan: &mut Plan, place: &Place, dev: &IfName, address: IpAddr, mac: Mac) {
    let neigh = Neigh { dev: dev.clone(), address, mac: Some(mac), state: NeighState::Permanent, proxy: false };
    plan.push(place, Action::Add(Object::Neigh(neigh)));
}

/// Makes a namespace, with its loopback device on.
pub fn netns(plan: &mut Plan, place: &Place) {
    if let Some(name) = place.name() {
        plan.push(&Place::Host, Action::Add(Object::Netns(name.clone())));
        plan.push(place, Action::up(&IfName::from("lo")));
    }
}

pub(super) fn attach(dev: &IfName, bridge: &IfName) -> Action {
    let to = LinkSetting::Master(Some(bridge.clone()));
    Action::SetLink { dev: dev.clone(), to, from: Some(LinkSetting::Master(None)) }
}

pub(super) fn address(dev: &IfName, address: IpNet, broadcast: Option<IpAddr>) -> Action {
    let flags = AddrFlags::default();
    Action::Add(Object::Addr(Addr { dev: dev.clone(), address, peer: None, broadcast, scope: 0, flags }))
}

/// An address with the length of its subnet; a length that the family does not
/// have counts as a host.
pub(super) fn subnet(address: IpAddr, length: u8) -> IpNet {
    IpNet::new(address, length).unwrap_or_else(|_| IpNet::from(address))
}

/// A default route, in the protocol that this agent uses.
pub(super) fn default_route(forms: &Forms, table: TableId, via: IpAddr, dev: &IfName) -> Action {
    let any = match via {
        IpAddr::V4(_) => IpNet::V4(ipnet::Ipv4Net::default()),
        IpAddr::V6(_) => IpNet::V6(ipnet::Ipv6Net::default()),
    };
    route(forms, table, any, via, dev)
}

pub(super) fn route(forms: &Forms, table: TableId, dst: IpNet, via: IpAddr, dev: &IfName) -> Action {
    let mut route = Route::unicast(table, dst, Some(via), dev);
    route.protocol = forms.route_protocol;
    Action::Add(Object::Route(route))
}

fn broadcast(address: IpNet) -> Option<IpAddr> {
    (address.addr().is_ipv4() && address.prefix_len() < 31).then(|| address.broadcast())
}
