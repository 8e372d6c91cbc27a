//! One round of catching up: names, announced parts, what the slow round read.

use std::collections::BTreeMap;
use std::time::Instant;

use super::ears::Ears;
use super::merge::{Fresh, merge, merge_host};
use super::poll::{Done, Place, Polled, Reading};
use super::slow::{complete, is_incomplete};
use super::spot::Spot;
use super::{PACE, Watcher};
use crate::kernel::link::Devices;
use crate::kernel::namespace::{Parts, inode_here, read_parts};
use crate::kernel::{Error, ReadOptions, read_node};
use crate::net::{Change, Fact, Netns, NetnsName, Object, Observed, Snapshot};
use crate::netns::{Error as NetnsError, enter_each};

/// Why a namespace is not listened to.
const NO_ROOM: &str = "the limit of open files leaves no sockets for it: raise LimitNOFILE or ulimit -n";

/// What to do in one namespace.
struct Errand {
    parts: Parts,
    /// Listen to it from now on.
    ears: bool,
    known: Option<Devices>,
    /// The namespace that is listened to.
    inode: Option<u64>,
}

/// What came of it.
struct Visit {
    ears: Option<std::io::Result<Ears>>,
    parts: Parts,
    netns: Netns,
    is_other: bool,
}

impl Errand {
    /// In the calling thread's namespace. First it listens, then it reads: what
    /// changes meanwhile is heard.
    fn run(&self) -> Visit {
        let is_other = self.inode.is_some_and(|inode| inode_here().ok() != Some(inode));
        let ears = (self.ears || is_other).then(Ears::open);
        let (parts, known) = if is_other { (Parts::ALL, None) } else { (self.parts, self.known.as_ref()) };
        let (parts, netns) = read_parts(parts, known);
        Visit { ears, parts, netns, is_other }
    }
}

impl Watcher {
    /// Listens to every namespace that has a name by now, without reading it; where
    /// there is no room for all, to the first ones. The others are read in the slow round.
    pub(super) fn subscribe(&mut self) {
        let names = self.dir.list().map(|listing| listing.names).unwrap_or_default();
        // The host's own needs room, too.
        let room = self.room.free(0, names.len() + 1);
        let room = usize::try_from(room).unwrap_or(usize::MAX).saturating_sub(1);
        let (heard, others) = names.split_at(room.min(names.len()));
        let (found, own) = enter_each(&self.dir, heard, |_| Ears::open(), Ears::open);
        let now = Instant::now();
        self.add(None, now);
        self.set_ears(&None, own);
        for (name, found) in heard.iter().zip(found) {
            if let Ok(ears) = found {
                let place = Some(name.clone());
                self.add(place.clone(), now);
                self.set_ears(&place, ears);
            }
        }
        for name in others {
            let place = Some(name.clone());
            self.add(place.clone(), now);
            if let Some(spot) = self.spots.get_mut(&place) {
                spot.deaf = Some(NO_ROOM.to_owned());
            }
        }
    }

    /// Reads the whole node. What changes meanwhile is heard, and read again.
    pub(super) fn read_first(&mut self, options: &ReadOptions) -> Result<(), Error> {
        let began = Instant::now();
        self.live = read_node(&ReadOptions { conntrack: false, ..options.clone() })?;
        self.folders.follow(&self.live.host);
        let now = Instant::now();
        for (place, spot) in &mut self.spots {
            let is_read = place.as_ref().is_none_or(|name| self.live.netns(name).is_some());
            if is_read && spot.ears.is_some() {
                spot.begin();
                spot.end(began, Parts::ALL, now);
            }
        }
        Ok(())
    }

    /// Takes in what was announced and what the slow round read, and reads what
    /// has to be read.
    pub(super) fn catch_up(&mut self, now: Instant) {
        while let Some(done) = self.poller.take() {
            self.take_polled(done);
        }
        let is_early = self.last.is_some_and(|last| now < last + PACE);
        if is_early || self.due_to_read(now).is_none() {
            return;
        }
        let mut fresh = Vec::new();
        if std::mem::take(&mut self.relist) {
            self.list(now, &mut fresh);
        }
        self.read(now, &mut fresh);
        tracing::trace!(stage = "read");
        self.take_fresh(fresh);
        tracing::trace!(stage = "merged");
        if self.unsent.iter().all(Change::is_learning) {
            // What was announced led to no change but such as may wait untold for
            // seconds: the next one has a time of its own.
            self.heard_at = None;
        }
        self.last = Some(Instant::now());
    }

