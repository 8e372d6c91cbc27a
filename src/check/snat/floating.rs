//! Floating IPs on gateway ports.

use std::collections::HashMap;
use std::net::IpAddr;

use ipnet::IpNet;

use crate::check::nat::Place;
use crate::check::{Applicability, Findings, Scene, Subject};
use crate::net::netfilter::{RuleWords, Target};
use crate::net::{Addr, AddrFlags, Change, Object};
use crate::neutron::DeviceKind;
use crate::topology::{
    Direction, FactSource, FipKind, FloatingIp, LinkName, LinkState, ObjectKind, ObjectRef, RouterKind,
};

/// DVR804: it is distributed here, and the snat namespace has it still.
pub(in crate::check) fn left_behind(scene: &Scene<'_>, findings: &mut Findings) {
    let all = || scene.topology.fips();
    if !all().any(|fip| fip.kind == FipKind::Centralized) {
        return;
    }
    let twins = all()
        .filter(|fip| fip.kind == FipKind::Distributed && (has(fip, FactSource::Route) || has(fip, FactSource::Dnat)));
    let twins: HashMap<(Option<IpAddr>, Option<&str>), &FloatingIp> =
        twins.map(|fip| ((fip.floating_ip, fip.external_network.as_deref()), fip)).collect();
    for fip in all().filter(|fip| fip.kind == FipKind::Centralized && has(fip, FactSource::Address)) {
        let Some(floating) = fip.floating_ip else { continue };
        let twin = twins.get(&(fip.floating_ip, fip.external_network.as_deref()));
        let (Some(twin), Some(router)) = (twin, scene.router_of(fip)) else { continue };
        let Some(namespace) = &router.snat_namespace else { continue };
        let object = ObjectRef { kind: ObjectKind::Addr, key: format!("{floating} on qg-…") };
        let message = format!("{floating} is distributed on this node, and the snat namespace has it too");
        let mut mend = Vec::new();
        if let Some(netns) = scene.netns(namespace) {
            let on_port = |addr: &&Addr| addr.address.addr() == floating && DeviceKind::RouterGateway.is(&addr.dev);
            let gone = |addr: &Addr| Change::new(Some(namespace.clone()), Some(Object::Addr(addr.clone())), None);
            mend.extend(netns.addrs().iter().filter(on_port).map(gone));
            if let Some(place) = Place::of_agent(namespace, netns, "nat") {
                for chain in ["PREROUTING", "OUTPUT", "float-snat"].into_iter().filter_map(|name| place.own_chain(name))
                {
                    mend.extend(
                        place.delete_all(chain, |rule| rule.body.words().is_some_and(|one| is_of(one, floating))),
                    );
                }
            }
        }
        let there = fip.facts.iter().filter(|fact| fact.namespace.as_ref() == Some(namespace));
        let facts: Vec<&str> = there.map(|fact| fact.text.as_str()).collect();
        let fixed_ip = fip.fixed_ip.or(twin.fixed_ip);
        findings
            .fire(&Subject { fixed_ip, ..Subject::floating_ip(fip) }, Some(namespace), object, message)
            .values("nothing of it in the snat namespace", facts.join("; "))
            .mend(mend);
    }
}

