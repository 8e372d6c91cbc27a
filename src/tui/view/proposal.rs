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
    let parts = layout::proposal(shown, body);
    let mut pen = Pen::new(buffer, parts.title);
    pen.write(" ", theme.text).fit(&shown.wanted.title(), theme.name);
    let (mark, text) = shown.answer();
    let width = usize::from(parts.answer.width.saturating_sub(4));
    for (at, (row, line)) in lines(parts.answer).zip(wrap(&printable(&text, LIMIT), width)).enumerate() {
        let mut pen = Pen::new(buffer, row);
        if at == 0 {
            pen.write(" ", theme.text).mark(mark, theme);
        }
        pen.to(3).write(&line, mark.style(theme));
    }
    for (row, (is_first, line)) in lines(parts.warnings).zip(notices(shown, parts.warnings.width)) {
        let mut pen = Pen::new(buffer, row);
        if is_first {
            pen.write(" ", theme.text).mark(Mark::Degraded, theme);
        }
        pen.to(3).write(&line, theme.text);
    }
    let steps = shown.steps();
    for (row, (at, step)) in lines(parts.list).zip(steps.iter().enumerate().skip(shown.list.offset)) {
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
    detail(theme, shown, parts.detail, buffer);
}

/// What to know before, broken into lines; true where a sentence begins.
pub(in crate::tui) fn notices(shown: &Proposal, width: u16) -> Vec<(bool, String)> {
    let Ok(order) = &shown.order else { return Vec::new() };
    if !matches!(shown.stage, Stage::Shown(_)) {
        return Vec::new();
    }
    let case = order.plan.agent.map(crate::plan::AgentCase::sentence);
    let width = usize::from(width.saturating_sub(4));
    let all = order.plan.warnings.iter().cloned().chain(case);
    let broken = |text: String| {
        let lines = wrap(&printable(&text, LIMIT), width);
        lines.into_iter().enumerate().map(|(at, line)| (at == 0, line)).collect::<Vec<_>>()
    };
    all.flat_map(broken).collect()
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
    let mut said: Vec<(&str, String, Style)> = Vec::new();
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
    said.extend(step.agent.map(|will| ("L3 agent", will.sentence().to_owned(), theme.dim)));
    let width = usize::from(area.width.saturating_sub(VALUE + 1));
    let mut rows = lines(area);
    for (label, text, style) in said {
        let text: Vec<String> = text.lines().flat_map(|line| wrap(&printable(line, LIMIT), width)).collect();
        for (nth, line) in text.iter().enumerate() {
            let Some(row) = rows.next() else { return };
            let mut pen = Pen::new(buffer, row);
            if nth == 0 {
                pen.to(3).write(label, theme.title);
            }
            pen.to(VALUE).write(line, style);
        }
    }
}
