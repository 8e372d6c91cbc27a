//! Walks on the founding article's node, as the engine would tell them.

use std::net::Ipv4Addr;

use fipscope::net::{Family, IfName, NeighState, NetnsName, Route, RouteAnswer, RouteFound, RouteKind, RouteQuestion};
use fipscope::net::{Rule, TableId};
use fipscope::path::{
    Class, Connections, Decided, Endpoint, Hop, Kernel, MarkChange, NatKind, Neighbour, Outcome, Packet, Start, Stop,
    TCP, Translation, Verdict, Walk,
};
use fipscope::topology::{ObjectKind, ObjectRef};

use crate::article::{NETWORK, ROUTER};

fn qrouter() -> NetnsName {
    NetnsName::new(format!("qrouter-{ROUTER}"))
}

fn fip_netns() -> NetnsName {
    NetnsName::new(format!("fip-{NETWORK}"))
}

pub(crate) fn sent() -> Packet {
    Packet::first(Ipv4Addr::new(10, 0, 0, 4), Ipv4Addr::new(198, 51, 100, 7), TCP).ports(40000, 443)
}

fn translated() -> Packet {
    Packet { src: Ipv4Addr::new(192, 168, 1, 3), ..sent() }
}

fn hop(namespace: NetnsName, iif: &str, packet: Packet) -> Hop {
    let question = RouteQuestion {
        namespace: Some(namespace.clone()),
        src: Some(packet.src.into()),
        dst: packet.dst.into(),
        iif: Some(iif.into()),
        mark: 0,
        tos: 0,
    };
    Hop {
        namespace,
        iif: Some(iif.into()),
        oif: None,
        entered: packet,
        left: packet,
        marks: Vec::new(),
        decided: None,
        translations: Vec::new(),
        neighbour: None,
        verdict: Verdict::Forward,
        stop: None,
        question: Some(question),
        answer: None,
        kernel: Kernel::NotAsked,
    }
}

fn decided(mut rule: Rule, from: Option<&str>, dst: &str, via: &str, dev: &str) -> Decided {
    let table = rule.table().unwrap();
    rule.from = from.map(|from| from.parse().unwrap());
    let route = Route::unicast(table, dst.parse().unwrap(), via.parse().ok(), &IfName::from(dev));
    Decided { rule, table, route }
}

fn lookup(priority: u32, table: u32) -> Rule {
    Rule::lookup(Family::V4, priority, TableId(table))
}

/// Out with the floating IP, in the layout with a table per router.
pub(crate) fn out() -> Walk {
    let snat = Translation {
        kind: NatKind::Snat,
        before: sent().source(),
        after: translated().source(),
        rule: Some("-A neutron-l3-agent-float-snat -s 10.0.0.4/32 -j SNAT --to-source 192.168.1.3".to_owned()),
    };
    let rule = "-A neutron-l3-agent-mark -i qr-+ -j MARK --set-xmark 0x4000000/0xffff0000".to_owned();
    let first = Hop {
        oif: Some("rfp-ef25020f-0".into()),
        left: translated(),
        marks: vec![MarkChange { before: 0, after: 0x400_0000, rule }],
        decided: Some(decided(lookup(32768, 16), Some("10.0.0.4/32"), "0.0.0.0/0", "169.254.31.29", "rfp-ef25020f-0")),
        translations: vec![snat],
        neighbour: Some(Neighbour {
            address: Ipv4Addr::new(169, 254, 31, 29),
            mac: "3e:d3:e7:34:f6:f3".parse().ok(),
            state: Some(NeighState::Permanent),
        }),
        ..hop(qrouter(), "qr-c2e43983-5c", sent())
    };
    let mut rule = lookup(2_852_003_613, 2_852_003_613);
    rule.iif = Some("fpr-ef25020f-0".into());
    let second = Hop {
        oif: Some("fg-b2b77eed-1b".into()),
        decided: Some(decided(rule, None, "0.0.0.0/0", "192.168.1.1", "fg-b2b77eed-1b")),
        neighbour: Some(Neighbour { address: Ipv4Addr::new(192, 168, 1, 1), mac: None, state: None }),
        ..hop(fip_netns(), "fpr-ef25020f-0", translated())
    };
    walk(vec![first, second], Class::Fip, Outcome::LeavesNode)
}

