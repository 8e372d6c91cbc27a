//! What floating IPs come to by the findings about them.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::{Code, Confidence, Finding, Severity};
use crate::net::NetnsName;
use crate::topology::{ChainLink, FipKind, FipState, FloatingIp, LinkState, Router, Topology};

/// The family of SNAT, which only centralized floating IPs share with it.
const SNAT: u16 = 8;

/// A floating IP's state, and the findings that make it so.
#[derive(Clone, Debug, PartialEq)]
pub struct Standing<'f> {
    /// What it comes to.
    pub state: FipState,
    /// What was found about it, its router, its external network or the
    /// namespaces of its chain, the worst first.
    pub findings: Vec<&'f Finding>,
}

impl<'f> Standing<'f> {
    /// The finding to name where there is room for one.
    pub fn worst(&self) -> Option<&'f Finding> {
        self.findings.first().copied()
    }

    /// The codes of its findings, sorted, each once.
    pub fn codes(&self) -> Vec<Code> {
        let mut codes: Vec<Code> = self.findings.iter().map(|finding| finding.code).collect();
        codes.sort_unstable();
        codes.dedup();
        codes
    }
}

/// A floating IP that is broken or degraded by its chain alone: no check has a
/// code for it.
#[derive(Clone, Copy, Debug)]
pub struct Nameless<'a> {
    /// Whose chain it is.
    pub floating_ip: &'a FloatingIp,
    /// What it comes to.
    pub state: FipState,
    /// The first link that does not hold.
    pub link: Option<&'a ChainLink>,
}

impl Standing<'_> {
    /// The link that does not hold where no finding says why.
    pub fn nameless<'a>(&self, fip: &'a FloatingIp) -> Option<Nameless<'a>> {
        let is_bad = matches!(self.state, FipState::Broken | FipState::Degraded);
        if !is_bad || self.findings.iter().any(|finding| finding.is_fault()) {
            return None;
        }
        let amiss = || fip.outbound.iter().chain(&fip.inbound).filter(|link| is_faulty(link));
        let link = amiss().find(|link| !link.advisory).or_else(|| amiss().next());
        Some(Nameless { floating_ip: fip, state: self.state, link })
    }
}

impl Nameless<'_> {
    /// It in a sentence, without a full stop.
    pub fn sentence(&self) -> String {
        let text = |address: Option<IpAddr>| address.map_or_else(|| "?".to_owned(), |address| address.to_string());
        let (floating, fixed) = (text(self.floating_ip.floating_ip), text(self.floating_ip.fixed_ip));
        let state = if self.state == FipState::Degraded { "degraded" } else { "broken" };
        let lead = format!("{floating} ⇄ {fixed} is {state}, and no check has a code for it");
        let Some(link) = self.link else { return lead };
        let word = if link.state == LinkState::Missing { "missing" } else { "wrong" };
        let actual = link.actual.as_deref().unwrap_or(word);
        let expected = link.expected.as_ref().map(|expected| format!("; expected {expected}")).unwrap_or_default();
        format!("{lead}: {} in {}: {actual}{expected}", link.link.title(), link.namespace)
    }
}

impl Finding {
    /// Whether it could not be told, where that matters: a mere note that could
    /// not be judged hides no fault.
    pub fn is_doubt(&self) -> bool {
        self.confidence == Confidence::Unknown && self.severity < Severity::Note
    }

    /// Whether it says that something is wrong.
    pub fn is_fault(&self) -> bool {
        self.confidence != Confidence::Unknown && self.severity < Severity::Note
    }
}

/// The standing of each floating IP, in the topology's order: broken by an error
/// that is about it, degraded by a warning, unknown where a check could not
/// tell. The chain has a say where no check has one: what it finds broken is
/// never called better than that.
pub fn states<'f>(topology: &Topology, findings: &'f [Finding]) -> Vec<Standing<'f>> {
    let index = Index::of(findings);
    topology.floating_ips.iter().map(|fip| index.standing(topology, fip)).collect()
}

/// The standing of one floating IP.
pub fn standing<'f>(topology: &Topology, fip: &FloatingIp, findings: &'f [Finding]) -> Standing<'f> {
    Index::of(findings).standing(topology, fip)
}

/// Findings by the narrowest thing that they are about.
#[derive(Default)]
struct Index<'f> {
    addresses: BTreeMap<IpAddr, Vec<&'f Finding>>,
    routers: BTreeMap<&'f str, Vec<&'f Finding>>,
    networks: BTreeMap<&'f str, Vec<&'f Finding>>,
    namespaces: BTreeMap<&'f NetnsName, Vec<&'f Finding>>,
}

impl<'f> Index<'f> {
    fn of(findings: &'f [Finding]) -> Self {
        let mut index = Self::default();
        for finding in findings {
            let list = match (finding.floating_ip.or(finding.fixed_ip), &finding.router, &finding.external_network) {
                (Some(address), ..) => index.addresses.entry(address).or_default(),
                (None, Some(router), _) => index.routers.entry(router).or_default(),
                (None, None, Some(network)) => index.networks.entry(network).or_default(),
                (None, None, None) => match &finding.namespace {
                    Some(namespace) => index.namespaces.entry(namespace).or_default(),
                    // About the node as a whole: no floating IP's state.
                    None => continue,
                },
            };
            list.push(finding);
        }
        index
    }

