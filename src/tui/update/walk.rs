//! What keys, time and the kernel's answers do on the walk screen.

use jiff::SignedDuration;

use super::{open, open_namespace_at};
use crate::net::{NetnsName, Route, RouteQuestion, TableId};
use crate::path::{Hop, Stop};
use crate::tui::keymap::Command;
use crate::tui::message::Effect;
use crate::tui::namespace::Tab;
use crate::tui::state::{Node, Screen, State};
use crate::tui::update::screens::{copy, tab_of};
use crate::tui::walk::{Answered, Asked, Stage, Walking, stations};

/// Lines that the evidence scrolls by.
const SCROLL: usize = 4;

/// While the node is watched, and changes without end, the kernel is asked about
/// open walks so often at most.
const PATIENCE: SignedDuration = SignedDuration::from_secs(1);

/// Opens the walk of a packet; it moves, and the kernel is asked at once.
pub(super) fn open_walk(state: &mut State, asked: Asked) -> Vec<Effect> {
    let Some(node) = state.node.clone() else { return Vec::new() };
    let walking = Walking::of(asked, &node, state.now);
    open(state, Screen::Walk(Box::new(walking)));
    ask(state)
}

/// Another reading came in: every walk is found again.
pub(super) fn rebuild(state: &mut State) -> Vec<Effect> {
    let Some(node) = state.node.clone() else { return Vec::new() };
    all(state).for_each(|walking| walking.rebuild(&node));
    let now = state.now;
    if state.watching.is_some() && all(state).any(|walking| walking.was_asked_since(now - PATIENCE)) {
        // The clock asks, and until then nothing says that the kernel agrees.
        all(state).for_each(|walking| (walking.asking, walking.put_off) = (true, true));
        return Vec::new();
    }
    ask(state)
}

/// The kernel answered.
pub(super) fn routes(state: &mut State, answers: &[Answered]) {
    // They are about the node as it is, not about the one that is shown.
    if state.frozen.is_some() {
        return;
    }
    all(state).for_each(|walking| walking.witnessed(answers));
}

/// Time has passed.
pub(super) fn tick(state: &mut State) -> Vec<Effect> {
    let now = state.now;
    if let Some(Screen::Walk(walking)) = state.above.last_mut() {
        walking.tick(now);
    }
    let is_due = all(state).any(|walking| walking.put_off && !walking.was_asked_since(now - PATIENCE));
    if is_due { ask(state) } else { Vec::new() }
}

pub(super) fn command(state: &mut State, node: &Node, command: Command) -> Vec<Effect> {
    let now = state.now;
    let Some(Screen::Walk(walking)) = state.above.last_mut() else { return Vec::new() };
    match command {
        Command::Play if walking.playing => walking.playing = false,
        Command::Play if walking.step >= walking.last() => walking.restart(now),
        Command::Play => {
            walking.playing = true;
            walking.moved_at = now;
        }
        // On the screen packets may go to the left.
        Command::Left => walking.go(if walking.leftward() { 1 } else { -1 }),
        Command::Right => walking.go(if walking.leftward() { -1 } else { 1 }),
        Command::Up => walking.go(-1),
        Command::Down => walking.go(1),
        Command::Top => walking.go(isize::MIN),
        Command::Bottom => walking.go(isize::MAX),
        Command::PageDown => walking.scroll += SCROLL,
        Command::PageUp => walking.scroll = walking.scroll.saturating_sub(SCROLL),
        Command::WayBack => way_back(state),
        Command::OtherDirection => return watch(state, node, Asked::turned),
        Command::Protocol => return watch(state, node, Asked::next_protocol),
        Command::Entrance => return entrance(state, node),
        Command::AskKernel if state.is_now() => return ask(state),
        Command::AskKernel if state.live => state.notice = Some("the kernel cannot be asked about the past".to_owned()),
        Command::AskKernel => state.notice = Some("what is shown is a file: there is no kernel to ask".to_owned()),
        Command::OpenNamespace => station_namespace(state),
        Command::CopyCommand => return copy_lookup(state),
        _ => {}
    }
    Vec::new()
}

fn way_back(state: &mut State) {
    let now = state.now;
    let Some(Screen::Walk(walking)) = state.above.last_mut() else { return };
    if walking.walks.as_ref().is_ok_and(|walks| walks.back.is_some()) {
        walking.back = !walking.back;
        walking.restart(now);
    } else {
        state.notice = Some("a packet that does not arrive has no answer".to_owned());
    }
}

