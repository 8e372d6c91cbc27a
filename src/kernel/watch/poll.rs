//! The slow round: what the kernel does not announce (legacy tables, proxy
//! entries, some settings, Open vSwitch, the agent's process) is read again and
//! again, one namespace after the other, on a thread of its own. A namespace from
//! which nothing is heard is read as a whole.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::{TimeVal, TimeValLike};

use super::Bell;
use super::turns::Turns;
use crate::kernel::namespace::{Parts, inode_here, read_parts, read_unannounced};
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
    Netns(Box<Polled>),
    /// The host's side without its namespace.
    Host(Box<Host>),
}

/// A namespace, as it was found under its name.
pub(super) struct Polled {
    pub(super) place: Place,
    /// It was read as a whole, not only what is not announced of it.
    pub(super) whole: bool,
    /// The namespace's inode number, where it is known.
    pub(super) inode: Option<u64>,
    /// None where it is gone.
    pub(super) found: Option<Observed<Netns>>,
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
    /// The thread is no more.
    ended: bool,
    turns: Turns,
    /// Places in a round.
    places: u32,
    /// When the next reading is due; `None` where only what is asked for is read.
    due: Option<Instant>,
    host_due: Option<Instant>,
    /// Before that it is not read again, however often that is asked for.
    host_rests: Instant,
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
        Ok(Self::of(jobs, done))
    }

    fn of(jobs: Sender<Job>, done: Receiver<Done>) -> Self {
        let now = Instant::now();
        let (due, host_due) = (Some(now + LEAST_REST), Some(now + HOST_REST));
        let turns = Turns::default();
        let (places, most_rest) = (1, MOST_REST);
        Self { jobs, done, busy: false, ended: false, turns, places, due, host_due, host_rests: now, most_rest }
    }

    /// Goes round no more: from here on the host's side is read where that is asked for.
    pub(super) fn end_round(&mut self) {
        (self.due, self.host_due) = (None, None);
    }

    /// Rests no longer than that between two readings, whatever they cost.
    pub(super) fn rest_at_most(&mut self, most: Duration) {
        self.most_rest = most;
    }

    /// The host's side is to be read soon. Who writes to a file without end leaves
    /// turns to the namespaces.
    pub(super) fn hurry_host(&mut self) {
        self.host_due = Some(Instant::now().max(self.host_rests));
    }

    /// A namespace is to be read soon.
    pub(super) fn hurry(&mut self, place: &Place) {
        self.turns.ask(place);
    }

    /// A namespace is there no more.
    pub(super) fn forget(&mut self, place: &Place) {
        self.turns.forget(place);
    }

    /// Nothing is read any more: the thread ended, which it never should.
    pub(super) fn has_ended(&self) -> bool {
        self.ended
    }

    /// When there is something to do; never while a reading is under way.
    pub(super) fn due(&self) -> Option<Instant> {
        [self.due, self.host_due].into_iter().flatten().min().filter(|_| !self.busy)
    }

    /// Starts the next reading where one is due: of the host's side, or of one of the
    /// places, of which each is given with the time when it was looked at last and
    /// `whole` tells where nothing is heard. Answers with the place.
    pub(super) fn start_next<'a>(
        &mut self,
        now: Instant,
        places: impl Iterator<Item = (&'a Place, Instant)> + Clone,
        whole: impl Fn(&Place) -> bool,
    ) -> Option<&'a Place> {
        if self.busy {
            return None;
        }
        let is_due = |due: Option<Instant>| due.is_some_and(|due| due <= now);
        let (job, place) = if is_due(self.host_due) {
            self.host_due = None;
            (Job::Host, None)
        } else if is_due(self.due) {
            self.places = u32::try_from(places.clone().count()).unwrap_or(u32::MAX).max(1);
            let place = self.turns.next(places)?;
            (Job::Netns(place.clone(), whole(place)), Some(place))
        } else {
            return None;
        };
        self.busy = self.jobs.send(job).is_ok();
        place
    }

    /// What was read since.
    pub(super) fn take(&mut self) -> Option<Done> {
        let done = match self.done.try_recv() {
            Ok(done) => done,
            Err(TryRecvError::Empty) => return None,
            Err(TryRecvError::Disconnected) => {
                if !self.ended {
                    tracing::error!("the slow round ended");
                    (self.ended, self.due, self.host_due) = (true, None, None);
                }
                return None;
            }
        };
        self.busy = false;
        let now = Instant::now();
        let rest = |least: Duration| done.cost.saturating_mul(REST).max(least).min(self.most_rest);
        match done.reading {
            Reading::Netns(..) => self.due = Some(now + rest(LEAST_REST.max(LEAST_ROUND / self.places))),
            // What was asked for meanwhile stays so; without a round there is no next one.
            Reading::Host(_) => {
                self.host_rests = now + LEAST_REST;
                let asked = self.host_due.map(|due| due.max(self.host_rests));
                self.host_due = asked.or(self.due.map(|_| now + rest(HOST_REST)));
            }
        }
        Some(done)
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
                let inside = || (read(), inode_here().ok(), used(UsageWho::RUSAGE_THREAD));
                let found = match &place {
                    None => Ok((read(), inode_here().ok(), Duration::ZERO)),
                    Some(name) => dir.open(name).and_then(|ns| enter(&ns, inside)),
                };
                let (inode, elsewhere) = found.as_ref().map_or((None, Duration::ZERO), |found| (found.1, found.2));
                let found = outcome(found.map(|(netns, ..)| netns));
                (Reading::Netns(Box::new(Polled { place, whole, inode, found })), elsewhere)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_the_thread_is_told_and_nothing_is_due_any_more() {
        let (jobs, given) = channel();
        let (finished, done) = channel();
        let mut poller = Poller::of(jobs, done);
        assert!(poller.take().is_none() && !poller.has_ended() && poller.due().is_some());
        drop((given, finished));
        assert!(poller.take().is_none() && poller.has_ended());
        assert_eq!(poller.due(), None);
    }

    #[test]
    fn who_asks_for_the_hosts_side_without_end_leaves_turns_to_the_namespaces() {
        let (jobs, given) = channel();
        let (finished, done) = channel();
        let mut poller = Poller::of(jobs, done);
        let (now, place) = (Instant::now(), Some(NetnsName::from("x")));
        let start = |poller: &mut Poller, at| poller.start_next(at, [(&place, now)].into_iter(), |_| false).cloned();
        poller.due = Some(now);
        poller.hurry_host();
        assert_eq!(start(&mut poller, Instant::now()), None);
        assert!(matches!(given.try_recv(), Ok(Job::Host)), "the first one is read at once");
        poller.hurry_host();
        finished.send(Done { began: now, cost: Duration::ZERO, reading: Reading::Host(Box::default()) }).unwrap();
        assert!(poller.take().is_some());
        let (asked_before, rests) = (poller.host_due, poller.host_rests);
        let before = rests.checked_sub(Duration::from_millis(1)).unwrap();
        poller.hurry_host();
        assert!(asked_before == Some(rests) && poller.host_due >= asked_before);
        assert_eq!(start(&mut poller, before), Some(place.clone()));
        poller.busy = false;
        let due = poller.host_due.unwrap();
        assert_eq!(start(&mut poller, due), None);
        assert!(matches!((given.try_recv(), given.try_recv()), (Ok(Job::Netns(..)), Ok(Job::Host))), "then it is");
    }
}
