//! What a command does on the findings screen, and on the page of a code.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::screens::{copy, distance, tab_of};
use super::timeline::shown;
use super::{open, open_namespace_at};
use crate::check::Finding;
use crate::net::{WireAnswer, printable};
use crate::topology::{Direction, FloatingIp};
use crate::tui::chain::Chain;
use crate::tui::findings::{FindingRow, FindingsView};
use crate::tui::keymap::Command;
use crate::tui::layout;
use crate::tui::list::List;
use crate::tui::message::Effect;
use crate::tui::overview::FipId;
use crate::tui::page::Page;
use crate::tui::state::{Node, Screen, State};
use crate::tui::view::detail_lines;
use crate::tui::walk::Ends;

/// Lines that the selected finding scrolls by.
const SCROLL: usize = 4;

/// Opens the findings, at the one about what is in sight.
pub(super) fn open_findings(state: &mut State, node: &Node) {
    if matches!(state.above.last(), Some(Screen::Findings(_))) {
        return;
    }
    let judged = &node.judged;
    let finding = in_sight(state, node).and_then(|fip| judged.worst_of(&node.topology, fip));
    let view = FindingsView::at(judged, finding, List::UNKNOWN);
    open(state, Screen::Findings(Box::new(view)));
    settle(state);
}

/// The floating IP that the screen in sight is about.
fn in_sight<'n>(state: &State, node: &'n Node) -> Option<&'n FloatingIp> {
    let topology = &node.topology;
    match state.above.last() {
        None => state.overview.current_fip(topology),
        Some(Screen::Chain(chain)) => chain.fip.find(topology),
        Some(Screen::Walk(walking)) => match &walking.asked.ends {
            Ends::Fip { id, .. } => id.find(topology),
            Ends::Addresses { .. } => None,
        },
        Some(Screen::Router(view)) => view.current_fip(topology),
        Some(_) => None,
    }
}

/// Another reading.
pub(super) fn rebuild(state: &mut State) {
    let Some(node) = state.node.clone() else { return };
    let body = layout::outer(state, state.area()).body;
    for view in all(state) {
        // How much room the list has follows from how much there is to list.
        view.rebuild(&node.judged, List::UNKNOWN);
        let height = usize::from(layout::findings(view.rows.len(), body).list.height);
        view.list.reveal(height, view.rows.len());
    }
}

/// Brings scroll offsets in line with the size.
pub(super) fn settle(state: &mut State) {
    let body = layout::outer(state, state.area()).body;
    for view in all(state) {
        let height = usize::from(layout::findings(view.rows.len(), body).list.height);
        view.list.reveal(height, view.rows.len());
    }
    let text = layout::code_page(body).text;
    for screen in &mut state.above {
        if let Screen::Page(page) = screen {
            page.scroll(0, text.width, usize::from(text.height));
        }
    }
}

fn all(state: &mut State) -> impl Iterator<Item = &mut FindingsView> {
    state.above.iter_mut().filter_map(|screen| match screen {
        Screen::Findings(view) => Some(&mut **view),
        _ => None,
    })
}

/// The wire answered. Where the node is another one by now, and where more are to
/// come, they are judged by the answers elsewhere.
pub(super) fn probed(state: &mut State, result: Result<Node, String>) -> Vec<Effect> {
    state.probing = false;
    let probed = match result {
        Ok(probed) => probed,
        Err(why) => {
            state.notice = Some(printable(why.lines().next().unwrap_or_default(), 200));
            return Vec::new();
        }
    };
    let (asked, answers) = (probed.answers.len(), probed.answers.clone());
    let answered = answers.values().filter(|answer| matches!(answer, WireAnswer::Answered(_))).count();
    state.notice = Some(format!("{asked} questions asked on the wire, {answered} answered"));
    let is_same = state.newest().is_some_and(|node| Arc::ptr_eq(&probed.snapshot, &node.snapshot));
    let goes_on = state.watching.is_some();
    let mut effects = if is_same { shown(state, carried_over(state, probed)) } else { Vec::new() };
    effects.extend((goes_on || !is_same).then_some(Effect::Hold(answers)));
    effects
}

/// A node that changed keeps what is accepted on it.
pub(super) fn carried_over(state: &State, node: Node) -> Node {
    match state.newest() {
        Some(old) => node.accepting(old.judged.acknowledged().clone()),
        None => node,
    }
}

/// What is acknowledged has changed, or could not be.
pub(super) fn acknowledged(state: &mut State, result: Result<BTreeSet<String>, String>) {
    match result {
        Ok(ids) => {
            if let Some(frozen) = &mut state.frozen {
                frozen.live = frozen.live.clone().accepting(ids.clone());
            }
            state.node = state.node.take().map(|node| node.accepting(ids));
            // The cursor stays where it is: the next one is there now.
            all(state).for_each(|view| view.selected = None);
            rebuild(state);
        }
        Err(why) => state.notice = Some(printable(&why.lines().collect::<Vec<_>>().join("; "), 300)),
    }
}

/// The commands that mend it; where nothing does, the command that shows it.
fn commands(node: &Node, finding: &Finding) -> Option<String> {
    let mend = node.judged.mend(&node.snapshot, finding);
    let look = finding.namespace.as_ref().map(|name| finding.object.command(name));
    if mend.is_empty() { look } else { Some(mend.join("\n")) }
}

