//! `fipscope.plan/1`.

use jiff::Timestamp;
use serde::Serialize;

use super::{Head, document};
use crate::check::Applicability;
use crate::net::Snapshot;
use crate::plan::journal::Past;
use crate::plan::{Plan, Step};

#[derive(Serialize)]
struct Document<'a> {
    #[serde(flatten)]
    head: Head<'a>,
    intent: &'a str,
    applicability: Applicability,
    steps: &'a [Step],
}

/// The plan that takes a change back.
pub fn undo_plan(at: Timestamp, past: &Past, plan: &Plan) -> String {
    let head = Head { schema: "fipscope.plan/1", node: &past.node, taken_at: at };
    document(&Document { head, intent: &plan.intent, applicability: Applicability::Safe, steps: &plan.steps })
}

/// A plan, before it is carried out.
pub fn plan(snapshot: &Snapshot, plan: &Plan, applicability: Applicability) -> String {
    let head = Head::new("fipscope.plan/1", snapshot);
    document(&Document { head, intent: &plan.intent, applicability, steps: &plan.steps })
}
