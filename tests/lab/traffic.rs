//! What is counted of traffic equals what was sent, exactly: every class, in
//! every layout; and what is lost is told.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use fipscope::lab::{LabOptions, Vm, outside};
use fipscope::netns::NetnsDir;
use fipscope::neutron::Layout;
use fipscope::topology::Direction::{Inbound, Outbound};
use fipscope::topology::{Router, Topology};
use fipscope::traffic::Hop;

use crate::case::{LAYOUTS, OUTSIDE, build};
use crate::known_flows::{
    ASKED, Listening, PINGED, ask, bytes, classes, flood, hop_bytes, hops, meet, ping, routers, say, stream, unmerged,
    vm,
};

const FIXED: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 4);
const FLOATING: Ipv4Addr = Ipv4Addr::new(192, 168, 1, 3);
const SECOND: Ipv4Addr = Ipv4Addr::new(192, 168, 1, 4);
const QR: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
const PLAIN: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 5);
const NEIGHBOUR: Ipv4Addr = Ipv4Addr::new(20, 0, 0, 6);
/// A centralized floating IP with its instance.
const CENTRALIZED: (Ipv4Addr, Ipv4Addr) = (Ipv4Addr::new(192, 168, 1, 244), Ipv4Addr::new(20, 0, 0, 4));

/// Every class, each with numbers of its own: classes, floating IPs, hops, flows.
pub(crate) fn counts(layout: &str) {
    let layout = LAYOUTS.into_iter().find(|known| known.word() == layout).unwrap();
    let lab = build(&LabOptions { layout, fips: 2, ..LabOptions::default() });
    let mut node = Listening::open(lab.netns_dir(), lab.state_path().to_owned());
    let (with, plain, other, far) = (vm(FIXED), vm(PLAIN), vm(NEIGHBOUR), outside());
    let every = |dir: &NetnsDir, number: u64| {
        assert_eq!(ask(dir, &with, &other, NEIGHBOUR, number + 1), number + 1, "east-west");
        assert_eq!(ask(dir, &plain, &far, OUTSIDE, number + 2), number + 2, "SNAT");
        assert_eq!(ask(dir, &with, &far, OUTSIDE, number + 3), number + 3, "floating IP, out");
        assert_eq!(ask(dir, &far, &with, FLOATING, number + 4), number + 4, "floating IP, in");
        assert_eq!(ask(dir, &far, &other, SECOND, number + 5), number + 5, "the other floating IP, in");
        ping(dir, &with, QR, number + 6);
    };
    for (from, to, address) in [
        (&with, &other, NEIGHBOUR),
        (&plain, &far, OUTSIDE),
        (&with, &far, OUTSIDE),
        (&far, &with, FLOATING),
        (&far, &other, SECOND),
    ] {
        meet(&node.dir, from, to, address);
    }

    let interval = node.counted(|dir| every(dir, 40));
    assert_eq!((interval.lost, interval.unplaced, interval.forgotten), (0, 0, 0));
    assert_eq!(classes(&interval), [2 * 41, 2 * 42, 2 * (43 + 44 + 45), 2 * 46, 0]);
    assert_eq!(bytes(&interval), [2 * 41 * ASKED, 2 * 42 * ASKED, 2 * 132 * ASKED, 2 * 46 * PINGED, 0]);
    for (floating, number) in [(FLOATING, 87), (SECOND, 45)] {
        for way in [Outbound, Inbound] {
            assert_eq!(hops(&interval, floating, way), (vec![number; 4], None), "{floating}, {way:?}");
            assert_eq!(hop_bytes(&interval, floating, way), vec![number * ASKED; 4], "{floating}, {way:?}");
        }
    }
    // Two directions each; the translation of a floating IP is known.
    assert_eq!(interval.flows.len(), 12);
    let out_flow =
        interval.flows.iter().find(|flow| flow.source.address == FIXED && flow.destination.address == OUTSIDE);
    assert_eq!(out_flow.unwrap().translated.unwrap().address, FLOATING);

    let interval = node.counted(|dir| {
        ping(dir, &with, NEIGHBOUR, 11);
        ping(dir, &plain, OUTSIDE, 12);
        ping(dir, &with, OUTSIDE, 13);
        ping(dir, &far, FLOATING, 14);
    });
    assert_eq!(classes(&interval), [22, 24, 2 * (13 + 14), 0, 0]);
    assert_eq!(bytes(&interval), [22, 24, 54, 0, 0].map(|packets| packets * PINGED));
    for way in [Outbound, Inbound] {
        assert_eq!(hops(&interval, FLOATING, way), (vec![27; 4], None), "{way:?}");
    }
    tcp(&mut node);
    assert!(node.merged > 0, "the kernel merges segments here");
    turned(&mut node, layout);
    unmerged(&node.dir, &[&with, &plain, &other, &far]);
    tcp(&mut node);
    assert_eq!(node.merged, 0);
}

