//! What comes from carrying a change out: how far each step is, its end, the
//! announcements after it; and what the wire said before.

use super::proposal::{ask_no_word, chained};
use crate::net::{WireAnswer, WireQuestion, printable};
use crate::plan::journal::{Entry, Past, Round};
use crate::tui::findings::FindingId;
use crate::tui::message::{Effect, Over};
use crate::tui::proposal::{Proposal, RootState, Stage};
use crate::tui::state::{Screen, State};
use crate::tui::words::{count, one_line};

/// Something happened to a step.
pub(super) fn told(state: &mut State, entry: Entry) {
    if let Some(shown) = running(state) {
        shown.told(entry);
    }
}

/// One of several root causes came so far.
pub(super) fn came(state: &mut State, root: &FindingId, came: RootState) {
    if let Some(shown) = running(state) {
        shown.rooted.take(root, came);
    }
}

/// The change is over: the node is read again.
pub(super) fn over(state: &mut State, result: Result<Over, String>) -> Vec<Effect> {
    state.changing = false;
    let text = match &result {
        Ok(over) if over.failure.is_none() => format!("change {} is done", over.past.id),
        Ok(over) => format!("change {} failed; J shows it", over.past.id),
        Err(why) => format!("nothing was done: {}", printable(&one_line(why), 300)),
    };
    match running(state) {
        Some(shown) => {
            shown.stage = match result {
                Ok(Over { past, verified, failure }) => {
                    shown.past = Some(past);
                    shown.opens = failure.is_none();
                    Stage::Over(verified, failure)
                }
                Err(why) => Stage::Refused(why),
            };
        }
        None => state.notice = Some(text),
    }
    let mut effects = super::refresh(state);
    if state.unfinished.is_some() || state.above.iter().any(|screen| matches!(screen, Screen::Journal(_))) {
        effects.push(Effect::ReadJournal);
    }
    effects.extend(super::tracked::reread(state));
    effects
}

/// A reading after the change: whoever still looks at it is shown the chain that
/// it was for.
pub(super) fn open_chain(state: &mut State) {
    let Some(node) = state.node.clone() else { return };
    let mut found = None;
    for (at, screen) in state.above.iter_mut().enumerate() {
        if let Screen::Proposal(shown) = screen
            && std::mem::take(&mut shown.opens)
        {
            let change = shown.past.as_ref().map_or(0, |past| past.id);
            let verified = if matches!(shown.stage, Stage::Over(true, _)) { "done and verified" } else { "done" };
            let told = format!("change {change} is {verified}; u takes it back, Esc shows its steps");
            found = chained(shown.chain(), &node).map(|fip| (at, fip, told));
        }
    }
    let in_sight = state.above.len();
    if let Some((at, fip, told)) = found
        && at + 1 == in_sight
        && state.prompt.is_none()
        && state.help.is_none()
    {
        super::open_chain(state, fip);
        state.notice = Some(told);
    }
}

/// A round of the announcement was sent, or none will be any more.
pub(super) fn announced(state: &mut State, result: Result<Round, String>) {
    match result {
        Ok(round) => {
            state.announcing = Some(round).filter(|round| round.number < round.of);
            // Nothing is cut short by leaving any more.
            if state.announcing.is_none() && std::mem::take(&mut state.leaving) {
                state.notice = Some(format!("{} is announced: q leaves", round.address));
            }
        }
        Err(why) => {
            state.announcing = None;
            state.notice = Some(printable(&one_line(&why), 300));
        }
    }
}

/// The wire said who has the address of a plan.
pub(super) fn taken(state: &mut State, question: &WireQuestion, answer: &WireAnswer) {
    let Some(node) = state.node.clone() else { return };
    let mut in_sight = false;
    for screen in &mut state.above {
        in_sight = false;
        if let Screen::Proposal(shown) = screen {
            in_sight = shown.answered(question, answer.clone(), &node);
        }
    }
    if in_sight {
        ask_no_word(state, "somebody has the address: nothing was done");
    }
    super::settle(state);
}

/// The user leaves. Where that cuts something short it is said first; the second
/// time it is done.
pub(super) fn quit(state: &mut State) -> Vec<Effect> {
    let under_way = match &state.announcing {
        _ if state.changing => "a change is under way and comes to its end: q again leaves then".to_owned(),
        Some(round) => {
            let left = usize::try_from(round.of - round.number).unwrap_or(usize::MAX);
            let left = count(left, "more time", "more times");
            format!("{} is to be announced {left}: q again leaves that out", round.address)
        }
        None => return vec![Effect::Quit],
    };
    if std::mem::replace(&mut state.leaving, true) {
        return vec![Effect::Quit];
    }
    state.notice = Some(under_way);
    Vec::new()
}

/// What the journal says of changes that have no end.
pub(super) fn unfinished(state: &mut State, past: &[Past]) {
    // One's own is under way, not left unfinished.
    let open = past.iter().rev().find(|past| !past.is_settled() && !state.changing);
    state.unfinished = open.map(|past| (past.id, past.intent.clone()));
}

/// The change under way, wherever its screen lies.
fn running(state: &mut State) -> Option<&mut Proposal> {
    state.above.iter_mut().find_map(|screen| match screen {
        Screen::Proposal(shown) if shown.stage == Stage::Running => Some(&mut **shown),
        _ => None,
    })
}
