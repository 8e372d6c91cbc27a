//! Listening: frames into counts, interval after interval.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::along::Along;
use super::{FRESH, now, settling};
use crate::app::error::AppError;
use crate::capture::Capture;
use crate::net::{NetnsName, Snapshot};
use crate::topology::FloatingIp;
use crate::traffic::{FipId, Interval, Meter, Traffic};

/// No wait is longer: an interruption is noticed after it.
const LOOK: Duration = Duration::from_millis(100);

/// So often it is looked whether namespaces are gone.
const GLANCE: Duration = Duration::from_secs(1);

/// The node that frames are understood by holds for so long at least: all that is remembered
/// of flows has to be found out again by another one.
const HOLDS: Duration = Duration::from_millis(100);

/// Why listening ended.
pub(super) enum Ended {
    /// The time is over, or nobody reads any more.
    Done,
    /// Somebody interrupted.
    Interrupted,
    /// The node is another, or has to be read again. The interval may still be open.
    NodeChanged,
}

/// The clock was set, where it goes further than this from one that nobody sets, between two
/// looks at both (nanoseconds). Time daemons let it run faster or slower by less.
const LEAP: u64 = 250_000_000;

/// When intervals end. All times are nanoseconds since 1970, by the system's clock.
pub(super) struct Clock {
    start: u64,
    interval: u64,
    end: Option<u64>,
    /// What the clock said, and one that nobody sets, when both were looked at last.
    looked: (u64, Instant),
}

impl Clock {
    pub(super) fn start(interval: Duration, duration: Option<Duration>, start: u64) -> Self {
        Self {
            start,
            interval: nanoseconds(interval),
            end: duration.map(|time| start.saturating_add(nanoseconds(time))),
            looked: (start, Instant::now()),
        }
    }

    /// When the first interval begins.
    pub(super) fn begin(&self) -> u64 {
        self.start
    }

    /// The first end of an interval after a time. Where all should have ended by then, it is
    /// that time.
    pub(super) fn next_end(&self, at: u64) -> u64 {
        let gone = at.saturating_sub(self.start) / self.interval;
        let next = self.start.saturating_add(self.interval.saturating_mul(gone + 1));
        next.min(self.end.unwrap_or(u64::MAX)).max(at)
    }

    fn is_over(&self, at: u64) -> bool {
        self.end.is_some_and(|end| at >= end)
    }

    /// By how much the clock was set since this was asked last: everything to come moves with it.
    fn was_set(&mut self, now: u64, steady: Instant) -> Option<i64> {
        let (before, steady_before) = std::mem::replace(&mut self.looked, (now, steady));
        let expected = before.saturating_add(nanoseconds(steady.saturating_duration_since(steady_before)));
        let by = i64::try_from(i128::from(now) - i128::from(expected)).ok()?;
        if by.unsigned_abs() < LEAP {
            return None;
        }
        self.start = self.start.saturating_add_signed(by);
        self.end = self.end.map(|end| end.saturating_add_signed(by));
        Some(by)
    }
}

/// The capture, with where its counting stands.
pub(super) struct Ear {
    pub(super) capture: Capture,
    pub(super) clock: Clock,
    /// Somebody wants an end.
    over: Arc<AtomicBool>,
    /// The open interval is the last one: it ended when somebody wanted that.
    last: bool,
    /// Losses that were told already.
    lost: u64,
    /// When the node was read.
    read_at: Instant,
    /// When the open interval began.
    begun: u64,
    /// When it was looked whether namespaces are gone.
    looked_at: Instant,
    /// One was.
    left: bool,
}

impl Ear {
    /// Begins an interval with the clock.
    pub(super) fn open(capture: Capture, clock: Clock, over: Arc<AtomicBool>) -> Self {
        let (now, begun) = (Instant::now(), clock.start);
        Self { capture, clock, over, last: false, lost: 0, read_at: now, begun, looked_at: now, left: false }
    }

    /// The node was read again: these are its namespaces.
    pub(super) fn follow(&mut self, names: &[NetnsName]) {
        self.capture.follow(names);
        (self.read_at, self.left) = (Instant::now(), false);
    }

