//! Walks by hand on the node of the founding article: a packet of 10.0.0.4 to a
//! host outside and its answer, and one that is stopped.

use std::net::Ipv4Addr;

use fipscope::net::{
    Family, IfName, NeighState, NetnsName, Route, RouteAnswer, RouteFound, RouteKind, RouteQuestion, Rule, TableId,
};
use fipscope::path::{
    Class, Connections, Decided, Endpoint, Hop, Kernel, MarkChange, NatKind, Neighbour, Outcome, Packet, Start, Stop,
    TCP, Translation, Verdict, Walk,
};
use fipscope::topology::{ObjectKind, ObjectRef};
use fipscope::tui::{Asked, Ends, FipId, Screen, Walking, Walks};

use crate::article::{self, PUBLIC, ROUTER};
use crate::desk::Desk;

const OUTSIDE: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 7);
const FIXED: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 4);
const FLOATING: Ipv4Addr = Ipv4Addr::new(192, 168, 1, 3);
const PAIR: u32 = 2_852_003_613;

/// A console of that size that watches the way out and back.
pub fn desk(width: u16, height: u16) -> Desk {
    watching(width, height, Walks { forth: out(), back: Some(back()), entrances: vec![out().start] })
}

/// A console of that size that watches a packet whose rule is missing, and that
/// is stopped where SNAT would have to be.
pub fn stopped(width: u16, height: u16) -> Desk {
    watching(width, height, Walks { forth: stuck(), back: None, entrances: vec![stuck().start] })
}

fn watching(width: u16, height: u16, walks: Walks) -> Desk {
    let mut desk = Desk::article(width, height);
    let topology = article::topology();
    let fip = topology.fips().find(|fip| fip.fixed_ip == Some(FIXED.into())).unwrap();
    let walking = Walking {
        asked: Asked::new(Ends::Fip { id: FipId::from(fip), inbound: false }),
        walks: Ok(walks),
        back: false,
        step: 0,
        playing: true,
        moved_at: desk.state.now,
        asking: false,
        asked_at: None,
        put_off: false,
        scroll: 0,
    };
    desk.state.above.push(Screen::Walk(Box::new(walking)));
    desk
}

/// What the kernel would answer to everything that the walks ask.
pub fn answers() -> Vec<(RouteQuestion, Result<RouteAnswer, String>)> {
    let hops = out().hops.into_iter().chain(back().hops);
    hops.filter_map(|hop| Some((hop.question?, Ok(hop.answer?)))).collect()
}

fn out() -> Walk {
    let sent = Packet::first(FIXED, OUTSIDE, TCP).ports(40000, 443);
    let left = Packet { src: FLOATING, sport: None, ..sent };
    let mut rule = Rule::lookup(Family::V4, 32768, TableId(16));
    rule.from = Some("10.0.0.4/32".parse().unwrap());
    let mut inside = hop(qrouter(), Some("qr-c2e43983-5c"), sent, left, Verdict::Forward);
    inside.marks = vec![MarkChange {
        before: 0,
        after: 0x400_0000,
        rule: "-A neutron-l3-agent-scope -i qr-c2e43983-5c -j MARK --set-xmark 0x4000000/0xffff0000".to_owned(),
    }];
    inside.translations = vec![Translation {
        kind: NatKind::Snat,
        before: Endpoint { address: FIXED, port: Some(40000) },
        after: Endpoint { address: FLOATING, port: None },
        rule: Some("-A neutron-l3-agent-float-snat -s 10.0.0.4/32 -j SNAT --to-source 192.168.1.3".to_owned()),
    }];
    decide(&mut inside, rule, 16, "0.0.0.0/0", Some("169.254.31.29"), "rfp-ef25020f-0", sent);
    inside.neighbour = Some(neighbour("169.254.31.29", "3e:d3:e7:34:f6:f3", NeighState::Permanent));
    let mut fip = hop(fip_namespace(), Some("fpr-ef25020f-0"), left, left, Verdict::Forward);
    let mut rule = Rule::lookup(Family::V4, PAIR, TableId(PAIR));
    rule.iif = Some(IfName::from("fpr-ef25020f-0"));
    decide(&mut fip, rule, PAIR, "0.0.0.0/0", Some("192.168.1.1"), "fg-b2b77eed-1b", left);
    fip.neighbour = Some(neighbour("192.168.1.1", "52:54:00:12:34:56", NeighState::Reachable));
    walk(sent, left, vec![inside, fip], Class::Fip, Outcome::LeavesNode)
}

