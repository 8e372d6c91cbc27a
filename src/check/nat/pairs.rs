//! DNAT and SNAT of each floating IP, and floating IPs that stand twice.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use super::Place;
use super::place::line;
use crate::check::{AgentDoes, Applicability, Finding, Findings, Scene, Subject};
use crate::net::netfilter::{NfRule, RuleWords, Target, parse_rule};
use crate::net::{Change, NetnsName};
use crate::neutron::{Layout, RouterPrefix};
use crate::topology::{
    ChainLink, Direction, FactSource, FipKind, FloatingIp, LinkName, LinkState, ObjectKind, ObjectRef, Router,
};

/// DVR401: the floating IP does not become the fixed IP on the way in.
pub(in crate::check) fn dnat(scene: &Scene<'_>, findings: &mut Findings) {
    for (fip, link) in amiss(scene, Direction::Inbound, LinkName::Dnat) {
        let Some(found) = judge(findings, fip, link, "nothing translates it to its fixed IP on the way in") else {
            continue;
        };
        found.mend(mend(scene, link, "PREROUTING", |words| is_dnat(words, fip.floating_ip)));
    }
}

/// DVR402: the fixed IP does not become the floating IP on the way out.
pub(in crate::check) fn float_snat(scene: &Scene<'_>, findings: &mut Findings) {
    for (fip, link) in amiss(scene, Direction::Outbound, LinkName::FloatSnat) {
        let Some(found) = judge(findings, fip, link, "its fixed IP is not translated to it on the way out") else {
            continue;
        };
        found.mend(mend(scene, link, "float-snat", |words| {
            matches!(words.target, Some(Target::Snat { .. })) && words.source() == fip.fixed_ip
        }));
    }
}

/// DVR403: DNAT that meets packets from everywhere, where the layout knows better.
pub(in crate::check) fn dnat_from_everywhere(scene: &Scene<'_>, findings: &mut Findings) {
    let knows_better = |router: &Router| matches!(router.layout, Some(Layout::Newton | Layout::Pike));
    for (fip, link) in amiss(scene, Direction::Inbound, LinkName::Dnat) {
        let is_asked = link.state == LinkState::Wrong && link.advisory && fip.kind == FipKind::Distributed;
        if !is_asked || !scene.router_of(fip).is_some_and(knows_better) {
            continue;
        }
        let rfp = RouterPrefix::of(&fip.router).rfp();
        let message = format!("the DNAT of {} does not ask for {rfp}", word(fip.floating_ip));
        let found = findings.fire(&Subject::floating_ip(fip), Some(&link.namespace), link.object.clone(), message);
        tell(found, link).mend(mend(scene, link, "PREROUTING", |words| is_dnat(words, fip.floating_ip)));
    }
    for router in scene.routers.iter().filter(|router| knows_better(router)) {
        from_the_namespace_itself(scene, router, findings);
    }
}

/// DNAT of distributed floating IPs in the chain of what the router namespace sends.
fn from_the_namespace_itself(scene: &Scene<'_>, router: &Router, findings: &mut Findings) {
    let Some(namespace) = &router.namespace else { return };
    let Some(place) = scene.netns(namespace).and_then(|netns| Place::of_agent(namespace, netns, "nat")) else { return };
    let Some(chain) = place.own_chain("OUTPUT").filter(|chain| !chain.rules.is_empty()) else { return };
    let is_its = |fip: &&&FloatingIp| {
        let mut links = fip.links(Direction::Inbound).iter();
        let stands = links.any(|link| link.link == LinkName::Dnat && link.namespace == *namespace);
        stands && fip.kind == FipKind::Distributed && is_associated(fip)
    };
    for fip in scene.fips_of(router).iter().filter(is_its) {
        let meant = |rule: &NfRule| rule.body.words().is_some_and(|words| is_dnat(words, fip.floating_ip));
        let Some(rule) = chain.rules.iter().find(|rule| meant(rule)) else { continue };
        let object = ObjectRef { kind: ObjectKind::Nat, key: format!("OUTPUT DNAT {}", word(fip.floating_ip)) };
        let message = format!("packets of the namespace itself to {} are translated too", word(fip.floating_ip));
        findings
            .fire(&Subject::floating_ip(fip), Some(namespace), object, message)
            .values(format!("no DNAT in {}", chain.name), line(&chain.name, rule))
            .mend(place.delete_all(chain, meant));
    }
}

