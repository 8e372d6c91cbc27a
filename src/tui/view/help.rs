//! The help overlay, made from the key table.

use ratatui::buffer::Buffer;
use ratatui::layout::{Margin, Rect};
use ratatui::widgets::{Block, BorderType, Clear, Widget};

use super::pen::{Pen, lines};
use crate::tui::keymap::{BINDINGS, Binding, Context, Key, keys_text};
use crate::tui::layout::middle;
use crate::tui::state::State;

/// The columns of the keys.
const KEYS: u16 = 18;

enum Row<'a> {
    Heading(Context),
    Binding(&'a Binding, &'a [Key]),
    Blank,
}

/// How many rows there are to scroll through: the bindings, a heading a
/// context, a blank between two.
pub(in crate::tui) const ROWS: usize = BINDINGS.len() + 2 * CONTEXTS.len() - 1;

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

pub(super) fn draw(state: &State, offset: usize, body: Rect, buffer: &mut Buffer) {
    let theme = &state.theme;
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
    let height = u16::try_from(all.len()).unwrap_or(u16::MAX).saturating_add(2);
    let area = middle(body, 64, height);
    Clear.render(area, buffer);
    Block::bordered()
        .border_type(BorderType::Rounded)
        .border_style(theme.border)
        .title(" keys ")
        .title_style(theme.name)
        .render(area, buffer);
    let inner = area.inner(Margin::new(2, 1));
    let offset = offset.min(all.len().saturating_sub(usize::from(inner.height)));
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
