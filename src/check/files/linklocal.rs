//! `fip-linklocal-networks` against the addresses of the pairs.

use std::collections::BTreeMap;

use super::super::{AgentDoes, Applicability, Findings, Scene, Subject};
use super::priorities::object;
use crate::net::{AllocationFile, Change, FileName, Object, Observed, PathOrigin, printable};
use crate::neutron::{LinkLocalPair, PairEntry};
use crate::topology::Router;

/// DVR902.
pub(in super::super) fn inconsistent(scene: &Scene<'_>, findings: &mut Findings) {
    let host = &scene.snapshot.host;
    match &host.link_local_file {
        Observed::Seen(file) => {
            lines(scene, file, findings);
            entries(scene, file, findings);
        }
        Observed::Unreadable(why) => {
            findings.cannot_tell(&Subject::node(), None, object("fip-linklocal-networks"), why.clone());
        }
        Observed::Absent => {
            let count = paired(scene).count();
            // In the usual place it may only be that the agent's place is another.
            if count == 0 || (host.path_origin == PathOrigin::Usual && host.priority_file.is_absent()) {
                return;
            }
            let message = format!("fip-linklocal-networks is not there, and {count} pairs stand");
            findings
                .fire(&Subject::node(), None, object("fip-linklocal-networks"), message)
                .values(format!("{count} lines"), "no file")
                .agent(AgentDoes::HealsOnRestart);
        }
    }
}

/// Lines that the agent would skip, and pairs that two routers have.
fn lines(scene: &Scene<'_>, file: &AllocationFile, findings: &mut Findings) {
    let mut owners: BTreeMap<LinkLocalPair, Vec<String>> = BTreeMap::new();
    for (at, line) in file.lines.iter().enumerate() {
        if let Ok(entry) = line.parse::<PairEntry>() {
            owners.entry(entry.pair).or_default().push(entry.router);
            continue;
        }
        if line.trim().is_empty() {
            continue;
        }
        let words = printable(line, 80);
        let message = format!("line {} of fip-linklocal-networks is no entry: '{words}'", at + 1);
        findings
            .fire(&Subject::node(), None, object(&format!("fip-linklocal-networks line {}", at + 1)), message)
            .values("ROUTER,PAIR/31", words)
            .agent(AgentDoes::HealsOnRestart);
    }
    for (pair, mut routers) in owners {
        routers.sort();
        routers.dedup();
        // Each external network has a pool of its own: the same pair in two is legal.
        let network = |id: &String| scene.topology.router(id).and_then(|router| router.external_network.as_deref());
        let apart = |routers: &[String]| matches!(routers, [one, other, ..] if network(one) != network(other));
        if scene.topology.external_networks.len() > 1 && apart(&routers) {
            continue;
        }
        if let [one, other, ..] = &routers[..] {
            let (one, other) = (printable(one, 64), printable(other, 64));
            let message = format!("fip-linklocal-networks gives {pair} to {one} and to {other}");
            findings
                .fire(&younger(scene, &routers), None, object(&format!("fip-linklocal-networks {pair}")), message)
                .values("one router for each pair", format!("{} routers", routers.len()));
        }
    }
}

/// The router whose end in the fip namespace was made last, where all have one
/// (DVR206 speaks of the same one); else nobody.
fn younger(scene: &Scene<'_>, routers: &[String]) -> Subject {
    let made = |id: &String| {
        let router = scene.topology.router(id)?;
        let network = scene.network(router.external_network.as_deref()?)?;
        let link = scene.netns(&network.namespace)?.link(&router.fip_2_rtr.as_ref()?.device)?;
        Some((link.index, router))
    };
    let all: Option<Vec<(u32, &Router)>> = routers.iter().map(made).collect();
    let last = all.and_then(|all| all.into_iter().max_by_key(|(index, _)| *index));
    last.map_or_else(Subject::node, |(_, router)| Subject::router(router))
}

/// Entries that disagree with a router's pair, or are not there.
fn entries(scene: &Scene<'_>, file: &AllocationFile, findings: &mut Findings) {
    let several_networks = scene.topology.external_networks.len() > 1;
    let mut written: BTreeMap<String, Vec<(usize, PairEntry)>> = BTreeMap::new();
    for (at, line) in file.lines.iter().enumerate() {
        if let Ok(entry) = line.parse::<PairEntry>() {
            written.entry(entry.router.clone()).or_default().push((at, entry));
        }
    }
    for (router, pair) in paired(scene) {
        let own = written.get(&router.id).map_or(&[][..], Vec::as_slice);
        let key = object(&format!("fip-linklocal-networks {}", router.id));
        let line = format!("{},{pair}", router.id);
        let change = |at: usize, old: Option<String>| {
            let file = |line: String| Object::FileLine(FileName::LinkLocal, at, line);
            Change::new(None, old.map(file), Some(file(line.clone())))
        };
        match own.first() {
            None if several_networks || file.truncated => {}
            None => {
                let message = format!("fip-linklocal-networks has no line for router {}, which has {pair}", router.id);
                findings
                    .fire(&Subject::router(router), None, key, message)
                    .values(line.clone(), "no line")
                    .agent(AgentDoes::HealsOnRestart)
                    .mend([change(file.lines.len(), None)])
                    .applicability(Applicability::DisplayOnly);
            }
            Some(_) if own.iter().any(|(_, entry)| entry.pair == pair) => {}
            Some((at, entry)) => {
                let message =
                    format!("fip-linklocal-networks has {} for router {}, which has {pair}", entry.pair, router.id);
                findings
                    .fire(&Subject::router(router), None, key, message)
                    .values(line.clone(), entry.to_string())
                    .mend([change(*at, file.lines.get(*at).cloned())])
                    .applicability(Applicability::DisplayOnly);
            }
        }
    }
}

/// Routers whose two ends agree on their pair; where they do not, that is the
/// finding, and the file may be right.
pub(super) fn paired<'s>(scene: &Scene<'s>) -> impl Iterator<Item = (&'s Router, LinkLocalPair)> {
    scene.topology.routers.iter().filter_map(|router| {
        let near = LinkLocalPair::of_net(router.rtr_2_fip.as_ref()?.address?)?;
        let far = LinkLocalPair::of_net(router.fip_2_rtr.as_ref()?.address?)?;
        (near == far && router.namespace.is_some()).then_some((router, near))
    })
}
