//! One namespace as the watcher knows it: its ears, and what has to be read
//! again when.

use std::time::{Duration, Instant};

use super::ears::{Ears, Heard};
use crate::kernel::namespace::Parts;
use crate::netns::Error as NetnsError;

/// The kernel announces some changes a moment before it makes them
/// (`fib_table_delete`, `__inet_del_ifa`, `__dev_close_many`): what was read at
/// once is read once more when it has grown quiet.
const ECHO: Duration = Duration::from_millis(30);
/// Where it does not grow quiet, so much after the first of it.
const LAST_ECHO: Duration = Duration::from_millis(200);
/// Neighbours that are confirmed and grow old by themselves can wait.
const CALM: Duration = Duration::from_secs(1);
/// Those that are looked for or given up are read at once, the next ones of the
/// same namespace so much later.
const SOUGHT: Duration = Duration::from_secs(1);
/// A name's file stands a moment before a namespace is mounted on it.
const FIRST_RETRY: Duration = Duration::from_millis(1);
const LAST_RETRY: Duration = Duration::from_secs(1);

/// One namespace.
pub(super) struct Spot {
    /// The number that its sockets are waited for under.
    pub(super) number: u64,
    pub(super) ears: Option<Ears>,
    /// Why nothing is heard from it, where that is so.
    pub(super) deaf: Option<String>,
    dirty: Parts,
    echo: Option<Echo>,
    calm: Option<Instant>,
    /// That reading is about neighbours that are looked for.
    seeks: bool,
    /// When neighbours that are looked for may be read again.
    sought: Instant,
    retry: Option<(Instant, Duration)>,
    /// The end of the last reading of each of its parts.
    read_at: [Instant; Parts::EACH.len()],
    /// The beginning of the last reading of what is not announced.
    pub(super) polled_at: Instant,
    /// When the slow round came to it last, whatever became of it.
    pub(super) tried_at: Instant,
}

/// What is to be read once more.
#[derive(Clone, Copy)]
struct Echo {
    first: Instant,
    due: Instant,
    parts: Parts,
}

impl Spot {
    pub(super) fn new(number: u64, now: Instant) -> Self {
        Self {
            number,
            ears: None,
            deaf: None,
            dirty: Parts::ALL,
            echo: None,
            calm: None,
            seeks: false,
            sought: now,
            retry: None,
            read_at: [now; Parts::EACH.len()],
            polled_at: now,
            tried_at: now,
        }
    }

    /// It has to be read again.
    pub(super) fn mark(&mut self, parts: Parts) {
        self.dirty = self.dirty | parts;
    }

    /// Notes what was heard.
    pub(super) fn hear(&mut self, heard: Heard, now: Instant) {
        if !heard.parts.is_empty() {
            self.mark(heard.parts);
            self.read_once_more(heard.parts, now);
        }
        if heard.sought {
            let due = self.sought.max(now);
            if due == now {
                // One that is taken away fails first, and goes a moment later.
                self.read_once_more(Parts::NEIGHS, now);
            }
            self.seeks = true;
            self.calm = Some(self.calm.map_or(due, |calm| calm.min(due)));
        } else if heard.calm && self.calm.is_none() {
            self.calm = Some(now + CALM);
        }
    }

    fn read_once_more(&mut self, parts: Parts, now: Instant) {
        let (first, before) = self.echo.map_or((now, Parts::NONE), |echo| (echo.first, echo.parts));
        self.echo = Some(Echo { first, due: (now + ECHO).min(first + LAST_ECHO), parts: before | parts });
    }

    /// Nothing is mounted on its name yet: later, and ever later.
    fn wait_for_mount(&mut self, now: Instant) {
        let pause = self.retry.map_or(FIRST_RETRY, |(_, pause)| (pause * 2).min(LAST_RETRY));
        self.retry = Some((now + pause, pause));
    }

