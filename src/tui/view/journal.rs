//! The journal: the changes made on this node, and the selected one's steps.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::pen::{Pen, lines, wrap};
use super::{empty, overview};
use crate::net::printable;
use crate::plan::journal::Past;
use crate::tui::journal::{JournalView, mark};
use crate::tui::layout;
use crate::tui::state::State;
use crate::tui::words::{Mark, ago, count, one_line, short_netns};

pub(super) fn draw(state: &State, view: &JournalView, body: Rect, buffer: &mut Buffer) {
    let theme = &state.theme;
    match &view.past {
        None => return empty::paragraph(theme, body, buffer, None, "reading the journal…", &[]),
        Some(Err(why)) => {
            let text = format!("The journal could not be read: {}", one_line(why));
            return empty::paragraph(theme, body, buffer, Some(Mark::Broken), &text, &[]);
        }
        Some(Ok(all)) if all.is_empty() => {
            let text = "No change was made on this node by this program.";
            return empty::paragraph(theme, body, buffer, Some(Mark::None), text, &[]);
        }
        Some(Ok(_)) => {}
    }
    let parts = layout::journal(view.rows().len(), body);
    let open = view.rows().filter(|past| !past.is_settled()).count();
    let mut pen = Pen::new(buffer, parts.answer);
    if open == 0 {
        let text = format!("{} made here, none unfinished", count(view.rows().len(), "change", "changes"));
        pen.write(" ", theme.text).mark(Mark::Ok, theme).write(" ", theme.text).fit(&text, theme.text);
    } else {
        let text = "A change has no end: u takes it back, c completes it";
        pen.write(" ", theme.text).mark(Mark::Unknown, theme).write(" ", theme.text).fit(text, theme.unknown);
    }
    for (row, (at, past)) in lines(parts.list).zip(view.rows().enumerate().skip(view.list.offset)) {
        item(state, past, row, buffer);
        if at == view.list.cursor {
            overview::select(state, row, buffer);
        }
    }
    if let Some(past) = view.current() {
        steps(state, past, parts.detail, buffer);
    }
}

fn item(state: &State, past: &Past, row: Rect, buffer: &mut Buffer) {
    let theme = &state.theme;
    let age = ago(past.at, state.now);
    let mut pen = Pen::new(buffer, row);
    pen.to(1).mark(mark(past), theme).write(&format!(" {:>4}  ", past.id), theme.dim);
    pen.cell(past.state.word(), 11, mark(past).style(theme)).cell(&age, 12, theme.dim);
    let undone = past.undone_by.map(|by| format!(" (taken back by change {by})")).unwrap_or_default();
    pen.fit(&printable(&format!("{}{undone}", past.intent), 300), theme.text);
}

/// The selected change: what it was for in full, and how far each step came.
fn steps(state: &State, past: &Past, area: Rect, buffer: &mut Buffer) {
    let theme = &state.theme;
    let mut rows = lines(area);
    for line in wrap(&printable(&past.intent, 300), usize::from(area.width.saturating_sub(4))) {
        let Some(row) = rows.next() else { return };
        Pen::new(buffer, row).to(3).write(&line, theme.title);
    }
    for step in &past.steps {
        let Some(row) = rows.next() else { return };
        let mut pen = Pen::new(buffer, row);
        pen.to(3).write(&format!("{:>3} ", step.planned.id), theme.dim).cell(step.state.word(), 11, theme.text);
        let netns = step.planned.place.name().map_or_else(|| "host".to_owned(), |name| short_netns(name.as_str()));
        pen.cell(&netns, 18, theme.dim).write(" ", theme.text);
        pen.fit(&printable(&step.planned.description, 300), theme.text);
        if let (Some(why), Some(row)) = (&step.error, step.error.as_ref().and_then(|_| rows.next())) {
            Pen::new(buffer, row).to(18).fit(&printable(why, 300), theme.broken);
        }
    }
}
