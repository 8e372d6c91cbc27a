//! From a frame to its class, floating IP, hop and flow.

use std::net::Ipv4Addr;

use super::answers::Answers;
use super::count::Count;
use super::flow::{Flow, FlowKey};
use super::fragment::Fragments;
use super::parse::{Heard, parse};
use super::site::{Site, Sites, Spot};
use super::state::{FipId, Hop, Lane, Traffic};
use crate::net::{Frame, Heading, NetnsName, Snapshot};
use crate::neutron::{DeviceKind, METADATA_ADDRESS};
use crate::path::{Class, Detail, Endpoint, Flows, Node, Packet};
use crate::topology::{Direction, FipKind, Topology};

/// Understands frames by what is known of the node. Classes are remembered per
/// flow; they hold for the one snapshot that the node was made of.
pub struct Meter<'n, 's> {
    flows: Flows<'n, 's>,
    sites: Vec<Option<Site>>,
    memory: Memory,
    /// The floating IPs by number, and the numbers of their routers.
    fips: Vec<FipId>,
    routers: Vec<usize>,
}

/// What frames left behind that later ones need: it outlives a meter. It holds
/// for one numbering of namespaces.
#[derive(Debug, Default)]
pub struct Memory {
    fragments: Fragments,
    answers: Answers,
}

/// What a frame was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sighting<'a> {
    /// The packet as it was seen here.
    pub packet: Packet,
    /// Its class.
    pub class: Class,
    /// A finer point of the class.
    pub detail: Option<Detail>,
    /// The floating IP that it belongs to, with its direction and this hop.
    pub floating_ip: Option<(&'a FipId, Direction, Hop)>,
    /// How much it is: segments, where the kernel merged several.
    pub count: Count,
}

/// A frame, understood as far as its device and bytes go.
struct Seen<'a> {
    site: &'a Site,
    spot: &'a Spot,
    heading: Heading,
    heard: Heard,
    class: Class,
}

/// A floating IP's number, with the direction and the hop.
type Passing = (usize, Direction, Hop);

impl<'n, 's> Meter<'n, 's> {
    /// For a node, and the capture's namespaces by number. Routers and floating
    /// IPs get their numbers in `traffic`: count into no other.
    pub fn new(
        node: &'n Node<'s>,
        snapshot: &'s Snapshot,
        topology: &'s Topology,
        names: &[Option<NetnsName>],
        traffic: &mut Traffic,
        memory: Memory,
    ) -> Self {
        let mut flows = Flows::of(node);
        let sites = Sites::new(snapshot, topology).build(names, &mut flows, traffic);
        let fips: Vec<FipId> = traffic.fips.iter().map(|(id, _)| id.clone()).collect();
        let routers = fips.iter().map(|fip| traffic.router(Some(&fip.router))).collect();
        Self { flows, sites, memory, fips, routers }
    }

    /// What the next meter should know.
    pub fn into_memory(self) -> Memory {
        self.memory
    }

