//! A root folder, ours or a process's: files are found under it as that process
//! would find them, and never outside.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::fcntl::{OFlag, OpenHow, ResolveFlag, openat2};

use super::whole::read_whole;

/// As many names as we take of one folder.
const MOST_NAMES: usize = 16_384;

/// A root folder.
pub(crate) struct Root {
    fd: OwnedFd,
    path: PathBuf,
    foreign: bool,
}

impl Root {
    /// Our own.
    pub(crate) fn host() -> io::Result<Self> {
        Self::open(PathBuf::from("/"))
    }

    /// The one that a process sees: another than ours, if it is in a container.
    pub(crate) fn of_process(pid: u32) -> io::Result<Self> {
        let root = Self::open(PathBuf::from(format!("/proc/{pid}/root")))?;
        if root.foreign { Ok(root) } else { Self::host() }
    }

    fn open(path: PathBuf) -> io::Result<Self> {
        let flags = libc::O_PATH | libc::O_DIRECTORY;
        let folder = File::options().read(true).custom_flags(flags).open(&path)?;
        let (theirs, ours) = (folder.metadata()?, fs::metadata("/")?);
        let foreign = (theirs.dev(), theirs.ino()) != (ours.dev(), ours.ino());
        Ok(Self { fd: folder.into(), path, foreign })
    }

    /// It is another root than ours.
    pub(crate) fn is_foreign(&self) -> bool {
        self.foreign
    }

    /// Where a file under this root lies for us.
    pub(crate) fn outer_path(&self, path: &Path) -> PathBuf {
        self.path.join(path.strip_prefix("/").unwrap_or(path))
    }

    /// The beginning of a regular file, and whether there is more of it.
    pub(crate) fn read(&self, path: &Path, limit: u64) -> io::Result<(String, bool)> {
        let mut bytes = Vec::new();
        self.regular(path)?.take(limit + 1).read_to_end(&mut bytes)?;
        Ok(beginning(bytes, limit))
    }

    /// The same of a file of records that is emptied and written anew while it is read.
    pub(crate) fn read_records(&self, path: &Path, limit: u64) -> io::Result<(String, bool)> {
        Ok(beginning(read_whole(&self.regular(path)?, limit + 1)?, limit))
    }

    /// The names in a folder, sorted.
    pub(crate) fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        let folder = self.find(path, OFlag::O_DIRECTORY)?;
        let entries = fs::read_dir(format!("/proc/self/fd/{}", folder.as_raw_fd()))?;
        let names = entries.take(MOST_NAMES).filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let mut names: Vec<String> = names.collect();
        names.sort();
        Ok(names)
    }

    fn regular(&self, path: &Path) -> io::Result<File> {
        let file = self.find(path, OFlag::empty())?;
        if file.metadata()?.is_file() {
            return Ok(file);
        }
        Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"))
    }

    /// Opens a path with this root as the root of every symbolic link on the
    /// way. A pipe in a file's place does not make us wait.
    fn find(&self, path: &Path, flags: OFlag) -> io::Result<File> {
        let flags = OFlag::O_RDONLY | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK | flags;
        let how = OpenHow::new().flags(flags).resolve(ResolveFlag::RESOLVE_IN_ROOT);
        match openat2(&self.fd, path, how) {
            Ok(fd) => Ok(fd.into()),
            // Before 5.6 there is no openat2; within our own root it changes nothing.
            Err(nix::Error::ENOSYS) if !self.foreign => {
                File::options().read(true).custom_flags(flags.bits()).open(self.outer_path(path))
            }
            Err(errno) => Err(errno.into()),
        }
    }
}

/// The text of as many bytes, and whether there are more.
fn beginning(mut bytes: Vec<u8>, limit: u64) -> (String, bool) {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = bytes.len() > limit;
    bytes.truncate(limit);
    (String::from_utf8_lossy(&bytes).into_owned(), more)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_outside_the_root_is_read() {
        let base = std::env::temp_dir().join(format!("fipscope-root-{}", std::process::id()));
        fs::create_dir_all(base.join("etc")).unwrap();
        fs::write(base.join("etc/inside"), "yes, and more").unwrap();
        std::os::unix::fs::symlink("/etc/inside", base.join("link")).unwrap();
        std::os::unix::fs::symlink("/proc/self/environ", base.join("out")).unwrap();
        let root = Root::open(base.clone()).unwrap();
        assert!(root.is_foreign());
        assert_eq!(root.read(Path::new("/link"), 3).unwrap(), ("yes".to_owned(), true));
        assert_eq!(root.read(Path::new("/../../link"), 100).unwrap(), ("yes, and more".to_owned(), false));
        assert!(root.read(Path::new("/out"), 3).is_err());
        assert!(root.read(Path::new("/etc"), 3).is_err());
        assert_eq!(root.list(Path::new("/etc")).unwrap(), ["inside"]);
        assert_eq!(root.outer_path(Path::new("/etc/inside")), base.join("etc/inside"));
        fs::remove_dir_all(base).unwrap();
    }
}
