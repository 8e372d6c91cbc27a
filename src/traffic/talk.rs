//! Conversations of floating IPs, hop by hop: which of them stop, and to which of
//! them the instance says nothing. What one conversation loses, the others hide
//! where only their sum is looked at.

use std::cell::OnceCell;
use std::collections::{HashMap, HashSet};

use super::state::{Bank, Passage, Traffic};
use super::stop::{Gap, StopsAt, View};
use crate::path::{Endpoint, ICMP};
use crate::topology::Direction;

/// Conversations that are told apart in an interval, some 2.5 MiB; what comes
/// beyond counts in the sums alone.
const MOST: usize = 4096;

/// A conversation of a floating IP, by what translation leaves as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct TalkKey {
    /// The floating IP's number.
    fip: usize,
    proto: u8,
    /// The other side, outside.
    peer: Endpoint,
    /// The instance's port.
    port: Option<u16>,
}

/// Conversations of an interval.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Talks {
    all: Vec<(TalkKey, [Passage; 2])>,
    /// Where they stand.
    places: HashMap<TalkKey, u32>,
    /// Some did not find room.
    full: bool,
}

/// What is found out about the conversations of a floating IP.
#[derive(Clone, Debug, Default)]
pub(super) struct Summary {
    /// Those that stop, outbound and inbound, each with the place.
    pub(super) stopped: [Vec<StopsAt>; 2],
    /// Packets that went to the instance, in conversations in which it said nothing.
    pub(super) unanswered: u64,
}

/// What is found out about an interval's conversations.
#[derive(Clone, Debug, Default)]
pub(super) struct Talked {
    /// Where they stop, outbound and inbound.
    stops: HashMap<TalkKey, [Option<StopsAt>; 2]>,
    /// By floating IP.
    pub(super) sums: Vec<Summary>,
    /// Each of them was told apart.
    pub(super) is_whole: bool,
}

impl TalkKey {
    /// The conversation of packets with these ends, at whichever hop.
    pub(super) fn between(fip: usize, direction: Direction, proto: u8, [source, destination]: [Endpoint; 2]) -> Self {
        let (own, peer) = match direction {
            Direction::Outbound => (source, destination),
            Direction::Inbound => (destination, source),
        };
        Self { fip, proto, peer, port: own.port }
    }

    /// All conversations with that port of the other side: translation may change the
    /// instance's own port (`--random-fully`, which the agent asks for from Train on).
    fn party(self) -> Self {
        Self { port: None, ..self }
    }

    /// What the instance says where it refuses (RFC 792): an error has no ports.
    fn refusal(self) -> Self {
        Self { proto: ICMP, peer: Endpoint { port: None, ..self.peer }, port: None, ..self }
    }
}

impl Talks {
    /// A conversation's hops, where there is room for it.
    pub(super) fn talk(&mut self, key: TalkKey) -> Option<&mut [Passage; 2]> {
        let place = self.find(key)?;
        self.all.get_mut(place as usize).map(|(_, hops)| hops)
    }

    fn find(&mut self, key: TalkKey) -> Option<u32> {
        if let Some(place) = self.places.get(&key) {
            return Some(*place);
        }
        if self.all.len() >= MOST {
            self.full = true;
            return None;
        }
        let place = u32::try_from(self.all.len()).unwrap_or(u32::MAX);
        self.all.push((key, [Passage::default(); 2]));
        self.places.insert(key, place);
        Some(place)
    }

    /// The conversations of each party together.
    fn parties(&self) -> HashMap<TalkKey, [Passage; 2]> {
        let mut parties: HashMap<TalkKey, [Passage; 2]> = HashMap::new();
        for (key, hops) in &self.all {
            let sums = parties.entry(key.party()).or_default().iter_mut().flatten();
            sums.zip(hops.iter().flatten()).for_each(|(sum, passed)| sum.add(passed));
        }
        parties
    }

    fn get(&self, key: TalkKey) -> Option<&[Passage; 2]> {
        self.all.get(*self.places.get(&key)? as usize).map(|(_, hops)| hops)
    }
}

