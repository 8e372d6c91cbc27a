//! The screen as a function of the state. Draws, decides nothing.

mod banner;
mod chain;
mod diagram;
mod empty;
mod finding;
mod findings;
mod flow;
mod footer;
mod form;
mod help;
mod journal;
mod namespace;
mod overview;
mod page;
mod pen;
mod proposal;
mod router;
mod timeline;
mod tracked;
mod traffic;
mod walk;

pub(super) use findings::detail_lines;
pub(super) use flow::lines_of as flow_lines;
pub(super) use help::count as help_rows;
pub(super) use namespace::tab_spans;
pub(super) use overview::columns;
pub(super) use proposal::{answer_lines, notices};
pub(super) use router::cost;
pub(super) use traffic::beside;

use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::layout::{self, LEAST};
use super::state::{Screen, State};
use super::theme::ascii;
use pen::Pen;

/// Draws the console.
pub fn view(state: &State, frame: &mut Frame) {
    let area = frame.area();
    let buffer = frame.buffer_mut();
    draw(state, area, buffer);
    if state.theme.ascii {
        to_ascii(buffer);
    }
}

fn draw(state: &State, area: Rect, buffer: &mut Buffer) {
    if area.width < LEAST.0 || area.height < LEAST.1 {
        Pen::new(buffer, area).write("too small", state.theme.text);
        return;
    }
    let outer = layout::outer(state, area);
    banner::header(state, outer.header, buffer);
    banner::error(state, outer.banner, buffer);
    match (state.above.last(), &state.node) {
        (_, None) => empty::no_node(state, outer.body, buffer),
        (None, Some(node)) => overview::draw(state, node, outer.body, buffer),
        (Some(Screen::Chain(chain)), Some(node)) => chain::draw(state, chain, node, outer.body, buffer),
        (Some(Screen::Namespace(shown)), Some(node)) => namespace::draw(state, shown, node, outer.body, buffer),
        (Some(Screen::Router(view)), Some(node)) => router::draw(state, view, node, outer.body, buffer),
        (Some(Screen::Findings(view)), Some(node)) => findings::draw(state, view, node, outer.body, buffer),
        (Some(Screen::Page(page)), Some(_)) => page::draw(state, page, outer.body, buffer),
        (Some(Screen::Form(form)), Some(_)) => form::draw(state, form, outer.body, buffer),
        (Some(Screen::Proposal(shown)), Some(_)) => proposal::draw(state, shown, outer.body, buffer),
        (Some(Screen::Journal(view)), Some(_)) => journal::draw(state, view, outer.body, buffer),
        (Some(Screen::Traffic(view)), Some(node)) => traffic::draw(state, view, node, outer.body, buffer),
        (Some(Screen::Flow(shown)), Some(_)) => flow::draw(state, shown, outer.body, buffer),
        (Some(Screen::Errand(shown)), Some(_)) => flow::errand(state, shown, outer.body, buffer),
        (Some(Screen::Events(view)), Some(_)) => timeline::draw(state, view, outer.body, buffer),
        (Some(Screen::Tracked(view)), Some(_)) => tracked::draw(state, view, outer.body, buffer),
        (Some(Screen::Walk(walking)), Some(node)) => walk::draw(state, walking, node, outer.body, buffer),
    }
    if let Some(offset) = state.help {
        help::draw(state, offset, outer.body, buffer);
    }
    footer::candidates(state, outer.body, buffer);
    footer::draw(state, outer.footer, buffer);
}

/// The last gate: whatever was drawn, only ASCII leaves.
fn to_ascii(buffer: &mut Buffer) {
    for cell in &mut buffer.content {
        if !cell.symbol().is_ascii() {
            let plain = ascii(cell.symbol()).to_owned();
            cell.set_symbol(&plain);
        }
    }
}
