//! An interval of traffic: text, and JSON that validates.

use std::net::Ipv4Addr;

use fipscope::net::{ConntrackEntry, ConntrackTuple};
use fipscope::path::{Class, Detail, Endpoint, TCP};
use fipscope::report::style::Style;
use fipscope::report::{json, text};
use fipscope::topology::{Direction, FipKind};
use fipscope::traffic::{
    Connection, Connections, Count, FipId, FipTraffic, FlowTraffic, Hop, Interval, Missing, RouterTraffic, StopsAt,
};
use insta::assert_snapshot;

use crate::article::ROUTER;
use crate::json::valid;
use crate::text::lawful;

fn count(packets: u64) -> Count {
    Count { packets, bytes: packets * 84 }
}

fn id(floating: [u8; 4], fixed: [u8; 4], kind: FipKind) -> FipId {
    FipId {
        floating_ip: floating.into(),
        fixed_ip: Some(fixed.into()),
        router: ROUTER.to_owned(),
        external_network: None,
        kind,
    }
}

fn fip(id: &FipId, direction: Direction, hops: [Option<u64>; 6], stops_at: Option<StopsAt>) -> FipTraffic {
    FipTraffic {
        id: id.clone(),
        direction,
        hops: hops.map(|packets| packets.map(count)),
        stops_at,
        missing: None,
        reason: None,
        doubt: 0,
    }
}

fn missing(after: StopsAt, packets: u64, of: u64) -> Missing {
    Missing { after, packets, of, flows: 1 }
}

/// One from another day, and one as a new one would be.
fn connections() -> Connections {
    let ways = |src: [u8; 4], dst: [u8; 4], (sport, dport)| ConntrackTuple {
        src: src.into(),
        dst: dst.into(),
        proto: TCP,
        sport: Some(sport),
        dport: Some(dport),
    };
    let one = |outlived: Option<[u8; 4]>| Connection {
        namespace: format!("qrouter-{ROUTER}").as_str().into(),
        entry: ConntrackEntry {
            original: ways([10, 0, 0, 4], [198, 51, 100, 7], (51022, 443)),
            reply: ways([198, 51, 100, 7], [192, 168, 1, 3], (443, 51022)),
            status: 0,
            mark: 0,
            zone: 0,
            timeout: Some(431_000),
            id: None,
            started: outlived.map(|_| 1_795_400_000_000_000_000),
            original_count: Some((12, 900)),
            reply_count: Some((10, 800)),
        },
        outlived: outlived.map(|floating| (floating.into(), [10, 0, 0, 4].into())),
    };
    let unreadable = vec![("snat-x".into(), "permission denied".to_owned())];
    Connections { all: vec![one(Some([192, 168, 1, 3])), one(None)], left_out: 3, unreadable }
}

fn flow(id: &FipId) -> FlowTraffic {
    let end = |address: [u8; 4], port| Endpoint { address: Ipv4Addr::from(address), port: Some(port) };
    FlowTraffic {
        class: Class::Fip,
        detail: Some(Detail::Leak),
        direction: Direction::Outbound,
        proto: TCP,
        source: end([10, 0, 0, 9], 51022),
        destination: end([198, 51, 100, 7], 443),
        translated: Some(end([192, 168, 1, 7], 51022)),
        floating_ip: Some(id.clone()),
        router: Some(id.router.clone()),
        count: count(12),
        stops_at: Some(StopsAt::Hop(Hop::Qr)),
    }
}

fn interval() -> Interval {
    let (a, b, c) = (
        id([192, 168, 1, 3], [10, 0, 0, 4], FipKind::Distributed),
        id([192, 168, 1, 7], [10, 0, 0, 9], FipKind::Distributed),
        id([192, 168, 1, 9], [20, 0, 0, 9], FipKind::Centralized),
    );
    let (out, inward) = (Direction::Outbound, Direction::Inbound);
    let four = |packets: [u64; 4]| {
        let [qr, rfp, fpr, fg] = packets.map(Some);
        [qr, rfp, fpr, fg, None, None]
    };
    let mut interval = Interval {
        end: 1_795_401_000_500_000_000,
        seconds: 1.0,
        classes: [count(1234), count(40), count(310), count(2), count(0)],
        routers: vec![RouterTraffic { router: None, classes: [count(1); 5] }],
        lost: 7,
        unplaced: 1,
        floating_ips: vec![
            fip(&a, out, four([0; 4]), None),
            FipTraffic {
                missing: Some(missing(StopsAt::VmSilent, 9, 9)),
                ..fip(&a, inward, four([9; 4]), Some(StopsAt::VmSilent))
            },
            FipTraffic {
                missing: Some(missing(StopsAt::Hop(Hop::Qr), 13, 13)),
                reason: Some("DVR301 floating-ip-rule-missing; Leaves the node by sg, not as 192.168.1.7".to_owned()),
                ..fip(&b, out, four([13, 0, 0, 0]), Some(StopsAt::Hop(Hop::Qr)))
            },
            fip(&b, inward, [Some(14), Some(14), None, None, None, None], None),
            FipTraffic {
                missing: Some(missing(StopsAt::Hop(Hop::Sg), 4, 60)),
                ..fip(&c, out, [None, None, None, None, Some(60), Some(56)], None)
            },
            fip(&c, inward, [None, None, None, None, Some(5), Some(5)], None),
        ],
        flows: vec![flow(&b); 10],
        forgotten: 5,
        connections: Some(connections()),
    };
    interval.floating_ips.iter_mut().for_each(|fip| fip.doubt = 7);
    interval.floating_ips[5].doubt = u64::MAX;
    interval
}

#[test]
fn as_text() {
    assert_snapshot!(text::traffic(&interval(), Style::default()));
    lawful(|style| text::traffic(&interval(), style));
    lawful(text::nothing_wanted);
    // Nothing flows: the classes say so.
    assert_eq!(text::traffic(&Interval::default(), Style::default()).lines().count(), 5);
}

#[test]
fn as_json() {
    for interval in [interval(), Interval::default()] {
        let line = json::traffic("compute-12", &interval);
        assert_eq!(line.lines().count(), 1);
        let value = valid("traffic", &line);
        assert_eq!(value["floating_ips"].as_array().unwrap().len(), interval.floating_ips.len());
    }
    let value = valid("traffic", &json::traffic("compute-12", &interval()));
    assert_eq!((value["lost"].as_u64(), value["forgotten"].as_u64()), (Some(7), Some(5)));
    assert_eq!(value["floating_ips"][1]["stops_at"], "vm-silent");
    assert_eq!(value["floating_ips"][2]["points"]["qr"]["packets"], 13);
    assert_eq!(value["classes"]["east-west"]["bytes"], 1234 * 84);
    assert_eq!(value["flows"][0]["translated"], "192.168.1.7:51022");
    let fip = |at: usize, what: &str| value["floating_ips"][at][what].clone();
    assert_eq!(fip(2, "reason"), "DVR301 floating-ip-rule-missing; Leaves the node by sg, not as 192.168.1.7");
    let health: Vec<_> = (0..6).map(|at| fip(at, "health")).collect();
    assert_eq!(health, ["one-way", "vm-silent", "stops", "not-visible", "few", "lossy"]);
    assert_eq!((fip(0, "doubt"), fip(5, "doubt")), (7.into(), serde_json::Value::Null));
    assert_eq!((fip(4, "missing")["after"].clone(), fip(4, "missing")["packets"].clone()), ("sg".into(), 4.into()));
    let entry = &value["connections"]["entries"][0];
    assert_eq!((&entry["outlived"]["code"], &entry["age"]), (&"DVR406".into(), &1000.into()));
}
