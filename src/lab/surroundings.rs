//! What stands around the node: the switch, the instances, the external gateway
//! and the host behind it.

use std::net::{IpAddr, Ipv4Addr};

use ipnet::{IpNet, Ipv4Net};

use crate::net::{Addr, AddrFlags, IfName, Mac, Route, TableId};
use crate::plan::agent::{Port, Wire, netns, plug};
use crate::plan::{Action, Object, Place, Plan};

use super::article::{GATEWAY, GATEWAY_ADDRESS, OUTSIDE, OUTSIDE_ADDRESS, SWITCH, wire};
use super::numbers::uuid;

/// The host's router, on the link between the gateway and the outside.
const BEHIND_GATEWAY: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 1);

/// The switch with a bridge for each segment.
pub(super) fn switch(plan: &mut Plan, bridges: &[&str]) {
    let place = Place::netns(SWITCH);
    netns(plan, &place);
    for bridge in bridges {
        let bridge = IfName::from(*bridge);
        plan.push(&place, Action::Add(Object::Bridge(bridge.clone())));
        plan.push(&place, Action::up(&bridge));
    }
}

/// The external gateway, with the outside host on its far side.
pub(super) fn gateway(plan: &mut Plan, bridge: &str) {
    let (gateway, outside) = (Place::netns(GATEWAY), Place::netns(OUTSIDE));
    netns(plan, &gateway);
    netns(plan, &outside);
    plan.push(&gateway, Action::sysctl("net.ipv4.ip_forward", 1));
    gateway_leg(plan, "eth0", GATEWAY_ADDRESS, 24, bridge);
    let behind = Port {
        device: IfName::from("eth0"),
        mac: Mac([0x02, 0, 0, 0, 0, 0x07]),
        address: v4(OUTSIDE_ADDRESS, 24),
        mtu: None,
        wire: Wire { netns: gateway.clone(), device: IfName::from("eth9"), bridge: None },
    };
    plug(plan, &outside, &behind);
    gateway_address(plan, "eth9", v4(BEHIND_GATEWAY, 24));
    plan.push(&outside, default_route(BEHIND_GATEWAY));
}

/// One more address of the gateway's.
pub(super) fn gateway_address(plan: &mut Plan, device: &str, address: IpNet) {
    let (dev, flags) = (IfName::from(device), AddrFlags::default());
    let address = Addr { dev, address, peer: None, broadcast: None, scope: 0, flags };
    plan.push(&Place::netns(GATEWAY), Action::Add(Object::Addr(address)));
}

/// One more external network that the gateway serves.
pub(super) fn gateway_leg(plan: &mut Plan, device: &str, address: Ipv4Addr, length: u8, bridge: &str) {
    let [_, _, c, d] = address.octets();
    let port = Port {
        device: IfName::from(device),
        mac: Mac([0x02, 0, 0, 0x01, c, d]),
        address: v4(address, length),
        mtu: None,
        wire: wire(format!("gw-{device}"), Some(bridge)),
    };
    plug(plan, &Place::netns(GATEWAY), &port);
}

/// An instance: a namespace with one device.
pub(super) fn instance(plan: &mut Plan, namespace: &str, address: Ipv4Addr, mac: Mac, router: Ipv4Addr, bridge: &str) {
    let place = Place::netns(namespace);
    netns(plan, &place);
    let port = Port {
        device: IfName::from("eth0"),
        mac,
        address: v4(address, 24),
        mtu: None,
        wire: wire(far_end(namespace), Some(bridge)),
    };
    plug(plan, &place, &port);
    plan.push(&place, default_route(router));
}

/// The far end of an instance's device.
pub(super) fn far_end(namespace: &str) -> String {
    let id: String = uuid(namespace).chars().take(11).collect();
    format!("tap{id}")
}

pub(super) fn v4(address: Ipv4Addr, length: u8) -> IpNet {
    IpNet::V4(Ipv4Net::new_assert(address, length))
}

fn default_route(via: Ipv4Addr) -> Action {
    let any = IpNet::V4(Ipv4Net::default());
    Action::Add(Object::Route(Route::unicast(TableId::MAIN, any, Some(IpAddr::V4(via)), &IfName::from("eth0"))))
}