    pub(super) fn due_to_read(&self, now: Instant) -> Option<Instant> {
        let spots = self.spots.values().filter_map(|spot| spot.due(now));
        spots.chain(self.relist.then_some(now)).min().filter(|due| *due <= now)
    }

    fn take_fresh(&mut self, fresh: Vec<Fresh>) {
        let (changes, partners) = merge(&mut self.live, &self.dir, fresh);
        for place in partners {
            if let Some(spot) = self.spots.get_mut(&place) {
                spot.mark(Parts::LINKS);
            }
        }
        self.note(changes);
    }

    fn note(&mut self, changes: Vec<Change>) {
        let now = Instant::now();
        for change in changes.iter().filter(|change| !change.is_learning()) {
            // Who changes a namespace changes its translation, too; legacy tables do not say so.
            let silent = |spot: &Spot| spot.ears.as_ref().is_none_or(|ears| !ears.hears_netfilter());
            if has_legacy(&self.live, &change.netns) || self.spots.get(&change.netns).is_some_and(silent) {
                self.poller.hurry(&change.netns);
            }
        }
        if changes.is_empty() {
            self.counters.get_or_insert(now);
        } else {
            self.flapping.get_or_insert(now);
        }
        self.unsent.extend(changes);
    }

    /// Compares the names that there are with those that are known. Where nobody can
    /// tell, those stay, and are asked for again with the slow round.
    fn list(&mut self, now: Instant, fresh: &mut Vec<Fresh>) {
        let (names, why) = match self.dir.list() {
            Ok(listing) => (Some(listing.names), None),
            Err(error) => (None, Some(error.to_string())),
        };
        if why != self.live.namespaces_unreadable {
            let old = std::mem::replace(&mut self.live.namespaces_unreadable, why.clone());
            let fact = |why| Some(Object::Fact(Fact::NamespacesUnreadable(why)));
            self.unsent.push(Change::new(None, fact(old), fact(why)));
        }
        let went = std::mem::take(&mut self.gone);
        let is_there = |name: &NetnsName| names.as_ref().is_none_or(|names| names.binary_search(name).is_ok());
        let is_gone = |name: &NetnsName| went.contains(name) || !is_there(name);
        let known = self.spots.keys().flatten().chain(self.live.namespaces.keys());
        let gone: Vec<NetnsName> = known.filter(|name| is_gone(name)).cloned().collect();
        for name in gone {
            let place = Some(name);
            if let Some(spot) = self.spots.remove(&place) {
                self.ages = None;
                self.numbers.remove(&spot.number);
                self.poller.forget(&place);
            }
            if !fresh.iter().any(|fresh| fresh.place == place) {
                fresh.push(Fresh { place, parts: Parts::ALL, found: None });
            }
        }
        for name in names.into_iter().flatten() {
            let place = Some(name);
            if !self.spots.contains_key(&place) {
                self.add(place, now);
            }
        }
    }

    /// Reads what has to be read, all at once.
    fn read(&mut self, now: Instant, fresh: &mut Vec<Fresh>) {
        let mut free = self.free();
        let (mut names, mut errands, mut own) = (Vec::new(), Vec::new(), None);
        for (place, spot) in &mut self.spots {
            let parts = spot.wants(now);
            if parts.is_empty() {
                continue;
            }
            let ears = spot.ears.is_none() && free > 0;
            free -= u64::from(ears);
            if spot.ears.is_none() && !ears {
                spot.deaf.get_or_insert_with(|| NO_ROOM.to_owned());
            }
            let netns = self.live.netns_at(place.as_ref());
            // What is listened to from now on has to be read as a whole.
            let whole = ears || netns.is_none();
            let parts = if whole { Parts::ALL } else { parts };
            let known = netns.filter(|_| !whole).and_then(|netns| netns.links.seen()).map(|links| Devices::of(links));
            let inode = spot.ears.as_ref().map(|ears| ears.inode);
            spot.begin();
            let errand = Errand { parts, ears, known, inode };
            match place {
                None => own = Some(errand),
                Some(name) => {
                    names.push(name.clone());
                    errands.push(errand);
                }
            }
        }
        let errand = |name: &NetnsName| names.binary_search(name).map(|at| &errands[at]);
        let visit = |name: &NetnsName| errand(name).ok().map(Errand::run);
        let (found, own) = enter_each(&self.dir, &names, visit, || own.as_ref().map(Errand::run));
        for (name, found) in names.iter().zip(found) {
            if let Some(found) = found.transpose() {
                self.arrive(Some(name.clone()), found, now, fresh);
            }
        }
        if let Some(own) = own {
            self.arrive(None, Ok(own), now, fresh);
        }
    }

