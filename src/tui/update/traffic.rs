//! What happens on the traffic screen, and to what is heard.

use super::screens::distance;
use super::walk::open_walk;
use super::{open, open_chain};
use crate::net::printable;
use crate::tui::keymap::Command;
use crate::tui::layout;
use crate::tui::message::Effect;
use crate::tui::overview::FipId;
use crate::tui::state::{Node, Screen, State};
use crate::tui::traffic::{Attention, Heard, Hearing, TrafficRow, TrafficView, Writing, known};
use crate::tui::walk::{Asked, Ends};
use crate::tui::words::{count, short};

/// Opens the traffic screen, for a floating IP or a router where one is in
/// sight, and listens from then on.
pub(super) fn open_traffic(state: &mut State) -> Vec<Effect> {
    if !state.live {
        state.notice = Some("this is a saved reading: nothing flows in it".to_owned());
        return Vec::new();
    }
    let Some(node) = state.node.clone() else { return Vec::new() };
    if !matches!(state.above.last(), Some(Screen::Traffic(_))) {
        let (about, router) = match state.above.last() {
            None => (state.overview.current_fip(&node.topology).map(FipId::from), None),
            Some(Screen::Chain(chain)) => (Some(chain.fip.clone()), None),
            Some(Screen::Router(view)) => (view.current_fip(&node.topology).map(FipId::from), Some(short(&view.id))),
            Some(_) => (None, None),
        };
        let view = TrafficView { about, filter: router.unwrap_or_default(), ..TrafficView::default() };
        open(state, Screen::Traffic(Box::new(view)));
    }
    let mut effects = Vec::new();
    if state.hearing.as_ref().is_none_or(|hearing| hearing.failed.is_some()) {
        state.hearing = Some(Hearing::default());
        (state.attention, state.writing) = (Attention::default(), None);
        effects.push(Effect::Listen);
    }
    rebuild(state);
    effects
}

/// An interval was heard, or nothing can be heard any more.
pub(super) fn heard(state: &mut State, result: Result<Box<Heard>, String>) -> Vec<Effect> {
    // What comes after the end is not heard.
    if let Some(hearing) = &mut state.hearing {
        match result {
            Ok(heard) => hearing.hear(*heard),
            Err(why) => hearing.failed = Some(why),
        }
        rebuild(state);
        super::flow::rebuild(state);
        unwritten(state);
    }
    Vec::new()
}

/// Another interval, another reading, another size: rows and scroll offsets anew.
pub(super) fn rebuild(state: &mut State) {
    let body = layout::outer(state, state.area()).body;
    let height = usize::from(layout::traffic(body).list.height);
    // It flows through the node as it is, whatever is shown of the past.
    let (Some(node), Some(hearing)) = (state.newest().cloned(), &state.hearing) else { return };
    for screen in &mut state.above {
        if let Screen::Traffic(view) = screen {
            view.rebuild(hearing, &node, height);
        }
    }
}

/// Another reading: reasons may be others by now.
pub(super) fn renew(state: &mut State) {
    for screen in &mut state.above {
        if let Screen::Traffic(view) = screen {
            view.said = None;
        }
    }
    rebuild(state);
}

/// Another filter.
pub(super) fn set_filter(state: &mut State, filter: &str) {
    if let Some(Screen::Traffic(view)) = state.above.last_mut() {
        filter.clone_into(&mut view.filter);
    }
    rebuild(state);
}

pub(super) fn command(state: &mut State, node: &Node, command: Command) -> Vec<Effect> {
    let height = layout::page(state);
    let newest = state.newest().unwrap_or(node).clone();
    let Some(Screen::Traffic(view)) = state.above.last_mut() else { return Vec::new() };
    if let Some(by) = distance(command, height) {
        view.step(by, &newest, height);
        return Vec::new();
    }
    match command {
        Command::OtherDirection => view.turn(&newest, height),
        Command::Play => {
            let past = state.hearing.as_ref().map(|hearing| hearing.past.clone());
            view.paused = if view.paused.is_some() { None } else { view.shown.clone().zip(past) };
            rebuild(state);
        }
        Command::Open if super::flow::open_flow(state, node) => {}
        Command::Open | Command::Trace => return follow(state, node, command),
        Command::Save => write(state),
        Command::StopListening => {
            state.above.pop();
            (state.hearing, state.writing) = (None, None);
            state.above.retain(|screen| !matches!(screen, Screen::Flow(_)));
            state.notice = Some("nobody listens any more".to_owned());
            return vec![Effect::StopListening];
        }
        _ => {}
    }
    Vec::new()
}

