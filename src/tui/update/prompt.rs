//! Typing: the filter, the command line, the address in the overview.

use crossterm::event::KeyCode;

use super::{form, go, open_chain, proposal, traffic};
use crate::tui::goto::{self, Target};
use crate::tui::keymap::{Command, Key};
use crate::tui::layout;
use crate::tui::message::Effect;
use crate::tui::overview::{FipId, Row};
use crate::tui::state::{Prompt, Purpose, Screen, State};

/// Characters that are taken at most.
const LIMIT: usize = 256;

/// Begins to look for an address, with its first character.
pub(super) fn find(state: &mut State, key: Key) -> Vec<Effect> {
    let purpose = Purpose::Find { before: state.overview.selected.clone() };
    state.prompt = Some(Prompt { purpose, input: String::new(), chosen: None });
    if let KeyCode::Char(c) = key.code {
        insert(state, &c.to_string());
    }
    Vec::new()
}

/// Pasted text goes into the input line; in the overview it is an address.
pub(super) fn paste(state: &mut State, text: &str) -> Vec<Effect> {
    let text: String = text.chars().filter(|c| !c.is_control()).take(LIMIT).collect();
    if state.prompt.is_none() && state.above.is_empty() && state.node.is_some() && state.help.is_none() {
        let purpose = Purpose::Find { before: state.overview.selected.clone() };
        state.prompt = Some(Prompt { purpose, input: String::new(), chosen: None });
        insert(state, text.trim());
    } else if state.prompt.is_some() {
        insert(state, &text);
    } else {
        form::paste(state, &text);
    }
    Vec::new()
}

pub(super) fn key(state: &mut State, key: Key, command: Option<Command>) -> Vec<Effect> {
    match (command, key.code) {
        (Some(Command::Accept), _) => return accept(state),
        (Some(Command::Cancel), _) => cancel(state),
        (Some(Command::Complete), _) => complete(state),
        (Some(Command::Next), _) => choose(state, 1),
        (Some(Command::Previous), _) => choose(state, -1),
        (Some(Command::Erase), _) if input(state).is_empty() => cancel(state),
        (Some(Command::Erase), _) => {
            edit(state, |text| {
                text.pop();
            });
        }
        (Some(Command::EraseWord), _) => edit(state, |text| {
            let kept = text.trim_end().rfind(' ').map_or(0, |at| at + 1);
            text.truncate(kept);
        }),
        (Some(Command::EraseAll), _) => edit(state, String::clear),
        (None, KeyCode::Char(c)) if !key.ctrl && !key.alt => insert(state, &c.to_string()),
        _ => {}
    }
    Vec::new()
}

fn input(state: &State) -> &str {
    state.prompt.as_ref().map_or("", |prompt| prompt.input.as_str())
}

fn insert(state: &mut State, more: &str) {
    edit(state, |text| {
        let room = LIMIT.saturating_sub(text.chars().count());
        text.extend(more.chars().take(room));
    });
}

/// Changes the input and shows at once what that comes to.
fn edit(state: &mut State, change: impl FnOnce(&mut String)) {
    let Some(prompt) = &mut state.prompt else { return };
    change(&mut prompt.input);
    prompt.chosen = None;
    let input = prompt.input.clone();
    match prompt.purpose {
        Purpose::Filter { .. } => set_filter(state, &input),
        Purpose::Find { .. } => jump(state, None),
        Purpose::Goto | Purpose::Consent { .. } => {}
    }
}

fn set_filter(state: &mut State, filter: &str) {
    let page = layout::page(state);
    match state.above.last_mut() {
        None => {
            filter.clone_into(&mut state.overview.filter);
            if let Some(node) = &state.node {
                state.overview.rebuild(node, page);
            }
        }
        Some(Screen::Namespace(namespace)) => {
            filter.clone_into(&mut namespace.view_mut().filter);
            namespace.rebuild(state.node.as_ref(), page);
        }
        Some(Screen::Events(view)) => view.narrow(filter, &state.timeline, page),
        Some(Screen::Findings(view)) => {
            filter.clone_into(&mut view.filter);
            if let Some(node) = &state.node {
                view.rebuild(&node.judged, page);
            }
        }
        Some(Screen::Traffic(_)) => traffic::set_filter(state, filter),
        Some(_) => {}
    }
}

/// Puts the cursor on the likeliest match, or on the one chosen.
fn jump(state: &mut State, by: Option<isize>) {
    let page = layout::page(state);
    let Some(node) = state.node.clone() else { return };
    let Some(prompt) = &mut state.prompt else { return };
    let (rows, best) = goto::find(&state.overview, &node.topology, &prompt.input);
    let Some(last) = rows.len().checked_sub(1) else { return };
    let at = match by {
        None => best,
        Some(by) => prompt.chosen.unwrap_or(best).saturating_add_signed(by).min(last),
    };
    prompt.chosen = by.map(|_| at);
    state.overview.go(rows[at], &node.topology, page);
}

