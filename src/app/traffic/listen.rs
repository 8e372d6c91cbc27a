//! Listening: frames into counts, interval after interval.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::along::Along;
use super::{FRESH, now, settling};
use crate::app::error::AppError;
use crate::capture::Capture;
use crate::net::{NetnsName, Snapshot};
use crate::topology::FloatingIp;
use crate::traffic::{FipId, Interval, Meter, Traffic};

/// No wait is longer: an interruption is noticed after it.
const LOOK: Duration = Duration::from_millis(100);

/// So often it is looked whether namespaces are gone (nanoseconds).
const GLANCE: u64 = 1_000_000_000;

/// The node that frames are understood by holds for so long at least (nanoseconds): all that
/// is remembered of flows has to be found out again by another one.
const HOLDS: u64 = 100_000_000;

/// Why listening ended.
pub(super) enum Ended {
    /// The time is over, or nobody reads any more.
    Done,
    /// Somebody interrupted.
    Interrupted,
    /// The node is another, or has to be read again. The interval may still be open.
    NodeChanged,
}

/// When intervals end. All times are nanoseconds since 1970.
pub(super) struct Clock {
    start: u64,
    interval: u64,
    end: Option<u64>,
}

impl Clock {
    pub(super) fn start(interval: Duration, duration: Option<Duration>, start: u64) -> Self {
        let nanoseconds = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        Self {
            start,
            interval: nanoseconds(interval),
            end: duration.map(|time| start.saturating_add(nanoseconds(time))),
        }
    }

    /// The first end of an interval after a time.
    pub(super) fn next_end(&self, at: u64) -> u64 {
        let gone = at.saturating_sub(self.start) / self.interval;
        let next = self.start.saturating_add(self.interval.saturating_mul(gone + 1));
        next.min(self.end.unwrap_or(u64::MAX))
    }

    fn is_over(&self, at: u64) -> bool {
        self.end.is_some_and(|end| at >= end)
    }
}

/// The capture, with where its counting stands.
pub(super) struct Ear {
    pub(super) capture: Capture,
    pub(super) clock: Clock,
    /// Somebody wants an end.
    over: Arc<AtomicBool>,
    /// Losses that were told already.
    lost: u64,
    /// When the node was read.
    read_at: u64,
    /// When the open interval began.
    begun: u64,
    /// When it was looked whether namespaces are gone.
    looked_at: u64,
    /// One was.
    left: bool,
}

impl Ear {
    /// Begins an interval now.
    pub(super) fn open(capture: Capture, clock: Clock, over: Arc<AtomicBool>) -> Self {
        let now = now();
        Self { capture, clock, over, lost: 0, read_at: now, begun: now, looked_at: now, left: false }
    }

    /// The node was read again: these are its namespaces.
    pub(super) fn follow(&mut self, names: &[NetnsName]) {
        self.capture.follow(names);
        (self.read_at, self.left) = (now(), false);
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
            let interrupted = self.over.load(Ordering::Relaxed);
            if interrupted {
                traffic.cut(now());
            }
            // A little after its end, what an interval saw has surfaced.
            let complete = traffic.end().saturating_add(settling());
            while now() < complete {
                if !interrupted && self.over.load(Ordering::Relaxed) {
                    break;
                }
                self.read(meter, traffic, along, snapshot, complete)?;
                if now().saturating_sub(self.read_at) >= HOLDS && is_other() {
                    return Ok(Ended::NodeChanged);
                }
            }
            if now() < complete {
                continue;
            }
            let unplaced = traffic.unplaced() > 0;
            let end = traffic.end();
            let interval = self.close(traffic);
            if let ControlFlow::Break(ended) = tell(interval, along)? {
                return Ok(ended);
            }
            if interrupted {
                return Ok(Ended::Interrupted);
            }
            if self.clock.is_over(end) {
                return Ok(Ended::Done);
            }
            let age = Duration::from_nanos(now().saturating_sub(self.read_at));
            if unplaced || age >= FRESH || self.left || is_other() {
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
        if now().saturating_sub(self.looked_at) >= GLANCE {
            self.left |= self.capture.let_go();
            self.looked_at = now();
        }
        Ok(())
    }

    #[expect(clippy::cast_precision_loss, reason = "an interval's length is rounded anyway")]
    fn close(&mut self, traffic: &mut Traffic) -> Interval {
        let end = traffic.end();
        let lost = self.capture.lost();
        let seconds = end.saturating_sub(self.begun) as f64 / 1e9;
        // Where we were held up for long, whole intervals are left out, not made up.
        let next = self.clock.next_end(end.max(now().saturating_sub(settling())));
        let interval = traffic.close(seconds, lost - self.lost, next);
        (self.lost, self.begun) = (lost, end);
        interval
    }
}

/// Whether it is that floating IP.
pub(super) fn is_of(id: &FipId, fip: &FloatingIp) -> bool {
    fip.floating_ip == Some(id.floating_ip.into()) && fip.router == id.router
}
