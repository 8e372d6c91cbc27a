//! What an interval comes to.

use std::net::IpAddr;

use super::connections::Connections;
use super::count::{CLASSES, Count};
use super::filter::Filter;
use super::flow::{Flow, FlowKey};
use super::state::{Bank, FipId, Hop, Lanes, Traffic, once};
use super::stop::{Missing, StopsAt, View, is_much};
use super::talk::{Summary, TalkKey, Talked};
use crate::net::{ConntrackEntry, ConntrackTuple};
use crate::path::{Class, Detail, Endpoint};
use crate::topology::Direction;

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
    /// Packets that the kernel dropped before we saw them.
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
    /// since 1970). To be called a little after the end: frames surface late.
    pub fn close(&mut self, seconds: f64, lost: u64, next_end: u64) -> Interval {
        self.settle();
        self.total.resize(self.routers.len(), Lanes::default());
        let [now, after] = &self.banks;
        let talked = self.talked(now, after, lost > 0);
        let flows = now.flows.sorted().into_iter().map(|(key, flow)| self.flow(key, &flow, &talked)).collect();
        let floating_ips = self.floating_ips(now, after, lost > 0, &talked);
        let spoke = self.speaking(now);
        let (unplaced, forgotten, added) = (now.unplaced, now.flows.forgotten, now.routers.clone());
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
        for ((total, added), router) in self.total.iter_mut().zip(&added).zip(&self.routers) {
            let before = once(total);
            for (lanes, added) in total.iter_mut().zip(added) {
                lanes.iter_mut().zip(added).for_each(|(count, added)| *count += *added);
            }
            let after = once(total);
            let classes = CLASSES.map(|class| after[class as usize] - before[class as usize]);
            interval.classes.iter_mut().zip(classes).for_each(|(sum, count)| *sum += count);
            if classes.iter().any(|count| count.packets > 0) {
                interval.routers.push(RouterTraffic { router: router.clone(), classes });
            }
        }
        self.until = next_end;
        self.spoke = spoke;
        self.banks[0] = std::mem::take(&mut self.banks[1]);
        interval
    }

    fn floating_ips(&self, now: &Bank, after: &Bank, lossy: bool, talked: &Talked) -> Vec<FipTraffic> {
        let mut all = Vec::with_capacity(2 * self.fips.len());
        let passages = now.fips.iter().zip(&after.fips).zip(&talked.sums);
        for ((id, visible), ((now, after), sum)) in self.fips.iter().zip(passages) {
            let view = View { kind: id.kind, visible, now, after, end: self.until, lossy };
            all.extend([Direction::Outbound, Direction::Inbound].map(|direction| {
                let passage = &now[direction as usize];
                let hops = Hop::ALL.map(|hop| visible[hop as usize].then(|| passage[hop as usize].count));
                let missing = missing(&view, direction, sum, talked.is_whole);
                let stops_at = missing.filter(|missing| is_much(missing.packets, missing.of)).map(|one| one.after);
                FipTraffic { id: id.clone(), direction, hops, stops_at, missing, reason: None }
            }));
        }
        all.sort_by(|a, b| (&a.id, a.direction).cmp(&(&b.id, b.direction)));
        all
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
            floating_ip: flow.fip.and_then(|fip| Some(self.fips.get(fip)?.0.clone())),
            router: self.routers.get(key.router).cloned().flatten(),
            count: flow.count(),
            stops_at: flow.fip.and_then(|fip| talked.stops_at(talk(fip), flow.direction)),
        }
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
            Direction::Inbound if is_whole && view.gap(Direction::Outbound, true).is_none() => sum.unanswered,
            Direction::Inbound if view.is_silent() => view.arrived(),
            Direction::Outbound | Direction::Inbound => 0,
        };
        (unanswered > 0).then(|| at(StopsAt::VmSilent, unanswered, view.arrived()))
    };
    let much = |missing: &Missing| is_much(missing.packets, missing.of);
    gap(true).or_else(|| silent().filter(much)).or_else(|| gap(false)).or_else(silent)
}
