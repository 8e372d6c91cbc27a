//! Typing into the form for an association.

use crossterm::event::KeyCode;

use super::proposal::propose;
use super::{back, open};
use crate::tui::form::{Form, can_have};
use crate::tui::keymap::{Command, Key};
use crate::tui::message::Effect;
use crate::tui::proposal::Wanted;
use crate::tui::state::{Node, Screen, State};

/// Opens the form, with the router that is in sight.
pub(super) fn open_form(state: &mut State, node: &Node) {
    if !node.topology.routers.iter().any(can_have) {
        state.notice = Some("no router stands on this node: a floating IP needs one".to_owned());
        return;
    }
    let router = match state.above.last() {
        None => super::screens::row_router(state.overview.current(), node),
        Some(Screen::Router(view)) => Some(view.id.clone()),
        Some(Screen::Chain(chain)) => chain.fip.find(&node.topology).map(|fip| fip.router.clone()),
        Some(_) => None,
    };
    open(state, Screen::Form(Box::new(Form::new(router.as_deref(), node))));
}

pub(super) fn key(state: &mut State, node: &Node, key: Key, command: Option<Command>) -> Vec<Effect> {
    let Some(Screen::Form(form)) = state.above.last_mut() else { return Vec::new() };
    match (command, key.code) {
        (Some(Command::Accept), _) => match (form.wanted(&node.topology), &form.verdict) {
            (Ok(wanted), Ok(_)) => return propose(state, node, Wanted::Associated(Box::new(wanted))),
            // What is to be done is said above; where that is another field's, it goes there.
            (Ok(_), Err(_)) | (Err(_), _) => form.go_on(node),
        },
        (Some(Command::Cancel), _) => back(state),
        (Some(Command::Help), _) => state.help = Some(0),
        (Some(Command::NextField), _) => form.turn(1, node),
        (Some(Command::PreviousField), _) => form.turn(-1, node),
        (Some(Command::Next), _) => form.choose(1, node),
        (Some(Command::Previous), _) => form.choose(-1, node),
        (Some(Command::Erase), _) => form.edit(node, |text| {
            text.pop();
        }),
        (Some(Command::EraseWord | Command::EraseAll), _) => form.edit(node, String::clear),
        (None, KeyCode::Char(c)) if !key.ctrl && !key.alt => form.edit(node, |text| text.push(c)),
        _ => {}
    }
    Vec::new()
}

/// Pasted text goes into the field.
pub(super) fn paste(state: &mut State, text: &str) {
    let Some(node) = state.node.clone() else { return };
    if let Some(Screen::Form(form)) = state.above.last_mut() {
        form.edit(&node, |field| field.push_str(text));
    }
}

/// Another reading.
pub(super) fn rebuild(state: &mut State) {
    let Some(node) = state.node.clone() else { return };
    for screen in &mut state.above {
        if let Screen::Form(form) = screen {
            form.renew(&node);
        }
    }
}
