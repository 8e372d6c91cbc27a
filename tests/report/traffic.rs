//! An interval of traffic: text, and JSON that validates.

use std::net::Ipv4Addr;

use fipscope::path::{Class, Detail, Endpoint, TCP};
use fipscope::report::style::Style;
use fipscope::report::{json, text};
use fipscope::topology::{Direction, FipKind};
use fipscope::traffic::{Count, FipId, FipTraffic, FlowTraffic, Hop, Interval, RouterTraffic, StopsAt};
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
    FipTraffic { id: id.clone(), direction, hops: hops.map(|packets| packets.map(count)), stops_at }
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
    Interval {
        end: 1_795_401_000_500_000_000,
        seconds: 1.0,
        classes: [count(1234), count(40), count(310), count(2), count(0)],
        routers: vec![RouterTraffic { router: None, classes: [count(1); 5] }],
        lost: 7,
        unplaced: 1,
        floating_ips: vec![
            fip(&a, out, four([0; 4]), None),
            fip(&a, inward, four([9; 4]), Some(StopsAt::VmSilent)),
            fip(&b, out, four([13, 0, 0, 0]), Some(StopsAt::Hop(Hop::Qr))),
            fip(&b, inward, [Some(14), Some(14), None, None, None, None], None),
            fip(&c, out, [None, None, None, None, Some(5), Some(5)], None),
            fip(&c, inward, [None, None, None, None, Some(5), Some(5)], None),
        ],
        flows: vec![flow(&b); 10],
        forgotten: 0,
    }
}

#[test]
fn as_text() {
    assert_snapshot!(text::traffic(&interval(), Style::default()));
    lawful(|style| text::traffic(&interval(), style));
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
    assert_eq!(value["floating_ips"][1]["stops_at"], "vm-silent");
    assert_eq!(value["floating_ips"][2]["points"]["qr"]["packets"], 13);
    assert_eq!(value["classes"]["east-west"]["bytes"], 1234 * 84);
    assert_eq!(value["flows"][0]["translated"], "192.168.1.7:51022");
}
