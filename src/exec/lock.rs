//! One change at a time: our own lock, and the L3 agent's.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Seek};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, Flock, FlockArg, fcntl};

use crate::net::{Observed, Snapshot, printable};
use crate::plan::Place;

use super::{Cause, Error};

/// Where our lock is: one for the node, wherever journals are kept. It goes with
/// the node's run, as all namespaces do.
pub(super) const FOLDER: &str = "/run/fipscope";
/// Its name there.
const FILE: &str = "change.lock";
/// As many bytes of it are read: a number, and a path on the next line.
const LONGEST: u64 = 32 + 4096;
/// How long the agent gets to finish with a namespace's packet filter: its
/// longest restore takes some seconds.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(10);

/// The right to change the node. It goes with the process, however that ends.
pub(super) struct NodeLock {
    held: Flock<File>,
}

impl NodeLock {
    /// Takes it, or says who has it.
    pub(super) fn take(folder: &Path) -> Result<Self, Error> {
        let path = folder.join(FILE);
        let failed = |source| Error::Lock { path: path.clone(), source };
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
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
            Ok(held) => Ok(Self { held }),
            Err((file, Errno::EWOULDBLOCK)) => Err(Error::Busy { holder: said(&file) }),
            Err((_, errno)) => Err(failed(errno.into())),
        }
    }

    /// Where the journal is of whoever had it last, as far as that was said.
    pub(super) fn journal(&self) -> Option<PathBuf> {
        text(&self.held).split_once('\n').map(|(_, path)| PathBuf::from(path))
    }

    /// Says who has it, and where the journal is: for whoever comes next.
    pub(super) fn sign(&mut self, journal: &Path) {
        let mut line = format!("{}\n", std::process::id()).into_bytes();
        line.extend(journal.as_os_str().as_bytes());
        // The lock holds without it.
        let _ = self.held.set_len(0).and_then(|()| self.held.write_all_at(&line, 0));
    }
}

