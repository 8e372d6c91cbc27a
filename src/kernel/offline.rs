//! A node without the node: a snapshot file, or the folder of an unpacked
//! sosreport, made into the same [`Snapshot`] that the kernel gives.
//!
//! Both come from somewhere else and may be damaged or hostile: what is read is
//! bounded, links out of the folder are not followed, and whatever cannot be
//! understood is an error or an unreadable part, with its place.

mod folder;
mod peers;
mod place;
mod recording;
mod sosreport;
pub mod text;

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::net::{Netns, Recording, SCHEMA, Snapshot, printable};

pub use sosreport::allocation_file;

/// The largest snapshot file that is read, and as much of a recording, in bytes.
/// It bounds memory too: the shortest text of a value is a small part of what
/// the value takes.
pub const LARGEST_SNAPSHOT: u64 = 256 << 20;

/// Why a file or folder is no node that can be shown.
#[derive(Debug, thiserror::Error)]
pub enum OfflineError {
    /// The operating system refused.
    #[error("cannot read {}: {source}\ncheck the path and its permissions", path.display())]
    Io {
        /// What was to be read.
        path: PathBuf,
        /// Why it could not.
        source: io::Error,
    },
    /// Neither a plain file nor a folder.
    #[error("{} is neither a file nor a folder\ngive a snapshot file or the folder of an unpacked sosreport", .0.display())]
    NeitherFileNorFolder(PathBuf),
    /// More than we read.
    #[error("{} is larger than {limit} bytes, the most that is read\ntake a new snapshot without conntrack entries", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The limit, in bytes.
        limit: u64,
    },
    /// A compressed file or an archive.
    #[error("{} is {what}\nunpack it first, then give the file or folder in it", path.display())]
    Packed {
        /// The file.
        path: PathBuf,
        /// What it looks like.
        what: &'static str,
    },
    /// Not JSON, or JSON that does not have a snapshot's shape.
    #[error("{} is no snapshot: {why}, at line {line}, column {column}{}\ntake a new one with: fipscope snapshot -o FILE", path.display(), in_words(.within))]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
        /// The line, from 1.
        line: usize,
        /// The column, from 1, in bytes.
        column: usize,
        /// The way to the place through the document (`.host.ovs.seen.ports[3]`).
        within: String,
    },
    /// A document of another schema.
    #[error("{} is a document of schema {found:?}, not {SCHEMA:?}\nuse the fipscope release that wrote it, or take a new snapshot", path.display())]
    OtherSchema {
        /// The file.
        path: PathBuf,
        /// The schema it names; empty where it names none.
        found: String,
    },
    /// A line of a recording that is none.
    #[error("line {line} of {} is no line of a recording: {why}\nwhat stands above it can be used: head -n {} FILE > OTHER", path.display(), line.saturating_sub(1))]
    ForeignLine {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        why: String,
    },
    /// A folder that is no sosreport.
    #[error("{} has no folder sos_commands/networking: it is no unpacked sosreport\ngive the folder that holds sos_commands; sos collects it with its networking plugin", .0.display())]
    NotAReport(PathBuf),
}

/// Reads a snapshot file, a recording (as it was at last) or an unpacked sosreport.
pub fn load(path: &Path) -> Result<Snapshot, OfflineError> {
    load_recording(path).map(Recording::last)
}

/// Reads a recording; a snapshot file or an unpacked sosreport is one in which
/// nothing changes.
pub fn load_recording(path: &Path) -> Result<Recording, OfflineError> {
    let io = |source| OfflineError::Io { path: path.to_owned(), source };
    let kind = std::fs::metadata(path).map_err(io)?;
    if kind.is_dir() {
        return sosreport::read(path).map(Recording::still);
    }
    if !kind.is_file() {
        return Err(OfflineError::NeitherFileNorFolder(path.to_owned()));
    }
    let mut bytes = Vec::new();
    File::open(path).map_err(io)?.take(LARGEST_SNAPSHOT + 1).read_to_end(&mut bytes).map_err(io)?;
    bounded(bytes, path, LARGEST_SNAPSHOT)
}

/// Makes a snapshot file's bytes into a snapshot; `path` is for messages.
pub fn snapshot(bytes: &[u8], path: &Path) -> Result<Snapshot, OfflineError> {
    recording(bytes, path).map(Recording::last)
}

/// Of a recording that is larger than the limit, in bytes, the whole lines below
/// it; of anything else nothing.
fn bounded(mut bytes: Vec<u8>, path: &Path, limit: u64) -> Result<Recording, OfflineError> {
    if bytes.len() as u64 <= limit {
        return recording(&bytes, path);
    }
    bytes.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    bytes.truncate(bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1));
    let whole = recording(&bytes, path).ok().filter(|recording| !recording.is_still());
    let mut recording = whole.ok_or_else(|| OfflineError::TooLarge { path: path.to_owned(), limit })?;
    recording.remark = Some(format!("it is larger than {} MiB, what comes after that is left out", limit >> 20));
    Ok(recording)
}

