//! What the checks came to on a node, with what its operator acknowledged.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::check::{Confidence, Finding, Nameless, Pick, Severity, Standing};
use crate::topology::{ExternalNetwork, FloatingIp, Router, Topology};

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
    /// Only what is about this router, its floating IPs, and what they hang on.
    pub router: Option<&'a Router>,
    /// Only what is about this external network and its routers.
    pub external_network: Option<&'a ExternalNetwork>,
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
        let with_causes = |own: Vec<&'a Finding>| -> BTreeSet<&str> {
            let ids = own.into_iter().flat_map(|finding| [Some(finding.id.as_str()), finding.because_of.as_deref()]);
            ids.flatten().collect()
        };
        let about = match narrowed.floating_ip {
            Some(fip) => Some(with_causes(self.standing(topology, fip).findings)),
            None if narrowed.is_wide() => None,
            None => Some(with_causes(self.findings.iter().filter(|one| narrowed.concerns(topology, one)).collect())),
        };
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

impl Narrowed<'_> {
    /// Whether the whole node is looked at.
    pub fn is_wide(&self) -> bool {
        self.floating_ip.is_none() && self.router.is_none() && self.external_network.is_none()
    }

    /// Whether a floating IP is among those that are looked at.
    pub fn takes(&self, fip: &FloatingIp) -> bool {
        self.floating_ip.is_none_or(|only| std::ptr::eq(only, fip))
            && self.router.is_none_or(|router| router.id == fip.router)
            && self.external_network.is_none_or(|network| fip.external_network.as_ref() == Some(&network.id))
    }

    /// Whether a finding is about the router or the network that is looked at, or
    /// about what the router's floating IPs hang on.
    fn concerns(&self, topology: &Topology, finding: &Finding) -> bool {
        let place = finding.namespace.as_ref();
        let network_of = |id: &String| topology.router(id).and_then(|router| router.external_network.as_ref());
        let of_router = |router: &Router| match &finding.router {
            Some(id) => *id == router.id,
            None => {
                finding.external_network.is_some() && finding.external_network == router.external_network
                    || place.is_some()
                        && [&router.namespace, &router.snat_namespace].map(Option::as_ref).contains(&place)
            }
        };
        let of_network = |network: &ExternalNetwork| {
            let named = finding.external_network.as_ref().or_else(|| finding.router.as_ref().and_then(network_of));
            named == Some(&network.id) || place == Some(&network.namespace)
        };
        self.router.is_none_or(of_router) && self.external_network.is_none_or(of_network)
    }
}

/// The floating IPs that are broken or degraded by their chain alone: no check has
/// a name for it.
pub fn nameless<'a>(topology: &'a Topology, judged: Judged<'_>, narrowed: &Narrowed<'_>) -> Vec<Nameless<'a>> {
    let states = crate::check::states(topology, judged.findings);
    let chains = topology.fips().zip(&states).filter(|(fip, _)| narrowed.takes(fip));
    chains.filter_map(|(fip, standing)| standing.nameless(fip)).collect()
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
