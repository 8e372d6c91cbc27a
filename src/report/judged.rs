//! What the checks came to on a node, with what its operator acknowledged.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::check::{Confidence, Finding, Pick, Severity, Standing};
use crate::topology::{FloatingIp, Topology};

/// Findings and acknowledgements.
#[derive(Clone, Copy, Debug)]
pub struct Judged<'a> {
    /// All findings of the node, as [`crate::check::judge`] sorts them.
    pub findings: &'a [Finding],
    /// Identities of findings that are known and accepted.
    pub acknowledged: &'a BTreeSet<String>,
}

/// What narrows `fipscope check`.
#[derive(Clone, Debug, Default)]
pub struct Narrowed<'a> {
    /// Only what is about this floating IP.
    pub floating_ip: Option<&'a FloatingIp>,
    /// Only these codes.
    pub pick: Pick,
    /// How many questions were asked on the wire; `None`: the wire was left alone.
    pub asked: Option<usize>,
}

/// The findings that are shown: each root cause with what follows from it.
#[derive(Clone, Debug, Default)]
pub struct Shown<'a> {
    /// Faults and what could not be told, the worst first.
    pub groups: Vec<Group<'a>>,
    /// What is known and accepted.
    pub acknowledged: Vec<Group<'a>>,
}

/// A root cause.
#[derive(Clone, Debug)]
pub struct Group<'a> {
    /// The cause, or a consequence whose cause is not shown.
    pub root: &'a Finding,
    /// What follows from it.
    pub consequences: Vec<&'a Finding>,
}

/// How many root causes there are of each kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Errors.
    pub errors: usize,
    /// Warnings.
    pub warnings: usize,
    /// Notes.
    pub notes: usize,
    /// What could not be told.
    pub unknown: usize,
    /// What is known and accepted; counted nowhere else.
    pub acknowledged: usize,
}

impl<'a> Judged<'a> {
    /// Whether a finding, or the one that it follows from, is known and accepted.
    pub fn is_acknowledged(&self, finding: &Finding) -> bool {
        self.acknowledged.contains(&finding.id)
            || finding.because_of.as_ref().is_some_and(|cause| self.acknowledged.contains(cause))
    }

    /// What a floating IP comes to.
    pub(super) fn standing(&self, topology: &Topology, fip: &FloatingIp) -> Standing<'a> {
        crate::check::standing(topology, fip, self.findings)
    }

    /// The findings that are to be shown.
    pub fn shown(&self, topology: &Topology, narrowed: &Narrowed<'_>) -> Shown<'a> {
        let about: Option<BTreeSet<&str>> = narrowed.floating_ip.map(|fip| {
            let own = self.standing(topology, fip).findings.into_iter();
            own.flat_map(|finding| [Some(finding.id.as_str()), finding.because_of.as_deref()]).flatten().collect()
        });
        let is_wanted = |finding: &&Finding| {
            narrowed.pick.wants(finding.code) && about.as_ref().is_none_or(|ids| ids.contains(finding.id.as_str()))
        };
        let wanted: Vec<&Finding> = self.findings.iter().filter(is_wanted).collect();
        let ids: BTreeSet<&str> = wanted.iter().map(|finding| finding.id.as_str()).collect();
        let mut following: BTreeMap<&str, Vec<&Finding>> = BTreeMap::new();
        let mut roots = Vec::new();
        for finding in wanted {
            match finding.because_of.as_deref().filter(|cause| ids.contains(cause)) {
                Some(cause) => following.entry(cause).or_default().push(finding),
                None => roots.push(finding),
            }
        }
        let groups = roots
            .into_iter()
            .map(|root| Group { root, consequences: following.remove(root.id.as_str()).unwrap_or_default() });
        let (acknowledged, groups) = groups.partition(|group| self.is_acknowledged(group.root));
        Shown { groups, acknowledged }
    }
}

impl Shown<'_> {
    /// Every finding: root causes first, then what follows, then what is acknowledged.
    pub fn all(&self) -> impl Iterator<Item = &Finding> {
        let consequences = self.groups.iter().flat_map(|group| &group.consequences).copied();
        let accepted = self.acknowledged.iter();
        let accepted = accepted.flat_map(|group| std::iter::once(group.root).chain(group.consequences.iter().copied()));
        self.groups.iter().map(|group| group.root).chain(consequences).chain(accepted)
    }

    /// How many there are.
    pub fn counts(&self) -> Counts {
        let mut counts = Counts { acknowledged: self.acknowledged.len(), ..Counts::default() };
        for group in &self.groups {
            *match (group.root.confidence, group.root.severity) {
                (Confidence::Unknown, _) => &mut counts.unknown,
                (_, Severity::Error) => &mut counts.errors,
                (_, Severity::Warning) => &mut counts.warnings,
                (_, Severity::Note) => &mut counts.notes,
            } += 1;
        }
        counts
    }

    /// Whether something is wrong that is not accepted.
    pub fn has_faults(&self) -> bool {
        self.groups.iter().any(|group| group.root.is_fault() || group.consequences.iter().any(|one| one.is_fault()))
    }

    /// Whether something could not be told that could hide a fault.
    pub fn has_doubts(&self) -> bool {
        self.groups.iter().any(|group| group.root.is_doubt() || group.consequences.iter().any(|one| one.is_doubt()))
    }
}

/// The addresses that a finding is about.
pub(super) fn subject(finding: &Finding) -> Option<String> {
    let text = |address: Option<IpAddr>| address.map(|address| address.to_string());
    match (text(finding.floating_ip), text(finding.fixed_ip)) {
        (Some(floating), Some(fixed)) => Some(format!("{floating} ⇄ {fixed}")),
        (Some(floating), None) => Some(floating),
        (None, Some(fixed)) => Some(format!("fixed IP {fixed}")),
        (None, None) => match (&finding.router, &finding.external_network) {
            (Some(router), _) => Some(format!("router {router}")),
            (None, Some(network)) => Some(format!("external network {network}")),
            (None, None) => None,
        },
    }
}
