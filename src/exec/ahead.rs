//! Programs started ahead: a restore program takes longer to come up than to
//! change a table, and comes up while the node is read.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, OwnedFd};
use std::thread::{self, JoinHandle};

use nix::sys::stat::fstat;

use crate::net::netfilter::Backend;
use crate::netns::{NetnsDir, enter};
use crate::plan::{Action, Place, Plan};

use super::restore::Waiting;

/// As many are started at most.
const MOST: usize = 4;

/// A program that waits in the namespace with that inode.
type Ready = (Waiting, u64);

/// The programs that a change will need, by where they change what.
#[derive(Default)]
pub(super) struct Ahead(BTreeMap<(Place, Backend), JoinHandle<Option<Ready>>>);

impl Ahead {
    /// Starts them. One that cannot be is left out: where it is needed it is
    /// started then, or says why not.
    pub(super) fn of(plan: &Plan, dir: &NetnsDir) -> Self {
        let mut started = BTreeMap::new();
        for step in plan.to_do() {
            let Action::Netfilter(edit) = &step.action else { continue };
            let (key, Some(name)) = ((step.netns.clone(), edit.backend), step.netns.name().cloned()) else { continue };
            if started.contains_key(&key) || started.len() == MOST {
                continue;
            }
            let (dir, backend) = (dir.clone(), edit.backend);
            let start = move || {
                let ns = dir.open(&name).ok()?;
                let waiting = enter(&ns, || Waiting::start(backend)).ok()?.ok()?;
                Some((waiting, inode(&ns)?))
            };
            let thread = thread::Builder::new().name("ahead".to_owned()).spawn(start);
            started.extend(thread.ok().map(|thread| (key, thread)));
        }
        Self(started)
    }

    /// The one that waits in the namespace with this inode: under its name there
    /// may stand another one by now.
    pub(super) fn take(&mut self, place: &Place, backend: Backend, ns: u64) -> Option<Waiting> {
        let (waiting, where_it_is) = self.0.remove(&(place.clone(), backend))?.join().ok()??;
        (ns == where_it_is).then_some(waiting)
    }

    /// Ends those in a namespace: they would keep it alive.
    pub(super) fn leave(&mut self, place: &Place) {
        for backend in [Backend::Nft, Backend::Legacy] {
            self.0.remove(&(place.clone(), backend)).map(JoinHandle::join);
        }
    }
}

impl Drop for Ahead {
    /// Whoever is over leaves no program behind.
    fn drop(&mut self) {
        for (_, thread) in std::mem::take(&mut self.0) {
            let _ = thread.join();
        }
    }
}

/// The inode of a namespace, which tells it from others as long as it is open.
pub(super) fn inode(ns: &OwnedFd) -> Option<u64> {
    fstat(ns.as_fd()).ok().map(|about| about.st_ino)
}
