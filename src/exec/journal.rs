//! The journal of changes on disk: one line of JSON an entry, only ever
//! appended to.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::plan::journal::{Entry, Past, read};

use super::Error;

/// Its name in the state folder.
const FILE: &str = "journal.jsonl";
/// What it is called when a new one was begun.
const OLD: &str = "journal.jsonl.1";
/// A new one is begun beyond this many bytes.
const FULL: u64 = 4 << 20;
/// As many bytes of a file are read; one change can go beyond [`FULL`].
const MOST: u64 = 32 << 20;

/// As many bytes from its end tell of the last change, as a rule.
const TAIL: u64 = 128 << 10;
/// How the line begins with which a change does.
const BEGIN: &str = "{\"entry\":\"begin\",";

/// The journal, open for writing.
pub(super) struct Journal {
    file: File,
    path: PathBuf,
}

impl Journal {
    /// Opens it, and makes it where there is none. Call it under the node's
    /// lock. A full one is put aside, unless a change in it has no end.
    pub(super) fn open(folder: &Path, may_begin_anew: bool) -> Result<Self, Error> {
        let path = folder.join(FILE);
        let failed = |source| Error::State { what: "open", path: path.clone(), source };
        if may_begin_anew && fs::symlink_metadata(&path).is_ok_and(|about| about.len() > FULL) {
            fs::rename(&path, folder.join(OLD)).map_err(failed)?;
        }
        let mut file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .mode(0o600)
            .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
            .open(&path)
            .map_err(failed)?;
        if !file.metadata().map_err(failed)?.is_file() {
            return Err(failed(io::Error::other("it is no file")));
        }
        end_torn_line(&mut file).map_err(failed)?;
        Ok(Self { file, path })
    }

    /// Appends an entry. It outlives this process from here on; `sync` makes it
    /// outlive the node, too.
    pub(super) fn write(&mut self, entry: &Entry, sync: bool) -> Result<(), Error> {
        let failed = |source| Error::State { what: "write", path: self.path.clone(), source };
        let mut line = serde_json::to_vec(entry).map_err(|error| failed(io::Error::other(error)))?;
        line.push(b'\n');
        self.file.write_all(&line).map_err(failed)?;
        if sync { self.file.sync_data().map_err(failed) } else { Ok(()) }
    }
}

/// The folder that the journal lies in, made where there is none.
pub(super) fn make_folder(folder: &Path) -> Result<(), Error> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.map_err(|source| Error::State { what: "make", path: folder.to_owned(), source })
}

/// The changes of the past, the oldest first.
pub(super) fn history(folder: &Path) -> Result<Vec<Past>, Error> {
    let mut text = String::new();
    for name in [OLD, FILE] {
        let path = folder.join(name);
        let failed = |source| Error::State { what: "read", path: path.clone(), source };
        let Some(file) = existing(&path).map_err(failed)? else { continue };
        let mut bytes = Vec::new();
        let taken = file.take(MOST + 1).read_to_end(&mut bytes).map_err(failed)?;
        if taken as u64 > MOST {
            return Err(failed(io::Error::other(format!("it is larger than {MOST} bytes"))));
        }
        text.push_str(&String::from_utf8_lossy(&bytes));
        text.push('\n');
    }
    Ok(read(&text, &boot()))
}

/// The last change alone, where the end of the journal tells it whole; else all
/// of them. No other can lack an end, as none begins before the one before it
/// has one; and their numbers rise.
pub(super) fn latest(folder: &Path) -> Result<Vec<Past>, Error> {
    let path = folder.join(FILE);
    let failed = |source| Error::State { what: "read", path: path.clone(), source };
    if let Some(file) = existing(&path).map_err(failed)? {
        let text = end_of(file).map_err(failed)?;
        let begun = text.rfind(BEGIN).filter(|at| text.get(..*at).is_none_or(|before| before.ends_with('\n')));
        let last = begun.and_then(|at| text.get(at..)).map(|text| read(text, &boot())).unwrap_or_default();
        if !last.is_empty() {
            return Ok(last);
        }
    }
    history(folder)
}

/// A file of the journal, where there is one.
fn existing(path: &Path) -> io::Result<Option<File>> {
    match OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        other => other.map(Some),
    }
}