/// DVR805: it is translated on the gateway port, and the port has not its address.
pub(in crate::check) fn address_lost(scene: &Scene<'_>, findings: &mut Findings) {
    for fip in scene.fips().filter(|fip| fip.kind != FipKind::Distributed) {
        let is_translated = has(fip, FactSource::Dnat) || has(fip, FactSource::Snat);
        let link = fip.links(Direction::Inbound).iter().find(|link| link.link == LinkName::QgAddress);
        let (Some(link), Some(floating), true) = (link, fip.floating_ip, is_translated) else { continue };
        let object = || ObjectRef { kind: ObjectKind::Addr, key: format!("{floating} on qg-…") };
        let subject = Subject::floating_ip(fip);
        match link.state {
            LinkState::Missing | LinkState::Wrong => {
                let message = format!("no gateway port has {floating}: nobody answers for it");
                let found = findings.fire(&subject, Some(&link.namespace), object(), message);
                let expected = link.expected.clone().unwrap_or_default();
                found.values(expected, link.actual.clone().unwrap_or_else(|| "not there".to_owned()));
                let netns = scene.netns(&link.namespace);
                let port =
                    netns.and_then(|netns| netns.links().iter().find(|one| DeviceKind::RouterGateway.is(&one.name)));
                found.mend(port.map(|port| {
                    let addr = Addr {
                        dev: port.name.clone(),
                        address: IpNet::from(floating),
                        peer: None,
                        broadcast: None,
                        scope: 0,
                        flags: AddrFlags::default(),
                    };
                    Change::new(Some(link.namespace.clone()), None, Some(Object::Addr(addr)))
                }));
            }
            LinkState::Unknown => {
                let why = link.actual.clone().unwrap_or_default();
                findings.cannot_tell(&subject, Some(&link.namespace), object(), why);
            }
            LinkState::Ok | LinkState::NotApplicable => {}
        }
    }
}

/// DVR806: keepalived brought the address, and nobody the rules.
pub(in crate::check) fn untranslated(scene: &Scene<'_>, findings: &mut Findings) {
    for fip in scene.fips().filter(|fip| fip.kind != FipKind::Distributed) {
        let Some(router) = scene.router_of(fip) else { continue };
        let namespace = if fip.kind == FipKind::Legacy { &router.namespace } else { &router.snat_namespace };
        let translated = has(fip, FactSource::Dnat) || has(fip, FactSource::Snat);
        let is_ha = matches!(router.kind, RouterKind::DistributedHa | RouterKind::LegacyHa);
        let (Some(floating), Some(namespace)) = (fip.floating_ip, namespace) else { continue };
        if translated || !is_ha || !has(fip, FactSource::Address) {
            continue;
        }
        let object = ObjectRef { kind: ObjectKind::Nat, key: format!("DNAT {floating}") };
        let subject = Subject::floating_ip(fip);
        if let Some(why) = scene.netns(namespace).and_then(|netns| netns.netfilter.unreadable()) {
            findings.cannot_tell(&subject, Some(namespace), object, why);
            continue;
        }
        findings
            .fire(
                &subject,
                Some(namespace),
                object,
                format!("{floating} stands on the gateway port, and no rule translates it"),
            )
            .values("DNAT and SNAT for it, as on the other members", "neither")
            // Whose it is stands in Neutron, not here.
            .applicability(Applicability::DisplayOnly);
    }
}

/// DVR807: for those who look for it in the fip namespace.
pub(in crate::check) fn by_design(scene: &Scene<'_>, findings: &mut Findings) {
    for fip in scene.fips().filter(|fip| fip.kind == FipKind::Centralized) {
        let (Some(floating), Some(router)) = (fip.floating_ip, scene.router_of(fip)) else { continue };
        let Some(namespace) = router.snat_namespace.as_ref().filter(|_| has(fip, FactSource::Dnat)) else { continue };
        let object = ObjectRef { kind: ObjectKind::Addr, key: format!("{floating} in the snat namespace") };
        let message = format!("{floating} is centralized: its port is bound to no node that could serve it");
        findings.fire(&Subject::floating_ip(fip), Some(namespace), object, message);
    }
}

fn has(fip: &FloatingIp, source: FactSource) -> bool {
    fip.facts.iter().any(|fact| fact.source == source)
}

fn is_of(words: &RuleWords, floating: IpAddr) -> bool {
    match &words.target {
        Some(Target::Dnat { .. }) => words.destination() == Some(floating),
        Some(Target::Snat { to, .. }) => to.addr() == Some(floating) && words.source().is_some(),
        _ => false,
    }
}
