//! Tallies: what an interval counts of a flow's packets at a device, in one place,
//! so that a packet costs one addition. What they mean to routers, floating IPs,
//! conversations and flows is added up when somebody asks.

use super::count::Count;
use super::state::{Bank, Passed, Traffic};
use super::talk::TalkKey;
use super::verdict::Verdict;
use crate::path::{Endpoint, Packet};

/// Tallies before they are added up early, some 2 MiB.
const MOST: usize = 16_384;

/// Tallies of an interval that are not added up yet.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Tallies(Vec<Tally>);

/// Where a flow's tally at a device stood last. It may be gone by now, and another
/// one in its place, in another interval too: the number tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Place {
    number: u64,
    at: u32,
}

#[derive(Clone, Debug, PartialEq)]
struct Tally {
    /// No other one of the [`Traffic`] ever has it.
    number: u64,
    count: Count,
    /// Segments of the largest frame.
    largest: u64,
    late: u64,
    first: u64,
    last: u64,
    verdict: Verdict,
    proto: u8,
    /// Source and destination.
    between: [Endpoint; 2],
}

impl Traffic {
    /// Counts a packet of that time, of which the verdict holds.
    #[inline]
    pub(super) fn count(&mut self, at: u64, count: Count, packet: &Packet, verdict: &Verdict, place: &mut Place) {
        if verdict.passing.is_none() && verdict.lane.is_none() {
            return;
        }
        let (late, bank) = (self.is_late(at), usize::from(at >= self.until));
        if !self.banks[bank].tallies.is_at(*place) {
            *place = self.begin(bank, at, packet, verdict);
        }
        if let Some(tally) = self.banks[bank].tallies.0.get_mut(place.at as usize) {
            tally.count += count;
            tally.largest = tally.largest.max(count.packets);
            tally.late += if late { count.packets } else { 0 };
            tally.last = tally.last.max(at);
        }
    }

    /// Adds up what was counted so far.
    pub(super) fn settle(&mut self) {
        let (routers, fips) = (self.routers.len(), self.fips.len());
        for bank in &mut self.banks {
            bank.fit(routers, fips);
            bank.settle();
        }
    }

    /// A tally of which nothing is known yet.
    #[cold]
    fn begin(&mut self, bank: usize, at: u64, packet: &Packet, verdict: &Verdict) -> Place {
        if self.banks[bank].tallies.0.len() >= MOST {
            self.settle();
        }
        self.begun += 1;
        let (number, tallies) = (self.begun, &mut self.banks[bank].tallies.0);
        let place = Place { number, at: u32::try_from(tallies.len()).unwrap_or(u32::MAX) };
        tallies.push(Tally {
            number,
            count: Count::default(),
            largest: 0,
            late: 0,
            first: at,
            last: at,
            verdict: *verdict,
            proto: packet.proto,
            between: [packet.source(), packet.destination()],
        });
        place
    }
}

impl Tallies {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn is_at(&self, place: Place) -> bool {
        self.0.get(place.at as usize).is_some_and(|tally| tally.number == place.number)
    }
}

impl Bank {
    fn settle(&mut self) {
        for tally in self.tallies.0.drain(..) {
            let Tally { count, verdict, proto, between, .. } = tally;
            self.largest = self.largest.max(tally.largest);
            if let Some((fip, direction, hop)) = verdict.passing {
                let passed = tally.passed();
                self.fips[fip][direction as usize][hop as usize].add(&passed);
                let key = TalkKey::between(fip, direction, proto, between);
                if let Some(talk) = self.talks.talk(key) {
                    talk[direction as usize][hop as usize].add(&passed);
                }
            }
            if let Some(lane) = verdict.lane {
                if let Some(lanes) = self.routers.get_mut(verdict.router) {
                    lanes[verdict.class as usize][lane as usize] += count;
                }
                let (key, known) = (verdict.key(proto, between), verdict.flow());
                let flow = self.flows.flow(key, || known);
                flow.learn(&known);
                flow.lanes[lane as usize] += count;
            }
        }
    }
}

