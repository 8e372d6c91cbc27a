//! From the device a packet leaves by to whoever takes it: the other end of a
//! veth pair, a port of this node on the same segment, or the world outside.

use std::collections::HashMap;
use std::net::Ipv4Addr;

use super::model::{Neighbour, Start, Stop};
use super::node::Node;
use super::packet::Packet;
use super::space::{Device, Space};
use crate::net::{IfName, Mac, Neigh, NetnsName, Peer};
use crate::neutron::{DeviceKind, NamespaceKind, parse_device, parse_namespace};
use crate::topology::ObjectKind;

/// `IFF_NOARP`: nobody is asked for hardware addresses.
const IFF_NOARP: u32 = 0x80;

/// Where a packet ended up after it left a device.
pub(super) struct Handed {
    pub(super) neighbour: Option<Neighbour>,
    pub(super) to: To,
}

/// Who takes it.
pub(super) enum To {
    /// Another namespace of this node, by this device.
    Across(Start),
    /// A machine of the subnet that the device stands in.
    Subnet,
    /// Another node.
    Outside,
    /// Nobody.
    Lost(Stop),
    /// It cannot be told.
    Unknown(Stop),
}

/// The ports of this node that face a switch, by hardware address.
pub(super) type Ports<'s> = HashMap<Mac, (&'s NetnsName, &'s IfName)>;

/// One handing over.
pub(super) struct Handover<'a, 's> {
    pub(super) node: &'a Node<'s>,
    pub(super) space: &'a Space<'s>,
    pub(super) iif: Option<&'a IfName>,
    pub(super) oif: &'a Device<'s>,
    pub(super) next: Ipv4Addr,
    pub(super) packet: &'a Packet,
}

