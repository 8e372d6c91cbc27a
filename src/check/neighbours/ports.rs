//! Router ports on the tenants' subnets.

use std::collections::HashMap;
use std::net::IpAddr;

use ipnet::IpNet;

use crate::check::{AgentDoes, Findings, Scene, Subject};
use crate::net::{Addr, AddrFlags, Change, IFF_LOWER_UP, IFF_UP, Link, Netns, NetnsName, Object, OperState};
use crate::neutron::{DeviceKind, HA_PRIMARY_NETWORK, table_of};
use crate::topology::{InternalPort, ObjectKind, ObjectRef, Router};

/// DVR710: a port is down, has no carrier or no address, or a subnet that the
/// rules speak of has no port.
pub(in crate::check) fn down(scene: &Scene<'_>, findings: &mut Findings) {
    for router in scene.routers {
        let Some(namespace) = &router.namespace else { continue };
        let Some(netns) = scene.netns(namespace).filter(|netns| !is_standby(netns)) else { continue };
        let ports: Vec<&Link> = netns.links().iter().filter(|link| DeviceKind::Internal.is(&link.name)).collect();
        for link in &ports {
            let fault = match (link.is_up(), link.has_carrier()) {
                (true, true) => continue,
                (false, _) => "down",
                (true, false) => "up, and has no carrier",
            };
            let object = ObjectRef { kind: ObjectKind::Link, key: link.name.to_string() };
            let message = format!("{} is {fault}: its subnet has no gateway on this node", link.name);
            let found = findings.fire(&Subject::router(router), Some(namespace), object, message);
            found.values(format!("{} up", link.name), link.to_string());
            if !link.is_up() {
                found.mend(set_up(namespace, link));
            }
        }
        if netns.links.seen().is_some() && netns.addrs.seen().is_some() {
            without_port(scene, findings, router, namespace, &ports);
        }
    }
}

/// Subnets of which only the redirect rule is left; the agent writes the port's
/// own address into it. Where no port lacks an address and nothing else speaks of
/// the subnet, the rule is what is left over (DVR308).
fn without_port(scene: &Scene<'_>, findings: &mut Findings, router: &Router, namespace: &NetnsName, ports: &[&Link]) {
    let Some(netns) = scene.netns(namespace) else { return };
    let is_used = |net: &IpNet| {
        scene.fips_of(router).iter().any(|fip| fip.fixed_ip.is_some_and(|fixed| net.contains(&fixed)))
            || router.snat_ports.iter().flat_map(|port| &port.addresses).any(|known| known.trunc() == net.trunc())
    };
    let has_address =
        |link: &&&Link| netns.addrs().iter().any(|addr| addr.dev == link.name && addr.address.addr().is_ipv4());
    let bare: Vec<&&Link> = ports.iter().filter(|link| !has_address(link)).collect();
    let rules = netns.rules().iter().filter_map(|rule| Some((rule, rule.from?)));
    for (rule, from) in rules {
        let is_redirect = rule.table() == Some(table_of(from)) && rule.priority.0 == table_of(from).0;
        let held = netns.addrs().iter().any(|addr| addr.address == from);
        if !from.addr().is_ipv4()
            || from.prefix_len() == 32
            || !is_redirect
            || held
            || (bare.is_empty() && !is_used(&from))
        {
            continue;
        }
        let object = ObjectRef { kind: ObjectKind::Addr, key: format!("{from} on qr-…") };
        let message = format!("the rules speak of {from}, and no port of the router has that address");
        let found = findings.fire(&Subject::router(router), Some(namespace), object, message);
        let actual = match bare[..] {
            [link] => format!("{} has no address", link.name),
            _ => "no such port".to_owned(),
        };
        // A port or an address that is not there comes back at a restart.
        found.values(format!("inet {from} on a qr- port"), actual).agent(AgentDoes::HealsOnRestart);
        if let ([link], IpNet::V4(net)) = (&bare[..], from) {
            let broadcast = Some(IpAddr::V4(net.broadcast()));
            let dev = link.name.clone();
            let addr = Addr { dev, address: from, peer: None, broadcast, scope: 0, flags: AddrFlags::default() };
            found.mend([Change::new(Some(namespace.clone()), None, Some(Object::Addr(addr)))]);
        }
    }
}

fn set_up(namespace: &NetnsName, link: &Link) -> [Change; 1] {
    let state = if link.state == OperState::Down { OperState::Unknown } else { link.state };
    let up = Link { flags: link.flags | IFF_UP | IFF_LOWER_UP, state, ..link.clone() };
    let object = |link: Link| Some(Object::Link(Box::new(link)));
    [Change::new(Some(namespace.clone()), object(link.clone()), object(up))]
}

/// DVR707: two routers have ports on the same network here, and floating IPs are
/// with the one whose address is not the subnet's first. That the first one is
/// the gateway is Neutron's habit, so this is inferred.
pub(in crate::check) fn not_the_gateway(scene: &Scene<'_>, findings: &mut Findings) {
    let tag = |device: &str| scene.ovs_port(device).and_then(|port| port.tag);
    let routers = scene.topology.routers.iter();
    let all = routers.flat_map(|router| router.internal.iter().map(move |port| (router, port)));
    let all = all.filter_map(|(router, port)| Some((router, port, tag(port.device.as_str())?)));
    let mut firsts: HashMap<(u16, IpNet), Vec<(&Router, &InternalPort)>> = HashMap::new();
    for (router, port, tag) in all.clone() {
        for net in port.addresses.iter().filter(|net| is_first(**net)) {
            firsts.entry((tag, net.trunc())).or_default().push((router, port));
        }
    }
    for (router, port, own) in all {
        for net in port.addresses.iter().filter(|net| !is_first(**net)) {
            let rivals = firsts.get(&(own, net.trunc())).into_iter().flatten();
            let Some((_, rival)) = rivals.into_iter().find(|(other, _)| other.id != router.id) else { continue };
            let mut fips = scene.fips_of(router).iter();
            let Some(fip) = fips.find(|fip| fip.fixed_ip.is_some_and(|fixed| net.contains(&fixed))) else {
                continue;
            };
            let object = ObjectRef { kind: ObjectKind::Addr, key: format!("{net} on {}", port.device) };
            let message = format!(
                "instances of {} answer through {}, and floating IPs come in by {}",
                net.trunc(),
                rival.device,
                port.device
            );
            findings
                .fire(&Subject::floating_ip(fip), router.namespace.as_ref(), object, message)
                .values(
                    "floating IPs with the router that has the gateway's address",
                    format!("{} has {net}", port.device),
                )
                .inferred();
        }
    }
}

fn is_first(net: IpNet) -> bool {
    match net {
        IpNet::V4(net) => net.addr().to_bits() == net.network().to_bits() | 1,
        IpNet::V6(_) => false,
    }
}

/// VRRP runs in the namespace, and another node is the primary: ports are bare.
fn is_standby(netns: &Netns) -> bool {
    let runs = netns.links().iter().any(|link| DeviceKind::Ha.is(&link.name));
    let primary = netns.addrs().iter().any(|addr| {
        DeviceKind::Ha.is(&addr.dev)
            && matches!(addr.address.addr(), IpAddr::V4(address) if HA_PRIMARY_NETWORK.contains(&address))
    });
    runs && !primary
}