    /// Counts a frame. `None` where it is not IPv4, or its device is not known
    /// ([`Traffic::unplaced`]).
    pub fn count(&mut self, traffic: &mut Traffic, frame: &Frame<'_>) -> Option<Sighting<'_>> {
        let mut heard = parse(frame)?;
        let site = self.sites.get(frame.namespace as usize).and_then(Option::as_ref);
        let Some((site, spot)) = site.and_then(|site| Some((site, site.spots.get(&frame.device)?))) else {
            traffic.bank(frame.at).unplaced += heard.count.packets;
            return None;
        };
        self.memory.fragments.complete(frame.namespace, &mut heard);
        let mut seen = Seen { site, spot, heading: frame.heading, heard, class: Class::None };
        let (mut class, detail) = seen.classify(&mut self.flows, &self.fips);
        if spot.kind == DeviceKind::RouterGateway {
            match frame.heading {
                Heading::Out if class == Class::Snat => self.memory.answers.leaves(frame.namespace, seen.packet()),
                Heading::In if class == Class::Local && self.memory.answers.is_one(frame.namespace, seen.packet()) => {
                    class = Class::Snat;
                }
                _ => {}
            }
        }
        seen.class = class;
        let passing = seen.passing(&self.fips);
        let bank = traffic.bank(frame.at);
        if let Some((fip, direction, hop)) = passing {
            let (ends, begins) = seen.turns(direction, hop);
            bank.fips[fip][direction as usize][hop as usize].add(frame.at, seen.heard.count, ends, begins);
        }
        if let Some(lane) = seen.lane(&self.fips) {
            let fip = passing.map(|(fip, ..)| fip);
            // The port that all routers share has a router by the floating IP alone.
            let shared = spot.kind == DeviceKind::AgentGateway;
            let router = fip.filter(|_| shared).map_or(spot.router, |fip| self.routers[fip]);
            let bank = traffic.bank(frame.at);
            bank.add(router, class, lane, seen.heard.count);
            let new = || Flow {
                class,
                detail,
                fip,
                translated: passing.and_then(|passing| seen.translated(passing, &self.fips)),
                lanes: [Count::default(); 3],
            };
            bank.flows.add(seen.key(router), lane as usize, seen.heard.count, new);
        }
        let floating_ip = passing.map(|(fip, direction, hop)| (&self.fips[fip], direction, hop));
        Some(Sighting { packet: seen.heard.packet, class, detail, floating_ip, count: seen.heard.count })
    }
}

impl Seen<'_> {
    fn packet(&self) -> &Packet {
        &self.heard.packet
    }

    /// The namespace's own: from one of its addresses, or from the metadata
    /// proxy, whose answers have the address that was asked.
    fn is_own(&self, address: Ipv4Addr) -> bool {
        address == METADATA_ADDRESS || self.site.own.contains(&address)
    }

    fn is_in_subnet(&self, address: Ipv4Addr) -> bool {
        self.spot.subnets.iter().any(|net| net.contains(&std::net::IpAddr::V4(address)))
    }

    fn centralized(&self, fips: &[FipId], fixed: Ipv4Addr) -> bool {
        self.site.fixed.get(&fixed).is_some_and(|fip| fips[*fip].kind == FipKind::Centralized)
    }

    /// The class. A packet that goes out to an instance has that of the answer
    /// which the instance would send.
    fn classify(&self, flows: &mut Flows<'_, '_>, fips: &[FipId]) -> (Class, Option<Detail>) {
        use DeviceKind::{AgentGateway, FipToRouter, Internal, RouterGateway, RouterToFip, Snat};
        let packet = self.packet();
        match (self.heading, self.spot.kind) {
            (Heading::In, Internal) => {
                let found = flows.classify(self.spot.point, packet);
                let is_centralized = found.0 == Class::Snat && self.centralized(fips, packet.src);
                if is_centralized { (Class::Fip, None) } else { found }
            }
            (Heading::In, _) => flows.classify(self.spot.point, packet),
            (Heading::Out, RouterGateway) if self.site.floating.contains_key(&packet.src) => (Class::Fip, None),
            (Heading::Out, RouterGateway) => (Class::Snat, None),
            (Heading::Out, _) if self.is_own(packet.src) => (Class::Local, None),
            (Heading::Out, RouterToFip | FipToRouter | AgentGateway) => (Class::Fip, None),
            // On its way to the snat namespace, by the port through which it came.
            (Heading::Out, Internal) if self.is_in_subnet(packet.src) => flows.classify(self.spot.point, packet),
            (Heading::Out, Internal | Snat) => flows.classify(self.spot.point, &packet.answer()),
            (Heading::Out, _) => (Class::None, None),
        }
    }

