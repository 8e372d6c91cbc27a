//! The mouse: a click selects, a click on what is selected opens, the wheel
//! scrolls.

use crossterm::event::{MouseButton, MouseEvent, MouseEventKind};
use ratatui::layout::{Position, Rect};

use super::{screens, traffic};
use crate::topology::FloatingIp;
use crate::tui::chain::{Chain, ChainRow, opposite, rows};
use crate::tui::diagram;
use crate::tui::findings::FindingsView;
use crate::tui::keymap::{Command, Key};
use crate::tui::layout::{self, ChainParts};
use crate::tui::message::Effect;
use crate::tui::namespace::{Line, Namespace};
use crate::tui::overview::{Row, SortKey};
use crate::tui::router::{RouterView, WayRow};
use crate::tui::state::{Node, Screen, State};
use crate::tui::tracked::TrackedView;
use crate::tui::view::{beside, columns, tab_spans};
use crate::tui::walk::{self, Walking};

/// Rows that one notch of the wheel moves.
const NOTCH: usize = 3;

pub(super) fn update(state: &mut State, event: MouseEvent) -> Vec<Effect> {
    let Some(node) = state.node.clone() else { return Vec::new() };
    if let Some(offset) = state.help {
        state.help = match event.kind {
            MouseEventKind::ScrollDown => Some((offset + NOTCH).min(super::help::furthest(state))),
            MouseEventKind::ScrollUp => Some(offset.saturating_sub(NOTCH)),
            MouseEventKind::Down(_) => None,
            _ => Some(offset),
        };
        return Vec::new();
    }
    let at = Position::new(event.column, event.row);
    match event.kind {
        MouseEventKind::ScrollDown => wheel(state, Command::Down),
        MouseEventKind::ScrollUp => wheel(state, Command::Up),
        MouseEventKind::Down(MouseButton::Left) => {
            state.notice = None;
            state.prompt = None;
            click(state, &node, at)
        }
        _ => Vec::new(),
    }
}

fn wheel(state: &mut State, command: Command) -> Vec<Effect> {
    let key = Key { code: crossterm::event::KeyCode::Null, ctrl: false, alt: false };
    (0..NOTCH).flat_map(|_| screens::command(state, command, key)).collect()
}

/// A click selects what it is on; on what is selected already it does what the
/// command says that comes back.
fn click(state: &mut State, node: &Node, at: Position) -> Vec<Effect> {
    let (body, bar) = (layout::outer(state, state.area()).body, state.unchangeable());
    let command = match state.above.last_mut() {
        None => click_overview(state, node, body, at),
        Some(Screen::Chain(chain)) => chain.fip.find(&node.topology).and_then(|fip| {
            let parts = layout::chain(chain, fip, body);
            click_chain(chain, fip, &parts, at).then_some(Command::OpenNamespace)
        }),
        Some(Screen::Router(view)) => click_router(view, body, at).then_some(Command::Open),
        Some(Screen::Walk(walking)) => click_walk(walking, body, at).then_some(Command::OpenNamespace),
        Some(Screen::Findings(view)) => click_findings(view, node, body, at).then_some(Command::Open),
        Some(Screen::Page(_) | Screen::Flow(_) | Screen::Errand(_)) => None,
        Some(Screen::Tracked(view)) => {
            click_tracked(view, body, at);
            None
        }
        Some(Screen::Traffic(view)) => {
            let list = layout::traffic(body).list;
            let row = row_at(list, at, view.list.offset);
            row.is_some_and(|row| traffic::click(view, node, row, list.height.into())).then_some(Command::Open)
        }
        Some(Screen::Proposal(shown)) => {
            let list = layout::proposal(shown, bar.as_deref(), body).list;
            if let Some(row) = row_at(list, at, shown.list.offset) {
                let count = shown.steps().len();
                shown.list.go(row, usize::from(list.height), count, |_| true);
            }
            None
        }
        Some(Screen::Journal(view)) => {
            let list = layout::journal(view.rows().len(), body).list;
            if let Some(row) = row_at(list, at, view.list.offset) {
                view.go(row, usize::from(list.height));
            }
            None
        }
        Some(Screen::Events(view)) => {
            let list = layout::events(body).list;
            let row = row_at(list, at, view.list.offset).filter(|row| *row < view.rows.len());
            let here = row == Some(view.list.cursor);
            if let Some(row) = row {
                view.go(row, usize::from(list.height));
            }
            here.then_some(Command::OpenNamespace)
        }
        Some(Screen::Form(form)) => {
            let fields = layout::form(form.fields().len(), body).fields;
            let row = row_at(fields, at, form.offset(fields.height));
            if let Some(field) = row.and_then(|row| form.fields().get(row).copied()) {
                form.go(field, node);
            }
            None
        }
        Some(Screen::Namespace(namespace)) => {
            click_namespace(namespace, node, body, at);
            None
        }
    };
    let key = Key { code: crossterm::event::KeyCode::Null, ctrl: false, alt: false };
    command.map_or_else(Vec::new, |command| screens::command(state, command, key))
}

/// Selects the connection that was clicked.
fn click_tracked(view: &mut TrackedView, body: Rect, at: Position) {
    let list = layout::findings(view.rows.len(), body).list;
    if let Some(row) = row_at(list, at, view.list.offset) {
        view.list.go(row, usize::from(list.height), view.rows.len(), |_| true);
    }
}