/// DVR412, in one router: a floating IP with two fixed IPs, that no other router has.
pub(in crate::check) fn several(scene: &Scene<'_>, findings: &mut Findings) {
    for fip in scene.fips().filter(|fip| is_translated_here(fip) && dnats(fip) > 1) {
        let (Some(floating), Some(network)) = (fip.floating_ip, fip.external_network.as_deref()) else { continue };
        let mut others = scene.everyones_fips_at(network, floating).filter(|other| !std::ptr::eq(*other, fip));
        if !others.any(is_translated_here) {
            tell_twice(findings, floating, &[fip]);
        }
    }
}

/// DVR412: the same floating IP of the same external network, for two fixed IPs.
pub(in crate::check) fn twice(scene: &Scene<'_>, findings: &mut Findings) {
    let is_same = |one: &Arc<FloatingIp>, other: &Arc<FloatingIp>| {
        one.floating_ip == other.floating_ip && one.external_network == other.external_network
    };
    // They come sorted by it.
    for group in scene.topology.floating_ips.chunk_by(is_same).filter(|group| group.len() > 1) {
        let (Some(floating), true) = (group[0].floating_ip, group[0].external_network.is_some()) else { continue };
        let having: Vec<&FloatingIp> = group.iter().map(Arc::as_ref).filter(|fip| is_translated_here(fip)).collect();
        if having.len() > 1 {
            tell_twice(findings, floating, &having);
        }
    }
}

fn dnats(fip: &FloatingIp) -> usize {
    fip.facts.iter().filter(|fact| fact.source == FactSource::Dnat).count()
}

fn is_translated_here(fip: &FloatingIp) -> bool {
    fip.kind != FipKind::Centralized && dnats(fip) > 0
}

fn tell_twice(findings: &mut Findings, floating: IpAddr, having: &[&FloatingIp]) {
    let [first, ..] = having else { return };
    let lines: Vec<String> = having.iter().flat_map(|fip| dnat_targets(fip)).collect();
    if lines.len() < 2 {
        return;
    }
    let namespace = first.facts.iter().find(|fact| fact.source == FactSource::Dnat);
    let namespace = namespace.and_then(|fact| fact.namespace.as_ref());
    let object = ObjectRef { kind: ObjectKind::Nat, key: format!("DNAT {floating}, {} times", lines.len()) };
    let message = format!("{floating} is translated {} times, to different instances", lines.len());
    // Only the agent's chains are looked at here, and it writes those of a router anew.
    let is_of_one_router = having.iter().all(|fip| fip.router == first.router);
    findings
        .fire(&Subject::floating_ip(first), namespace, object, message)
        .values("one DNAT, for the instance that Neutron names", lines.join("; "))
        .agent(agent_of(is_of_one_router))
        .applicability(Applicability::DisplayOnly);
}

/// The DNAT lines of a floating IP, one per target.
fn dnat_targets(fip: &FloatingIp) -> Vec<String> {
    let mut by_target: BTreeMap<&str, String> = BTreeMap::new();
    for fact in fip.facts.iter().filter(|fact| fact.source == FactSource::Dnat) {
        let target = fact.text.rsplit(' ').next().unwrap_or_default();
        let place = fact.namespace.as_ref().map_or("", NetnsName::as_str);
        by_target.entry(target).or_insert_with(|| format!("{place}: {}", fact.text));
    }
    by_target.into_values().collect()
}

/// Links of translation that are amiss, of floating IPs of which it is known to be
/// wanted: something else translates them, or both of rule and route stand.
fn amiss<'s>(
    scene: &Scene<'s>,
    direction: Direction,
    name: LinkName,
) -> impl Iterator<Item = (&'s FloatingIp, &'s ChainLink)> {
    scene.amiss(direction, name).filter(|(fip, _)| is_associated(fip))
}