fn walk(hops: Vec<Hop>, class: Class, outcome: Outcome) -> Walk {
    let start = Start { namespace: hops[0].namespace.clone(), device: hops[0].iif.clone() };
    let (sent, arrived) = (hops[0].entered, hops[hops.len() - 1].left);
    let stop = hops.last().and_then(|hop| hop.stop.clone());
    Walk {
        start,
        sent,
        arrived,
        arp: None,
        hops,
        class,
        detail: None,
        outcome,
        stop,
        connections: Connections::default(),
    }
}

/// The answer to [`out`].
pub(crate) fn back() -> Walk {
    let answer = translated().answer();
    let undone = Packet { dst: sent().src, ..answer };
    let first = Hop {
        oif: Some("fpr-ef25020f-0".into()),
        decided: Some(decided(lookup(32766, 254), None, "192.168.1.3/32", "169.254.31.28", "fpr-ef25020f-0")),
        ..hop(fip_netns(), "fg-b2b77eed-1b", answer)
    };
    let undo =
        Translation { kind: NatKind::UndoSnat, before: answer.destination(), after: undone.destination(), rule: None };
    let second = Hop {
        oif: Some("qr-c2e43983-5c".into()),
        left: undone,
        decided: Some(decided(lookup(32766, 254), None, "10.0.0.0/24", "", "qr-c2e43983-5c")),
        translations: vec![undo],
        ..hop(qrouter(), "rfp-ef25020f-0", answer)
    };
    walk(vec![first, second], Class::Fip, Outcome::Delivered)
}

/// Table 16 is empty, and nothing else routes it.
pub(crate) fn dropped() -> Walk {
    let stop = Stop {
        namespace: qrouter(),
        object: Some(ObjectRef { kind: ObjectKind::Route, key: "default table 16".to_owned() }),
        reason: "no table has a route to 198.51.100.7".to_owned(),
    };
    let hop = Hop {
        verdict: Verdict::Reject,
        stop: Some(stop),
        answer: Some(RouteAnswer::Refused(101)),
        ..hop(qrouter(), "qr-c2e43983-5c", sent())
    };
    walk(vec![hop], Class::None, Outcome::Dropped)
}

/// A rule that nobody understands stands in the way.
pub(crate) fn unknown() -> Walk {
    let stop = Stop {
        namespace: qrouter(),
        object: Some(ObjectRef { kind: ObjectKind::Nat, key: "PREROUTING".to_owned() }),
        reason: "-A PREROUTING [[ip saddr @blocked drop]] is not understood".to_owned(),
    };
    let hop = Hop { verdict: Verdict::Unknown, stop: Some(stop), ..hop(qrouter(), "qr-c2e43983-5c", sent()) };
    walk(vec![hop], Class::None, Outcome::Unknown)
}

/// What the kernel may say: it agrees, it differs, it cannot be asked.
pub(crate) fn witnessed(mut walk: Walk) -> Walk {
    let other = RouteFound {
        kind: RouteKind::Unicast,
        table: TableId(16),
        dev: Some("rfp-ef25020f-0".into()),
        via: "169.254.31.31".parse().ok(),
    };
    let answers = [Kernel::Agrees, Kernel::Differs(RouteAnswer::Found(other)), Kernel::Failed("gone".to_owned())];
    walk.hops.iter_mut().zip(answers).for_each(|(hop, kernel)| hop.kernel = kernel);
    walk
}

/// Strings from outside that want to act on a terminal, and ports that cannot be
/// foretold.
pub(crate) fn hostile() -> Walk {
    let mut walk = out();
    let first = &mut walk.hops[0];
    first.namespace = NetnsName::new("長\u{1b}[2J".repeat(40));
    first.iif = Some(IfName::new("\u{7}bell"));
    first.marks[0].rule = format!("\u{9b}{}", "y".repeat(400));
    first.translations[0].after = Endpoint { address: Ipv4Addr::new(192, 168, 1, 3), port: None };
    first.kernel = Kernel::Failed("\u{202e}evil".repeat(30));
    walk
}

pub(crate) fn all() -> Vec<Walk> {
    vec![out(), back(), dropped(), unknown(), witnessed(out()), witnessed(dropped()), hostile()]
}
