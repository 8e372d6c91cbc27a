//! Which codes are wanted: what was selected, what is ignored.

use std::str::FromStr;

use super::{Code, NotACode};

/// Codes wanted and unwanted, as an operator says it. Of two patterns that fit,
/// the longer one decides, and of two as long, the one that ignores.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pick {
    /// Only these; empty is all.
    pub select: Vec<Pattern>,
    /// Not these.
    pub ignore: Vec<Pattern>,
}

/// A code, or the beginning of one: `DVR301`, `DVR30`, `DVR3`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern(String);

impl Pick {
    /// Whether a code is wanted.
    pub fn wants(&self, code: Code) -> bool {
        let longest = |patterns: &[Pattern]| {
            patterns.iter().filter(|pattern| pattern.fits(code)).map(|pattern| pattern.0.len()).max()
        };
        let selected = longest(&self.select).or(self.select.is_empty().then_some(0));
        selected.is_some_and(|selected| longest(&self.ignore).is_none_or(|ignored| ignored < selected))
    }

    /// Whether every code is wanted.
    pub fn is_all(&self) -> bool {
        self.select.is_empty() && self.ignore.is_empty()
    }

    /// The patterns that fit none of these codes.
    pub fn strangers(&self, codes: &[Code]) -> Vec<String> {
        let patterns = self.select.iter().chain(&self.ignore);
        patterns
            .filter(|pattern| !codes.iter().any(|code| pattern.fits(*code)))
            .map(|pattern| format!("DVR{}", pattern.0))
            .collect()
    }
}

impl Pattern {
    fn fits(&self, code: Code) -> bool {
        code.0.to_string().starts_with(&self.0)
    }
}

impl FromStr for Pattern {
    type Err = NotACode;

    /// Reads `DVR301`, `dvr30`, `3`.
    fn from_str(text: &str) -> Result<Self, NotACode> {
        let digits = match text.get(..3) {
            Some(start) if start.eq_ignore_ascii_case("dvr") => &text[3..],
            _ => text,
        };
        let fits = (1..=3).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
        if fits && !digits.starts_with('0') { Ok(Self(digits.to_owned())) } else { Err(NotACode) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pick(select: &str, ignore: &str) -> Pick {
        let patterns = |text: &str| text.split_whitespace().map(|word| word.parse().unwrap()).collect();
        Pick { select: patterns(select), ignore: patterns(ignore) }
    }

    #[test]
    fn the_longer_pattern_decides() {
        for (select, ignore, wanted) in [
            ("", "", vec![301, 302, 401]),
            ("DVR3", "", vec![301, 302]),
            ("3", "DVR302", vec![301]),
            ("dvr301", "DVR3", vec![301]),
            ("", "DVR30", vec![401]),
            ("DVR301", "DVR301", vec![]),
            ("DVR9", "", vec![]),
        ] {
            let wants = |code: &u16| pick(select, ignore).wants(Code(*code));
            assert_eq!([301, 302, 401].into_iter().filter(wants).collect::<Vec<_>>(), wanted, "{select} {ignore}");
        }
    }

    #[test]
    fn what_is_no_beginning_of_a_code_is_refused() {
        for text in ["", "DVR", "DVR0", "DVR3011", "-3", "x", "é3"] {
            assert_eq!(text.parse::<Pattern>(), Err(NotACode), "{text}");
        }
        assert_eq!(pick("DVR3 DVR99", "7").strangers(&[Code(301)]), ["DVR99", "DVR7"]);
    }
}
