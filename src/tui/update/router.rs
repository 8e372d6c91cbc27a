//! What a command does on the router screen.

use super::screens::distance;
use super::walk::open_walk;
use super::{open, open_chain, open_namespace};
use crate::tui::keymap::Command;
use crate::tui::layout;
use crate::tui::message::Effect;
use crate::tui::namespace::Tab;
use crate::tui::overview::FipId;
use crate::tui::router::RouterView;
use crate::tui::state::{Node, Screen, State};
use crate::tui::walk::{Asked, Ends};

/// Opens a router at a glance.
pub(super) fn open_router(state: &mut State, id: String) {
    let Some(node) = state.node.clone() else { return };
    open(state, Screen::Router(Box::new(RouterView::of(id, &node))));
    settle(state);
}

/// Another reading.
pub(super) fn rebuild(state: &mut State) {
    let Some(node) = state.node.clone() else { return };
    let body = layout::outer(state, state.area()).body;
    for view in all(state) {
        let height = usize::from(layout::router(view, body).list.height);
        view.rebuild(&node, height);
    }
    settle(state);
}

/// Brings scroll offsets in line with the size.
pub(super) fn settle(state: &mut State) {
    let body = layout::outer(state, state.area()).body;
    for view in all(state) {
        let height = usize::from(layout::router(view, body).list.height);
        view.list.reveal(height, view.rows.len());
    }
}

fn all(state: &mut State) -> impl Iterator<Item = &mut RouterView> {
    state.above.iter_mut().filter_map(|screen| match screen {
        Screen::Router(view) => Some(&mut **view),
        _ => None,
    })
}

pub(super) fn command(state: &mut State, node: &Node, command: Command) -> Vec<Effect> {
    let body = layout::outer(state, state.area()).body;
    let Some(Screen::Router(view)) = state.above.last_mut() else { return Vec::new() };
    let height = usize::from(layout::router(view, body).list.height);
    if let Some(by) = distance(command, height) {
        view.go(view.list.cursor.saturating_add_signed(by), height);
        return Vec::new();
    }
    let fip = view.current_fip(&node.topology).map(FipId::from);
    let glance = view.glance.as_ref();
    let way = view.current().and_then(|(band, at)| band.ways(glance?).get(at));
    let namespace = way.and_then(|way| way.stages.first()).map(|stage| stage.namespace.clone());
    match (command, fip) {
        (Command::Left, _) => view.turn(-1, height),
        (Command::Right, _) => view.turn(1, height),
        (Command::Open, Some(fip)) => open_chain(state, fip),
        (Command::Trace, Some(id)) => return open_walk(state, Asked::new(Ends::Fip { id, inbound: false })),
        (Command::Trace, None) => {
            state.notice = Some("a walk begins at a floating IP; `:trace FROM TO` begins anywhere".to_owned());
        }
        (Command::Open | Command::OpenNamespace, _) => match namespace {
            Some(name) => open_namespace(state, name, Tab::Rules),
            None => state.notice = Some("no namespace of it stands on this node".to_owned()),
        },
        _ => {}
    }
    Vec::new()
}
