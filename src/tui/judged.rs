//! What the checks say of a reading, ready to be looked up: by floating IP, by
//! link, by cause. Made once a reading, by whoever reads, never while drawing.

mod words;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};

pub(super) use words::{agent, mark, name, subject};

use super::words::Mark;
use crate::check::{Finding, Standing, states};
use crate::net::Snapshot;
use crate::plan::{Step, repair};
use crate::topology::{ChainLink, FipState, FloatingIp, Topology};

/// The findings of a reading.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Judged {
    /// All of them: roots first, the worst first.
    pub findings: Vec<Finding>,
    /// Of each floating IP, in the topology's order, its worst one.
    worst: Vec<Option<usize>>,
    /// Of each floating IP that is broken or degraded by its chain alone, the link
    /// that does not hold, in a sentence.
    pub nameless: Vec<String>,
    /// Of each finding what mends it, as commands and sentences, made when first asked for:
    /// repairs are simulated on a copy of the reading.
    mends: Vec<OnceLock<Vec<String>>>,
    /// Identities of findings that are known and accepted on this node.
    acknowledged: BTreeSet<String>,
    /// Roots by kind.
    pub counts: Counts,
}

/// How many root causes of each kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Traffic is lost or goes the wrong way.
    pub errors: usize,
    /// It will be, or only chance keeps it going.
    pub warnings: usize,
    /// Could not be judged.
    pub unknown: usize,
    /// Worth knowing.
    pub notes: usize,
    /// Known and accepted; counted nowhere else.
    pub acknowledged: usize,
}

impl Judged {
    /// Sorts findings to what they are about. A floating IP that a check finds
    /// worse than its links do comes to that: its state follows.
    pub fn of(findings: Vec<Finding>, topology: &mut Topology) -> Self {
        let places: BTreeMap<*const Finding, usize> =
            findings.iter().enumerate().map(|(at, finding)| (std::ptr::from_ref(finding), at)).collect();
        let place = |finding: &Finding| places.get(&std::ptr::from_ref(finding)).copied();
        let standings = states(topology, &findings);
        let named = |standing: &Standing| {
            // A note is told where it is; it is no state.
            let worst = standing.findings.iter().find(|finding| finding.is_fault() || finding.is_doubt())?;
            place(worst)
        };
        let worst: Vec<Option<usize>> = standings.iter().map(named).collect();
        let chains = topology.floating_ips.iter().zip(&standings);
        let nameless = chains.filter_map(|(fip, standing)| standing.nameless(fip).map(|one| one.sentence())).collect();
        let all: Vec<FipState> = standings.iter().map(|standing| standing.state).collect();
        for (fip, state) in topology.floating_ips.iter_mut().zip(all) {
            // Those that come to the same stay shared with the reading before.
            if fip.state != state {
                Arc::make_mut(fip).state = state;
            }
        }
        let mends = vec![OnceLock::new(); findings.len()];
        let mut judged = Self { findings, worst, nameless, mends, ..Self::default() };
        judged.accept(BTreeSet::new());
        judged
    }

    /// Takes these identities as known and accepted. What floating IPs come to
    /// stays as it is.
    pub fn accept(&mut self, ids: BTreeSet<String>) {
        self.acknowledged = ids;
        let mut counts = Counts::default();
        for root in self.findings.iter().filter(|finding| finding.because_of.is_none()) {
            let count = match mark(root) {
                _ if self.acknowledged.contains(&root.id) => &mut counts.acknowledged,
                Mark::Broken => &mut counts.errors,
                Mark::Degraded => &mut counts.warnings,
                Mark::Unknown => &mut counts.unknown,
                Mark::Ok | Mark::None => &mut counts.notes,
            };
            *count += 1;
        }
        self.counts = counts;
    }

    /// The identities that are known and accepted.
    pub fn acknowledged(&self) -> &BTreeSet<String> {
        &self.acknowledged
    }

    /// Whether a finding, or the one that it follows from, is known and accepted.
    pub fn is_acknowledged(&self, finding: &Finding) -> bool {
        let is_it = |id: &String| self.acknowledged.contains(id);
        is_it(&finding.id) || finding.because_of.as_ref().is_some_and(is_it)
    }

