//! Which packets are sent: from every instance and from outside, to everything
//! that one may want to reach, in three protocols.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};

use fipscope::lab::Vm;
use fipscope::net::{IfName, Mac, NetnsName, Snapshot};
use fipscope::path::{ICMP, Packet, Start, TCP, UDP};

use crate::stage::{ECHO_PORT, is_of_the_node};

/// The host behind the gateway, and the gateway's own addresses.
pub(crate) const OUTSIDE: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 7);
pub(crate) const GATEWAYS: [Ipv4Addr; 2] = [Ipv4Addr::new(192, 168, 1, 1), Ipv4Addr::new(172, 24, 0, 1)];
/// Nobody's, on the external network.
pub(crate) const STALE: Ipv4Addr = Ipv4Addr::new(192, 168, 1, 250);
/// The article's.
const FLOATING: Ipv4Addr = Ipv4Addr::new(192, 168, 1, 3);
/// Done in the snat namespace, in Pike's layout.
pub(crate) const CENTRALIZED: Ipv4Addr = Ipv4Addr::new(192, 168, 1, 244);
const METADATA: Ipv4Addr = Ipv4Addr::new(169, 254, 169, 254);
const METADATA_PORT: u16 = 80;

/// One packet, and where it comes into the node.
#[derive(Clone, Debug)]
pub(crate) struct Flow {
    pub(crate) number: u32,
    pub(crate) from: NetnsName,
    pub(crate) start: Start,
    pub(crate) packet: Packet,
}

/// A packet before it has its number.
#[derive(Clone, Debug)]
pub(crate) struct Kind {
    from: NetnsName,
    start: Start,
    packet: Packet,
}

impl Kind {
    /// As long as an Ethernet frame is.
    pub(crate) fn is_long(&self) -> bool {
        self.packet.length > 1000
    }

    /// One end is the article's router, or behind it.
    pub(crate) fn concerns_the_article(&self) -> bool {
        let here = |address: Ipv4Addr| {
            let [a, b, c, d] = address.octets();
            (a, b, c) == (192, 168, 1) && d < 240 || matches!(a, 10 | 20) || [STALE, CENTRALIZED].contains(&address)
        };
        // Who asks for nobody waits for an answer, through more than one fault.
        let waits = self.packet.dst == STALE && self.packet.src != OUTSIDE;
        let concerned =
            here(self.packet.src) || self.packet.src == OUTSIDE && here(self.packet.dst) || self.packet.dst == FLOATING;
        concerned && !waits
    }

    /// The same packet with ports of its own.
    pub(crate) fn numbered(&self, number: u32) -> Flow {
        let own = 10_000 + u16::try_from(number % 50_000).unwrap();
        let packet = match self.packet.proto {
            ICMP => self.packet.ports(own, own),
            UDP => self.packet.ports(own, ECHO_PORT),
            _ => self.packet.ports(own, METADATA_PORT),
        };
        Flow { number, from: self.from.clone(), start: self.start.clone(), packet }
    }
}

