//! The slow round: what the kernel does not announce (legacy tables, proxy
//! entries, some settings, Open vSwitch, the agent's process) is read again and
//! again, one namespace after the other, on a thread of its own. A namespace from
//! which nothing is heard is read as a whole.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::{TimeVal, TimeValLike};

use super::Bell;
use crate::kernel::namespace::{Parts, read_parts, read_unannounced};
use crate::kernel::{ReadOptions, host, outcome};
use crate::net::{Host, Netns, NetnsName, Observed};
use crate::netns::{NetnsDir, enter};

/// A reading is followed by so many times the processor time that it took of
/// rest: the namespaces and the host together take half a percent of a core.
const REST: u32 = 400;
/// The rest between two readings of the host's side, at least: the agent's
/// process and Open vSwitch do not change more often than people do.
const HOST_REST: Duration = Duration::from_secs(2);
/// The rest between two namespaces, at least: each is a wake-up, and a thread
/// whose beginning and end cost more than the little that is read, and are not
/// seen from inside.
const LEAST_REST: Duration = Duration::from_millis(250);
/// One round, at least: a small node need not be read without end.
const LEAST_ROUND: Duration = Duration::from_secs(2);
/// The rest at most: a slow answer once is no reason to look away for long.
const MOST_REST: Duration = Duration::from_secs(30);

/// A namespace; `None` is the host's own.
pub(super) type Place = Option<NetnsName>;

/// What to read.
#[derive(Debug)]
enum Job {
    /// A namespace, as a whole or what is not announced of it.
    Netns(Place, bool),
    Host,
}

/// What was read.
pub(super) enum Reading {
    /// A namespace; `None` where it is gone. Only what is not announced of it,
    /// where the flag is not set.
    Netns(Place, bool, Box<Option<Observed<Netns>>>),
    /// The host's side without its namespace.
    Host(Box<Host>),
}

/// A reading, and when it began.
pub(super) struct Done {
    pub(super) began: Instant,
    /// The processor time that it took, that of other programs for it included.
    pub(super) cost: Duration,
    pub(super) reading: Reading,
}

/// The round and its thread.
pub(super) struct Poller {
    jobs: Sender<Job>,
    done: Receiver<Done>,
    busy: bool,
    round: VecDeque<Place>,
    /// Places of the round that began last.
    places: u32,
    /// When the next reading is due; `None` where only what is asked for is read.
    due: Option<Instant>,
    host_due: Option<Instant>,
    /// The rest between two readings at most.
    most_rest: Duration,
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
        let (due, host_due) = (Some(now + LEAST_REST), Some(now + HOST_REST));
        Ok(Self { jobs, done, busy: false, round: VecDeque::new(), places: 1, due, host_due, most_rest: MOST_REST })
    }

    /// Goes round no more: from here on the host's side is read where that is asked for.
    pub(super) fn end_round(&mut self) {
        (self.due, self.host_due) = (None, None);
    }

    /// Rests no longer than that between two readings, whatever they cost.
    pub(super) fn rest_at_most(&mut self, most: Duration) {
        self.most_rest = most;
    }

    /// The host's side is to be read soon.
    pub(super) fn hurry_host(&mut self) {
        self.host_due = Some(Instant::now());
    }

    /// A namespace is to be read next.
    pub(super) fn hurry(&mut self, place: &Place) {
        self.round.retain(|other| other != place);
        self.round.push_front(place.clone());
    }

    /// When there is something to do; never while a reading is under way.
    pub(super) fn due(&self) -> Option<Instant> {
        [self.due, self.host_due].into_iter().flatten().min().filter(|_| !self.busy)
    }

    /// Starts the next reading where one is due; `places` begins another round,
    /// `whole` tells where nothing is heard.
    pub(super) fn start_next<'a>(
        &mut self,
        now: Instant,
        places: impl Iterator<Item = &'a Place>,
        whole: impl Fn(&Place) -> bool,
    ) {
        if self.busy {
            return;
        }
        let is_due = |due: Option<Instant>| due.is_some_and(|due| due <= now);
        let job = if is_due(self.host_due) {
            self.host_due = None;
            Job::Host
        } else if is_due(self.due) {
            if self.round.is_empty() {
                self.round.extend(places.cloned());
                self.places = u32::try_from(self.round.len()).unwrap_or(u32::MAX).max(1);
            }
            let Some(place) = self.round.pop_front() else { return };
            let whole = whole(&place);
            Job::Netns(place, whole)
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
        let now = Instant::now();
        let rest = |least: Duration| done.cost.saturating_mul(REST).max(least).min(self.most_rest);
        match done.reading {
            Reading::Netns(..) => self.due = Some(now + rest(LEAST_REST.max(LEAST_ROUND / self.places))),
            // What was asked for meanwhile stays so; without a round there is no next one.
            Reading::Host(_) => self.host_due = self.host_due.or(self.due.map(|_| now + rest(HOST_REST))),
        }
        (Some(done), true)
    }
}

fn work(options: &ReadOptions, jobs: &Receiver<Job>, done: &Sender<Done>, bell: &Bell) {
    let dir = NetnsDir::new(&options.netns_dir);
    while let Ok(job) = jobs.recv() {
        let (began, before) = (Instant::now(), used(UsageWho::RUSAGE_THREAD) + used(UsageWho::RUSAGE_CHILDREN));
        let (reading, elsewhere) = match job {
            Job::Host => (Reading::Host(Box::new(host::read(options))), Duration::ZERO),
            Job::Netns(place, whole) => {
                let read = || if whole { read_parts(Parts::ALL, None).1 } else { read_unannounced() };
                // Namespaces are entered on a thread of their own.
                let inside = || (read(), used(UsageWho::RUSAGE_THREAD));
                let found = match &place {
                    None => Ok((read(), Duration::ZERO)),
                    Some(name) => dir.open(name).and_then(|ns| enter(&ns, inside)),
                };
                let elsewhere = found.as_ref().map_or(Duration::ZERO, |(_, used)| *used);
                let found = outcome(found.map(|(netns, _)| netns));
                (Reading::Netns(place, whole, Box::new(found)), elsewhere)
            }
        };
        let after = used(UsageWho::RUSAGE_THREAD) + used(UsageWho::RUSAGE_CHILDREN);
        let cost = after.saturating_sub(before) + elsewhere;
        if done.send(Done { began, cost, reading }).is_err() {
            return;
        }
        bell.ring();
    }
}

/// The processor time of the calling thread, or of programs that were waited for.
fn used(who: UsageWho) -> Duration {
    let Ok(usage) = getrusage(who) else { return Duration::ZERO };
    let of = |time: TimeVal| Duration::from_micros(u64::try_from(time.num_microseconds()).unwrap_or(0));
    of(usage.user_time()) + of(usage.system_time())
}
