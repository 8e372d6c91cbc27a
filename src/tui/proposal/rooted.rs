//! Several root causes mended one after the other: how far each of them came,
//! and what became of the steps that were shown for all of them together.

use super::{Order, Proposal, Stage};
use crate::plan::Step;
use crate::plan::journal::{Past, PastStep, StepState};
use crate::plan::repair::{Piece, Shown, pieces_of};
use crate::tui::findings::FindingId;
use crate::tui::words::{Mark, count};

/// What is agreed to where several root causes are mended.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Each {
    /// The causes, the worst first; none where all is one change.
    pub roots: Vec<FindingId>,
    /// The steps that were shown: others are not done.
    pub shown: Shown,
}

/// How far a root cause came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RootState {
    /// It was not come to.
    Waiting,
    /// It is being mended.
    UnderWay,
    /// It was mended by the change of that number.
    Done(u64),
    /// Judged again, it was not there any more.
    Gone,
    /// Its change failed; what is left of it, the journal says.
    Failed,
    /// Its steps were done, or there are none, and it is still there.
    Left,
}

/// How far all of them came.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rooted {
    /// The causes.
    pub roots: Vec<(FindingId, RootState)>,
    /// The changes that are over; the last one is the proposal's own.
    pub earlier: Vec<Past>,
}

impl Rooted {
    pub(super) fn of(order: &Order) -> Self {
        let waiting = |root: &FindingId| (root.clone(), RootState::Waiting);
        Self { roots: order.each.roots.iter().map(waiting).collect(), earlier: Vec::new() }
    }

    /// More than one is mended.
    pub fn is_any(&self) -> bool {
        !self.roots.is_empty()
    }

    /// One of them came so far.
    pub fn take(&mut self, id: &FindingId, came: RootState) {
        if let Some((_, state)) = self.roots.iter_mut().find(|(root, _)| root == id) {
            *state = came;
        }
    }

    fn count(&self, is_it: impl Fn(&RootState) -> bool) -> usize {
        self.roots.iter().filter(|(_, state)| is_it(state)).count()
    }

    /// The one under way: its place from 1, of how many, and what it is.
    pub(super) fn under_way(&self) -> Option<String> {
        let at = self.roots.iter().position(|(_, state)| *state == RootState::UnderWay)?;
        Some(format!("root cause {} of {}, {}", at + 1, self.roots.len(), self.roots[at].0.label()))
    }

    /// What was done, when it ended well.
    pub(super) fn done(&self, last: Option<&Past>) -> String {
        let gone = match self.count(|state| *state == RootState::Gone) {
            0 => String::new(),
            gone => format!(", {} right by then", count(gone, "was", "were")),
        };
        let left = match self.count(|state| *state == RootState::Left) {
            0 => String::new(),
            left => format!(", {left} still there"),
        };
        let ids: Vec<String> = self.earlier.iter().chain(last).map(|past| past.id.to_string()).collect();
        let changes = if ids.len() == 1 { "change" } else { "changes" };
        let mended = self.count(|state| matches!(state, RootState::Done(_)));
        format!(
            "{} mended{gone}{left}: {changes} {} of the journal, u takes the last one back",
            count(mended, "root cause", "root causes"),
            ids.join(", ")
        )
    }

    /// What was done before one failed, and what was not.
    pub(super) fn until_then(&self) -> String {
        let mended = self.count(|state| matches!(state, RootState::Done(_)));
        let waiting = self.count(|state| matches!(state, RootState::Waiting | RootState::UnderWay));
        let mended = match mended {
            0 => "nothing was mended before".to_owned(),
            mended => format!("{} mended before", count(mended, "root cause was", "root causes were")),
        };
        match waiting {
            0 => mended,
            waiting => format!("{mended}, {} not tried", count(waiting, "was", "were")),
        }
    }

    /// A line for each, with its mark; `is_over` where no more will be done.
    pub fn lines(&self, is_over: bool) -> Vec<(Mark, String)> {
        let line = |(id, state): &(FindingId, RootState)| {
            let (mark, what) = match state {
                RootState::Waiting if is_over => (Mark::None, "was not tried".to_owned()),
                RootState::Waiting => (Mark::None, "waits".to_owned()),
                RootState::UnderWay if is_over => (Mark::Degraded, "was not begun".to_owned()),
                RootState::UnderWay => (Mark::Unknown, "is being mended".to_owned()),
                RootState::Done(change) => (Mark::Ok, format!("is mended by change {change}")),
                RootState::Gone => (Mark::Ok, "was right by then, nothing was done".to_owned()),
                RootState::Failed => (Mark::Broken, "failed".to_owned()),
                RootState::Left => (Mark::Degraded, "is still there".to_owned()),
            };
            (mark, format!("{} {what}.", id.label()))
        };
        self.roots.iter().map(line).collect()
    }
}

impl Proposal {
    /// How far a step of several causes' plan came: as far as what it is made of
    /// did, in whichever change.
    pub(super) fn together(&self, step: &Step) -> StepState {
        let states: Vec<Option<StepState>> = self.made(step).map(|made| made.map(|step| step.state)).collect();
        let has = |state: StepState| states.contains(&Some(state));
        let all = |is: fn(&Option<StepState>) -> bool| states.iter().all(is);
        let is_over = matches!(self.stage, Stage::Over(_, None));
        match () {
            () if has(StepState::Failed) => StepState::Failed,
            () if has(StepState::Doing) => StepState::Doing,
            () if has(StepState::Undoing) => StepState::Undoing,
            () if has(StepState::Undone) => StepState::Undone,
            () if has(StepState::Done) && (is_over || all(Option::is_some)) => StepState::Done,
            () if has(StepState::Done) => StepState::Doing,
            () if step.already || is_over || has(StepState::Skipped) => StepState::Skipped,
            () => StepState::Planned,
        }
    }

    /// Why something of a step failed.
    pub(super) fn together_error<'p>(&'p self, step: &'p Step) -> Option<&'p str> {
        self.made(step).flatten().find_map(|made| made.error.as_deref())
    }

    /// The steps of changes that made what a step is made of.
    fn made<'p>(&'p self, step: &'p Step) -> impl Iterator<Item = Option<&'p PastStep>> {
        let all = || self.past.iter().chain(self.rooted.earlier.iter().rev()).flat_map(|past| &past.steps);
        let has = |past: &PastStep, piece: &Piece| pieces_of(&past.planned.place, &past.planned.action).contains(piece);
        pieces_of(&step.netns, &step.action)
            .into_iter()
            .map(move |piece| all().find(|past| past.planned.place == step.netns && has(past, &piece)))
    }
}
