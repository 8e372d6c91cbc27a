//! Files of an unpacked report, read within bounds.

use std::cell::Cell;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};

use crate::net::{Observed, printable};

/// The largest file that is read, in bytes. A table of half a million tracked
/// connections fits.
const LARGEST_FILE: u64 = 64 << 20;
/// The most that is read of one report, in bytes.
const LARGEST_REPORT: u64 = 1 << 30;
/// The most entries of one folder that are looked at.
const MOST_ENTRIES: usize = 500_000;

/// The folder of a report.
pub(super) struct Folder {
    root: PathBuf,
    left: Cell<u64>,
}

/// A file that was found.
#[derive(Clone, Debug)]
pub(super) struct Found {
    /// Its path in the report.
    pub name: String,
    /// What it says. Bytes that are no UTF-8 are replaced.
    pub text: String,
}

impl Folder {
    /// Opens a folder.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        Ok(Self { root: fs::canonicalize(path)?, left: Cell::new(LARGEST_REPORT) })
    }

    /// The first of these files that the report has.
    pub(super) fn find(&self, names: &[String]) -> Result<Found, String> {
        for name in names {
            match self.read(name) {
                Observed::Seen(text) => return Ok(Found { name: name.clone(), text }),
                Observed::Absent => {}
                Observed::Unreadable(why) => return Err(format!("{}: {why}", printable(name, 200))),
            }
        }
        Err(format!("not in this report: {}", printable(names.first().map_or("", String::as_str), 200)))
    }

    /// What the file says. Links are followed as long as they stay in the report.
    pub(super) fn read(&self, name: &str) -> Observed<String> {
        match self.inside(name).and_then(|path| path.map(|path| self.read_file(&path)).transpose()) {
            Ok(Some(text)) => Observed::Seen(text),
            Ok(None) => Observed::Absent,
            Err(why) => Observed::Unreadable(why),
        }
    }

    /// The names in a folder of the report, sorted.
    pub(super) fn list(&self, name: &str) -> Observed<Vec<String>> {
        let path = match self.inside(name) {
            Ok(Some(path)) => path,
            Ok(None) => return Observed::Absent,
            Err(why) => return Observed::Unreadable(why),
        };
        let entries = match fs::read_dir(path) {
            Ok(entries) => entries,
            Err(error) => return Observed::Unreadable(error.to_string()),
        };
        let mut names: Vec<String> = entries
            .take(MOST_ENTRIES)
            .filter_map(|entry| Some(entry.ok()?.file_name().to_string_lossy().into_owned()))
            .collect();
        names.sort();
        Observed::Seen(names)
    }

    /// When the file was last written, which sos keeps from the node.
    pub(super) fn modified(&self, name: &str) -> Option<jiff::Timestamp> {
        let path = self.inside(name).ok()??;
        jiff::Timestamp::try_from(fs::metadata(path).ok()?.modified().ok()?).ok()
    }

    /// The real path of a name, if there is such a file and it lies inside.
    fn inside(&self, name: &str) -> Result<Option<PathBuf>, String> {
        let plain = |part| matches!(part, Component::Normal(_));
        if name.contains('\0') || name.is_empty() || !Path::new(name).components().all(plain) {
            return Err("not a path inside of a report".to_owned());
        }
        match fs::canonicalize(self.root.join(name)) {
            Ok(path) if path.starts_with(&self.root) => Ok(Some(path)),
            Ok(_) => Err("a link that leads out of the report is not followed".to_owned()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            // The name of a namespace may make a file name that cannot be.
            Err(error) if error.kind() == io::ErrorKind::InvalidFilename => Ok(None),
            Err(error) if error.kind() == io::ErrorKind::NotADirectory => Ok(None),
            Err(error) => Err(error.to_string()),
        }
    }

    fn read_file(&self, path: &Path) -> Result<String, String> {
        let words = |error: io::Error| error.to_string();
        if !fs::metadata(path).map_err(words)?.is_file() {
            return Err("not a plain file".to_owned());
        }
        let limit = LARGEST_FILE.min(self.left.get());
        let mut bytes = Vec::new();
        File::open(path).map_err(words)?.take(limit + 1).read_to_end(&mut bytes).map_err(words)?;
        let length = bytes.len() as u64;
        if length > limit {
            return Err(format!("larger than the {limit} bytes that are read of it"));
        }
        self.left.set(self.left.get() - length);
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_outside_of_the_folder_is_read() {
        let outer = std::env::temp_dir().join(format!("fipscope-folder-{}", std::process::id()));
        let inner = outer.join("report");
        fs::create_dir_all(inner.join("sos_commands")).unwrap();
        fs::write(outer.join("secret"), "secret").unwrap();
        fs::write(inner.join("sos_commands/a"), "a").unwrap();
        std::os::unix::fs::symlink("sos_commands/a", inner.join("good")).unwrap();
        std::os::unix::fs::symlink("../secret", inner.join("bad")).unwrap();
        std::os::unix::fs::symlink("loop", inner.join("loop")).unwrap();
        let folder = Folder::open(&inner).unwrap();
        assert_eq!(folder.read("good"), Observed::Seen("a".to_owned()));
        assert!(folder.read("bad").unreadable().is_some());
        assert!(folder.read("loop").unreadable().is_some());
        assert!(folder.read("../secret").unreadable().is_some());
        assert!(folder.read("sos_commands").unreadable().is_some());
        assert_eq!(folder.read("missing"), Observed::Absent);
        assert_eq!(folder.read(&"x".repeat(300)), Observed::Absent);
        assert!(folder.find(&["bad".to_owned()]).unwrap_err().contains("leads out"));
        fs::remove_dir_all(outer).unwrap();
    }
}
