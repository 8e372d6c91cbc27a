//! Frames at devices of nodes made up in memory.

mod doubt;
mod other;

use proptest::prelude::*;

use super::*;
use crate::net::IfName;
use crate::neutron::Layout;
use crate::path::{ICMP, TCP, UDP};
use crate::topology::scenario::{FG, FIP, FPR, QR, QROUTER, RFP, SNAT, Scenario};
use crate::traffic::{Count, Filter, Interval, StopsAt};

const FIXED: [u8; 4] = [10, 0, 0, 4];
const FLOATING: [u8; 4] = [192, 168, 1, 3];
const PLAIN: [u8; 4] = [10, 0, 0, 55];
const OUTSIDE: [u8; 4] = [198, 51, 100, 7];
/// The end of an interval that is long enough for silence to say something.
const PATIENT: u64 = 1_000_000_000;
const NAMESPACES: [&str; 3] = [QROUTER, FIP, SNAT];

/// A frame to be caught: where, which way, from whom to whom.
#[derive(Clone)]
struct Shot {
    at: u64,
    place: (&'static str, String),
    heading: Heading,
    bytes: Vec<u8>,
}

/// An IPv4 frame with 8 bytes of UDP, or of an ICMP echo of this type.
fn shot(place: (&'static str, &str), heading: Heading, src: [u8; 4], dst: [u8; 4]) -> Shot {
    let mut bytes = vec![2; 12];
    bytes.extend([8, 0, 0x45, 0, 0, 28, 0, 1, 0, 0, 64, UDP, 0, 0]);
    bytes.extend(src);
    bytes.extend(dst);
    bytes.extend([0x9c, 0x40, 0, 53, 0, 8, 0, 0]);
    Shot { at: 10, place: (place.0, place.1.to_owned()), heading, bytes }
}

impl Shot {
    fn proto(mut self, proto: u8) -> Self {
        self.bytes[23] = proto;
        self
    }

    fn ttl(mut self, ttl: u8) -> Self {
        self.bytes[22] = ttl;
        self
    }

    fn at(mut self, at: u64) -> Self {
        self.at = at;
        self
    }

    fn ports(mut self, sport: u16, dport: u16) -> Self {
        self.bytes[34..36].copy_from_slice(&sport.to_be_bytes());
        self.bytes[36..38].copy_from_slice(&dport.to_be_bytes());
        self
    }
}

/// A node whose frames are counted.
struct Bench {
    traffic: Traffic,
    memory: Memory,
}

impl Bench {
    fn new() -> Self {
        Self { traffic: Traffic::until(1000), memory: Memory::default() }
    }

    fn count(&mut self, node: &Scenario, shots: &[Shot]) -> Vec<Option<(Class, Option<Hop>)>> {
        let mut all = Vec::new();
        self.see(node, shots, &mut |sighting| {
            all.push(sighting.map(|seen| (seen.class, seen.floating_ip.map(|(_, _, hop)| hop))));
        });
        all
    }

    fn see(&mut self, node: &Scenario, shots: &[Shot], each: &mut dyn FnMut(Option<Sighting<'_>>)) {
        let topology = Topology::of(&node.snapshot);
        let engine = Node::of(&node.snapshot, &topology);
        let names = NAMESPACES.map(|name| Some(NetnsName::from(name)));
        let memory = std::mem::take(&mut self.memory);
        let mut meter = Meter::new(&engine, &node.snapshot, &topology, &names, &mut self.traffic, memory);
        for shot in shots {
            let namespace = NAMESPACES.iter().position(|name| *name == shot.place.0).unwrap();
            let netns = node.snapshot.netns(&NetnsName::from(shot.place.0));
            let link = netns.and_then(|netns| netns.link(&IfName::new(shot.place.1.clone())));
            let frame = Frame {
                at: shot.at,
                namespace: u32::try_from(namespace).unwrap(),
                device: link.map_or(999, |link| link.index),
                heading: shot.heading,
                length: u32::try_from(shot.bytes.len()).unwrap(),
                segment: 0,
                bytes: &shot.bytes,
            };
            each(meter.count(&mut self.traffic, &frame));
        }
        self.memory = meter.into_memory();
    }

    fn close(&mut self) -> Interval {
        self.traffic.close(1.0, 0, 2000)
    }
}

fn device(node: &Scenario, namespace: &'static str, kind: &str) -> (&'static str, String) {
    let links = node.snapshot.netns(&NetnsName::from(namespace)).unwrap().links();
    (namespace, links.iter().find(|link| link.name.as_str().starts_with(kind)).unwrap().name.as_str().to_owned())
}

fn classes(interval: &Interval) -> [u64; 5] {
    interval.classes.map(|count| count.packets)
}

fn hops(interval: &Interval, floating: [u8; 4], direction: Direction) -> (Vec<u64>, Option<&'static str>) {
    let fips = &interval.floating_ips;
    let fip = fips.iter().find(|fip| fip.id.floating_ip.octets() == floating && fip.direction == direction).unwrap();
    (fip.hops.iter().flatten().map(|count| count.packets).collect(), fip.stops_at.map(StopsAt::word))
}

/// A floating IP's packet on its way out, at each of its hops.
fn way_out(dst: [u8; 4]) -> [Shot; 4] {
    [
        shot((QROUTER, QR), Heading::In, FIXED, dst),
        shot((QROUTER, RFP), Heading::Out, FLOATING, dst),
        shot((FIP, FPR), Heading::In, FLOATING, dst),
        shot((FIP, FG), Heading::Out, FLOATING, dst),
    ]
}

#[test]
fn each_hop_counts_and_the_class_counts_once() {
    let node = Scenario::article(Layout::Pike);
    let mut bench = Bench::new();
    let seen = bench.count(&node, &way_out(OUTSIDE));
    assert_eq!(seen, [Hop::Qr, Hop::Rfp, Hop::Fpr, Hop::Fg].map(|hop| Some((Class::Fip, Some(hop)))));
    let interval = bench.close();
    assert_eq!(classes(&interval), [0, 0, 1, 0, 0]);
    assert_eq!(hops(&interval, FLOATING, Direction::Outbound), (vec![1; 4], None));
    assert_eq!(hops(&interval, FLOATING, Direction::Inbound), (vec![0; 4], None));
    let [flow] = &interval.flows[..] else { panic!("{:?}", interval.flows) };
    assert_eq!(flow.translated.unwrap().to_string(), "192.168.1.3");
}

#[test]
fn between_subnets_and_to_the_router_is_not_the_floating_ips() {
    let node = Scenario::article(Layout::Pike);
    let mut bench = Bench::new();
    let place = (QROUTER, QR);
    bench.count(
        &node,
        &[
            shot(place, Heading::In, FIXED, [20, 0, 0, 6]),
            shot(place, Heading::Out, [20, 0, 0, 6], FIXED),
            shot(place, Heading::In, FIXED, [10, 0, 0, 1]),
            shot(place, Heading::Out, [10, 0, 0, 1], FIXED),
            shot(place, Heading::Out, [169, 254, 169, 254], FIXED).proto(TCP).ports(80, 40000),
        ],
    );
    let interval = bench.close();
    assert_eq!(classes(&interval), [1, 0, 0, 3, 0]);
    for direction in [Direction::Outbound, Direction::Inbound] {
        assert_eq!(hops(&interval, FLOATING, direction), (vec![0; 4], None));
    }
}

#[test]
fn snat_through_this_node_counts_once_wherever_it_comes_from() {
    let node = Scenario::article(Layout::Pike).with_centralized();
    let (sg, qg) = (device(&node, SNAT, "sg-"), device(&node, SNAT, "qg-"));
    let own = node.snapshot.netns(&NetnsName::from(SNAT)).unwrap();
    let own = own.addrs().iter().find(|addr| addr.dev.as_str() == qg.1 && addr.address.prefix_len() < 32).unwrap();
    let std::net::IpAddr::V4(own) = own.address.addr() else { panic!() };
    let (sg, qg) = ((sg.0, sg.1.as_str()), (qg.0, qg.1.as_str()));
    let answer = shot(qg, Heading::In, OUTSIDE, own.octets()).ports(53, 40000);
    let mut bench = Bench::new();
    bench.count(
        &node,
        &[
            // The snat namespace's ring may be read first.
            shot(sg, Heading::In, PLAIN, OUTSIDE),
            shot(qg, Heading::Out, own.octets(), OUTSIDE).ttl(62),
            answer.clone(),
            shot((QROUTER, QR), Heading::In, PLAIN, OUTSIDE),
            // One from another node's instance.
            shot(sg, Heading::In, [10, 0, 0, 99], OUTSIDE),
        ],
    );
    let interval = bench.close();
    assert_eq!(classes(&interval), [0, 3, 0, 0, 0]);
    let flow = |source: [u8; 4]| interval.flows.iter().find(|flow| flow.source.address.octets() == source).unwrap();
    assert_eq!((flow(PLAIN).count.packets, flow([10, 0, 0, 99]).count.packets), (1, 1));
    // Nobody sent what this would answer.
    bench.memory = Memory::default();
    bench.count(&node, &[answer.clone().at(1500)]);
    assert_eq!(classes(&bench.close()), [0, 0, 0, 1, 0]);
    // The router asks by itself: no instance's packet.
    bench.count(&node, &[shot(qg, Heading::Out, own.octets(), OUTSIDE), answer].map(|shot| shot.at(1900)));
    assert_eq!(classes(&bench.close()), [0, 0, 0, 2, 0]);
}

#[test]
fn whatever_its_class_it_goes_out_or_in() {
    let node = Scenario::article(Layout::Pike).with_centralized();
    let (sg, qg) = (device(&node, SNAT, "sg-"), device(&node, SNAT, "qg-"));
    let (sg, qg, qr) = ((sg.0, sg.1.as_str()), (qg.0, qg.1.as_str()), (QROUTER, QR));
    let own = node.snapshot.netns(&NetnsName::from(SNAT)).unwrap();
    let own = own.addrs().iter().find(|addr| addr.dev.as_str() == qg.1 && addr.address.prefix_len() < 32).unwrap();
    let std::net::IpAddr::V4(own) = own.address.addr() else { panic!() };
    let (other, router) = ([20, 0, 0, 6], [10, 0, 0, 1]);
    let mut shots = way_out(OUTSIDE).to_vec();
    shots.extend([
        shot((FIP, FG), Heading::In, OUTSIDE, FLOATING),
        shot((FIP, FPR), Heading::Out, OUTSIDE, FLOATING),
        shot((QROUTER, RFP), Heading::In, OUTSIDE, FLOATING),
        shot(qr, Heading::Out, OUTSIDE, FIXED),
        shot(qr, Heading::In, FIXED, other),
        shot(qr, Heading::Out, other, FIXED),
        shot(qr, Heading::In, FIXED, router),
        shot(qr, Heading::Out, router, FIXED),
        // Through the snat namespace: by the same port again, and on.
        shot(qr, Heading::In, PLAIN, OUTSIDE),
        shot(qr, Heading::Out, PLAIN, OUTSIDE),
        shot(sg, Heading::In, PLAIN, OUTSIDE),
        shot(qg, Heading::Out, own.octets(), OUTSIDE).ttl(62),
        shot(qg, Heading::In, OUTSIDE, own.octets()).ports(53, 40000),
        shot(sg, Heading::Out, OUTSIDE, PLAIN).ports(53, 40000),
    ]);
    let words = ["east-west", "snat", "fip", "local"].map(|class| [format!("{class} out"), format!("{class} in")]);
    let mut bench = Bench::new();
    let mut packets = [[0; 2]; 4];
    bench.see(&node, &shots, &mut |seen| {
        for (counts, words) in packets.iter_mut().zip(&words) {
            let wanted = words.each_ref().map(|words| Filter::of(words).wants_packet(&seen.unwrap()));
            counts.iter_mut().zip(wanted).for_each(|(count, wanted)| *count += u32::from(wanted));
        }
    });
    assert_eq!(packets, [[1, 1], [4, 2], [4, 4], [1, 1]]);
    // Each conversation once a way; what goes between instances leaves one and comes to another.
    let interval = bench.close();
    let flows = |words: &String| interval.flows.iter().filter(|flow| Filter::of(words).wants_flow(flow)).count();
    assert_eq!(words.map(|words| words.each_ref().map(flows)), [[1, 1], [1, 1], [1, 1], [1, 1]]);
}

#[test]
fn a_centralized_floating_ip_has_its_own_hops() {
    let node = Scenario::article(Layout::Pike).with_centralized();
    let (sg, qg) = (device(&node, SNAT, "sg-"), device(&node, SNAT, "qg-"));
    let ports = node.snapshot.netns(&NetnsName::from(QROUTER)).unwrap().addrs();
    let port = ports.iter().find(|addr| addr.address.to_string() == "20.0.0.1/24").unwrap();
    let qr = (QROUTER, port.dev.as_str().to_owned());
    let (fixed, floating) = ([20, 0, 0, 9], [192, 168, 1, 9]);
    let mut bench = Bench::new();
    let hop = |place: &(&'static str, String), heading, src, dst| shot((place.0, place.1.as_str()), heading, src, dst);
    bench.count(
        &node,
        &[
            hop(&qg, Heading::In, OUTSIDE, floating),
            hop(&sg, Heading::Out, OUTSIDE, fixed),
            hop(&sg, Heading::In, fixed, OUTSIDE),
        ],
    );
    let interval = bench.close();
    assert_eq!(hops(&interval, floating, Direction::Inbound), (vec![1, 1], None));
    // The instance is on another node: what it sends does not come by this one's router.
    assert_eq!(hops(&interval, floating, Direction::Outbound), (vec![0, 1, 0], Some("sg")));
    assert_eq!(classes(&interval), [0, 0, 2, 0, 0]);
    // It is here, and what it answers gets lost on its way to the snat namespace.
    bench.traffic.until = PATIENT;
    bench.count(&node, &[hop(&qg, Heading::In, OUTSIDE, floating), hop(&sg, Heading::Out, OUTSIDE, fixed)]);
    bench.count(&node, &[hop(&qr, Heading::In, fixed, OUTSIDE)]);
    let interval = bench.close();
    assert_eq!(hops(&interval, floating, Direction::Inbound), (vec![1, 1], None), "no silent instance");
    assert_eq!(hops(&interval, floating, Direction::Outbound), (vec![1, 0, 0], Some("qr")));
    // One flow, whichever device tells first: what the gateway port knows of it is kept.
    bench.count(&node, &[hop(&qr, Heading::In, fixed, OUTSIDE), hop(&sg, Heading::In, fixed, OUTSIDE)]);
    let interval = bench.close();
    let known: Vec<_> = interval.flows.iter().map(|flow| (flow.count.packets, flow.translated.is_some())).collect();
    assert_eq!(known, [(1, true)]);
}

#[test]
fn what_ends_here_rightly_is_not_lost() {
    let node = Scenario::article(Layout::Pike).with_second_router(Layout::Pike);
    let mut bench = Bench::new();
    // A trace's packet, which dies in the fip namespace.
    bench.count(&node, &way_out(OUTSIDE).map(|shot| shot.ttl(1))[..1]);
    // To a floating IP of this node, and to fg itself.
    bench.count(&node, &way_out([192, 168, 1, 33])[..3]);
    bench.count(&node, &way_out([192, 168, 1, 23])[..3]);
    let interval = bench.close();
    assert_eq!(hops(&interval, FLOATING, Direction::Outbound), (vec![3, 2, 2, 0], None));
    bench.count(&node, &way_out(OUTSIDE).map(|shot| shot.at(1500))[..3]);
    assert_eq!(hops(&bench.close(), FLOATING, Direction::Outbound), (vec![1, 1, 1, 0], Some("fpr")));
}

#[test]
fn what_comes_after_the_end_belongs_to_the_next_interval() {
    let node = Scenario::article(Layout::Pike);
    let mut bench = Bench::new();
    let [first, second, ..] = way_out(OUTSIDE);
    // One passes qr before the end and rfp after it.
    bench.count(&node, &[first.clone().at(999), second.clone().at(1001)]);
    let interval = bench.close();
    assert_eq!(hops(&interval, FLOATING, Direction::Outbound), (vec![1, 0, 0, 0], None));
    assert_eq!((interval.end, bench.traffic.end()), (1000, 2000));
    assert_eq!(hops(&bench.close(), FLOATING, Direction::Outbound).0, [0, 1, 0, 0]);
}

#[test]
fn later_fragments_have_the_first_ones_ports() {
    let node = Scenario::article(Layout::Pike);
    let mut bench = Bench::new();
    let [first, ..] = way_out(OUTSIDE);
    let (mut beginning, mut rest) = (first.clone(), first);
    beginning.bytes[20..22].copy_from_slice(&[0x20, 0]);
    rest.bytes[20..22].copy_from_slice(&[0, 1]);
    bench.count(&node, &[beginning, rest]);
    let interval = bench.close();
    assert_eq!((interval.flows.len(), interval.flows[0].count.packets), (1, 2));
}

proptest! {
    #[test]
    fn no_frame_makes_it_panic(
        shots in proptest::collection::vec(
            (0..3_usize, 0..12_u32, any::<bool>(), proptest::collection::vec(any::<u8>(), 0..80), any::<[u8; 4]>()), 0..40),
    ) {
        let node = Scenario::article(Layout::Pike).with_centralized();
        let known = [FIXED, FLOATING, OUTSIDE, [20, 0, 0, 9], [192, 168, 1, 9]];
        let topology = Topology::of(&node.snapshot);
        let engine = Node::of(&node.snapshot, &topology);
        let names = NAMESPACES.map(|name| Some(NetnsName::from(name)));
        let mut traffic = Traffic::until(50);
        let mut meter =
            Meter::new(&engine, &node.snapshot, &topology, &names, &mut traffic, Memory::default());
        let mut whole = 0;
        for (at, (namespace, device, out, noise, ends)) in shots.iter().enumerate() {
            let heading = if *out { Heading::Out } else { Heading::In };
            let pick = |number: u8| known[usize::from(number) % known.len()];
            let mut bytes = shot((QROUTER, QR), heading, pick(ends[0]), pick(ends[1])).proto([ICMP, TCP, UDP, 47][usize::from(ends[2] % 4)]).bytes;
            bytes.truncate(34);
            bytes.extend(noise);
            let frame = Frame {
                at: at as u64 * 10,
                namespace: u32::try_from(*namespace).unwrap(),
                device: *device,
                heading,
                length: u32::try_from(bytes.len()).unwrap(),
                segment: u16::from(ends[3] & 1) * 8,
                bytes: &bytes,
            };
            whole += u64::from(meter.count(&mut traffic, &frame).is_some());
        }
        let (first, second) = (traffic.close(1.0, 0, 100_000), traffic.close(1.0, 0, 200_000));
        let counted: u64 = [&first, &second].iter().flat_map(|interval| classes(interval)).sum();
        prop_assert!(shots.is_empty() || whole > 0 || first.unplaced + second.unplaced > 0 || counted == 0);
        prop_assert_eq!(traffic.close(1.0, 0, 300_000).classes, [Count::default(); 5]);
    }
}