    /// The worst finding about a floating IP, by its place in the topology.
    pub fn worst(&self, fip: usize) -> Option<&Finding> {
        self.findings.get((*self.worst.get(fip)?)?)
    }

    /// The worst finding about a floating IP.
    pub fn worst_of(&self, topology: &Topology, fip: &FloatingIp) -> Option<&Finding> {
        self.worst(topology.fips().position(|other| std::ptr::eq(other, fip))?)
    }

    /// The roots of all that is wrong with a floating IP, the worst first.
    pub fn roots_of<'j>(&'j self, fip: &FloatingIp) -> impl Iterator<Item = &'j Finding> {
        let all = self.findings.iter().enumerate();
        let wrong = all.filter(|(_, finding)| finding.is_fault() && concerns(finding, fip));
        let mut roots: Vec<usize> = wrong.map(|(at, _)| self.root(at)).collect();
        roots.sort_unstable();
        roots.dedup();
        roots.into_iter().filter_map(|at| self.findings.get(at))
    }

    /// The finding about a link: the one about its very object, else one about
    /// an object of its kind in its namespace where the link does not hold.
    pub fn of_link(&self, fip: &FloatingIp, link: &ChainLink) -> Option<&Finding> {
        let here = |finding: &&Finding| finding.namespace.as_ref() == Some(&link.namespace) && concerns(finding, fip);
        let mut all = self.findings.iter().filter(here);
        let exact = all.clone().find(|finding| finding.object == link.object);
        let holds = Mark::from(link) >= Mark::Ok;
        exact.or_else(|| all.find(|finding| !holds && finding.object.kind == link.object.kind))
    }

    /// What mends a finding and what follows from it, command by command; what
    /// no command can do, in a sentence.
    pub fn mend(&self, snapshot: &Snapshot, finding: &Finding) -> &[String] {
        let at = self.findings.iter().position(|other| std::ptr::eq(other, finding));
        let Some(cell) = at.and_then(|at| self.mends.get(at)) else { return &[] };
        cell.get_or_init(|| {
            let together = repair::together(finding, &self.findings);
            let plan = repair::plan(&together, snapshot);
            let by_hand = repair::by_hand(&together, snapshot);
            plan.steps.iter().map(Step::command).chain(by_hand).collect()
        })
    }

    /// What follows from a root, by place.
    pub fn followers(&self, root: usize) -> impl Iterator<Item = usize> {
        let id = self.findings.get(root).filter(|finding| finding.because_of.is_none());
        let id = id.map(|finding| finding.id.as_str());
        // Where two roots share an id, the first one takes what follows.
        let is_first = id.is_some_and(|id| self.findings.iter().position(|other| other.id == id) == Some(root));
        let all = self.findings.iter().enumerate();
        all.filter(move |(_, finding)| is_first && finding.because_of.as_deref() == id).map(|(at, _)| at)
    }

    /// The root that a finding follows from, or the finding itself.
    pub fn root(&self, at: usize) -> usize {
        let cause = self.findings.get(at).and_then(|finding| finding.because_of.as_deref());
        cause.and_then(|id| self.findings.iter().position(|other| other.id == id)).unwrap_or(at)
    }
}

/// Whether a finding is about a floating IP, its router or its network.
fn concerns(finding: &Finding, fip: &FloatingIp) -> bool {
    let is_same = |named: Option<&str>, own: Option<&str>| named.is_none() || named == own;
    let named = [(finding.floating_ip, fip.floating_ip), (finding.fixed_ip, fip.fixed_ip)];
    let about_something = finding.router.is_some() || finding.external_network.is_some();
    let addresses = named.iter().filter(|(named, _)| named.is_some());
    let fits = addresses.clone().count() == 0 || addresses.clone().any(|(named, own)| named == own);
    (about_something || addresses.count() > 0)
        && fits
        && is_same(finding.router.as_deref(), Some(&fip.router))
        && is_same(finding.external_network.as_deref(), fip.external_network.as_deref())
}
