//! Packet sockets in namespaces: what flows through their devices, untouched.
//!
//! One socket a namespace hears all its devices, through a ring of memory that
//! the kernel writes and we read. Nothing of the node is changed: no device
//! becomes promiscuous. Memory and CPU are bounded, and what the kernel drops
//! because we are too slow is counted ([`Capture::lost`]).

mod error;
mod filter;
mod memory;
mod ring;

use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::thread;
use std::time::{Duration, Instant};

use crate::net::{Frame, NetnsName};
use crate::netns::{NetnsDir, enter};

pub use error::Error;
use ring::Ring;

/// As much of a frame is kept: Ethernet, VLAN tag, the longest IPv4 header, TCP.
pub const SNAP: u32 = 128;
/// What the kernel has caught surfaces after this long at the latest.
pub const DELAY: Duration = Duration::from_millis(100);

/// As many namespaces are listened in.
const MOST: usize = 256;

/// Sockets that hear what passes in namespaces.
#[derive(Debug)]
pub struct Capture {
    dir: NetnsDir,
    /// By number.
    taps: Vec<Option<Tap>>,
    deaf: Vec<(NetnsName, String)>,
    /// What was lost with rings that are closed.
    lost: u64,
    /// Namespaces that were taken in or let go of so far.
    changes: u64,
}

/// A namespace that is listened in.
#[derive(Debug)]
struct Tap {
    name: NetnsName,
    /// The namespace itself: a name can come to mean another.
    inode: u64,
    ring: Ring,
}

impl Capture {
    /// Listens in these namespaces, as many as the bound allows.
    ///
    /// # Errors
    /// Where there are names, but not one namespace could be listened in: the
    /// first one's reason.
    pub fn open(dir: &NetnsDir, names: &[NetnsName]) -> Result<Self, Error> {
        let mut capture = Self { dir: dir.clone(), taps: Vec::new(), deaf: Vec::new(), lost: 0, changes: 0 };
        let memory = memory::share(names.len(), 0, 0);
        let mut first = None;
        for name in names {
            if let Err(error) = capture.add(name, memory) {
                capture.deaf.push((name.clone(), error.to_string()));
                first.get_or_insert(error);
            }
        }
        match first {
            Some(error) if capture.taps.is_empty() => Err(error),
            _ => Ok(capture),
        }
    }

    /// Lets go of namespaces whose name is gone or means another by now. True
    /// where there was one. A socket keeps a deleted namespace alive, which
    /// hinders the agent: call it every second or so.
    pub fn let_go(&mut self) -> bool {
        self.close(|_, is_gone| is_gone)
    }

    /// Listens in these namespaces from here on: lets go of others, adds new ones.
    /// Numbers may mean others afterwards ([`Capture::numbering`]).
    pub fn follow(&mut self, names: &[NetnsName]) {
        let wanted: BTreeSet<&NetnsName> = names.iter().collect();
        self.close(|name, is_gone| is_gone || !wanted.contains(name));
        let heard: BTreeSet<NetnsName> = self.taps.iter().flatten().map(|tap| tap.name.clone()).collect();
        self.deaf.clear();
        let new: Vec<&NetnsName> = names.iter().filter(|name| !heard.contains(name)).collect();
        let taken = self.taps.iter().flatten().map(|tap| tap.ring.size()).sum();
        let memory = memory::share(new.len(), heard.len(), taken);
        for name in new {
            if let Err(error) = self.add(name, memory) {
                self.deaf.push((name.clone(), error.to_string()));
            }
        }
    }

    /// The namespaces by the numbers that frames carry; `None` where one is gone.
    pub fn names(&self) -> Vec<Option<NetnsName>> {
        self.taps.iter().map(|tap| tap.as_ref().map(|tap| tap.name.clone())).collect()
    }

    /// Another number than before where a number that frames carry means another
    /// namespace by now: one of the same name, perhaps.
    pub fn numbering(&self) -> u64 {
        self.changes
    }

    /// Namespaces that are not listened in, with the reason.
    pub fn deaf(&self) -> &[(NetnsName, String)] {
        &self.deaf
    }

    /// Hands over what was caught, after waiting for it at most so long. Of each
    /// namespace no more than its ring holds, so that a flood in one does not
    /// silence the others. Frames of one namespace come in order. It rests as long
    /// as it worked: half a core at most, and what that does not suffice for is
    /// lost, and counted.
    pub fn read(&mut self, patience: Duration, each: &mut impl FnMut(&Frame<'_>)) -> Result<(), Error> {
        let fds: Vec<_> = self.taps.iter().flatten().map(|tap| tap.ring.as_fd()).collect();
        ring::wait(&fds, patience).map_err(|source| Error::Wait { source })?;
        let begun = Instant::now();
        for (number, tap) in (0..).zip(&mut self.taps) {
            if let Some(tap) = tap {
                tap.ring.drain(number, each);
            }
        }
        thread::sleep(begun.elapsed());
        Ok(())
    }

    /// Frames that passed and will not be handed over, since the capture began: the
    /// kernel dropped them because its ring was full, or they were still in the ring
    /// of a namespace that was let go of.
    pub fn lost(&mut self) -> u64 {
        self.lost + self.taps.iter_mut().flatten().map(|tap| tap.ring.dropped()).sum::<u64>()
    }

    /// Closes the sockets of which it is said, by name and whether that is gone.
    fn close(&mut self, which: impl Fn(&NetnsName, bool) -> bool) -> bool {
        let mut closed = false;
        for slot in &mut self.taps {
            if let Some(tap) = slot.as_mut().filter(|tap| which(&tap.name, !tap.stands(&self.dir))) {
                self.lost += tap.ring.dropped() + tap.ring.unread();
                *slot = None;
                self.changes += 1;
                closed = true;
            }
        }
        closed
    }

    fn add(&mut self, name: &NetnsName, memory: usize) -> Result<(), Error> {
        if self.taps.iter().flatten().count() >= MOST {
            return Err(Error::TooMany { most: MOST });
        }
        let ns = self.dir.open(name)?;
        let opened = enter(&ns, || Ring::open(memory))?;
        let failed = |(operation, source)| Error::Socket { name: name.clone(), operation, source };
        let ring = opened.map_err(failed)?;
        let inode = inode(ns).map_err(|source| failed(("identify the namespace", source)))?;
        let tap = Some(Tap { name: name.clone(), inode, ring });
        match self.taps.iter_mut().find(|slot| slot.is_none()) {
            Some(slot) => *slot = tap,
            None => self.taps.push(tap),
        }
        self.changes += 1;
        Ok(())
    }
}

impl Tap {
    /// Whether the name still means the namespace that is listened in.
    fn stands(&self, dir: &NetnsDir) -> bool {
        dir.open(&self.name).is_ok_and(|ns| inode(ns).is_ok_and(|inode| inode == self.inode))
    }
}

fn inode(ns: OwnedFd) -> io::Result<u64> {
    Ok(File::from(ns).metadata()?.ino())
}
