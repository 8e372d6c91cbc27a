//! What happens on the screen of a floating IP's connections.

use super::open;
use super::screens::{copy, distance};
use crate::tui::chain::Chain;
use crate::tui::keymap::Command;
use crate::tui::layout;
use crate::tui::message::Effect;
use crate::tui::proposal::Wanted;
use crate::tui::state::{Node, Screen, State};
use crate::tui::tracked::{Tracked, TrackedView};

/// Opens the connections of the chain's floating IP and has them read.
pub(super) fn open_tracked(state: &mut State, node: &Node, chain: &Chain) -> Vec<Effect> {
    if !state.live {
        state.notice = Some("this is a saved reading: connections are those of a running node".to_owned());
        return Vec::new();
    }
    let view = TrackedView::of(chain.fip.clone());
    let effect = ask(&view, node);
    open(state, Screen::Tracked(Box::new(view)));
    vec![effect]
}

/// A change may have made some forgotten: those of the last such screen are read again.
pub(super) fn reread(state: &State) -> Option<Effect> {
    let node = state.node.as_ref()?;
    state.above.iter().rev().find_map(|screen| match screen {
        Screen::Tracked(view) => Some(ask(view, node)),
        _ => None,
    })
}

/// They were read.
pub(super) fn read(state: &mut State, read: &[Tracked]) -> Vec<Effect> {
    for screen in &mut state.above {
        if let Screen::Tracked(view) = screen {
            view.read = Some(read.to_vec());
        }
    }
    rebuild(state);
    Vec::new()
}

/// Another reading of the node, or another size: compared anew.
pub(super) fn rebuild(state: &mut State) {
    let body = layout::outer(state, state.area()).body;
    let Some(node) = &state.node else { return };
    for screen in &mut state.above {
        if let Screen::Tracked(view) = screen {
            let height = usize::from(layout::findings(view.rows.len(), body).list.height);
            view.rebuild(node, height);
        }
    }
}

pub(super) fn command(state: &mut State, node: &Node, command: Command) -> Vec<Effect> {
    let height = layout::page(state);
    let Some(Screen::Tracked(view)) = state.above.last_mut() else { return Vec::new() };
    if let Some(by) = distance(command, height) {
        view.step(by, height);
        return Vec::new();
    }
    match command {
        Command::ForgetOld => return forget(state, node, true),
        Command::AskKernel => return vec![ask(view, node)],
        Command::CopyCommand => {
            let line = view.current().map(|row| {
                let (name, original) = (&row.namespace, &row.entry.original);
                format!("ip netns exec {name} conntrack -L --orig-src {} --orig-dst {}", original.src, original.dst)
            });
            return copy(state, line);
        }
        _ => {}
    }
    Vec::new()
}

/// Proposes to have the selected connection forgotten, or all that no new one would
/// be like.
pub(super) fn forget(state: &mut State, node: &Node, old: bool) -> Vec<Effect> {
    let Some(Screen::Tracked(view)) = state.above.last() else { return Vec::new() };
    let meant = view
        .rows
        .iter()
        .enumerate()
        .filter(|(at, row)| if old { row.outlived.is_some() } else { *at == view.list.cursor });
    let entries: Vec<_> = meant.map(|(_, row)| (row.namespace.clone(), row.entry.clone())).collect();
    if entries.is_empty() {
        let what = if old { "no connection is of another day" } else { "no connection is selected" };
        state.notice = Some(what.to_owned());
        return Vec::new();
    }
    let wanted = Wanted::Forgotten(view.fip.clone(), entries);
    super::proposal::propose(state, node, wanted)
}

fn ask(view: &TrackedView, node: &Node) -> Effect {
    Effect::ReadTracked { namespaces: view.places(node), addresses: view.addresses() }
}
