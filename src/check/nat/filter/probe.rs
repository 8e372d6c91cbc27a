//! Packets that would meet a rule, walked in both directions and back.

use std::net::{IpAddr, Ipv4Addr};

use ipnet::IpNet;

use super::suspect::Suspect;
use crate::check::Scene;
use crate::net::netfilter::Match;
use crate::path::{ICMP, Packet, Start, TCP, UDP, Walk};
use crate::topology::{FloatingIp, Router};

/// An address of the outside (RFC 5737), where a rule names none.
const OUTSIDE: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 7);

/// The way in and the way out of a packet that the suspected rule asks for, each
/// with the way of its answer.
pub(super) fn probes(scene: &Scene<'_>, router: &Router, fip: &FloatingIp, suspect: Suspect<'_>) -> Vec<Walk> {
    let with_reply = |walk: Walk| {
        let reply = scene.reply(&walk);
        [Some(walk), reply].into_iter().flatten()
    };
    first_packets(scene, router, fip, suspect).into_iter().flat_map(with_reply).collect()
}

/// The same without the answers.
pub(super) fn first_packets(scene: &Scene<'_>, router: &Router, fip: &FloatingIp, suspect: Suspect<'_>) -> Vec<Walk> {
    let (Some(IpAddr::V4(floating)), Some(IpAddr::V4(fixed))) = (fip.floating_ip, fip.fixed_ip) else {
        return Vec::new();
    };
    let matches = suspect.words.map_or(&[][..], |words| words.matches.as_slice());
    let peer = matches.iter().find_map(|one| peer(one, floating, fixed)).unwrap_or(OUTSIDE);
    let proto = matches.iter().find_map(|one| match one {
        Match::Protocol { number, invert: false } => Some(*number),
        _ => None,
    });
    let (source, destination) = ports(matches);
    let dress = |src, dst, (from, to): (u16, u16)| {
        let packet = Packet::first(src, dst, proto.unwrap_or(ICMP));
        if matches!(proto, Some(TCP | UDP)) { packet.ports(from, to) } else { packet }
    };
    let mut packets = vec![dress(peer, floating, (source, destination)), dress(fixed, peer, (source, destination))];
    if matches!(proto, Some(TCP | UDP)) {
        // The rule may speak of the answer.
        packets.push(dress(peer, floating, (destination, source)));
        packets.push(dress(fixed, peer, (destination, source)));
    }
    let mut walks = Vec::new();
    for packet in packets {
        let network = router.external_network.as_deref().and_then(|id| scene.network(id));
        let starts = scene.starts(packet.src, packet.dst).into_iter().filter(|start| {
            let here = [router.namespace.as_ref(), router.snat_namespace.as_ref(), network.map(|net| &net.namespace)];
            here.contains(&Some(&start.namespace))
        });
        // Also from rfp on, past what may stop the packet before it comes there.
        let behind = router.namespace.as_ref().zip(router.rtr_2_fip.as_ref()).filter(|_| packet.dst == floating);
        let behind = behind.map(|(name, end)| Start { namespace: name.clone(), device: Some(end.device.clone()) });
        walks.extend(starts.chain(behind).map(|start| scene.walk(&start, packet)));
    }
    walks
}

/// Another's address that a rule asks for.
fn peer(one: &Match, floating: Ipv4Addr, fixed: Ipv4Addr) -> Option<Ipv4Addr> {
    let (Match::Source { net: IpNet::V4(net), invert: false }
    | Match::Destination { net: IpNet::V4(net), invert: false }) = one
    else {
        return None;
    };
    let own = net.contains(&floating) || net.contains(&fixed);
    let first = if net.prefix_len() < 31 { net.network().to_bits() | 1 } else { net.network().to_bits() };
    (!own).then(|| Ipv4Addr::from_bits(first))
}

/// Source and destination port that a rule asks for.
fn ports(matches: &[Match]) -> (u16, u16) {
    let (mut source, mut destination) = (40_000, 22);
    for one in matches {
        match one {
            Match::Ports { sport, dport, .. } => {
                source = sport.map_or(source, |port| port.port.from);
                destination = dport.map_or(destination, |port| port.port.from);
            }
            Match::Multiport { ports, .. } => destination = ports.first().map_or(destination, |port| port.from),
            _ => {}
        }
    }
    (source, destination)
}