impl Talked {
    /// Where a conversation stops.
    pub(super) fn stops_at(&self, key: TalkKey, direction: Direction) -> Option<StopsAt> {
        self.stops.get(&key)?[direction as usize]
    }
}

impl Traffic {
    /// Looks at the conversations of an interval one by one.
    pub(super) fn talked(&self, now: &Bank, after: &Bank, doubt: u64) -> Talked {
        let is_whole = !now.talks.full && !after.talks.full;
        let sums = vec![Summary::default(); self.fips.len()];
        let mut talked = Talked { stops: HashMap::new(), sums, is_whole };
        let parties = OnceCell::new();
        for (key, hops) in &now.talks.all {
            let sums = (now.fips.get(key.fip), after.fips.get(key.fip));
            let (Some(seat), (Some(all_now), Some(all_after))) = (self.fips.get(key.fip), sums) else {
                continue;
            };
            let doubt = seat.doubt(now, doubt);
            let view = |now, after| View { seat, now, after, end: self.until, doubt, owed: None };
            let nothing = [Passage::default(); 2];
            let own = view(hops, after.talks.get(*key).unwrap_or(&nothing));
            let all = view(all_now, all_after);
            let mut stops = [Direction::Outbound, Direction::Inbound].map(|direction| {
                let stop = own.gap(direction, true)?;
                let is_missing = |gap: Gap| gap.hop == stop.hop && gap.missing >= stop.missing;
                if !all.gaps(direction).any(|gap| gap.hop == stop.hop) {
                    return None;
                }
                // Where a port was changed it is another conversation beyond, of the same party: nothing is
                // missing then.
                let of_party = parties.get_or_init(|| [now, after].map(|bank| bank.talks.parties()));
                let [now, after] = of_party.each_ref().map(|all| all.get(&key.party()).unwrap_or(&nothing));
                view(now, after).gaps(direction).any(is_missing).then_some(StopsAt::Hop(stop.hop))
            });
            let inbound = Direction::Inbound as usize;
            let said = self.spoke.contains(key) || self.refused(*key, now, after);
            let is_good = all.gap(Direction::Outbound, true).is_none();
            if is_whole && doubt == 0 && is_good && stops[inbound].is_none() && !said && own.is_silent() {
                stops[inbound] = Some(StopsAt::VmSilent);
                talked.sums[key.fip].unanswered += own.arrived();
            }
            for (sum, stop) in talked.sums[key.fip].stopped.iter_mut().zip(stops) {
                sum.extend(stop);
            }
            if stops != [None; 2] {
                talked.stops.insert(*key, stops);
            }
        }
        talked
    }

    /// Conversations in which the instances of an interval spoke.
    pub(super) fn speaking(&self, now: &Bank) -> HashSet<TalkKey> {
        let spoke = |(key, hops): &&(TalkKey, [Passage; 2])| {
            self.fips.get(key.fip).is_some()
                && hops[Direction::Outbound as usize].iter().any(|hop| hop.count.packets > 0)
        };
        now.talks.all.iter().filter(spoke).map(|(key, _)| *key).collect()
    }

    fn refused(&self, key: TalkKey, now: &Bank, after: &Bank) -> bool {
        let refusal = key.refusal();
        let banks = [now, after].into_iter();
        let said = |hops: &[Passage; 2]| hops[Direction::Outbound as usize].iter().any(|hop| hop.count.packets > 0);
        self.spoke.contains(&refusal) || banks.filter_map(|bank| bank.talks.get(refusal)).any(said)
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::path::UDP;
    use crate::topology::Direction::{Inbound, Outbound};
    use crate::traffic::count::Count;
    use crate::traffic::state::{FipId, Hop, Passed};
    use crate::traffic::{FipTraffic, Health, Interval};

    const SECOND: u64 = 1_000_000_000;
    const WAY_OUT: [Hop; 4] = [Hop::Qr, Hop::Rfp, Hop::Fpr, Hop::Fg];
    const WAY_IN: [Hop; 4] = [Hop::Fg, Hop::Fpr, Hop::Rfp, Hop::Qr];
    const PEER: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 7);

