//! The help overlay: scrolling, and what closes it.

use super::carried;
use crate::tui::keymap::Command;
use crate::tui::layout;
use crate::tui::message::Effect;
use crate::tui::state::State;
use crate::tui::view::help_rows;

/// The keys that work over the help overlay: scrolling, and whatever closes it.
pub(super) fn press(state: &mut State, command: Command) -> Vec<Effect> {
    let offset = state.help.unwrap_or(0);
    let page = layout::page(state).max(1);
    let furthest = furthest(state);
    state.help = match command {
        Command::Quit => return carried::quit(state),
        Command::Up => Some(offset.saturating_sub(1)),
        Command::Down => Some(offset + 1),
        Command::PageUp => Some(offset.saturating_sub(page)),
        Command::PageDown => Some(offset + page),
        Command::Top => Some(0),
        Command::Bottom => Some(furthest),
        Command::Back | Command::Help | Command::Open => None,
        _ => Some(offset),
    };
    if let Some(offset) = &mut state.help {
        *offset = (*offset).min(furthest);
    }
    Vec::new()
}

/// The offset at which the last key is in sight.
pub(super) fn furthest(state: &State) -> usize {
    let inside = layout::outer(state, state.area()).body.height.saturating_sub(2);
    help_rows(state).saturating_sub(usize::from(inside))
}
