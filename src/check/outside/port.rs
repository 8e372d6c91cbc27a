//! The agent gateway port itself: DVR601, 602, 603, 613, 616.

use std::collections::BTreeSet;

use crate::check::fip::{Defaults, Uncovered, blind, covers_something, default_via, object, readable};
use crate::check::{AgentDoes, Applicability, Findings, Scene, Severity, Subject};
use crate::net::{Change, Link, Netns, NetnsName, Object, Observed};
use crate::neutron::DeviceKind;
use crate::topology::{ExternalNetwork, FipKind, ObjectKind, Router};

use super::switch::{Plugged, plugged};

/// `IFF_UP`.
const UP: u32 = 1;

/// DVR601.
pub(super) fn missing(scene: &Scene<'_>, findings: &mut Findings) {
    for network in &scene.topology.external_networks {
        let Some(netns) = readable(scene, network, findings) else { continue };
        let subject = Subject::network(network);
        let place = object(ObjectKind::Link, "fg-?");
        if let Observed::Unreadable(why) = &netns.links {
            blind(findings, &subject, &network.namespace, place, why);
            continue;
        }
        if gateways(netns).next().is_some() {
            continue;
        }
        let message = format!("{} has no agent gateway port: nothing of it reaches the outside", network.namespace);
        let finding = findings.fire(&subject, Some(&network.namespace), place, message);
        finding.values("one fg-… that is up", "no such device").applicability(Applicability::DisplayOnly);
        if routers(scene, network).next().is_none() && !has_fips(scene, network) {
            finding.at_most(Severity::Warning);
        }
    }
}

/// DVR602.
pub(super) fn down(scene: &Scene<'_>, findings: &mut Findings) {
    for (network, netns) in networks(scene) {
        for link in gateways(netns) {
            let subject = Subject::network(network);
            let place = object(ObjectKind::Link, link.name.as_str());
            let expected = format!("{} up and plugged", link.name);
            if !link.is_up() {
                let message = format!("{} is down", link.name);
                let finding = findings.fire(&subject, Some(&network.namespace), place, message);
                finding.values(expected, "it is down").mend(raise(scene, network, link));
                continue;
            }
            let (fault, agent) = match plugged(scene, link) {
                Plugged::Error(why) => (why, AgentDoes::Never),
                // A port that is gone from its bridge is plugged anew.
                Plugged::Nowhere => ("no bridge of Open vSwitch has it as a port".to_owned(), AgentDoes::HealsOnUpdate),
                _ if !link.has_carrier() => ("it has no carrier".to_owned(), AgentDoes::Never),
                Plugged::Unknown(why) => {
                    blind(findings, &subject, &network.namespace, place, &why);
                    continue;
                }
                Plugged::Here => continue,
            };
            let message = format!("{} is up, but {fault}", link.name);
            let finding = findings.fire(&subject, Some(&network.namespace), place, message);
            finding.values(expected, fault).agent(agent).applicability(Applicability::DisplayOnly);
        }
    }
}

/// DVR603.
pub(super) fn doubled(scene: &Scene<'_>, findings: &mut Findings) {
    for (network, netns) in networks(scene) {
        let ports: Vec<&Link> = gateways(netns).collect();
        if ports.len() < 2 {
            continue;
        }
        let names: Vec<&str> = ports.iter().map(|port| port.name.as_str()).collect();
        let message = format!("{} has {} agent gateway ports: {}", network.namespace, ports.len(), names.join(", "));
        let place = object(ObjectKind::Link, "fg-*");
        let finding = findings.fire(&Subject::network(network), Some(&network.namespace), place, message);
        // Which of them Neutron knows is not on the node.
        finding.values("one agent gateway port", names.join(", ")).applicability(Applicability::DisplayOnly);
        if ports.iter().filter(|port| port.is_up()).count() < 2 {
            finding.at_most(Severity::Warning);
        }
    }
}

/// DVR613.
pub(super) fn off_link(scene: &Scene<'_>, findings: &mut Findings) {
    if scene.uncovered().is_empty() {
        return;
    }
    let covering = covering(scene);
    for Uncovered { fip, network, known } in scene.uncovered() {
        let (Some(address), Some(port), None) = (fip.floating_ip, &network.gateway_port, *known) else { continue };
        let prefixes: Vec<String> =
            port.addresses.iter().filter(|net| net.addr().is_ipv4()).map(|net| net.trunc().to_string()).collect();
        let message = format!("{address} is in no subnet on the link of {}", port.device);
        let place = object(ObjectKind::Route, format!("{address} on {}", port.device));
        let finding = findings.fire(&Subject::floating_ip(fip), Some(&network.namespace), place, message);
        finding.values(format!("an external subnet with {address} on {}", port.device), prefixes.join(", "));
        finding.inferred().applicability(Applicability::DisplayOnly);
        // A routed external network brings such addresses to the gateway port by a route.
        if !covering.contains(network.id.as_str()) {
            finding.at_most(Severity::Note);
        }
    }
}

