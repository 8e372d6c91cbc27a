//! What mends a finding, in the words of a shell and of a person.

use std::collections::BTreeSet;

use crate::check::Finding;
use crate::net::{Change, NetnsName, Object, Snapshot};
use crate::plan::repair::{by_hand, plan, together};

/// What mends a finding together with what follows from it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Repair {
    /// Commands, in order.
    pub(super) commands: Vec<String>,
    /// What no command does.
    pub(super) by_hand: Vec<String>,
}

impl Repair {
    /// The repair of one of `all` findings.
    pub(super) fn of(finding: &Finding, all: &[Finding], snapshot: &Snapshot) -> Self {
        if finding.mend.is_empty() {
            return Self::default();
        }
        let findings: Vec<&Finding> = all
            .iter()
            .find(|own| own.id == finding.id && own.floating_ip == finding.floating_ip)
            .map_or_else(|| vec![finding], |own| together(own, all));
        let steps = match narrowed(&findings, snapshot) {
            Some(part) => plan(&findings, &part),
            None => plan(&findings, snapshot),
        };
        Self {
            commands: steps.steps.iter().map(crate::plan::Step::command).collect(),
            by_hand: by_hand(&findings, snapshot),
        }
    }
}

/// The part of the node that the repair touches: steps are tried on a copy, and
/// a node has hundreds of namespaces. `None` where devices change, which reach
/// into other namespaces.
fn narrowed(findings: &[&Finding], snapshot: &Snapshot) -> Option<Snapshot> {
    let changes = || findings.iter().flat_map(|finding| &finding.mend);
    let is_device = |change: &Change| {
        [&change.before, &change.after].into_iter().flatten().any(|object| matches!(object, Object::Link(_)))
    };
    if changes().any(is_device) {
        return None;
    }
    let touched: BTreeSet<&NetnsName> = changes().filter_map(|change| change.netns.as_ref()).collect();
    let mut part = Snapshot::empty(snapshot.node.clone(), snapshot.taken_at);
    part.host = snapshot.host.clone();
    let own = snapshot.namespaces.iter().filter(|(name, _)| touched.contains(name));
    part.namespaces = own.map(|(name, netns)| (name.clone(), netns.clone())).collect();
    Some(part)
}