    /// Counts and tells until something, or who is told, ends it; who is told may change what
    /// else is done with frames from then on. `is_other`: the node is not any more what the
    /// meter knows of it.
    pub(super) fn listen(
        &mut self,
        meter: &mut Meter<'_, '_>,
        traffic: &mut Traffic,
        along: &mut Along,
        (snapshot, is_other): (&Snapshot, &dyn Fn() -> bool),
        tell: &mut impl FnMut(Interval, &mut Along) -> Result<ControlFlow<Ended>, AppError>,
    ) -> Result<Ended, AppError> {
        loop {
            if let Some((now, steady)) = both_clocks() {
                self.keep_time(traffic, now, steady);
            }
            let interrupted = self.over.load(Ordering::Relaxed);
            // Where an interval is over but not told yet, the one that has begun is told after it.
            if interrupted && !self.last && now() <= traffic.end() {
                traffic.cut(now());
                self.last = true;
            }
            // A little after its end, what an interval saw has surfaced. It is read then, however
            // late that is.
            let complete = traffic.end().saturating_add(settling());
            let surfaced = now() >= complete;
            self.read(meter, traffic, along, snapshot, complete)?;
            if !surfaced {
                if self.read_at.elapsed() >= HOLDS && is_other() {
                    return Ok(Ended::NodeChanged);
                }
                continue;
            }
            if traffic.end() <= self.clock.begin() {
                // Sockets were opened one after another: what was heard by then is no interval.
                traffic.close(0.0, 0, self.clock.next_end(now()));
                continue;
            }
            let (unplaced, over) = (traffic.unplaced() > 0, self.clock.is_over(traffic.end()));
            let interval = self.close(traffic);
            if let ControlFlow::Break(ended) = tell(interval, along)? {
                return Ok(ended);
            }
            if self.last || over {
                return Ok(if interrupted { Ended::Interrupted } else { Ended::Done });
            }
            if unplaced || self.read_at.elapsed() >= FRESH || self.left || is_other() {
                return Ok(Ended::NodeChanged);
            }
        }
    }

    fn read(
        &mut self,
        meter: &mut Meter<'_, '_>,
        traffic: &mut Traffic,
        along: &mut Along,
        snapshot: &Snapshot,
        until: u64,
    ) -> Result<(), AppError> {
        let patience = Duration::from_nanos(until.saturating_sub(now())).min(LOOK);
        if along.is_idle() {
            self.capture.read(patience, &mut |frame| {
                let _ = meter.count(traffic, frame);
            })?;
        } else {
            let names = self.capture.names();
            self.capture.read(patience, &mut |frame| {
                let sighting = meter.count(traffic, frame);
                along.see(frame, sighting.as_ref(), &names, snapshot);
            })?;
        }
        if self.looked_at.elapsed() >= GLANCE {
            self.left |= self.capture.let_go();
            self.looked_at = Instant::now();
        }
        Ok(())
    }

    /// Where somebody sets the clock by which frames are stamped, intervals go along with it.
    fn keep_time(&mut self, traffic: &mut Traffic, now: u64, steady: Instant) {
        if let Some(by) = self.clock.was_set(now, steady) {
            traffic.shift(by);
            self.begun = self.begun.saturating_add_signed(by);
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "an interval's length is rounded anyway")]
    fn close(&mut self, traffic: &mut Traffic) -> Interval {
        let end = traffic.end();
        let lost = self.capture.lost();
        let seconds = end.saturating_sub(self.begun) as f64 / 1e9;
        // What was read by now is in this interval and in the next one: that ends later. Where we
        // were held up for long it is several in one, none is made up.
        let next = self.clock.next_end(end.max(now()));
        let interval = traffic.close(seconds, lost - self.lost, next);
        (self.lost, self.begun) = (lost, end);
        interval
    }
}

