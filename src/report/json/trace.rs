//! `fipscope.trace/1`.

use std::net::Ipv4Addr;

use serde::Serialize;

use super::{Head, document};
use crate::check::{Code, blocked_by};
use crate::net::netfilter::protocol_word;
use crate::net::{IfName, Mac, NeighState, NetnsName, RulePriority, Snapshot, TableId};
use crate::path::{self, Class, Detail, Kernel, NatKind, Outcome, Verdict};
use crate::report::{Back, Judged};
use crate::topology::Topology;

#[derive(Serialize)]
struct Trace<'a> {
    #[serde(flatten)]
    head: Head<'a>,
    #[serde(flatten)]
    walk: Walk<'a>,
    reply: Option<Walk<'a>>,
}

#[derive(Serialize)]
struct Walk<'a> {
    class: Class,
    detail: Option<Detail>,
    outcome: Outcome,
    blocked_by: Option<String>,
    arp: Option<Arp<'a>>,
    r#in: Packet,
    out: Packet,
    hops: Vec<Hop<'a>>,
}

#[derive(Serialize)]
struct Arp<'a> {
    answers: Option<bool>,
    mac: Option<Mac>,
    why: &'a str,
}

#[derive(Serialize)]
struct Packet {
    src: Ipv4Addr,
    dst: Ipv4Addr,
    proto: String,
    sport: Option<u16>,
    dport: Option<u16>,
    mark: u32,
}

#[derive(Serialize)]
struct Hop<'a> {
    namespace: &'a NetnsName,
    r#in: Option<&'a IfName>,
    out: Option<&'a IfName>,
    rule: Option<Rule>,
    route: Option<String>,
    nat: Vec<Nat<'a>>,
    neighbour: Option<Neighbour>,
    verdict: Verdict,
    kernel: &'static str,
    /// What the kernel says where it differs, or why it could not be asked.
    kernel_answer: Option<String>,
}

#[derive(Serialize)]
struct Rule {
    priority: RulePriority,
    table: TableId,
}

#[derive(Serialize)]
struct Nat<'a> {
    kind: NatKind,
    before: String,
    after: String,
    rule: Option<&'a str>,
}

#[derive(Serialize)]
struct Neighbour {
    address: Ipv4Addr,
    mac: Option<Mac>,
    state: Option<NeighState>,
}

/// A packet's walk, and its answer's where there is one.
pub fn trace(
    snapshot: &Snapshot,
    topology: &Topology,
    walk: &path::Walk,
    back: Back<'_>,
    judged: Judged<'_>,
) -> String {
    let code = |walk| blocked_by(topology, judged.findings, walk).map(|finding| finding.code);
    let reply = match back {
        Back::Walk(reply) => Some(Walk::of(reply, code(reply))),
        Back::NotAsked | Back::None => None,
    };
    document(&Trace { head: Head::new("fipscope.trace/1", snapshot), walk: Walk::of(walk, code(walk)), reply })
}

impl<'a> Walk<'a> {
    fn of(walk: &'a path::Walk, code: Option<Code>) -> Self {
        Self {
            class: walk.class,
            detail: walk.detail,
            outcome: walk.outcome,
            blocked_by: code
                .map(|code| code.to_string())
                .or_else(|| walk.stop.as_ref().map(|stop| stop.reason.clone())),
            arp: walk.arp.as_ref().map(|arp| Arp { answers: arp.answers, mac: arp.mac, why: &arp.why }),
            r#in: Packet::of(&walk.sent),
            out: Packet::of(&walk.arrived),
            hops: walk.hops.iter().map(Hop::of).collect(),
        }
    }
}

impl Packet {
    fn of(packet: &path::Packet) -> Self {
        Self {
            src: packet.src,
            dst: packet.dst,
            proto: protocol_word(packet.proto).map_or_else(|| packet.proto.to_string(), str::to_owned),
            sport: packet.sport,
            dport: packet.dport,
            mark: packet.mark,
        }
    }
}

impl<'a> Hop<'a> {
    fn of(hop: &'a path::Hop) -> Self {
        let (kernel, kernel_answer) = match &hop.kernel {
            Kernel::Agrees => ("agrees", None),
            Kernel::Differs(answer) => ("differs", Some(answer.to_string())),
            Kernel::NotAsked => ("not-asked", None),
            Kernel::Failed(why) => ("not-asked", Some(format!("could not be asked: {why}"))),
        };
        let decided = hop.decided.as_ref();
        Self {
            namespace: &hop.namespace,
            r#in: hop.iif.as_ref(),
            out: hop.oif.as_ref(),
            rule: decided.map(|decided| Rule { priority: decided.rule.priority, table: decided.table }),
            route: decided.map(|decided| decided.route.to_string()),
            nat: hop.translations.iter().map(Nat::of).collect(),
            neighbour: hop.neighbour.as_ref().map(|to| Neighbour { address: to.address, mac: to.mac, state: to.state }),
            verdict: hop.verdict,
            kernel,
            kernel_answer,
        }
    }
}

impl<'a> Nat<'a> {
    fn of(nat: &'a path::Translation) -> Self {
        Self { kind: nat.kind, before: nat.before.to_string(), after: nat.after.to_string(), rule: nat.rule.as_deref() }
    }
}
