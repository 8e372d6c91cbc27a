//! `fipscope.plan/1`.

use jiff::Timestamp;
use serde::Serialize;

use super::{Head, document};
use crate::check::Applicability;
use crate::net::Snapshot;
use crate::plan::journal::Past;
use crate::plan::{CaseKind, Plan, Step, Told};

#[derive(Serialize)]
struct Document<'a> {
    #[serde(flatten)]
    head: Head<'a>,
    intent: &'a str,
    applicability: Applicability,
    warnings: &'a [String],
    agent: Option<Agent>,
    steps: &'a [Step],
}

/// What Neutron says of it.
#[derive(Serialize)]
struct Agent {
    case: CaseKind,
    told: Told,
    sentence: String,
}

impl Agent {
    fn of(plan: &Plan) -> Option<Self> {
        let (case, sentence) = plan.agent.zip(plan.case())?;
        Some(Self { case: case.kind, told: case.told, sentence })
    }
}

/// The plan that takes a change back.
pub fn undo_plan(at: Timestamp, past: &Past, plan: &Plan) -> String {
    let head = Head { schema: "fipscope.plan/1", node: &past.node, taken_at: at };
    whole(head, plan, Applicability::Safe)
}

/// A plan, before it is carried out.
pub fn plan(snapshot: &Snapshot, plan: &Plan, applicability: Applicability) -> String {
    whole(Head::new("fipscope.plan/1", snapshot), plan, applicability)
}

fn whole(head: Head<'_>, plan: &Plan, applicability: Applicability) -> String {
    let Plan { intent, warnings, steps, .. } = plan;
    document(&Document { head, intent, applicability, warnings, agent: Agent::of(plan), steps })
}
