//! Where in a JSON document a line and column are: the keys and list places
//! that lead there.

use crate::net::printable;

/// The way to the place, like `.host.ovs.seen.ports[3].tag`. Empty at the top.
/// The document may be damaged from there on; up to there it was read.
pub(super) fn within(bytes: &[u8], line: usize, column: usize) -> String {
    let start = match line.checked_sub(2) {
        None => Some(0),
        Some(nth) => bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n').nth(nth).map(|(at, _)| at + 1),
    };
    let Some(start) = start else { return String::new() };
    let end = start.saturating_add(column).min(bytes.len());
    let mut steps: Vec<Step> = Vec::new();
    let mut at = 0;
    while at < end {
        match bytes[at] {
            b'{' => steps.push(Step::Key(None)),
            b'[' => steps.push(Step::Nth(0)),
            b'}' | b']' if at + 1 < end => drop(steps.pop()),
            b',' if at + 1 < end => match steps.last_mut() {
                Some(Step::Nth(nth)) => *nth += 1,
                Some(Step::Key(key)) => *key = None,
                None => {}
            },
            b'"' => {
                let close = string_end(bytes, at).min(end);
                if let Some(Step::Key(key @ None)) = steps.last_mut() {
                    *key = Some((at + 1, close));
                }
                at = close;
            }
            _ => {}
        }
        at += 1;
    }
    // A hostile document nests as deep as it likes.
    steps.iter().take(130).map(|step| step.words(bytes)).collect()
}

enum Step {
    /// In an object; the key's place in the text, once it was met.
    Key(Option<(usize, usize)>),
    /// In a list, at this place.
    Nth(usize),
}

impl Step {
    fn words(&self, bytes: &[u8]) -> String {
        match self {
            Self::Key(None) => String::new(),
            Self::Key(Some((from, to))) => {
                let key = bytes.get(*from..*to).unwrap_or_default();
                format!(".{}", printable(&String::from_utf8_lossy(key), 80))
            }
            Self::Nth(nth) => format!("[{nth}]"),
        }
    }
}

/// Where the string that opens here closes.
fn string_end(bytes: &[u8], open: usize) -> usize {
    let mut at = open + 1;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => return at,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_leads_through_keys_and_places() {
        let text = b"{\"a\":[{\"b,\":1},\n{\"c\\\"\":{\"d\":2}}]}";
        assert_eq!(within(text, 1, 14), ".a[0].b,");
        assert_eq!(within(text, 2, 12), ".a[1].c\\\".d");
        assert_eq!(within(b"", 1, 0), "");
        assert_eq!(within(text, 9, 900), "");
        assert_eq!(within(b"{\"unclosed", 1, 10), ".unclosed");
    }
}