    fn standing(&self, topology: &Topology, fip: &FloatingIp) -> Standing<'f> {
        let router = topology.router(&fip.router);
        let addresses = [fip.floating_ip, fip.fixed_ip].into_iter().flatten();
        let own = addresses.filter_map(|address| self.addresses.get(&address)).flatten();
        let own = own.filter(|finding| names_no_other(finding, fip));
        let mut namespaces: Vec<&NetnsName> =
            fip.outbound.iter().chain(&fip.inbound).map(|link| &link.namespace).collect();
        // Links of one namespace follow each other: few are left to be sorted.
        namespaces.dedup();
        namespaces.sort_unstable();
        namespaces.dedup();
        let network = fip.external_network.as_deref().and_then(|network| self.networks.get(network));
        let wide = self.routers.get(fip.router.as_str()).into_iter().chain(network).flatten();
        let wide = wide.chain(namespaces.iter().filter_map(|name| self.namespaces.get(*name)).flatten());
        let wide = wide.filter(|finding| {
            // What is merely worth knowing is told where it is.
            finding.severity < Severity::Note
                && (finding.code.family() != SNAT || fip.kind == FipKind::Centralized)
                && !router.is_some_and(|router| {
                    is_of_another_subnet(finding, fip, router) || is_beside(finding, &namespaces, router)
                })
        });
        let mut findings: Vec<&Finding> = own.chain(wide).copied().collect();
        findings.sort_by_key(|finding| {
            let unknown = finding.confidence == Confidence::Unknown;
            (unknown, finding.severity, finding.because_of.is_some(), finding.code, &finding.id)
        });
        findings.dedup_by(|one, other| std::ptr::eq(*one, *other));
        Standing { state: state(fip, &findings), findings }
    }
}

/// The same address may be another router's, or another network's.
fn names_no_other(finding: &Finding, fip: &FloatingIp) -> bool {
    let fits = |named: Option<&str>, own: Option<&str>| named.is_none() || own.is_none() || named == own;
    fits(finding.router.as_deref(), Some(&fip.router))
        && fits(finding.external_network.as_deref(), fip.external_network.as_deref())
}

/// Whether its object is a port of a subnet that the fixed IP is not in.
fn is_of_another_subnet(finding: &Finding, fip: &FloatingIp, router: &Router) -> bool {
    let Some(fixed) = fip.fixed_ip else { return false };
    let ports = router.internal.iter().chain(&router.snat_ports);
    let mut named = ports.filter(|port| names(&finding.object.key, port.device.as_str())).peekable();
    named.peek().is_some() && named.all(|port| !port.addresses.iter().any(|net| net.contains(&fixed)))
}

/// Whether it stands in the router's snat namespace, where the chain does not pass.
fn is_beside(finding: &Finding, chain: &[&NetnsName], router: &Router) -> bool {
    finding
        .namespace
        .as_ref()
        .is_some_and(|name| router.snat_namespace.as_ref() == Some(name) && !chain.contains(&name))
}

/// Whether a device stands as a word in a key.
fn names(key: &str, device: &str) -> bool {
    key.split([' ', '.', '/', ',']).any(|word| word == device)
}

fn is_faulty(link: &ChainLink) -> bool {
    matches!(link.state, LinkState::Missing | LinkState::Wrong)
}

/// What the chain says; that it only degrades is left to a finding about this
/// floating IP where there is one in the same place, which knows how bad it is.
fn chain(fip: &FloatingIp, findings: &[&Finding]) -> FipState {
    let is_judged = |link: &ChainLink| {
        findings.iter().any(|finding| {
            finding.confidence != Confidence::Unknown
                && (finding.floating_ip.is_some() || finding.fixed_ip.is_some())
                && finding.namespace.as_ref() == Some(&link.namespace)
        })
    };
    let mut faulty = fip.outbound.iter().chain(&fip.inbound).filter(|link| is_faulty(link));
    match fip.state {
        FipState::Degraded if faulty.all(is_judged) => FipState::Ok,
        state => state,
    }
}

fn state(fip: &FloatingIp, findings: &[&Finding]) -> FipState {
    let fault = |severity| findings.iter().any(|finding| finding.is_fault() && finding.severity == severity);
    let doubt = findings.iter().any(|finding| finding.is_doubt());
    match chain(fip, findings) {
        FipState::Broken => FipState::Broken,
        _ if fault(Severity::Error) => FipState::Broken,
        FipState::Degraded => FipState::Degraded,
        _ if fault(Severity::Warning) => FipState::Degraded,
        FipState::Unknown => FipState::Unknown,
        FipState::Ok if doubt => FipState::Unknown,
        FipState::Ok => FipState::Ok,
    }
}