impl Tally {
    fn passed(&self) -> Passed {
        let packets = |holds| if holds { self.count.packets } else { 0 };
        let (ends, begins) = (packets(self.verdict.ends), packets(self.verdict.begins));
        Passed { count: self.count, ends, begins, late: self.late, first: self.first, last: self.last }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::path::{Class, UDP};
    use crate::topology::Direction;
    use crate::traffic::Interval;
    use crate::traffic::state::{FipId, Hop, Lane};

    const SECOND: u64 = 1_000_000_000;
    /// Hops at which flows pass; what does not come in there is told by the hop alone.
    const HOPS: [(Hop, Option<Lane>); 3] = [(Hop::Fg, Some(Lane::Only)), (Hop::Fpr, None), (Hop::Rfp, None)];

    fn node() -> Traffic {
        let mut traffic = Traffic::until(SECOND);
        traffic.router(None);
        traffic.fip(FipId::distributed());
        traffic.fips[0].visible = [false, true, true, true, false, false];
        traffic
    }

    /// A packet from that port passes a hop.
    fn pass(traffic: &mut Traffic, at: u64, port: u16, (hop, lane): (Hop, Option<Lane>), place: &mut Place) {
        let verdict = Verdict {
            class: Class::Fip,
            detail: None,
            passing: Some((0, Direction::Inbound, hop)),
            direction: Direction::Inbound,
            ends: false,
            begins: false,
            lane,
            router: 0,
            translated: None,
            own: None,
        };
        let mut packet = Packet::first([198, 51, 100, 7].into(), [192, 168, 1, 3].into(), UDP);
        packet.sport = Some(port);
        traffic.count(at, Count { packets: 1, bytes: 60 }, &packet, &verdict, place);
    }

    fn close(traffic: &mut Traffic) -> Interval {
        let end = traffic.end();
        traffic.close(1.0, 0, end + SECOND)
    }

    /// Packets of an interval, by flow and by hop.
    fn told(interval: &Interval) -> ([u64; 4], [u64; 3]) {
        let mut flows = [0; 4];
        for flow in &interval.flows {
            flows[usize::from(flow.source.port.unwrap())] += flow.count.packets;
        }
        let inbound = interval.floating_ips.iter().find(|fip| fip.direction == Direction::Inbound).unwrap();
        (flows, HOPS.map(|(hop, _)| inbound.hops[hop as usize].unwrap().packets))
    }

    proptest! {
        /// Places outlive intervals: whatever stands there by now, each packet counts for its own flow, hop
        /// and interval.
        #[test]
        fn a_stale_place_counts_for_no_other(
            steps in proptest::collection::vec((0..4_u16, 0..3_usize, any::<bool>(), 0..8_u8), 0..200),
        ) {
            let mut traffic = node();
            let mut places = [[Place::default(); 3]; 4];
            let mut expected = [([0; 4], [0; 3]); 2];
            for (port, hop, ahead, what) in steps {
                match what {
                    0 => {
                        prop_assert_eq!(told(&close(&mut traffic)), expected[0]);
                        expected = [expected[1], ([0; 4], [0; 3])];
                    }
                    1 => traffic.settle(),
                    _ => {
                        let at = if ahead { traffic.end() + 5 } else { traffic.end() - 5 };
                        let place = &mut places[usize::from(port)][hop];
                        pass(&mut traffic, at, port, HOPS[hop], place);
                        let (flows, hops) = &mut expected[usize::from(ahead)];
                        hops[hop] += 1;
                        flows[usize::from(port)] += u64::from(hop == 0);
                    }
                }
            }
            prop_assert_eq!(told(&close(&mut traffic)), expected[0]);
            prop_assert_eq!(told(&close(&mut traffic)), expected[1]);
        }
    }

    #[test]
    fn tallies_are_bounded_and_nothing_is_left_out() {
        let mut traffic = node();
        let mut places = vec![Place::default(); 40_000];
        for _ in 0..3 {
            for (port, place) in (0..).zip(&mut places) {
                pass(&mut traffic, 9, port, HOPS[0], place);
                assert!(traffic.banks[0].tallies.0.len() <= MOST);
            }
        }
        let interval = close(&mut traffic);
        assert_eq!(interval.floating_ips[1].hops[Hop::Fg as usize].unwrap().packets, 120_000);
        let of_flows: u64 = interval.flows.iter().map(|flow| flow.count.packets).sum();
        assert_eq!((of_flows + interval.forgotten, interval.classes[Class::Fip as usize].packets), (120_000, 120_000));
    }
}
