//! Gaps that are none: what was not counted everywhere, turned around on the node,
//! or cannot be told from another floating IP's.

use super::*;
use crate::net::{Observed, Route, TableId};

const CENTRALIZED: [[u8; 4]; 2] = [[192, 168, 1, 9], [20, 0, 0, 9]];

/// So many of a packet.
fn many(shot: &Shot, number: usize) -> Vec<Shot> {
    vec![shot.clone(); number]
}

/// Ten packets on their way out, of which so many come to each hop; `at` is when.
fn out([qr, rfp, fpr, fg]: [usize; 4], at: u64) -> Vec<Shot> {
    let way = way_out(OUTSIDE).map(|shot| shot.at(at));
    way.iter().zip([qr, rfp, fpr, fg]).flat_map(|(shot, number)| many(shot, number)).collect()
}

fn half(interval: &Interval, floating: [u8; 4], direction: Direction) -> (u64, Option<&'static str>) {
    let mut fips = interval.floating_ips.iter();
    let fip = fips.find(|fip| fip.id.floating_ip.octets() == floating && fip.direction == direction).unwrap();
    (fip.doubt, fip.stops_at.map(StopsAt::word))
}

#[test]
fn what_a_new_device_had_is_missing_at_no_hop() {
    let node = Scenario::article(Layout::Pike).with_centralized();
    let new = |namespace| shot((namespace, "not-read-yet"), Heading::Out, FLOATING, OUTSIDE);
    let mut bench = Bench::new();
    let mut told = |namespace: &'static str, number| {
        bench.traffic.until = PATIENT;
        bench.count(&node, &[out([10, 8, 10, 10], 10), many(&new(namespace), number)].concat());
        half(&bench.close(), FLOATING, Direction::Outbound)
    };
    assert_eq!(told(QROUTER, 2), (2, None));
    assert_eq!(told(QROUTER, 1), (1, Some("qr")), "it had one of the two");
    assert_eq!(told(SNAT, 9), (0, Some("qr")), "its packets do not pass there");
}

#[test]
fn no_hop_is_blamed_in_an_interval_in_which_a_floating_ip_became_known() {
    let (before, node) = (Scenario::article(Layout::Pike), Scenario::article(Layout::Pike).with_centralized());
    let sg = device(&node, SNAT, "sg-");
    let [floating, fixed] = CENTRALIZED;
    let lost = |at| many(&shot((SNAT, &sg.1), Heading::In, fixed, OUTSIDE).at(at), 9);
    let mut bench = Bench::new();
    bench.count(&before, &out([1; 4], 10));
    bench.count(&node, &lost(10));
    let interval = bench.close();
    assert_eq!(half(&interval, floating, Direction::Outbound), (u64::MAX, None));
    let one = |interval: &Interval, floating: [u8; 4]| {
        let mut halves = interval.floating_ips.chunks(2).filter(|two| two[0].id.floating_ip.octets() == floating);
        let two = halves.next().unwrap();
        two[0].told(&two[1], None).map(|told| told.text)
    };
    let text = one(&interval, floating).unwrap();
    assert!(text.contains("not heard from the beginning"), "{text}");
    assert_eq!(one(&interval, FLOATING).unwrap(), "every hop passes it on");
    bench.count(&node, &lost(1500));
    assert_eq!(half(&bench.close(), floating, Direction::Outbound), (0, Some("sg")));
    // It became known when frames of the next interval had been understood, too.
    let mut bench = Bench::new();
    bench.count(&before, &[out([1; 4], 10), out([1; 4], 1010)].concat());
    bench.count(&node, &[lost(10), lost(1010)].concat());
    let told = |bench: &mut Bench| half(&bench.close(), floating, Direction::Outbound).1;
    assert_eq!((told(&mut bench), told(&mut bench)), (None, None));
}

#[test]
fn where_a_namespace_is_listened_in_anew_no_hop_is_blamed() {
    let node = Scenario::article(Layout::Pike);
    let mut bench = Bench::new();
    bench.count(&node, &out([10, 10, 0, 0], 10));
    bench.memory = Memory::default();
    bench.count(&node, &out([10, 10, 5, 5], 20));
    assert_eq!(half(&bench.close(), FLOATING, Direction::Outbound), (u64::MAX, None));
    bench.count(&node, &out([10, 10, 5, 5], 1500));
    assert_eq!(half(&bench.close(), FLOATING, Direction::Outbound), (0, Some("rfp")));
}

#[test]
fn to_a_subnet_behind_another_router_a_packet_turns_around() {
    let subnet = "30.0.0.0/24".parse().unwrap();
    let node = Scenario::article(Layout::Pike).with_second_router(Layout::Pike);
    let told = |node: &Scenario| {
        let mut bench = Bench::new();
        bench.count(node, &way_out([30, 0, 0, 4])[..3]);
        half(&bench.close(), FLOATING, Direction::Outbound).1
    };
    assert_eq!(told(&node), Some("fpr"));
    let links = node.snapshot.netns(&NetnsName::from(FIP)).unwrap().links();
    let fpr = links
        .iter()
        .map(|link| &link.name)
        .find(|name| name.as_str().starts_with("fpr-") && name.as_str() != FPR)
        .unwrap();
    let route = Route::unicast(TableId::MAIN, subnet, None, fpr);
    let node = node.edit(FIP, |netns| {
        let routes = netns.routes().iter().cloned().chain([route]).collect();
        netns.routes = Observed::Seen(routes);
    });
    assert_eq!(told(&node), None);
}

#[test]
fn through_the_snat_namespace_and_back_is_no_loss() {
    let node = Scenario::article(Layout::Pike).with_centralized();
    let (sg, qg) = (device(&node, SNAT, "sg-"), device(&node, SNAT, "qg-"));
    let own = node.snapshot.netns(&NetnsName::from(SNAT)).unwrap().addrs();
    let own = own.iter().find(|addr| addr.dev.as_str() == qg.1 && addr.address.prefix_len() < 32).unwrap();
    let std::net::IpAddr::V4(own) = own.address.addr() else { panic!() };
    let [floating, fixed] = CENTRALIZED;
    // To the router's own address, and to a floating IP in the same namespace.
    for target in [own.octets(), floating] {
        let mut bench = Bench::new();
        let seen = bench.count(&node, &[shot((SNAT, &sg.1), Heading::In, fixed, target)]);
        assert_eq!(seen[0].unwrap().1, Some(Hop::Sg));
        assert_eq!(half(&bench.close(), floating, Direction::Outbound), (0, None), "{target:?}");
    }
    let mut bench = Bench::new();
    bench.traffic.until = PATIENT;
    let turned = shot((SNAT, &sg.1), Heading::Out, floating, fixed);
    let lost = shot((SNAT, &qg.1), Heading::In, OUTSIDE, floating);
    bench.count(&node, &[many(&turned, 9), many(&lost, 9)].concat());
    assert_eq!(half(&bench.close(), floating, Direction::Inbound), (0, Some("qg")), "what turned hides none");
}
