//! Wakes the watcher from other threads.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::sys::epoll::{Epoll, EpollEvent, EpollFlags};
use nix::sys::eventfd::{EfdFlags, EventFd};

/// An event descriptor, and what it is rung for.
pub(super) struct Bell {
    event: EventFd,
    stopped: AtomicBool,
    again: AtomicBool,
}

/// Speaks to a watcher from another thread.
#[derive(Clone)]
pub struct Handle(Arc<Bell>);

impl Bell {
    pub(super) fn new() -> nix::Result<Self> {
        let event = EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?;
        Ok(Self { event, stopped: AtomicBool::new(false), again: AtomicBool::new(false) })
    }

    pub(super) fn join(&self, epoll: &Epoll, number: u64) -> nix::Result<()> {
        epoll.add(&self.event, EpollEvent::new(EpollFlags::EPOLLIN, number))
    }

    pub(super) fn ring(&self) {
        // It fails only where it was rung 2^64 times and never answered.
        let _ = self.event.write(1);
    }

    /// Answers it; true where everything is to be read again.
    pub(super) fn answer(&self) -> bool {
        let _ = self.event.read();
        self.again.swap(false, Ordering::AcqRel)
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Acquire)
    }
}

impl Handle {
    pub(super) fn new(bell: Arc<Bell>) -> Self {
        Self(bell)
    }

    /// Ends the wait of [`Watcher::next`](super::Watcher::next), now and from now on.
    pub fn stop(&self) {
        self.0.stopped.store(true, Ordering::Release);
        self.0.ring();
    }

    /// True once it was stopped.
    pub fn is_stopped(&self) -> bool {
        self.0.is_stopped()
    }

    /// Has everything read again; an update follows, changes or not.
    pub fn reread(&self) {
        self.0.again.store(true, Ordering::Release);
        self.0.ring();
    }
}
