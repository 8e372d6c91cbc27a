//! Rules to table 16 that are double, or that nothing stands behind.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::rule::{moved, question};
use crate::check::view::{View, each};
use crate::check::{Findings, Scene, Severity, Subject};
use crate::net::{Change, NeighState, Object, Rule, RulePriority};
use crate::neutron::{FIP_TABLE, is_fip_priority};
use crate::topology::{FipKind, FloatingIp, ObjectKind, ObjectRef};

/// DVR303.
pub(super) fn stray(scene: &Scene<'_>, findings: &mut Findings) {
    let file = scene.priorities();
    each(scene, findings, |view, findings| {
        let moved = moved(view, file);
        let mut by_fixed: BTreeMap<IpAddr, Vec<&Rule>> = BTreeMap::new();
        let mut by_priority: BTreeMap<RulePriority, Vec<IpAddr>> = BTreeMap::new();
        for rule in view.rules().filter(|rule| rule.table() == Some(FIP_TABLE) && rule.is_by_source_alone()) {
            let host = rule.from.filter(|net| net.prefix_len() == 32 && is_fip_priority(rule.priority));
            let Some(source) = host else { continue };
            by_fixed.entry(source.addr()).or_default().push(rule);
            by_priority.entry(rule.priority).or_default().push(source.addr());
        }
        for (fixed, rules) in &by_fixed {
            let backed = view.distributed().find(|fip| fip.fixed_ip == Some(*fixed));
            match (backed, rules.split_first()) {
                (Some(fip), Some((first, doubles))) => {
                    for rule in doubles {
                        let message = format!("{fixed} has another rule than {first}");
                        double(view, findings, fip, rule, &message).values(first.to_string(), rule.to_string());
                    }
                }
                // What is translated, and so what stands behind it, could not be read.
                (None, Some((first, _))) if view.netns.netfilter.unreadable().is_some() => {
                    let why = view.netns.netfilter.unreadable().unwrap_or_default();
                    findings.cannot_tell(&view.subject(), Some(view.qrouter), object(first), why);
                }
                // Of a rule that a floating IP was moved away from DVR310 speaks.
                (None, Some(_)) => {
                    for rule in rules.iter().filter(|rule| !moved.contains(rule)) {
                        stale(scene, view, findings, *fixed, rule);
                    }
                }
                _ => {}
            }
        }
        for (priority, sources) in by_priority {
            if let [first, others @ ..] = &sources[..] {
                for other in others.iter().filter(|other| *other != first) {
                    shared(view, findings, priority, *first, *other);
                }
            }
        }
    });
}

fn double<'f>(
    view: &View<'_>,
    findings: &'f mut Findings,
    fip: &FloatingIp,
    rule: &Rule,
    message: &str,
) -> &'f mut crate::check::Finding {
    let finding = findings.fire(&Subject::floating_ip(fip), Some(view.qrouter), object(rule), message);
    finding.at_most(Severity::Warning);
    finding.mend([Change::new(Some(view.qrouter.clone()), Some(Object::Rule(Box::new(rule.clone()))), None)])
}

/// A rule that no distributed floating IP stands behind. With a default in
/// table 16 it leads the instance's packets out untranslated; without one,
/// packets pass it by.
fn stale(scene: &Scene<'_>, view: &View<'_>, findings: &mut Findings, fixed: IpAddr, rule: &Rule) {
    let diverts = view.default_16().is_some();
    let centralized = view.fips.iter().find(|fip| fip.kind == FipKind::Centralized && fip.fixed_ip == Some(fixed));
    let orphan = view.fips.iter().find(|fip| fip.fixed_ip == Some(fixed));
    let known = |neigh: &&crate::net::Neigh| neigh.address == fixed && neigh.state == NeighState::Permanent;
    let in_use = centralized.is_some() || view.netns.neighs().iter().any(|neigh| known(&neigh));
    let severity = match (diverts, in_use) {
        (false, _) => Severity::Note,
        (true, false) => Severity::Warning,
        (true, true) => Severity::Error,
    };
    let about = match (diverts, centralized.and_then(|fip| fip.floating_ip)) {
        (true, Some(address)) => {
            format!(
                "a stray rule diverts {fixed} past the snat namespace, where its centralized floating IP {address} is"
            )
        }
        (true, None) => format!("a stray rule sends {fixed} to table 16, and nothing translates it on that way"),
        (false, _) => format!("a stray rule for {fixed} stands, and table 16 leads nowhere: packets pass it by"),
    };
    let subject = centralized
        .or(orphan)
        .map_or_else(|| Subject { fixed_ip: Some(fixed), ..view.subject() }, |fip| Subject::floating_ip(fip));
    let finding = findings.fire(&subject, Some(view.qrouter), object(rule), about);
    finding.values("no such rule", rule.to_string()).at_most(severity).question(question(scene, view, fixed));
    finding.mend([Change::new(Some(view.qrouter.clone()), Some(Object::Rule(Box::new(rule.clone()))), None)]);
}

/// Two rules of one priority: deleted by priority, the wrong one can go.
fn shared(view: &View<'_>, findings: &mut Findings, priority: RulePriority, first: IpAddr, other: IpAddr) {
    let Some(fip) = view.distributed().find(|fip| fip.fixed_ip == Some(other)) else { return };
    let key = format!("pref {priority} from {other}");
    let message = format!("{first} and {other} have rules of the same priority {priority}");
    let object = ObjectRef { kind: ObjectKind::Rule, key };
    let finding = findings.fire(&Subject::floating_ip(fip), Some(view.qrouter), object, message);
    finding.values("a priority of its own", format!("{priority}, as {first}")).at_most(Severity::Warning);
}

fn object(rule: &Rule) -> ObjectRef {
    ObjectRef { kind: ObjectKind::Rule, key: rule.to_string() }
}
