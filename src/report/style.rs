//! How text looks: colour or none, Unicode or ASCII, how wide; and the one
//! place where text from outside is made printable.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::check::{Confidence, Finding, Severity};
use crate::net::printable;
use crate::topology::{ChainLink, FipState, LinkState};

/// More characters than any object of a node has in its own words.
const LIMIT: usize = 2000;

/// What the reader's terminal can show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    /// Colours, besides the glyphs that say the same.
    pub colour: bool,
    /// No character outside ASCII.
    pub ascii: bool,
    /// Columns.
    pub width: usize,
    /// Nothing is cut, however long: no eye but a program reads it. Sentences
    /// are broken into lines all the same.
    pub whole: bool,
}

impl Default for Style {
    /// What every terminal and every file can show.
    fn default() -> Self {
        Self { colour: false, ascii: false, width: 80, whole: false }
    }
}

/// What a piece of text wants to say with colour; it says the same without.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// As it is.
    Plain,
    /// Where one is.
    Strong,
    /// Less important than what stands beside it.
    Faint,
    /// It holds.
    Good,
    /// It does not.
    Bad,
    /// It works, but is not as it should be.
    Warning,
    /// It could not be judged.
    Unsure,
}

impl Style {
    /// The text, made printable, in ASCII where wanted.
    pub fn plain(self, text: &str) -> String {
        let text = printable(text, LIMIT);
        if !self.ascii || text.is_ascii() {
            return text;
        }
        let mut out = String::with_capacity(text.len());
        for c in text.chars() {
            match c {
                '⇄' => out.push_str("<->"),
                '→' => out.push_str("->"),
                '–' | '·' => out.push('-'),
                '…' => out.push('~'),
                '✓' => out.push('v'),
                '✗' => out.push('x'),
                c if c.is_ascii() => out.push(c),
                c => out.extend(c.escape_unicode()),
            }
        }
        out
    }

    /// The text, printable and in its tone.
    pub fn paint(self, tone: Tone, text: &str) -> String {
        self.ink(tone, &self.plain(text))
    }

    /// Colours what [`Style::plain`] has been through already.
    pub(super) fn ink(self, tone: Tone, plain: &str) -> String {
        let code = match tone {
            Tone::Plain => return plain.to_owned(),
            Tone::Strong => "1",
            Tone::Faint => "2",
            Tone::Good => "32",
            Tone::Bad => "1;31",
            Tone::Warning => "33",
            Tone::Unsure => "35",
        };
        if self.colour && !plain.is_empty() { format!("\u{1b}[{code}m{plain}\u{1b}[0m") } else { plain.to_owned() }
    }

    /// `lead`, which is printable already and takes `taken` columns, then `text`
    /// in lines under each other beside it.
    pub(super) fn block(self, lead: &str, taken: usize, tone: Tone, text: &str) -> String {
        let lines: Vec<String> = self.wrap(taken, text).iter().map(|line| self.ink(tone, line)).collect();
        format!("{lead}{}\n", lines.join(&format!("\n{}", " ".repeat(taken))))
    }

    /// The same, in two lines at most where something may be cut.
    pub(super) fn brief(self, lead: &str, taken: usize, text: &str) -> String {
        let mut lines = self.wrap(taken, text);
        if lines.len() > 2 && !self.whole {
            // The first two did not fit into one, so this is cut, with a mark.
            lines[1] = cut(&format!("{} {}", lines[1], lines[2]), self.room(taken), self.ascii);
            lines.truncate(2);
        }
        format!("{lead}{}\n", lines.join(&format!("\n{}", " ".repeat(taken))))
    }

    /// A line of a glyph and text in the same tone.
    pub(super) fn marked(self, (glyph, tone): (&str, Tone), text: &str) -> String {
        self.block(&format!("{} ", self.paint(tone, glyph)), 2, Tone::Plain, text)
    }

    /// A line above a part.
    pub(super) fn heading(self, text: &str) -> String {
        format!("\n{}", self.block("", 0, Tone::Strong, text))
    }

    fn room(self, taken: usize) -> usize {
        self.width.saturating_sub(taken).max(20)
    }

    /// `text` in lines that leave `taken` columns free. Breaks between words.
    fn wrap(self, taken: usize, text: &str) -> Vec<String> {
        let room = self.room(taken);
        let longest = if self.whole { usize::MAX } else { room };
        let mut lines = vec![String::new()];
        for word in self.plain(text).split(' ').filter(|word| !word.is_empty()) {
            for piece in chunks(word, longest) {
                let line = lines.last().map_or(0, |line| line.width());
                match lines.last_mut() {
                    Some(last) if line == 0 => last.push_str(&piece),
                    Some(last) if line + 1 + piece.width() <= room => {
                        last.push(' ');
                        last.push_str(&piece);
                    }
                    _ => lines.push(piece),
                }
            }
        }
        lines
    }
}

