//! The agent gateway port: as it stands, or as the user describes it.

use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::net::{IfName, OvsPort, Route, TableId};
use crate::neutron::{DEAD_VLAN, DeviceKind};
use crate::topology::{self, Router};

use super::super::agent::{External, Forms, Port, Wire, gateway_port, gateway_settings, switch_on};
use super::super::{Action, Object, Place, Plan, Refused, SwitchPort};
use super::GatewayPort;
use super::site::Site;

/// How fg is attached.
pub(super) enum Attached {
    /// It stands.
    Already,
    /// A veth pair into a Linux bridge of the host.
    Bridge,
    /// A port of an Open vSwitch bridge.
    Switch {
        port: SwitchPort,
        /// It is the bridge that the L2 agent looks after.
        is_integration: bool,
    },
}

/// The external network with its port, and how that is attached.
pub(super) fn external(site: &Site<'_>, wanted: Option<&GatewayPort>) -> Result<(External, Attached), Refused> {
    let standing = site.external().and_then(|network| network.gateway_port.as_ref());
    if let Some(port) = standing {
        let address = port.addresses.iter().find(|net| net.addr().is_ipv4()).copied();
        let (Some(address), Some(mac)) = (address.or_else(|| wanted.map(|port| port.address)), port.mac) else {
            return Err(needs("the agent gateway port has no address".to_owned(), &["--gateway-port-address CIDR"]));
        };
        let link = site.outer.and_then(|netns| netns.link(&port.device));
        let wire = Wire { netns: site.fip_place(), device: port.device.clone(), bridge: None };
        let mtu = link.map(|link| link.mtu);
        let port = Port { device: port.device.clone(), mac, address, mtu, wire };
        let gateway = gateway(site, wanted, address.addr())?;
        return Ok((External { id: site.network.clone(), port, gateway }, Attached::Already));
    }
    let Some(wanted) = wanted else {
        let what = format!("the external network {} has no agent gateway port on this node", site.network);
        return Err(needs(what, &OPTIONS));
    };
    let device = DeviceKind::AgentGateway.name(&wanted.port_id);
    let attached = attach(site, wanted, &device)?;
    let tap: String = "tap".chars().chain(wanted.port_id.chars()).take(14).collect();
    let wire = Wire { netns: Place::Host, device: IfName::new(tap), bridge: Some(wanted.bridge.clone()) };
    let port = Port { device, mac: wanted.mac, address: wanted.address, mtu: wanted.mtu, wire };
    Ok((External { id: site.network.clone(), port, gateway: wanted.gateway }, attached))
}

/// The steps that make it stand, whatever of it does already.
pub(super) fn steps(plan: &mut Plan, forms: &Forms, external: &External, attached: &Attached) {
    let place = super::super::agent::fip_netns(&external.id);
    match attached {
        Attached::Already => {
            plan.push(&place, Action::sysctl("net.ipv4.ip_forward", 1));
            switch_on(plan, &place, &external.port);
            // How long it waits with its answers is nothing to repair in passing.
            on_link(plan, &place, external);
            gateway_settings(plan, &Forms { recent_settings: false, ..forms.clone() }, external);
        }
        Attached::Bridge => {
            // The route to a gateway beyond the subnet has to come before the default.
            if external.port.address.contains(&external.gateway) {
                gateway_port(plan, forms, external);
            } else {
                super::super::agent::plug(plan, &place, &external.port);
                on_link(plan, &place, external);
                gateway_settings(plan, forms, external);
            }
        }
        Attached::Switch { port, .. } => {
            plan.push(&Place::Host, Action::Add(Object::OvsPort(port.clone())));
            switch_on(plan, &place, &external.port);
            on_link(plan, &place, external);
            gateway_settings(plan, forms, external);
        }
    }
}

/// A gateway that is not in the port's subnet is said to be on its link.
fn on_link(plan: &mut Plan, place: &Place, external: &External) {
    if external.port.address.contains(&external.gateway) {
        return;
    }
    let route = Route::unicast(TableId::MAIN, external.gateway.into(), None, &external.port.device);
    plan.push(place, Action::Add(Object::Route(Route { scope: 253, ..route })));
}

const OPTIONS: [&str; 5] = [
    "--gateway-port-id ID",
    "--gateway-port-address CIDR",
    "--gateway-port-mac MAC",
    "--gateway ADDRESS",
    "--bridge NAME",
];

