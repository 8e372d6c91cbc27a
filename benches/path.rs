//! What the path engine costs on a node of 100 routers with 10 floating IPs
//! each: a trace, a classification of a flow not seen before, one of a flow
//! known. The promises: under 1 ms, 200,000 and 2,000,000 a second on one core.

#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    reason = "a measurement reads the clock and prints"
)]

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Instant;

use fipscope::neutron::Layout;
use fipscope::path::{Flows, Node, Packet, Start, TCP, UDP};
use fipscope::topology::Topology;
use fipscope::topology::scenario::Scenario;

const OUTSIDE: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 7);

fn main() {
    let snapshot = Scenario::scale(Layout::Pike, 100, 10).snapshot;
    let topology = Topology::of(&snapshot);
    let fips: Vec<(Ipv4Addr, Ipv4Addr)> = topology
        .floating_ips
        .iter()
        .filter_map(|fip| {
            let (Some(IpAddr::V4(floating)), Some(IpAddr::V4(fixed))) = (fip.floating_ip, fip.fixed_ip) else {
                return None;
            };
            Some((floating, fixed))
        })
        .collect();
    println!("{} floating IPs on {} routers", fips.len(), topology.routers.len());
    traces(&snapshot, &topology, &fips);
    classes(&snapshot, &topology, &fips);
}

fn traces(snapshot: &fipscope::net::Snapshot, topology: &Topology, fips: &[(Ipv4Addr, Ipv4Addr)]) {
    let mut cold = Vec::new();
    for (_, fixed) in fips.iter().take(200) {
        let began = Instant::now();
        let node = Node::of(snapshot, topology);
        let start = &node.starts(*fixed, OUTSIDE)[0];
        black_box(node.walk(start, Packet::first(*fixed, OUTSIDE, TCP).ports(40000, 443)));
        cold.push(began.elapsed());
    }
    let node = Node::of(snapshot, topology);
    let mut warm = Vec::new();
    for (_, fixed) in fips.iter().chain(fips) {
        let began = Instant::now();
        let start = &node.starts(*fixed, OUTSIDE)[0];
        let walk = node.walk(start, Packet::first(*fixed, OUTSIDE, TCP).ports(40000, 443));
        black_box(node.reply(&walk));
        warm.push(began.elapsed());
    }
    for (name, mut times) in [("trace, engine made anew", cold), ("trace and reply, engine at hand", warm)] {
        times.sort();
        println!("{name}: median {:?}, slowest {:?}", times[times.len() / 2], times[times.len() - 1]);
    }
}

fn classes(snapshot: &fipscope::net::Snapshot, topology: &Topology, fips: &[(Ipv4Addr, Ipv4Addr)]) {
    let node = Node::of(snapshot, topology);
    let mut packets: Vec<(Start, Packet)> = Vec::new();
    for port in 0..100 {
        for (floating, fixed) in fips {
            let out = Packet::first(*fixed, OUTSIDE, UDP).ports(30000 + port, 53);
            let inward = Packet::first(OUTSIDE, *floating, TCP).ports(30000 + port, 443);
            packets.push((node.starts(out.src, out.dst).remove(0), out));
            packets.push((node.starts(inward.src, inward.dst).remove(0), inward));
        }
        if port == 0 {
            // Compiles every namespace once.
            for (start, packet) in &packets {
                black_box(node.classify(start, *packet));
            }
        }
    }
    let began = Instant::now();
    for (start, packet) in &packets {
        black_box(node.classify(start, *packet));
    }
    let rate = packets.len() as f64 / began.elapsed().as_secs_f64();
    println!("cold: {rate:.0} classifications a second ({} flows)", packets.len());
    let mut flows = Flows::of(&node);
    let seen: Vec<_> = packets.iter().take(50_000).map(|(start, packet)| (flows.point(start), *packet)).collect();
    for (point, packet) in &seen {
        flows.classify(*point, packet);
    }
    let began = Instant::now();
    for _ in 0..40 {
        for (point, packet) in &seen {
            black_box(flows.classify(*point, packet));
        }
    }
    let rate = 40.0 * seen.len() as f64 / began.elapsed().as_secs_f64();
    println!("cached: {rate:.0} classifications a second ({} flows)", seen.len());
}
