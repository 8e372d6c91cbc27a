//! Watches the node: the live snapshot, and what changes in it.
//!
//! The kernel's announcements only say which part of which namespace to read
//! again; that part is read from the kernel, compared and told. So nothing has
//! to be counted or replayed, a lost announcement costs one more reading, and
//! the live snapshot is at every moment one that a fresh reading would give.
//! What the kernel does not announce is read in a slow round ([`poll`]).

mod bell;
mod ears;
mod folders;
mod merge;
mod poll;
mod room;
mod round;
mod slow;
mod spot;
mod turns;

use std::collections::{BTreeMap, BTreeSet};
use std::mem::take;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollTimeout};

use self::bell::Bell;
pub use self::bell::Handle;
use self::ears::LARGEST;
use self::folders::Folders;
use self::poll::{Place, Poller};
use self::room::Room;
use self::spot::Spot;
use super::namespace::Parts;
use super::{Error, ReadOptions};
use crate::net::{Age, Ages, Change, NetnsName, Snapshot};
use crate::netns::NetnsDir;

/// The first change is read at once, those that follow at most so much later.
const PACE: Duration = Duration::from_millis(15);
/// Neighbours that the kernel looks for or gives up are told at once, but those
/// that follow so much later: a scan of a subnet changes them without end.
const LEARNING: Duration = Duration::from_secs(1);
/// Learned neighbours that come and go are told so much later.
const FLAPPING: Duration = Duration::from_secs(5);
/// Counters and fill levels, where nothing else changed.
const COUNTERS: Duration = Duration::from_secs(30);
/// Sockets that are looked at in one turn.
const EVENTS: usize = 256;

/// Why nothing that is not announced is read any more.
const NO_ROUND: &str = "the thread of the slow round ended: start the program again";

const BELL: u64 = 0;
const FOLDERS: u64 = 1;
const FIRST_SPOT: u64 = 2;

/// What changed on the node, all in one.
#[derive(Clone, Debug)]
pub struct Update {
    /// When the first of the changes was heard of.
    pub at: Timestamp,
    /// The changes that lead here from the update before: applied to its
    /// snapshot they give this one. Empty in the first, and where only counters
    /// moved or a reading was asked for.
    pub changes: Vec<Change>,
    /// The node as it is now.
    pub snapshot: Arc<Snapshot>,
    /// How well it is watched.
    pub health: Health,
}

/// How well the node is watched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// When everything that was announced had been taken in.
    pub at: Timestamp,
    /// Namespaces that are listened to, the host's own among them.
    pub watched: usize,
    /// Those that nothing is heard from: they are only read in the slow round.
    pub deaf: usize,
    /// Why not, for one of them; or why the slow round is no more.
    pub why_deaf: Option<String>,
    /// How often announcements were lost, and a namespace was read as a whole.
    pub overruns: u64,
    /// The age of what is not announced, where it is oldest.
    pub oldest: Duration,
}

/// Watches the node. It does its work within [`Watcher::next`], on the caller's
/// thread, which should be there again soon: a namespace whose name is gone is
/// let go of there.
pub struct Watcher {
    dir: NetnsDir,
    live: Snapshot,
    spots: BTreeMap<Place, Spot>,
    numbers: BTreeMap<u64, Place>,
    next_number: u64,
    room: Room,
    epoll: Epoll,
    folders: Folders,
    bell: Arc<Bell>,
    poller: Poller,
    buffer: Vec<u8>,
    /// The folder of namespaces has to be listed again; these names went.
    relist: bool,
    gone: BTreeSet<NetnsName>,
    host_at: Instant,
    /// What was told of the ages, while it is true.
    ages: Option<Arc<Ages>>,
    heard_at: Option<Timestamp>,
    last: Option<Instant>,
    unsent: Vec<Change>,
    /// When neighbours that were looked for or given up may be told again.
    learning: Instant,
    /// Since when there is something that is told later.
    flapping: Option<Instant>,
    counters: Option<Instant>,
    forced: bool,
    overruns: u64,
}

