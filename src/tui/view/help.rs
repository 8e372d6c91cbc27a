//! The help overlay, made from the key table.

use ratatui::buffer::Buffer;
use ratatui::layout::{Margin, Rect};
use ratatui::text::Line;
use ratatui::widgets::{Block, BorderType, Clear, Widget};

use super::pen::{Pen, lines};
use crate::tui::keymap::{Binding, Context, Key, keys_text};
use crate::tui::layout::middle;
use crate::tui::state::State;

/// The columns of the keys.
const KEYS: u16 = 18;

enum Row<'a> {
    Heading(Context),
    Binding(&'a Binding, &'a [Key]),
    Blank,
}

const CONTEXTS: [Context; 15] = [
    Context::Overview,
    Context::Chain,
    Context::Walk,
    Context::Router,
    Context::Findings,
    Context::Events,
    Context::Page,
    Context::Proposal,
    Context::Form,
    Context::Journal,
    Context::Traffic,
    Context::Tracked,
    Context::Namespace,
    Context::Global,
    Context::Prompt,
];

/// How many rows there are to scroll through.
pub(in crate::tui) fn count(state: &State) -> usize {
    rows(state).len()
}

/// What works here first: the bindings, a heading a context, a blank between two.
fn rows(state: &State) -> Vec<Row<'_>> {
    let here = state.context();
    let mut order = vec![here, Context::Global];
    order.extend(CONTEXTS.into_iter().filter(|context| *context != here && *context != Context::Global));
    let mut all = Vec::new();
    for context in order {
        if !all.is_empty() {
            all.push(Row::Blank);
        }
        all.push(Row::Heading(context));
        let own = state.keymap.bindings(context).filter(|(binding, _)| binding.context == context);
        all.extend(own.map(|(binding, keys)| Row::Binding(binding, keys)));
    }
    all
}

pub(super) fn draw(state: &State, offset: usize, body: Rect, buffer: &mut Buffer) {
    let theme = &state.theme;
    let all = rows(state);
    let height = u16::try_from(all.len()).unwrap_or(u16::MAX).saturating_add(2);
    let area = middle(body, 64, height);
    let inner = area.inner(Margin::new(2, 1));
    let shown = usize::from(inner.height);
    let offset = offset.min(all.len().saturating_sub(shown));
    Clear.render(area, buffer);
    let mut frame = Block::bordered()
        .border_type(BorderType::Rounded)
        .border_style(theme.border)
        .title(" keys ")
        .title_style(theme.name);
    if all.len() > shown {
        let place = format!(" {}–{} of {} ", offset + 1, offset + shown, all.len());
        frame = frame.title_bottom(Line::from(place).right_aligned());
    }
    frame.render(area, buffer);
    for (row, content) in lines(inner).zip(&all[offset..]) {
        let mut pen = Pen::new(buffer, row);
        match content {
            Row::Heading(context) => {
                pen.fit(context.word(), theme.heading);
            }
            Row::Binding(binding, keys) => {
                pen.cell(&keys_text(keys, " ", ""), KEYS, theme.key).write(" ", theme.text);
                pen.fit(binding.help, theme.text);
            }
            Row::Blank => {}
        }
    }
}
