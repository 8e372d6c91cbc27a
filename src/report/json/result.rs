//! `fipscope.result/1` and `fipscope.journal/1`: what was changed.

use jiff::Timestamp;
use serde::Serialize;

use super::{Head, document, line};
use crate::check::Applicability;
use crate::net::NetnsName;
use crate::plan::Undo;
use crate::plan::journal::{Back, Outcome, Past, PastStep, StepState};

/// What became of a change, and what is known beside it.
#[derive(Clone, Copy, Debug)]
pub struct Result<'a> {
    /// The change.
    pub past: &'a Past,
    /// Whether it might be carried out.
    pub applicability: Applicability,
    /// What was to be known before.
    pub warnings: &'a [String],
    /// The node was read again, and what the change is for is so.
    pub verified: bool,
    /// Why it failed.
    pub failure: Option<&'a str>,
}

#[derive(Serialize)]
struct ResultDocument<'a> {
    #[serde(flatten)]
    head: Head<'a>,
    intent: &'a str,
    applicability: Applicability,
    warnings: &'a [String],
    steps: Vec<ResultStep<'a>>,
    applied: bool,
    verified: bool,
    rolled_back: bool,
    failure: Option<&'a str>,
    journal_id: u64,
}

#[derive(Serialize)]
struct ResultStep<'a> {
    #[serde(flatten)]
    step: Step<'a>,
    already: bool,
    status: Option<&'static str>,
}

#[derive(Serialize)]
struct Step<'a> {
    id: u32,
    namespace: Option<&'a NetnsName>,
    description: &'a str,
    command: String,
    undo_command: Option<String>,
    why_no_undo: Option<String>,
    error: Option<&'a str>,
}

#[derive(Serialize)]
struct Journal<'a> {
    #[serde(flatten)]
    head: Head<'a>,
    changes: Vec<Change<'a>>,
}

#[derive(Serialize)]
struct Change<'a> {
    id: u64,
    at: Timestamp,
    ended: Option<Timestamp>,
    node: &'a str,
    intent: &'a str,
    state: &'static str,
    undoes: Option<u64>,
    undone_by: Option<u64>,
    steps: Vec<JournalStep<'a>>,
}

#[derive(Serialize)]
struct JournalStep<'a> {
    #[serde(flatten)]
    step: Step<'a>,
    state: &'static str,
}

/// What became of one change.
pub fn result(at: Timestamp, result: Result<'_>) -> String {
    let past = result.past;
    let step = |step| ResultStep {
        step: Step::of(step),
        already: step.state == StepState::Skipped,
        status: status(step.state),
    };
    line(&ResultDocument {
        head: Head { schema: "fipscope.result/1", node: &past.node, taken_at: at },
        intent: &past.intent,
        applicability: result.applicability,
        warnings: result.warnings,
        steps: past.steps.iter().map(step).collect(),
        applied: past.outcome == Some(Outcome::Done),
        verified: result.verified,
        rolled_back: matches!(past.outcome, Some(Outcome::RolledBack | Outcome::Undone)),
        failure: result.failure,
        journal_id: past.id,
    })
}

/// The changes of the past, the oldest first.
pub fn journal(node: &str, at: Timestamp, all: &[Past]) -> String {
    let head = Head { schema: "fipscope.journal/1", node, taken_at: at };
    document(&Journal { head, changes: all.iter().map(Change::of).collect() })
}

/// `None` for a step that was not come to.
fn status(state: StepState) -> Option<&'static str> {
    match state {
        StepState::Planned => None,
        StepState::Done | StepState::Undoing => Some("done"),
        StepState::Skipped => Some("skipped"),
        StepState::Failed | StepState::Doing => Some("failed"),
        StepState::Undone => Some("undone"),
    }
}

impl<'a> Change<'a> {
    fn of(past: &'a Past) -> Self {
        let step = |step: &'a PastStep| JournalStep { step: Step::of(step), state: step.state.word() };
        Self {
            id: past.id,
            at: past.at,
            ended: past.ended,
            node: &past.node,
            intent: &past.intent,
            state: past.state.word(),
            undoes: past.undoes,
            undone_by: past.undone_by,
            steps: past.steps.iter().map(step).collect(),
        }
    }
}

impl<'a> Step<'a> {
    fn of(step: &'a PastStep) -> Self {
        let planned = &step.planned;
        let back = step.back.clone().unwrap_or_else(|| match planned.action.inverse() {
            Undo::Action(action) => Back::Action(action),
            Undo::Nothing(why) => Back::Nothing(why.to_owned()),
        });
        let (undo_command, why_no_undo) = match back {
            Back::Action(action) => (Some(action.command(&planned.place)), None),
            Back::Nothing(why) => (None, Some(why)),
        };
        Self {
            id: planned.id,
            namespace: planned.place.name(),
            description: &planned.description,
            command: planned.command(),
            undo_command,
            why_no_undo,
            error: step.error.as_deref(),
        }
    }
}
