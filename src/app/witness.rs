//! The kernel's own lookups, as witnesses of walks and of findings.

use std::path::Path;

use crate::check::{Finding, unproved, witnessed};
use crate::kernel;
use crate::net::{RouteAnswer, RouteQuestion, Snapshot};
use crate::netns::NetnsDir;
use crate::topology::Topology;

/// Each question with the kernel's answer, or why there is none.
pub(super) fn answers(
    netns_dir: &Path,
    questions: Vec<RouteQuestion>,
) -> Vec<(RouteQuestion, Result<RouteAnswer, String>)> {
    let answers = kernel::ask_routes(&NetnsDir::new(netns_dir), &questions);
    let answers = answers.into_iter().map(|answer| answer.map_err(|error| error.to_string()));
    questions.into_iter().zip(answers).collect()
}

/// Has the kernel of this node answer what would prove the findings that are
/// inferred. Enters namespaces: not for the screen's thread.
pub(super) fn prove(netns_dir: &Path, snapshot: &Snapshot, topology: &Topology, findings: &mut [Finding]) {
    let questions = unproved(findings);
    if !questions.is_empty() {
        witnessed(snapshot, topology, findings, &answers(netns_dir, questions));
    }
}
