//! What flows, for the screen: what was heard of it so far, and the traffic
//! screen's rows, ready to be drawn.

mod history;
mod stops;

use std::collections::BTreeSet;
use std::sync::Arc;

pub use history::History;
pub(super) use history::REMEMBERED;
pub use stops::{Said, why};
pub(super) use stops::{answer, because, said};

use super::list::List;
use super::overview::FipId as Shown;
use super::state::Node;
use crate::net::{ConntrackEntry, NetnsName, printable};
use crate::path::{Class, Endpoint};
use crate::topology::{FloatingIp, Topology};
use crate::traffic::{Conversation, Filter, FipId, FipTraffic, FlowTraffic, Interval, Trail};

/// An interval of traffic, with where it was heard.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Heard {
    /// What flowed.
    pub interval: Interval,
    /// How many flows there were; the interval holds those with the most packets.
    pub flows: usize,
    /// Namespaces that are listened in.
    pub namespaces: usize,
    /// Namespaces that are not, with the reason.
    pub deaf: Vec<(NetnsName, String)>,
    /// The conversation that is followed, since it is.
    pub trail: Option<Trail>,
    /// Its tracked connections, and where.
    pub entries: Vec<(NetnsName, ConntrackEntry)>,
    /// The file that packets are written to, or why none is.
    pub written: Option<Result<Written, String>>,
}

/// A capture file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Where it lies.
    pub path: String,
    /// Packets in it.
    pub packets: u64,
    /// Its bytes.
    pub bytes: u64,
    /// It takes no more.
    pub full: bool,
}

/// What the screens want of the listening besides counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attention {
    /// How tracked connections translate the largest flows.
    pub translations: bool,
    /// A conversation that is followed.
    pub follow: Option<Arc<Conversation>>,
    /// A file that packets are written to.
    pub write: Option<Writing>,
}

/// A capture file that is wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Writing {
    /// Its name; it lies in the current folder.
    pub name: String,
    /// Only what holds all of these words.
    pub filter: String,
}

/// What was heard since the listening began.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Hearing {
    /// The last interval; none while the first one is counted.
    pub last: Option<Arc<Heard>>,
    /// The last minute.
    pub past: Arc<History>,
    /// The floating IPs that had a packet.
    pub seen: BTreeSet<FipId>,
    /// Packets that the kernel dropped before they were seen.
    pub lost: u64,
    /// Why nothing is heard any more.
    pub failed: Option<String>,
}

/// The traffic screen.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TrafficView {
    /// The floating IP that the screen was opened for: listed, whatever flows.
    pub about: Option<Shown>,
    /// Only what holds all of these words.
    pub filter: String,
    /// What is shown while it is paused, with its past.
    pub paused: Option<(Arc<Heard>, Arc<History>)>,
    /// What is shown.
    pub shown: Option<Arc<Heard>>,
    /// The rows, ready to be drawn.
    pub rows: Vec<TrafficRow>,
    /// Cursor and scroll offset.
    pub list: List,
    /// What the cursor stands on; it survives intervals.
    pub selected: Option<TrafficId>,
    /// What is to be said of the selected floating IP.
    pub said: Option<Said>,
}

/// A row of the traffic screen; numbers are places in the interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrafficRow {
    /// Floating IPs follow: so many, and so many more without a packet.
    Fips(usize, usize),
    /// A floating IP: the place of its outbound half, the other one follows.
    Fip(usize),
    /// Flows follow: so many.
    Flows(usize),
    /// A flow.
    Flow(usize),
}

/// What a row speaks of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TrafficId {
    /// A floating IP.
    Fip(FipId),
    /// A flow: protocol, source, destination, and its floating IP.
    Flow(u8, Endpoint, Endpoint, Option<FipId>),
}

impl Hearing {
    /// Another interval.
    pub fn hear(&mut self, heard: Heard) {
        let interval = &heard.interval;
        Arc::make_mut(&mut self.past).remember(interval);
        self.lost = self.lost.saturating_add(interval.lost);
        let fips: BTreeSet<&FipId> = interval.floating_ips.iter().map(|fip| &fip.id).collect();
        self.seen.retain(|id| fips.contains(id));
        self.seen.extend(interval.floating_ips.iter().filter(|fip| fip.most() > 0).map(|fip| fip.id.clone()));
        self.failed = None;
        self.last = Some(Arc::new(heard));
    }