fn needs(what: String, options: &[&'static str]) -> Refused {
    Refused::Needs { what, options: options.to_vec() }
}

/// The gateway that default routes of the namespace lead to; of several the one
/// in the port's own subnet.
fn gateway(site: &Site<'_>, wanted: Option<&GatewayPort>, port: IpAddr) -> Result<IpAddr, Refused> {
    if let Some(wanted) = wanted {
        return Ok(wanted.gateway);
    }
    let known: Vec<IpAddr> =
        site.external().into_iter().flat_map(|network| &network.gateways).copied().filter(IpAddr::is_ipv4).collect();
    let near = || site.external_subnets().into_iter().find(|net| net.contains(&port));
    let inside = known.iter().find(|gateway| near().is_some_and(|net| net.contains(*gateway)));
    let found = inside.or(known.first()).copied();
    found.ok_or_else(|| {
        needs("no route of the fip namespace tells the external gateway".to_owned(), &["--gateway ADDRESS"])
    })
}

fn attach(site: &Site<'_>, wanted: &GatewayPort, device: &IfName) -> Result<Attached, Refused> {
    let host = &site.snapshot.host;
    let name = wanted.bridge.as_str();
    let in_switch = host.ovs.seen().is_some_and(|ovs| ovs.ports.iter().any(|port| port.bridge == name));
    if in_switch {
        return switch_port(site, wanted, device);
    }
    let link = host.netns.seen().and_then(|netns| netns.link(&wanted.bridge));
    if link.is_some_and(|link| link.kind.as_deref() == Some("bridge")) {
        return Ok(Attached::Bridge);
    }
    let blind = host.ovs.unreadable().map(|why| ("Open vSwitch", why));
    match blind.or_else(|| host.netns.unreadable().map(|why| ("devices", why))) {
        Some((what, why)) => Err(Refused::Unreadable { namespace: None, what: what.to_owned(), why: why.to_owned() }),
        None => Err(Refused::NoBridge(wanted.bridge.clone())),
    }
}

/// The tag that the external network has on a bridge: that of the ports there
/// which are of the same network. `None` where there are none.
fn tag_there<'s>(
    site: &Site<'s>,
    wanted: &GatewayPort,
    ports: impl Iterator<Item = &'s OvsPort>,
) -> Result<Option<u16>, Refused> {
    let near = |port: &topology::GatewayPort| port.addresses.iter().any(|net| net.trunc() == wanted.address.trunc());
    let same = |router: &&Router| match &router.external_network {
        Some(network) => *network == site.network,
        // Without a pair nothing names the network; its subnet tells.
        None => router.gateway_port.as_ref().is_some_and(near),
    };
    let routers = site.topology.routers.iter().filter(same);
    let gateways: Vec<&IfName> =
        routers.filter_map(|router| router.gateway_port.as_ref().map(|port| &port.device)).collect();
    let known = ports.filter(|port| gateways.iter().any(|dev| dev.as_str() == port.name));
    let tags: BTreeSet<u16> = known.filter_map(|port| port.tag).filter(|tag| *tag != DEAD_VLAN).collect();
    if tags.len() > 1 {
        let what = format!("ports of the external network on {} have different VLAN tags", wanted.bridge);
        let candidates = tags.iter().map(ToString::to_string).collect();
        return Err(Refused::Ambiguous { what, candidates, option: "--vlan TAG" });
    }
    Ok(tags.first().copied())
}

fn switch_port(site: &Site<'_>, wanted: &GatewayPort, device: &IfName) -> Result<Attached, Refused> {
    let bridge = wanted.bridge.as_str();
    let ports =
        || site.snapshot.host.ovs.seen().into_iter().flat_map(|ovs| &ovs.ports).filter(|port| port.bridge == bridge);
    // Where routers' internal ports are, every network has a tag of its own.
    let is_integration = ports().any(|port| DeviceKind::Internal.is(&IfName::new(port.name.as_str())));
    let tag = match wanted.vlan {
        Some(tag) => Some(tag),
        None => tag_there(site, wanted, ports())?,
    };
    if is_integration && tag.is_none() {
        let what = format!("no other port on {} tells which VLAN tag the external network has there", wanted.bridge);
        return Err(needs(what, &["--vlan TAG"]));
    }
    let ids = [
        ("attached-mac", wanted.mac.to_string()),
        ("iface-id", wanted.port_id.clone()),
        ("iface-status", "active".to_owned()),
    ];
    let port = SwitchPort {
        bridge: wanted.bridge.clone(),
        name: device.clone(),
        tag,
        internal: true,
        external_ids: ids.map(|(key, value)| (key.to_owned(), value)).into(),
        netns: site.fip_place(),
        mac: Some(wanted.mac),
        mtu: wanted.mtu,
    };
    Ok(Attached::Switch { port, is_integration })
}