impl Watcher {
    /// Subscribes to what the kernel announces, then reads the node. The first
    /// update holds that reading.
    pub fn start(options: &ReadOptions) -> Result<Self, Error> {
        let failed = |what| move |errno: nix::Error| Error::Watch { what, source: errno.into() };
        let dir = NetnsDir::new(&options.netns_dir);
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).map_err(failed("open an epoll descriptor"))?;
        let bell = Arc::new(Bell::new().map_err(failed("open an event descriptor"))?);
        bell.join(&epoll, BELL).map_err(failed("wait for an event descriptor"))?;
        let begin = Instant::now();
        let host = super::host::read(options);
        let folders = Folders::open(&options.netns_dir, &host).map_err(failed("watch folders"))?;
        folders.join(&epoll, FOLDERS).map_err(failed("wait for folders"))?;
        let poller =
            Poller::start(options, bell.clone()).map_err(|source| Error::Watch { what: "start a thread", source })?;
        let names = dir.list().map_or(0, |listing| listing.names.len());
        let mut watcher = Self {
            live: Snapshot::empty("", Timestamp::UNIX_EPOCH),
            spots: BTreeMap::new(),
            numbers: BTreeMap::new(),
            next_number: FIRST_SPOT,
            room: Room::make(names),
            dir,
            epoll,
            folders,
            bell,
            poller,
            buffer: vec![0; LARGEST],
            relist: true,
            gone: BTreeSet::new(),
            host_at: begin,
            ages: None,
            heard_at: None,
            last: None,
            unsent: Vec::new(),
            learning: begin,
            flapping: None,
            counters: None,
            forced: true,
            overruns: 0,
        };
        watcher.subscribe();
        watcher.read_first(options)?;
        Ok(watcher)
    }

    /// Ends the slow round: what the kernel does not announce stays as it was. The
    /// agent's files are still read where they are heard to change.
    #[must_use]
    pub fn without_slow_round(mut self) -> Self {
        self.poller.end_round();
        self
    }

    /// The slow round rests no longer than that between two readings, whatever
    /// they cost.
    #[must_use]
    pub fn with_rest_at_most(mut self, most: Duration) -> Self {
        self.poller.rest_at_most(most);
        self
    }

    /// A way to speak to the watcher from another thread.
    pub fn handle(&self) -> Handle {
        Handle::new(self.bell.clone())
    }

    /// The next update; `None` when the time is over or the watcher was told to
    /// stop. An update may come a little later than the time says.
    pub fn next(&mut self, patience: Duration) -> Result<Option<Update>, Error> {
        let until = Instant::now() + patience;
        loop {
            self.catch_up(Instant::now());
            let now = Instant::now();
            if self.is_due(now) {
                return Ok(Some(self.publish()));
            }
            if now >= until || self.bell.is_stopped() {
                return Ok(None);
            }
            let (spots, live) = (&self.spots, &self.live);
            let places = spots.iter().map(|(place, spot)| (place, spot.looked_at()));
            let next = self.poller.start_next(now, places, |place| Self::is_read_whole(spots, live, place)).cloned();
            if let Some(spot) = next.and_then(|place| self.spots.get_mut(&place)) {
                spot.tried_at = now;
            }
            self.wait(until)?;
        }
    }

    /// What was taken in and not told yet because it could wait.
    pub fn flush(&mut self) -> Update {
        self.publish()
    }

    /// How well the node is watched at this moment.
    pub fn health(&self) -> Health {
        let deaf = || self.spots.values().filter_map(|spot| spot.deaf.as_ref());
        let oldest = self.spots.values().map(|spot| spot.polled_at).chain([self.host_at]).min();
        Health {
            at: Timestamp::now(),
            watched: self.spots.len() - deaf().count(),
            deaf: deaf().count(),
            why_deaf: deaf().next().cloned().or_else(|| self.poller.has_ended().then(|| NO_ROUND.to_owned())),
            overruns: self.overruns,
            oldest: oldest.map_or(Duration::ZERO, |then| then.elapsed()),
        }
    }

    /// How old what is not announced is, place by place.
    pub fn ages(&mut self) -> Arc<Ages> {
        if let Some(ages) = &self.ages {
            return ages.clone();
        }
        let now = Timestamp::now();
        let ago = |then: Instant| now - jiff::SignedDuration::try_from(then.elapsed()).unwrap_or_default();
        let age = |spot: &Spot| Age { at: ago(spot.polled_at), deaf: spot.deaf.clone() };
        let places = self.spots.iter().map(|(place, spot)| (place.clone(), age(spot))).collect();
        let ages = Arc::new(Ages { places, host: ago(self.host_at) });
        self.ages = Some(ages.clone());
        ages
    }

    /// Waits for something to do, and takes in what there is.
    fn wait(&mut self, until: Instant) -> Result<(), Error> {
        let now = Instant::now();
        let due = self.due(now).map_or(until, |due| due.min(until));
        // Rounded up: a wait that ends too early would spin.
        let millis = due.saturating_duration_since(now).as_micros().div_ceil(1000);
        let timeout = EpollTimeout::try_from(i32::try_from(millis).unwrap_or(i32::MAX)).unwrap_or(EpollTimeout::MAX);
        let mut events = [EpollEvent::empty(); EVENTS];
        let count = match self.epoll.wait(&mut events, timeout) {
            Ok(count) => count,
            Err(nix::Error::EINTR) => 0,
            Err(errno) => return Err(Error::Watch { what: "wait for announcements", source: errno.into() }),
        };
        let heard: BTreeSet<u64> = events[..count].iter().map(EpollEvent::data).collect();
        for number in heard {
            match number {
                BELL => {
                    if self.bell.answer() {
                        self.read_again();
                    }
                }
                FOLDERS => self.listen_to_folders(),
                _ => self.listen(number),
            }
        }
        Ok(())
    }

    fn read_again(&mut self) {
        self.forced = true;
        self.relist = true;
        self.spots.values_mut().for_each(|spot| spot.mark(Parts::ALL));
        self.poller.hurry_host();
    }

    fn listen(&mut self, number: u64) {
        let Some(spot) = self.numbers.get(&number).and_then(|place| self.spots.get_mut(place)) else { return };
        let Some(ears) = &spot.ears else { return };
        let heard = ears.listen(&mut self.buffer);
        spot.hear(heard, Instant::now());
        self.overruns += u64::from(heard.overrun);
        if !heard.parts.is_empty() {
            tracing::trace!(stage = "heard");
            self.heard_at.get_or_insert_with(Timestamp::now);
        }
    }

    fn listen_to_folders(&mut self) {
        let happened = self.folders.listen();
        self.relist |= happened.names;
        // At once, not at the next reading: the namespace lives as long as our sockets in it.
        for name in &happened.gone {
            if let Some(spot) = self.spots.get_mut(&Some(name.clone())) {
                spot.ears = None;
            }
        }
        self.gone.extend(happened.gone);
        if happened.lost {
            self.spots.values_mut().for_each(|spot| spot.mark(Parts::ALL));
        }
        if happened.files {
            self.poller.hurry_host();
        }
        if self.relist {
            self.heard_at.get_or_insert_with(Timestamp::now);
        }
    }

    /// When there is something to do.
    fn due(&self, now: Instant) -> Option<Instant> {
        let spots = self.spots.values().filter_map(|spot| spot.due(now));
        let reading = spots.chain(self.relist.then_some(now)).min();
        let paced = reading.map(|due| self.last.map_or(due, |last| due.max(last + PACE)));
        let learning = self.unsent.iter().any(|change| !change.is_flapping()).then_some(self.learning);
        let flapping = self.flapping.map(|since| since + FLAPPING);
        let counters = self.counters.map(|since| since + COUNTERS);
        [paced, self.poller.due(), learning, flapping, counters].into_iter().flatten().min()
    }

    fn is_due(&self, now: Instant) -> bool {
        (self.forced && self.due_to_read(now).is_none())
            || self.unsent.iter().any(|change| !change.is_learning())
            || (self.learning <= now && self.unsent.iter().any(|change| !change.is_flapping()))
            || self.flapping.is_some_and(|since| since + FLAPPING <= now)
            || self.counters.is_some_and(|since| since + COUNTERS <= now)
    }

    fn publish(&mut self) -> Update {
        (self.forced, self.flapping, self.counters) = (false, None, None);
        if self.unsent.iter().any(|change| change.is_learning() && !change.is_flapping()) {
            self.learning = Instant::now() + LEARNING;
        }
        self.live.taken_at = Timestamp::now();
        tracing::debug!(changes = self.unsent.len(), "update");
        let update = Update {
            at: self.heard_at.take().unwrap_or(self.live.taken_at),
            changes: take(&mut self.unsent),
            snapshot: Arc::new(self.live.clone()),
            health: self.health(),
        };
        tracing::trace!(stage = "copied");
        update
    }
}