    /// Packets a second of a floating IP, in and out, and their past; none while
    /// nothing is known.
    pub fn rates(&self, fip: &FloatingIp) -> Option<([f64; 2], Vec<u64>)> {
        let interval = &self.last.as_ref()?.interval;
        let mut pairs = interval.floating_ips.chunks_exact(2);
        let pair = pairs.find(|pair| is_of(&pair[0].id, fip))?;
        Some(([rate(interval, &pair[1]), rate(interval, &pair[0])], self.past.fip(&pair[0].id, None)))
    }

    /// A router's packets and bits a second of a class; none while nothing is known.
    pub fn router_rates(&self, router: &str, class: Class) -> Option<[f64; 2]> {
        let interval = &self.last.as_ref()?.interval;
        let found = interval.routers.iter().find(|one| one.router.as_deref() == Some(router));
        let count = found.map(|one| one.classes[class as usize]).unwrap_or_default();
        Some([interval.rate(count.packets), interval.rate(count.bytes.saturating_mul(8))])
    }
}

impl TrafficView {
    /// Makes the rows anew from what was heard; the cursor stays with what it
    /// stood on.
    pub fn rebuild(&mut self, hearing: &Hearing, node: &Node, height: usize) {
        self.shown = self.paused.as_ref().map(|(heard, _)| heard.clone()).or_else(|| hearing.last.clone());
        let Some(heard) = self.shown.clone() else {
            self.rows.clear();
            return;
        };
        self.rows = self.listed(hearing, &heard.interval);
        let at =
            self.selected.as_ref().and_then(|id| self.rows.iter().position(|row| self.id(*row).as_ref() == Some(id)));
        if let Some(at) = at {
            self.list.follow(at, height, self.rows.len());
        } else {
            let wanted = self.about.as_ref().filter(|_| self.selected.is_none());
            let first = wanted.and_then(|about| self.row_of(about));
            self.go(first.unwrap_or(self.list.cursor), height);
        }
        self.remember();
        self.explain(node);
    }

    /// Moves the cursor by rows, negative upward.
    pub fn step(&mut self, by: isize, node: &Node, height: usize) {
        self.go(self.list.cursor.saturating_add_signed(by), height);
        self.explain(node);
    }

    /// Moves the cursor to the first floating IP, or the first flow: whichever it is not at.
    pub fn turn(&mut self, node: &Node, height: usize) {
        let at_flow = matches!(self.rows.get(self.list.cursor), Some(TrafficRow::Flow(_)));
        let wanted = |row: &TrafficRow| match row {
            TrafficRow::Fip(_) => at_flow,
            TrafficRow::Flow(_) => !at_flow,
            TrafficRow::Fips(..) | TrafficRow::Flows(_) => false,
        };
        if let Some(to) = self.rows.iter().position(wanted) {
            self.go(to, height);
            self.explain(node);
        }
    }

    /// Moves the cursor to a row, or the nearest that can be selected.
    pub fn go(&mut self, to: usize, height: usize) {
        let selectable = |row: &TrafficRow| matches!(row, TrafficRow::Fip(_) | TrafficRow::Flow(_));
        self.list.go(to, height, self.rows.len(), |row| selectable(&self.rows[row]));
        self.remember();
    }

    /// The last minute of what is shown.
    pub(super) fn past<'a>(&'a self, hearing: &'a Hearing) -> &'a History {
        self.paused.as_ref().map_or(&hearing.past, |(_, past)| past)
    }

    /// The flow under the cursor.
    pub fn flow(&self) -> Option<&FlowTraffic> {
        match self.rows.get(self.list.cursor)? {
            TrafficRow::Flow(at) => self.shown.as_ref()?.interval.flows.get(*at),
            _ => None,
        }
    }

