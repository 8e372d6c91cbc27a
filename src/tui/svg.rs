//! A picture of a screen: the cells of a buffer as SVG text. Deterministic, so
//! that a test can compare it.

use std::fmt::Write as _;

use ratatui::buffer::{Buffer, Cell};
use ratatui::style::{Color, Modifier};

/// The size of a cell, in the picture's units.
const CELL: (f64, f64) = (8.4, 18.0);
/// The margin around the cells.
const MARGIN: f64 = 14.0;
/// The gap between two screens.
const BETWEEN: f64 = 12.0;
/// What the terminal's own colours are in the picture.
const BACKGROUND: &str = "#16181d";
const FOREGROUND: &str = "#d5d8de";

/// Draws screens below one another, each run of cells of one style as one piece
/// of text.
pub fn picture(screens: &[&Buffer]) -> String {
    let sizes = || screens.iter().map(|screen| (panel(screen.area.width, CELL.0), panel(screen.area.height, CELL.1)));
    let width = sizes().map(|(width, _)| width).fold(0.0, f64::max);
    let height = sizes().map(|(_, height)| height + BETWEEN).sum::<f64>() - BETWEEN;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" width=\"{width:.0}\" \
         height=\"{height:.0}\" font-family=\"DejaVu Sans Mono, Menlo, Consolas, monospace\" font-size=\"14\">\n"
    );
    let mut top = 0.0;
    for (screen, (width, height)) in screens.iter().zip(sizes()) {
        let _ = writeln!(
            out,
            "<rect y=\"{top:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" rx=\"10\" fill=\"{BACKGROUND}\"/>"
        );
        cells(&mut out, screen, top + MARGIN);
        top += height + BETWEEN;
    }
    out.push_str("</svg>\n");
    out
}

fn panel(cells: u16, cell: f64) -> f64 {
    f64::from(cells) * cell + 2.0 * MARGIN
}

fn cells(out: &mut String, buffer: &Buffer, top: f64) {
    for (row, y) in (buffer.area.top()..buffer.area.bottom()).enumerate() {
        let top = top + f64::from(u16::try_from(row).unwrap_or(0)) * CELL.1;
        let mut x = buffer.area.left();
        while x < buffer.area.right() {
            let start = x;
            let look = Look::of(&buffer[(x, y)]);
            let mut text = String::new();
            while x < buffer.area.right() && Look::of(&buffer[(x, y)]) == look {
                text.push_str(buffer[(x, y)].symbol());
                x += 1;
            }
            run(out, &look, &text, (start - buffer.area.left(), x - start), top);
        }
    }
}

#[derive(PartialEq)]
struct Look {
    fg: &'static str,
    bg: &'static str,
    bold: bool,
    dim: bool,
}

impl Look {
    fn of(cell: &Cell) -> Self {
        let (fg, bg) = (ink(cell.fg), paper(cell.bg));
        let reversed = cell.modifier.contains(Modifier::REVERSED);
        Self {
            fg: if reversed { bg } else { fg },
            bg: if reversed { fg } else { bg },
            bold: cell.modifier.contains(Modifier::BOLD),
            dim: cell.modifier.contains(Modifier::DIM),
        }
    }
}

fn run(out: &mut String, look: &Look, text: &str, (column, columns): (u16, u16), top: f64) {
    let left = |column: u16| MARGIN + f64::from(column) * CELL.0;
    if look.bg != BACKGROUND {
        let width = f64::from(columns) * CELL.0;
        let _ = writeln!(
            out,
            "<rect x=\"{:.1}\" y=\"{top:.1}\" width=\"{width:.1}\" height=\"{}\" fill=\"{}\"/>",
            left(column),
            CELL.1,
            look.bg
        );
    }
    // Blanks at the ends would shift the glyphs of a pinned length.
    let trimmed = text.trim();
    if trimmed.is_empty() {
        return;
    }
    let before = text.chars().take_while(|c| *c == ' ').count();
    let before = u16::try_from(before).unwrap_or(0);
    let shown = u16::try_from(trimmed.chars().count()).unwrap_or(columns);
    let escaped = trimmed.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let weight = if look.bold { " font-weight=\"bold\"" } else { "" };
    let opacity = if look.dim { " opacity=\"0.6\"" } else { "" };
    let _ = writeln!(
        out,
        "<text x=\"{:.1}\" y=\"{:.1}\" fill=\"{}\" textLength=\"{:.1}\" lengthAdjust=\"spacingAndGlyphs\" \
         xml:space=\"preserve\"{weight}{opacity}>{escaped}</text>",
        left(column + before),
        top + 13.5,
        look.fg,
        f64::from(shown) * CELL.0,
    );
}

fn ink(colour: Color) -> &'static str {
    match colour {
        Color::Black => "#16181d",
        Color::Red | Color::LightRed => "#ff6b68",
        Color::Green | Color::LightGreen => "#7fc97f",
        Color::Yellow | Color::LightYellow => "#e8b54a",
        Color::Blue | Color::LightBlue => "#7aa8ff",
        Color::Magenta | Color::LightMagenta => "#c99bf0",
        Color::Cyan | Color::LightCyan => "#63cfd8",
        Color::Gray => "#b4bac4",
        Color::DarkGray => "#737b89",
        Color::White => "#ffffff",
        Color::Reset | Color::Rgb(..) | Color::Indexed(_) => FOREGROUND,
    }
}

fn paper(colour: Color) -> &'static str {
    match colour {
        Color::Reset | Color::Rgb(..) | Color::Indexed(_) => BACKGROUND,
        Color::DarkGray => "#30353f",
        other => ink(other),
    }
}

#[cfg(test)]
mod tests {
    use ratatui::layout::Rect;
    use ratatui::style::Style;

    use super::*;

    #[test]
    fn markup_in_a_cell_stays_text() {
        let mut buffer = Buffer::empty(Rect::new(0, 0, 8, 1));
        buffer.set_string(1, 0, "<b>&", Style::new().fg(Color::Red));
        let svg = picture(&[&buffer]);
        assert!(svg.contains("&lt;b&gt;&amp;</text>"), "{svg}");
        assert!(svg.contains("fill=\"#ff6b68\""), "{svg}");
    }
}
