//! What an interval comes to.

use std::net::IpAddr;

use super::connections::Connections;
use super::count::{CLASSES, Count};
use super::filter::Filter;
use super::flow::{Flow, FlowKey};
use super::state::{Bank, FipId, Hop, Lanes, Owed, Seat, Traffic, each_once};
use super::stop::{Missing, StopsAt, View, is_much};
use super::talk::{Summary, TalkKey, Talked};
use crate::net::{ConntrackEntry, ConntrackTuple};
use crate::path::{Class, Detail, Endpoint};
use crate::topology::{Direction, FipKind};

/// An interval that is over.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Interval {
    /// When it ended, in nanoseconds since 1970 (UTC).
    pub end: u64,
    /// How long it was, in seconds.
    pub seconds: f64,
    /// Packets of each class ([`CLASSES`]), each once.
    pub classes: [Count; 5],
    /// The same for each router that had any; `None` is what belongs to none.
    pub routers: Vec<RouterTraffic>,
    /// Frames that the kernel dropped before we saw them, or that went with their namespace:
    /// packets, or several of them that the kernel had merged.
    pub lost: u64,
    /// Packets of devices that were not known yet.
    pub unplaced: u64,
    /// Every floating IP, first outbound, then inbound.
    pub floating_ips: Vec<FipTraffic>,
    /// Flows, those with the most packets first.
    pub flows: Vec<FlowTraffic>,
    /// Packets of flows that did not find room.
    pub forgotten: u64,
    /// The tracked connections of the one floating IP that was asked for, where they were read.
    pub connections: Option<Connections>,
}

/// A router's packets.
#[derive(Clone, Debug, PartialEq)]
pub struct RouterTraffic {
    /// Its id.
    pub router: Option<String>,
    /// By class ([`CLASSES`]).
    pub classes: [Count; 5],
}

/// A floating IP's packets in one direction.
#[derive(Clone, Debug, PartialEq)]
pub struct FipTraffic {
    /// The floating IP.
    pub id: FipId,
    /// Which way.
    pub direction: Direction,
    /// By hop ([`Hop::ALL`]); `None` where it has no such hop, or nobody listens there.
    pub hops: [Option<Count>; 6],
    /// Where they vanish: the first place behind which a tenth or more of them was not
    /// seen; `None` where there is none.
    pub stops_at: Option<StopsAt>,
    /// What is missing there; where nothing stops them, the few that are missing elsewhere.
    pub missing: Option<Missing>,
    /// Why they are missing, where somebody looked.
    pub reason: Option<String>,
    /// So many may be missing at a hop without having been lost on their way: what was lost
    /// before we saw it in this interval or, as some of it may be this one's, in the one
    /// before, and what devices had that were not known yet. [`u64::MAX`] where not all
    /// hops counted from the beginning to the end.
    pub doubt: u64,
}

/// One direction of a conversation.
#[derive(Clone, Debug, PartialEq)]
pub struct FlowTraffic {
    /// Its class.
    pub class: Class,
    /// A finer point of the class.
    pub detail: Option<Detail>,
    /// Which way it goes: out comes from an instance, in comes from the outside or goes to an
    /// instance from the node itself. Between instances it is the way out of the one.
    pub direction: Direction,
    /// Protocol number (IANA).
    pub proto: u8,
    /// Where it comes from, as it came in.
    pub source: Endpoint,
    /// Where it goes to, as it came in.
    pub destination: Endpoint,
    /// What the one of the two that is translated becomes, where that is known.
    pub translated: Option<Endpoint>,
    /// The floating IP that it belongs to.
    pub floating_ip: Option<FipId>,
    /// The id of the router whose port it came in by.
    pub router: Option<String>,
    /// How much.
    pub count: Count,
    /// Where it vanishes, if it is a floating IP's and does.
    pub stops_at: Option<StopsAt>,
}

impl Interval {
    /// The packets of a class.
    pub fn class(&self, class: Class) -> Count {
        self.classes[class as usize]
    }