/// TCP, as the kernel merges it or not: segments, not frames.
fn tcp(node: &mut Listening) {
    let (with, plain, other, far) = (vm(FIXED), vm(PLAIN), vm(NEIGHBOUR), outside());
    let mut sent = [(0, 0); 4];
    let interval = node.counted(|dir| {
        sent = [
            stream(dir, &with, &far, OUTSIDE, 300_000),
            stream(dir, &far, &with, FLOATING, 250_000),
            stream(dir, &with, &other, NEIGHBOUR, 200_000),
            stream(dir, &plain, &far, OUTSIDE, 100_000),
        ];
    });
    let [out, inward, east_west, snat] = sent;
    assert_eq!(interval.lost, 0);
    assert_eq!(hops(&interval, FLOATING, Outbound), (vec![out.0 + inward.1; 4], None));
    assert_eq!(hops(&interval, FLOATING, Inbound), (vec![out.1 + inward.0; 4], None));
    let both = |(there, back): (u64, u64)| there + back;
    assert_eq!(classes(&interval), [both(east_west), both(snat), both(out) + both(inward), 0, 0]);
    assert!(out.0 > 200, "300,000 bytes are more than {} segments", out.0);
}

/// From one floating IP's instance to another floating IP of this node.
fn turned(node: &mut Listening, layout: Layout) {
    let (with, other) = (vm(FIXED), vm(NEIGHBOUR));
    let interval = node.counted(|dir| assert_eq!(ask(dir, &with, &other, SECOND, 20), 20));
    if layout == Layout::Juno {
        // It is translated where it enters, turns around in the router, and is no floating IP's any more.
        assert_eq!(classes(&interval), [40, 0, 0, 0, 0]);
        for (floating, way) in [FLOATING, SECOND].into_iter().flat_map(|ip| [(ip, Outbound), (ip, Inbound)]) {
            assert_eq!(hops(&interval, floating, way), (vec![0; 4], None), "{floating} {way:?}");
        }
        return;
    }
    for (floating, way) in [(FLOATING, Outbound), (SECOND, Inbound), (SECOND, Outbound), (FLOATING, Inbound)] {
        assert_eq!(hops(&interval, floating, way), (vec![20, 20, 20, 0], None), "{floating} {way:?}");
    }
    assert_eq!(classes(&interval), [0, 0, 40, 0, 0]);
}

/// A node with snat namespaces, more routers, two external networks and a
/// centralized floating IP: each packet belongs where it belongs.
pub(crate) fn more() {
    let lab = build(&LabOptions { layout: Layout::Pike, more: true, ..LabOptions::default() });
    let mut node = Listening::open(lab.netns_dir(), lab.state_path().to_owned());
    let far = outside();
    let instances = lab.vms().to_vec();
    let (floating, fixed) = CENTRALIZED;
    let all: Vec<(Ipv4Addr, Ipv4Addr)> = instances
        .iter()
        .filter_map(|instance| Some((instance.floating_ip?, instance.fixed_ip)))
        .chain([(floating, fixed)])
        .collect();
    assert!(all.len() > 3, "{all:?}");
    for (floating, fixed) in &all {
        meet(&node.dir, &far, &vm(*fixed), *floating);
        meet(&node.dir, &vm(*fixed), &far, OUTSIDE);
    }
    let numbers = |at: usize| (5 + at as u64, 3 + 2 * at as u64);
    let interval = node.counted(|dir| {
        for (at, (floating, fixed)) in all.iter().enumerate() {
            let (inward, out) = numbers(at);
            assert_eq!(ask(dir, &far, &vm(*fixed), *floating, inward), inward, "{floating}, in");
            assert_eq!(ask(dir, &vm(*fixed), &far, OUTSIDE, out), out, "{floating}, out");
        }
    });
    let topology = Topology::of(&node.snapshot());
    let (mut sum, mut by_router) = (0, BTreeMap::new());
    for (at, (floating, _)) in all.iter().enumerate() {
        let (inward, out) = numbers(at);
        sum += 2 * (inward + out);
        let fip = topology.fips().find(|fip| fip.floating_ip == Some((*floating).into())).unwrap();
        let counted = by_router.entry(Some(fip.router.clone())).or_insert([(0, 0); 5]);
        counted[2] = (counted[2].0 + 2 * (inward + out), counted[2].1 + 2 * (inward + out) * ASKED);
        for way in [Outbound, Inbound] {
            let expected = Hop::way(fip.kind, way).len();
            assert_eq!(hops(&interval, *floating, way), (vec![inward + out; expected], None), "{floating}, {way:?}");
        }
    }
    assert_eq!((classes(&interval), interval.lost), ([0, 0, sum, 0, 0], 0));
    assert_eq!((bytes(&interval), routers(&interval)), ([0, 0, sum * ASKED, 0, 0], by_router));
    snat_of_each(&mut node, &instances, &topology);
    streams_through_snat(&mut node);
    by_themselves(&mut node, &topology);
}