    /// It could not be read. False where a namespace may be about to be mounted there.
    pub(super) fn fail(&mut self, error: &NetnsError, now: Instant) -> bool {
        self.ears = None;
        if matches!(error, NetnsError::NotMounted(_)) {
            self.wait_for_mount(now);
            return self.has_waited();
        }
        // No mount mends that: the slow round tries again, or its name comes anew.
        self.retry = None;
        true
    }

    /// A long while was waited for a mount already.
    fn has_waited(&self) -> bool {
        self.retry.is_some_and(|(_, pause)| pause > Duration::from_millis(100))
    }

    /// What has to be read now.
    pub(super) fn wants(&mut self, now: Instant) -> Parts {
        if let Some(echo) = self.echo.take_if(|echo| echo.due <= now) {
            self.mark(echo.parts);
        }
        if self.calm.take_if(|due| *due <= now).is_some() {
            self.mark(Parts::NEIGHS);
            if std::mem::take(&mut self.seeks) {
                self.sought = now + SOUGHT;
            }
        }
        match self.retry {
            Some((due, _)) if due > now => Parts::NONE,
            Some(_) => Parts::ALL,
            None => self.dirty,
        }
    }

    /// When there is something to read; `now` or before where there is already.
    pub(super) fn due(&self, now: Instant) -> Option<Instant> {
        if let Some((due, _)) = self.retry {
            return Some(due);
        }
        let dirty = (!self.dirty.is_empty()).then_some(now);
        [dirty, self.echo.map(|echo| echo.due), self.calm].into_iter().flatten().min()
    }

    /// It is being read, all that is heard from here on is new.
    pub(super) fn begin(&mut self) {
        self.dirty = Parts::NONE;
    }

    /// It was read.
    pub(super) fn end(&mut self, began: Instant, parts: Parts, now: Instant) {
        self.retry = None;
        for (part, at) in Parts::EACH.into_iter().zip(&mut self.read_at) {
            if parts.has(part) {
                *at = now;
            }
        }
        if parts == Parts::ALL {
            self.polled_at = began;
        }
    }

    /// The parts that were read since then.
    pub(super) fn read_since(&self, then: Instant) -> Parts {
        let read = Parts::EACH.into_iter().zip(self.read_at).filter(|(_, at)| *at >= then);
        read.fold(Parts::NONE, |all, (part, _)| all | part)
    }