/// What the screens want of the listening besides counts, where that is another
/// thing than before.
pub(super) fn attend(state: &mut State) -> Option<Effect> {
    if state.hearing.is_none() {
        state.attention = Attention::default();
        return None;
    }
    let follow = state.above.iter().rev().find_map(|screen| match screen {
        Screen::Flow(view) => Some(view.conversation.clone()),
        _ => None,
    });
    let translations = matches!(state.above.last(), Some(Screen::Traffic(_) | Screen::Flow(_)));
    let wanted = Attention { translations, follow, write: state.writing.clone() };
    if wanted == state.attention {
        return None;
    }
    state.attention = wanted.clone();
    Some(Effect::Attend(wanted))
}

/// Begins to write packets to a file, those that the screen's filter wants; or ends it.
pub(super) fn write(state: &mut State) {
    if state.writing.take().is_some() {
        let written = state.hearing.as_ref().and_then(|hearing| hearing.last.as_ref()?.written.clone());
        state.notice = Some(match written {
            Some(Ok(it)) => {
                let packets = count(usize::try_from(it.packets).unwrap_or(usize::MAX), "packet", "packets");
                format!("written: {}, about {packets}", printable(&it.path, 200))
            }
            _ => "nothing is written any more".to_owned(),
        });
        return;
    }
    let filter = state.above.iter().rev().find_map(|screen| match screen {
        Screen::Traffic(view) => Some(view.filter.clone()),
        _ => None,
    });
    let name = format!("fipscope-{}.pcapng", state.now.strftime("%Y%m%dT%H%M%SZ"));
    state.writing = Some(Writing { name, filter: filter.unwrap_or_default() });
}

/// A file that could not be written is not asked for again.
fn unwritten(state: &mut State) {
    let written = state.hearing.as_ref().and_then(|hearing| hearing.last.as_ref()?.written.as_ref());
    if let (Some(Err(why)), Some(_)) = (written, &state.writing) {
        state.notice = Some(printable(why, 300));
        state.writing = None;
    }
}

/// Opens the chain of the floating IP under the cursor, or the walk of a packet
/// as the flow there has them.
fn follow(state: &mut State, node: &Node, command: Command) -> Vec<Effect> {
    let Some(Screen::Traffic(view)) = state.above.last() else { return Vec::new() };
    if let Some(flow) = view.flow() {
        let ends = Ends::Addresses { src: flow.source.address, dst: flow.destination.address };
        let asked = Asked::new(ends).with(flow.proto, flow.destination.port);
        return open_walk(state, asked);
    }
    let fip = view.fip().and_then(|[out, inward]| {
        let stops_inward = out.stops_at.is_none() && inward.stops_at.is_some();
        Some((FipId::from(known(&node.topology, &out.id)?), stops_inward))
    });
    match (fip, command) {
        (Some((id, inbound)), Command::Trace) => return open_walk(state, Asked::new(Ends::Fip { id, inbound })),
        (Some((id, _)), _) => open_chain(state, id),
        (None, _) => state.notice = Some("nothing is selected that stands on this node".to_owned()),
    }
    Vec::new()
}

/// Selects the row that was clicked; true where it was selected already.
pub(super) fn click(view: &mut TrafficView, node: &Node, row: usize, height: usize) -> bool {
    if row == view.list.cursor {
        return true;
    }
    if matches!(view.rows.get(row), Some(TrafficRow::Fip(_) | TrafficRow::Flow(_))) {
        view.go(row, height);
        view.explain(node);
    }
    false
}
