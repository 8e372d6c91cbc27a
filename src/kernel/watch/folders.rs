//! Names of namespaces that come and go, and the agent's files: inotify.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use nix::sys::epoll::{Epoll, EpollEvent, EpollFlags};
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify, WatchDescriptor};

use crate::net::{Host, NetnsName, Observed};

/// The agent's allocation files (`neutron/agent/l3/dvr_fip_ns.py`).
const FILES: [&str; 2] = ["fip-linklocal-networks", "fip-priorities"];

/// Two folders, watched.
pub(super) struct Folders {
    inotify: Inotify,
    names: Watched,
    files: Watched,
}

struct Watched {
    folder: PathBuf,
    watch: Option<WatchDescriptor>,
    /// The folder above, while the folder itself is not there.
    above: Option<WatchDescriptor>,
}

/// What happened.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Happened {
    /// The folder of namespaces is to be listed again.
    pub(super) names: bool,
    /// These names went, or may have: nothing of ours may keep their namespaces.
    pub(super) gone: BTreeSet<NetnsName>,
    /// The agent's files are to be read again.
    pub(super) files: bool,
    /// The kernel had no room for what happened: any name may be another namespace's now.
    pub(super) lost: bool,
}

impl Folders {
    pub(super) fn open(netns_dir: &Path, host: &Host) -> nix::Result<Self> {
        let inotify = Inotify::init(InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC)?;
        let mut folders =
            Self { inotify, names: Watched::new(netns_dir.to_owned()), files: Watched::new(state_folder(host)) };
        folders.look();
        Ok(folders)
    }

    pub(super) fn join(&self, epoll: &Epoll, number: u64) -> nix::Result<()> {
        epoll.add(&self.inotify, EpollEvent::new(EpollFlags::EPOLLIN, number))
    }

    /// The agent's files may lie elsewhere now.
    pub(super) fn follow(&mut self, host: &Host) {
        let folder = state_folder(host);
        if folder != self.files.folder {
            let old = std::mem::replace(&mut self.files, Watched::new(folder));
            // The same folder may be watched for its other part: then both watches are one.
            for watch in [old.watch, old.above].into_iter().flatten().filter(|watch| !self.names.has(*watch)) {
                let _ = self.inotify.rm_watch(watch);
            }
        }
        self.look();
    }

    /// Takes in what lies there.
    pub(super) fn listen(&mut self) -> Happened {
        let mut happened = Happened::default();
        while let Ok(events) = self.inotify.read_events() {
            for event in events {
                self.event(event.wd, event.mask, event.name.as_deref(), &mut happened);
            }
        }
        self.look();
        happened
    }

    fn event(&mut self, watch: WatchDescriptor, mask: AddWatchFlags, name: Option<&OsStr>, happened: &mut Happened) {
        use AddWatchFlags as Is;
        if mask.contains(Is::IN_Q_OVERFLOW) {
            (happened.names, happened.files, happened.lost) = (true, true, true);
            return;
        }
        let text = name.and_then(OsStr::to_str).unwrap_or_default();
        if Some(watch) == self.names.watch {
            happened.names = true;
            if mask.intersects(Is::IN_DELETE | Is::IN_MOVED_FROM | Is::IN_MOVED_TO) {
                happened.gone.insert(NetnsName::new(text));
            }
        }
        if Some(watch) == self.files.watch {
            // A file that is replaced as a whole has a temporary one beside it first.
            happened.files |= FILES.contains(&text) || name.is_none();
        }
        for (watched, flag) in [(&mut self.names, &mut happened.names), (&mut self.files, &mut happened.files)] {
            let is_above = Some(watch) == watched.above;
            *flag |= is_above && watched.folder.file_name() == name;
            if mask.contains(Is::IN_IGNORED) {
                watched.forget(watch);
                *flag = true;
            }
        }
    }

    /// Watches what is there by now, or the folder in which it will appear.
    fn look(&mut self) {
        use AddWatchFlags as Is;
        let kinds = Is::IN_CREATE | Is::IN_DELETE | Is::IN_MOVE | Is::IN_CLOSE_WRITE | Is::IN_DELETE_SELF;
        for watched in [&mut self.names, &mut self.files] {
            if watched.watch.is_none() {
                watched.watch = self.inotify.add_watch(&watched.folder, kinds | Is::IN_ONLYDIR).ok();
            }
            if watched.watch.is_none() && watched.above.is_none() {
                let above = watched.folder.parent();
                watched.above = above.and_then(|above| self.inotify.add_watch(above, kinds | Is::IN_ONLYDIR).ok());
            }
        }
    }
}

impl Watched {
    fn new(folder: PathBuf) -> Self {
        Self { folder, watch: None, above: None }
    }

    fn has(&self, watch: WatchDescriptor) -> bool {
        [self.watch, self.above].contains(&Some(watch))
    }

    fn forget(&mut self, watch: WatchDescriptor) {
        for place in [&mut self.watch, &mut self.above] {
            if *place == Some(watch) {
                *place = None;
            }
        }
    }
}

/// Where the agent's files lie for us: in a container that is not where they
/// lie for the agent.
fn state_folder(host: &Host) -> PathBuf {
    let of =
        |file: &Observed<crate::net::AllocationFile>| file.seen().and_then(|file| Some(file.path.parent()?.to_owned()));
    of(&host.link_local_file)
        .or_else(|| of(&host.priority_file))
        .or_else(|| host.state_path.clone())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::Snapshot;

    #[test]
    fn where_events_were_lost_any_name_may_have_changed() {
        let host = Snapshot::empty("", jiff::Timestamp::UNIX_EPOCH).host;
        let mut folders = Folders::open(&std::env::temp_dir(), &host).unwrap();
        let (watch, mut happened) = (folders.names.watch.unwrap(), Happened::default());
        folders.event(watch, AddWatchFlags::IN_Q_OVERFLOW, None, &mut happened);
        assert_eq!(happened, Happened { names: true, files: true, lost: true, ..Happened::default() });
    }
}
