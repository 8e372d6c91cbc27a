//! The slow round: what the kernel does not announce (legacy tables, proxy
//! entries, some settings, Open vSwitch, the agent's process) is read again and
//! again, one namespace after the other, on a thread of its own.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::thread;
use std::time::{Duration, Instant};

use super::Bell;
use crate::kernel::namespace::{Parts, read_parts};
use crate::kernel::{ReadOptions, host, outcome};
use crate::net::{Host, Netns, NetnsName, Observed};
use crate::netns::{NetnsDir, enter};

/// A reading is followed by so many times its own length of rest: the
/// namespaces and the host together take half a percent of a core.
const REST: u32 = 400;
/// The rest between two readings of the host's side, at least: the agent's
/// process and Open vSwitch do not change more often than people do.
const HOST_REST: Duration = Duration::from_secs(2);
/// The rest between two namespaces, at least: a small node need not be read
/// without end.
const LEAST_REST: Duration = Duration::from_millis(250);
/// The rest at most: a slow answer once is no reason to look away for long.
const MOST_REST: Duration = Duration::from_secs(30);

/// A namespace; `None` is the host's own.
pub(super) type Place = Option<NetnsName>;

/// What to read.
#[derive(Debug)]
enum Job {
    Netns(Place),
    Host,
}

/// What was read.
pub(super) enum Reading {
    /// A namespace; `None` where it is gone.
    Netns(Place, Box<Option<Observed<Netns>>>),
    /// The host's side without its namespace.
    Host(Box<Host>),
}

/// A reading, and when it began.
pub(super) struct Done {
    pub(super) began: Instant,
    pub(super) took: Duration,
    pub(super) reading: Reading,
}

/// The round and its thread.
pub(super) struct Poller {
    jobs: Sender<Job>,
    done: Receiver<Done>,
    busy: bool,
    round: VecDeque<Place>,
    due: Instant,
    host_due: Instant,
}

impl Poller {
    /// Starts the thread; it ends with its owner. `bell` is rung after each reading.
    pub(super) fn start(options: &ReadOptions, bell: Arc<Bell>) -> io::Result<Self> {
        let (jobs, given) = channel();
        let (finished, done) = channel();
        let options = options.clone();
        let work = move || work(&options, &given, &finished, &bell);
        thread::Builder::new().name("poller".to_owned()).spawn(work)?;
        let now = Instant::now();
        Ok(Self { jobs, done, busy: false, round: VecDeque::new(), due: now + LEAST_REST, host_due: now + HOST_REST })
    }

    /// Starts no reading any more.
    pub(super) fn pause(&mut self) {
        self.busy = true;
    }

    /// The host's side is to be read soon.
    pub(super) fn hurry_host(&mut self) {
        self.host_due = Instant::now();
    }

    /// A namespace is to be read next.
    pub(super) fn hurry(&mut self, place: &Place) {
        self.round.retain(|other| other != place);
        self.round.push_front(place.clone());
    }

    /// When there is something to do; never while a reading is under way.
    pub(super) fn due(&self) -> Option<Instant> {
        (!self.busy).then(|| self.due.min(self.host_due))
    }

    /// Starts the next reading where one is due; `places` begins another round.
    pub(super) fn start_next<'a>(&mut self, now: Instant, places: impl Iterator<Item = &'a Place>) {
        if self.busy {
            return;
        }
        let job = if self.host_due <= now {
            Job::Host
        } else if self.due <= now {
            if self.round.is_empty() {
                self.round.extend(places.cloned());
            }
            let Some(place) = self.round.pop_front() else { return };
            Job::Netns(place)
        } else {
            return;
        };
        self.busy = self.jobs.send(job).is_ok();
    }

    /// What was read since; false beside it where the thread is gone.
    pub(super) fn take(&mut self) -> (Option<Done>, bool) {
        let done = match self.done.try_recv() {
            Ok(done) => done,
            Err(TryRecvError::Empty) => return (None, true),
            Err(TryRecvError::Disconnected) => return (None, false),
        };
        self.busy = false;
        let rest = done.took.saturating_mul(REST).min(MOST_REST);
        let now = Instant::now();
        match done.reading {
            Reading::Netns(..) => self.due = now + rest.max(LEAST_REST),
            Reading::Host(_) => self.host_due = now + rest.max(HOST_REST),
        }
        (Some(done), true)
    }
}

fn work(options: &ReadOptions, jobs: &Receiver<Job>, done: &Sender<Done>, bell: &Bell) {
    let dir = NetnsDir::new(&options.netns_dir);
    while let Ok(job) = jobs.recv() {
        let began = Instant::now();
        let reading = match job {
            Job::Host => Reading::Host(Box::new(host::read(options))),
            Job::Netns(None) => Reading::Netns(None, Box::new(Some(Observed::Seen(read_parts(Parts::ALL, None).1)))),
            Job::Netns(Some(name)) => {
                let found = dir.open(&name).and_then(|ns| enter(&ns, || read_parts(Parts::ALL, None).1));
                Reading::Netns(Some(name), Box::new(outcome(found)))
            }
        };
        if done.send(Done { began, took: began.elapsed(), reading }).is_err() {
            return;
        }
        bell.ring();
    }
}
