//! The lines of a recording, which stand behind its snapshot.
//!
//! Whoever wrote them may have been stopped, or the machine under him: the last
//! line may be cut off. Any other line that is no line of a recording is damage,
//! and told with its number.

use std::path::Path;

use serde::Deserialize;

use super::OfflineError;
use crate::net::{RECORD_SCHEMA, Recorded, printable};

/// The lines, and what is missing from them. `from` is where the snapshot ends.
pub(super) fn lines(bytes: &[u8], from: usize, path: &Path) -> Result<(Vec<Recorded>, Option<String>), OfflineError> {
    let (before, rest) = bytes.split_at_checked(from).unwrap_or((bytes, &[]));
    let above = before.split(|byte| *byte == b'\n').count() - 1;
    let mut found = Vec::new();
    for (at, text) in rest.split_inclusive(|byte| *byte == b'\n').enumerate() {
        let line = above + at + 1;
        if text.trim_ascii().is_empty() {
            continue;
        }
        match serde_json::from_slice::<Recorded>(text) {
            Ok(recorded) if recorded.schema == RECORD_SCHEMA => found.push(recorded),
            // After a crash of the machine there may be anything in it, zeros first of all.
            Err(_) if !text.ends_with(b"\n") && schema(text).is_none() => {
                return Ok((found, Some(format!("line {line}, the last one, is cut off and left out"))));
            }
            other => return Err(foreign(path, line, text, other.err())),
        }
    }
    Ok((found, None))
}

fn foreign(path: &Path, line: usize, text: &[u8], error: Option<serde_json::Error>) -> OfflineError {
    let why = match (schema(text), error) {
        (Some(found), _) if found != RECORD_SCHEMA => {
            format!("its schema is {:?}, not {RECORD_SCHEMA:?}", printable(&found, 60))
        }
        (_, Some(error)) => printable(error.to_string().split(" at line ").next().unwrap_or_default(), 200),
        (_, None) => format!("it has no schema {RECORD_SCHEMA:?}"),
    };
    OfflineError::ForeignLine { path: path.to_owned(), line, why }
}

/// The schema that a line names.
fn schema(text: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Head {
        schema: String,
    }
    serde_json::from_slice::<Head>(text).ok().map(|head| head.schema)
}

#[cfg(test)]
mod tests {
    use super::super::{bounded, recording};
    use super::*;
    use crate::net::{Change, NetnsName, Object, Observed, Recording, Snapshot};

    fn at(second: i64) -> jiff::Timestamp {
        jiff::Timestamp::from_second(second).unwrap()
    }

    /// A namespace that comes, and then cannot be read for another reason.
    fn text() -> String {
        let first = Snapshot::empty("compute-1", at(0));
        let object = |why: &str| Some(Object::Netns(Observed::Unreadable(why.to_owned())));
        let name = Some(NetnsName::from("qrouter-x"));
        let came = Recorded::new(at(1), vec![Change::new(name.clone(), None, object("no"))]);
        let other = Recorded::new(at(3), vec![Change::new(name, object("no"), object("still no"))]).heard(at(2));
        let json = |line: &Recorded| serde_json::to_string(line).unwrap();
        format!("{}\n{}\n{}\n", serde_json::to_string(&first).unwrap(), json(&came), json(&other))
    }

    fn read(text: &str) -> Result<Recording, String> {
        recording(text.as_bytes(), Path::new("node.jsonl")).map_err(|error| error.to_string())
    }

    #[test]
    fn a_recording_is_read_line_by_line_and_replayed_to_its_end() {
        let recording = read(&text()).unwrap();
        assert_eq!((recording.lines.len(), &recording.remark), (2, &None));
        assert_eq!((recording.lines[0].began(), recording.lines[1].began()), (at(1), at(2)));
        let last = recording.last();
        let why = last.namespaces.values().next().and_then(Observed::unreadable);
        assert_eq!((last.taken_at, why), (at(3), Some("still no")));
    }

    #[test]
    fn a_last_line_that_is_cut_off_is_told_and_left_out() {
        let text = text();
        for cut in [1, 5, 60] {
            let recording = read(&text[..text.len() - 1 - cut]).unwrap();
            assert!(recording.remark.as_ref().unwrap().contains("line 3"), "{:?}", recording.remark);
            assert_eq!(recording.last().taken_at, at(1));
        }
        // A whole line without its end is whole.
        assert_eq!(read(text.trim_end()).unwrap(), read(&text).unwrap());
        let recording = read(&(text.clone() + &"\0".repeat(100))).unwrap();
        assert!(recording.remark.is_some() && recording.lines.len() == 2);
    }

    #[test]
    fn a_line_of_something_else_is_an_error_with_its_number() {
        let text = text();
        let first = text.lines().next().unwrap();
        for (line, why) in [
            ("{}", "missing field"),
            ("no json", "expected"),
            (r#"{"schema":"fipscope.record/2","at":"x"}"#, "\"fipscope.record/2\", not \"fipscope.record/1\""),
            (r#"{"schema":"fipscope.record/3","at":"2026-01-01T00:00:00Z","changes":[]}"#, "record/3"),
            (r#"{"schema":"fipscope.record/1","at":"2026-01-01T00:00:00Z","changes":[7]}"#, "invalid type"),
            (first, "fipscope.snapshot/1"),
        ] {
            let words = read(&format!("{text}{line}\n{}", text.lines().last().unwrap())).unwrap_err();
            assert!(words.contains("line 4 of") && words.contains(why) && words.contains("head -n 3"), "{words}");
        }
        let words = read(&format!("{text}{{\"schema\":\"a\\u001b[2J\"}}")).unwrap_err();
        assert!(!words.contains('\u{1b}'), "{words:?}");
    }

    #[test]
    fn of_a_recording_that_is_too_large_the_beginning_is_read() {
        let text = text();
        let (path, limit) = (Path::new("node.jsonl"), text.len() as u64);
        let read = |limit| bounded(text.clone().into_bytes(), path, limit);
        assert_eq!(read(limit).unwrap().remark, None);
        let some = read(limit - 1).unwrap();
        assert_eq!((some.lines.len(), some.remark.is_some()), (1, true));
        assert!(matches!(read(20), Err(OfflineError::TooLarge { .. })));
    }
}
