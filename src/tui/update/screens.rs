//! What a command does on the screen in sight.

use super::{
    findings, flow, form, journal, open, open_chain, open_namespace, proposal, rewind, router, timeline, tracked,
    traffic, walk,
};
use crate::net::NetnsName;
use crate::topology::{Direction, ObjectKind};
use crate::tui::chain::{Chain, command as shell_command};
use crate::tui::keymap::{Command, Key};
use crate::tui::layout;
use crate::tui::message::Effect;
use crate::tui::namespace::Tab;
use crate::tui::overview::{FipId, Row};
use crate::tui::page::Page;
use crate::tui::state::{Node, Prompt, Purpose, Screen, State};
use crate::tui::walk::{Asked, Ends};

/// Columns that a raw view moves at a time.
const SIDEWAYS: usize = 8;

/// Lines that a finding takes in a link's evidence, about.
const FINDING: usize = 8;

pub(super) fn command(state: &mut State, command: Command, key: Key) -> Vec<Effect> {
    let Some(node) = state.node.clone() else { return Vec::new() };
    if command == Command::Findings {
        findings::open_findings(state, &node);
        return Vec::new();
    }
    match command {
        Command::Filter => {
            filter(state);
            return Vec::new();
        }
        Command::Associate => {
            form::open_form(state, &node);
            return Vec::new();
        }
        Command::Repair => return proposal::repair(state, &node),
        Command::Remove if matches!(state.above.last(), Some(Screen::Tracked(_))) => {
            return tracked::forget(state, &node, false);
        }
        Command::Remove => return proposal::remove(state, &node),
        Command::Journal => return journal::open_journal(state),
        Command::Undo => return journal::undo_last(state),
        Command::Traffic => return traffic::open_traffic(state),
        Command::SendPacket => return flow::open_errand(state, &node),
        Command::Events => {
            timeline::open_events(state, &node);
            return Vec::new();
        }
        Command::StepBack => return rewind::step(state, true),
        Command::StepForward => return rewind::step(state, false),
        Command::Freeze => return rewind::freeze(state),
        _ => {}
    }
    match state.above.last() {
        None => overview(state, &node, command, key),
        Some(Screen::Chain(chain)) => {
            let chain = chain.clone();
            chain_screen(state, &node, chain, command)
        }
        Some(Screen::Namespace(_)) => namespace(state, &node, command, key),
        Some(Screen::Router(_)) => router::command(state, &node, command),
        Some(Screen::Walk(_)) => walk::command(state, &node, command),
        Some(Screen::Findings(_)) => findings::command(state, &node, command),
        Some(Screen::Page(_)) => findings::page_command(state, command),
        Some(Screen::Proposal(_)) => proposal::command(state, &node, command),
        Some(Screen::Journal(_)) => journal::command(state, &node, command),
        Some(Screen::Traffic(_)) => traffic::command(state, &node, command),
        Some(Screen::Flow(_)) => flow::command(state, &node, command),
        Some(Screen::Errand(_)) => flow::errand_command(state, command),
        Some(Screen::Events(_)) => timeline::command(state, &node, command),
        Some(Screen::Tracked(_)) => tracked::command(state, &node, command),
        // It takes every key itself.
        Some(Screen::Form(_)) => Vec::new(),
    }
}

/// How far a movement goes; `None` for other commands.
pub(super) fn distance(command: Command, page: usize) -> Option<isize> {
    let page = isize::try_from(page.saturating_sub(1).max(1)).unwrap_or(isize::MAX);
    match command {
        Command::Up => Some(-1),
        Command::Down => Some(1),
        Command::PageUp => Some(-page),
        Command::PageDown => Some(page),
        Command::Top => Some(isize::MIN),
        Command::Bottom => Some(isize::MAX),
        _ => None,
    }
}

fn filter(state: &mut State) {
    let before = match state.above.last() {
        None => state.overview.filter.clone(),
        Some(Screen::Namespace(namespace)) => namespace.view().filter.clone(),
        Some(Screen::Findings(view)) => view.filter.clone(),
        Some(Screen::Traffic(view)) => view.filter.clone(),
        Some(Screen::Events(view)) => view.filter.clone(),
        Some(_) => return,
    };
    state.prompt = Some(Prompt { purpose: Purpose::Filter { before: before.clone() }, input: before, chosen: None });
}