/// All packets of a lab that stands whole, as this snapshot shows it.
pub(crate) fn kinds(snapshot: &Snapshot, vms: &[Vm], outside: &NetnsName) -> Vec<Kind> {
    let mut kinds = Vec::new();
    let mut add = |from: &NetnsName, start: Start, src: Ipv4Addr, dst: Ipv4Addr| {
        for proto in [ICMP, TCP, UDP] {
            // A SYN with data would be answered with another number.
            let length = if proto == TCP { 40 } else { 84 };
            let packet = Packet { length, ..Packet::first(src, dst, proto) };
            kinds.push(Kind { from: from.clone(), start: start.clone(), packet });
        }
        // As long as an Ethernet frame is, and not to be cut, or to be.
        if [OUTSIDE, src].contains(&dst) || src == OUTSIDE || vms.iter().any(|vm| vm.fixed_ip == dst) {
            let long = Packet { length: 1450, ..Packet::first(src, dst, UDP) };
            kinds.push(Kind { from: from.clone(), start: start.clone(), packet: long });
            let fragile = Packet { dont_fragment: false, ..long };
            kinds.push(Kind { from: from.clone(), start: start.clone(), packet: fragile });
        }
    };
    let node = addresses(snapshot);
    for vm in vms {
        let there = vms.iter().map(|other| other.fixed_ip).filter(|other| *other != vm.fixed_ip);
        let around = [OUTSIDE, STALE, METADATA, GATEWAYS[0], GATEWAYS[1]];
        let devices = node.iter().map(|(_, _, address)| *address);
        let all: BTreeSet<Ipv4Addr> = there.chain(floating(vms)).chain(around).chain(devices).collect();
        for dst in all {
            let next = if same_subnet(vm.fixed_ip, dst) { dst } else { first_host(vm.fixed_ip) };
            // Instances of one subnet meet without the node.
            if let Some((namespace, device, _)) = node.iter().find(|(_, _, address)| *address == next) {
                let start = Start { namespace: namespace.clone(), device: Some(device.clone()) };
                add(&vm.namespace, start, vm.fixed_ip, dst);
            }
        }
    }
    let external = node.iter().filter(|(_, device, _)| is_external(device)).map(|(_, _, address)| *address);
    let all: BTreeSet<Ipv4Addr> = floating(vms).chain(external).chain([STALE]).collect();
    for dst in all {
        if let Some(start) = gateways_way(snapshot, dst) {
            add(outside, start, OUTSIDE, dst);
        }
    }
    kinds
}

/// The floating IPs, those of the lab's instances and the centralized one.
pub(crate) fn floating(vms: &[Vm]) -> impl Iterator<Item = Ipv4Addr> {
    vms.iter().filter_map(|vm| vm.floating_ip).chain([CENTRALIZED])
}

/// The addresses of the node's devices.
pub(crate) fn addresses(snapshot: &Snapshot) -> Vec<(NetnsName, IfName, Ipv4Addr)> {
    let mut all = Vec::new();
    for (name, netns) in snapshot.namespaces.iter().filter(|(name, _)| is_of_the_node(name)) {
        for addr in netns.seen().unwrap().addrs() {
            if let IpAddr::V4(address) = addr.address.addr()
                && !address.is_loopback()
                // Routers without instances are there for scale.
                && address.octets()[..2] != [10, 1]
            {
                all.push((name.clone(), addr.dev.clone(), address));
            }
        }
    }
    // A floating IP on rfp or qg is one of those already.
    all.sort_by_key(|(_, _, address)| *address);
    all.dedup_by_key(|(_, _, address)| *address);
    all
}

/// Where a packet from the gateway to that address enters the node: at the
/// device whose hardware address the gateway has for it.
fn gateways_way(snapshot: &Snapshot, dst: Ipv4Addr) -> Option<Start> {
    let gateway = snapshot.netns(&NetnsName::from("gateway"))?;
    let mac = gateway.neighs().iter().find(|neigh| neigh.address == IpAddr::V4(dst))?.mac?;
    let (namespace, device) = holder(snapshot, mac)?;
    Some(Start { namespace, device: Some(device) })
}

/// The node's device with that hardware address.
pub(crate) fn holder(snapshot: &Snapshot, mac: Mac) -> Option<(NetnsName, IfName)> {
    let node = snapshot.namespaces.iter().filter(|(name, _)| is_of_the_node(name));
    node.flat_map(|(name, netns)| netns.seen().unwrap().links().iter().map(move |link| (name, link)))
        .find(|(_, link)| link.mac == Some(mac))
        .map(|(name, link)| (name.clone(), link.name.clone()))
}

/// fg or qg.
pub(crate) fn is_external(device: &IfName) -> bool {
    ["fg-", "qg-"].iter().any(|prefix| device.as_str().starts_with(prefix))
}

fn same_subnet(a: Ipv4Addr, b: Ipv4Addr) -> bool {
    a.octets()[..3] == b.octets()[..3]
}

fn first_host(a: Ipv4Addr) -> Ipv4Addr {
    let [a, b, c, _] = a.octets();
    Ipv4Addr::new(a, b, c, 1)
}