    /// So many a second.
    #[expect(clippy::cast_precision_loss, reason = "a rate is rounded anyway")]
    pub fn rate(&self, number: u64) -> f64 {
        if self.seconds > 0.0 { number as f64 / self.seconds } else { 0.0 }
    }

    /// Leaves out the floating IPs and flows that a filter does not want; classes and
    /// routers are those of all packets.
    pub fn narrow(&mut self, filter: &Filter) {
        if filter.is_empty() {
            return;
        }
        let halves = self.floating_ips.chunks_exact(2).filter(|two| filter.wants_fip([&two[0], &two[1]]));
        self.floating_ips = halves.flatten().cloned().collect();
        self.flows.retain(|flow| filter.wants_flow(flow));
    }
}

impl FipTraffic {
    /// The hops of its direction, in packet order. Where the snat namespace stands without
    /// the router's own, the instance of a centralized floating IP is on another node, and
    /// its packets do not come by a router's port here.
    pub fn way(&self) -> Vec<Hop> {
        let elsewhere = |hop: &Hop| {
            self.id.kind == FipKind::Centralized && *hop == Hop::Qr && self.hops[Hop::Qr as usize].is_none()
        };
        let mut hops = Hop::way(self.id.kind, self.direction);
        hops.retain(|hop| !elsewhere(hop));
        hops
    }

    /// Packets at the hop that saw most of them.
    pub fn most(&self) -> u64 {
        self.hops.iter().flatten().map(|count| count.packets).max().unwrap_or(0)
    }
}

impl FlowTraffic {
    /// Tells how a tracked connection that it belongs to translates it, where that
    /// does.
    pub fn join(&mut self, entry: &ConntrackEntry) {
        let (original, reply) = (&entry.original, &entry.reply);
        // The reply's destination is the original's source as the other side sees it, and so on.
        let forward = changed([(original.src, original.sport), (original.dst, original.dport)], reply);
        let backward = changed([(reply.src, reply.sport), (reply.dst, reply.dport)], original);
        let own = Some((self.proto, self.source, self.destination));
        let told = match own {
            own if key(original) == own => forward,
            own if key(reply) == own => backward,
            _ => None,
        };
        self.translated = told.or(self.translated);
    }
}

type End = (IpAddr, Option<u16>);

/// The end that a translation changes, as it becomes; `answer` is the tuple of the
/// other direction.
fn changed([source, destination]: [End; 2], answer: &ConntrackTuple) -> Option<Endpoint> {
    let (source_after, destination_after) = ((answer.dst, answer.dport), (answer.src, answer.sport));
    if source != source_after {
        return endpoint(source_after);
    }
    if destination == destination_after { None } else { endpoint(destination_after) }
}

fn key(tuple: &ConntrackTuple) -> Option<(u8, Endpoint, Endpoint)> {
    Some((tuple.proto, endpoint((tuple.src, tuple.sport))?, endpoint((tuple.dst, tuple.dport))?))
}

fn endpoint((address, port): End) -> Option<Endpoint> {
    match address {
        IpAddr::V4(address) => Some(Endpoint { address, port }),
        IpAddr::V6(_) => None,
    }
}

