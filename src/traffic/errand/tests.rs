//! Packets of our own, on made-up nodes of all layouts.

use super::*;
use crate::neutron::Layout;
use crate::topology::scenario::Scenario;
use crate::traffic::Way::{Back, Forth};

#[test]
fn three_packets_tell_where_the_way_ends() {
    for layout in [Layout::Juno, Layout::Newton, Layout::Pike] {
        let snapshot = Scenario::article(layout).snapshot;
        let topology = Topology::of(&snapshot);
        let node = Node::of(&snapshot, &topology);
        let fip = topology.floating_ips.iter().find(|fip| fip.fixed_ip == Some([10, 0, 0, 4].into())).unwrap();
        let all = Errand::all(&topology, fip, ReachBy::Echo);
        let told: Vec<(Aim, bool, String)> = all
            .iter()
            .map(|one| {
                let from_fip = one.question.namespace.as_str().starts_with("fip-");
                (one.aim, from_fip, one.question.destination.to_string())
            })
            .collect();
        let wanted = [
            (Aim::Floating, true, "192.168.1.3"),
            (Aim::Fixed, false, "10.0.0.4"),
            (Aim::Gateway, true, "192.168.1.1"),
        ];
        assert_eq!(told, wanted.map(|(aim, from, to)| (aim, from, to.to_owned())), "{layout:?}");
        // Never as somebody else: the source is the namespace's own address.
        for one in &all {
            let own = snapshot.netns(&one.question.namespace).unwrap().addrs();
            let source = IpAddr::V4(one.question.source.unwrap());
            assert!(own.iter().any(|addr| addr.address.addr() == source), "{layout:?} {:?}", one.question);
        }
        let kinds = |errand: &Errand| -> Vec<String> {
            let errand = errand.clone().known_by(61_234);
            let points = errand.expected(&errand.walk(&node)).into_iter().map(|one| match one {
                Expected::Point(at) => at.device.as_str().split('-').next().unwrap().to_owned(),
                Expected::Hop(_, hop) => format!("hop {}", hop.word()),
            });
            points.collect()
        };
        assert_eq!(kinds(&all[0]), ["fpr", "rfp", "qr"], "{layout:?}");
        assert_eq!((kinds(&all[1]), kinds(&all[2])), (vec!["qr".to_owned()], vec!["fg".to_owned()]), "{layout:?}");
    }
}

#[test]
fn it_is_known_under_both_its_addresses_by_its_identifier() {
    let snapshot = Scenario::article(Layout::Pike).snapshot;
    let topology = Topology::of(&snapshot);
    let node = Node::of(&snapshot, &topology);
    let fip = topology.floating_ips.iter().find(|fip| fip.fixed_ip == Some([10, 0, 0, 4].into())).unwrap();
    let errand = Errand::of(&topology, fip, Aim::Floating, ReachBy::Syn(22)).unwrap().known_by(61_234);
    let it = errand.conversation(Some(&errand.walk(&node)), Some([10, 0, 0, 4].into()));
    let end = |address: [u8; 4], port| Endpoint { address: address.into(), port: Some(port) };
    let us = Endpoint { address: errand.question.source.unwrap(), port: Some(61_234) };
    assert_eq!(it.way_of([us, end([192, 168, 1, 3], 22)]), Some(Forth));
    assert_eq!(it.way_of([us, end([10, 0, 0, 4], 22)]), Some(Forth));
    assert_eq!(it.way_of([end([10, 0, 0, 4], 22), us]), Some(Back));
    assert_eq!(it.way_of([end([10, 0, 0, 4], 23), us]), None, "another port");
    let other = Endpoint { port: Some(61_235), ..us };
    assert_eq!(it.way_of([other, end([10, 0, 0, 4], 22)]), None, "another packet");
    assert!(it.namespaces.len() >= 2, "{:?}", it.namespaces);
}

#[test]
fn where_a_link_is_broken_the_stations_are_those_of_the_floating_ip() {
    let mut scenario = Scenario::article(Layout::Pike);
    let topology = Topology::of(&scenario.snapshot);
    let name = topology.external_networks[0].namespace.clone();
    if let Some(crate::net::Observed::Seen(netns)) = scenario.snapshot.namespaces.get_mut(&name)
        && let crate::net::Observed::Seen(routes) = &mut std::sync::Arc::make_mut(netns).routes
    {
        routes.retain(|route| route.dst.prefix_len() != 32);
    }
    let topology = Topology::of(&scenario.snapshot);
    let node = Node::of(&scenario.snapshot, &topology);
    let fip = topology.floating_ips.iter().find(|fip| fip.fixed_ip == Some([10, 0, 0, 4].into())).unwrap();
    let errand = Errand::of(&topology, fip, Aim::Floating, ReachBy::Echo).unwrap().known_by(61_234);
    let walk = errand.walk(&node);
    let hops: Vec<&str> = errand
        .expected(&walk)
        .iter()
        .map(|one| match one {
            Expected::Hop(_, hop) => hop.word(),
            Expected::Point(_) => "point",
        })
        .collect();
    assert_eq!(hops, ["fpr", "rfp", "qr"], "{walk:?}");
}