fn overview(state: &mut State, node: &Node, command: Command, key: Key) -> Vec<Effect> {
    let page = layout::page(state);
    if let Some(by) = distance(command, page) {
        state.overview.step(by, &node.topology, page);
        return Vec::new();
    }
    let fip = state.overview.current_fip(&node.topology).map(FipId::from);
    match command {
        Command::Open => match fip {
            Some(fip) => open_chain(state, fip),
            None => open_row_namespace(state, node),
        },
        Command::OpenNamespace => open_row_namespace(state, node),
        Command::OpenRouter => match row_router(state.overview.current(), node) {
            Some(id) => router::open_router(state, id),
            None => state.notice = Some("no router stands in this row".to_owned()),
        },
        Command::Trace => match fip {
            Some(id) => return walk::open_walk(state, Asked::new(Ends::Fip { id, inbound: false })),
            None => state.notice = Some("a walk begins at a floating IP, or `:trace FROM TO`".to_owned()),
        },
        Command::Find => return super::prompt::find(state, key),
        Command::Sort | Command::SortReverse => {
            if command == Command::Sort {
                state.overview.sort.key = state.overview.sort.key.next();
                state.overview.sort.reverse = false;
            } else {
                state.overview.sort.reverse = !state.overview.sort.reverse;
            }
            state.overview.rebuild(node, page);
        }
        Command::CopyFloatingIp => return copy(state, fip.and_then(|fip| fip.floating).map(|it| it.to_string())),
        Command::CopyFixedIp => return copy(state, fip.and_then(|fip| fip.fixed).map(|it| it.to_string())),
        _ => {}
    }
    Vec::new()
}

fn open_row_namespace(state: &mut State, node: &Node) {
    match row_namespace(state.overview.current(), node) {
        Some(name) => open_namespace(state, name, Tab::Links),
        None => state.notice = Some("no namespace of it stands on this node".to_owned()),
    }
}

/// The id of the router that a row of the overview speaks of.
pub(super) fn row_router(row: Option<&Row>, node: &Node) -> Option<String> {
    let topology = &node.topology;
    match *row? {
        Row::Fip(at) => topology.floating_ips.get(at).map(|fip| fip.router.clone()),
        Row::Router(at) => topology.routers.get(at).map(|router| router.id.clone()),
        Row::Blind(_) | Row::Heading(_) => None,
    }
}

/// The namespace that a row of the overview speaks of.
fn row_namespace(row: Option<&Row>, node: &Node) -> Option<NetnsName> {
    let topology = &node.topology;
    let router = match *row? {
        Row::Fip(at) => topology.router(&topology.floating_ips.get(at)?.router)?,
        Row::Router(at) => topology.routers.get(at)?,
        Row::Blind(at) => return topology.blind.get(at)?.namespace.clone(),
        Row::Heading(_) => return None,
    };
    router.namespace.clone().or_else(|| router.snat_namespace.clone())
}

