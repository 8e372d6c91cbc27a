//! One change at a time: our own lock, and the L3 agent's.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, Flock, FlockArg, fcntl};

use crate::net::{Snapshot, printable};
use crate::plan::Place;

use super::{Cause, Error, Site};

/// Our lock's name in the state folder.
const FILE: &str = "change.lock";
/// How long the agent gets to finish with a namespace's packet filter: its
/// longest restore takes some seconds.
const PATIENCE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(10);

/// The right to change the node. It goes with the process, however that ends.
pub(super) struct NodeLock {
    _held: Flock<File>,
}

impl NodeLock {
    /// Takes it, or says who has it.
    pub(super) fn take(folder: &Path) -> Result<Self, Error> {
        let path = folder.join(FILE);
        let failed = |source| Error::State { what: "lock", path: path.clone(), source };
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
            .open(&path)
            .map_err(failed)?;
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(mut held) => {
                // For whoever comes next; the lock holds without it.
                let _ = held.set_len(0).and_then(|()| write!(held, "{}", std::process::id()));
                Ok(Self { _held: held })
            }
            Err((file, Errno::EWOULDBLOCK)) => Err(Error::Busy { holder: said(&file) }),
            Err((_, errno)) => Err(failed(errno.into())),
        }
    }
}

/// Who changes the node at the moment; `None` where nobody does. Nothing is
/// locked for that: the kernel lists who has which lock (`/proc/locks`).
pub fn holder(site: &Site) -> Option<String> {
    let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK;
    let file = OpenOptions::new().read(true).custom_flags(flags).open(site.folder.join(FILE)).ok()?;
    let inode = format!(":{}", file.metadata().ok()?.ino());
    let locks = fs::read_to_string("/proc/locks").ok()?;
    let mut pid = String::new();
    (&file).take(32).read_to_string(&mut pid).ok()?;
    // "1: FLOCK ADVISORY WRITE PID DEVICE:INODE …". Another filesystem has the same inode for another file, and the
    // device is not on every filesystem the one that the file tells: it is whoever says that it has it.
    let is_it = |line: &str| {
        let mut words = line.split_whitespace().skip(1);
        let is_lock = words.next() == Some("FLOCK") && words.nth(2) == Some(pid.trim());
        is_lock && words.next().is_some_and(|file| file.ends_with(&inode))
    };
    locks.lines().any(is_it).then(|| said(&file))
}

/// How a restore program stands to the lock on all legacy tables of the node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TablesLock {
    /// It has it.
    Held,
    /// It waits for it.
    Wanted,
    /// It has not come to it, or takes none.
    None,
}

/// How a process stands to the lock of `iptables` (`xtables_lock` in
/// `iptables/xshared.c`: the file open, and `flock` on it).
pub(super) fn tables_lock(pid: u32) -> TablesLock {
    let folder = fs::read_dir(format!("/proc/{pid}/fd")).ok();
    let mut files = folder.into_iter().flatten().flatten().filter_map(|entry| fs::read_link(entry.path()).ok());
    if !files.any(|file| file.file_name().is_some_and(|name| name == "xtables.lock")) {
        return TablesLock::None;
    }
    let pid = pid.to_string();
    // "1: FLOCK ADVISORY WRITE PID …"; of one that waits, "->" stands before FLOCK.
    let is_its = |line: &str| {
        let mut words = line.split_whitespace().skip(1);
        words.next() == Some("FLOCK") && words.nth(2) == Some(pid.as_str())
    };
    let locks = fs::read_to_string("/proc/locks").unwrap_or_default();
    if locks.lines().any(is_its) { TablesLock::Held } else { TablesLock::Wanted }
}

