//! A change of the node: what it is for, what to know before, its steps, and
//! the selected one in full.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::overview;
use super::pen::{Pen, lines, wrap};
use crate::net::printable;
use crate::plan::Undo;
use crate::plan::journal::StepState;
use crate::tui::layout;
use crate::tui::proposal::{Proposal, Stage};
use crate::tui::state::State;
use crate::tui::theme::Theme;
use crate::tui::words::{Mark, short_netns};

/// The column of the values.
const VALUE: u16 = 14;

/// Characters that are shown of one command.
const LIMIT: usize = 2048;

pub(super) fn draw(state: &State, shown: &Proposal, body: Rect, buffer: &mut Buffer) {
    let theme = &state.theme;
    let bar = state.unchangeable();
    let parts = layout::proposal(shown, bar.as_deref(), body);
    let mut pen = Pen::new(buffer, parts.title);
    pen.write(" ", theme.text).fit(&shown.wanted.title(), theme.name);
    let (mark, _) = shown.answer(bar.as_deref());
    for (at, (row, line)) in lines(parts.answer).zip(answer_lines(shown, bar.as_deref(), body.width)).enumerate() {
        let mut pen = Pen::new(buffer, row);
        if at == 0 {
            pen.write(" ", theme.text).mark(mark, theme);
        }
        pen.to(3).write(&line, if mark == Mark::None { theme.text } else { mark.style(theme) });
    }
    let told = notices(shown, parts.warnings.width);
    let warnings = fitting(theme, told.len(), "a higher terminal shows them", parts.warnings, buffer);
    for (row, notice) in lines(warnings).zip(&told) {
        let mut pen = Pen::new(buffer, row);
        if let Some(mark) = notice.mark {
            pen.write(" ", theme.text).mark(mark, theme);
        }
        pen.to(3).write(&notice.line, theme.text);
    }
    list(state, shown, parts.list, buffer);
    detail(theme, shown, parts.detail, buffer);
}

/// The answer, broken into lines.
pub(in crate::tui) fn answer_lines(shown: &Proposal, bar: Option<&str>, width: u16) -> Vec<String> {
    wrap(&printable(&shown.answer(bar).1, LIMIT), usize::from(width.saturating_sub(4)))
}

/// A line of what to know before.
pub(in crate::tui) struct Notice {
    /// Where a sentence begins: a warning, or good to know.
    mark: Option<Mark>,
    line: String,
}

fn list(state: &State, shown: &Proposal, area: Rect, buffer: &mut Buffer) {
    let theme = &state.theme;
    let steps = shown.steps();
    for (row, (at, step)) in lines(area).zip(steps.iter().enumerate().skip(shown.list.offset)) {
        let came = shown.state(at);
        let mut pen = Pen::new(buffer, row);
        let netns = step.netns.name().map_or_else(|| "host".to_owned(), |name| short_netns(name.as_str()));
        pen.to(1).mark(mark_of(came), theme).write(&format!(" {:>3} ", step.id), theme.dim);
        pen.cell(&netns, 18, theme.dim).write(" ", theme.text);
        let text = printable(&step.description, 300);
        pen.fit(&if came == StepState::Skipped { format!("{text} (so already)") } else { text }, theme.text);
        if at == shown.list.cursor {
            overview::select(state, row, buffer);
        }
    }
}

/// What to know before, broken into lines.
pub(in crate::tui) fn notices(shown: &Proposal, width: u16) -> Vec<Notice> {
    let Ok(order) = &shown.order else { return Vec::new() };
    let width = usize::from(width.saturating_sub(4));
    let broken = |(mark, text): (Mark, String)| {
        let lines = wrap(&printable(&text, LIMIT), width).into_iter().enumerate();
        lines.map(|(at, line)| Notice { mark: (at == 0).then_some(mark), line }).collect::<Vec<_>>()
    };
    if !matches!(shown.stage, Stage::Shown(_)) {
        let is_over = shown.stage != Stage::Running;
        return shown.rooted.lines(is_over).into_iter().flat_map(broken).collect();
    }
    let differs = shown.differs.iter().map(|text| (Mark::Degraded, format!("Changed: {text}")));
    let told = differs.chain(shown.on_the_wire());
    let warnings = order.plan.warnings.iter().map(|text| (Mark::Degraded, text.clone()));
    let case = order.plan.case();
    let known = case.into_iter().chain(order.notes.iter().cloned()).map(|text| (Mark::None, text));
    told.chain(warnings).chain(known).flat_map(broken).collect()
}

/// The rows for so many lines; where there are too few, the last one says so.
fn fitting(theme: &Theme, count: usize, how: &str, area: Rect, buffer: &mut Buffer) -> Rect {
    if count <= usize::from(area.height) || area.height < 2 {
        return area;
    }
    let rows = Rect { height: area.height - 1, ..area };
    let text = format!("{} more lines: {how}", count - usize::from(rows.height));
    Pen::new(buffer, Rect { y: rows.bottom(), height: 1, ..area }).to(3).fit(&text, theme.dim);
    rows
}

fn mark_of(state: StepState) -> Mark {
    match state {
        StepState::Planned => Mark::None,
        StepState::Doing | StepState::Undoing => Mark::Unknown,
        StepState::Done | StepState::Skipped => Mark::Ok,
        StepState::Failed => Mark::Broken,
        StepState::Undone => Mark::Degraded,
    }
}

/// The selected step: its command, what takes it back, what the agent will do.
fn detail(theme: &Theme, shown: &Proposal, area: Rect, buffer: &mut Buffer) {
    let at = shown.list.cursor;
    let Some(step) = shown.steps().get(at) else { return };
    let mut said: Vec<(&'static str, String, Style)> = Vec::new();
    said.push(("command", step.command(), theme.key));
    said.push(match &step.undo {
        Undo::Action(_) => ("undo", step.undo_command().unwrap_or_default(), theme.text),
        Undo::Nothing(why) => ("undo", format!("none: {why}"), theme.dim),
    });
    let state = shown.state(at);
    if state != StepState::Planned {
        said.push(("state", state.word().to_owned(), mark_of(state).style(theme)));
    }
    said.extend(shown.error(at).map(|why| ("error", why.to_owned(), theme.broken)));
    said.push(("owner", step.owner_and_agent(), theme.dim));
    let width = usize::from(area.width.saturating_sub(VALUE + 1));
    let broken = |(label, text, style): (&'static str, String, Style)| {
        let lines = text.lines().flat_map(|line| wrap(&printable(line, LIMIT), width)).enumerate();
        lines.map(|(at, line)| (if at == 0 { label } else { "" }, line, style)).collect::<Vec<_>>()
    };
    let all: Vec<(&str, String, Style)> = said.into_iter().flat_map(broken).collect();
    let rows = fitting(theme, all.len(), "y copies the plan", area, buffer);
    for (row, (label, line, style)) in lines(rows).zip(&all) {
        Pen::new(buffer, row).to(3).write(label, theme.title).to(VALUE).write(line, *style);
    }
}