    /// A floating IP all of whose hops are listened at.
    fn node() -> Traffic {
        let mut traffic = Traffic::until(SECOND);
        traffic.fip(FipId::distributed());
        traffic.fips[0].visible = [true, true, true, true, false, false];
        traffic
    }

    /// Packets of the conversation with this port of the peer pass these hops.
    fn pass(
        traffic: &mut Traffic,
        at: u64,
        way: Direction,
        hops: &[Hop],
        (proto, port): (u8, Option<u16>),
        packets: u64,
    ) {
        let peer = Endpoint { address: PEER, port };
        let key = TalkKey { fip: 0, proto, peer, port: port.map(|_| 53) };
        let late = traffic.is_late(at);
        for hop in hops {
            let (count, late) = (Count { packets, bytes: packets }, if late { packets } else { 0 });
            let passed = Passed { count, late, first: at, last: at, ..Passed::default() };
            let bank = traffic.bank(at);
            bank.fips[0][way as usize][*hop as usize].add(&passed);
            bank.talks.talk(key).unwrap()[way as usize][*hop as usize].add(&passed);
        }
    }

    fn close(traffic: &mut Traffic) -> Interval {
        let end = traffic.end();
        traffic.close(1.0, 0, end + SECOND)
    }

    fn half(interval: &Interval, way: Direction) -> &FipTraffic {
        interval.floating_ips.iter().find(|fip| fip.direction == way).unwrap()
    }

    fn told(interval: &Interval, way: Direction) -> (Health, String) {
        let other = if way == Inbound { Outbound } else { Inbound };
        let told = half(interval, way).told(half(interval, other), None).unwrap();
        (told.health, told.text)
    }

    #[test]
    fn silence_is_judged_conversation_by_conversation() {
        let mut traffic = node();
        pass(&mut traffic, 9, Outbound, &WAY_OUT, (UDP, Some(1)), 50);
        pass(&mut traffic, 9, Inbound, &WAY_IN, (UDP, Some(1)), 50);
        pass(&mut traffic, 9, Inbound, &WAY_IN, (UDP, Some(2)), 20);
        let interval = close(&mut traffic);
        let inward = half(&interval, Inbound);
        assert_eq!(inward.stops_at, Some(StopsAt::VmSilent));
        let missing = inward.missing.unwrap();
        assert_eq!((missing.packets, missing.of, missing.flows), (20, 70, 1));
        assert_eq!(half(&interval, Outbound).stops_at, None);
        // A scanner's few packets are no silent instance, and are told all the same.
        pass(&mut traffic, SECOND + 9, Outbound, &WAY_OUT, (UDP, Some(1)), 50);
        pass(&mut traffic, SECOND + 9, Inbound, &WAY_IN, (UDP, Some(1)), 50);
        pass(&mut traffic, SECOND + 9, Inbound, &WAY_IN, (UDP, Some(2)), 1);
        let (health, text) = told(&close(&mut traffic), Inbound);
        assert_eq!(health, Health::Passes);
        assert_eq!(text, "every hop passes it on; 1 of 51 went to the instance without an answer, 1 flow stops at it");
    }

    #[test]
    fn an_answer_to_the_instance_a_refusal_or_a_late_question_is_no_silence() {
        let mut traffic = node();
        // Asked just before the end, answered behind it.
        pass(&mut traffic, SECOND - 9, Outbound, &WAY_OUT, (UDP, Some(1)), 1);
        close(&mut traffic);
        pass(&mut traffic, SECOND + 9, Inbound, &WAY_IN, (UDP, Some(1)), 1);
        assert_eq!(half(&close(&mut traffic), Inbound).missing, None);
        // Nobody listens on that port, and the instance says so.
        pass(&mut traffic, 2 * SECOND + 9, Inbound, &WAY_IN, (UDP, Some(2)), 1);
        pass(&mut traffic, 2 * SECOND + 9, Outbound, &WAY_OUT, (ICMP, None), 1);
        assert_eq!(half(&close(&mut traffic), Inbound).missing, None);
        pass(&mut traffic, 4 * SECOND - 9, Inbound, &WAY_IN, (UDP, Some(3)), 1);
        assert_eq!(half(&close(&mut traffic), Inbound).missing, None);
    }