/// The system's clock and the one that nobody sets, at one moment; `None` where this
/// program had to wait for the processor in between.
fn both_clocks() -> Option<(u64, Instant)> {
    let (steady, now) = (Instant::now(), now());
    (nanoseconds(steady.elapsed()) < LEAP / 10).then_some((now, steady))
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// Whether it is that floating IP.
pub(super) fn is_of(id: &FipId, fip: &FloatingIp) -> bool {
    fip.floating_ip == Some(id.floating_ip.into()) && fip.router == id.router
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netns::NetnsDir;
    use crate::path::Node;
    use crate::topology::Topology;
    use crate::traffic::Memory;

    const SECOND: u64 = 1_000_000_000;
    const PACE: Duration = Duration::from_millis(200);

    /// An ear that hears nothing: the clock alone counts.
    fn ear(clock: Clock) -> Ear {
        let capture = Capture::open(&NetnsDir::new(std::path::Path::new("/nowhere")), &[]).unwrap();
        Ear::open(capture, clock, Arc::default())
    }

    /// The lengths of the intervals that are told, and whether the end is an interruption.
    fn told(ear: &mut Ear, end: u64) -> (Vec<f64>, bool) {
        let snapshot = Snapshot::empty("node", jiff::Timestamp::UNIX_EPOCH);
        let topology = Topology::of(&snapshot);
        let node = Node::of(&snapshot, &topology);
        let mut traffic = Traffic::until(end);
        let mut meter = Meter::new(&node, &snapshot, &topology, &[], &mut traffic, Memory::default());
        let mut lengths = Vec::new();
        let mut tell = |interval: Interval, _: &mut Along| {
            lengths.push(interval.seconds);
            Ok(ControlFlow::Continue(()))
        };
        let known = (&snapshot, &(|| false) as &dyn Fn() -> bool);
        let ended = ear.listen(&mut meter, &mut traffic, &mut Along::default(), known, &mut tell).unwrap();
        (lengths, matches!(ended, Ended::Interrupted))
    }

    #[test]
    fn an_interval_ends_after_what_was_read_already() {
        // The grid's next point after the end is a moment ago.
        let start = now() - 1_050_000_000;
        let mut ear = ear(Clock::start(PACE, None, start));
        let mut traffic = Traffic::until(start + 400_000_000);
        let before = now();
        let interval = ear.close(&mut traffic);
        assert_eq!((interval.end, interval.seconds), (start + 400_000_000, 0.4));
        assert!(traffic.end() > before && (traffic.end() - start).is_multiple_of(nanoseconds(PACE)));
        assert_eq!(ear.begun, start + 400_000_000, "what is between belongs to the next one");
        // The end of all has passed as well.
        ear.clock.end = Some(before - 1);
        ear.close(&mut traffic);
        assert!(traffic.end() >= before && ear.clock.is_over(traffic.end()));
    }

    #[test]
    fn ends_are_told_by_the_clock() {
        let clock = Clock::start(PACE, Some(Duration::from_millis(500)), SECOND);
        let ends = [0, 199, 200, 399, 400, 499, 500, 700].map(|at| clock.next_end(SECOND + at * 1_000_000));
        assert_eq!(ends.map(|end| (end - SECOND) / 1_000_000), [200, 200, 400, 400, 500, 500, 500, 700]);
    }

    #[test]
    fn the_clock_is_set_by_what_another_one_does_not_say() {
        let mut clock = Clock::start(PACE, Some(PACE), 1000 * SECOND);
        let begun = clock.looked.1;
        let mut look = |steady, wall: u64| clock.was_set(wall, begun + Duration::from_millis(steady));
        assert_eq!(look(100, 1000 * SECOND + 120_000_000), None);
        assert_eq!(look(200, 400 * SECOND + 220_000_000), Some(-600_000_000_000));
        assert_eq!(look(300, 400 * SECOND + 320_000_000), None);
        assert_eq!(look(9300, 410 * SECOND + 320_000_000), Some(1_000_000_000));
        assert_eq!((clock.start, clock.end), (401 * SECOND, Some(401 * SECOND + 200_000_000)));
    }

    #[test]
    fn intervals_go_on_where_the_clock_is_set_back() {
        // All that is known is of a clock that went a minute ahead.
        let ahead = now() + 60 * SECOND;
        let mut ear = ear(Clock::start(PACE, Some(PACE * 2), ahead));
        let begun = Instant::now();
        let (lengths, interrupted) = told(&mut ear, ahead);
        assert!(begun.elapsed() < Duration::from_secs(30), "it waited for the clock");
        // Where this program has to wait for the processor it is one interval.
        let sum: f64 = lengths.iter().sum();
        assert!((1..=2).contains(&lengths.len()) && sum >= 0.399, "{lengths:?}");
        assert!(lengths.iter().all(|length| *length > 0.1), "what was before the first one is told: {lengths:?}");
        assert!(!interrupted);
    }

    #[test]
    fn what_has_begun_when_somebody_interrupts_is_told() {
        // An interval is over, but has not surfaced yet.
        let start = now() - 220_000_000;
        let mut ear = ear(Clock::start(PACE, None, start));
        ear.over.store(true, Ordering::Relaxed);
        let (lengths, interrupted) = told(&mut ear, start + 200_000_000);
        assert_eq!((lengths.len(), lengths[0], interrupted), (2, 0.2, true));
        // In the midst of one, that is the last.
        let start = now() - 10_000_000;
        let mut ear = self::ear(Clock::start(Duration::from_secs(3600), None, start));
        ear.over.store(true, Ordering::Relaxed);
        let (lengths, interrupted) = told(&mut ear, start + 3600 * SECOND);
        assert!(lengths.len() == 1 && lengths[0] < 3600.0 && interrupted, "{lengths:?}");
    }
}