/// Who has the lock, as far as it said.
fn said(mut file: &File) -> String {
    let mut text = String::new();
    let _ = file.rewind();
    let _ = file.take(32).read_to_string(&mut text);
    let Ok(pid) = text.trim().parse::<u32>() else { return "another process".to_owned() };
    let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let words: Vec<_> = line.split(|byte| *byte == 0).map(String::from_utf8_lossy).collect();
    match words.join(" ").trim() {
        "" => format!("process {pid}"),
        line => format!("process {pid} ({})", printable(line, 120)),
    }
}

/// Where the agent has its locks, as far as the reading tells; `None` where it
/// does not run, or nothing there looks like it.
pub(super) fn agent_locks(snapshot: &Snapshot) -> Option<PathBuf> {
    let host = &snapshot.host;
    let agent = host.agent.seen()?;
    // What packages configure: `lock_path = $state_path/lock`.
    let usual = || host.state_path.as_ref().map(|path| path.join("lock"));
    let path = host.lock_path.clone().or_else(usual)?;
    let path = if agent.containerised {
        Path::new(&format!("/proc/{}/root", agent.pid)).join(path.strip_prefix("/").unwrap_or(&path))
    } else {
        path
    };
    path.is_dir().then_some(path)
}

/// The agent's own lock on the packet filter of one namespace
/// (`neutron/agent/linux/iptables_manager.py`, `_apply`;
/// `oslo_concurrency/lockutils.py`). Record locks of Python's `lockf` and those
/// of open files exclude each other.
pub(super) struct AgentLock {
    _held: File,
}

impl AgentLock {
    /// Waits for it, but not for ever.
    pub(super) fn take(folder: &Path, place: &Place) -> Result<Self, Cause> {
        let name = place.name().map_or_else(String::new, |name| format!("-{}", name.as_str().replace('/', "_")));
        let path = folder.join(format!("neutron-iptables{name}"));
        let failed = |source| Cause::Io { what: path.display().to_string(), source };
        let file = open(folder, &path).map_err(failed)?;
        let begin = Instant::now();
        let short = |number: libc::c_int| libc::c_short::try_from(number).unwrap_or_default();
        let whole = libc::flock {
            l_type: short(libc::F_WRLCK),
            l_whence: short(libc::SEEK_SET),
            l_start: 0,
            l_len: 0,
            l_pid: 0,
        };
        loop {
            match fcntl(&file, FcntlArg::F_OFD_SETLK(&whole)) {
                Ok(_) => return Ok(Self { _held: file }),
                Err(Errno::EAGAIN | Errno::EACCES) if begin.elapsed() < PATIENCE => thread::sleep(PAUSE),
                Err(Errno::EAGAIN | Errno::EACCES) => return Err(Cause::AgentBusy { path }),
                Err(errno) => return Err(failed(errno.into())),
            }
        }
    }
}

/// The lock file; a new one belongs to whom the folder belongs to, who has to
/// be able to open it too.
fn open(folder: &Path, path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK);
    let file = match options.open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let file = options.create_new(true).mode(0o644).open(path)?;
            let owner = fs::metadata(folder)?;
            std::os::unix::fs::fchown(&file, Some(owner.uid()), Some(owner.gid()))?;
            file
        }
        other => other?,
    };
    if file.metadata()?.is_file() { Ok(file) } else { Err(io::Error::other("it is no file")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_one_is_told_who_was_first() {
        let folder = std::env::temp_dir().join(format!("fipscope-lock-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let first = NodeLock::take(&folder).unwrap();
        let Err(Error::Busy { holder }) = NodeLock::take(&folder) else { panic!("two have it") };
        assert!(holder.starts_with(&format!("process {} (", std::process::id())), "{holder}");
        drop(first);
        NodeLock::take(&folder).unwrap();
        let place = Place::netns("qrouter-1");
        let held = AgentLock::take(&folder, &place).unwrap();
        assert!(folder.join("neutron-iptables-qrouter-1").is_file());
        drop(held);
        AgentLock::take(&folder, &place).unwrap();
        fs::remove_dir_all(folder).unwrap();
    }
}
