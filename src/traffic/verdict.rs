//! What a packet at a device is: class, floating IP, hop, and where it counts.

use std::net::{IpAddr, Ipv4Addr};

use super::flow::{Flow, FlowKey};
use super::parse::Heard;
use super::site::{Site, Spot};
use super::state::{FipId, Hop, Lane};
use crate::net::Heading;
use crate::neutron::{DeviceKind, METADATA_ADDRESS};
use crate::path::{Class, Detail, Endpoint, Flows, Packet};
use crate::topology::{Direction, FipKind};

/// What holds for every packet of a flow at a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) class: Class,
    pub(super) detail: Option<Detail>,
    pub(super) passing: Option<Passing>,
    /// Which way it goes here: out comes from an instance, in goes to one.
    pub(super) direction: Direction,
    /// It rightly goes no further than this hop.
    pub(super) ends: bool,
    /// It did not come by the hop before.
    pub(super) begins: bool,
    pub(super) lane: Option<Lane>,
    /// The number of the router for which it counts.
    pub(super) router: usize,
    /// What the one of its ends that is translated becomes.
    pub(super) translated: Option<Endpoint>,
    /// At a gateway port under the router's own address: which way. What leaves
    /// there decides what comes in.
    pub(super) own: Option<Heading>,
}

/// A floating IP's number, with the direction and the hop.
pub(super) type Passing = (usize, Direction, Hop);

/// What is known of the node's floating IPs, by their numbers.
pub(super) struct Fips {
    pub(super) ids: Vec<FipId>,
    /// The numbers of their routers.
    pub(super) routers: Vec<usize>,
}

impl Verdict {
    /// About a packet at a device that is no part of the node's own work.
    pub(super) const NONE: Self = Self {
        class: Class::None,
        detail: None,
        passing: None,
        direction: Direction::Inbound,
        ends: false,
        begins: false,
        lane: None,
        router: 0,
        translated: None,
        own: None,
    };

    /// About a packet at a device. `answers`: it answers what the router sent
    /// under its own address.
    pub(super) fn of(
        (site, spot): (&Site, &Spot),
        heading: Heading,
        heard: &Heard,
        answers: bool,
        flows: &mut Flows<'_, '_>,
        fips: &Fips,
    ) -> Self {
        let mut seen = Seen { site, spot, heading, heard, class: Class::None, fips: &fips.ids };
        let (class, detail) = seen.classify(flows);
        seen.class = if answers { Class::Snat } else { class };
        let passing = seen.passing();
        let (ends, begins) = passing.map_or((false, false), |(_, direction, hop)| seen.turns(direction, hop));
        // The port that all routers share has a router by the floating IP alone.
        let shared = spot.kind == DeviceKind::AgentGateway;
        let router = passing.filter(|_| shared).map_or(spot.router, |(fip, ..)| fips.routers[fip]);
        Self {
            class: seen.class,
            detail,
            passing,
            direction: seen.direction(),
            ends,
            begins,
            lane: seen.lane(),
            router,
            translated: passing.and_then(|passing| seen.translated(passing)),
            own: seen.own(),
        }
    }

    /// The flow of packets with these ends.
    pub(super) fn key(&self, proto: u8, [source, destination]: [Endpoint; 2]) -> FlowKey {
        FlowKey { router: self.router, class: self.class, proto, source, destination }
    }

    /// What is known of that flow before anything was counted.
    pub(super) fn flow(&self) -> Flow {
        let fip = self.passing.map(|(fip, ..)| fip);
        Flow {
            class: self.class,
            detail: self.detail,
            direction: self.direction,
            fip,
            translated: self.translated,
            lanes: Default::default(),
        }
    }
}

