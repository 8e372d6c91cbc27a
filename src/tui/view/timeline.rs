//! The events: what changed on the node, line by line, and what that did to the
//! findings; and the line that says that the picture is frozen.

use std::fmt::Write as _;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::pen::{Pen, lines, wrap};
use super::{empty, overview};
use crate::net::printable;
use crate::tui::layout;
use crate::tui::recording::{self, Recording};
use crate::tui::state::{Coming, Frozen, State};
use crate::tui::timeline::{Event, EventRow, EventsView};
use crate::tui::words::{Mark, count, short_netns};

/// Columns of a namespace's short name.
const PLACE: u16 = 17;

pub(super) fn draw(state: &State, view: &EventsView, body: Rect, buffer: &mut Buffer) {
    let theme = &state.theme;
    let parts = layout::events(body);
    let mut pen = Pen::new(buffer, parts.answer);
    let (mark, text) = answer(state, view);
    pen.write(" ", theme.text).mark(mark, theme).write(" ", theme.text).fit(&text, mark.style(theme));
    if view.rows.is_empty() {
        let rest = Rect { height: parts.list.height + parts.detail.height, ..parts.list };
        return nothing(state, view, rest, buffer);
    }
    let after = state.frozen.as_ref().map(|frozen| frozen.position);
    for (line, (at, row)) in lines(parts.list).zip(view.rows.iter().enumerate().skip(view.list.offset)) {
        let is_later = after.is_some_and(|position| row.moment.number >= position);
        item(state, row, is_later, line, buffer);
        if at == view.list.cursor {
            overview::select(state, line, buffer);
        }
    }
    if let Some(row) = view.current() {
        let width = usize::from(parts.detail.width.saturating_sub(4));
        for (line, text) in lines(parts.detail).zip(wrap(&detail(row), width)) {
            Pen::new(buffer, line).to(3).fit(&text, theme.text);
        }
    }
}

/// The line above all else while the past is shown.
pub(super) fn banner(state: &State, frozen: &Frozen, area: Rect, buffer: &mut Buffer) {
    let theme = &state.theme;
    let since = match state.timeline.told_since(frozen.position) {
        0 => "nothing changed since".to_owned(),
        told if frozen.position < state.timeline.begin_position() => format!("more than {told} changes ago"),
        told => format!("{} ago", count(usize::try_from(told).unwrap_or(usize::MAX), "change", "changes")),
    };
    let out = if state.above.len() <= frozen.depth { "Esc or L" } else { "L" };
    let at = frozen.at.strftime("%H:%M:%S%.1f");
    let mut pen = Pen::new(buffer, area);
    pen.write(" ", theme.text).mark(Mark::Degraded, theme).write(" ", theme.text);
    pen.write(&format!("as of {at} UTC, {since}"), theme.banner);
    if state.error.is_some() || state.unwatched.is_some() {
        pen.write("; not live any more", theme.banner);
    }
    let way = format!(": {out} goes back to live");
    if usize::from(pen.room()) < way.len() {
        pen.fit("; L: live", theme.banner);
        return;
    }
    pen.write(&way, theme.banner);
    let more = ", [ and ] step";
    if usize::from(pen.room()) >= more.len() {
        pen.write(more, theme.banner);
    }
}

/// The line above all else while another moment is judged.
pub(super) fn coming(state: &State, coming: &Coming, area: Rect, buffer: &mut Buffer) {
    let theme = &state.theme;
    let at = coming.at.strftime("%H:%M:%S%.1f");
    let out = if state.above.len() <= coming.depth { "Esc or L" } else { "L" };
    let to = if state.recording.is_some() { "its end" } else { "live" };
    let mut pen = Pen::new(buffer, area);
    pen.write(" ", theme.text).mark(Mark::Unknown, theme).write(" ", theme.text);
    pen.fit(&format!("judging the node as of {at} UTC…"), theme.banner);
    let way = format!(" {out} goes to {to}");
    if usize::from(pen.room()) >= way.len() {
        pen.write(&way, theme.banner);
    }
}

