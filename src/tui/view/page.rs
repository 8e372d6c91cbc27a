//! The page of a code: what it checks, why that breaks traffic, how to mend it.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::empty;
use super::pen::{Pen, lines as rows};
use crate::tui::layout;
use crate::tui::page::{Kind, Page, lines};
use crate::tui::state::State;
use crate::tui::words::Mark;

pub(super) fn draw(state: &State, page: &Page, body: Rect, buffer: &mut Buffer) {
    let theme = &state.theme;
    let Some(text) = page.text() else {
        let text = format!("No page explains {}. Esc goes back.", page.code);
        return empty::paragraph(theme, body, buffer, Some(Mark::None), &text, &[]);
    };
    let area = layout::code_page(body).text;
    let all = lines(text, area.width);
    for (row, line) in rows(area).zip(all.iter().skip(page.scroll)) {
        let mut pen = Pen::new(buffer, row);
        for (text, kind) in line {
            let style = match kind {
                Kind::Title => theme.name,
                Kind::Heading => theme.heading,
                Kind::Text => theme.text,
                Kind::Code => theme.key,
            };
            pen.fit(text, style);
        }
    }
}
