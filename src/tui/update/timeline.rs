//! What changes are remembered, and what a command does on the events screen.

use super::screens::{copy, distance, tab_of};
use super::{open, open_namespace_at, renew, rewind, traffic};
use crate::check::{Focus, turns};
use crate::net::{Change, NetnsName, Object, Part, Route, TableId};
use crate::tui::chain::Chain;
use crate::tui::keymap::Command;
use crate::tui::layout;
use crate::tui::live::Live;
use crate::tui::message::Effect;
use crate::tui::namespace::Tab;
use crate::tui::overview::FipId;
use crate::tui::page::Page;
use crate::tui::recording::{Recording, Replay, Turned};
use crate::tui::state::{Frozen, Node, Screen, State};
use crate::tui::timeline::{Event, EventsView};

/// A reading came in: what differs from the one before is remembered.
pub(super) fn read(state: &mut State, result: &Result<Node, String>) {
    let Ok(node) = result else { return };
    let before = state.newest().map(|old| old.judged.clone());
    let turned = before.map_or_else(Vec::new, |old| turns(&old.findings, &node.judged.findings));
    state.timeline.read(&node.snapshot, turned);
}

/// The node changed: that is remembered. Gives the node.
pub(super) fn heard(state: &mut State, live: Live) -> Node {
    let is_first = state.watching.replace(live.watching).is_none();
    state.unwatched = None;
    if is_first {
        // The watch began with a reading of its own: it lists no changes since ours.
        read(state, &Ok(live.node.clone()));
    } else {
        state.timeline.push(live.at, live.changes, live.turns, &live.node.snapshot);
    }
    live.node
}

/// A recording was read, for the first time or again: one that is written still
/// has grown, and the moment that is shown stays.
pub(super) fn replay(state: &mut State, replay: Replay) -> Vec<Effect> {
    let Replay { timeline, node, remark } = replay;
    let is_same = state.timeline.time_at(0) == timeline.time_at(0);
    let stays = |frozen: &Frozen| is_same && frozen.position < timeline.end_position();
    state.frozen = state.frozen.take().filter(stays);
    state.coming = state.coming.take().filter(|_| is_same);
    state.timeline = timeline;
    state.recording = Some(Recording::new(remark.as_deref()));
    relist(state);
    super::node(state, Ok(node))
}

/// What the recording's changes did to the findings is known further.
pub(super) fn turned(state: &mut State, turned: Turned) {
    if let Some(recording) = &mut state.recording {
        recording.judged = turned.until;
    }
    let numbers = || turned.turns.iter().map(|(number, _)| *number);
    let Some((first, last)) = numbers().min().zip(numbers().max()) else { return };
    state.timeline.turn(turned.turns);
    let height = height(state);
    let State { above, timeline, .. } = state;
    events(above).for_each(|view| view.turned(timeline, first..=last, height));
}

/// The moments are others: what is listed is listed again.
fn relist(state: &mut State) {
    let height = height(state);
    let State { above, timeline, .. } = state;
    events(above).for_each(|view| {
        let filter = view.filter.clone();
        view.narrow(&filter, timeline, height);
    });
}

/// Shows a node that came in, unless the picture is frozen.
pub(super) fn shown(state: &mut State, node: Node) -> Vec<Effect> {
    follow(state, &node);
    let effects = match &mut state.frozen {
        Some(frozen) => {
            frozen.live = node;
            traffic::renew(state);
            Vec::new()
        }
        None => renew(state, node),
    };
    let height = height(state);
    let State { above, timeline, .. } = state;
    events(above).for_each(|view| view.take(timeline, height));
    effects
}

/// Brings scroll offsets in line with the size.
pub(super) fn settle(state: &mut State) {
    let height = height(state);
    events(&mut state.above).for_each(|view| view.list.reveal(height, view.rows.len()));
}

/// Opens the events: those of the floating IP whose chain is in sight, else all.
pub(super) fn open_events(state: &mut State, node: &Node) {
    let focus = match state.above.last() {
        Some(Screen::Events(_)) => return,
        Some(Screen::Chain(chain)) => focus(chain, node),
        _ => None,
    };
    let view = EventsView::of(&state.timeline, focus, height(state));
    open(state, Screen::Events(Box::new(view)));
    settle(state);
}

