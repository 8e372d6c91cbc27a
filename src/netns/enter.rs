//! Running code and programs inside a namespace.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::process::{Child, Command};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use nix::sched::{CloneFlags, setns};

use super::{Error, NetnsDir};
use crate::net::NetnsName;

/// Runs `f` inside the namespace, on a fresh thread that dies with it. Sockets
/// that `f` opens and hands out stay in the namespace.
pub fn enter<T: Send>(ns: &OwnedFd, f: impl FnOnce() -> T + Send) -> Result<T, Error> {
    thread::scope(|scope| {
        let thread = thread::Builder::new().spawn_scoped(scope, || {
            change_to(ns)?;
            Ok(f())
        });
        thread.map_err(Error::Thread)?.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// Runs `f` inside every named namespace, several at a time, and `meanwhile` on
/// the calling thread, in its own namespace. The answers come in the order of
/// the names. The threads go from namespace to namespace and die at the end; a
/// namespace that could not be entered is never mistaken for another, as `f`
/// does not run then.
pub fn enter_each<T: Send, M>(
    dir: &NetnsDir,
    names: &[NetnsName],
    f: impl Fn(&NetnsName) -> T + Sync,
    meanwhile: impl FnOnce() -> M,
) -> (Vec<Result<T, Error>>, M) {
    let next = AtomicUsize::new(0);
    let take = || {
        let place = next.fetch_add(1, Ordering::Relaxed);
        names.get(place).map(|name| (place, name))
    };
    let work = || {
        let mut done = Vec::new();
        while let Some((place, name)) = take() {
            // The descriptor is dropped as soon as the thread is in: from here on the thread keeps the namespace.
            let entered = dir.open(name).and_then(|ns| change_to(&ns));
            done.push((place, entered.map(|()| f(name))));
        }
        done
    };
    let workers = processors().min(names.len());
    let (mut done, meanwhile) = thread::scope(|scope| {
        let threads: Vec<_> =
            (0..workers).filter_map(|_| thread::Builder::new().spawn_scoped(scope, work).ok()).collect();
        let meanwhile = meanwhile();
        let mut done = Vec::with_capacity(names.len());
        for thread in threads {
            done.extend(thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        }
        (done, meanwhile)
    });
    done.sort_by_key(|(place, _)| *place);
    let mut answers: Vec<Result<T, Error>> = done.into_iter().map(|(_, answer)| answer).collect();
    // Only where not one thread could be started.
    answers.resize_with(names.len(), || Err(Error::Thread(io::ErrorKind::OutOfMemory.into())));
    (answers, meanwhile)
}

/// How many threads can work at the same time; asked once, as the answer is
/// searched for in the list of all mounts.
fn processors() -> usize {
    static PROCESSORS: OnceLock<usize> = OnceLock::new();
    *PROCESSORS.get_or_init(|| thread::available_parallelism().map_or(1, usize::from))
}

/// Starts a program inside the namespace: it inherits the namespace of the
/// thread that starts it. A death signal set on the command
/// (`PR_SET_PDEATHSIG`) would fire at once, as that thread is gone on return.
pub fn spawn(ns: &OwnedFd, command: &mut Command) -> Result<Child, Error> {
    let program = command.get_program().to_string_lossy().into_owned();
    enter(ns, || command.spawn())?.map_err(|source| Error::Spawn { program, source })
}

/// The namespace that the calling thread is in.
pub fn current() -> Result<OwnedFd, Error> {
    // Not `/proc/self/ns/net`: that is the main thread's.
    File::open("/proc/thread-self/ns/net").map(OwnedFd::from).map_err(|source| Error::Enter { source })
}

fn change_to(ns: &OwnedFd) -> Result<(), Error> {
    setns(ns.as_fd(), CloneFlags::CLONE_NEWNET).map_err(|errno| Error::Enter { source: errno.into() })
}
