//! What was seen of a conversation lately, by slices of time: frames surface late,
//! and some stations' later than others', so only slices that are over are told.

use std::collections::VecDeque;

use super::{Trail, Way};
use crate::traffic::state::FLIGHT;

/// What is judged of a conversation: so much before the last that was seen of it
/// (nanoseconds).
pub const LATELY: u64 = 3_000_000_000;

/// A slice of time (nanoseconds). An answer is waited for as long, at least.
const SLICE: u64 = 250_000_000;
const SLICES: u64 = LATELY / SLICE;
/// Slices that are kept: those after the end that is told, too.
const MOST_SLICES: usize = 24;
/// What is older than that comes from a clock that was set back.
const STEP: u64 = 10_000_000_000 / SLICE;
/// Losses that are told apart.
const MOST_LOSSES: usize = 16;

/// What passed a point lately, one way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lately {
    /// Packets.
    pub packets: u64,
    /// The frames that they came in: the kernel may have merged several.
    pub frames: u64,
    /// Packets of these whose life ended here: none of them should come to the next station.
    pub ends: u64,
    /// Packets of these that may come to the next station after the end.
    pub late: u64,
    /// Packets of these that came too shortly before the end for an answer.
    pub fresh: u64,
}

/// The last slices of a conversation's points.
#[derive(Clone, Debug, Default)]
pub(super) struct Recent {
    /// The oldest first. Those without a packet are left out.
    slices: VecDeque<Slice>,
    /// When frames were lost, and how many.
    losses: VecDeque<(u64, u64)>,
}

#[derive(Clone, Debug)]
struct Slice {
    /// Time divided by the length.
    number: u64,
    /// By point: forth, back.
    points: Vec<[Lately; 2]>,
}

impl Recent {
    /// Packets in a frame of that time, at a point; `ends`: their life ends there.
    pub(super) fn see(&mut self, time: u64, (point, way): (usize, Way), packets: u64, ends: bool) {
        let Some(slice) = self.slice(time / SLICE) else { return };
        if slice.points.len() <= point {
            slice.points.resize(point + 1, <[Lately; 2]>::default());
        }
        let lately = &mut slice.points[point][way as usize];
        lately.packets += packets;
        lately.frames += 1;
        lately.ends += if ends { packets } else { 0 };
        lately.late += if !ends && SLICE - time % SLICE <= FLIGHT { packets } else { 0 };
    }

    /// So many frames were lost before they were seen, up to that time.
    pub(super) fn lose(&mut self, frames: u64, until: u64) {
        if frames > 0 {
            self.losses.push_back((until, frames));
            // Only what is too old to be judged is forgotten: of a conversation that is quiet,
            // what is judged is long ago.
            let oldest = self.slices.front().map_or(until, |slice| slice.number * SLICE);
            self.losses.retain(|(until, _)| *until >= oldest.saturating_sub(LATELY));
            if self.losses.len() > MOST_LOSSES
                && let Some((_, oldest)) = self.losses.pop_front()
                && let Some((_, next)) = self.losses.front_mut()
            {
                *next = next.saturating_add(oldest);
            }
        }
    }

    /// Tells what was seen lately before a time, at which all that is older has surfaced.
    pub(super) fn tell(&self, until: u64, trail: &mut Trail) {
        let over = until / SLICE;
        let Some(last) = self.slices.iter().rev().map(|slice| slice.number).find(|number| *number < over) else {
            return;
        };
        let first = (last + 1).saturating_sub(SLICES);
        for slice in self.slices.iter().filter(|slice| (first..=last).contains(&slice.number)) {
            for (point, parts) in trail.points.iter_mut().zip(&slice.points) {
                for (sum, part) in point.lately.iter_mut().zip(parts) {
                    sum.packets += part.packets;
                    sum.frames += part.frames;
                    sum.ends += part.ends;
                    if slice.number + 1 == over {
                        sum.late += part.late;
                        sum.fresh += part.packets;
                    }
                }
            }
        }
        trail.quiet = until.saturating_sub((last + 1).saturating_mul(SLICE));
        trail.lost = self.losses.iter().filter(|(until, _)| *until >= first * SLICE).map(|(_, frames)| frames).sum();
    }