    /// The floating IP whose packet this is, and its hop.
    fn passing(&self, fips: &[FipId]) -> Option<Passing> {
        use DeviceKind::{AgentGateway, FipToRouter, Internal, RouterGateway, RouterToFip, Snat};
        use Direction::{Inbound, Outbound};
        let packet = self.packet();
        let (outward, inward) = (self.site.floating.get(&packet.src), self.site.floating.get(&packet.dst));
        let leaves = !matches!(self.class, Class::EastWest | Class::Local);
        let inside = |fixed, kinds: &[FipKind]| {
            self.site.fixed.get(&fixed).filter(|fip| leaves && kinds.contains(&fips[**fip].kind))
        };
        let (fip, direction, hop) = match (self.heading, self.spot.kind) {
            (Heading::In, Internal) => {
                (inside(packet.src, &[FipKind::Distributed, FipKind::Legacy]), Outbound, Hop::Qr)
            }
            (Heading::Out, Internal) if self.is_in_subnet(packet.dst) => {
                (inside(packet.dst, &[FipKind::Distributed, FipKind::Legacy]), Inbound, Hop::Qr)
            }
            (Heading::In, Snat) => (inside(packet.src, &[FipKind::Centralized]), Outbound, Hop::Sg),
            (Heading::Out, Snat) => (inside(packet.dst, &[FipKind::Centralized]), Inbound, Hop::Sg),
            (Heading::Out, RouterToFip) => (outward, Outbound, Hop::Rfp),
            (Heading::In, FipToRouter) => (outward, Outbound, Hop::Fpr),
            (Heading::Out, AgentGateway) => (outward, Outbound, Hop::Fg),
            (Heading::Out, RouterGateway) => (outward, Outbound, Hop::Qg),
            (Heading::In, AgentGateway) => (inward, Inbound, Hop::Fg),
            (Heading::Out, FipToRouter) => (inward, Inbound, Hop::Fpr),
            (Heading::In, RouterToFip) => (inward, Inbound, Hop::Rfp),
            (Heading::In, RouterGateway) => (inward, Inbound, Hop::Qg),
            _ => return None,
        };
        let fip = *fip?;
        Hop::chain(fips[fip].kind).contains(&hop).then_some((fip, direction, hop))
    }

    /// Whether the packet rightly goes no further than this hop, and whether it
    /// did not come by the hop before.
    fn turns(&self, direction: Direction, hop: Hop) -> (bool, bool) {
        let packet = self.packet();
        // RFC 791: a router does not send on what arrives with the last second of its life.
        let dies = self.heading == Heading::In && self.heard.ttl <= 1;
        let ours = |address: Ipv4Addr| self.site.floating.contains_key(&address) || self.site.own.contains(&address);
        match (direction, hop) {
            (Direction::Outbound, Hop::Fpr) => (dies || ours(packet.dst), false),
            (Direction::Inbound, Hop::Fpr) => (dies, ours(packet.src)),
            _ => (dies, false),
        }
    }

    /// Where the packet's class is counted: where it comes in from an instance or
    /// from the outside, or where the namespace itself sends it. Not elsewhere.
    fn lane(&self, fips: &[FipId]) -> Option<Lane> {
        use DeviceKind::{AgentGateway, Internal, RouterGateway, Snat};
        match (self.heading, self.spot.kind) {
            (Heading::In, Internal) => {
                let far = self.class == Class::Snat || self.centralized(fips, self.packet().src);
                let both = far && matches!(self.class, Class::Snat | Class::Fip);
                Some(if both { Lane::Near } else { Lane::Only })
            }
            (Heading::In, Snat) if matches!(self.class, Class::Snat | Class::Fip) => Some(Lane::Far),
            (Heading::In, AgentGateway | RouterGateway | Snat) => Some(Lane::Only),
            (Heading::Out, AgentGateway | Internal | Snat) if self.class == Class::Local => Some(Lane::Only),
            _ => None,
        }
    }

    fn key(&self, router: usize) -> FlowKey {
        let packet = self.packet();
        FlowKey { router, proto: packet.proto, source: packet.source(), destination: packet.destination() }
    }

    /// What the floating IP's translation makes of the address that it changes.
    fn translated(&self, (fip, direction, hop): Passing, fips: &[FipId]) -> Option<Endpoint> {
        let packet = self.packet();
        let is_fip = self.class == Class::Fip;
        match (direction, hop) {
            (Direction::Outbound, Hop::Qr | Hop::Sg) if is_fip => {
                Some(Endpoint { address: fips[fip].floating_ip, port: packet.sport })
            }
            (Direction::Inbound, Hop::Fg | Hop::Qg) => {
                Some(Endpoint { address: fips[fip].fixed_ip?, port: packet.dport })
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
