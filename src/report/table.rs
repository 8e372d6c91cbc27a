//! Columns that line up and fit the width: names of things that have ids are
//! cut to their short form first, then the widest column gives way.

use unicode_width::UnicodeWidthStr;

use super::style::{Style, Tone, cut, prefix};

/// No column gets narrower, whatever the width.
const LEAST: usize = 4;

/// A table under construction.
pub(super) struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<Cell>>,
}

/// A column.
pub(super) struct Column {
    title: &'static str,
    shrink: Shrink,
}

/// How a column gives way where the table is too wide.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Shrink {
    /// An id: whole, or its first characters (as many as tell it apart).
    Id(usize),
    /// Text: cut with a mark, but not below so many columns while another can
    /// give way.
    Text(usize),
}

/// What stands in a row under a column.
pub(super) struct Cell {
    text: String,
    tone: Tone,
}

impl Column {
    pub(super) fn new(title: &'static str, shrink: Shrink) -> Self {
        Self { title, shrink }
    }

    /// The blanks behind it: one where it holds glyphs and so has no title.
    fn gap(&self) -> usize {
        if self.title.is_empty() { 1 } else { 2 }
    }
}

impl Cell {
    pub(super) fn new(tone: Tone, text: impl Into<String>) -> Self {
        Self { text: text.into(), tone }
    }

    /// Text, or the sign for nothing.
    pub(super) fn or_dash(text: Option<impl ToString>) -> Self {
        match text {
            Some(text) => Self::new(Tone::Plain, text.to_string()),
            None => Self::new(Tone::Faint, "–"),
        }
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self::new(Tone::Plain, text)
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::new(Tone::Plain, text)
    }
}

impl Table {
    pub(super) fn new(columns: Vec<Column>) -> Self {
        Self { columns, rows: Vec::new() }
    }

    /// Adds a row; it has as many cells as the table has columns.
    pub(super) fn row(&mut self, cells: Vec<Cell>) {
        debug_assert_eq!(cells.len(), self.columns.len());
        self.rows.push(cells);
    }

    /// The lines, titles first.
    pub(super) fn render(mut self, style: Style) -> String {
        for cell in self.rows.iter_mut().flatten() {
            cell.text = style.plain(&cell.text);
        }
        let widths = self.widths(if style.whole { usize::MAX } else { style.width });
        let titles = self.columns.iter().map(|column| Cell::new(Tone::Faint, column.title)).collect();
        let mut out = String::new();
        for row in std::iter::once(&titles).chain(&self.rows) {
            out.push_str(&self.line(row, &widths, style));
            out.push('\n');
        }
        out
    }

    fn line(&self, row: &[Cell], widths: &[usize], style: Style) -> String {
        let mut out = String::new();
        let mut owed = 0;
        for ((cell, column), &width) in row.iter().zip(&self.columns).zip(widths) {
            let text = match column.shrink {
                Shrink::Id(_) => prefix(&cell.text, width),
                Shrink::Text(_) => cut(&cell.text, width, style.ascii),
            };
            let used = text.width();
            if used > 0 {
                out.extend(std::iter::repeat_n(' ', owed));
                owed = 0;
                out.push_str(&style.ink(cell.tone, &text));
            }
            owed += width.saturating_sub(used) + column.gap();
        }
        out
    }

    fn widths(&self, room: usize) -> Vec<usize> {
        let mut widths: Vec<usize> = (0..self.columns.len())
            .map(|at| {
                let cells = self.rows.iter().filter_map(|row| row.get(at)).map(|cell| cell.text.width());
                cells.chain([self.columns[at].title.width()]).max().unwrap_or(0)
            })
            .collect();
        let gaps: usize = self.columns.iter().map(Column::gap).sum::<usize>().saturating_sub(2);
        let total = |widths: &[usize]| widths.iter().sum::<usize>() + gaps;
        for at in (0..widths.len()).rev() {
            if let Shrink::Id(short) = self.columns[at].shrink
                && total(&widths) > room
            {
                widths[at] = widths[at].min(short.max(self.columns[at].title.len()));
            }
        }
        for floor in [usize::MAX, LEAST] {
            while total(&widths) > room {
                let give = |at: usize| match self.columns[at].shrink {
                    Shrink::Id(_) => 0,
                    Shrink::Text(least) => widths[at].saturating_sub(least.min(floor)),
                };
                let widest = (0..widths.len()).max_by_key(|&at| give(at)).filter(|&at| give(at) > 0);
                let Some(widest) = widest else { break };
                widths[widest] -= 1;
            }
        }
        widths
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(id: &str, text: &str) -> Table {
        let mut table = Table::new(vec![
            Column::new("ID", Shrink::Id(8)),
            Column::new("A", Shrink::Text(4)),
            Column::new("B", Shrink::Text(4)),
        ]);
        table.row(vec![id.into(), text.into(), "x".into()]);
        table
    }

    #[test]
    fn ids_are_whole_or_short() {
        let id = "ef25020f-012c-41d6-a36e-f2f09cb8ea62";
        let at = |width| table(id, "text").render(Style { width, ..Style::default() });
        assert!(at(80).contains(id));
        assert!(at(40).contains("ef25020f  text"), "{}", at(40));
    }

    #[test]
    fn the_widest_column_gives_way() {
        let text = table("ef25020f", &"w".repeat(90)).render(Style::default());
        assert!(text.lines().all(|line| line.width() <= 80), "{text}");
        assert!(text.contains('…') && text.trim_end().ends_with('x'), "{text}");
        let whole = table("ef25020f", &"w".repeat(90)).render(Style { whole: true, ..Style::default() });
        assert!(whole.contains(&"w".repeat(90)), "{whole}");
    }
}
