//! What is broken, why, and what mends it: the checks. Pure.
//!
//! A [`Check`] looks at a [`Scene`] (snapshot, topology, path engine) and puts
//! [`Finding`]s into [`Findings`]; it has three answers: it fires, it does not,
//! or it cannot tell. [`judge`] runs all of them and folds consequences under
//! their cause. Codes are for life: `DVR` and three digits, the first of which
//! names the family, with one file each.

mod agents;
mod blame;
mod code;
mod files;
mod finding;
mod findings;
mod fip;
mod fold;
mod nat;
mod neighbours;
mod outside;
mod pair;
mod pick;
mod policy;
mod registry;
mod scene;
mod snat;
mod states;
mod turn;
mod view;

pub use blame::blocked_by;
pub use code::{Code, NotACode};
pub use finding::{AgentDoes, Applicability, Confidence, Finding, Severity};
pub use findings::Findings;
pub use pick::{Pattern, Pick};
pub use registry::{Check, DecidedBy, check, checks};
pub use scene::{Scene, Subject};
pub use states::{Standing, standing, states};
pub use turn::{Turn, turns};

use crate::net::Snapshot;
use crate::path::Node;
use crate::topology::Topology;

/// Runs every check that a snapshot can answer. Findings come sorted: root
/// causes first, the severe before the mild, then by code and identity.
pub fn judge(snapshot: &Snapshot, topology: &Topology) -> Vec<Finding> {
    let path = Node::of(snapshot, topology);
    let scene = Scene::of(snapshot, topology, &path);
    let mut findings = Findings::default();
    for check in checks() {
        if let DecidedBy::Snapshot(run) = check.decided_by {
            findings.begin(check);
            run(&scene, &mut findings);
        }
    }
    fold::fold(findings.done())
}
