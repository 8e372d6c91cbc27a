//! Packets that this node can send by itself to find out where a floating IP's
//! way ends: from which namespace, as whom, to whom, and what they should pass.

use std::net::{IpAddr, Ipv4Addr};

use ipnet::IpNet;

use super::follow::{Conversation, Waypoint};
use super::state::Hop;
use super::trail::Expected;
use crate::net::{Heading, IfName, NetnsName, ReachBy, ReachQuestion};
use crate::path::{Endpoint, ICMP, Node, Outcome, Packet, Start, TCP, Walk};
use crate::topology::{FipKind, FloatingIp, InternalPort, Topology};

/// What a packet is sent to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Aim {
    /// The floating IP, as the outside has it: its whole way in, and the answer's
    /// way back to the namespace.
    Floating,
    /// The instance's own address, from its router: the last leg alone.
    Fixed,
    /// The external gateway: the first leg alone.
    Gateway,
}

/// One packet that can be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Errand {
    /// What to.
    pub aim: Aim,
    /// Who sends what to whom; its identifier is chosen when it is sent.
    pub question: ReachQuestion,
    /// Where its conversation can be seen.
    pub namespaces: Vec<NetnsName>,
    /// What it should pass, where all is well.
    pub should: Vec<Expected>,
}

impl Errand {
    /// The packets that can be sent about a floating IP, by what; those that
    /// nothing on this node could send are left out.
    pub fn all(topology: &Topology, fip: &FloatingIp, by: ReachBy) -> Vec<Self> {
        [Aim::Floating, Aim::Fixed, Aim::Gateway]
            .into_iter()
            .filter_map(|aim| Self::of(topology, fip, aim, by))
            .collect()
    }

    /// One of them; `None` where nothing on this node could send it.
    pub fn of(topology: &Topology, fip: &FloatingIp, aim: Aim, by: ReachBy) -> Option<Self> {
        let floating = v4(fip.floating_ip?)?;
        let router = topology.router(&fip.router)?;
        let id = fip.external_network.as_ref().or(router.external_network.as_ref());
        let network = topology.external_networks.iter().find(|network| Some(&network.id) == id);
        let (outer, port) = match fip.kind {
            FipKind::Distributed => (network.map(|network| &network.namespace), network?.gateway_port.as_ref()),
            FipKind::Centralized => (router.snat_namespace.as_ref(), router.gateway_port.as_ref()),
            FipKind::Legacy => (router.namespace.as_ref(), router.gateway_port.as_ref()),
        };
        // A floating IP on the port belongs to an instance, not to the namespace.
        let own = |nets: &[IpNet]| nets.iter().filter(|net| net.prefix_len() < 32).find_map(|net| v4(net.addr()));
        let (inner, ports) = match fip.kind {
            FipKind::Centralized => (router.snat_namespace.as_ref(), &router.snat_ports),
            FipKind::Distributed | FipKind::Legacy => (router.namespace.as_ref(), &router.internal),
        };
        let has =
            |port: &&InternalPort| fip.fixed_ip.is_some_and(|it| port.addresses.iter().any(|net| net.contains(&it)));
        let inside = ports.iter().find(has);
        let out = |namespace: &NetnsName, device: &IfName| {
            Expected::Point(Waypoint { namespace: namespace.clone(), device: device.clone(), heading: Heading::Out })
        };
        let (namespace, source, destination) = match aim {
            Aim::Floating => (outer?, own(&port?.addresses)?, floating),
            Aim::Fixed => (inner?, own(&inside?.addresses)?, v4(fip.fixed_ip?)?),
            Aim::Gateway => {
                let gateways = network.map(|network| network.gateways.as_slice()).unwrap_or_default();
                (outer?, own(&port?.addresses)?, gateways.iter().find_map(|gateway| v4(*gateway))?)
            }
        };
        let should = match (aim, fip.kind) {
            (Aim::Floating, FipKind::Distributed) => {
                [Hop::Fpr, Hop::Rfp, Hop::Qr].map(|hop| Expected::Hop(floating, hop)).to_vec()
            }
            (Aim::Floating | Aim::Fixed, _) => {
                inner.zip(inside).map(|(name, port)| out(name, &port.device)).into_iter().collect()
            }
            (Aim::Gateway, _) => vec![out(outer?, &port?.device)],
        };
        let mut namespaces: Vec<NetnsName> = vec![namespace.clone()];
        namespaces
            .extend(router.namespace.iter().chain(&router.snat_namespace).filter(|name| *name != namespace).cloned());
        let question = ReachQuestion { namespace: namespace.clone(), source: Some(source), destination, by, ident: 0 };
        Some(Self { aim, question, namespaces, should })
    }

    /// The packet with this identifier, or source port.
    #[must_use]
    pub fn known_by(mut self, ident: u16) -> Self {
        self.question.ident = ident;
        self
    }

    /// The packet as the namespace sends it.
    pub fn packet(&self) -> Packet {
        let ReachQuestion { source, destination, by, ident, .. } = self.question;
        let source = source.unwrap_or(Ipv4Addr::UNSPECIFIED);
        match by {
            ReachBy::Echo => Packet::first(source, destination, ICMP).ports(ident, ident),
            ReachBy::Syn(port) => Packet::first(source, destination, TCP).ports(ident, port),
        }
    }

    /// Its walk on a node.
    pub fn walk(&self, node: &Node<'_>) -> Walk {
        node.walk(&Start { namespace: self.question.namespace.clone(), device: None }, self.packet())
    }

    /// What is to be looked for, with the walk's translations.
    pub fn conversation(&self, walk: Option<&Walk>, fixed: Option<Ipv4Addr>) -> Conversation {
        let packet = self.packet();
        let mut found = Conversation::of(packet.proto, [packet.source(), packet.destination()], walk, &[]);
        let becomes =
            fixed.filter(|_| self.aim == Aim::Floating).map(|address| Endpoint { address, ..packet.destination() });
        found.pairs.extend(becomes.map(|fixed| [packet.source(), fixed]));
        self.namespaces.iter().for_each(|name| found.look_in(name));
        found
    }

    /// The stations that it should pass: its walk's where that arrives where it should,
    /// else those of the floating IP.
    pub fn expected(&self, walk: &Walk) -> Vec<Expected> {
        let handed_over = walk.hops.last().is_some_and(|hop| hop.oif.is_some());
        let should = if self.aim == Aim::Gateway { Outcome::LeavesNode } else { Outcome::Delivered };
        if walk.outcome == should && handed_over {
            return Expected::of_walk(walk);
        }
        self.should.clone()
    }
}

fn v4(address: IpAddr) -> Option<Ipv4Addr> {
    match address {
        IpAddr::V4(address) => Some(address),
        IpAddr::V6(_) => None,
    }
}

#[cfg(test)]
mod tests;
