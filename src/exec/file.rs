//! Lines of the agent's allocation files, in the agent's own form: one record a
//! line, nothing else (`neutron/agent/l3/item_allocator.py`).

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use super::Cause;
use crate::kernel::read_whole;

/// As many bytes as a reading of the node takes of it.
const MOST: u64 = 4 << 20;
/// So often the agent may write amid a change.
const TRIES: usize = 10;

/// Adds a line at a place, counted from 0, or at the end.
pub(super) fn add(path: &Path, at: Option<u32>, line: &str) -> Result<(), Cause> {
    if line.contains(char::is_control) {
        return Err(Cause::Line { path: path.to_owned(), what: "the line has characters that no record has" });
    }
    change(path, |lines| {
        if lines.iter().any(|there| there == line) {
            return Err("the line is there already");
        }
        let at = at.and_then(|at| usize::try_from(at).ok()).map_or(lines.len(), |at| at.min(lines.len()));
        lines.insert(at, line.to_owned());
        Ok(())
    })
}

/// Deletes the first line of these words.
pub(super) fn delete(path: &Path, line: &str) -> Result<(), Cause> {
    change(path, |lines| {
        let at = lines.iter().position(|there| there == line).ok_or("the line is not there any more")?;
        lines.remove(at);
        Ok(())
    })
}

/// Rewrites the file, whole or not at all. Its owner knows no lock: what it wrote
/// meanwhile, into the file that lost its place, is changed in its turn.
fn change(path: &Path, edit: impl Fn(&mut Vec<String>) -> Result<(), &'static str>) -> Result<(), Cause> {
    let failed = |source| Cause::Io { what: path.display().to_string(), source };
    let refused = |what| Cause::Line { path: path.to_owned(), what };
    let mut old = open(path).map_err(failed)?;
    let mut had = read(old.as_ref()).map_err(failed)?;
    let mut base = had.clone();
    for tried in 0..TRIES {
        let mut lines = base.lines().map(str::to_owned).collect();
        let edited = edit(&mut lines);
        let text: String = lines.into_iter().map(|line| line + "\n").collect();
        // Refused at a second look: what was written meanwhile still belongs there.
        if edited.is_ok() || tried > 0 {
            replace(path, old.as_ref(), &text).map_err(failed)?;
        }
        edited.map_err(refused)?;
        let later = read(old.as_ref()).map_err(failed)?;
        if later == had {
            return Ok(());
        }
        // Whoever wrote to the old one may have come to the new one, too.
        old = open(path).map_err(failed)?;
        had = read(old.as_ref()).map_err(failed)?;
        base = if had == text { later } else { had.clone() };
    }
    replace(path, old.as_ref(), &base).map_err(failed)?;
    Err(refused("it is being written all the time"))
}

fn open(path: &Path) -> io::Result<Option<File>> {
    match OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).open(path) {
        Ok(file) if file.metadata()?.is_file() => Ok(Some(file)),
        Ok(_) => Err(io::Error::other("it is no file")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn read(file: Option<&File>) -> io::Result<String> {
    let bytes = file.map_or(Ok(Vec::new()), |file| read_whole(file, MOST + 1))?;
    if bytes.len() as u64 > MOST {
        return Err(io::Error::other(format!("it is larger than {MOST} bytes")));
    }
    String::from_utf8(bytes).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

/// A file beside it takes its place, with the same owner and mode; those of the
/// folder's where there was none.
fn replace(path: &Path, old: Option<&File>, text: &str) -> io::Result<()> {
    let temporary = beside(path);
    clear(path)?;
    let folder = path.parent().unwrap_or(Path::new("/"));
    let written = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary).and_then(|mut file| {
        let (like, mode) = match old {
            Some(old) => old.metadata().map(|like| (like.clone(), like.mode() & 0o7777))?,
            None => (fs::metadata(folder)?, 0o644),
        };
        let own = file.metadata()?;
        if (own.uid(), own.gid()) != (like.uid(), like.gid()) {
            fchown(&file, Some(like.uid()), Some(like.gid()))?;
        }
        file.set_permissions(Permissions::from_mode(mode))?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&temporary, path)?;
        File::open(folder)?.sync_all()
    });
    if written.is_err() {
        // Nothing was left behind, or it cannot be taken away either.
        let _ = fs::remove_file(&temporary);
    }
    written
}

/// The new file, before it takes the other's place. One name does: one change is
/// made at a time.
fn beside(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.fipscope"))
}

/// Takes away what a process that was killed meanwhile left beside the file.
pub(super) fn clear(path: &Path) -> io::Result<()> {
    match fs::remove_file(beside(path)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::thread;
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_line_comes_and_goes_and_the_rest_stays_as_it_was() {
        let folder = std::env::temp_dir().join(format!("fipscope-line-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join("fip-priorities");
        let text = || fs::read_to_string(&path).unwrap();
        add(&path, None, "192.168.1.3,32768").unwrap();
        assert_eq!(text(), "192.168.1.3,32768\n");
        fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
        fs::write(&path, "broken\n192.168.1.3,32768\nlast").unwrap();
        fs::write(folder.join(".fip-priorities.fipscope"), "half a li").unwrap();
        add(&path, Some(1), "192.168.1.4,40000").unwrap();
        assert_eq!(text(), "broken\n192.168.1.4,40000\n192.168.1.3,32768\nlast\n");
        assert!(matches!(add(&path, None, "last"), Err(Cause::Line { .. })));
        assert!(matches!(add(&path, None, "a\nb"), Err(Cause::Line { .. })));
        delete(&path, "192.168.1.4,40000").unwrap();
        assert!(matches!(delete(&path, "192.168.1.4,40000"), Err(Cause::Line { .. })));
        assert_eq!(text(), "broken\n192.168.1.3,32768\nlast\n");
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o640);
        for last in ["broken", "192.168.1.3,32768", "last"] {
            delete(&path, last).unwrap();
        }
        assert_eq!(text(), "", "an empty file stays");
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
        fs::remove_dir_all(folder).unwrap();
    }

    /// As the agent writes, with a pause between the file's end and its new beginning.
    fn rewrite(path: &Path, state: &str) {
        let mut file = File::create(path).unwrap();
        thread::sleep(Duration::from_millis(2));
        file.write_all(state.as_bytes()).unwrap();
    }

    #[test]
    fn what_the_agent_writes_meanwhile_is_not_lost() {
        const OURS: &str = "10.9.9.9,50000";
        let folder = std::env::temp_dir().join(format!("fipscope-meanwhile-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join("fip-priorities");
        let mut state = "192.168.1.1,32768\n".to_owned();
        for round in 0..30 {
            rewrite(&path, &state);
            state = format!("{state}192.168.2.{round},{}\n", 40_000 + round);
            let agent = thread::spawn({
                let (path, state) = (path.clone(), state.clone());
                move || {
                    thread::sleep(Duration::from_micros(round * 100));
                    rewrite(&path, &state);
                }
            });
            add(&path, None, OURS).unwrap();
            agent.join().unwrap();
            let text = fs::read_to_string(&path).unwrap();
            // Whoever came last: ours goes with what the agent writes after it.
            assert!(text == state || text == format!("{state}{OURS}\n"), "round {round}: {text}");
        }
        fs::remove_dir_all(folder).unwrap();
    }
}
