//! A line's words, quotes understood, each with its place in the line.

use std::borrow::Cow;

use super::SaveTextFault;

/// A word of a line.
#[derive(Clone, Debug)]
pub(super) struct Word<'a> {
    /// The word without its quotes and escapes.
    pub(super) text: Cow<'a, str>,
    /// Where it begins in the line, and where it ends.
    pub(super) from: usize,
    pub(super) to: usize,
    /// Whether some of it was quoted: then it is a value, never an option.
    pub(super) quoted: bool,
}

impl Word<'_> {
    /// The word as it stands in the line.
    pub(super) fn raw<'l>(&self, line: &'l str) -> &'l str {
        &line[self.from..self.to]
    }

    /// Whether it is this option, not a quoted value that looks like it.
    pub(super) fn is(&self, option: &str) -> bool {
        !self.quoted && self.text == option
    }
}

/// The words as they stand in the line, from the first to the last of them.
pub(super) fn verbatim<'l>(line: &'l str, words: &[Word<'_>]) -> &'l str {
    match (words.first(), words.last()) {
        (Some(first), Some(last)) => &line[first.from..last.to],
        _ => "",
    }
}

/// Splits a line into words. Inside quotation marks a backslash keeps the next
/// character (`add_param_to_argv` in iptables).
pub(super) fn split(line: &str) -> Result<Vec<Word<'_>>, SaveTextFault> {
    let mut words = Vec::new();
    let bytes = line.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at].is_ascii_whitespace() {
            at += 1;
            continue;
        }
        let end =
            bytes[at..].iter().position(|b| b.is_ascii_whitespace() || *b == b'"').map_or(bytes.len(), |n| at + n);
        if bytes.get(end) != Some(&b'"') {
            words.push(Word { text: Cow::Borrowed(&line[at..end]), from: at, to: end, quoted: false });
            at = end;
            continue;
        }
        let (text, to) = unquote(line, at)?;
        words.push(Word { text: Cow::Owned(text), from: at, to, quoted: true });
        at = to;
    }
    Ok(words)
}

/// A word with quotation marks in it, and where it ends.
fn unquote(line: &str, from: usize) -> Result<(String, usize), SaveTextFault> {
    let mut text = String::new();
    let (mut open, mut escaped) = (false, false);
    for (at, c) in line[from..].char_indices() {
        if escaped {
            text.push(c);
            escaped = false;
        } else {
            match c {
                '\\' if open => escaped = true,
                '"' => open = !open,
                c if !open && c.is_ascii_whitespace() => return Ok((text, from + at)),
                c => text.push(c),
            }
        }
    }
    if open || escaped { Err(SaveTextFault::OpenQuote) } else { Ok((text, line.len())) }
}