/// Both addresses are known, and two kinds of objects or more speak of them. An
/// address of a gateway port alone tells no fixed IP.
pub(super) fn is_associated(fip: &FloatingIp) -> bool {
    let has = |source| fip.facts.iter().any(|fact| fact.source == source);
    let all = [FactSource::Rule, FactSource::Dnat, FactSource::Snat, FactSource::Route, FactSource::Address];
    fip.floating_ip.is_some() && fip.fixed_ip.is_some() && all.into_iter().filter(|source| has(*source)).count() >= 2
}

/// Fires for a link that is missing or wrong, and says so for one that nobody
/// could judge.
fn judge<'f>(findings: &'f mut Findings, fip: &FloatingIp, link: &ChainLink, missing: &str) -> Option<&'f mut Finding> {
    let subject = Subject::floating_ip(fip);
    let floating = word(fip.floating_ip);
    match (link.state, link.advisory) {
        (LinkState::Missing | LinkState::Wrong, false) => {
            let message = match (link.state, &link.actual) {
                (LinkState::Wrong, Some(actual)) => format!("{floating}: {missing}, but \"{actual}\" is there"),
                _ => format!("{floating}: {missing}"),
            };
            let found = findings.fire(&subject, Some(&link.namespace), link.object.clone(), message);
            Some(tell(found, link))
        }
        (LinkState::Unknown, _) => {
            let why = link.actual.clone().unwrap_or_else(|| "it could not be judged".to_owned());
            findings.cannot_tell(&subject, Some(&link.namespace), link.object.clone(), why);
            None
        }
        _ => None,
    }
}

/// Gives a finding the values of the link.
pub(super) fn tell<'f>(found: &'f mut Finding, link: &ChainLink) -> &'f mut Finding {
    if let Some(expected) = &link.expected {
        found.values(expected.clone(), link.actual.clone().unwrap_or_else(|| "not there".to_owned()));
    }
    found
}

/// Takes out what the agent's chain has of the same translation, and puts in
/// what should be there.
fn mend(scene: &Scene<'_>, link: &ChainLink, chain: &str, meant: impl Fn(&RuleWords) -> bool) -> Vec<Change> {
    let place = scene.netns(&link.namespace).and_then(|netns| Place::of_agent(&link.namespace, netns, "nat"));
    let (Some(place), Some(expected)) = (place, &link.expected) else { return Vec::new() };
    let Some(chain) = place.own_chain(chain) else { return Vec::new() };
    let Ok((_, mut wanted)) = parse_rule(expected) else { return Vec::new() };
    let old = chain.rules.iter().find(|rule| rule.body.words().is_some_and(&meant));
    let sibling = old.or_else(|| chain.rules.iter().find(|rule| flags_of(rule).is_some()));
    if let (Some(flags), Some(words)) = (sibling.and_then(flags_of), words_mut(&mut wanted))
        && let Some(Target::Snat { flags: own, .. }) = &mut words.target
    {
        // `--random-fully` as the neighbouring rules have it.
        *own = flags;
    }
    let mut changes = place.delete_all(chain, |rule| rule.body.words().is_some_and(&meant));
    changes.push(place.insert(&chain.name, 0, &wanted));
    changes
}

fn flags_of(rule: &NfRule) -> Option<crate::net::netfilter::NatFlags> {
    match rule.body.words()?.target {
        Some(Target::Snat { flags, .. }) => Some(flags),
        _ => None,
    }
}

fn words_mut(rule: &mut NfRule) -> Option<&mut RuleWords> {
    match &mut rule.body {
        crate::net::netfilter::RuleBody::Words(words) => Some(words),
        crate::net::netfilter::RuleBody::NotUnderstood(_) => None,
    }
}

fn is_dnat(words: &RuleWords, floating: Option<IpAddr>) -> bool {
    matches!(&words.target, Some(Target::Dnat { to, .. }) if to.ports.is_none())
        && floating.is_some()
        && words.destination() == floating
}

fn word(address: Option<IpAddr>) -> String {
    address.map_or_else(|| "?".to_owned(), |address| address.to_string())
}

/// What the agent does with a rule of that chain: its own are put right.
pub(super) fn agent_of(is_own: bool) -> AgentDoes {
    if is_own { AgentDoes::HealsOnUpdate } else { AgentDoes::Never }
}