/// What routers ask by themselves, by their gateway ports, is no instance's.
fn by_themselves(node: &mut Listening, topology: &Topology) {
    let spaces: Vec<_> = topology.routers.iter().filter_map(|router| router.snat_namespace.clone()).collect();
    let asked = 7 * spaces.len() as u64;
    let interval = node.counted(|dir| spaces.iter().for_each(|snat| ping(dir, snat, OUTSIDE, 7)));
    assert_eq!((classes(&interval), asked > 0), ([0, 0, 0, 2 * asked, 0], true));
}

/// Those without a floating IP, each behind its own router.
fn snat_of_each(node: &mut Listening, instances: &[Vm], topology: &Topology) {
    let far = outside();
    let plain: Vec<Ipv4Addr> = instances
        .iter()
        .filter(|vm| vm.floating_ip.is_none())
        .map(|vm| vm.fixed_ip)
        .filter(|ip| *ip != CENTRALIZED.1)
        .collect();
    for instance in &plain {
        meet(&node.dir, &vm(*instance), &far, OUTSIDE);
    }
    let interval = node.counted(|dir| {
        for instance in &plain {
            assert_eq!(ask(dir, &vm(*instance), &far, OUTSIDE, 9), 9, "{instance}");
        }
    });
    assert_eq!(classes(&interval), [0, 18 * plain.len() as u64, 0, 0, 0], "{plain:?}");
    let mut by_router = BTreeMap::new();
    for instance in &plain {
        let has = |router: &&Router| {
            let mut nets = router.internal.iter().flat_map(|port| &port.addresses);
            nets.any(|net| net.contains(&IpAddr::V4(*instance)))
        };
        let router = topology.routers.iter().find(has).unwrap();
        let counted = by_router.entry(Some(router.id.clone())).or_insert([(0, 0); 5]);
        counted[1] = (counted[1].0 + 18, counted[1].1 + 18 * ASKED);
    }
    assert_eq!(by_router.len(), 3, "{plain:?}");
    assert_eq!(routers(&interval), by_router);
}

/// TCP of a centralized floating IP, both ways.
fn streams_through_snat(node: &mut Listening) {
    let (floating, fixed) = CENTRALIZED;
    let (with, far) = (vm(fixed), outside());
    let mut sent = [(0, 0); 2];
    let interval = node.counted(|dir| {
        sent = [stream(dir, &with, &far, OUTSIDE, 150_000), stream(dir, &far, &with, floating, 120_000)];
    });
    let [out, inward] = sent;
    assert_eq!(hops(&interval, floating, Outbound), (vec![out.0 + inward.1; 3], None));
    assert_eq!(hops(&interval, floating, Inbound), (vec![out.1 + inward.0; 2], None));
    assert_eq!(classes(&interval), [0, 0, out.0 + out.1 + inward.0 + inward.1, 0, 0]);
}

/// Some two rings full.
const SENT: u64 = 150_000;

/// More than the ring holds, while nobody reads: what is missing is told, to the
/// packet, and no hop is blamed for it.
pub(crate) fn losses() {
    let lab = build(&LabOptions { layout: Layout::Pike, ..LabOptions::default() });
    let mut node = Listening::open(lab.netns_dir(), lab.state_path().to_owned());
    let (with, far) = (vm(FIXED), outside());
    meet(&node.dir, &far, &with, FLOATING);
    let snapshot = node.snapshot();
    let fip = snapshot.namespaces.keys().find(|name| name.as_str().starts_with("fip-")).unwrap().clone();
    // Nothing goes on from there: its ring alone is too small.
    assert_eq!(say(&node.dir, fip.as_str(), "sysctl", &["-qw", "net.ipv4.ip_forward=0"]), "");
    let interval = node.counted(|dir| flood(dir, &far, FLOATING, SENT));
    let (seen, stop) = hops(&interval, FLOATING, Inbound);
    println!("of {SENT} packets {} were heard and {} lost", seen[3], interval.lost);
    assert!(interval.lost > 0 && seen[3] > 0);
    assert_eq!((seen[3] + interval.lost, &seen[..3]), (SENT, &[0; 3][..]));
    assert_eq!(stop, Some("fg"));
    let (_, out) = hops(&interval, FLOATING, Outbound);
    assert_eq!(out, None, "what was not heard did not stop");
    assert_eq!(node.counted(|_| ()).lost, 0, "a loss is told once");
}