/// Watches another packet on the same screen.
fn watch(state: &mut State, node: &Node, change: impl FnOnce(Asked) -> Asked) -> Vec<Effect> {
    let now = state.now;
    let Some(Screen::Walk(walking)) = state.above.last_mut() else { return Vec::new() };
    **walking = Walking::of(change(walking.asked.clone()), node, now);
    ask(state)
}

fn entrance(state: &mut State, node: &Node) -> Vec<Effect> {
    let Some(Screen::Walk(walking)) = state.above.last() else { return Vec::new() };
    let count = walking.walks.as_ref().map_or(0, |walks| walks.entrances.len());
    if count < 2 {
        state.notice = Some("there is no other place where it could enter".to_owned());
        return Vec::new();
    }
    watch(state, node, |asked| Asked { entrance: (asked.entrance + 1) % count, ..asked })
}

/// The namespace of the station in sight, at the object that decided there.
fn station_namespace(state: &mut State) {
    let Some(Screen::Walk(walking)) = state.above.last() else { return };
    let Some(walk) = walking.walk() else { return };
    let all = stations(walk);
    let Some(station) = all.get(walking.step) else { return };
    let place = match (station.hop, station.stage) {
        (None, Stage::Stop) => walk.stop.as_ref().map(|stop| (stop.namespace.clone(), object(stop))),
        (None, Stage::Sent) => walk.hops.first().map(|hop| at_station(hop, Stage::In)),
        (None, end) => walk.hops.last().map(|hop| at_station(hop, end)),
        (Some(at), here) => walk.hops.get(at).map(|hop| at_station(hop, here)),
    };
    match place {
        Some((name, (tab, text))) => open_namespace_at(state, name, tab, text.as_deref().unwrap_or_default()),
        None => state.notice = Some("no namespace of this node sees the packet".to_owned()),
    }
}

/// Where the object of a station stands: the namespace, the kind, its words.
fn at_station(hop: &Hop, stage: Stage) -> (NetnsName, (Tab, Option<String>)) {
    let decided = hop.decided.as_ref();
    let what = match stage {
        Stage::Rule => (Tab::Rules, decided.map(|decided| decided.rule.to_string())),
        Stage::Route => (Tab::Routes, decided.map(|decided| in_its_table(&decided.route))),
        Stage::Translate(at) => (Tab::Netfilter, hop.translations.get(at).and_then(|each| each.rule.clone())),
        Stage::Stop => hop.stop.as_ref().map_or((Tab::Links, None), object),
        Stage::Arrived => (Tab::Neighbours, hop.neighbour.as_ref().map(|neighbour| neighbour.address.to_string())),
        Stage::Out => (Tab::Links, hop.oif.as_ref().map(ToString::to_string)),
        Stage::Sent | Stage::In | Stage::Deliver => (Tab::Links, hop.iif.as_ref().map(ToString::to_string)),
    };
    (hop.namespace.clone(), what)
}

/// Where the object that stops a packet is listed, and by which words.
fn object(stop: &Stop) -> (Tab, Option<String>) {
    match &stop.object {
        Some(object) => (tab_of(object.kind), Some(object.key.clone())),
        None => (Tab::Links, None),
    }
}

/// Raw views print a route below its table's heading, without the table.
fn in_its_table(route: &Route) -> String {
    Route { table: TableId::MAIN, ..route.clone() }.to_string()
}

fn copy_lookup(state: &mut State) -> Vec<Effect> {
    let Some(Screen::Walk(walking)) = state.above.last() else { return Vec::new() };
    let question = walking.walk().and_then(|walk| {
        let station = stations(walk).into_iter().nth(walking.step)?;
        walk.hops.get(station.hop?)?.question.clone()
    });
    copy(state, question.as_ref().map(RouteQuestion::to_string))
}

/// Asks the kernel about all walks that are open.
fn ask(state: &mut State) -> Vec<Effect> {
    if !state.is_now() {
        all(state).for_each(|walking| walking.asking = false);
        return Vec::new();
    }
    let (now, mut questions) = (state.now, Vec::new());
    for walking in all(state) {
        (walking.asked_at, walking.put_off) = (Some(now), false);
        if let Ok(walks) = &walking.walks {
            questions.extend(walks.questions());
            walking.asking = true;
        }
    }
    questions.sort();
    questions.dedup();
    if questions.is_empty() { Vec::new() } else { vec![Effect::AskRoutes(questions)] }
}

fn all(state: &mut State) -> impl Iterator<Item = &mut Walking> {
    state.above.iter_mut().filter_map(|screen| match screen {
        Screen::Walk(walking) => Some(&mut **walking),
        _ => None,
    })
}
