//! Walks over made-up nodes: where a packet goes, its class, what stops it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod broken;
mod healthy;

use std::fmt::Write;
use std::net::Ipv4Addr;

use fipscope::net::Snapshot;
use fipscope::path::{Node, Packet, TCP, Walk};
use fipscope::topology::Topology;

/// The walk of a TCP packet, and of its answer.
fn both(snapshot: &Snapshot, src: &str, dst: &str) -> (Walk, Option<Walk>) {
    let topology = Topology::of(snapshot);
    let node = Node::of(snapshot, &topology);
    let (src, dst) = (src.parse::<Ipv4Addr>().unwrap(), dst.parse().unwrap());
    let starts = node.starts(src, dst);
    assert_eq!(starts.len(), 1, "{starts:?}");
    let walk = node.walk(&starts[0], Packet::first(src, dst, TCP).ports(40000, 443));
    let reply = node.reply(&walk);
    (walk, reply)
}

/// A walk in a few words: class, outcome, then each hop.
fn told(walk: &Walk) -> String {
    let mut text = format!("{} {}", walk.class.word(), walk.outcome.word());
    if let Some(detail) = walk.detail {
        write!(text, " ({})", detail.word()).unwrap();
    }
    for hop in &walk.hops {
        let end = |name: &Option<fipscope::net::IfName>| name.as_ref().map_or("-".to_owned(), ToString::to_string);
        let kind = hop.namespace.as_str().split('-').next().unwrap();
        let device = |name: String| name.split('-').next().unwrap_or_default().to_owned();
        let (iif, oif) = (device(end(&hop.iif)), device(end(&hop.oif)));
        write!(text, "\n{kind} {iif}>{oif} {} {}→{}", hop.verdict.word(), hop.left.src, hop.left.dst).unwrap();
        if let Some(decided) = &hop.decided {
            write!(text, " [{} {}]", decided.rule.priority, decided.table).unwrap();
        }
        for nat in &hop.translations {
            write!(text, " {} {}→{}", nat.kind.word(), nat.before.address, nat.after.address).unwrap();
        }
    }
    if let Some(stop) = &walk.stop {
        write!(text, "\nstop: {}", stop.reason).unwrap();
    }
    text
}