fn choose(state: &mut State, by: isize) {
    let Some(prompt) = &mut state.prompt else { return };
    match prompt.purpose {
        Purpose::Find { .. } => jump(state, Some(by)),
        Purpose::Goto => {
            let count = goto::candidates(state.node.as_ref(), &prompt.input).len();
            prompt.chosen = match (prompt.chosen, by) {
                _ if count == 0 => None,
                (None, 1) => Some(0),
                (None, _) => Some(count - 1),
                (Some(0), -1) => None,
                (Some(at), by) => Some(at.saturating_add_signed(by).min(count - 1)),
            };
        }
        Purpose::Consent { .. } => {}
        Purpose::Filter { .. } => {
            let page = layout::page(state);
            match (state.above.last_mut(), state.node.clone()) {
                (None, Some(node)) => state.overview.step(by, &node.topology, page),
                (Some(Screen::Namespace(namespace)), _) => namespace.step(by, page),
                (Some(Screen::Findings(view)), Some(node)) => view.step(by, &node.judged, page),
                (Some(Screen::Traffic(view)), Some(node)) => view.step(by, &node, page),
                (Some(Screen::Events(view)), _) => view.step(by, page),
                _ => {}
            }
        }
    }
}

fn complete(state: &mut State) {
    let Some(prompt) = &mut state.prompt else { return };
    match prompt.purpose {
        Purpose::Goto => {
            let candidates = goto::candidates(state.node.as_ref(), &prompt.input);
            let chosen = prompt.chosen.and_then(|at| candidates.get(at));
            let mut longer = chosen.cloned().unwrap_or_else(|| goto::common_start(&candidates).to_owned());
            let takes_more = ["fip", "ns", "router", "trace", "explain"].contains(&longer.as_str());
            if takes_more && (chosen.is_some() || candidates.len() == 1) {
                longer.push(' ');
            }
            if longer.len() > prompt.input.len() {
                prompt.input = longer;
                prompt.chosen = None;
            } else {
                choose(state, 1);
            }
        }
        Purpose::Find { .. } => choose(state, 1),
        Purpose::Filter { .. } | Purpose::Consent { .. } => {}
    }
}

fn cancel(state: &mut State) {
    let Some(prompt) = state.prompt.take() else { return };
    match prompt.purpose {
        Purpose::Filter { before } => set_filter(state, &before),
        Purpose::Find { before } => {
            state.overview.selected = before;
            let page = layout::page(state);
            if let Some(node) = &state.node {
                state.overview.rebuild(node, page);
            }
        }
        Purpose::Goto => {}
        Purpose::Consent { .. } => state.notice = Some("nothing was done".to_owned()),
    }
}

fn accept(state: &mut State) -> Vec<Effect> {
    let Some(prompt) = state.prompt.take() else { return Vec::new() };
    match prompt.purpose {
        Purpose::Filter { .. } => Vec::new(),
        Purpose::Consent { word } => proposal::consented(state, &word, &prompt.input),
        Purpose::Find { .. } => {
            found(state, &prompt.input);
            Vec::new()
        }
        Purpose::Goto => {
            let candidates = goto::candidates(state.node.as_ref(), &prompt.input);
            let chosen = prompt.chosen.and_then(|at| candidates.get(at)).cloned();
            let line = chosen.unwrap_or(prompt.input);
            if line.trim().is_empty() {
                return Vec::new();
            }
            match goto::resolve(state.node.as_ref(), &line) {
                Ok(target) => go(state, target),
                Err(why) => {
                    state.notice = Some(why);
                    Vec::new()
                }
            }
        }
    }
}

/// Opens what the cursor went to, or an address that the filter hides.
fn found(state: &mut State, input: &str) {
    let Some(node) = state.node.clone() else { return };
    let (rows, _) = goto::find(&state.overview, &node.topology, input);
    if rows.contains(&state.overview.list.cursor) && matches!(state.overview.current(), Some(Row::Fip(_))) {
        if let Some(fip) = state.overview.current_fip(&node.topology).map(FipId::from) {
            open_chain(state, fip);
        }
    } else if let Ok(Target::Chain(fip)) = goto::resolve(state.node.as_ref(), &format!("fip {input}")) {
        open_chain(state, fip);
    } else {
        state.notice = Some(format!("no floating or fixed IP holds {}", crate::net::printable(input, 64)));
    }
}