impl Traffic {
    /// Closes the open interval, which lasted so many seconds and in which so many
    /// packets were lost before we saw them; the next one ends then (nanoseconds
    /// since 1970). To be called a little after the end: frames surface late. Some of
    /// those lost by then may be the next interval's, so that it blames no hop either.
    pub fn close(&mut self, seconds: f64, lost: u64, next_end: u64) -> Interval {
        let [doubt, next] = self.doubts;
        let doubt = doubt.saturating_add(lost);
        self.doubts = [next.max(lost), 0];
        self.settle();
        self.ahead.resize(self.routers.len(), Lanes::default());
        let [now, after] = &self.banks;
        let talked = self.talked(now, after, doubt);
        let flows = now.flows.sorted().into_iter().map(|(key, flow)| self.flow(key, &flow, &talked)).collect();
        let floating_ips = self.floating_ips(now, after, doubt, &talked);
        let spoke = self.speaking(now);
        let owed = self.views(now, after, doubt).map(|view| view.owes()).collect::<Vec<Owed>>();
        let (unplaced, forgotten, added) = (now.unplaced(), now.flows.forgotten, now.routers.clone());
        let mut interval = Interval {
            end: self.until,
            seconds,
            lost,
            unplaced,
            floating_ips,
            flows,
            forgotten,
            ..Interval::default()
        };
        for ((ahead, added), router) in self.ahead.iter_mut().zip(&added).zip(&self.routers) {
            let classes = CLASSES.map(|class| each_once(&mut ahead[class as usize], added[class as usize]));
            interval.classes.iter_mut().zip(classes).for_each(|(sum, count)| *sum += count);
            if classes.iter().any(|count| count.packets > 0) {
                interval.routers.push(RouterTraffic { router: router.clone(), classes });
            }
        }
        self.until = next_end;
        self.spoke = spoke;
        // What was heard before the first interval, not everywhere yet, owes nothing.
        if seconds > 0.0 {
            self.fips.iter_mut().zip(owed).for_each(|(seat, owed)| seat.owed = owed);
        }
        self.fips.iter_mut().for_each(Seat::go_on);
        self.banks[0] = std::mem::take(&mut self.banks[1]);
        interval
    }

    /// The clock that stamps frames was set by so many nanoseconds: the open interval's
    /// end moves with it. Frames stamped before surface after it, and may count for
    /// another interval than at the hop before; no hop is blamed for that.
    pub fn shift(&mut self, by: i64) {
        self.until = self.until.saturating_add_signed(by);
        self.doubts = [u64::MAX; 2];
    }

    fn floating_ips(&self, now: &Bank, after: &Bank, doubt: u64, talked: &Talked) -> Vec<FipTraffic> {
        let mut all = Vec::with_capacity(2 * self.fips.len());
        for (view, sum) in self.views(now, after, doubt).zip(&talked.sums) {
            let halves =
                [Direction::Outbound, Direction::Inbound].map(|direction| view.half(direction, sum, talked.is_whole));
            if view.seat.stands || halves.iter().any(|half| half.most() > 0) {
                all.extend(halves);
            }
        }
        all.sort_by(|a, b| (&a.id, a.direction).cmp(&(&b.id, b.direction)));
        all
    }

    /// What an interval has of each floating IP, where so many frames may be missing.
    fn views<'a>(&'a self, now: &'a Bank, after: &'a Bank, doubt: u64) -> impl Iterator<Item = View<'a>> {
        let passages = now.fips.iter().zip(&after.fips);
        self.fips.iter().zip(passages).map(move |(seat, (now, after))| View {
            seat,
            now,
            after,
            end: self.until,
            doubt: seat.doubt(&self.banks[0], doubt),
            owed: Some(&seat.owed),
        })
    }

    fn flow(&self, key: FlowKey, flow: &Flow, talked: &Talked) -> FlowTraffic {
        let talk = |fip| TalkKey::between(fip, flow.direction, key.proto, [key.source, key.destination]);
        FlowTraffic {
            class: flow.class,
            detail: flow.detail,
            direction: flow.direction,
            proto: key.proto,
            source: key.source,
            destination: key.destination,
            translated: flow.translated,
            floating_ip: flow.fip.and_then(|fip| Some(self.fips.get(fip)?.id.clone())),
            router: self.routers.get(key.router).cloned().flatten(),
            count: flow.count(),
            stops_at: flow.fip.and_then(|fip| talked.stops_at(talk(fip), flow.direction)),
        }
    }
}

impl View<'_> {
    fn half(&self, direction: Direction, sum: &Summary, is_whole: bool) -> FipTraffic {
        let passage = &self.now[direction as usize];
        let way = Hop::way(self.seat.id.kind, direction);
        let seen = |hop: Hop| self.seat.visible[hop as usize] && way.contains(&hop);
        let hops = Hop::ALL.map(|hop| seen(hop).then(|| passage[hop as usize].count));
        let missing = missing(self, direction, sum, is_whole);
        let stops_at = missing.filter(|missing| is_much(missing.packets, missing.of)).map(|one| one.after);
        FipTraffic { id: self.seat.id.clone(), direction, hops, stops_at, missing, reason: None, doubt: self.doubt }
    }
}