fn recording(bytes: &[u8], path: &Path) -> Result<Recording, OfflineError> {
    if let Some(what) = packed(bytes) {
        return Err(OfflineError::Packed { path: path.to_owned(), what });
    }
    let mut documents = serde_json::Deserializer::from_slice(bytes).into_iter::<Snapshot>();
    let first = documents.next();
    let rest = documents.byte_offset();
    match first.unwrap_or_else(|| serde_json::from_slice(bytes)) {
        Ok(mut first) if first.schema == SCHEMA => {
            first.each_netns_mut().for_each(Netns::sort);
            let (lines, remark) = recording::lines(bytes, rest, path)?;
            Ok(Recording { first, lines, remark })
        }
        Ok(snapshot) => Err(other_schema(path, &snapshot.schema)),
        Err(error) => Err(explain(bytes, path, &error)),
    }
}

/// A document of another schema need not have our shape, and its own name says
/// more than the first field that does not fit.
fn explain(bytes: &[u8], path: &Path, error: &serde_json::Error) -> OfflineError {
    #[derive(Deserialize)]
    struct Head {
        #[serde(default)]
        schema: String,
    }
    match serde_json::from_slice::<Head>(bytes) {
        Ok(head) if head.schema != SCHEMA => other_schema(path, &head.schema),
        _ => malformed(bytes, path, error),
    }
}

fn malformed(bytes: &[u8], path: &Path, error: &serde_json::Error) -> OfflineError {
    let line = error.line();
    let text = error.to_string();
    // serde_json puts the place behind its words; ours stands apart.
    let why = text.split(" at line ").next().unwrap_or_default();
    OfflineError::Malformed {
        path: path.to_owned(),
        why: printable(why, 200),
        line,
        column: error.column(),
        within: place::within(bytes, line, error.column()),
    }
}

fn other_schema(path: &Path, found: &str) -> OfflineError {
    OfflineError::OtherSchema { path: path.to_owned(), found: printable(found, 60) }
}

fn in_words(within: &str) -> String {
    if within.is_empty() { String::new() } else { format!(", in {within}") }
}

/// What compressed files and archives begin with.
fn packed(bytes: &[u8]) -> Option<&'static str> {
    let starts: [(&[u8], &str); 5] = [
        (&[0x1f, 0x8b], "compressed with gzip"),
        (&[0xfd, b'7', b'z', b'X', b'Z'], "compressed with xz"),
        (&[0x28, 0xb5, 0x2f, 0xfd], "compressed with zstd"),
        (b"BZh", "compressed with bzip2"),
        (b"PK\x03\x04", "a zip archive"),
    ];
    let tar = bytes.get(257..262).is_some_and(|magic| magic == b"ustar");
    let start = starts.iter().find(|(start, _)| bytes.starts_with(start)).map(|(_, what)| *what);
    start.or(tar.then_some("a tar archive"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::Observed;

    fn error(bytes: &[u8]) -> String {
        snapshot(bytes, Path::new("node.json")).unwrap_err().to_string()
    }

    #[test]
    fn a_snapshot_comes_back_as_it_was() {
        let mut before = Snapshot::empty("compute-1", jiff::Timestamp::UNIX_EPOCH);
        before.namespaces.insert("qrouter-x".into(), Observed::Unreadable("no".to_owned()));
        let bytes = serde_json::to_vec(&before).unwrap();
        assert_eq!(snapshot(&bytes, Path::new("x")).unwrap(), before);
    }

    #[test]
    fn a_damaged_file_is_an_error_with_its_place() {
        let text = r#"{"schema":"fipscope.snapshot/1","node":"n","taken_at":"2026-11-22T18:22:23Z",
            "namespaces":{"qrouter-x":{"seen":{"links":{"seen":[{"index":1,"name":"lo","mtu":"x"}]}}}},"host":{}}"#;
        let words = error(text.as_bytes());
        assert!(words.contains("line 2") && words.contains(".namespaces.qrouter-x.seen.links.seen[0].mtu"), "{words}");
        assert!(error(b"{\"schema\":").contains("line 1"));
        assert!(error(b"").contains("no snapshot"));
        assert!(error(&vec![b'['; 100_000]).contains("no snapshot"));
        assert!(error(format!("{{\"x\":{}", "[".repeat(100_000)).as_bytes()).contains("no snapshot"));
        assert!(error(b"{\"schema\":\"fipscope.snapshot/1\",\"node\":\"\xff\"}").contains("no snapshot"));
    }

    #[test]
    fn another_schema_is_named() {
        for text in [r#"{"schema":"fipscope.snapshot/2","other":[]}"#, r#"{"schema":"fipscope.snapshot/2"}"#] {
            let words = error(text.as_bytes());
            assert!(words.contains("\"fipscope.snapshot/2\"") && words.contains("\"fipscope.snapshot/1\""), "{words}");
        }
        assert!(error(br#"{"schema":"a\u001bb"}"#).contains("u{1b}"));
    }

    #[test]
    fn a_packed_file_is_to_be_unpacked() {
        assert!(error(&[0x1f, 0x8b, 8]).contains("unpack"));
        assert!(error(b"\xfd7zXZ\0").contains("xz"));
    }
}
