//! The journal read back: changes, and how far each of them came.

use jiff::Timestamp;

use super::super::{Action, HEARD, Plan};
use super::{Aim, Back, Begin, Entry, Event, Outcome, Planned};
use crate::check::Applicability;

/// A change of the past.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Past {
    /// Its number.
    pub id: u64,
    /// When it began.
    pub at: Timestamp,
    /// The node's name.
    pub node: String,
    /// Which run of the node's kernel it was made in.
    pub boot: String,
    /// What it was for.
    pub intent: String,
    /// The change that it took back.
    pub undoes: Option<u64>,
    /// The change that took it back.
    pub undone_by: Option<u64>,
    /// What it was to bring about.
    pub aim: Aim,
    /// What became of it.
    pub state: State,
    /// How it ended.
    pub outcome: Option<Outcome>,
    /// When it ended.
    pub ended: Option<Timestamp>,
    /// Its steps.
    pub steps: Vec<PastStep>,
}

/// A step of the past.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PastStep {
    /// As it was planned.
    pub planned: Planned,
    /// What became of it.
    pub state: StepState,
    /// What takes it back, where it came so far.
    pub back: Option<Back>,
    /// Why it failed, or could not be taken back.
    pub error: Option<String>,
}

/// What became of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// All of it was done.
    Done,
    /// It was done, and taken back later.
    Undone,
    /// It has no end: the process that made it was killed, or still runs.
    Unfinished,
    /// It failed, or the node was restarted before it ended.
    Failed,
}

/// What became of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepState {
    /// It was not come to.
    Planned,
    /// It was begun; whether it was done, only the node tells.
    Doing,
    /// It was done.
    Done,
    /// It was so before.
    Skipped,
    /// It was refused.
    Failed,
    /// It was about to be taken back; whether it was, only the node tells.
    Undoing,
    /// It was done and taken back.
    Undone,
}

impl State {
    /// The word for it in text and JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Undone => "undone",
            Self::Unfinished => "unfinished",
            Self::Failed => "failed",
        }
    }
}

impl StepState {
    /// The word for it in text and JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::Doing => "begun",
            Self::Done => "done",
            Self::Skipped => "skipped",
            Self::Failed => "failed",
            Self::Undoing => "undo-begun",
            Self::Undone => "undone",
        }
    }

    /// Whether something of the step may be on the node.
    pub fn is_left(self) -> bool {
        matches!(self, Self::Doing | Self::Done | Self::Undoing)
    }
}

impl Past {
    /// Whether the change is finished, one way or the other.
    pub fn is_settled(&self) -> bool {
        self.state != State::Unfinished
    }

    /// What is left of it that can be taken back: the last step first.
    pub fn left(&self) -> impl Iterator<Item = &PastStep> {
        self.steps.iter().rev().filter(|step| step.state.is_left())
    }

    /// The steps of [`Past::way_back`]'s plan, as they were done.
    pub fn ways_back(&self) -> impl Iterator<Item = &PastStep> {
        self.left().filter(|step| matches!(step.back, Some(Back::Action(_))))
    }

    /// The plan that takes back what is left of it, and what nothing takes
    /// back, in sentences. What it brought about ends with it, and what it
    /// mended is broken again: the plan's warnings say so.
    pub fn way_back(&self) -> (Plan, Vec<String>) {
        let mut plan = Plan::new(format!("Take back change {}: {}", self.id, self.intent));
        let mut nothing = Vec::new();
        for step in self.left() {
            match &step.back {
                Some(Back::Action(action)) => plan.push(&step.planned.place, action.clone()),
                Some(Back::Nothing(why)) => nothing.push(format!("{}: {why}", step.planned.description)),
                None => {}
            }
        }
        if plan.steps.is_empty() {
            return (plan, nothing);
        }
        let stops =
            self.aim.deliver.iter().map(|address| format!("Traffic of {address} stops, as before that change."));
        plan.warnings.extend(stops);
        let mut codes: Vec<&str> = self.aim.gone.iter().filter_map(|id| id.split('@').next()).collect();
        codes.sort_unstable();
        codes.dedup();
        if !codes.is_empty() {
            plan.warnings.push(format!("What that change mended is broken again: {}.", codes.join(", ")));
        }
        if !plan.warnings.is_empty() {
            plan.applicability = Applicability::NeedsConsent;
        }
        (plan, nothing)
    }
}

/// The changes that a journal tells of, in its order. What is not understood
/// (a last line that was cut short) is passed over. `boot` is the run of the
/// kernel now: what an earlier one left unfinished went with it.
pub fn read(text: &str, boot: &str) -> Vec<Past> {
    let mut all: Vec<Past> = Vec::new();
    for entry in text.lines().filter_map(|line| serde_json::from_str::<Entry>(line).ok()) {
        match entry {
            Entry::Begin(begin) => all.push(Past::from(*begin)),
            // From the end: numbers may begin anew where a file was taken away.
            other => {
                if let Some(past) = all.iter_mut().rev().find(|past| past.id == other.id()) {
                    past.take(other);
                }
            }
        }
    }
    let done: Vec<(u64, u64)> = all
        .iter()
        .filter(|past| past.state == State::Done)
        .filter_map(|past| past.undoes.map(|undone| (undone, past.id)))
        .collect();
    for past in &mut all {
        if let Some((_, by)) = done.iter().rev().find(|(undone, _)| *undone == past.id) {
            (past.state, past.undone_by) = (State::Undone, Some(*by));
        }
        if past.state == State::Unfinished && past.boot != boot {
            past.state = State::Failed;
        }
    }
    all
}

impl From<Begin> for Past {
    fn from(begin: Begin) -> Self {
        let step = |planned| PastStep { planned, state: StepState::Planned, back: None, error: None };
        Self {
            id: begin.id,
            at: begin.at,
            node: begin.node,
            boot: begin.boot,
            intent: begin.intent,
            undoes: begin.undoes,
            undone_by: None,
            aim: begin.aim,
            state: State::Unfinished,
            outcome: None,
            ended: None,
            steps: begin.steps.into_iter().map(step).collect(),
        }
    }
}

impl Past {
    /// Goes on by one entry.
    pub fn take(&mut self, entry: Entry) {
        match entry {
            Entry::Begin(_) => {}
            Entry::Step { step, event, .. } => {
                if let Some(step) = self.steps.iter_mut().find(|own| own.planned.id == step) {
                    step.take(event);
                }
            }
            Entry::End { at, outcome, .. } => {
                (self.ended, self.outcome) = (Some(at), Some(outcome));
                self.state = match outcome {
                    Outcome::Done => State::Done,
                    Outcome::Undone => State::Undone,
                    Outcome::RolledBack | Outcome::Half | Outcome::Settled => State::Failed,
                };
            }
        }
    }
}

impl PastStep {
    fn take(&mut self, event: Event) {
        self.state = match event {
            Event::Doing(back) => {
                self.back = Some(back);
                StepState::Doing
            }
            Event::Done => {
                // While it is under way an address may stand there for it.
                if let Action::Announce { .. } = self.planned.action {
                    self.back = Some(Back::Nothing(HEARD.to_owned()));
                }
                StepState::Done
            }
            Event::Skipped => StepState::Skipped,
            Event::Failed(why) => {
                self.error = Some(why);
                StepState::Failed
            }
            Event::Undoing => StepState::Undoing,
            Event::Undone => StepState::Undone,
            Event::Stuck(why) => {
                self.error = Some(why);
                StepState::Done
            }
        };
    }
}

#[cfg(test)]
mod tests;
