//! Root causes mended together: the plan, what to type before it, and what is to
//! be seen afterwards. The command line mends one root at a time, the screen
//! what is selected; both ask here.

use crate::check::{Applicability, Check, Confidence, Finding, check, judge};
use crate::net::Snapshot;
use crate::plan::journal::Aim;
use crate::plan::{Action, Plan, forget, simulate};
use crate::topology::Topology;

use super::{by_hand, plan, together};

/// Root causes with all that follows from them, and what mends both.
#[derive(Clone, Debug)]
pub struct Mending<'f> {
    /// The causes, in the order in which they were given.
    pub roots: Vec<&'f Finding>,
    /// The causes and what follows from them, each once.
    pub findings: Vec<&'f Finding>,
    /// The steps; none for what is only mended elsewhere.
    pub plan: Plan,
}

/// The root causes behind the wanted ones of all findings, each once, in their
/// order.
pub fn roots(all: &[Finding], wanted: impl Fn(&Finding) -> bool) -> Vec<&Finding> {
    let mut roots: Vec<&Finding> = Vec::new();
    for finding in all.iter().filter(|finding| wanted(finding)) {
        let mut root = finding;
        // No chain of causes is longer than all findings.
        for _ in 0..all.len() {
            let cause = root.because_of.as_ref().and_then(|id| all.iter().find(|other| other.id == *id));
            match cause {
                Some(cause) => root = cause,
                None => break,
            }
        }
        if roots.iter().all(|known| known.id != root.id) {
            roots.push(root);
        }
    }
    roots
}

impl<'f> Mending<'f> {
    /// What mends these root causes of all findings.
    pub fn of(roots: &[&'f Finding], all: &'f [Finding], snapshot: &Snapshot) -> Self {
        let mut findings: Vec<&Finding> = Vec::new();
        for finding in roots.iter().flat_map(|root| together(root, all)) {
            // What several causes lead to is mended once.
            if !findings.iter().any(|known| std::ptr::eq(*known, finding)) {
                findings.push(finding);
            }
        }
        let here: Vec<&Finding> = findings.iter().copied().filter(|finding| is_here(finding)).collect();
        let mut plan = plan(&here, snapshot);
        plan.intent = intent(roots);
        if plan.steps.iter().any(|step| matches!(step.action, Action::ForgetConnection { .. })) {
            plan.warnings.push("Connections that are forgotten cannot be brought back.".to_owned());
            plan.warnings.push(forget::GOES_ON.to_owned());
        }
        let own = findings.iter().filter(|finding| !finding.mend.is_empty());
        plan.applicability = own.map(|finding| finding.applicability).max().unwrap_or(Applicability::Safe);
        Self { roots: roots.to_vec(), findings, plan }
    }

    /// What mends them and is no step, in sentences.
    pub fn by_hand(&self, snapshot: &Snapshot) -> Vec<String> {
        by_hand(&self.findings, snapshot)
    }

    /// What there is to do elsewhere, in sentences: [`by_hand`]; where nothing is
    /// done here at all, else who mends it and how, as the page of each root has it.
    pub fn elsewhere(&self, snapshot: &Snapshot) -> Vec<String> {
        let by_hand = self.by_hand(snapshot);
        if !by_hand.is_empty() || !self.plan.steps.is_empty() {
            return by_hand;
        }
        let pages = self.roots.iter().filter_map(|root| check(root.code));
        let mut sentences: Vec<String> = pages.flat_map(Check::how_to_repair).collect();
        sentences.dedup();
        sentences
    }

    /// What is to be typed before it is done, where traffic may drop or the
    /// object is not the agent's.
    pub fn word(&self) -> Option<String> {
        let own = self.findings.iter().filter(|finding| !finding.mend.is_empty());
        let at_stake = own.filter(|finding| finding.applicability != Applicability::Safe).count();
        let root = self.roots.first().filter(|_| at_stake > 0)?;
        Some(match root.floating_ip.or(root.fixed_ip) {
            Some(address) => address.to_string(),
            None => root.code.to_string(),
        })
    }

    /// What is to be gone afterwards: all that goes as the simulation has it,
    /// and each cause that steps alone mend. What could not be told is no aim, unless
    /// it is a cause itself: it may never have been broken.
    pub fn aim(&self, snapshot: &Snapshot) -> Aim {
        let after = simulate(&self.plan, snapshot);
        let left = judge(&after, &Topology::of(&after));
        let goes = |finding: &Finding| !left.iter().any(|left| left.id == finding.id);
        let by_steps = |finding: &Finding| is_here(finding) && by_hand(&[finding], snapshot).is_empty();
        let is_root = |finding: &Finding| self.roots.iter().any(|root| std::ptr::eq(*root, finding));
        let is_told = |finding: &Finding| finding.confidence != Confidence::Unknown || is_root(finding);
        let is_aim = |finding: &Finding| goes(finding) && is_told(finding) || is_root(finding) && by_steps(finding);
        let gone = self.findings.iter().filter(|finding| is_aim(finding));
        Aim { gone: gone.map(|finding| finding.id.clone()).collect(), deliver: Vec::new() }
    }
}

/// Whether steps on this node mend it.
fn is_here(finding: &Finding) -> bool {
    finding.applicability != Applicability::DisplayOnly
}

fn intent(roots: &[&Finding]) -> String {
    let of = |root: &Finding| root.floating_ip.map(|address| format!(" of {address}")).unwrap_or_default();
    match roots {
        [] => "Nothing to mend".to_owned(),
        [one] => format!("Mend {} {}{}", one.code, one.name, of(one)),
        [first, others @ ..] => format!("Mend {}{} and {} more root causes", first.code, of(first), others.len()),
    }
}
