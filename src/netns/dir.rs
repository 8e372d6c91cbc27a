//! The folder in which namespaces have their names (`/run/netns`, as
//! `ip netns` keeps it).

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::thread;

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};
use nix::sys::statfs::{NSFS_MAGIC, fstatfs};

use super::Error;
use crate::net::NetnsName;

/// As many names as a listing takes; a node has some hundreds.
const MOST_NAMES: usize = 65_536;

/// A folder of named namespaces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetnsDir {
    path: PathBuf,
}

/// The names in the folder.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// The names, sorted. Whether a namespace is mounted there, opening tells.
    pub names: Vec<NetnsName>,
    /// What a person should know about the listing, if anything.
    pub note: Option<String>,
}

impl Default for NetnsDir {
    fn default() -> Self {
        Self::new("/run/netns")
    }
}

impl NetnsDir {
    /// That folder; it need not exist.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// The folder's path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The names in it. A missing folder holds none: it appears with the first
    /// namespace.
    pub fn list(&self) -> Result<Listing, Error> {
        let failed = |source| Error::List { dir: self.path.clone(), source };
        let entries = match fs::read_dir(&self.path) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let note =
                    format!("{} does not exist, so no network namespace has a name here", super::shown(&self.path));
                return Ok(Listing { names: Vec::new(), note: Some(note) });
            }
            Err(error) => return Err(failed(error)),
        };
        let mut listing = Listing::default();
        for entry in entries {
            let entry = entry.map_err(failed)?;
            if listing.names.len() == MOST_NAMES {
                listing.note = Some(format!("more than {MOST_NAMES} names; the others were passed over"));
                break;
            }
            match entry.file_name().into_string() {
                Ok(name) => listing.names.push(NetnsName::new(name)),
                Err(_) => listing.note = Some("a name that is not UTF-8 was passed over".to_owned()),
            }
        }
        listing.names.sort();
        Ok(listing)
    }

    /// Opens a namespace. As long as the descriptor lives, so does the
    /// namespace, even when its name is gone: let go of it soon.
    pub fn open(&self, name: &NetnsName) -> Result<OwnedFd, Error> {
        let path = self.file(name)?;
        // Before the mount the file is a plain one, and could be anything: do not block on a pipe.
        let file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path);
        let file = file.map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => Error::Gone(name.clone()),
            _ => Error::Open { name: name.clone(), source },
        })?;
        let kind = fstatfs(&file).map_err(|errno| Error::Open { name: name.clone(), source: errno.into() })?;
        // `ip netns add` makes the file first and mounts a moment later (ip-netns: netns_add).
        if kind.filesystem_type() == NSFS_MAGIC { Ok(file.into()) } else { Err(Error::NotMounted(name.clone())) }
    }

    /// Makes a namespace of that name, as `ip netns add` does. Nothing forks: a
    /// thread that dies right after unshares, and its namespace is mounted.
    pub fn create(&self, name: &NetnsName) -> Result<OwnedFd, Error> {
        let failed = |operation, source| Error::Create { name: name.clone(), operation, source };
        let path = self.file(name)?;
        fs::create_dir_all(&self.path).map_err(|source| failed("make the folder", source))?;
        File::create_new(&path).map_err(|source| failed("make the file", source))?;
        let made = thread::scope(|scope| {
            let thread = thread::Builder::new().spawn_scoped(scope, || {
                unshare(CloneFlags::CLONE_NEWNET).map_err(|errno| ("unshare", errno.into()))?;
                let bind = MsFlags::MS_BIND;
                mount(Some("/proc/thread-self/ns/net"), &path, None::<&str>, bind, None::<&str>)
                    .map_err(|errno| ("mount", errno.into()))
            });
            let thread = thread.map_err(|source| ("start a thread", source))?;
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        });
        if let Err((operation, source)) = made {
            // The file without a namespace would look like one that is about to come.
            let _ = fs::remove_file(&path);
            return Err(failed(operation, source));
        }
        self.open(name)
    }

    /// Takes the name away. The namespace itself goes when no process, socket
    /// or descriptor is in it any more.
    pub fn delete(&self, name: &NetnsName) -> Result<(), Error> {
        let failed = |operation, source| Error::Delete { name: name.clone(), operation, source };
        let path = self.file(name)?;
        match umount2(&path, MntFlags::MNT_DETACH) {
            // EINVAL: nothing is mounted there; the file may go all the same.
            Ok(()) | Err(nix::Error::EINVAL) => {}
            Err(nix::Error::ENOENT) => return Err(Error::Gone(name.clone())),
            Err(errno) => return Err(failed("unmount", errno.into())),
        }
        fs::remove_file(&path).map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => Error::Gone(name.clone()),
            _ => failed("remove the file", source),
        })
    }

    /// The namespace's file. Names come from users and snapshots: none may
    /// lead out of the folder.
    pub fn file(&self, name: &NetnsName) -> Result<PathBuf, Error> {
        let word = name.as_str();
        if word.is_empty() || word == "." || word == ".." || word.contains(['/', '\0']) || word.len() > 255 {
            return Err(Error::Name(name.clone()));
        }
        Ok(self.path.join(word))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_leads_out_of_the_folder() {
        let dir = NetnsDir::default();
        for bad in ["", ".", "..", "../x", "a/b", "a\0b"] {
            assert!(matches!(dir.file(&NetnsName::from(bad)), Err(Error::Name(_))), "{bad:?}");
        }
        let good = NetnsName::from("qrouter-ef25020f-012c-41d6-a36e-f2f09cb8ea62");
        assert_eq!(dir.file(&good).unwrap().parent(), Some(Path::new("/run/netns")));
    }

    #[test]
    fn a_missing_folder_holds_no_namespace() {
        let listing = NetnsDir::new("/nonexistent/netns").list().unwrap();
        assert!(listing.names.is_empty());
        assert!(listing.note.unwrap().contains("does not exist"));
    }

    #[test]
    fn a_plain_file_is_not_a_namespace() {
        let dir = NetnsDir::new(env!("CARGO_MANIFEST_DIR"));
        let plain = NetnsName::from("Cargo.toml");
        assert!(matches!(dir.open(&plain), Err(Error::NotMounted(_))));
        assert!(matches!(dir.open(&NetnsName::from("no such file")), Err(Error::Gone(_))));
    }
}