/// Selects the row that was clicked, or sorts by the column.
fn click_overview(state: &mut State, node: &Node, body: Rect, at: Position) -> Option<Command> {
    let parts = layout::overview(body);
    let height = usize::from(parts.list.height);
    if let Some(row) = row_at(parts.list, at, state.overview.list.offset) {
        if row == state.overview.list.cursor {
            return Some(Command::Open);
        }
        if state.overview.rows.get(row).is_some_and(Row::selectable) {
            state.overview.go(row, &node.topology, height);
        }
    } else if parts.titles.contains(at)
        && let Some(sort) = column_at(state, parts.titles, at)
    {
        let order = &mut state.overview.sort;
        order.reverse = order.key == sort && !order.reverse;
        order.key = sort;
        state.overview.rebuild(node, height);
    }
    None
}

/// Selects the finding that was clicked; true where it was selected already.
fn click_findings(view: &mut FindingsView, node: &Node, body: Rect, at: Position) -> bool {
    let list = layout::findings(view.rows.len(), body).list;
    let Some(row) = row_at(list, at, view.list.offset).filter(|row| *row < view.rows.len()) else { return false };
    let here = row == view.list.cursor;
    if !here {
        view.go(row, &node.judged, usize::from(list.height));
    }
    here
}

/// Turns to the kind of object, or selects the line, that was clicked.
fn click_namespace(namespace: &mut Namespace, node: &Node, body: Rect, at: Position) {
    let parts = layout::namespace(body);
    let height = usize::from(parts.list.height);
    if parts.tabs.contains(at) {
        let spans = tab_spans(parts.tabs);
        if let Some((tab, _)) = spans.into_iter().find(|(_, span)| span.contains(at)) {
            namespace.turn_to(tab, Some(node), height);
        }
    } else if let Some(row) = row_at(parts.list, at, namespace.view().list.offset)
        && namespace.lines.get(row).is_some_and(Line::selectable)
    {
        namespace.go(row, height);
    }
}

/// Selects the way that was clicked; true where it was selected already.
fn click_router(view: &mut RouterView, body: Rect, at: Position) -> bool {
    let list = layout::router(view, body).list;
    let Some(row) = row_at(list, at, view.list.offset) else { return false };
    if matches!(view.rows.get(row), Some(WayRow::Way(..))) && row != view.list.cursor {
        view.go(row, usize::from(list.height));
        return false;
    }
    row == view.list.cursor
}

/// Selects the link that was clicked; true where it was selected already.
fn click_chain(chain: &mut Chain, fip: &FloatingIp, parts: &ChainParts, at: Position) -> bool {
    let Some(now) = chain.place(fip) else { return false };
    let mut place = None;
    if parts.diagram.contains(at)
        && let Some(diagram) = diagram::lay_out(fip, parts.diagram.width)
    {
        let (x, y) = (at.x - parts.diagram.x, at.y - parts.diagram.y);
        let hit = |cell: &&diagram::Cell| {
            let row = diagram::row(cell.place.0);
            (cell.x..cell.x + cell.width).contains(&x) && (row..row + 2).contains(&y)
        };
        place = diagram.cells.iter().find(hit).map(|cell| cell.place);
    } else if parts.directions.contains(at) {
        let left = at.x < parts.directions.x + parts.directions.width / 2;
        let wanted = if left { crate::topology::Direction::Outbound } else { crate::topology::Direction::Inbound };
        if opposite(now.0) == wanted {
            chain.turn(fip);
        }
        return false;
    } else {
        let links = rows(fip.links(now.0));
        let cursor = links.iter().position(|row| matches!(row, ChainRow::Link { at, .. } if *at == now.1));
        let offset = layout::centred(cursor.unwrap_or(0), usize::from(parts.list.height), links.len());
        if let Some(ChainRow::Link { at, .. }) = row_at(parts.list, at, offset).and_then(|row| links.get(row)) {
            place = Some((now.0, *at));
        }
    }
    let Some(place) = place else { return false };
    if place == now {
        return true;
    }
    chain.select(fip, place);
    false
}

/// Puts the packet at the station that was clicked; true where it was there already.
fn click_walk(walking: &mut Walking, body: Rect, at: Position) -> bool {
    let Some(walk) = walking.walk() else { return false };
    let stations = walk::stations(walk);
    let parts = layout::walk(walking, walk, &stations, body);
    let hit = if parts.picture.contains(at) {
        let x = at.x - parts.picture.x;
        let picture = walk::lay_out(walk, &stations, walking.leftward(), parts.picture.width);
        picture.and_then(|it| it.cells.iter().position(|cell| (cell.x..cell.x + cell.width).contains(&x)))
    } else {
        let rows = walk::rows(&stations);
        let is_at = |row: &walk::Row, to: usize| matches!(row, walk::Row::Station { at, .. } if *at == to);
        let cursor = rows.iter().position(|row| is_at(row, walking.step)).unwrap_or(0);
        let offset = layout::centred(cursor, usize::from(parts.list.height), rows.len());
        row_at(parts.list, at, offset).and_then(|row| match rows.get(row)? {
            walk::Row::Station { at, .. } => Some(*at),
            walk::Row::Namespace(_) => None,
        })
    };
    let Some(station) = hit else { return false };
    let here = station == walking.step;
    walking.step = station;
    walking.go(0);
    here
}

fn row_at(list: Rect, at: Position, offset: usize) -> Option<usize> {
    list.contains(at).then(|| usize::from(at.y - list.y) + offset)
}

fn column_at(state: &State, titles: Rect, at: Position) -> Option<SortKey> {
    let all = columns(beside(state, titles).0, state.overview.widths);
    all.into_iter().find(|(_, column)| column.contains(at)).map(|(key, _)| key)
}
