//! The way of a packet, drawn, with the packet on it.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::super::diagram::boxes;
use super::super::pen::Pen;
use crate::path::Walk;
use crate::tui::state::State;
use crate::tui::theme::glyph;
use crate::tui::walk::{Picture, Station, Walking, lay_out};
use crate::tui::words::Mark;

pub(super) fn draw(state: &State, walking: &Walking, walk: &Walk, all: &[Station], area: Rect, buffer: &mut Buffer) {
    if area.height == 0 {
        return;
    }
    let leftward = walking.leftward();
    let Some(picture) = lay_out(walk, all, leftward, area.width) else { return };
    let boxed = Rect { height: area.height - 1, ..area };
    boxes(&state.theme, &picture.boxes, boxed, buffer);
    let lane = Rect { y: area.y + 1, height: 1, ..area };
    rail(state, walking, &picture, leftward, lane, buffer);
    for (at, (cell, station)) in picture.cells.iter().zip(all).enumerate() {
        let reached = at <= walking.step;
        let style = match (at == walking.step, reached, station.mark) {
            (true, _, _) => state.theme.selected,
            (false, false, _) => state.theme.dim,
            (false, true, Mark::Ok) => state.theme.text,
            (false, true, mark) => mark.style(&state.theme),
        };
        let label = Rect { x: lane.x + cell.x, width: cell.width, ..lane };
        Pen::new(buffer, label.intersection(lane)).write(&cell.label, style);
        let x = lane.x + cell.x + cell.width.saturating_sub(1) / 2;
        let mut below = Pen::new(buffer, Rect { x, y: lane.y + 1, width: 1, height: 1 });
        match at == walking.step && station.mark == Mark::Ok {
            true => below.write(glyph::PACKET, state.theme.packet),
            false if reached => below.mark(station.mark, &state.theme),
            false => below.write(" ", state.theme.text),
        };
    }
    packet(state, walking, &picture, all, Rect { y: area.bottom() - 1, height: 1, ..area }, buffer);
}

/// The line between the stations: whole behind the packet, faint ahead of it.
fn rail(state: &State, walking: &Walking, picture: &Picture, leftward: bool, lane: Rect, buffer: &mut Buffer) {
    let mut cells: Vec<(usize, u16, u16)> =
        picture.cells.iter().enumerate().map(|(at, cell)| (at, cell.x, cell.width)).collect();
    cells.sort_by_key(|(_, x, _)| *x);
    for pair in cells.windows(2) {
        let [(left, x, width), (right, to, _)] = pair else { continue };
        let reached = if leftward { *left } else { *right } <= walking.step;
        let (symbol, style) = if reached { (glyph::RAIL, state.theme.rail) } else { (glyph::CUT, state.theme.dim) };
        let air = u16::from(to - (x + width) >= 3);
        for x in x + width + air..to - air {
            let border = picture.boxes.iter().any(|each| each.left == x || each.right == x);
            let at = Rect { x: lane.x + x, width: 1, ..lane }.intersection(lane);
            let (symbol, style) = if border { ("┼", state.theme.border) } else { (symbol, style) };
            Pen::new(buffer, at).write(symbol, style);
        }
    }
}

/// The packet's addresses, below where it is, and what has become of them bold.
fn packet(state: &State, walking: &Walking, picture: &Picture, all: &[Station], row: Rect, buffer: &mut Buffer) {
    let (Some(cell), Some(station)) = (picture.cells.get(walking.step), all.get(walking.step)) else { return };
    let theme = &state.theme;
    let before = all.first().map_or(station.packet, |first| first.packet);
    let now = station.packet;
    let (source, destination) = (now.source().to_string(), now.destination().to_string());
    let width = u16::try_from(source.len() + destination.len() + 3).unwrap_or(u16::MAX);
    let middle = cell.x + cell.width / 2;
    let x = middle.saturating_sub(width / 2).clamp(1, row.width.saturating_sub(width + 1).max(1));
    let style = |changed: bool| if changed { theme.packet } else { theme.text };
    let mut pen = Pen::new(buffer, Rect { x: row.x + x, width: row.width.saturating_sub(x), ..row });
    pen.write(&source, style(now.src != before.src)).write(" → ", theme.dim);
    pen.write(&destination, style(now.dst != before.dst));
}
