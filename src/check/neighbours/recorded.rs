//! What Open vSwitch's record tells of permanent entries, without asking anybody.

use std::collections::{BTreeMap, HashSet};

use super::entries::distributed;
use crate::check::{AgentDoes, Applicability, Findings, Scene, Subject};
use crate::net::{
    Change, Mac, Neigh, NeighState, NetnsName, Object, OvsInterface, OvsPort, WireAnswer, WireAnswers, WireQuestion,
};
use crate::neutron::{DEAD_VLAN, parse_device};
use crate::topology::{FactSource, FipKind, ObjectKind, ObjectRef, Router};

/// A VLAN of a bridge: in Open vSwitch, a network as it is on this node.
type Vlan<'s> = (&'s str, u16);

/// An entry that leads to a hardware address that nothing here has.
struct Astray<'s> {
    router: &'s Router,
    namespace: &'s NetnsName,
    neigh: &'s Neigh,
}

/// DVR702, as far as Open vSwitch's record of its ports decides it. It has no
/// addresses, and instances of other nodes are not in it, so one thing alone is
/// told: the instance of a distributed floating IP is here, the entry's hardware
/// address is no port's of this node, and of the ports on the router port's VLAN
/// just one has an address that no entry leads to. Where several could be it,
/// nothing is said.
pub(in crate::check) fn recorded(scene: &Scene<'_>, answers: Option<&WireAnswers>, findings: &mut Findings) {
    let Some(ovs) = scene.snapshot.host.ovs.seen() else { return };
    let ports =
        || ovs.ports.iter().flat_map(|port| port.interfaces.iter().filter_map(move |one| recorded_mac(port, one)));
    if !ports().any(|(port, ..)| is_instance(port)) {
        return;
    }
    let here: HashSet<Mac> = ports().map(|(.., mac)| mac).collect();
    let routers: Vec<_> = distributed(scene).collect();
    let entries = routers.iter().flat_map(|(.., netns)| netns.neighs()).filter(|neigh| is_permanent(neigh));
    let led_to: HashSet<Mac> = entries.filter_map(|neigh| neigh.mac).collect();
    let mut spare: BTreeMap<Vlan<'_>, Vec<Mac>> = BTreeMap::new();
    for (port, tag, mac) in ports().filter(|(port, _, mac)| is_instance(port) && !led_to.contains(mac)) {
        spare.entry((port.bridge.as_str(), tag)).or_default().push(mac);
    }
    if spare.is_empty() {
        return;
    }
    let mut astray: BTreeMap<Vlan<'_>, Vec<Astray<'_>>> = BTreeMap::new();
    for (router, namespace, netns) in routers {
        for fip in scene.fips_of(router).iter().filter(|fip| fip.kind == FipKind::Distributed) {
            let has = |source| fip.facts.iter().any(|fact| fact.source == source);
            let Some(fixed) = fip.fixed_ip.filter(|_| has(FactSource::Dnat) && has(FactSource::Route)) else {
                continue;
            };
            let is_its = |neigh: &&Neigh| neigh.address == fixed && is_permanent(neigh);
            let Some(neigh) = netns.neighs().iter().find(is_its) else { continue };
            let vlan = scene.ovs_port(neigh.dev.as_str()).and_then(|port| Some((port.bridge.as_str(), vlan(port)?)));
            let Some((vlan, mac)) = vlan.zip(neigh.mac) else { continue };
            if !here.contains(&mac) && !is_device(scene, mac) {
                astray.entry(vlan).or_default().push(Astray { router, namespace, neigh });
            }
        }
    }
    for (vlan, all) in astray {
        if let ([one], Some([mac])) = (&all[..], spare.get(&vlan).map(Vec::as_slice))
            && !answers.is_some_and(|answers| is_answered(answers, one))
        {
            fire(findings, one, *mac);
        }
    }
}

fn fire(findings: &mut Findings, one: &Astray<'_>, mac: Mac) {
    let Astray { router, namespace, neigh } = one;
    let (address, dev) = (neigh.address, &neigh.dev);
    let subject = Subject { fixed_ip: Some(address), ..Subject::router(router) };
    let object = ObjectRef { kind: ObjectKind::Neigh, key: format!("{address} dev {dev}") };
    let told = neigh.mac.map(|mac| mac.to_string()).unwrap_or_default();
    let message =
        format!("the router sends to {told} for {address}, which no port of this node has; {mac} is without entry");
    let after = Neigh { mac: Some(mac), ..(*neigh).clone() };
    let found = findings.fire(&subject, Some(namespace), object, message);
    found.values(after.to_string(), neigh.to_string()).inferred().agent(AgentDoes::HealsOnRestart);
    let (before, after) = (Object::Neigh((*neigh).clone()), Object::Neigh(after));
    found.mend([Change::new(Some((*namespace).clone()), Some(before), Some(after))]);
    found.applicability(Applicability::NeedsConsent);
}

/// The entry's own hardware address answered on the wire.
fn is_answered(answers: &WireAnswers, one: &Astray<'_>) -> bool {
    answers.iter().any(|(WireQuestion::Arp(asked), answer)| {
        let WireAnswer::Answered(replies) = answer else { return false };
        asked.namespace == *one.namespace
            && one.neigh.address == asked.target
            && replies.iter().any(|reply| Some(reply.mac) == one.neigh.mac)
    })
}

fn is_permanent(neigh: &Neigh) -> bool {
    neigh.state == NeighState::Permanent && !neigh.proxy
}

/// A port that is on a network, with the hardware address that Neutron gave it.
fn recorded_mac<'s>(port: &'s OvsPort, interface: &OvsInterface) -> Option<(&'s OvsPort, u16, Mac)> {
    Some((port, vlan(port).unwrap_or(DEAD_VLAN), interface.attached_mac.as_ref()?.parse().ok()?))
}

/// A live VLAN.
fn vlan(port: &OvsPort) -> Option<u16> {
    port.tag.filter(|tag| *tag != DEAD_VLAN)
}

/// Not the L3 agent's, nor the DHCP agent's, which are internal ports.
fn is_instance(port: &OvsPort) -> bool {
    let is_internal = port.interfaces.iter().any(|interface| interface.kind == "internal");
    vlan(port).is_some() && !is_internal && parse_device(&port.name.as_str().into()).is_none()
}

fn is_device(scene: &Scene<'_>, mac: Mac) -> bool {
    let mut all = scene.snapshot.namespaces.values().filter_map(|netns| netns.seen());
    all.any(|netns| netns.links().iter().any(|link| link.mac == Some(mac)))
}
