//! The last minute of rates: of each class, router, and floating IP and direction.

use std::collections::{BTreeMap, VecDeque};

use crate::path::Class;
use crate::topology::Direction;
use crate::traffic::{CLASSES, FipId, Interval};

/// Intervals that are remembered; one takes about a second.
pub(in crate::tui) const REMEMBERED: usize = 60;

/// Floating IPs, and routers, whose past is remembered.
const MOST: usize = 4096;

/// Packets a second, the oldest first. Routers and floating IPs that had none in
/// all that time are not in it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct History {
    classes: VecDeque<[u32; 5]>,
    routers: BTreeMap<String, VecDeque<[u32; 5]>>,
    /// Outbound, inbound.
    fips: BTreeMap<FipId, VecDeque<[u32; 2]>>,
}

impl History {
    /// Another interval.
    pub fn remember(&mut self, interval: &Interval) {
        let rates = |counts: &[crate::traffic::Count; 5]| counts.map(|count| rounded(interval.rate(count.packets)));
        push(&mut self.classes, rates(&interval.classes));
        let routers = interval.routers.iter().filter_map(|one| Some((one.router.clone()?, rates(&one.classes))));
        extend(&mut self.routers, routers.collect());
        let halves = interval.floating_ips.chunks_exact(2);
        let fips = halves.map(|two| {
            let rate = |at: usize| rounded(interval.rate(two[at].most()));
            (two[0].id.clone(), [rate(0), rate(1)])
        });
        extend(&mut self.fips, fips.collect());
    }

    /// Of a class.
    pub fn class(&self, class: Class) -> Vec<u64> {
        let at = place(class);
        self.classes.iter().map(|rates| rates[at].into()).collect()
    }

    /// Of a router's class.
    pub fn router(&self, router: &str, class: Class) -> Vec<u64> {
        let at = place(class);
        self.routers.get(router).into_iter().flatten().map(|rates| rates[at].into()).collect()
    }

    /// Of a floating IP in one direction, or both where none is named.
    pub fn fip(&self, id: &FipId, direction: Option<Direction>) -> Vec<u64> {
        let told = |rates: &[u32; 2]| match direction {
            Some(direction) => u64::from(rates[direction as usize]),
            None => rates.iter().copied().map(u64::from).sum(),
        };
        self.fips.get(id).into_iter().flatten().map(told).collect()
    }
}

/// A class's place among all of them.
fn place(class: Class) -> usize {
    CLASSES.iter().position(|known| *known == class).unwrap_or(0)
}

fn push<T>(past: &mut VecDeque<T>, now: T) {
    if past.len() >= REMEMBERED {
        past.pop_front();
    }
    past.push_back(now);
}

/// One interval more for all that are known, and for those that are new now.
fn extend<K: Ord, const N: usize>(all: &mut BTreeMap<K, VecDeque<[u32; N]>>, mut now: BTreeMap<K, [u32; N]>) {
    all.retain(|key, past| {
        push(past, now.remove(key).unwrap_or([0; N]));
        past.iter().any(|rates| *rates != [0; N])
    });
    let room = MOST.saturating_sub(all.len());
    let new = now.into_iter().filter(|(_, rates)| *rates != [0; N]).take(room);
    all.extend(new.map(|(key, rates)| (key, VecDeque::from([rates]))));
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rate is never negative, and bounded")]
fn rounded(rate: f64) -> u32 {
    rate.round().min(f64::from(u32::MAX)) as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::topology::FipKind;
    use crate::traffic::{Count, FipTraffic, RouterTraffic};

    fn interval(packets: u64) -> Interval {
        let count = Count { packets, bytes: 0 };
        let id = FipId {
            floating_ip: [192, 168, 1, 3].into(),
            fixed_ip: None,
            router: "a".to_owned(),
            external_network: None,
            kind: FipKind::Distributed,
        };
        let half = |direction, hops| FipTraffic {
            id: id.clone(),
            direction,
            hops,
            stops_at: None,
            missing: None,
            reason: None,
            doubt: 0,
        };
        Interval {
            seconds: 1.0,
            classes: [count; 5],
            routers: vec![RouterTraffic { router: Some("a".to_owned()), classes: [count; 5] }],
            floating_ips: vec![half(Direction::Outbound, [Some(count); 6]), half(Direction::Inbound, [None; 6])],
            ..Interval::default()
        }
    }

    #[test]
    fn a_minute_is_remembered_of_what_flowed_in_it() {
        let mut history = History::default();
        let id = interval(0).floating_ips[0].id.clone();
        history.remember(&interval(0));
        assert!(history.fips.is_empty() && history.routers.is_empty());
        (1..=100).for_each(|packets| history.remember(&interval(packets)));
        assert_eq!(history.class(Class::Fip), (41..=100).collect::<Vec<u64>>());
        assert_eq!(history.router("a", Class::Snat).len(), REMEMBERED);
        assert_eq!(history.fip(&id, Some(Direction::Outbound)).last(), Some(&100));
        assert_eq!(history.fip(&id, Some(Direction::Inbound)).last(), Some(&0));
        // Sixty quiet ones, and it is forgotten.
        (0..REMEMBERED).for_each(|_| history.remember(&interval(0)));
        assert!(history.fips.is_empty() && history.routers.is_empty());
    }
}
