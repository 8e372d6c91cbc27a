//! DVR411: the agent's chains stand, and no packet meets them.

use std::collections::BTreeSet;

use super::Place;
use super::pairs::tell;
use super::tracking::blind;
use crate::check::{Findings, Scene, Subject};
use crate::net::netfilter::{Backend, NfFamily};
use crate::net::{Change, NetnsName, Object};
use crate::topology::{
    ChainLink, Direction, Fact, FactSource, FipKind, FloatingIp, LinkName, LinkState, ObjectKind, ObjectRef, Router,
};

/// DVR411: a jump from a built-in chain is gone, a foreign rule comes first, or
/// both packet filters hold the agent's rules. Once for each namespace and direction.
pub(in crate::check) fn chains(scene: &Scene<'_>, findings: &mut Findings) {
    let mut seen = BTreeSet::new();
    let ways = [Direction::Outbound, Direction::Inbound].into_iter();
    let links = ways.flat_map(|direction| scene.amiss(direction, LinkName::NatJumps));
    for (fip, link) in links.filter(|(fip, _)| needs_jumps(fip)) {
        if seen.insert((&link.namespace, &link.object)) {
            let subject = scene.router_of(fip).map_or_else(Subject::node, Subject::router);
            judge(scene, findings, &subject, link);
        }
    }
    super::intercept::intercepted(scene, findings);
    for router in scene.routers {
        for namespace in router.namespace.iter().chain(&router.snat_namespace) {
            both_filters(scene, findings, router, namespace);
        }
    }
}

/// A gateway port may have an address that nothing translates: the agents of
/// some releases then lay no jump (DVR804 and DVR806 speak of those).
fn needs_jumps(fip: &FloatingIp) -> bool {
    let translates = |fact: &Fact| matches!(fact.source, FactSource::Dnat | FactSource::Snat);
    fip.floating_ip.is_some() && (fip.kind == FipKind::Distributed || fip.facts.iter().any(translates))
}

fn judge(scene: &Scene<'_>, findings: &mut Findings, subject: &Subject, link: &ChainLink) {
    let object = || ObjectRef { kind: ObjectKind::Nat, key: format!("jumps of {}", link.object.key) };
    match link.state {
        LinkState::Missing | LinkState::Wrong => {
            let message = format!("packets in {} do not come to the agent's translation", link.object.key);
            let found = findings.fire(subject, Some(&link.namespace), object(), message);
            tell(found, link).mend(mend(scene, link));
        }
        LinkState::Unknown => {
            let why = link.actual.clone().unwrap_or_default();
            findings.cannot_tell(subject, Some(&link.namespace), object(), why);
        }
        LinkState::Ok | LinkState::NotApplicable => {}
    }
}

/// Each jump that is missing, at the place that the agent gives it.
fn mend(scene: &Scene<'_>, link: &ChainLink) -> Vec<Change> {
    let place = scene.netns(&link.namespace).and_then(|netns| Place::of_agent(&link.namespace, netns, "nat"));
    let (Some(place), Some(expected)) = (place, &link.expected) else { return Vec::new() };
    let mut changes: Vec<Change> = Vec::new();
    for line in expected.split("; ") {
        // Each holds at its moment: the last comes behind those that came before it.
        let position = match plain_end(line) {
            Some(chain) => {
                let length = place.table.chain(chain).map_or(0, |chain| chain.rules.len());
                length + changes.iter().filter(|change| is_into(change, chain)).count()
            }
            None => 0,
        };
        changes.extend(place.insert_line_at(line, position));
    }
    changes
}

/// The chain whose last rule this line is.
fn plain_end(line: &str) -> Option<&str> {
    line.strip_prefix("-A ")?.strip_suffix(" -j neutron-postrouting-bottom")
}

fn is_into(change: &Change, chain: &str) -> bool {
    matches!(&change.after, Some(Object::NfRule(at, _)) if at.chain == chain)
}

/// `nf_tables` and `ip_tables` both act: each has the agent's chains with rules
/// of addresses in them, and one of them is of old.
fn both_filters(scene: &Scene<'_>, findings: &mut Findings, router: &Router, namespace: &NetnsName) {
    let subject = &Subject::router(router);
    let Some(netns) = scene.netns(namespace) else { return };
    let object = ObjectRef { kind: ObjectKind::Nat, key: "nat in two packet filters".to_owned() };
    if let Some(why) = blind(netns) {
        // Told already of a router with floating IPs, by its jumps.
        if scene.fips_of(router).is_empty() {
            findings.cannot_tell(subject, Some(namespace), object, why);
        }
        return;
    }
    let places = Place::all(namespace, netns, "nat");
    if places.len() < 2 {
        return;
    }
    let holding = |place: &Place<'_>| {
        let chains = ["PREROUTING", "POSTROUTING", "float-snat"].into_iter().filter_map(|name| place.own_chain(name));
        place.table.family == NfFamily::Ip && chains.flat_map(|chain| &chain.rules).next().is_some()
    };
    let has = |backend| places.iter().any(|place| place.backend == backend && holding(place));
    if has(Backend::Nft) && has(Backend::Legacy) {
        findings
            .fire(
                subject,
                Some(namespace),
                object,
                "the agent's translation stands in nf_tables and in ip_tables, and both act",
            )
            .values("rules in one packet filter", "rules in both");
    }
}