pub(super) fn command(state: &mut State, node: &Node, command: Command) -> Vec<Effect> {
    let height = height(state);
    let now = state.now;
    let Some(Screen::Events(view)) = state.above.last_mut() else { return Vec::new() };
    if let Some(by) = distance(command, height) {
        view.step(by, height);
        return Vec::new();
    }
    let Some(row) = view.current().cloned() else {
        if matches!(command, Command::Save | Command::CopyLine | Command::OpenNamespace | Command::ShowThen) {
            state.notice = Some("nothing is listed".to_owned());
        }
        return Vec::new();
    };
    match command {
        Command::CopyLine => return copy(state, Some(row.line())),
        Command::Save => {
            let name = format!("fipscope-events-{}.txt", now.strftime("%Y%m%dT%H%M%SZ"));
            return vec![Effect::Save { name, text: view.text() }];
        }
        Command::ShowThen => return rewind::show(state, row.moment.number + 1),
        Command::Explain => match row.event() {
            Some(Event::Turn(turn)) => open(state, Screen::Page(Page::of(turn.finding.code))),
            _ => state.notice = Some("only findings have a page".to_owned()),
        },
        Command::OpenNamespace => {
            if let Some(event) = row.event() {
                open_object(state, node, event);
            }
        }
        _ => {}
    }
    Vec::new()
}

/// Shows what an event is about as the kernel has it, or had it where the picture is frozen.
fn open_object(state: &mut State, node: &Node, event: Event<'_>) {
    let Some(name) = event.namespace() else {
        state.notice = Some("it stands on the host itself, in no namespace".to_owned());
        return;
    };
    if !node.snapshot.namespaces.contains_key(name) {
        state.notice = Some("that namespace is not there; [ goes back to when it was".to_owned());
        return;
    }
    let (tab, text) = match event {
        Event::Change(change) => change.object().map_or((Tab::Links, String::new()), place),
        Event::Turn(turn) => (tab_of(turn.finding.object.kind), turn.finding.object.key.clone()),
    };
    let name: NetnsName = name.clone();
    open_namespace_at(state, name, tab, &text);
    if matches!(event, Event::Change(Change { after: None, .. })) && state.frozen.is_none() {
        state.notice = Some("it went with that change; [ goes back to when it was there".to_owned());
    }
}

/// Where an object is listed, and by which words.
fn place(object: &Object) -> (Tab, String) {
    match object {
        Object::Link(link) => (Tab::Links, link.name.to_string()),
        Object::Addr(addr) => (Tab::Addresses, addr.to_string()),
        Object::Rule(rule) => (Tab::Rules, rule.to_string()),
        // Raw views print a route below its table's heading, without the table.
        Object::Route(route) => (Tab::Routes, Route { table: TableId::MAIN, ..(**route).clone() }.to_string()),
        Object::Neigh(neigh) => (Tab::Neighbours, neigh.address.to_string()),
        Object::Table(_, table) => (Tab::Netfilter, table.name.clone()),
        Object::Chain(_, chain) => (Tab::Netfilter, chain.name.clone()),
        Object::NfRule(at, rule) => (Tab::Netfilter, rule.line(&at.chain, at.at.family).to_string()),
        Object::Sysctl(name, _) => (Tab::Sysctls, name.clone()),
        Object::Part(part) => (part_tab(part), String::new()),
        Object::Netns(_) | Object::Connection(_) | Object::OvsPort(_) | Object::FileLine(..) | Object::Fact(_) => {
            (Tab::Links, String::new())
        }
    }
}

fn part_tab(part: &Part) -> Tab {
    match part {
        Part::Addrs(_) => Tab::Addresses,
        Part::Rules(_) => Tab::Rules,
        Part::Routes(_) => Tab::Routes,
        Part::Neighs(_) => Tab::Neighbours,
        Part::Netfilter(_) | Part::Tables(..) => Tab::Netfilter,
        _ => Tab::Links,
    }
}

/// A chain's floating IP, as something that changes can concern.
fn focus(chain: &Chain, node: &Node) -> Option<(Focus, String)> {
    let here = chain.fip.find(&node.topology);
    let is = here.map_or_else(|| chain.fip.clone(), FipId::from);
    let mut focus = Focus::on(is.floating.or(is.fixed)?).within(Some(&is.router), is.network.as_deref());
    if let Some(fip) = here {
        focus.follow(&node.topology, fip);
    }
    Some((focus, is.label()))
}

/// A floating IP that got another chain is followed there.
fn follow(state: &mut State, node: &Node) {
    for (focus, _) in events(&mut state.above).filter_map(|view| view.focus.as_mut()) {
        if let Some(fip) = focus.find(&node.topology) {
            focus.follow(&node.topology, fip);
        }
    }
}

/// The events in sight go to a position.
pub(super) fn reach(state: &mut State, position: u64) {
    let height = height(state);
    if let Some(Screen::Events(view)) = state.above.last_mut() {
        view.reach(position, height);
    }
}

fn events(above: &mut [Screen]) -> impl Iterator<Item = &mut EventsView> {
    above.iter_mut().filter_map(|screen| match screen {
        Screen::Events(view) => Some(&mut **view),
        _ => None,
    })
}

/// The rows of the events' list.
fn height(state: &State) -> usize {
    usize::from(layout::events(layout::outer(state, state.area()).body).list.height)
}