    #[test]
    fn a_dead_flow_among_many_is_told() {
        let mut traffic = node();
        pass(&mut traffic, 9, Inbound, &WAY_IN, (UDP, Some(1)), 56);
        pass(&mut traffic, 9, Outbound, &WAY_OUT, (UDP, Some(1)), 56);
        pass(&mut traffic, 8, Inbound, &WAY_IN[..3], (UDP, Some(2)), 4);
        let interval = close(&mut traffic);
        // The sum's last packet has passed, so four of sixty are no packets on their way.
        assert_eq!(half(&interval, Inbound).stops_at, None);
        assert_eq!(
            told(&interval, Inbound),
            (Health::Few, "4 of 60 were not seen after rfp, 1 flow stops there".into())
        );
        assert_eq!(told(&interval, Outbound), (Health::Passes, "every hop passes it on".into()));
        // Where translation changes the port nothing is missing.
        pass(&mut traffic, SECOND + 9, Outbound, &WAY_OUT[..1], (UDP, Some(3)), 4);
        pass(&mut traffic, SECOND + 9, Outbound, &WAY_OUT[1..], (UDP, Some(4)), 4);
        assert_eq!(told(&close(&mut traffic), Outbound), (Health::Passes, "every hop passes it on".into()));
    }

    #[test]
    fn a_dead_flow_makes_no_other_one_dead_whose_port_is_changed() {
        let mut traffic = node();
        let peer = Endpoint { address: PEER, port: Some(53) };
        let key = |port| TalkKey { fip: 0, proto: UDP, peer, port: Some(port) };
        // Twenty go out by other ports than they came in by, their answers likewise; one more is lost at once.
        let mut pass = |way: Direction, hops: &[Hop], port: u16, packets: u64| {
            for hop in hops {
                let passed =
                    Passed { count: Count { packets, bytes: packets }, first: 9, last: 9, ..Passed::default() };
                let bank = traffic.bank(9);
                bank.fips[0][way as usize][*hop as usize].add(&passed);
                bank.talks.talk(key(port)).unwrap()[way as usize][*hop as usize].add(&passed);
            }
        };
        for port in 0..20 {
            pass(Outbound, &WAY_OUT[..1], 1000 + port, 10);
            pass(Outbound, &WAY_OUT[1..], 2000 + port, 10);
            pass(Inbound, &WAY_IN[..3], 2000 + port, 10);
            pass(Inbound, &WAY_IN[3..], 1000 + port, 10);
        }
        pass(Outbound, &WAY_OUT[..1], 7, 5);
        traffic.settle();
        let talked = traffic.talked(&traffic.banks[0], &traffic.banks[1], 0);
        assert_eq!(talked.stops_at(key(7), Outbound), Some(StopsAt::Hop(Hop::Qr)));
        assert_eq!(talked.sums[0].stopped, [vec![StopsAt::Hop(Hop::Qr)], vec![]]);
    }

    #[test]
    fn packets_of_the_last_moment_may_be_on_their_way() {
        let mut traffic = node();
        pass(&mut traffic, 9, Outbound, &WAY_OUT, (UDP, Some(1)), 1000);
        pass(&mut traffic, SECOND - 9, Outbound, &WAY_OUT[..1], (UDP, Some(1)), 5);
        pass(&mut traffic, SECOND + 9, Outbound, &WAY_OUT[1..], (UDP, Some(1)), 5);
        assert_eq!(half(&close(&mut traffic), Outbound).missing, None);
    }

    #[test]
    fn conversations_are_bounded() {
        let mut traffic = node();
        for number in 0..60_000_u16 {
            let key = TalkKey { fip: 0, proto: UDP, peer: Endpoint { address: PEER, port: Some(number) }, port: None };
            traffic.bank(9).talks.talk(key);
        }
        let talked = traffic.talked(&traffic.banks[0], &traffic.banks[1], 0);
        assert!(traffic.banks[0].talks.all.len() == MOST && !talked.is_whole);
    }
}
