//! Writes text into a row of the screen, never beyond its end.

use std::borrow::Cow;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::tui::theme::Theme;
use crate::tui::words::Mark;

/// A place to write at, moving to the right.
pub(super) struct Pen<'a> {
    buffer: &'a mut Buffer,
    left: u16,
    x: u16,
    y: u16,
    right: u16,
}

impl<'a> Pen<'a> {
    /// At the first row of an area; an empty area takes nothing.
    pub(super) fn new(buffer: &'a mut Buffer, area: Rect) -> Self {
        let area = area.intersection(buffer.area);
        let right = if area.height == 0 { area.x } else { area.right() };
        Self { buffer, left: area.x, x: area.x, y: area.y, right }
    }

    /// Writes as much as there is room for.
    pub(super) fn write(&mut self, text: &str, style: Style) -> &mut Self {
        let room = usize::from(self.right.saturating_sub(self.x));
        if room > 0 {
            let (x, _) = self.buffer.set_stringn(self.x, self.y, text, room, style);
            self.x = x;
        }
        self
    }

    /// Writes all of it, or what fits with `…` at the end.
    pub(super) fn fit(&mut self, text: &str, style: Style) -> &mut Self {
        let room = usize::from(self.right.saturating_sub(self.x));
        self.write(&cut(text, room), style)
    }

    /// Writes into so many columns and goes on behind them.
    pub(super) fn cell(&mut self, text: &str, width: u16, style: Style) -> &mut Self {
        let end = self.x.saturating_add(width).min(self.right);
        let room = usize::from(end.saturating_sub(self.x));
        self.write(&cut(text, room), style);
        self.x = end;
        self
    }

    /// A mark's glyph in its style.
    pub(super) fn mark(&mut self, mark: Mark, theme: &Theme) -> &mut Self {
        self.write(mark.glyph(), mark.style(theme))
    }

    /// Goes to a column, counted from the left of the area.
    pub(super) fn to(&mut self, column: u16) -> &mut Self {
        self.x = self.left.saturating_add(column).min(self.right);
        self
    }

    /// The column that is next, counted from the left of the area.
    pub(super) fn column(&self) -> u16 {
        self.x.saturating_sub(self.left)
    }

    /// Fills up to so many columns before the end.
    pub(super) fn fill(&mut self, symbol: &str, before_end: u16, style: Style) -> &mut Self {
        while self.x < self.right.saturating_sub(before_end) {
            self.write(symbol, style);
        }
        self
    }

    /// Columns left.
    pub(super) fn room(&self) -> u16 {
        self.right.saturating_sub(self.x)
    }
}

/// Rows of an area, one rectangle each.
pub(super) fn lines(area: Rect) -> impl Iterator<Item = Rect> {
    (area.y..area.bottom()).map(move |y| Rect { y, height: 1, ..area })
}

/// The text, or its beginning with `…`, in so many columns.
pub(super) fn cut(text: &str, columns: usize) -> Cow<'_, str> {
    if text.len() <= columns || text.width() <= columns {
        return Cow::Borrowed(text);
    }
    let mut kept = String::new();
    let mut used = 0;
    for c in text.chars() {
        used += c.width().unwrap_or(0);
        if used + 1 > columns {
            break;
        }
        kept.push(c);
    }
    if columns > 0 {
        kept.push('…');
    }
    Cow::Owned(kept)
}

/// Breaks a text between words, or within one that is too long.
pub(super) fn wrap(text: &str, columns: usize) -> Vec<String> {
    let columns = columns.max(1);
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let mut word = word;
        loop {
            let last = lines.last_mut().map_or("", |line| line.as_str());
            let space = usize::from(!last.is_empty());
            if last.width() + space + word.width() <= columns {
                break;
            }
            if !last.is_empty() {
                lines.push(String::new());
                continue;
            }
            let head = head(word, columns);
            if head.len() == word.len() {
                break;
            }
            lines.pop();
            lines.extend([head.to_owned(), String::new()]);
            word = &word[head.len()..];
        }
        if let Some(line) = lines.last_mut() {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines
}

/// As much of a word as fits, a character at least.
fn head(word: &str, columns: usize) -> &str {
    let mut used = 0;
    for (at, c) in word.char_indices() {
        used += c.width().unwrap_or(0);
        if used > columns && at > 0 {
            return &word[..at];
        }
    }
    word
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_cut_says_so() {
        assert_eq!(cut("192.168.1.3", 11), "192.168.1.3");
        assert_eq!(cut("192.168.1.3", 6), "192.1…");
        assert_eq!(cut("漢字漢字", 5), "漢字…");
        assert_eq!(cut("abc", 0), "");
    }

    #[test]
    fn lines_break_between_words() {
        assert_eq!(wrap("one two three", 8), ["one two", "three"]);
        assert_eq!(wrap("abcdefgh ij", 3), ["abc", "def", "gh", "ij"]);
        assert_eq!(wrap("", 3), [""]);
        assert_eq!(wrap("漢字", 1), ["漢", "字"]);
    }
}