/// What of a floating IP's packets is missing, and where: first where a tenth or more is.
fn missing(view: &View<'_>, direction: Direction, sum: &Summary, is_whole: bool) -> Option<Missing> {
    let flows = |after| sum.stopped[direction as usize].iter().filter(|stop| **stop == after).count();
    let at = |after, packets, of| Missing { after, packets, of, flows: flows(after) };
    let gap = |stop| view.gap(direction, stop).map(|gap| at(StopsAt::Hop(gap.hop), gap.missing, gap.of));
    let silent = || {
        let unanswered = match direction {
            // Where the way out is broken answers come under other names, if at all.
            Direction::Inbound if is_whole && view.doubt == 0 && view.gap(Direction::Outbound, true).is_none() => {
                sum.unanswered
            }
            Direction::Inbound if view.is_silent() => view.arrived(),
            Direction::Outbound | Direction::Inbound => 0,
        };
        (unanswered > 0).then(|| at(StopsAt::VmSilent, unanswered, view.arrived()))
    };
    let much = |missing: &Missing| is_much(missing.packets, missing.of);
    gap(true).or_else(|| silent().filter(much)).or_else(|| gap(false)).or_else(silent)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::traffic::state::Passed;

    const SECOND: u64 = 1_000_000_000;

    fn node() -> Traffic {
        let mut traffic = Traffic::until(SECOND);
        traffic.fip(FipId::distributed());
        traffic.fips[0].visible = [true, true, true, true, false, false];
        traffic
    }

    /// Ten packets come in at fg, half of them go further and are answered; where they are
    /// said to stop.
    fn half(traffic: &mut Traffic, lost: u64) -> Option<StopsAt> {
        let end = traffic.end();
        for (hop, packets) in [(Hop::Fg, 10), (Hop::Fpr, 5), (Hop::Rfp, 5), (Hop::Qr, 5)] {
            let count = Count { packets, bytes: 60 * packets };
            let at = end - SECOND / 2;
            let passed = Passed { count, first: at, last: at, ..Passed::default() };
            let [out, inward] = &mut traffic.bank(at).fips[0];
            inward[hop as usize].add(&passed);
            out[hop as usize].add(&Passed { count: Count { packets: 5, bytes: 300 }, ..passed });
        }
        let interval = traffic.close(1.0, lost, end + SECOND);
        assert_eq!(interval.lost, lost);
        interval.floating_ips[1].stops_at
    }

    #[test]
    fn what_is_lost_late_blames_no_hop_in_the_next_interval() {
        let mut traffic = node();
        let stop = Some(StopsAt::Hop(Hop::Fg));
        assert_eq!(half(&mut traffic, 0), stop);
        assert_eq!([5, 5, 0, 0].map(|lost| half(&mut traffic, lost)), [None, None, None, stop]);
        assert_eq!([4, 0].map(|lost| half(&mut traffic, lost)), [stop; 2], "more is missing than was lost");
    }

    #[test]
    fn a_frame_that_is_lost_may_be_many_packets() {
        let mut traffic = node();
        assert_eq!(half(&mut traffic, 1), Some(StopsAt::Hop(Hop::Fg)));
        traffic.banks[0].largest = 5;
        assert_eq!(half(&mut traffic, 1), None);
    }

    #[test]
    fn where_the_clock_is_set_no_hop_is_blamed() {
        let mut traffic = node();
        traffic.shift(-600_000_000);
        assert_eq!(traffic.end(), SECOND - 600_000_000);
        traffic.shift(3_600_000_000_000);
        assert_eq!(traffic.end(), 3600 * SECOND + SECOND - 600_000_000);
        let stops: Vec<_> = (0..3).map(|_| half(&mut traffic, 0)).collect();
        assert_eq!(stops, [None, None, Some(StopsAt::Hop(Hop::Fg))]);
    }
}