fn chain_screen(state: &mut State, node: &Node, mut chain: Chain, command: Command) -> Vec<Effect> {
    let Some(fip) = chain.fip.find(&node.topology) else { return Vec::new() };
    let Some((direction, at)) = chain.place(fip) else { return Vec::new() };
    let inbound = direction == Direction::Inbound;
    match command {
        Command::Up => chain.step(fip, -1),
        Command::Down => chain.step(fip, 1),
        Command::Top => chain.step(fip, isize::MIN),
        Command::Bottom => chain.step(fip, isize::MAX),
        // On the screen inbound packets go to the left.
        Command::Left => sideways(&mut chain, fip, direction, at, inbound),
        Command::Right => sideways(&mut chain, fip, direction, at, !inbound),
        Command::OtherDirection => chain.turn(fip),
        Command::PageDown => {
            let lines = fip.links(direction)[at].evidence.len() + FINDING;
            chain.scroll = (chain.scroll + 4).min(lines.saturating_sub(1));
        }
        Command::PageUp => chain.scroll = chain.scroll.saturating_sub(4),
        Command::OpenNamespace => {
            let link = &fip.links(direction)[at];
            open_namespace(state, link.namespace.clone(), tab_of(link.object.kind));
            return Vec::new();
        }
        Command::OpenRouter => {
            router::open_router(state, fip.router.clone());
            return Vec::new();
        }
        Command::Explain => {
            let judged = &node.judged;
            let finding = judged.of_link(fip, &fip.links(direction)[at]);
            match finding.or_else(|| judged.worst_of(&node.topology, fip)) {
                Some(finding) => open(state, Screen::Page(Page::of(finding.code))),
                None => state.notice = Some("nothing is found to be wrong here".to_owned()),
            }
            return Vec::new();
        }
        Command::Trace => return walk::open_walk(state, Asked::new(Ends::Fip { id: chain.fip, inbound })),
        Command::Connections => return tracked::open_tracked(state, node, &chain),
        Command::CopyCommand => return copy(state, Some(shell_command(&fip.links(direction)[at]))),
        Command::CopyFloatingIp => return copy(state, fip.floating_ip.map(|address| address.to_string())),
        _ => return Vec::new(),
    }
    if let Some(Screen::Chain(shown)) = state.above.last_mut() {
        *shown = chain;
    }
    Vec::new()
}

fn sideways(chain: &mut Chain, fip: &crate::topology::FloatingIp, direction: Direction, at: usize, with_packets: bool) {
    let last = fip.links(direction).len().saturating_sub(1);
    let to = if with_packets { (at + 1).min(last) } else { at.saturating_sub(1) };
    chain.select(fip, (direction, to));
}

pub(super) fn tab_of(kind: ObjectKind) -> Tab {
    match kind {
        ObjectKind::Addr => Tab::Addresses,
        ObjectKind::Rule => Tab::Rules,
        ObjectKind::Route => Tab::Routes,
        ObjectKind::Nat | ObjectKind::Filter => Tab::Netfilter,
        ObjectKind::Neigh => Tab::Neighbours,
        ObjectKind::Sysctl => Tab::Sysctls,
        ObjectKind::Netns | ObjectKind::Link | ObjectKind::File | ObjectKind::OvsPort => Tab::Links,
    }
}

fn namespace(state: &mut State, node: &Node, command: Command, key: Key) -> Vec<Effect> {
    let page = layout::page(state);
    let width = state.size.width;
    let Some(Screen::Namespace(shown)) = state.above.last_mut() else { return Vec::new() };
    if let Some(by) = distance(command, page) {
        shown.step(by, page);
        return Vec::new();
    }
    let tabs = Tab::ALL.len();
    let tab = match command {
        Command::NextTab => Some((shown.tab.index() + 1) % tabs),
        Command::PreviousTab => Some((shown.tab.index() + tabs - 1) % tabs),
        Command::PickTab => digit(key).and_then(|digit| digit.checked_sub(1)),
        Command::Left => {
            shown.column = shown.column.saturating_sub(SIDEWAYS);
            None
        }
        Command::Right => {
            shown.column = (shown.column + SIDEWAYS).min(shown.furthest(width));
            None
        }
        Command::CopyLine => {
            let line = shown.current().map(|line| line.text.trim().to_owned());
            return copy(state, line);
        }
        _ => None,
    };
    if let Some(tab) = tab.and_then(|tab| Tab::ALL.get(tab)) {
        shown.turn_to(*tab, Some(node), page);
    }
    Vec::new()
}

fn digit(key: Key) -> Option<usize> {
    match key.code {
        crossterm::event::KeyCode::Char(c) => c.to_digit(10).and_then(|digit| usize::try_from(digit).ok()),
        _ => None,
    }
}

pub(super) fn copy(state: &mut State, text: Option<String>) -> Vec<Effect> {
    if let Some(text) = text {
        vec![Effect::Copy(text)]
    } else {
        state.notice = Some("there is nothing to copy here".to_owned());
        Vec::new()
    }
}