    /// When anybody looked at what is not announced of it, or tried to.
    pub(super) fn looked_at(&self) -> Instant {
        self.polled_at.max(self.tried_at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::NetnsName;

    #[test]
    fn what_was_heard_is_read_at_once_and_again_when_it_is_quiet() {
        let start = Instant::now();
        let mut spot = Spot::new(1, start);
        assert_eq!(spot.wants(start), Parts::ALL);
        spot.begin();
        assert_eq!((spot.wants(start), spot.due(start)), (Parts::NONE, None));
        spot.hear(Heard { parts: Parts::ROUTES, ..Heard::default() }, start);
        assert_eq!((spot.wants(start), spot.due(start)), (Parts::ROUTES, Some(start)));
        spot.begin();
        let later = start + ECHO / 2;
        spot.hear(Heard { parts: Parts::RULES, ..Heard::default() }, later);
        assert_eq!(spot.wants(later), Parts::RULES);
        spot.begin();
        assert_eq!(spot.due(later), Some(later + ECHO));
        assert_eq!(spot.wants(later + ECHO), Parts::ROUTES | Parts::RULES);
    }

    #[test]
    fn confirmed_neighbours_wait() {
        let start = Instant::now();
        let mut spot = Spot::new(1, start);
        spot.begin();
        spot.hear(Heard { calm: true, ..Heard::default() }, start);
        spot.hear(Heard { calm: true, ..Heard::default() }, start + CALM / 2);
        assert_eq!((spot.wants(start + CALM / 2), spot.due(start)), (Parts::NONE, Some(start + CALM)));
        assert_eq!(spot.wants(start + CALM), Parts::NEIGHS);
    }

    #[test]
    fn a_neighbour_that_is_looked_for_is_read_at_once_and_the_next_later() {
        let start = Instant::now();
        let mut spot = Spot::new(1, start);
        spot.begin();
        let sought = Heard { sought: true, ..Heard::default() };
        spot.hear(sought, start);
        assert_eq!(spot.wants(start), Parts::NEIGHS);
        spot.begin();
        assert_eq!(spot.wants(start + ECHO), Parts::NEIGHS);
        spot.begin();
        spot.hear(sought, start + SOUGHT / 4);
        spot.hear(sought, start + SOUGHT / 2);
        assert_eq!((spot.wants(start + SOUGHT / 2), spot.due(start)), (Parts::NONE, Some(start + SOUGHT)));
        assert_eq!(spot.wants(start + SOUGHT), Parts::NEIGHS);
    }

    #[test]
    fn a_storm_does_not_put_off_the_second_look() {
        let start = Instant::now();
        let mut spot = Spot::new(1, start);
        spot.begin();
        spot.hear(Heard { parts: Parts::RULES, ..Heard::default() }, start);
        let mut now = start;
        while now < start + LAST_ECHO {
            assert!(!spot.wants(now).has(Parts::RULES) || now == start, "{:?}", now - start);
            spot.begin();
            now += ECHO / 3;
            spot.hear(Heard { parts: Parts::ROUTES, ..Heard::default() }, now);
        }
        assert_eq!(spot.wants(now), Parts::RULES | Parts::ROUTES);
    }

    #[test]
    fn confirmed_neighbours_put_off_none_that_is_looked_for() {
        let start = Instant::now();
        let mut spot = Spot::new(1, start);
        spot.begin();
        spot.hear(Heard { calm: true, ..Heard::default() }, start);
        let now = start + CALM;
        assert_eq!(spot.wants(now), Parts::NEIGHS);
        spot.begin();
        spot.hear(Heard { sought: true, ..Heard::default() }, now);
        assert_eq!(spot.wants(now), Parts::NEIGHS);
    }

    #[test]
    fn only_the_parts_that_were_read_again_are_newer() {
        let start = Instant::now();
        let mut spot = Spot::new(1, start);
        let polled = start + CALM;
        assert_eq!(spot.read_since(polled), Parts::NONE);
        spot.end(polled, Parts::NEIGHS | Parts::ROUTES, polled + ECHO);
        assert_eq!(spot.read_since(polled), Parts::NEIGHS | Parts::ROUTES);
        assert!(!Parts::ALL.without(spot.read_since(polled)).has(Parts::NEIGHS));
        assert_eq!((spot.polled_at, spot.read_since(start)), (start, Parts::ALL));
    }

    #[test]
    fn a_name_without_a_namespace_is_tried_ever_later() {
        let start = Instant::now();
        let mut spot = Spot::new(1, start);
        let mut now = start;
        for _ in 0..8 {
            spot.wait_for_mount(now);
            assert_eq!(spot.wants(now), Parts::NONE);
            now = spot.due(now).unwrap();
            assert_eq!(spot.wants(now), Parts::ALL);
        }
        assert!(spot.has_waited() && now < start + Duration::from_secs(1));
    }

    #[test]
    fn a_name_that_fails_otherwise_than_before_its_mount_is_not_tried_again_and_again() {
        let name = || NetnsName::from("x");
        let full = || std::io::Error::from_raw_os_error(libc::EMFILE);
        let errors = [
            NetnsError::Open { name: name(), source: full() },
            NetnsError::Enter { source: full() },
            NetnsError::Gone(name()),
        ];
        for error in errors {
            let start = Instant::now();
            let mut spot = Spot::new(1, start);
            spot.begin();
            assert!(!spot.fail(&NetnsError::NotMounted(name()), start), "that may be too early");
            let now = spot.due(start).unwrap();
            assert_eq!(spot.wants(now), Parts::ALL);
            spot.begin();
            assert!(spot.fail(&error, now), "{error}");
            assert_eq!((spot.wants(now), spot.due(now)), (Parts::NONE, None), "{error}");
        }
    }
}
