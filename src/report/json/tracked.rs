//! The tracked connections of a floating IP, within a line of its traffic.

use std::net::IpAddr;

use serde::Serialize;

use crate::net::netfilter::protocol_word;
use crate::net::{ConntrackTuple, NetnsName};
use crate::traffic::{Connection, Connections};

#[derive(Serialize)]
pub(super) struct Tracked<'a> {
    entries: Vec<Entry<'a>>,
    left_out: usize,
    unreadable: Vec<Unreadable<'a>>,
}

#[derive(Serialize)]
struct Entry<'a> {
    namespace: &'a NetnsName,
    proto: String,
    original: Way,
    reply: Way,
    age: Option<u64>,
    timeout: Option<u32>,
    outlived: Option<Outlived>,
}

#[derive(Serialize)]
struct Way {
    source: String,
    destination: String,
    packets: Option<u64>,
    bytes: Option<u64>,
}

#[derive(Serialize)]
struct Outlived {
    code: &'static str,
    floating_ip: IpAddr,
    fixed_ip: IpAddr,
}

#[derive(Serialize)]
struct Unreadable<'a> {
    namespace: &'a NetnsName,
    why: &'a str,
}

/// As they are at a time (nanoseconds since 1970).
pub(super) fn tracked(connections: &Connections, at: u64) -> Tracked<'_> {
    Tracked {
        entries: connections.all.iter().map(|one| entry(one, at)).collect(),
        left_out: connections.left_out,
        unreadable: connections.unreadable.iter().map(|(namespace, why)| Unreadable { namespace, why }).collect(),
    }
}

fn entry(one: &Connection, at: u64) -> Entry<'_> {
    let proto = one.entry.original.proto;
    Entry {
        namespace: &one.namespace,
        proto: protocol_word(proto).map_or_else(|| proto.to_string(), str::to_owned),
        original: way(&one.entry.original, one.entry.original_count),
        reply: way(&one.entry.reply, one.entry.reply_count),
        age: one.age(at),
        timeout: one.entry.timeout,
        outlived: one.outlived.map(|(floating_ip, fixed_ip)| Outlived { code: "DVR406", floating_ip, fixed_ip }),
    }
}

fn way(tuple: &ConntrackTuple, count: Option<(u64, u64)>) -> Way {
    let end = |address: IpAddr, port: Option<u16>| {
        port.map_or_else(|| address.to_string(), |port| std::net::SocketAddr::new(address, port).to_string())
    };
    Way {
        source: end(tuple.src, tuple.sport),
        destination: end(tuple.dst, tuple.dport),
        packets: count.map(|(packets, _)| packets),
        bytes: count.map(|(_, bytes)| bytes),
    }
}