    /// A slice; none where it is older than all that are kept.
    fn slice(&mut self, number: u64) -> Option<&mut Slice> {
        if self.slices.back().is_some_and(|last| number + STEP < last.number) {
            self.slices.clear();
        }
        let behind = self.slices.iter().rposition(|slice| slice.number <= number);
        if let Some(at) = behind
            && self.slices[at].number == number
        {
            return self.slices.get_mut(at);
        }
        let mut at = behind.map_or(0, |at| at + 1);
        if self.slices.len() >= MOST_SLICES {
            at = at.checked_sub(1)?;
            self.slices.pop_front();
        }
        self.slices.insert(at, Slice { number, points: Vec::new() });
        self.slices.get_mut(at)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{TrailPoint, Waypoint};
    use super::*;
    use crate::net::Heading;

    const MS: u64 = 1_000_000;
    const SECOND: u64 = 1000 * MS;
    /// A moment at which a slice begins.
    const NOW: u64 = 1_795_401_000 * SECOND;

    /// Packets that pass the first of two points, and the second 20 µs later where they do.
    fn pass(recent: &mut Recent, times: impl Iterator<Item = u64>, both: bool) {
        for time in times {
            recent.see(time, (0, Way::Forth), 1, false);
            if both {
                recent.see(time + MS / 50, (1, Way::Forth), 1, false);
            }
        }
    }

    fn told(recent: &Recent, until: u64) -> ([Lately; 2], Trail) {
        let at = Waypoint { namespace: "n".into(), device: "d".into(), heading: Heading::In };
        let point = TrailPoint { at, hop: None, counts: Default::default(), lately: Default::default() };
        let mut trail = Trail { points: vec![point.clone(), point], ..Trail::default() };
        recent.tell(until, &mut trail);
        ([0, 1].map(|at| trail.points[at].lately[0]), trail)
    }

    fn packets(recent: &Recent, until: u64) -> [u64; 2] {
        told(recent, until).0.map(|lately| lately.packets)
    }

    #[test]
    fn what_is_long_ago_is_not_told() {
        let mut recent = Recent::default();
        pass(&mut recent, (0..100_000).map(|number| NOW + number * MS / 10), true);
        let broken = NOW + 10 * SECOND;
        assert_eq!(packets(&recent, broken), [30_000, 30_000]);
        // Of a connection whose rule is gone only repetitions are left, ever rarer.
        pass(&mut recent, [200, 600, 1400, 3000, 6200].map(|after| broken + after * MS).into_iter(), false);
        assert_eq!(packets(&recent, broken + 4 * SECOND), [3, 0]);
        assert_eq!(packets(&recent, broken + 7 * SECOND), [1, 0]);
        // It is mended.
        pass(&mut recent, (0..4000).map(|number| broken + 8 * SECOND + number * MS), true);
        assert_eq!(packets(&recent, broken + 12 * SECOND), [3000, 3000]);
    }

    #[test]
    fn what_may_not_have_surfaced_everywhere_is_not_told() {
        let mut recent = Recent::default();
        let times = [NOW + 100 * MS, NOW + 245 * MS, NOW + 260 * MS, NOW + 510 * MS];
        pass(&mut recent, times.into_iter(), false);
        let at = |until| told(&recent, until).0[0];
        assert_eq!(at(NOW + 249 * MS), Lately::default());
        assert_eq!(at(NOW + 251 * MS), Lately { packets: 2, frames: 2, ends: 0, late: 1, fresh: 2 });
        assert_eq!(at(NOW + 600 * MS), Lately { packets: 3, frames: 3, ends: 0, late: 0, fresh: 1 });
        assert_eq!(at(u64::MAX), Lately { packets: 4, frames: 4, ends: 0, late: 0, fresh: 0 });
    }

    #[test]
    fn how_long_it_is_quiet_and_what_was_lost_meanwhile() {
        let mut recent = Recent::default();
        recent.lose(7, NOW - 4 * SECOND);
        pass(&mut recent, [NOW, NOW + 2 * SECOND].into_iter(), true);
        let at = |recent: &Recent| (told(recent, NOW + 9 * SECOND).1.quiet, told(recent, NOW + 9 * SECOND).1.lost);
        assert_eq!(at(&recent), (9 * SECOND - 2250 * MS, 0));
        recent.lose(3, NOW + SECOND);
        recent.lose(4, NOW + 2 * SECOND);
        assert_eq!(at(&recent), (9 * SECOND - 2250 * MS, 7));
        // Of many later losses none takes the place of another.
        (3..23).for_each(|number| recent.lose(1, NOW + number * SECOND));
        assert_eq!((at(&recent).1, recent.losses.len()), (27, MOST_LOSSES));
    }

    #[test]
    fn it_stays_bounded_whatever_the_clock_does() {
        let mut recent = Recent::default();
        pass(&mut recent, (0..10_000).map(|number| NOW + number * SECOND / 10), true);
        (0..100).for_each(|number| recent.lose(1, NOW + 1000 * SECOND + number));
        assert_eq!((recent.slices.len(), recent.losses.len()), (MOST_SLICES, MOST_LOSSES));
        // One station's frames surface after another's.
        let end = NOW + 1000 * SECOND;
        pass(&mut recent, (0..24).map(|number| end - 6 * SECOND + number * SECOND / 4), false);
        assert!(recent.slices.len() <= MOST_SLICES && recent.slices.iter().is_sorted_by_key(|slice| slice.number));
        // It is set back by ten minutes: what comes then is what is told.
        let back = end - 600 * SECOND;
        pass(&mut recent, (0..10).map(|number| back + number * SECOND / 10), true);
        assert_eq!(packets(&recent, back + SECOND), [10, 10]);
    }
}
