//! The three classes, drawn through the boxes of their namespaces.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::super::pen::Pen;
use super::style;
use crate::tui::router::{Band, Lane, Picture, RouterView, picture};
use crate::tui::state::State;
use crate::tui::theme::{Theme, glyph};
use crate::tui::words::short_netns;

/// The rows of the lanes in the picture.
const ROWS: [u16; 3] = [1, 3, 5];

/// Where the snat namespace of a router mostly is.
const ELSEWHERE: &str = ", another node";

pub(super) fn draw(theme: &Theme, view: &RouterView, area: Rect, buffer: &mut Buffer) {
    if area.height == 0 {
        return;
    }
    let Some(picture) = picture(view, area.width) else { return };
    let name = picture.inside.as_ref().map(|name| short_netns(name.as_str())).unwrap_or_default();
    let whole = (area.y, area.y + 6);
    outline(theme, &name, picture.first, whole, area, buffer);
    for (lane, row) in picture.lanes.iter().zip(ROWS).skip(1) {
        if let Some((namespace, _)) = &lane.second {
            let name = short_netns(namespace.as_str());
            outline(theme, &name, picture.second, (area.y + row - 1, area.y + row + 1), area, buffer);
        }
    }
    joint(theme, &picture, area, buffer);
    let chosen = view.current().map(|(band, _)| band);
    for ((band, lane), row) in Band::ALL.into_iter().zip(&picture.lanes).zip(ROWS) {
        let line = Rect { y: area.y + row, height: 1, ..area };
        one(theme, &picture, band, lane, chosen == Some(band), line, buffer);
    }
}

/// What flows in each class, below its name, while somebody listens.
pub(super) fn rates(state: &State, view: &RouterView, area: Rect, buffer: &mut Buffer) {
    for (band, row) in Band::ALL.into_iter().zip(ROWS).filter(|(_, row)| row + 1 < area.height) {
        let Some(([packets, _], _)) = super::super::traffic::rates(state, &view.id, band, 0) else { return };
        let below = Rect { y: area.y + row + 1, height: 1, width: area.width.min(13), ..area };
        Pen::new(buffer, below).to(1).fit(&format!("{packets}/s"), style(&state.theme, band));
    }
}

fn outline(theme: &Theme, name: &str, (left, right): (u16, u16), rows: (u16, u16), area: Rect, buffer: &mut Buffer) {
    let width = right - left + 1;
    let style = theme.border;
    let row = |y: u16| Rect { x: area.x + left, y, width, height: 1 }.intersection(area);
    Pen::new(buffer, row(rows.0)).write("╭", style).fill("─", 1, style).write("╮", style);
    if usize::from(width) > name.len() + 5 {
        Pen::new(buffer, row(rows.0)).to(2).write(" ", style).write(name, theme.heading).write(" ", style);
    }
    for y in rows.0 + 1..rows.1 {
        Pen::new(buffer, row(y)).write("│", style).to(width - 1).write("│", style);
    }
    Pen::new(buffer, row(rows.1)).write("╰", style).fill("─", 1, style).write("╯", style);
}

/// Two boxes above one another share a border.
fn joint(theme: &Theme, picture: &Picture, area: Rect, buffer: &mut Buffer) {
    if picture.lanes[1].second.is_some() && picture.lanes[2].second.is_some() {
        for (x, corner) in [(picture.second.0, "├"), (picture.second.1, "┤")] {
            let at = Rect { x: area.x + x, y: area.y + 4, width: 1, height: 1 };
            Pen::new(buffer, at.intersection(area)).write(corner, theme.border);
        }
    }
}

fn one(theme: &Theme, picture: &Picture, band: Band, lane: &Lane, chosen: bool, row: Rect, buffer: &mut Buffer) {
    let way = style(theme, band);
    let mut pen = Pen::new(buffer, row);
    let marker = if chosen { glyph::MARKER } else { " " };
    pen.write(marker, way).write(band.title(), if chosen { theme.selected } else { way });
    if let Some(note) = &lane.note {
        pen.to(picture.first.0 + 2).fit(note, theme.dim);
        return;
    }
    pen.to(picture.left).write(&lane.from, theme.text).write(" ", theme.text);
    let mut rail = Rail { symbol: glyph::RAIL, style: way };
    rail.border(&mut pen, theme, picture.first.0);
    stations(&mut pen, theme, &lane.first, &mut rail);
    rail.border(&mut pen, theme, picture.first.1);
    if let Some((_, words)) = &lane.second {
        rail.border(&mut pen, theme, picture.second.0);
        stations(&mut pen, theme, words, &mut rail);
        rail.border(&mut pen, theme, picture.second.1);
    }
    pen.write(rail.symbol, rail.style).write(glyph::OUT, rail.style).write(" ", theme.text);
    pen.fit(&lane.to, theme.text);
    if lane.elsewhere && usize::from(pen.room()) > ELSEWHERE.len() {
        pen.write(ELSEWHERE, theme.dim);
    }
}

/// The line of a class: whole as far as packets get, broken after.
struct Rail {
    symbol: &'static str,
    style: Style,
}

impl Rail {
    /// Goes on as far as a border, and through it.
    fn border(&self, pen: &mut Pen, theme: &Theme, column: u16) {
        while pen.column() < column && pen.room() > 0 {
            pen.write(self.symbol, self.style);
        }
        pen.write("┼", theme.border);
    }
}

fn stations(pen: &mut Pen, theme: &Theme, words: &[String], rail: &mut Rail) {
    for (at, word) in words.iter().enumerate() {
        pen.write(" ", theme.text);
        if at > 0 {
            pen.write(rail.symbol, rail.style).write(" ", theme.text);
        }
        let missing = word.starts_with("no ");
        if missing {
            *rail = Rail { symbol: glyph::CUT, style: theme.dim };
        }
        pen.write(word, if missing { theme.broken } else { theme.text });
    }
    pen.write(" ", theme.text);
}