/// Who changes the node at the moment; `None` where nobody does. Nothing is
/// locked for that: the kernel lists who has which lock (`/proc/locks`).
pub fn holder() -> Option<String> {
    let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK;
    let file = OpenOptions::new().read(true).custom_flags(flags).open(Path::new(FOLDER).join(FILE)).ok()?;
    let inode = format!(":{}", file.metadata().ok()?.ino());
    let locks = fs::read_to_string("/proc/locks").ok()?;
    let text = text(&file);
    let pid = text.lines().next().unwrap_or_default();
    // "1: FLOCK ADVISORY WRITE PID DEVICE:INODE …". Another filesystem has the same inode for another file, and the
    // device is not on every filesystem the one that the file tells: it is whoever says that it has it.
    let is_it = |line: &str| {
        let mut words = line.split_whitespace().skip(1);
        let is_lock = words.next() == Some("FLOCK") && words.nth(2) == Some(pid);
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

/// What is written in the lock.
fn text(mut file: &File) -> String {
    let mut bytes = Vec::new();
    let _ = file.rewind().and_then(|()| file.take(LONGEST).read_to_end(&mut bytes));
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Who has the lock, as far as it said.
fn said(file: &File) -> String {
    let text = text(file);
    let Ok(pid) = text.lines().next().unwrap_or_default().parse::<u32>() else { return "another process".to_owned() };
    let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let words: Vec<_> = line.split(|byte| *byte == 0).map(String::from_utf8_lossy).collect();
    match words.join(" ").trim() {
        "" => format!("process {pid}"),
        line => format!("process {pid} ({})", printable(line, 120)),
    }
}

/// Where the agent has its locks; `None` where it does not run. The error says
/// why that is not known where it runs, or may run: without them the packet
/// filter must not be changed.
pub(super) fn agent_locks(snapshot: &Snapshot) -> Result<Option<PathBuf>, String> {
    let host = &snapshot.host;
    let (root, who) = match &host.agent {
        Observed::Absent => return Ok(None),
        Observed::Seen(agent) if agent.containerised => {
            (Some(format!("/proc/{}/root", agent.pid)), "it runs".to_owned())
        }
        Observed::Seen(_) => (None, "it runs".to_owned()),
        Observed::Unreadable(why) => (None, format!("whether it runs could not be read ({})", printable(why, 200))),
    };
    // What packages configure: `lock_path = $state_path/lock`.
    let usual = || host.state_path.as_ref().map(|path| path.join("lock"));
    let Some(path) = host.lock_path.clone().or_else(usual) else {
        return Err(format!("{who}, and nothing tells its state path"));
    };
    let path = match root {
        Some(root) => Path::new(&root).join(path.strip_prefix("/").unwrap_or(&path)),
        None => path,
    };
    if path.is_dir() { Ok(Some(path)) } else { Err(format!("{who}, and there is no folder {}", path.display())) }
}

/// The agent's own lock on the packet filter of one namespace
/// (`neutron/agent/linux/iptables_manager.py`, `_apply`;
/// `oslo_concurrency/lockutils.py`). Record locks of Python's `lockf` and those
/// of open files exclude each other.
pub(super) struct AgentLock {
    _held: File,
}

impl AgentLock {
    /// Waits for it, but not longer than that.
    pub(super) fn take(folder: &Path, place: &Place, patience: Duration) -> Result<Self, Cause> {
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
                Err(Errno::EAGAIN | Errno::EACCES) if begin.elapsed() < patience => thread::sleep(PAUSE),
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
        let mut first = NodeLock::take(&folder).unwrap();
        assert_eq!(first.journal(), None);
        first.sign(Path::new("/a folder/of one"));
        let Err(Error::Busy { holder }) = NodeLock::take(&folder) else { panic!("two have it") };
        assert!(holder.starts_with(&format!("process {} (", std::process::id())), "{holder}");
        drop(first);
        assert_eq!(NodeLock::take(&folder).unwrap().journal(), Some("/a folder/of one".into()));
        let place = Place::netns("qrouter-1");
        let held = AgentLock::take(&folder, &place, PATIENCE).unwrap();
        let file = folder.join("neutron-iptables-qrouter-1");
        assert!(file.is_file());
        // Whoever waits for it in vain says what it is.
        match AgentLock::take(&folder, &place, PAUSE) {
            Err(Cause::AgentBusy { path }) => assert_eq!(path, file),
            Err(other) => panic!("{other}"),
            Ok(_) => panic!("two have it"),
        }
        // It goes on as soon as it is free.
        let free = thread::spawn(move || {
            thread::sleep(PAUSE * 5);
            drop(held);
        });
        AgentLock::take(&folder, &place, PATIENCE).unwrap();
        free.join().unwrap();
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn where_the_agent_may_run_its_locks_have_to_be_known() {
        let folder = std::env::temp_dir().join(format!("fipscope-locks-{}", std::process::id()));
        let locks = folder.join("lock");
        let mut node = Snapshot::empty("node", jiff::Timestamp::UNIX_EPOCH);
        node.host.agent = Observed::Absent;
        assert_eq!(agent_locks(&node), Ok(None));
        for agent in [Observed::Seen(crate::net::Agent::default()), Observed::Unreadable("no /proc".to_owned())] {
            (node.host.agent, node.host.state_path) = (agent, None);
            assert!(agent_locks(&node).unwrap_err().contains("nothing tells its state path"));
            node.host.state_path = Some(folder.clone());
            let why = agent_locks(&node).unwrap_err();
            assert!(why.contains(&format!("there is no folder {}", locks.display())), "{why}");
            fs::create_dir_all(&locks).unwrap();
            assert_eq!(agent_locks(&node), Ok(Some(locks.clone())));
            fs::remove_dir_all(&folder).unwrap();
        }
    }
}