fn probe(state: &mut State) -> Vec<Effect> {
    let why = match (state.live, state.probing) {
        _ if state.frozen.is_some() => "what is shown is the past: there is no wire to ask; L goes back to live",
        (true, false) => {
            state.probing = true;
            return vec![Effect::Probe];
        }
        (true, true) => "the wire is being asked; it takes some seconds",
        (false, _) => "what is shown is a file: there is no wire to ask",
    };
    state.notice = Some(why.to_owned());
    Vec::new()
}

pub(super) fn command(state: &mut State, node: &Node, command: Command) -> Vec<Effect> {
    if command == Command::Probe {
        return probe(state);
    }
    let height = layout::page(state);
    let judged = &node.judged;
    let body = layout::outer(state, state.area()).body;
    let Some(Screen::Findings(view)) = state.above.last_mut() else { return Vec::new() };
    let detail = layout::findings(view.rows.len(), body).detail;
    match command {
        // The list is short, the text is not: pages are of the text.
        Command::PageDown => {
            let lines = view.current().map_or(0, |row| detail_lines(&state.theme, node, row, detail).len());
            let furthest = lines.saturating_sub(usize::from(detail.height.saturating_sub(1)));
            view.scroll = (view.scroll + SCROLL).min(furthest);
        }
        Command::PageUp => view.scroll = view.scroll.saturating_sub(SCROLL),
        _ => {
            if let Some(by) = distance(command, height) {
                view.step(by, judged, height);
                return Vec::new();
            }
        }
    }
    let row = view.current();
    let Some(finding) = row.and_then(|row| judged.findings.get(row.at())) else { return Vec::new() };
    match command {
        Command::Unfold | Command::Fold => {
            view.unfold(command == Command::Unfold, judged, height);
            settle(state);
        }
        Command::Open => {
            let folded = matches!(row, Some(FindingRow::Root { follow: 1.., unfolded: false, .. }));
            if folded {
                view.unfold(true, judged, height);
                settle(state);
            } else {
                open(state, Screen::Page(Page::of(finding.code)));
            }
        }
        Command::MarkRow => view.toggle_mark(judged),
        Command::MarkAll => view.toggle_marks(judged),
        Command::Explain => open(state, Screen::Page(Page::of(finding.code))),
        Command::OpenChain => chain(state, node, finding),
        Command::OpenNamespace => match &finding.namespace {
            Some(name) => open_namespace_at(state, name.clone(), tab_of(finding.object.kind), &finding.object.key),
            None => state.notice = Some("it stands on the host itself, in no namespace".to_owned()),
        },
        Command::CopyCommand => return copy(state, commands(node, finding)),
        Command::Acknowledge => {
            // What follows goes with its cause.
            let root = row.and_then(|row| judged.findings.get(judged.root(row.at()))).unwrap_or(finding);
            let (node, id) = (node.snapshot.node.clone(), root.id.clone());
            return vec![Effect::Acknowledge { node, revoke: judged.acknowledged().contains(&id), id }];
        }
        Command::CopyId => return copy(state, Some(finding.id.clone())),
        _ => {}
    }
    Vec::new()
}

/// Opens the chain that a finding is about, at its link.
fn chain(state: &mut State, node: &Node, finding: &Finding) {
    let Some((fip, place)) = link(node, finding) else {
        state.notice = Some("no floating IP's chain has it".to_owned());
        return;
    };
    let mut chain = Chain::of(FipId::from(fip));
    if let Some(place) = place {
        chain.select(fip, place);
    }
    chain.walk(node);
    open(state, Screen::Chain(chain));
}

/// The floating IP whose chain shows a finding, and the place of its link: its
/// own chain, else the first one of its router or network that has the object.
fn link<'n>(node: &'n Node, finding: &Finding) -> Option<(&'n FloatingIp, Option<(Direction, usize)>)> {
    let mut all = node.topology.fips();
    let place = |fip: &FloatingIp| {
        [Direction::Outbound, Direction::Inbound].into_iter().find_map(|direction| {
            let is_it = |found: &Finding| std::ptr::eq(found, finding);
            let links = fip.links(direction);
            let exact = links
                .iter()
                .position(|link| finding.namespace.as_ref() == Some(&link.namespace) && link.object == finding.object);
            let at =
                exact.or_else(|| links.iter().position(|link| node.judged.of_link(fip, link).is_some_and(is_it)))?;
            Some((direction, at))
        })
    };
    let own = all.clone().find(|fip| {
        finding.router.as_ref().is_none_or(|router| *router == fip.router)
            && (finding.floating_ip.is_some() && finding.floating_ip == fip.floating_ip
                || finding.fixed_ip.is_some() && finding.fixed_ip == fip.fixed_ip)
    });
    match own {
        Some(fip) => Some((fip, place(fip))),
        None => all.find_map(|fip| Some((fip, Some(place(fip)?)))),
    }
}

/// The page of a code scrolls.
pub(super) fn page_command(state: &mut State, command: Command) -> Vec<Effect> {
    let text = layout::code_page(layout::outer(state, state.area()).body).text;
    let height = usize::from(text.height);
    let Some(by) = distance(command, height) else { return Vec::new() };
    if let Some(Screen::Page(page)) = state.above.last_mut() {
        page.scroll(by, text.width, height);
    }
    Vec::new()
}
