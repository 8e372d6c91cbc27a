//! Root causes mended one after the other, the node read and judged again after
//! each: the command line and the console do it alike.

use std::collections::BTreeSet;

use super::error::AppError;
use crate::check::Finding;
use crate::exec::{self, Carried, Order, Site};
use crate::net::Snapshot;
use crate::plan::journal::{Entry, Outcome};
use crate::plan::repair::{Mending, Shown, roots};
use crate::topology::Topology;

/// The node as it was read last, and what the checks find on it.
pub(super) struct Reading {
    pub(super) snapshot: Snapshot,
    pub(super) topology: Topology,
    pub(super) findings: Vec<Finding>,
}

/// Whoever wants it.
pub(super) trait Wishes {
    /// The node, read and judged again.
    fn read(&mut self) -> Result<Reading, AppError>;
    /// Whether a finding is to go, and the root cause behind it.
    fn is_meant(&self, finding: &Finding) -> bool;
    /// Judged again, other steps are needed than those that were shown: whether
    /// they are to be done, too.
    fn agrees(&mut self, node: &Reading, cause: &Mending<'_>) -> Result<bool, AppError>;
    /// A root cause is about to be mended.
    fn begins(&mut self, root: &Finding);
    /// A line of the journal.
    fn told(&mut self, entry: &Entry);
    /// What became of it.
    fn carried(&mut self, cause: &Mending<'_>, carried: &Carried) -> Result<(), AppError>;
}

/// How it ended.
#[expect(clippy::large_enum_variant, reason = "one at a time")]
pub(super) enum End {
    /// No step is left that would mend what is wanted, by this reading.
    Over(Reading),
    /// Other steps were needed, and not agreed to; as many causes are left.
    Declined(usize),
    /// One failed, and nothing of it is left; as many causes are left.
    Failed(usize),
    /// One failed, and some of it is left.
    Half,
}

/// Mends the root causes behind what is wanted, the worst first, each by a change
/// of its own. The first that fails ends it. An error says why one was not even
/// begun; what was mended before it stays.
pub(super) fn each(wishes: &mut dyn Wishes, first: Reading, mut shown: Shown, site: &Site) -> Result<End, AppError> {
    let mut node = first;
    let mut tried: BTreeSet<String> = BTreeSet::new();
    loop {
        let causes = node.causes(|finding| wishes.is_meant(finding));
        let next = causes.iter().find(|cause| has_steps(cause) && !tried.contains(root_id(cause)));
        let Some(cause) = next else {
            drop(causes);
            return Ok(End::Over(node));
        };
        tried.insert(root_id(cause).to_owned());
        if !shown.has(&cause.plan) && !wishes.agrees(&node, cause)? {
            return Ok(End::Declined(causes.len()));
        }
        shown.add(&cause.plan);
        if let Some(root) = cause.roots.first() {
            wishes.begins(root);
        }
        let aim = cause.aim(&node.snapshot);
        let order = Order { plan: &cause.plan, seen: &node.snapshot, aim: &aim };
        let carried = exec::change(&order, site, &mut |entry| wishes.told(entry))?;
        wishes.carried(cause, &carried)?;
        match carried.outcome() {
            Outcome::Done => {}
            Outcome::RolledBack | Outcome::Undone | Outcome::Settled => return Ok(End::Failed(causes.len())),
            Outcome::Half => return Ok(End::Half),
        }
        node = wishes.read()?;
    }
}

impl Reading {
    /// The root causes behind what is meant, each once, the worst first.
    pub(super) fn causes(&self, is_meant: impl Fn(&Finding) -> bool) -> Vec<Mending<'_>> {
        let roots = roots(&self.findings, is_meant);
        roots.into_iter().map(|root| Mending::of(&[root], &self.findings, &self.snapshot)).collect()
    }
}

/// Something is to be done about it on this node.
pub(super) fn has_steps(cause: &Mending<'_>) -> bool {
    !cause.plan.steps.is_empty()
}

/// The identity of its root.
pub(super) fn root_id<'c>(cause: &'c Mending<'_>) -> &'c str {
    cause.roots.first().map_or("", |root| root.id.as_str())
}
