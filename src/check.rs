//! What is broken, why, and what mends it: the checks. Pure.
//!
//! A [`Check`] looks at a [`Scene`] (snapshot, topology, path engine) and puts
//! [`Finding`]s into [`Findings`]; it has three answers: it fires, it does not,
//! or it cannot tell. [`judge()`] runs all of them and folds consequences under
//! their cause. Codes are for life: `DVR` and three digits, the first of which
//! names the family, with one file each.

mod agents;
mod blame;
mod code;
mod files;
mod finding;
mod findings;
mod fip;
mod focus;
mod fold;
mod judge;
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
mod wire;
mod witness;

pub use blame::blocked_by;
pub use code::{Code, NotACode};
pub use finding::{AgentDoes, Applicability, Confidence, Finding, Severity};
pub use findings::Findings;
pub use focus::Focus;
pub use judge::Judge;
pub use nat::Today;
pub use pick::{Pattern, Pick};
pub use registry::{Check, DecidedBy, check, checks};
pub use scene::{Scene, Subject};
pub use states::{Nameless, Standing, standing, states};
pub use turn::{Turn, turns};
pub use wire::Wire;
pub use witness::{unproved, witnessed};

use crate::net::{Snapshot, WireAnswers, WireQuestion};
use crate::topology::{FloatingIp, Topology};

/// Runs every check that a snapshot can answer. Findings come sorted: root
/// causes first, the severe before the mild, then by code and identity.
pub fn judge(snapshot: &Snapshot, topology: &Topology) -> Vec<Finding> {
    run(snapshot, topology, None)
}

/// The same with what the wire answered: also the checks that only that decides.
/// What was not asked is not judged.
pub fn judge_with(snapshot: &Snapshot, topology: &Topology, answers: &WireAnswers) -> Vec<Finding> {
    run(snapshot, topology, Some(answers))
}

/// What is to be asked on the wire, for the codes that are wanted; with a
/// floating IP only what is about it. Sorted, each once.
pub fn questions(
    snapshot: &Snapshot,
    topology: &Topology,
    pick: &Pick,
    about: Option<&FloatingIp>,
) -> Vec<WireQuestion> {
    let scene = Scene::of(snapshot, topology);
    let nothing = WireAnswers::new();
    let (mut wire, mut findings) = (Wire::new(&nothing, about), Findings::default());
    for check in checks().filter(|check| pick.wants(check.code)) {
        if let DecidedBy::Wire(ask) = check.decided_by {
            ask(&scene, &mut wire, &mut findings);
        }
    }
    wire.open()
}

fn run(snapshot: &Snapshot, topology: &Topology, answers: Option<&WireAnswers>) -> Vec<Finding> {
    let scene = Scene::of(snapshot, topology);
    let mut findings = Findings::default();
    // All that is asked of a router one after the other: on a large node memory is
    // slower than the checks, and so each router is fetched from it once.
    scene.parts().for_each(|part| of_router(&part, &mut findings));
    of_node(&scene, answers, &mut findings);
    fold::fold(findings.done())
}

/// The checks of one router.
fn of_router(part: &Scene<'_>, findings: &mut Findings) {
    for check in checks() {
        if let DecidedBy::Routers(run) | DecidedBy::Both(run, _) = check.decided_by {
            findings.begin(check);
            run(part, findings);
        }
    }
}

/// The checks that have to see all of the node.
fn of_node(scene: &Scene<'_>, answers: Option<&WireAnswers>, findings: &mut Findings) {
    for check in checks() {
        findings.begin(check);
        match (check.decided_by, answers) {
            (DecidedBy::Snapshot(run) | DecidedBy::Both(_, run), _) => run(scene, findings),
            (DecidedBy::Wire(run), Some(answers)) => run(scene, &mut Wire::new(answers, None), findings),
            (DecidedBy::Wire(_), None) | (DecidedBy::Elsewhere | DecidedBy::Routers(_), _) => {}
        }
        // What the wire answered of it stands before what the record tells.
        if check.code == neighbours::FROZEN {
            neighbours::recorded(scene, answers, findings);
        }
    }
}