/// The glyph and tone of a floating IP's state.
pub fn fip_mark(state: FipState) -> (&'static str, Tone) {
    match state {
        FipState::Ok => ("✓", Tone::Good),
        FipState::Degraded => ("!", Tone::Warning),
        FipState::Broken => ("✗", Tone::Bad),
        FipState::Unknown => ("?", Tone::Unsure),
    }
}

/// The word of a floating IP's state, as in JSON.
pub fn fip_word(state: FipState) -> &'static str {
    match state {
        FipState::Ok => "ok",
        FipState::Degraded => "degraded",
        FipState::Broken => "broken",
        FipState::Unknown => "unknown",
    }
}

/// The glyph and tone of a finding.
pub fn finding_mark(finding: &Finding) -> (&'static str, Tone) {
    match (finding.confidence, finding.severity) {
        (Confidence::Unknown, _) => ("?", Tone::Unsure),
        (_, Severity::Error) => ("✗", Tone::Bad),
        (_, Severity::Warning) => ("!", Tone::Warning),
        (_, Severity::Note) => ("·", Tone::Faint),
    }
}

/// The glyph and tone of a chain's link.
pub fn link_mark(link: &ChainLink) -> (&'static str, Tone) {
    match link.state {
        LinkState::Ok => ("✓", Tone::Good),
        LinkState::Missing | LinkState::Wrong if link.advisory => ("!", Tone::Warning),
        LinkState::Missing | LinkState::Wrong => ("✗", Tone::Bad),
        LinkState::Unknown => ("?", Tone::Unsure),
        LinkState::NotApplicable => ("·", Tone::Faint),
    }
}

/// The word of a link's state.
pub fn link_word(state: LinkState) -> &'static str {
    match state {
        LinkState::Ok => "ok",
        LinkState::Missing => "missing",
        LinkState::Wrong => "wrong",
        LinkState::Unknown => "cannot tell",
        LinkState::NotApplicable => "not applicable",
    }
}

/// The first `room` columns of `text`, with a mark where something was cut.
pub(super) fn cut(text: &str, room: usize, ascii: bool) -> String {
    if text.width() <= room {
        return text.to_owned();
    }
    let mut out = prefix(text, room.saturating_sub(1));
    out.push(if ascii { '~' } else { '…' });
    out
}

/// The first `room` columns of `text`.
pub(super) fn prefix(text: &str, room: usize) -> String {
    let mut used = 0;
    text.chars()
        .take_while(|c| {
            used += c.width().unwrap_or(0);
            used <= room
        })
        .collect()
}

fn chunks(word: &str, room: usize) -> Vec<String> {
    let mut rest = word;
    let mut out = Vec::new();
    while rest.width() > room {
        let piece = prefix(rest, room);
        rest = &rest[piece.len()..];
        out.push(piece);
    }
    out.push(rest.to_owned());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colour_says_nothing_that_text_does_not() {
        let plain = Style::default();
        let colour = Style { colour: true, ..plain };
        assert_eq!(colour.paint(Tone::Bad, "broken"), "\u{1b}[1;31mbroken\u{1b}[0m");
        assert_eq!(plain.paint(Tone::Bad, "broken"), "broken");
    }

    #[test]
    fn escape_sequences_from_outside_are_shown_not_sent() {
        let colour = Style { colour: true, ..Style::default() };
        assert_eq!(colour.paint(Tone::Plain, "a\u{1b}[2J"), "a\\u{1b}[2J");
        assert_eq!(Style { ascii: true, ..colour }.plain("✗ é"), "x \\u{e9}");
    }

    #[test]
    fn lines_break_between_words_and_long_words_anywhere() {
        let style = Style { width: 30, ..Style::default() };
        assert_eq!(style.wrap(6, "default via 169.254.31.29 dev rfp-1"), ["default via", "169.254.31.29 dev rfp-1"]);
        assert!(style.wrap(0, &"x".repeat(100)).iter().all(|line| line.width() <= 30));
        assert_eq!(style.wrap(0, ""), [""]);
        let whole = Style { whole: true, ..style };
        assert_eq!(whole.wrap(0, &format!("a {}", "x".repeat(100))), ["a".to_owned(), "x".repeat(100)]);
    }
}
