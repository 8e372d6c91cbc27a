//! Packets to ask about: near everything that is configured.

use std::net::Ipv4Addr;

use fipscope::net::{IfName, NetnsName, RouteQuestion};

use crate::node::{Node, near};
use crate::random::Random;

const MARKS: [u32; 7] = [0, 0, 0x2, 0x400_0000, 0x400_0002, 0x1_0002, 0xffff_ffff];
const TOS: [u8; 10] = [0, 0, 0, 0x04, 0x08, 0x09, 0x10, 0x1c, 0x28, 0xb8];

/// Addresses with a meaning of their own.
const SPECIAL: [Ipv4Addr; 8] = [
    Ipv4Addr::LOCALHOST,
    Ipv4Addr::new(127, 9, 9, 9),
    Ipv4Addr::new(0, 1, 2, 3),
    Ipv4Addr::UNSPECIFIED,
    Ipv4Addr::BROADCAST,
    Ipv4Addr::new(224, 0, 0, 5),
    Ipv4Addr::new(240, 0, 0, 1),
    Ipv4Addr::new(10, 0, 0, 255),
];

pub(crate) fn question(node: &Node, namespace: &NetnsName, random: &mut Random) -> RouteQuestion {
    // What comes in by the loopback device went out by it before, which mostly spares it the lookup.
    let first = usize::from(!random.chance(10));
    let iif = random.chance(70).then(|| IfName::new(random.pick(&node.devices[first..]).clone()));
    let src = match (&iif, random.below(10)) {
        (None, 0..4) => None,
        (None, 4..9) if !node.own.is_empty() => Some(*random.pick(&node.own)),
        _ => Some(address(node, random)),
    };
    RouteQuestion {
        namespace: Some(namespace.clone()),
        src: src.map(Into::into),
        dst: address(node, random).into(),
        iif,
        mark: if random.chance(5) { u32::try_from(random.next() >> 32).unwrap() } else { *random.pick(&MARKS) },
        tos: *random.pick(&TOS),
    }
}

fn address(node: &Node, random: &mut Random) -> Ipv4Addr {
    match random.below(100) {
        0..4 => *random.pick(&SPECIAL),
        4..10 => Ipv4Addr::new(8, 8, 8, 8),
        10..35 if !node.own.is_empty() => near(*random.pick(&node.own), random),
        10..50 if !node.spoken_of.is_empty() => *random.pick(&node.spoken_of),
        50..85 if !node.spoken_of.is_empty() => near(*random.pick(&node.spoken_of), random),
        85..90 if !node.spoken_of.is_empty() => {
            // the network's broadcast address, and its own
            let address = random.pick(&node.spoken_of).to_bits();
            Ipv4Addr::from_bits(if random.chance(50) { address | 0xff } else { address & !0xff })
        }
        _ => Ipv4Addr::new(10, 0, u8::try_from(random.below(4)).unwrap(), u8::try_from(random.below(10)).unwrap()),
    }
}
