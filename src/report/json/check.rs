//! `fipscope.check/1`, and findings in other documents.

use std::net::IpAddr;

use serde::Serialize;

use super::{Head, document};
use crate::check::{AgentDoes, Applicability, Code, Confidence, DecidedBy, Severity, checks};
use crate::net::{NetnsName, Snapshot};
use crate::report::repair;
use crate::report::{Judged, Narrowed};
use crate::topology::{ObjectRef, Topology};

#[derive(Serialize)]
struct Check<'a> {
    #[serde(flatten)]
    head: Head<'a>,
    summary: Summary,
    findings: Vec<Finding<'a>>,
}

#[derive(Serialize)]
struct Summary {
    errors: usize,
    warnings: usize,
    notes: usize,
    unknown: usize,
    checked: usize,
    acknowledged: usize,
}

/// An entry of `findings[]`, which `fipscope.show/1` has too.
#[derive(Serialize)]
pub(super) struct Finding<'a> {
    id: &'a str,
    code: Code,
    name: &'a str,
    severity: Severity,
    confidence: Confidence,
    why_unknown: Option<&'a str>,
    namespace: Option<&'a NetnsName>,
    object: &'a ObjectRef,
    router: Option<&'a str>,
    floating_ip: Option<IpAddr>,
    fixed_ip: Option<IpAddr>,
    message: &'a str,
    expected: Option<&'a str>,
    actual: Option<&'a str>,
    because_of: Option<&'a str>,
    acknowledged: bool,
    agent: AgentDoes,
    repair: Repair,
}

#[derive(Serialize)]
struct Repair {
    applicability: Applicability,
    commands: Vec<String>,
}

/// What the checks found.
pub fn check(snapshot: &Snapshot, topology: &Topology, judged: Judged<'_>, narrowed: &Narrowed<'_>) -> String {
    let shown = judged.shown(topology, narrowed);
    let counts = shown.counts();
    let ran = |check: &&crate::check::Check| {
        let is_decided = match check.decided_by {
            DecidedBy::Snapshot(_) | DecidedBy::Routers(_) | DecidedBy::Both(..) => true,
            DecidedBy::Wire(_) => narrowed.asked.is_some(),
            DecidedBy::Elsewhere => false,
        };
        is_decided && narrowed.pick.wants(check.code)
    };
    document(&Check {
        head: Head::new("fipscope.check/1", snapshot),
        summary: Summary {
            errors: counts.errors,
            warnings: counts.warnings,
            notes: counts.notes,
            unknown: counts.unknown,
            checked: checks().filter(ran).count(),
            acknowledged: counts.acknowledged,
        },
        findings: shown.all().map(|finding| Finding::of(finding, judged, snapshot)).collect(),
    })
}

impl<'a> Finding<'a> {
    pub(super) fn of(finding: &'a crate::check::Finding, judged: Judged<'_>, snapshot: &Snapshot) -> Self {
        Self {
            id: &finding.id,
            code: finding.code,
            name: finding.name,
            severity: finding.severity,
            confidence: finding.confidence,
            why_unknown: finding.why_unknown.as_deref(),
            namespace: finding.namespace.as_ref(),
            object: &finding.object,
            router: finding.router.as_deref(),
            floating_ip: finding.floating_ip,
            fixed_ip: finding.fixed_ip,
            message: &finding.message,
            expected: finding.expected.as_deref(),
            actual: finding.actual.as_deref(),
            because_of: finding.because_of.as_deref(),
            acknowledged: judged.is_acknowledged(finding),
            agent: finding.agent,
            repair: Repair {
                applicability: finding.applicability,
                commands: repair::Repair::of(finding, judged.findings, snapshot).commands,
            },
        }
    }
}