fn back() -> Walk {
    let mut answer = Packet::first(OUTSIDE, FLOATING, TCP).answer();
    (answer.src, answer.dst, answer.sport, answer.dport) = (OUTSIDE, FLOATING, Some(443), None);
    let left = Packet { dst: FIXED, dport: Some(40000), ..answer };
    let main = || Rule::lookup(Family::V4, 32766, TableId::MAIN);
    let mut fip = hop(fip_namespace(), Some("fg-b2b77eed-1b"), answer, answer, Verdict::Forward);
    decide(&mut fip, main(), 254, "192.168.1.3/32", Some("169.254.31.28"), "fpr-ef25020f-0", answer);
    fip.neighbour = Some(neighbour("169.254.31.28", "16:91:f5:0b:34:50", NeighState::Permanent));
    let mut inside = hop(qrouter(), Some("rfp-ef25020f-0"), answer, left, Verdict::Forward);
    inside.translations = vec![Translation {
        kind: NatKind::UndoSnat,
        before: Endpoint { address: FLOATING, port: None },
        after: Endpoint { address: FIXED, port: Some(40000) },
        rule: None,
    }];
    decide(&mut inside, main(), 254, "10.0.0.0/24", None, "qr-c2e43983-5c", left);
    inside.neighbour = Some(neighbour("10.0.0.4", "fa:16:3e:11:22:33", NeighState::Permanent));
    walk(answer, left, vec![fip, inside], Class::Fip, Outcome::Delivered)
}

fn stuck() -> Walk {
    let mut walk = out();
    walk.hops.truncate(1);
    let hop = &mut walk.hops[0];
    let stop = Stop {
        namespace: qrouter(),
        object: Some(ObjectRef { kind: ObjectKind::Route, key: "default via 169.254.31.29".to_owned() }),
        reason: "table 16 has no route to 198.51.100.7, and no later rule has one".to_owned(),
    };
    (hop.decided, hop.oif, hop.neighbour) = (None, None, None);
    (hop.translations, hop.left, hop.verdict) = (Vec::new(), hop.entered, Verdict::Drop);
    hop.answer = Some(RouteAnswer::Refused(101));
    hop.kernel = Kernel::Differs(RouteAnswer::Refused(113));
    hop.stop = Some(stop.clone());
    (walk.arrived, walk.class, walk.outcome, walk.stop) = (walk.sent, Class::None, Outcome::Dropped, Some(stop));
    walk
}

fn walk(sent: Packet, arrived: Packet, hops: Vec<Hop>, class: Class, outcome: Outcome) -> Walk {
    let start = Start { namespace: hops[0].namespace.clone(), device: hops[0].iif.clone() };
    Walk {
        start,
        sent,
        arrived,
        arp: None,
        hops,
        class,
        detail: None,
        outcome,
        stop: None,
        connections: Connections::default(),
    }
}

fn hop(namespace: NetnsName, iif: Option<&str>, entered: Packet, left: Packet, verdict: Verdict) -> Hop {
    Hop {
        namespace,
        iif: iif.map(IfName::from),
        oif: None,
        entered,
        left,
        marks: Vec::new(),
        decided: None,
        translations: Vec::new(),
        neighbour: None,
        verdict,
        stop: None,
        question: None,
        answer: None,
        kernel: Kernel::NotAsked,
    }
}

fn decide(hop: &mut Hop, rule: Rule, table: u32, dst: &str, via: Option<&str>, dev: &str, routed: Packet) {
    let (table, dev) = (TableId(table), IfName::from(dev));
    let via = via.map(|via| via.parse().unwrap());
    hop.decided = Some(Decided { rule, table, route: Route::unicast(table, dst.parse().unwrap(), via, &dev) });
    hop.question = Some(RouteQuestion {
        namespace: Some(hop.namespace.clone()),
        src: Some(routed.src.into()),
        dst: routed.dst.into(),
        iif: hop.iif.clone(),
        mark: 0,
        tos: 0,
    });
    hop.answer = Some(RouteAnswer::Found(RouteFound { kind: RouteKind::Unicast, table, dev: Some(dev.clone()), via }));
    hop.oif = Some(dev);
}

fn neighbour(address: &str, mac: &str, state: NeighState) -> Neighbour {
    Neighbour { address: address.parse().unwrap(), mac: Some(mac.parse().unwrap()), state: Some(state) }
}

fn qrouter() -> NetnsName {
    NetnsName::new(format!("qrouter-{ROUTER}"))
}

fn fip_namespace() -> NetnsName {
    NetnsName::new(format!("fip-{PUBLIC}"))
}
