//! What happens on the screens of one flow, and of one packet of our own.

use super::open;
use super::screens::{copy, distance};
use super::walk::open_walk;
use crate::net::netfilter::protocol_word;
use crate::net::{ReachBy, ReachQuestion};
use crate::tui::errand::{ErrandView, Followed};
use crate::tui::flow::FlowView;
use crate::tui::keymap::Command;
use crate::tui::layout;
use crate::tui::message::Effect;
use crate::tui::overview::FipId;
use crate::tui::state::{Node, Screen, State};
use crate::tui::traffic::known;
use crate::tui::walk::{Asked, Ends};

/// Opens the flow under the traffic screen's cursor.
pub(super) fn open_flow(state: &mut State, node: &Node) -> bool {
    let (Some(Screen::Traffic(view)), Some(hearing)) = (state.above.last(), &state.hearing) else { return false };
    let Some(view) = view.flow().map(|flow| FlowView::of(flow, hearing, node)) else { return false };
    open(state, Screen::Flow(Box::new(view)));
    true
}

/// Another interval.
pub(super) fn rebuild(state: &mut State) {
    let (Some(node), Some(hearing)) = (&state.node, &state.hearing) else { return };
    for screen in &mut state.above {
        if let Screen::Flow(view) = screen {
            view.rebuild(hearing, node);
        }
    }
}

/// Another reading.
pub(super) fn renew(state: &mut State) {
    let Some(node) = &state.node else { return };
    for screen in &mut state.above {
        match screen {
            Screen::Flow(view) => view.renew(state.hearing.as_ref(), node),
            Screen::Errand(view) => view.renew(node),
            _ => {}
        }
    }
}

pub(super) fn command(state: &mut State, node: &Node, command: Command) -> Vec<Effect> {
    let page = layout::page(state);
    let Some(Screen::Flow(view)) = state.above.last_mut() else { return Vec::new() };
    if let Some(by) = distance(command, page) {
        view.scroll = view.scroll.saturating_add_signed(by).min(crate::tui::view::flow_lines(view).saturating_sub(1));
        return Vec::new();
    }
    match command {
        Command::Trace => {
            let asked = view.id.asked();
            return open_walk(state, asked);
        }
        Command::OpenChain => match view.id.fip(node) {
            Some(fip) => super::open_chain(state, fip),
            None => state.notice = Some("it belongs to no floating IP of this node".to_owned()),
        },
        Command::Save => super::traffic::write(state),
        Command::CopyCommand => {
            let line = view.entries().next().map(|(name, entry)| {
                let (original, proto) = (&entry.original, entry.original.proto);
                let proto = protocol_word(proto).map_or_else(|| proto.to_string(), str::to_owned);
                let ends = format!("--orig-src {} --orig-dst {}", original.src, original.dst);
                format!("ip netns exec {name} conntrack -L -p {proto} {ends}")
            });
            return copy(state, line);
        }
        _ => {}
    }
    Vec::new()
}

/// Opens the choice of packets about the floating IP in sight; nothing is sent yet.
pub(super) fn open_errand(state: &mut State, node: &Node) -> Vec<Effect> {
    if !state.is_now() {
        let why = if state.live { "the past: L goes back to live" } else { "a saved reading" };
        state.notice = Some(format!("nothing can be sent: what is shown is {why}"));
        return Vec::new();
    }
    let fip = match state.above.last() {
        Some(Screen::Chain(chain)) => Some(chain.fip.clone()),
        Some(Screen::Traffic(view)) => {
            let id = view.fip().map(|[out, _]| out.id.clone());
            id.and_then(|id| known(&node.topology, &id).map(FipId::from))
        }
        Some(Screen::Flow(view)) => view.id.fip(node),
        _ => None,
    };
    match fip {
        Some(fip) => open(state, Screen::Errand(Box::new(ErrandView::of(fip, node)))),
        None => state.notice = Some("no floating IP of this node is selected".to_owned()),
    }
    Vec::new()
}

pub(super) fn errand_command(state: &mut State, command: Command) -> Vec<Effect> {
    let (page, live) = (layout::page(state), state.is_now());
    let Some(Screen::Errand(view)) = state.above.last_mut() else { return Vec::new() };
    if let Some(by) = distance(command, page) {
        view.step(by);
        return Vec::new();
    }
    let chosen = view.current().cloned();
    match (command, chosen) {
        (Command::Open, _) if view.under_way => state.notice = Some("the packet before is still on its way".to_owned()),
        (Command::Open, Some(errand)) if live => {
            (view.under_way, view.sent) = (true, None);
            return vec![Effect::SendPacket(Box::new(errand))];
        }
        (Command::Open, _) => state.notice = Some("nothing can be sent from here".to_owned()),
        (Command::Trace, Some(errand)) => {
            let ReachQuestion { source, destination, by, .. } = errand.question;
            let ends = Ends::Addresses { src: source.unwrap_or(destination), dst: destination };
            let asked = match by {
                ReachBy::Echo => Asked::new(ends).with(crate::path::ICMP, None),
                ReachBy::Syn(port) => Asked::new(ends).with(crate::path::TCP, Some(port)),
            };
            return open_walk(state, asked);
        }
        (Command::CopyCommand, chosen) => return copy(state, chosen.map(|errand| shell(&errand.question))),
        _ => {}
    }
    Vec::new()
}

/// The packet was seen once more, or its time is over.
pub(super) fn followed(state: &mut State, followed: Result<Box<Followed>, String>) -> Vec<Effect> {
    let Some(node) = &state.node else { return Vec::new() };
    let waiting = state.above.iter_mut().find_map(|screen| match screen {
        Screen::Errand(view) if view.under_way => Some(view),
        _ => None,
    });
    if let Some(view) = waiting {
        view.follow(followed, node);
    }
    Vec::new()
}

/// What an operator would type instead.
fn shell(question: &ReachQuestion) -> String {
    let ReachQuestion { namespace, source, destination, by, .. } = question;
    let inside = format!("ip netns exec {namespace}");
    let source = |flag: &str| source.map(|address| format!(" {flag} {address}")).unwrap_or_default();
    match by {
        ReachBy::Echo => format!("{inside} ping -c 1 -W 2{} {destination}", source("-I")),
        ReachBy::Syn(port) => format!("{inside} nc -z -w 2{} {destination} {port}", source("-s")),
    }
}