/// DVR616.
pub(super) fn no_address(scene: &Scene<'_>, findings: &mut Findings) {
    for (network, netns) in networks(scene) {
        let Some(port) = &network.gateway_port else { continue };
        let subject = Subject::network(network);
        let place = object(ObjectKind::Addr, port.device.as_str());
        if let Observed::Unreadable(why) = &netns.addrs {
            blind(findings, &subject, &network.namespace, place, why);
            continue;
        }
        let of_port = netns.addrs().iter().filter(|addr| addr.dev == port.device && addr.address.addr().is_ipv4());
        let is_floating = |address| {
            let mut here = scene.topology.fips_at(&network.id, address);
            here.any(|fip| fip.kind == FipKind::Distributed)
        };
        let addrs: Vec<_> = of_port.filter(|addr| !is_floating(addr.address.addr())).collect();
        let on_link = |gateway: &std::net::IpAddr| {
            netns.routes().iter().any(|route| {
                route.dev() == Some(&port.device)
                    && route.via().is_none()
                    && route.table == crate::net::TableId::MAIN
                    && route.dst.contains(gateway)
            })
        };
        let reached = !network.gateways.is_empty() && network.gateways.iter().all(on_link);
        if !addrs.is_empty() && (reached || covers_something(scene, network)) {
            continue;
        }
        let words: Vec<String> = addrs.iter().map(|addr| addr.address.to_string()).collect();
        let (actual, message) = if addrs.is_empty() {
            ("no address".to_owned(), format!("{} has no IPv4 address", port.device))
        } else {
            let words = words.join(", ");
            (
                words.clone(),
                format!("{words} on {} has neither the gateway nor a floating IP in its subnet", port.device),
            )
        };
        let finding = findings.fire(&subject, Some(&network.namespace), place, message);
        let expected = match network.gateways.first() {
            Some(gateway) => format!("an address in the subnet of {gateway}"),
            None => "an address on the external network".to_owned(),
        };
        // Which address Neutron gave the port is not on the node.
        finding.values(expected, actual).applicability(Applicability::DisplayOnly);
        if routers(scene, network).next().is_none() && !has_fips(scene, network) {
            finding.at_most(Severity::Warning);
        }
    }
}

/// The external networks whose namespaces and devices could be read: what could
/// not is told by DVR601.
fn networks<'s>(scene: &Scene<'s>) -> impl Iterator<Item = (&'s ExternalNetwork, &'s Netns)> {
    let snapshot = scene.snapshot;
    scene.topology.external_networks.iter().filter_map(|network| Some((network, snapshot.netns(&network.namespace)?)))
}

fn gateways(netns: &Netns) -> impl Iterator<Item = &Link> {
    netns.links().iter().filter(|link| DeviceKind::AgentGateway.is(&link.name))
}

pub(super) fn routers<'s>(scene: &Scene<'s>, network: &'s ExternalNetwork) -> impl Iterator<Item = &'s Router> {
    let topology = scene.topology;
    topology.routers.iter().filter(|router| router.external_network.as_ref() == Some(&network.id))
}

pub(super) fn has_fips(scene: &Scene<'_>, network: &ExternalNetwork) -> bool {
    let here = |id: &Option<String>| id.as_ref() == Some(&network.id);
    scene.topology.floating_ips.iter().any(|fip| fip.kind == FipKind::Distributed && here(&fip.external_network))
}

/// The device up again, and the routes that went with it; connected ones come
/// back by themselves.
fn raise<'s>(scene: &Scene<'s>, network: &'s ExternalNetwork, link: &Link) -> Vec<Change> {
    let place: Option<NetnsName> = Some(network.namespace.clone());
    let up = Link { flags: link.flags | UP, ..link.clone() };
    let mut mend =
        vec![Change::new(place.clone(), Some(Object::Link(Box::new(link.clone()))), Some(Object::Link(Box::new(up))))];
    let defaults = Defaults::of(scene, network);
    for router in routers(scene, network).filter(|router| defaults.of_router(router).is_none()) {
        let Some(gateway) = defaults.known(router) else { continue };
        let Some(default) = default_via(scene, router, network, gateway) else { continue };
        mend.push(Change::new(place.clone(), None, Some(Object::Route(Box::new(default)))));
    }
    mend
}

/// The networks of which fg's own subnets do cover floating IPs: one that is not
/// covered stands apart.
fn covering<'s>(scene: &Scene<'s>) -> BTreeSet<&'s str> {
    let covered = scene.distributed().filter(|(fip, _, network)| {
        let nets = network.gateway_port.iter().flat_map(|port| &port.addresses);
        // A floating IP that stands on fg itself (DVR512) is no subnet.
        let mut subnets = nets.filter(|net| net.prefix_len() < 31);
        fip.floating_ip.is_some_and(|address| subnets.any(|net| net.contains(&address)))
    });
    covered.map(|(_, _, network)| network.id.as_str()).collect()
}
