//! Consequences folded under their cause.
//!
//! What explains what follows from the order of the chain: without the fip
//! namespace there is no pair, without the pair no address on it, without the
//! address no route. Decided here once, not in the checks.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

use ipnet::IpNet;

use super::{Applicability, Code, Confidence, Finding};
use crate::net::NetnsName;

/// What a failure takes along.
struct Cause {
    code: u16,
    /// Both findings are about the same of these.
    within: Scope,
    /// Codes that follow from it.
    explains: &'static [u16],
}

/// How far a failure reaches.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Scope {
    Network,
    /// The cause is about the network itself, and not about one of its routers.
    WholeNetwork,
    Router,
    /// One subnet of a router, which the keys of both objects name.
    Subnet,
    FloatingIp,
    Namespace,
    /// Both are about one object of one namespace.
    Object,
}

/// One thing that findings are about.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum About<'f> {
    Network(&'f str),
    Router(&'f str),
    Subnet(&'f str, IpNet),
    Floating(IpAddr),
    Fixed(IpAddr),
    Namespace(&'f str),
    Object(&'f str, &'f str),
}

use Scope::{FloatingIp, Namespace, Network, Object, Router, Subnet, WholeNetwork};

/// From far-reaching causes to near ones.
const CAUSES: &[Cause] = &[
    Cause { code: 101, within: Network, explains: &[109, 201, 202, 203, 204, 205, 208, 212, 305, 405, 501, 504, 505] },
    // The empty one that took its name has none of the agent's settings and rules.
    Cause {
        code: 106,
        within: Network,
        explains: &[101, 109, 202, 311, 405, 410, 501, 504, 505, 508, 509, 510, 511, 601],
    },
    Cause {
        code: 101,
        within: Router,
        explains: &[109, 201, 202, 203, 204, 205, 208, 212, 305, 306, 312, 405, 501, 504, 505, 902],
    },
    Cause {
        code: 106,
        within: Router,
        explains: &[101, 102, 109, 201, 202, 203, 204, 205, 208, 212, 305, 312, 405, 501, 504, 505],
    },
    Cause { code: 102, within: Router, explains: &[201, 202, 203, 204, 205, 208, 212, 305, 405, 501, 504, 902] },
    Cause {
        code: 601,
        within: Network,
        explains: &[109, 405, 505, 506, 507, 508, 509, 602, 604, 606, 607, 610, 613, 616],
    },
    Cause { code: 602, within: Network, explains: &[212, 505, 507, 606, 607, 610, 616] },
    Cause { code: 604, within: Network, explains: &[610] },
    Cause { code: 616, within: Network, explains: &[212, 405, 505, 507, 606, 607, 610, 613] },
    Cause {
        code: 109,
        within: Router,
        explains: &[201, 202, 203, 204, 208, 212, 301, 305, 307, 401, 402, 404, 405, 501, 504, 505],
    },
    Cause { code: 201, within: Router, explains: &[202, 203, 204, 205, 208, 209, 212, 305, 404, 405, 501, 502, 504] },
    Cause { code: 202, within: Router, explains: &[203, 204, 205, 208, 209, 212, 305, 405, 501, 502, 504] },
    Cause { code: 203, within: Router, explains: &[204, 208, 212, 305, 405, 501, 504] },
    Cause { code: 204, within: Router, explains: &[205, 208, 212, 305, 405, 501, 502] },
    Cause { code: 205, within: Router, explains: &[208, 305, 405, 501, 502, 504] },
    Cause { code: 206, within: Router, explains: &[205, 405, 502, 902] },
    Cause { code: 212, within: Router, explains: &[208, 305, 307, 405, 501, 504, 505, 701] },
    Cause { code: 212, within: WholeNetwork, explains: &[505, 507, 610] },
    Cause { code: 710, within: Router, explains: &[212, 307, 405, 701, 707] },
    // The redirect and the snat namespace still serve a subnet whose port is gone.
    Cause { code: 710, within: Subnet, explains: &[308, 803] },
    Cause { code: 311, within: Namespace, explains: &[312] },
    Cause { code: 310, within: FloatingIp, explains: &[301, 303, 401, 402, 405, 901] },
    Cause { code: 405, within: FloatingIp, explains: &[301, 303, 401, 402, 501, 503, 805, 901] },
    Cause { code: 301, within: FloatingIp, explains: &[312] },
    Cause { code: 302, within: FloatingIp, explains: &[301, 312, 405] },
    Cause { code: 304, within: FloatingIp, explains: &[312] },
    Cause { code: 305, within: Router, explains: &[312] },
    Cause { code: 306, within: Router, explains: &[312] },
    Cause { code: 504, within: Router, explains: &[312] },
    Cause { code: 505, within: Router, explains: &[312] },
    Cause { code: 401, within: FloatingIp, explains: &[503] },
    Cause { code: 502, within: FloatingIp, explains: &[405] },
    Cause { code: 411, within: Object, explains: &[404] },
    Cause { code: 412, within: FloatingIp, explains: &[405, 502, 503] },
    Cause { code: 503, within: FloatingIp, explains: &[607] },
    Cause { code: 804, within: FloatingIp, explains: &[607, 806] },
    Cause { code: 803, within: Router, explains: &[307] },
    Cause { code: 205, within: Router, explains: &[902] },
    Cause { code: 205, within: Router, explains: &[212] },
    Cause { code: 903, within: Network, explains: &[901, 902] },
];

/// Whether what would mend a consequence is known only when its cause is mended:
/// where the two ends of a pair disagree, routes and rules are judged by a pair that
/// the repair does away with; a redirect is left over only while its port is gone.
fn misleads(root: &Finding, consequence: &Finding) -> bool {
    root.code == Code(205) || (root.code, consequence.code) == (Code(710), Code(308))
}

/// Sets [`Finding::because_of`] to the last cause of each finding, and sorts:
/// roots first, the worst first, then by code and identity.
pub(super) fn fold(mut findings: Vec<Finding>) -> Vec<Finding> {
    findings.sort_by(|one, other| (one.code, &one.id).cmp(&(other.code, &other.id)));
    findings.dedup_by(|one, other| one.id == other.id && one.floating_ip == other.floating_ip);
    let causes = causes(&findings);
    for at in 0..findings.len() {
        let mut root = at;
        // A chain of causes is never longer than the findings.
        for _ in 0..findings.len() {
            match causes.get(&root) {
                Some(cause) if *cause != at => root = *cause,
                _ => break,
            }
        }
        if root != at {
            findings[at].because_of = Some(findings[root].id.clone());
            if misleads(&findings[root], &findings[at]) {
                findings[at].mend.clear();
                findings[at].applicability = Applicability::None;
            }
        }
    }
    sort(&mut findings);
    findings
}

/// Roots first, what could not be told last, the worst first; else as they stand.
pub(super) fn sort(findings: &mut [Finding]) {
    findings.sort_by_key(|finding| {
        (finding.because_of.is_some(), finding.confidence == Confidence::Unknown, finding.severity)
    });
}

/// The first cause of each finding that has one, both by their places.
fn causes(findings: &[Finding]) -> BTreeMap<usize, usize> {
    let known = |finding: &&Finding| finding.confidence != Confidence::Unknown;
    // By code and by what it is about, so that few are looked at for each.
    let mut roots: HashMap<(Code, About<'_>), usize> = HashMap::new();
    for (at, root) in findings.iter().enumerate().filter(|(_, root)| known(root)) {
        let is_its =
            |cause: &&Cause| Code(cause.code) == root.code && (cause.within != WholeNetwork || root.router.is_none());
        for cause in CAUSES.iter().filter(is_its) {
            for about in abouts(root, cause.within) {
                roots.entry((root.code, about)).or_insert(at);
            }
        }
    }
    let mut by_consequence: HashMap<u16, Vec<&Cause>> = HashMap::new();
    for cause in CAUSES {
        for code in cause.explains.iter().filter(|code| **code != cause.code) {
            by_consequence.entry(*code).or_default().push(cause);
        }
    }
    let blinded = blinded(findings);
    let first = |finding: &Finding| {
        let possible = by_consequence.get(&finding.code.0).into_iter().flatten();
        let found = possible.flat_map(|cause| {
            let abouts = abouts(finding, cause.within);
            abouts.filter_map(|about| roots.get(&(Code(cause.code), about)).copied())
        });
        found.chain(blinded(finding)).min()
    };
    findings.iter().enumerate().filter_map(|(at, finding)| Some((at, first(finding)?))).collect()
}

/// A name without a namespace: nothing can be told of what would be in there.
fn blinded(findings: &[Finding]) -> impl Fn(&Finding) -> Option<usize> {
    let dangling = findings
        .iter()
        .enumerate()
        .filter(|(_, root)| root.code == Code(107) && root.confidence != Confidence::Unknown);
    let names: HashMap<&NetnsName, usize> =
        dangling.filter_map(|(at, root)| Some((root.namespace.as_ref()?, at))).collect();
    move |finding| {
        let place = finding.namespace.as_ref().filter(|_| finding.confidence == Confidence::Unknown)?;
        names.get(place).copied()
    }
}

/// What a finding is about, as far as a failure of that reach is concerned.
fn abouts(finding: &Finding, within: Scope) -> impl Iterator<Item = About<'_>> {
    let (one, other) = match within {
        Network | WholeNetwork => (finding.external_network.as_deref().map(About::Network), None),
        Router => (finding.router.as_deref().map(About::Router), None),
        Subnet => (finding.router.as_deref().and_then(|id| Some(About::Subnet(id, subnet(finding)?))), None),
        FloatingIp => (finding.floating_ip.map(About::Floating), finding.fixed_ip.map(About::Fixed)),
        Namespace => (finding.namespace.as_ref().map(|name| About::Namespace(name.as_str())), None),
        Object => {
            (finding.namespace.as_ref().map(|name| About::Object(name.as_str(), finding.object.key.as_str())), None)
        }
    };
    one.into_iter().chain(other)
}

/// The subnet that the key of its object names, by itself or by an address in it.
fn subnet(finding: &Finding) -> Option<IpNet> {
    finding.object.key.split(' ').find_map(|word| word.parse::<IpNet>().ok()).map(|net| net.trunc())
}