/// A packet, understood as far as its device and bytes go.
struct Seen<'a> {
    site: &'a Site,
    spot: &'a Spot,
    heading: Heading,
    heard: &'a Heard,
    class: Class,
    fips: &'a [FipId],
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

    fn centralized(&self, fixed: Ipv4Addr) -> bool {
        self.site.fixed.get(&fixed).is_some_and(|fip| self.fips[*fip].kind == FipKind::Centralized)
    }

    /// The class. A packet that goes out to an instance has that of the answer
    /// which the instance would send.
    fn classify(&self, flows: &mut Flows<'_, '_>) -> (Class, Option<Detail>) {
        use DeviceKind::{AgentGateway, FipToRouter, Internal, RouterGateway, RouterToFip, Snat};
        let packet = self.packet();
        match (self.heading, self.spot.kind) {
            (Heading::In, Internal) => {
                let found = flows.classify(self.spot.point, packet);
                let is_centralized = found.0 == Class::Snat && self.centralized(packet.src);
                if is_centralized { (Class::Fip, None) } else { found }
            }
            (Heading::In, _) => flows.classify(self.spot.point, packet),
            (Heading::Out, RouterGateway) if self.site.floating.contains_key(&packet.src) => (Class::Fip, None),
            (Heading::Out, RouterGateway) if self.is_own(packet.src) && self.heard.is_fresh() => (Class::Local, None),
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
    fn passing(&self) -> Option<Passing> {
        use DeviceKind::{AgentGateway, FipToRouter, Internal, RouterGateway, RouterToFip, Snat};
        use Direction::{Inbound, Outbound};
        let packet = self.packet();
        let (outward, inward) = (self.site.floating.get(&packet.src), self.site.floating.get(&packet.dst));
        let leaves = !matches!(self.class, Class::EastWest | Class::Local);
        let inside = |fixed, kinds: &[FipKind]| {
            self.site.fixed.get(&fixed).filter(|fip| leaves && kinds.contains(&self.fips[**fip].kind))
        };
        let (fip, direction, hop) = match (self.heading, self.spot.kind) {
            (Heading::In, Internal) => {
                let all = [FipKind::Distributed, FipKind::Centralized, FipKind::Legacy];
                (inside(packet.src, &all), Outbound, Hop::Qr)
            }
            (Heading::Out, Internal) if self.is_in_subnet(packet.dst) => {
                (inside(packet.dst, &[FipKind::Distributed, FipKind::Legacy]), Inbound, Hop::Qr)
            }
            // For the namespace itself as well: at qr that was not known.
            (Heading::In, Snat) => {
                let fip = self.site.fixed.get(&packet.src);
                (fip.filter(|fip| self.fips[**fip].kind == FipKind::Centralized), Outbound, Hop::Sg)
            }
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
        Hop::chain(self.fips[fip].kind).contains(&hop).then_some((fip, direction, hop))
    }

    /// From an instance's subnet, and out of the same port again.
    fn is_passed_on(&self) -> bool {
        let source = self.packet().src;
        self.is_in_subnet(source) && !self.is_own(source)
    }

    /// Which way it goes, by the device and the heading: towards the outside is out,
    /// towards the instances is in.
    fn direction(&self) -> Direction {
        use DeviceKind::{FipToRouter, Internal, Snat};
        let leaves = match self.spot.kind {
            // On its way to the snat namespace it leaves by the port through which it came.
            Internal => self.heading == Heading::In || self.is_passed_on(),
            Snat | FipToRouter => self.heading == Heading::In,
            _ => self.heading == Heading::Out,
        };
        if leaves { Direction::Outbound } else { Direction::Inbound }
    }

    /// Whether the packet rightly goes no further than this hop, and whether it
    /// did not come by the hop before.
    fn turns(&self, direction: Direction, hop: Hop) -> (bool, bool) {
        let packet = self.packet();
        let dies = self.heard.ends(self.heading);
        let ours = |address: Ipv4Addr| {
            let behind = || self.site.behind.iter().any(|subnet| subnet.contains(&IpAddr::V4(address)));
            self.site.floating.contains_key(&address) || self.site.own.contains(&address) || behind()
        };
        // From the snat namespace an instance's own address comes as its floating IP, or as it is.
        let inside = |address: Ipv4Addr| self.site.fixed.contains_key(&address);
        match (direction, hop) {
            (Direction::Outbound, Hop::Fpr | Hop::Sg) => (dies || ours(packet.dst), false),
            (Direction::Inbound, Hop::Fpr) => (dies, ours(packet.src)),
            (Direction::Inbound, Hop::Sg) => (dies, ours(packet.src) || inside(packet.src)),
            _ => (dies, false),
        }
    }

    /// Where the packet's class is counted: where it comes in from an instance or
    /// from the outside, or where the namespace itself sends it. Not elsewhere.
    fn lane(&self) -> Option<Lane> {
        use DeviceKind::{AgentGateway, Internal, RouterGateway, Snat};
        match (self.heading, self.spot.kind) {
            (Heading::In, Internal) => {
                let far = self.class == Class::Snat || self.centralized(self.packet().src);
                let both = far && matches!(self.class, Class::Snat | Class::Fip);
                Some(if both { Lane::Near } else { Lane::Only })
            }
            (Heading::In, Snat) if matches!(self.class, Class::Snat | Class::Fip) => Some(Lane::Far),
            (Heading::In, AgentGateway | RouterGateway | Snat) => Some(Lane::Only),
            (Heading::Out, AgentGateway | Internal | RouterGateway | Snat) if self.class == Class::Local => {
                Some(Lane::Only)
            }
            _ => None,
        }
    }

    /// At a gateway port, under the router's own address: which way.
    fn own(&self) -> Option<Heading> {
        let is_own = match self.heading {
            Heading::Out => self.class == Class::Snat,
            Heading::In => self.class == Class::Local,
        };
        (is_own && self.spot.kind == DeviceKind::RouterGateway).then_some(self.heading)
    }

    /// What the floating IP's translation makes of the address that it changes. The port may
    /// be another by then (`--random-fully`): connection tracking knows.
    fn translated(&self, (fip, direction, hop): Passing) -> Option<Endpoint> {
        let is_fip = self.class == Class::Fip;
        match (direction, hop) {
            (Direction::Outbound, Hop::Qr | Hop::Sg) if is_fip => {
                Some(Endpoint { address: self.fips[fip].floating_ip, port: None })
            }
            (Direction::Inbound, Hop::Fg | Hop::Qg) => Some(Endpoint { address: self.fips[fip].fixed_ip?, port: None }),
            _ => None,
        }
    }
}