/// The line above all else while a recording is shown.
pub(super) fn recording(state: &State, recording: &Recording, area: Rect, buffer: &mut Buffer) {
    let theme = &state.theme;
    let mark = if recording.remark.is_some() { Mark::Degraded } else { Mark::None };
    let mut pen = Pen::new(buffer, area);
    pen.write(" ", theme.text).mark(mark, theme).write(" ", theme.text);
    for (at, part) in recording::parts(state, recording).iter().enumerate() {
        if at == 0 || usize::from(pen.room()) >= part.chars().count() {
            pen.fit(part, theme.banner);
        }
    }
}

/// The screen's one question: what changed here?
fn answer(state: &State, view: &EventsView) -> (Mark, String) {
    let (mut changes, mut raised, mut cleared) = (0, 0, 0);
    for row in &view.rows {
        match row.event() {
            Some(Event::Change(_)) => changes += 1,
            Some(Event::Turn(turn)) if turn.raised => raised += 1,
            Some(Event::Turn(_)) => cleared += 1,
            None => {}
        }
    }
    let mut text = count(changes, "change", "changes");
    if let Some((_, name)) = &view.focus {
        let _ = write!(text, " around {name}");
    }
    let _ = write!(text, ", findings: {raised} raised, {cleared} cleared");
    if let Some(percent) = state.recording.as_ref().and_then(|recording| recording.known(&state.timeline)) {
        let _ = write!(text, " so far ({percent}%)");
    }
    if let Some(row) = view.rows.first() {
        let _ = write!(text, ", since {} UTC", row.moment.at.strftime("%H:%M:%S"));
    }
    if !view.filter.is_empty() {
        text.push_str("; filtered");
    }
    if state.timeline.forgotten() > 0 {
        let _ = write!(text, "; {} older forgotten", state.timeline.forgotten());
    }
    if state.watching.is_none() && state.recording.is_none() {
        text.push_str("; not watched, only readings compared");
    }
    (if raised > cleared { Mark::Degraded } else { Mark::None }, text)
}

fn nothing(state: &State, view: &EventsView, area: Rect, buffer: &mut Buffer) {
    let theme = &state.theme;
    if view.filter.is_empty() {
        let about = view.focus.as_ref().map_or_else(String::new, |(_, name)| format!(" around {name}"));
        let text = match &state.recording {
            Some(_) => format!("Nothing changed{about} in this recording."),
            None => format!("Nothing changed{about} since this console looks. What changes comes here by itself."),
        };
        empty::paragraph(theme, area, buffer, Some(Mark::None), &text, &[]);
    } else {
        let text = format!("No event holds {:?}. Esc takes the filter away.", printable(&view.filter, 64));
        empty::paragraph(theme, area, buffer, Some(Mark::None), &text, &[]);
    }
}

/// One line; what came after the moment that is shown is faint.
fn item(state: &State, row: &EventRow, is_later: bool, area: Rect, buffer: &mut Buffer) {
    let theme = &state.theme;
    let Some(event) = row.event() else { return };
    let style = |style| if is_later { theme.dim } else { style };
    let wide = area.width >= 76;
    let time = row.moment.at.strftime(if wide { "%H:%M:%S%.3f" } else { "%H:%M:%S" }).to_string();
    let place = event.namespace().map_or_else(|| "host".to_owned(), |name| short_netns(name.as_str()));
    let mut pen = Pen::new(buffer, area);
    pen.to(1).write(&time, theme.dim).write(" ", theme.text).write(event.glyph(), style(event.mark().style(theme)));
    pen.write(" ", theme.text);
    if area.width >= 56 {
        pen.cell(&place, PLACE, style(theme.heading)).write(" ", theme.text);
    }
    let own = match event {
        Event::Change(_) => theme.text,
        Event::Turn(_) => event.mark().style(theme),
    };
    pen.fit(&event.words(), style(own));
}

/// The selected line in full.
fn detail(row: &EventRow) -> String {
    let Some(event) = row.event() else { return String::new() };
    let place = event.namespace().map_or_else(|| "host".to_owned(), |name| printable(name.as_str(), 300));
    match event {
        Event::Change(_) => format!("{place}: {} {}", event.glyph(), event.words()),
        Event::Turn(turn) => format!("{place}: {} ({})", event.words(), printable(turn.finding.name, 80)),
    }
}
