//! As much of Markdown as the pages of the codes use: headings, paragraphs,
//! lists, blocks of commands, words of code (`CommonMark`, sections 4 to 6).

use unicode_width::UnicodeWidthChar;

/// How a piece of a line looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::tui) enum Kind {
    /// The page's title.
    Title,
    /// A section's.
    Heading,
    /// Text.
    Text,
    /// A command, or a word of the machine.
    Code,
}

/// A line, in pieces.
pub(in crate::tui) type Line = Vec<(String, Kind)>;

/// A block being gathered.
struct Block {
    /// What stands before its first line; blanks of the same width before others.
    lead: String,
    text: String,
}

/// A page in lines of at most so many columns.
pub(in crate::tui) fn lines(page: &str, width: u16) -> Vec<Line> {
    let width = usize::from(width).max(1);
    let mut out: Vec<Line> = Vec::new();
    let mut block: Option<Block> = None;
    let mut fenced = false;
    for line in page.lines() {
        let trimmed = line.trim();
        if trimmed.starts_with("```") {
            flush(&mut block, width, &mut out);
            fenced = !fenced;
        } else if fenced {
            out.extend(command(line.trim_end(), width));
        } else if trimmed.is_empty() {
            flush(&mut block, width, &mut out);
            if out.last().is_some_and(|line| !line.is_empty()) {
                out.push(Line::new());
            }
        } else if let Some((kind, text)) = heading(trimmed) {
            flush(&mut block, width, &mut out);
            out.push(vec![(text.to_owned(), kind)]);
        } else if let Some((lead, text)) = item(line) {
            flush(&mut block, width, &mut out);
            block = Some(Block { lead, text: text.to_owned() });
        } else if let Some(block) = &mut block {
            block.text.push(' ');
            block.text.push_str(trimmed);
        } else {
            block = Some(Block { lead: String::new(), text: trimmed.to_owned() });
        }
    }
    flush(&mut block, width, &mut out);
    out
}

/// A line of a block of commands; one that is too long goes on deeper.
fn command(line: &str, width: usize) -> Vec<Line> {
    let wanted = line.chars().map(|c| c.width().unwrap_or(0)).sum::<usize>() + 4;
    if wanted <= width {
        return vec![vec![(format!("    {line}"), Kind::Code)]];
    }
    let all: Vec<(char, Kind)> = line.chars().map(|c| (c, Kind::Code)).collect();
    let wrapped = wrap(&all, width.saturating_sub(8).max(1)).into_iter().enumerate();
    let lead = |at| if at == 0 { "    " } else { "        " }.to_owned();
    wrapped.map(|(at, line)| std::iter::once((lead(at), Kind::Code)).chain(line).collect()).collect()
}

fn heading(line: &str) -> Option<(Kind, &str)> {
    let text = line.trim_start_matches('#');
    let level = line.len() - text.len();
    let kind = if level == 1 { Kind::Title } else { Kind::Heading };
    ((1..=6).contains(&level) && text.starts_with(' ')).then(|| (kind, text.trim()))
}

/// `- text` and `1. text`, indented or not: what leads, and the text.
fn item(line: &str) -> Option<(String, &str)> {
    let indent = line.len() - line.trim_start().len();
    let (sign, text) = line.trim_start().split_once(' ')?;
    let number = sign.strip_suffix('.').is_some_and(|number| number.parse::<u8>().is_ok());
    let lead = match sign {
        "-" | "*" => "·".to_owned(),
        number_sign if number => number_sign.to_owned(),
        _ => return None,
    };
    Some((format!("{}{lead} ", " ".repeat(indent + 2)), text.trim()))
}

fn flush(block: &mut Option<Block>, width: usize, out: &mut Vec<Line>) {
    let Some(Block { lead, text }) = block.take() else { return };
    let indent = lead.chars().count();
    let wrapped = wrap(&pieces(&text), width.saturating_sub(indent).max(1));
    for (at, line) in wrapped.into_iter().enumerate() {
        let before = if at == 0 { lead.clone() } else { " ".repeat(indent) };
        out.push(std::iter::once((before, Kind::Text)).filter(|(text, _)| !text.is_empty()).chain(line).collect());
    }
}

/// Each character with its kind; the marks themselves are gone.
fn pieces(text: &str) -> Vec<(char, Kind)> {
    let mut code = false;
    let mut all = Vec::with_capacity(text.len());
    for c in text.chars() {
        if c == '`' {
            code = !code;
        } else {
            all.push((c, if code { Kind::Code } else { Kind::Text }));
        }
    }
    all
}

/// Breaks between words, or within one that is too long.
fn wrap(text: &[(char, Kind)], width: usize) -> Vec<Line> {
    let mut out = vec![Line::new()];
    let mut used = 0;
    for word in text.split(|(c, _)| *c == ' ') {
        let columns: usize = word.iter().map(|(c, _)| c.width().unwrap_or(0)).sum();
        if used > 0 && used + 1 + columns > width {
            out.push(Line::new());
            used = 0;
        } else if used > 0 {
            // The blank is of its left neighbour's kind where both agree.
            push(&mut out, ' ', Kind::Text);
            used += 1;
        }
        for (c, kind) in word {
            let columns = c.width().unwrap_or(0);
            if used > 0 && used + columns > width {
                out.push(Line::new());
                used = 0;
            }
            push(&mut out, *c, *kind);
            used += columns;
        }
    }
    out
}

fn push(out: &mut [Line], c: char, kind: Kind) {
    let Some(line) = out.last_mut() else { return };
    match line.last_mut() {
        Some((text, last)) if *last == kind => text.push(c),
        _ => line.push((c.to_string(), kind)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(page: &str, width: u16) -> Vec<String> {
        lines(page, width).iter().map(|line| line.iter().map(|(text, _)| text.as_str()).collect()).collect()
    }

    #[test]
    fn blocks_are_told_apart() {
        let page =
            "# T one\n\n## H\n\nSome words\nof text.\n\n- an item of a list\n- another\n\n```sh\nip rule\n```\nend\n";
        let told = text(page, 14);
        let expected = [
            "T one",
            "",
            "H",
            "",
            "Some words of",
            "text.",
            "",
            "  · an item of",
            "    a list",
            "  · another",
            "",
            "    ip rule",
            "end",
        ];
        assert_eq!(told, expected);
    }

    #[test]
    fn code_is_marked_and_wraps() {
        let line = &lines("run `ip rule`, then", 40)[0];
        let expected = [("run ", Kind::Text), ("ip", Kind::Code), (" ", Kind::Text), ("rule", Kind::Code)];
        for (piece, (text, kind)) in line.iter().zip(expected) {
            assert_eq!((piece.0.as_str(), piece.1), (text, kind));
        }
        assert_eq!(text("abcdefgh ij", 3), ["abc", "def", "gh", "ij"]);
        assert_eq!(text("", 3), [""; 0]);
    }

    #[test]
    fn a_fence_never_closed_is_no_trouble() {
        assert_eq!(text("```\n# not a heading", 20), ["    # not a heading"]);
        assert_eq!(text("```\nip rule add from x", 16), ["    ip rule", "        add from", "        x"]);
    }
}
