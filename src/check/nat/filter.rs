//! What a packet filter stops of a floating IP's packets: address scopes
//! (DVR413), and rules that are not the agent's (DVR415). Decided by walking
//! packets, in those routers alone whose namespaces hold anything that could.

mod probe;
mod scope;
mod suspect;

use std::collections::{BTreeMap, BTreeSet};

use super::Place;
use super::pairs::{agent_of, is_associated};
use crate::check::{Applicability, Findings, Scene, Subject};
use crate::net::netfilter::RuleWords;
use crate::net::{Change, NetnsName};
use crate::path::{Outcome, Walk};
use crate::topology::{FloatingIp, ObjectKind, ObjectRef, Router};
use probe::{first_packets, probes};
use suspect::Suspect;
pub(in crate::check) use suspect::Suspects;

/// Something that stops packets: a rule by its line, or a policy in words.
struct Blamed<'s> {
    line: String,
    table: String,
    fips: Vec<&'s FloatingIp>,
    walk: Walk,
}

/// What the walks of a router came to.
#[derive(Default)]
struct Told<'s> {
    blamed: BTreeMap<(NetnsName, String), Blamed<'s>>,
    riddles: BTreeMap<NetnsName, String>,
}

/// DVR413: a mark that does not fit the output device's scope.
pub(in crate::check) fn scope(scene: &Scene<'_>, findings: &mut Findings) {
    each(scene, |router, told| {
        for ((namespace, _), blamed) in &told.blamed {
            if let Some(fault) = scope::fault(scene, namespace, blamed) {
                let object = ObjectRef { kind: ObjectKind::Filter, key: fault.key };
                let message = format!("its address scope's rule drops packets: {}", fault.words);
                findings
                    .fire(&subject(router, blamed), Some(namespace), object, message)
                    .values(fault.expected, fault.actual)
                    .mend(fault.mend);
            }
        }
    });
}

/// DVR415: a rule or a policy that nobody but another tool can have put there.
pub(in crate::check) fn foreign(scene: &Scene<'_>, findings: &mut Findings) {
    each(scene, |router, told| {
        for ((namespace, key), blamed) in &told.blamed {
            if scope::fault(scene, namespace, blamed).is_some() {
                continue;
            }
            let object = ObjectRef { kind: ObjectKind::Filter, key: key.clone() };
            let message = format!("packets {} are stopped by a rule that is not the agent's", whose(blamed));
            let (mend, is_own) = mend(scene, namespace, blamed);
            let found = findings.fire(&subject(router, blamed), Some(namespace), object, message);
            found.values("no such rule", format!("{} (table {})", blamed.line, blamed.table));
            found.agent(agent_of(is_own)).mend(mend).applicability(Applicability::NeedsConsent);
        }
        for (namespace, why) in &told.riddles {
            let object = ObjectRef { kind: ObjectKind::Filter, key: "walk".to_owned() };
            findings.cannot_tell(&Subject::router(router), Some(namespace), object, why.clone());
        }
    });
}

/// The ways of first packets that a rule asks for, of one floating IP.
pub(super) fn walks(scene: &Scene<'_>, router: &Router, fip: &FloatingIp, words: &RuleWords) -> Vec<Walk> {
    first_packets(scene, router, fip, Suspect { words: Some(words) })
}

/// Walks the packets of each router that has something to suspect.
fn each<'s>(scene: &Scene<'s>, mut act: impl FnMut(&'s Router, Told<'s>)) {
    for router in scene.routers {
        let fips = || scene.fips_of(router).iter().copied().filter(|fip| is_associated(fip));
        let network = router.external_network.as_deref().and_then(|id| scene.network(id));
        let places = router.namespace.iter().chain(&router.snat_namespace).chain(network.map(|net| &net.namespace));
        let names: BTreeSet<&NetnsName> = places.collect();
        let mut told = Told::default();
        for name in names {
            for suspect in scene.suspects(name).of(scene, name).iter() {
                for fip in fips() {
                    for walk in probes(scene, router, fip, *suspect) {
                        told.add(fip, walk);
                    }
                }
            }
        }
        act(router, told);
    }
}

impl<'s> Told<'s> {
    fn add(&mut self, fip: &'s FloatingIp, walk: Walk) {
        let Some(stop) = walk.stop.clone() else { return };
        match stop.object.filter(|object| object.kind == ObjectKind::Filter) {
            Some(object) => {
                let (line, table) = split(&object.key);
                let blamed = Blamed { line: line.to_owned(), table: table.to_owned(), fips: Vec::new(), walk };
                let blamed = self.blamed.entry((stop.namespace, object.key)).or_insert(blamed);
                if !blamed.fips.contains(&fip) {
                    blamed.fips.push(fip);
                }
            }
            None if walk.outcome == Outcome::Unknown => {
                self.riddles.entry(stop.namespace).or_insert(stop.reason);
            }
            None => {}
        }
    }
}

/// The rule and its table, as a walk names what stopped it.
fn split(key: &str) -> (&str, &str) {
    let parts = key.rsplit_once(" (table ").and_then(|(line, rest)| Some((line, rest.strip_suffix(')')?)));
    parts.unwrap_or((key, "filter"))
}

/// One floating IP where only that one is concerned, else the router.
fn subject(router: &Router, blamed: &Blamed<'_>) -> Subject {
    match blamed.fips[..] {
        [fip] => Subject::floating_ip(fip),
        _ => Subject::router(router),
    }
}

fn whose(blamed: &Blamed<'_>) -> String {
    let all: Vec<String> = blamed.fips.iter().filter_map(|fip| fip.floating_ip).map(|ip| ip.to_string()).collect();
    match &all[..] {
        [one] => format!("of {one}"),
        [first, .., last] => format!("of {first} to {last} ({} floating IPs)", all.len()),
        [] => "here".to_owned(),
    }
}

/// Takes the rule out; the second value says whether it stands in a chain of the
/// agent's.
fn mend(scene: &Scene<'_>, namespace: &NetnsName, blamed: &Blamed<'_>) -> (Vec<Change>, bool) {
    let Some(netns) = scene.netns(namespace) else { return (Vec::new(), false) };
    for place in Place::all(namespace, netns, &blamed.table) {
        for chain in &place.table.chains {
            let found = chain.rules.iter().position(|rule| super::place::line(&chain.name, rule) == blamed.line);
            if let Some(position) = found {
                let own = place.prefix().is_some_and(|prefix| chain.name.starts_with(&format!("{}-", prefix.as_str())));
                return (vec![place.delete(&chain.name, position, &chain.rules[position])], own);
            }
        }
    }
    (Vec::new(), false)
}
