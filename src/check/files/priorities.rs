//! `fip-priorities` against the rules of the router namespaces.

use super::super::{AgentDoes, Applicability, Findings, Scene, Subject};
use crate::net::{AllocationFile, Change, FileName, Object, Observed, PathOrigin, printable};
use crate::neutron::{Layout, PriorityEntry};
use crate::topology::{FactSource, FipKind, FloatingIp, ObjectKind, ObjectRef};

/// DVR901, of the file as a whole.
pub(in super::super) fn file(scene: &Scene<'_>, findings: &mut Findings) {
    let host = &scene.snapshot.host;
    match &host.priority_file {
        Observed::Seen(file) => lines(file, findings),
        Observed::Unreadable(why) => {
            findings.cannot_tell(&Subject::node(), None, object("fip-priorities"), why.clone());
        }
        Observed::Absent => absent(scene, findings),
    }
}

/// A file that is not there although the agent has given priorities out. In the
/// usual place it may only be that the agent's place is another.
fn absent(scene: &Scene<'_>, findings: &mut Findings) {
    let host = &scene.snapshot.host;
    let given: Vec<&FloatingIp> = ruled(scene).filter(|fip| layout(scene, fip) != Some(Layout::Juno)).collect();
    if given.is_empty() || (host.path_origin == PathOrigin::Usual && host.link_local_file.is_absent()) {
        return;
    }
    let message = format!("fip-priorities is not there, and {} rules of floating IPs stand", given.len());
    findings
        .fire(&Subject::node(), None, object("fip-priorities"), message)
        .values(format!("{} lines", given.len()), "no file");
}

/// Lines that the agent would skip.
fn lines(file: &AllocationFile, findings: &mut Findings) {
    for (at, line) in file.lines.iter().enumerate() {
        if line.trim().is_empty() || line.parse::<PriorityEntry>().is_ok() {
            continue;
        }
        let words = printable(line, 80);
        let message = format!("line {} of fip-priorities is no entry: '{words}'", at + 1);
        findings
            .fire(&Subject::node(), None, object(&format!("fip-priorities line {}", at + 1)), message)
            .values("ADDRESS,PRIORITY", words)
            .agent(AgentDoes::HealsOnRestart);
    }
}

/// DVR901, of the floating IPs' lines: their rules' priorities against the file.
pub(in super::super) fn entries(scene: &Scene<'_>, findings: &mut Findings) {
    let Observed::Seen(file) = &scene.snapshot.host.priority_file else { return };
    let several_networks = scene.topology.external_networks.len() > 1;
    for fip in scene.fips().filter(|fip| is_ruled(fip)) {
        let (Some(address), Some(priority)) = (fip.floating_ip, fip.rule_priority) else { continue };
        let said = || scene.priorities().said(address);
        if said().any(|(_, said)| said == priority) {
            continue;
        }
        let key = object(&format!("fip-priorities {address}"));
        let line = format!("{address},{priority}");
        let change = |at: usize, old: Option<String>| {
            let file = |line: String| Object::FileLine(FileName::Priorities, at, line);
            Change::new(None, old.map(file), Some(file(line.clone())))
        };
        match said().next() {
            // With a second network this is another finding, or another's address.
            None if several_networks || file.truncated || layout(scene, fip) == Some(Layout::Juno) => {}
            None => {
                let message = format!("fip-priorities has no line for {address}, whose rule has priority {priority}");
                findings
                    .fire(&Subject::floating_ip(fip), None, key, message)
                    .values(line.clone(), "no line")
                    .mend([change(file.lines.len(), None)])
                    .applicability(Applicability::DisplayOnly);
            }
            Some((at, said)) => {
                // The same address on another external network is legal.
                if several_networks
                    && scene.everyones_fips().any(|other| is_ruled(other) && other.rule_priority == Some(said))
                {
                    continue;
                }
                let message = format!("fip-priorities has {said} for {address}, and its rule has {priority}");
                findings
                    .fire(&Subject::floating_ip(fip), None, key, message)
                    .values(line.clone(), format!("{address},{said}"))
                    .mend([change(at, file.lines.get(at).cloned())])
                    .applicability(Applicability::DisplayOnly);
            }
        }
    }
}

/// Distributed floating IPs that have a rule of their own and a translation.
pub(super) fn ruled<'s>(scene: &Scene<'s>) -> impl Iterator<Item = &'s FloatingIp> {
    scene.topology.fips().filter(|fip| is_ruled(fip))
}

fn is_ruled(fip: &FloatingIp) -> bool {
    fip.kind == FipKind::Distributed
        && fip.floating_ip.is_some()
        && fip.facts.iter().any(|fact| fact.source == FactSource::Rule)
}

pub(super) fn layout(scene: &Scene<'_>, fip: &FloatingIp) -> Option<Layout> {
    scene.router_of(fip).and_then(|router| router.told_layout)
}

pub(super) fn object(key: &str) -> ObjectRef {
    ObjectRef { kind: ObjectKind::File, key: key.to_owned() }
}