    /// A reading came in.
    fn arrive(&mut self, place: Place, found: Result<Visit, NetnsError>, began: Instant, fresh: &mut Vec<Fresh>) {
        let now = Instant::now();
        let Some(spot) = self.spots.get_mut(&place) else { return };
        self.ages = self.ages.take().filter(|_| found.as_ref().is_ok_and(|visit| visit.parts != Parts::ALL));
        let (parts, found) = match found {
            Ok(visit) => {
                spot.end(began, visit.parts, now);
                if visit.is_other {
                    spot.ears = None;
                }
                if let Some(ears) = visit.ears {
                    self.set_ears(&place, ears);
                }
                (visit.parts, Some(Observed::Seen(visit.netns)))
            }
            Err(error) if !spot.fail(&error, now) => return,
            Err(NetnsError::Gone(_)) => {
                self.relist = true;
                (Parts::ALL, None)
            }
            Err(error) => {
                spot.deaf = Some(error.to_string());
                (Parts::ALL, Some(Observed::Unreadable(error.to_string())))
            }
        };
        fresh.push(Fresh { place, parts, found });
    }

    /// Takes what the slow round read, but for the parts that were read since.
    fn take_polled(&mut self, Done { began, reading, .. }: Done) {
        // Descriptors may have been rare for a moment only.
        self.relist |= self.live.namespaces_unreadable.is_some();
        match reading {
            Reading::Host(host) => {
                self.folders.follow(&host);
                (self.host_at, self.ages) = (began, None);
                let changes = merge_host(&mut self.live, *host);
                if !changes.is_empty() {
                    self.note(changes);
                }
            }
            Reading::Netns(polled) => self.take_polled_netns(began, *polled),
        }
    }

    fn take_polled_netns(&mut self, began: Instant, Polled { place, whole, inode, found }: Polled) {
        let free = self.free();
        let Some(spot) = self.spots.get_mut(&place) else { return };
        let Some(Observed::Seen(found)) = found else {
            // Gone or out of reach: the names tell, and the next reading.
            spot.mark(Parts::ALL);
            self.relist = true;
            return;
        };
        if spot.ears.as_ref().is_some_and(|ears| inode.is_some_and(|inode| inode != ears.inode)) {
            // Another one was mounted on its name, of which nobody says anything.
            spot.ears = None;
            spot.mark(Parts::ALL);
            return;
        }
        if spot.ears.is_none() && free > 0 {
            // It was out of reach for a moment, or there was no room.
            spot.mark(Parts::ALL);
            return;
        }
        let (newer, live) = (spot.read_since(began), self.live.netns_at(place.as_ref()));
        let (parts, found) = match live {
            // Under its name there was another one.
            None if !whole || !newer.is_empty() => return,
            Some(live) if !whole => complete(live, found),
            _ => (Parts::ALL, found),
        };
        spot.polled_at = began;
        self.ages = None;
        let parts = parts.without(newer);
        self.take_fresh(vec![Fresh { place, parts, found: Some(Observed::Seen(found)) }]);
    }

    /// How many more namespaces can be listened to.
    fn free(&mut self) -> u64 {
        let heard = self.spots.values().filter(|spot| spot.ears.is_some()).count();
        self.room.free(heard, self.spots.len())
    }

    /// Whether the slow round has to read all of a namespace: it says nothing, or
    /// could not be read before.
    pub(super) fn is_read_whole(spots: &BTreeMap<Place, Spot>, live: &Snapshot, place: &Place) -> bool {
        let hears = spots.get(place).and_then(|spot| spot.ears.as_ref()).is_some_and(Ears::hears_netfilter);
        !hears || live.netns_at(place.as_ref()).is_none_or(is_incomplete)
    }

    fn add(&mut self, place: Place, now: Instant) {
        let number = self.next_number;
        self.next_number += 1;
        self.ages = None;
        self.numbers.insert(number, place.clone());
        self.spots.insert(place, Spot::new(number, now));
    }

    fn set_ears(&mut self, place: &Place, ears: std::io::Result<Ears>) {
        let Some(spot) = self.spots.get_mut(place) else { return };
        let joined = ears.and_then(|ears| {
            ears.join(&self.epoll, spot.number)?;
            Ok(ears)
        });
        match joined {
            Ok(ears) => (spot.ears, spot.deaf) = (Some(ears), None),
            Err(error) => spot.deaf = Some(format!("no socket for announcements: {error}")),
        }
    }
}

fn has_legacy(snapshot: &Snapshot, place: &Place) -> bool {
    let netns = snapshot.netns_at(place.as_ref());
    netns.and_then(|netns| netns.netfilter.seen()).is_some_and(|netfilter| !netfilter.legacy.is_absent())
}