/// The last bytes of a file, as text.
fn end_of(mut file: File) -> io::Result<String> {
    let length = file.seek(SeekFrom::End(0))?;
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL)))?;
    let mut bytes = Vec::new();
    file.take(TAIL).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Which run of the kernel this is.
pub(super) fn boot() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().to_owned()
}

/// What was being written when a process was killed stays as it is; what comes
/// now begins a line of its own.
fn end_torn_line(file: &mut File) -> io::Result<()> {
    let mut last = [b'\n'];
    if file.seek(SeekFrom::End(0))? > 0 {
        file.seek(SeekFrom::End(-1))?;
        file.read_exact(&mut last)?;
    }
    if last == [b'\n'] { Ok(()) } else { file.write_all(b"\n") }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;
    use crate::plan::journal::Outcome;

    #[test]
    fn it_is_its_owners_alone_and_a_torn_line_harms_no_other() {
        let folder = std::env::temp_dir().join(format!("fipscope-journal-{}", std::process::id()));
        make_folder(&folder).unwrap();
        let entry = Entry::End { id: 7, at: jiff::Timestamp::UNIX_EPOCH, outcome: Outcome::Done };
        Journal::open(&folder, true).unwrap().write(&entry, true).unwrap();
        let path = folder.join(FILE);
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        OpenOptions::new().append(true).open(&path).unwrap().write_all(b"{\"entry\":\"e").unwrap();
        Journal::open(&folder, true).unwrap().write(&entry, false).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        let whole = text.lines().filter(|line| serde_json::from_str::<Entry>(line).is_ok()).count();
        assert_eq!((whole, text.lines().count()), (2, 3), "{text}");
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn the_last_change_is_read_from_its_end() {
        let folder = std::env::temp_dir().join(format!("fipscope-journal-last-{}", std::process::id()));
        make_folder(&folder).unwrap();
        let begin = |id| {
            let text = format!(
                r#"{{"entry":"begin","id":{id},"at":"2026-01-01T00:00:00Z","node":"n","boot":"{}","snapshot":"",
                "intent":"i","steps":[]}}"#,
                boot()
            );
            serde_json::from_str::<Entry>(&text).unwrap()
        };
        let end = |id| Entry::End { id, at: jiff::Timestamp::UNIX_EPOCH, outcome: Outcome::Done };
        let write = |entry: &Entry| Journal::open(&folder, true).unwrap().write(entry, false).unwrap();
        let ids = || latest(&folder).unwrap().iter().map(|past| (past.id, past.is_settled())).collect::<Vec<_>>();
        assert_eq!(ids(), []);
        [begin(6), end(6), begin(7)].iter().for_each(write);
        assert_eq!(ids(), [(7, false)]);
        write(&end(7));
        assert_eq!(ids(), [(7, true)]);
        let path = folder.join(FILE);
        // A beginning that was cut short is passed over, with what is before it.
        OpenOptions::new().append(true).open(&path).unwrap().write_all(BEGIN.as_bytes()).unwrap();
        assert_eq!(ids(), [(6, true), (7, true)]);
        // Where its end does not tell, all of it is read.
        let many = usize::try_from(TAIL).unwrap();
        OpenOptions::new().append(true).open(&path).unwrap().write_all(&vec![b' '; many]).unwrap();
        assert_eq!(ids(), [(6, true), (7, true)]);
        assert_eq!(history(&folder).unwrap().len(), 2);
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_full_one_is_put_aside_and_still_read() {
        let folder = std::env::temp_dir().join(format!("fipscope-journal-full-{}", std::process::id()));
        make_folder(&folder).unwrap();
        let many = usize::try_from(FULL).unwrap() + 1;
        fs::write(folder.join(FILE), " ".repeat(many)).unwrap();
        Journal::open(&folder, false).unwrap();
        assert!(!folder.join(OLD).exists());
        Journal::open(&folder, true).unwrap();
        assert!(folder.join(OLD).exists() && fs::metadata(folder.join(FILE)).unwrap().len() == 0);
        assert!(history(&folder).unwrap().is_empty());
        fs::remove_dir_all(folder).unwrap();
    }
}
