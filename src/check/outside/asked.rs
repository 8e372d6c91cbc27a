//! What the external network answers to fg.
//!
//! A node does not hear its own questions, so a healthy one is silent about what
//! it has itself: every answer is somebody else's.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::port::{has_fips, routers};
use crate::check::wire::{Port, Wire, v4, who};
use crate::check::{Applicability, Findings, Scene, Severity, Subject};
use crate::net::{Mac, WireAnswer};
use crate::topology::{ExternalNetwork, FactSource, FipKind, ObjectKind, ObjectRef};

/// As many hosts as are named where nobody may answer.
const NAMED: u8 = 4;

/// DVR606: a probe for fg's own addresses. Its sender is `0.0.0.0`, which a host
/// with the address answers and a proxy does not.
pub(super) fn address_conflict(scene: &Scene<'_>, wire: &mut Wire<'_>, findings: &mut Findings) {
    for network in &scene.topology.external_networks {
        let Some(port) = port(scene, network, findings) else { continue };
        let subject = Subject::network(network);
        for address in port.addresses() {
            let question = port.who_has([0; 4].into(), address, NAMED);
            let object = ObjectRef { kind: ObjectKind::Addr, key: address.to_string() };
            let replies = port.others(question, (&subject, &object), wire, findings);
            if replies.is_empty() {
                continue;
            }
            let message = format!("{address} is the address of {}, and another host answers for it", port.device);
            findings
                .fire(&subject, Some(port.namespace), object, message)
                .values(format!("nobody else answers ARP for {address}"), who(scene, &replies))
                .applicability(Applicability::DisplayOnly);
        }
    }
}

/// DVR607: a question from fg's own address for each floating IP that the fip
/// namespace has a route for. Proxies are silent to a sender of `0.0.0.0`.
pub(super) fn answered_twice(scene: &Scene<'_>, wire: &mut Wire<'_>, findings: &mut Findings) {
    for network in scene.topology.external_networks.iter().filter(|network| has_fips(scene, network)) {
        let Some(port) = port(scene, network, findings) else { continue };
        let gateways = gateway_macs(network, &port, wire);
        let fips = scene.topology.floating_ips.iter().filter(|fip| {
            let is_routed = || fip.facts.iter().any(|fact| fact.source == FactSource::Route);
            fip.kind == FipKind::Distributed && fip.external_network.as_ref() == Some(&network.id) && is_routed()
        });
        for fip in fips {
            let Some(floating) = fip.floating_ip.and_then(v4) else { continue };
            let subject = Subject::floating_ip(fip);
            let object = ObjectRef { kind: ObjectKind::Route, key: floating.to_string() };
            let Some(sender) = port.address_beside(floating).or_else(|| port.addresses().next()) else { continue };
            let replies = port.others(port.who_has(sender, floating, NAMED), (&subject, &object), wire, findings);
            if replies.is_empty() {
                continue;
            }
            let is_gateway = replies.iter().all(|reply| gateways.contains(&reply.mac));
            let other = if is_gateway { "the external gateway" } else { "another host" };
            let message = format!("{floating} is on this node, and {other} answers ARP for it, too");
            let finding = findings.fire(&subject, Some(port.namespace), object, message);
            finding.values(format!("nobody else answers ARP for {floating}"), who(scene, &replies));
            finding.applicability(Applicability::DisplayOnly);
            if is_gateway {
                // It may do so for everybody (local proxy ARP), and hand over what it takes.
                finding.at_most(Severity::Warning);
            }
        }
    }
}

/// DVR610: a question for each gateway that default routes lead to.
pub(super) fn gateway_silent(scene: &Scene<'_>, wire: &mut Wire<'_>, findings: &mut Findings) {
    for network in scene.topology.external_networks.iter().filter(|network| !network.gateways.is_empty()) {
        let Some(port) = port(scene, network, findings) else { continue };
        let subject = Subject::network(network);
        for gateway in network.gateways.iter().copied().filter_map(v4) {
            let object = ObjectRef { kind: ObjectKind::Neigh, key: gateway.to_string() };
            let Some(sender) = port.address_beside(gateway) else {
                let why = format!("no address of {} is in the subnet of {gateway}: it need not answer", port.device);
                findings.cannot_tell(&subject, Some(port.namespace), object, why);
                continue;
            };
            match wire.ask(&subject, port.who_has(sender, gateway, 1)) {
                None | Some(WireAnswer::Answered(_)) => {}
                Some(WireAnswer::NotAsked(why)) => {
                    findings.cannot_tell(&subject, Some(port.namespace), object, why);
                }
                Some(WireAnswer::Silent) => {
                    let message = format!("the external gateway {gateway} does not answer on {}", port.device);
                    let finding = findings.fire(&subject, Some(port.namespace), object, message);
                    finding.values(format!("{gateway} answers ARP from {sender}"), "silence");
                    finding.applicability(Applicability::DisplayOnly);
                    if routers(scene, network).next().is_none() && !has_fips(scene, network) {
                        // Nothing goes that way.
                        finding.at_most(Severity::Warning);
                    }
                }
            }
        }
    }
}

/// What the gateways answer with.
fn gateway_macs(network: &ExternalNetwork, port: &Port<'_>, wire: &mut Wire<'_>) -> BTreeSet<Mac> {
    let subject = Subject::network(network);
    let of = |gateway: &IpAddr| {
        let gateway = v4(*gateway)?;
        match wire.ask(&subject, port.who_has(port.address_beside(gateway)?, gateway, 1))? {
            WireAnswer::Answered(replies) => Some(replies.iter().map(|reply| reply.mac)),
            WireAnswer::Silent | WireAnswer::NotAsked(_) => None,
        }
    };
    network.gateways.iter().filter_map(of).flatten().collect()
}

/// The agent gateway port; where nobody can be asked from it, that is told.
fn port<'s>(scene: &Scene<'s>, network: &'s ExternalNetwork, findings: &mut Findings) -> Option<Port<'s>> {
    let device = network.gateway_port.as_ref().map(|port| &port.device);
    let port = match device {
        Some(device) => Port::of(scene, &network.namespace, device),
        None => Err(format!("{} has no agent gateway port to ask from", network.namespace)),
    };
    let port = port.and_then(|port| {
        let why = || format!("{} has no address to ask from", port.device);
        if port.addresses().next().is_some() { Ok(port) } else { Err(why()) }
    });
    match port {
        Ok(port) => Some(port),
        Err(why) => {
            let key = device.map_or("fg-?", |device| device.as_str()).to_owned();
            let object = ObjectRef { kind: ObjectKind::Link, key };
            findings.cannot_tell(&Subject::network(network), Some(&network.namespace), object, why);
            None
        }
    }
}
