//! `fipscope.traffic/1`: a line an interval.

use std::net::Ipv4Addr;

use serde::Serialize;

use super::finish;
use super::tracked::{Tracked, tracked};
use crate::net::netfilter::protocol_word;
use crate::path::{Class, Detail, Endpoint};
use crate::topology::Direction;
use crate::traffic::{self, Count, FipTraffic, FlowTraffic, Health, Hop, Interval, Missing, StopsAt};

/// Flows in a line.
const FLOWS: usize = 20;

#[derive(Serialize)]
struct Line<'a> {
    schema: &'static str,
    node: &'a str,
    taken_at: jiff::Timestamp,
    seconds: f64,
    classes: Classes,
    lost: u64,
    unplaced: u64,
    forgotten: u64,
    routers: Vec<Router<'a>>,
    floating_ips: Vec<Fip<'a>>,
    flows: Vec<Flow>,
    connections: Option<Tracked<'a>>,
}

#[derive(Serialize)]
struct Classes {
    #[serde(rename = "east-west")]
    east_west: Count,
    snat: Count,
    fip: Count,
    local: Count,
    none: Count,
}

#[derive(Serialize)]
struct Router<'a> {
    router: Option<&'a str>,
    classes: Classes,
}

#[derive(Serialize)]
struct Fip<'a> {
    floating_ip: Ipv4Addr,
    fixed_ip: Option<Ipv4Addr>,
    router: &'a str,
    direction: &'static str,
    points: Points,
    stops_at: Option<StopsAt>,
    missing: Option<Missing>,
    health: Option<Health>,
    doubt: Option<u64>,
    reason: Option<&'a str>,
}

#[derive(Serialize)]
struct Points {
    qr: Option<Count>,
    rfp: Option<Count>,
    fpr: Option<Count>,
    fg: Option<Count>,
    sg: Option<Count>,
    qg: Option<Count>,
}

#[derive(Serialize)]
struct Flow {
    class: Class,
    detail: Option<Detail>,
    direction: &'static str,
    proto: String,
    source: String,
    destination: String,
    translated: Option<String>,
    packets: u64,
    bytes: u64,
    stops_at: Option<StopsAt>,
}

/// What an interval comes to, in one line.
pub fn traffic(node: &str, interval: &Interval) -> String {
    let line = Line {
        schema: "fipscope.traffic/1",
        node,
        taken_at: jiff::Timestamp::from_nanosecond(interval.end.into()).unwrap_or(jiff::Timestamp::UNIX_EPOCH),
        seconds: (interval.seconds * 1000.0).round() / 1000.0,
        classes: classes(&interval.classes),
        lost: interval.lost,
        unplaced: interval.unplaced,
        forgotten: interval.forgotten,
        routers: interval
            .routers
            .iter()
            .map(|router| Router { router: router.router.as_deref(), classes: classes(&router.classes) })
            .collect(),
        floating_ips: fips(interval),
        flows: interval.flows.iter().take(FLOWS).map(flow).collect(),
        connections: interval.connections.as_ref().map(|all| tracked(all, interval.end)),
    };
    finish(serde_json::to_string(&line))
}

fn classes(counts: &[Count; 5]) -> Classes {
    let of = |class: Class| counts[traffic::CLASSES.iter().position(|known| *known == class).unwrap_or(0)];
    Classes {
        east_west: of(Class::EastWest),
        snat: of(Class::Snat),
        fip: of(Class::Fip),
        local: of(Class::Local),
        none: of(Class::None),
    }
}

/// Every floating IP, each direction judged beside the other one.
fn fips(interval: &Interval) -> Vec<Fip<'_>> {
    let pairs = interval.floating_ips.chunks(2);
    let all = pairs.flat_map(|pair| (0..pair.len()).map(|at| fip(&pair[at], &pair[pair.len() - 1 - at])));
    all.collect()
}

fn fip<'a>(fip: &'a FipTraffic, other: &FipTraffic) -> Fip<'a> {
    let at = |hop: Hop| fip.hops[hop as usize];
    Fip {
        floating_ip: fip.id.floating_ip,
        fixed_ip: fip.id.fixed_ip,
        router: &fip.id.router,
        direction: way(fip.direction),
        points: Points {
            qr: at(Hop::Qr),
            rfp: at(Hop::Rfp),
            fpr: at(Hop::Fpr),
            fg: at(Hop::Fg),
            sg: at(Hop::Sg),
            qg: at(Hop::Qg),
        },
        stops_at: fip.stops_at,
        missing: fip.missing,
        health: fip.health(other),
        doubt: Some(fip.doubt).filter(|doubt| *doubt < u64::MAX),
        reason: fip.reason.as_deref(),
    }
}

fn way(direction: Direction) -> &'static str {
    match direction {
        Direction::Outbound => "out",
        Direction::Inbound => "in",
    }
}

fn flow(flow: &FlowTraffic) -> Flow {
    Flow {
        class: flow.class,
        detail: flow.detail,
        direction: way(flow.direction),
        proto: protocol_word(flow.proto).map_or_else(|| flow.proto.to_string(), str::to_owned),
        source: flow.source.to_string(),
        destination: flow.destination.to_string(),
        translated: flow.translated.as_ref().map(Endpoint::to_string),
        packets: flow.count.packets,
        bytes: flow.count.bytes,
        stops_at: flow.stops_at,
    }
}