    /// The floating IP under the cursor, or that of the flow there: outbound, inbound.
    pub fn fip(&self) -> Option<[&FipTraffic; 2]> {
        let all = &self.shown.as_ref()?.interval.floating_ips;
        match self.rows.get(self.list.cursor)? {
            TrafficRow::Fip(at) => pair(all, *at),
            TrafficRow::Flow(_) => {
                let id = self.flow()?.floating_ip.as_ref()?;
                pair(all, all.iter().position(|fip| fip.id == *id)?)
            }
            TrafficRow::Fips(..) | TrafficRow::Flows(_) => None,
        }
    }

    /// Finds out what is to be said of the selected floating IP, where that is
    /// another one, or another case, than before.
    pub(super) fn explain(&mut self, node: &Node) {
        if self.shown.is_none() {
            return;
        }
        let fresh = self.fip().map(|pair| said(node, pair, self.said.as_ref()));
        self.said = fresh;
    }

    fn listed(&self, hearing: &Hearing, interval: &Interval) -> Vec<TrafficRow> {
        let (all, filter) = (&interval.floating_ips, Filter::of(&self.filter));
        let is_about = |id: &FipId| self.about.as_ref().is_some_and(|about| is_shown(id, about));
        let pairs = (0..all.len() / 2).map(|pair| pair * 2);
        let (known, quiet): (Vec<usize>, Vec<usize>) =
            pairs.partition(|at| hearing.seen.contains(&all[*at].id) || is_about(&all[*at].id));
        let fips: Vec<TrafficRow> = known
            .into_iter()
            .filter(|at| pair(all, *at).is_some_and(|pair| filter.wants_fip(pair)))
            .map(TrafficRow::Fip)
            .collect();
        let flows: Vec<TrafficRow> = (0..interval.flows.len())
            .filter(|at| filter.wants_flow(&interval.flows[*at]))
            .map(TrafficRow::Flow)
            .collect();
        let heads = [TrafficRow::Fips(fips.len(), quiet.len()), TrafficRow::Flows(flows.len())];
        let [fip_head, flow_head] = heads.map(std::iter::once);
        fip_head.chain(fips).chain(flow_head).chain(flows).collect()
    }

    fn id(&self, row: TrafficRow) -> Option<TrafficId> {
        let interval = &self.shown.as_ref()?.interval;
        match row {
            TrafficRow::Fip(at) => Some(TrafficId::Fip(interval.floating_ips.get(at)?.id.clone())),
            TrafficRow::Flow(at) => {
                let flow = interval.flows.get(at)?;
                Some(TrafficId::Flow(flow.proto, flow.source, flow.destination, flow.floating_ip.clone()))
            }
            TrafficRow::Fips(..) | TrafficRow::Flows(_) => None,
        }
    }

    fn row_of(&self, about: &Shown) -> Option<usize> {
        let all = &self.shown.as_ref()?.interval.floating_ips;
        let is_it = |row: &TrafficRow| match row {
            TrafficRow::Fip(at) => all.get(*at).is_some_and(|fip| is_shown(&fip.id, about)),
            _ => false,
        };
        self.rows.iter().position(is_it)
    }

    fn remember(&mut self) {
        self.selected = self.rows.get(self.list.cursor).and_then(|row| self.id(*row));
    }
}

/// Packets a second of a floating IP in one direction, by the hop that saw most.
pub(super) fn rate(interval: &Interval, fip: &FipTraffic) -> f64 {
    interval.rate(fip.most())
}

/// The floating IP of the topology that traffic is told of.
pub(super) fn known<'a>(topology: &'a Topology, id: &FipId) -> Option<&'a FloatingIp> {
    topology.fips().find(|fip| is_of(id, fip))
}

/// Why nothing is heard, in lines that may be shown.
pub(super) fn reason(why: &str) -> String {
    let lines: Vec<String> = why.lines().take(4).map(|line| printable(line, 300)).collect();
    lines.join(": ")
}

fn is_of(id: &FipId, fip: &FloatingIp) -> bool {
    fip.floating_ip == Some(id.floating_ip.into()) && fip.router == id.router
}

fn is_shown(id: &FipId, about: &Shown) -> bool {
    about.floating == Some(id.floating_ip.into()) && about.router == id.router
}

fn pair(all: &[FipTraffic], outbound: usize) -> Option<[&FipTraffic; 2]> {
    Some([all.get(outbound)?, all.get(outbound + 1)?])
}
