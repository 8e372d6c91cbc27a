//! What a command does on the journal's screen.

use super::open;
use super::proposal::{last, take_back};
use super::screens::{copy, distance};
use crate::net::printable;
use crate::plan::journal::{Past, State as PastState};
use crate::tui::journal::JournalView;
use crate::tui::keymap::Command;
use crate::tui::layout;
use crate::tui::list::List;
use crate::tui::message::Effect;
use crate::tui::state::{Node, Screen, State};
use crate::tui::words::one_line;

/// Opens the journal and has it read.
pub(super) fn open_journal(state: &mut State) -> Vec<Effect> {
    if !state.live {
        state.notice = Some("this is a saved reading: its node's journal is not at hand".to_owned());
        return Vec::new();
    }
    if !matches!(state.above.last(), Some(Screen::Journal(_))) {
        open(state, Screen::Journal(Box::default()));
    }
    vec![Effect::ReadJournal]
}

/// Has the journal read to take the last change back.
pub(super) fn undo_last(state: &mut State) -> Vec<Effect> {
    if !state.live {
        state.notice = Some("this is a saved reading: nothing can be taken back".to_owned());
        return Vec::new();
    }
    state.undo_wanted = true;
    vec![Effect::ReadJournal]
}

/// The journal was read.
pub(super) fn read(state: &mut State, past: &Result<Vec<Past>, String>) -> Vec<Effect> {
    if let Ok(past) = past {
        super::carried::unfinished(state, past);
        super::settle(state);
    }
    let body = layout::outer(state, state.area()).body;
    for screen in &mut state.above {
        if let Screen::Journal(view) = screen {
            view.read(past.clone(), List::UNKNOWN);
            let height = usize::from(layout::journal(view.rows().len(), body).list.height);
            let count = view.rows().len();
            view.list.reveal(height, count);
        }
    }
    if !std::mem::take(&mut state.undo_wanted) {
        return Vec::new();
    }
    let Some(node) = state.node.clone() else { return Vec::new() };
    match past.as_ref().map(|all| last(all)) {
        Ok(Some(past)) => return take_back(state, &node, past, false),
        Ok(None) => state.notice = Some("the journal holds no change that could be taken back".to_owned()),
        Err(why) => state.notice = Some(printable(&one_line(why), 300)),
    }
    Vec::new()
}

pub(super) fn command(state: &mut State, node: &Node, command: Command) -> Vec<Effect> {
    let body = layout::outer(state, state.area()).body;
    let Some(Screen::Journal(view)) = state.above.last_mut() else { return Vec::new() };
    let height = usize::from(layout::journal(view.rows().len(), body).list.height);
    if let Some(by) = distance(command, height) {
        view.step(by, height);
        return Vec::new();
    }
    let Some(past) = JournalView::current(view).cloned() else {
        state.notice = Some("there is no change here".to_owned());
        return Vec::new();
    };
    match command {
        Command::TakeBack => match past.state {
            PastState::Done | PastState::Unfinished => return take_back(state, node, &past, false),
            PastState::Failed if past.left().next().is_some() => return take_back(state, node, &past, false),
            PastState::Undone | PastState::Failed => {
                state.notice = Some(format!("change {} is {}: nothing of it is left", past.id, past.state.word()));
            }
        },
        Command::CompleteChange if past.state == PastState::Unfinished => return take_back(state, node, &past, true),
        Command::CompleteChange => state.notice = Some(format!("change {} is not unfinished", past.id)),
        Command::CopyCommand => {
            let commands: Vec<String> = past.steps.iter().map(|step| step.planned.command()).collect();
            return copy(state, Some(commands.join("\n")));
        }
        _ => {}
    }
    Vec::new()
}
