//! `fipscope.probe/1`: one packet of our own, and how far it came.

use std::net::Ipv4Addr;

use serde::Serialize;

use super::document;
use crate::net::{NetnsName, ReachBy};
use crate::report::Probed;
use crate::traffic::{Count, Fate};

#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    node: &'a str,
    taken_at: jiff::Timestamp,
    floating_ip: Ipv4Addr,
    namespace: &'a str,
    source: Option<Ipv4Addr>,
    destination: Ipv4Addr,
    proto: &'static str,
    port: Option<u16>,
    result: &'a Fate,
    rtt_us: Option<u64>,
    stops_at: Option<&'a str>,
    reason: Option<&'a str>,
    lost: u64,
    stations: Vec<Station<'a>>,
}

#[derive(Serialize)]
struct Station<'a> {
    name: &'a str,
    namespace: Option<&'a str>,
    expected: bool,
    forth: Option<Count>,
    back: Option<Count>,
}

/// What became of a packet, as one document.
pub fn probe(node: &str, at: jiff::Timestamp, probed: &Probed<'_>) -> String {
    let question = &probed.errand.question;
    let (proto, port) = match question.by {
        ReachBy::Echo => ("icmp", None),
        ReachBy::Syn(port) => ("tcp", Some(port)),
    };
    let all = &probed.stations.all;
    let (rtt_us, stop) = match probed.fate {
        Fate::Answered(rtt) | Fate::Refused(rtt) => (Some(*rtt), None),
        Fate::Astray(at, rtt) => (Some(*rtt), all.get(*at)),
        Fate::Stops(at) | Fate::AnswerStops(at) => (None, all.get(*at)),
        _ => (None, None),
    };
    let told = Document {
        schema: "fipscope.probe/1",
        node,
        taken_at: at,
        floating_ip: probed.floating_ip,
        namespace: question.namespace.as_str(),
        source: question.source,
        destination: question.destination,
        proto,
        port,
        result: probed.fate,
        rtt_us,
        stops_at: stop.map(|station| station.name.as_str()),
        reason: probed.reason,
        lost: probed.lost,
        stations: all
            .iter()
            .map(|one| Station {
                name: &one.name,
                namespace: one.namespace.as_ref().map(NetnsName::as_str),
                expected: one.expected[0],
                forth: one.counts[0],
                back: one.counts[1],
            })
            .collect(),
    };
    document(&told)
}
