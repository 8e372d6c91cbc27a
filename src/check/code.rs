//! The codes of findings.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

/// `DVR101` to `DVR999`: a failure's name, never reused and never renumbered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Code(pub u16);

impl Code {
    /// The first digit: namespaces, the pair, policy routing, translation, the
    /// fip namespace, the outside, neighbours, SNAT, files.
    pub fn family(self) -> u16 {
        self.0 / 100
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("DVR{:03}", self.0))
    }
}

impl Serialize for Code {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A text that is no code.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a code: one is DVR and three digits, such as DVR301")]
pub struct NotACode;

impl FromStr for Code {
    type Err = NotACode;

    /// Reads `DVR301`, `dvr301` or `301`.
    fn from_str(text: &str) -> Result<Self, NotACode> {
        let digits = match text.get(..3) {
            Some(start) if start.eq_ignore_ascii_case("dvr") => &text[3..],
            _ => text,
        };
        let is_plain = digits.len() == 3 && digits.bytes().all(|byte| byte.is_ascii_digit());
        let number = if is_plain { digits.parse().ok() } else { None };
        number.filter(|number| *number > 100).map(Self).ok_or(NotACode)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_read_and_printed() {
        for text in ["DVR301", "dvr301", "301"] {
            assert_eq!(text.parse(), Ok(Code(301)));
        }
        for text in ["", "DVR", "DVR30", "DVR3011", "99", "DVR-01", "DVRé1", "é", "000"] {
            assert_eq!(text.parse::<Code>(), Err(NotACode), "{text}");
        }
        assert_eq!((Code(301).to_string(), Code(301).family()), ("DVR301".to_owned(), 3));
    }
}