impl<'s> Handover<'_, 's> {
    pub(super) fn run(&self) -> Handed {
        if self.oif.link.flags & IFF_NOARP != 0 || self.oif.link.is_loopback() {
            return Handed { neighbour: None, to: To::Outside };
        }
        let entry = self.space.neighbour(&self.oif.link.name, self.next);
        let neighbour = Neighbour {
            address: self.next,
            mac: entry.and_then(|entry| entry.mac),
            state: entry.map(|entry| entry.state),
        };
        let to = match (self.space.blind_to_neighbours(), self.other_end()) {
            (Some(why), _) | (None, Err(why)) => To::Unknown(self.stop(why)),
            (None, Ok(Some((space, peer)))) => self.wire(entry, space, peer),
            (None, Ok(None)) => self.segment(entry),
        };
        Handed { neighbour: Some(neighbour), to }
    }

    /// The far end of a veth pair between two of the agent's namespaces; the
    /// error says why that namespace could not be read.
    fn other_end(&self) -> Result<Option<(&Space<'s>, &Device<'s>)>, String> {
        let Some(Peer::In(namespace, index)) = &self.oif.link.peer else { return Ok(None) };
        if !is_agents(namespace) {
            return Ok(None);
        }
        let space = self.node.space(namespace)?;
        let device = space.name_of(*index).and_then(|name| space.device(name));
        // A port of a bridge hands on whatever comes.
        Ok(device.filter(|device| device.link.master.is_none()).map(|device| (space, device)))
    }

    fn wire(&self, entry: Option<&Neigh>, space: &Space<'s>, peer: &Device<'s>) -> To {
        let name = &self.oif.link.name;
        if !peer.link.is_up() {
            return To::Lost(
                Stop::new(space.name, format!("{} is down", peer.link.name))
                    .at(ObjectKind::Link, peer.link.name.to_string()),
            );
        }
        match usable(entry) {
            Some(mac) if Some(mac) != peer.link.mac => {
                let reason = format!(
                    "{} drops it: the neighbour entry for {} has another address, {mac}",
                    peer.link.name, self.next
                );
                return To::Lost(self.at_neighbour(reason));
            }
            Some(_) => {}
            None => {
                let asker = self.oif.address_towards(Some(self.next)).unwrap_or(Ipv4Addr::UNSPECIFIED);
                let answer = space.arp(peer, asker, self.next);
                match answer.answers {
                    Some(true) => {}
                    Some(false) => {
                        return To::Lost(
                            self.at_neighbour(format!(
                                "nobody answers ARP for {} on {name}: {}",
                                self.next, answer.why
                            )),
                        );
                    }
                    None => return To::Unknown(self.stop(answer.why)),
                }
            }
        }
        // `is_skb_forwardable`: room for a VLAN tag is allowed.
        let longest = peer.link.mtu + 4;
        if self.packet.length.min(self.fragment()) > longest {
            let reason = format!("{} silently drops what is longer than its MTU {}", peer.link.name, peer.link.mtu);
            return To::Lost(Stop::new(space.name, reason).at(ObjectKind::Link, peer.link.name.to_string()));
        }
        To::Across(Start { namespace: space.name.clone(), device: Some(peer.link.name.clone()) })
    }

    /// The longest piece of the packet on the wire.
    fn fragment(&self) -> u32 {
        if self.packet.dont_fragment { u32::MAX } else { self.oif.link.mtu }
    }

    /// A switch: Open vSwitch, a bridge.
    fn segment(&self, entry: Option<&Neigh>) -> To {
        let taker = match usable(entry) {
            // Who has the address now is asked only once the entry is old.
            Some(mac) => self.node.ports().get(&mac).copied().filter(|(namespace, _)| *namespace != self.space.name),
            None => self.near().into_iter().find(|port| self.answers(*port)),
        };
        if let (None, Some(mac), Some((_, device))) = (taker, usable(entry), self.own_sg()) {
            let reason =
                format!("{device} has {}, but the neighbour entry has another hardware address, {mac}", self.next);
            return To::Lost(self.at_neighbour(reason));
        }
        if let Some((namespace, device)) = taker {
            return To::Across(Start { namespace: namespace.clone(), device: Some(device.clone()) });
        }
        let name = &self.oif.link.name;
        if let (None, Some(entry)) = (usable(entry), entry) {
            let reason = format!("{} is not known on {name} ({}): ARP got no answer", self.next, entry.state.word());
            return To::Lost(self.at_neighbour(reason));
        }
        let kind = parse_device(name).map(|(kind, _)| kind);
        let faces_outside = matches!(kind, Some(DeviceKind::AgentGateway | DeviceKind::RouterGateway));
        if entry.is_none() && faces_outside && self.iif == Some(name) {
            let reason =
                format!("it would go back out of {name}, by which it came: no route leads {} to a router", self.next);
            return To::Lost(self.stop(reason).at(ObjectKind::Route, self.next.to_string()));
        }
        if !faces_outside && self.next == self.packet.dst { To::Subnet } else { To::Outside }
    }

    /// The router's port in its snat namespace, where that is on this node and
    /// the next hop.
    fn own_sg(&self) -> Option<(&'s NetnsName, &'s IfName)> {
        if !DeviceKind::Internal.is(&self.oif.link.name) {
            return None;
        }
        self.near().into_iter().find(|(namespace, _)| self.node.has_address(namespace, self.next))
    }

    /// Ports of this node on the same segment that could hold the next hop.
    fn near(&self) -> Vec<(&'s NetnsName, &'s IfName)> {
        let Some((own, _)) = parse_device(&self.oif.link.name) else { return Vec::new() };
        let own_network = self.node.network_of(self.space.name);
        let is_near = |namespace: &NetnsName, kind: DeviceKind| match (own, kind) {
            (DeviceKind::Internal, DeviceKind::Snat) | (DeviceKind::Snat, DeviceKind::Internal) => {
                router_of(namespace) == router_of(self.space.name)
            }
            (DeviceKind::AgentGateway, DeviceKind::RouterGateway)
            | (DeviceKind::RouterGateway, DeviceKind::RouterGateway | DeviceKind::AgentGateway) => {
                own_network.is_some() && self.node.network_of(namespace) == own_network
            }
            _ => false,
        };
        let mut near: Vec<_> = self.node.ports().values().copied().collect();
        near.retain(|(namespace, device)| {
            let kind = parse_device(device).map(|(kind, _)| kind);
            kind.is_some_and(|kind| is_near(namespace, kind)) && *namespace != self.space.name
        });
        near.sort();
        near
    }

    fn answers(&self, (namespace, device): (&'s NetnsName, &'s IfName)) -> bool {
        if namespace == self.space.name {
            return false;
        }
        let asker = self.oif.address_towards(Some(self.next)).unwrap_or(Ipv4Addr::UNSPECIFIED);
        // Compiling a namespace costs; most do not know the address at all.
        if DeviceKind::RouterGateway.is(device) && !self.node.has_address(namespace, self.next) {
            return false;
        }
        let Ok(space) = self.node.space(namespace) else { return false };
        space.device(device).is_some_and(|port| space.arp(port, asker, self.next).answers == Some(true))
    }

    fn stop(&self, reason: String) -> Stop {
        Stop::new(self.space.name, reason)
    }

    fn at_neighbour(&self, reason: String) -> Stop {
        self.stop(reason).at(ObjectKind::Neigh, format!("{} dev {}", self.next, self.oif.link.name))
    }
}

fn usable(entry: Option<&Neigh>) -> Option<Mac> {
    entry.filter(|entry| entry.state.is_usable()).and_then(|entry| entry.mac)
}

fn is_agents(namespace: &NetnsName) -> bool {
    use NamespaceKind::{Fip, Router, Snat};
    matches!(parse_namespace(namespace), Some((Router | Fip | Snat, _)))
}

fn router_of(namespace: &NetnsName) -> Option<&str> {
    match parse_namespace(namespace)? {
        (NamespaceKind::Router | NamespaceKind::Snat, id) => Some(id),
        _ => None,
    }
}
