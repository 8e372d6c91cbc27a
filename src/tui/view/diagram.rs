//! The way of a floating IP's packets, drawn from left to right.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::pen::Pen;
use crate::topology::{Direction, FloatingIp};
use crate::tui::chain::Place;
use crate::tui::diagram::{Cell, Diagram, NetnsBox, OUTSIDE, lay_out, row};
use crate::tui::state::State;
use crate::tui::theme::{Theme, glyph};
use crate::tui::words::{Mark, short_netns};

pub(super) fn draw(state: &State, fip: &FloatingIp, selected: Option<Place>, area: Rect, buffer: &mut Buffer) {
    if area.height == 0 {
        return;
    }
    let Some(diagram) = lay_out(fip, area.width) else { return };
    boxes(&state.theme, &diagram.boxes, area, buffer);
    for direction in [Direction::Outbound, Direction::Inbound] {
        let y = area.y + row(direction);
        let mut cells: Vec<&Cell> = diagram.cells.iter().filter(|cell| cell.place.0 == direction).collect();
        cells.sort_by_key(|cell| cell.x);
        let (word, arrow) = match direction {
            Direction::Outbound => (" out ", glyph::OUT),
            Direction::Inbound => (" in  ", glyph::IN),
        };
        let lane = Rect { y, height: 1, ..area };
        Pen::new(buffer, lane).write(word, state.theme.dim).write(arrow, state.theme.dim);
        rail(state, fip, &cells, &diagram, lane, buffer);
        for cell in cells {
            link(state, fip, cell, selected == Some(cell.place), lane, buffer);
        }
    }
}

/// A box around each namespace, its name in the upper border.
pub(super) fn boxes(theme: &Theme, boxes: &[NetnsBox], area: Rect, buffer: &mut Buffer) {
    let style = theme.border;
    for each in boxes {
        let width = each.right - each.left + 1;
        let at = Rect { x: area.x + each.left, width, ..area }.intersection(area);
        let top = Rect { height: 1, ..at };
        Pen::new(buffer, top).write("╭", style).fill("─", 1, style).write("╮", style);
        let name = short_netns(each.namespace.as_str());
        if usize::from(width) > name.len() + 5 {
            Pen::new(buffer, top).to(2).write(" ", style).write(&name, theme.heading).write(" ", style);
        }
        for y in at.y + 1..at.bottom() - 1 {
            let line = Rect { y, height: 1, ..at };
            Pen::new(buffer, line).write("│", style).to(width - 1).write("│", style);
        }
        let bottom = Rect { y: at.bottom() - 1, height: 1, ..at };
        Pen::new(buffer, bottom).write("╰", style).fill("─", 1, style).write("╯", style);
    }
}

/// The line between the links: whole as far as packets get, broken after.
fn rail(state: &State, fip: &FloatingIp, cells: &[&Cell], diagram: &Diagram, lane: Rect, buffer: &mut Buffer) {
    let (Some(first), Some(last)) = (cells.first(), cells.last()) else { return };
    let broken = |cell: &&&Cell| Mark::from(&fip.links(cell.place.0)[cell.place.1]) == Mark::Broken;
    let inbound = first.place.0 == Direction::Inbound;
    // Outbound packets get to the first broken link from the left, inbound ones
    // from the right.
    let stop = if inbound { cells.iter().rev().find(broken) } else { cells.iter().find(broken) };
    let near = |x: u16| cells.iter().any(|cell| x + 1 == cell.x || x == cell.x + cell.width);
    let room = cells.windows(2).all(|pair| pair[1].x >= pair[0].x + pair[0].width + 3);
    let end = last.x + last.width;
    // Packets come from outside also where no link says so.
    let end = if end < diagram.outside {
        let word = Rect { x: lane.x + diagram.outside, ..lane }.intersection(lane);
        Pen::new(buffer, word).write(OUTSIDE, state.theme.dim);
        diagram.outside - u16::from(room)
    } else {
        end
    };
    for x in first.x..end {
        let label = cells.iter().any(|cell| (cell.x..cell.x + cell.width).contains(&x));
        if label || (room && near(x)) {
            continue;
        }
        let reached = stop.is_none_or(|stop| if inbound { x >= stop.x } else { x < stop.x + stop.width });
        let (symbol, style): (&str, Style) =
            if reached { (glyph::RAIL, state.theme.rail) } else { (glyph::CUT, state.theme.dim) };
        let at = Rect { x: lane.x + x, width: 1, ..lane }.intersection(lane);
        let border = diagram.boxes.iter().any(|each| each.left == x || each.right == x);
        Pen::new(buffer, at).write(if border { "┼" } else { symbol }, if border { state.theme.border } else { style });
    }
}

fn link(state: &State, fip: &FloatingIp, cell: &Cell, selected: bool, lane: Rect, buffer: &mut Buffer) {
    let mark = Mark::from(&fip.links(cell.place.0)[cell.place.1]);
    let style = match (selected, mark) {
        (true, _) => state.theme.selected,
        (false, Mark::Ok) => state.theme.text,
        (false, mark) => mark.style(&state.theme),
    };
    let label = Rect { x: lane.x + cell.x, width: cell.width, ..lane };
    Pen::new(buffer, label.intersection(lane)).write(cell.label, style);
    let below = Rect { x: lane.x + cell.x + cell.width.saturating_sub(1) / 2, y: lane.y + 1, width: 1, height: 1 };
    Pen::new(buffer, below).mark(mark, &state.theme);
}
