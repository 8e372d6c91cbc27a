//! The engine: a node whose namespaces are compiled when a packet first
//! comes to them.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, OnceLock};

use super::handover::Ports;
use super::packet::Packet;
use super::route::Routed;
use super::space::Space;
use crate::net::{
    IfName, Link, Netns, NetnsName, Observed, RouteAnswer, RouteFound, RouteKind, RouteQuestion, Snapshot, TableId,
};
use crate::neutron::{DeviceKind, parse_device};
use crate::topology::Topology;

/// What a node would do with any packet.
pub struct Node<'s> {
    pub(super) topology: &'s Topology,
    /// Namespaces that are compiled for this one alone.
    own: Vec<Slot<'s>>,
    common: Arc<Common<'s>>,
}

/// What those have in common that were made from each other.
struct Common<'s> {
    spaces: BTreeMap<&'s NetnsName, Slot<'s>>,
    host: Slot<'s>,
    ports: OnceLock<Ports<'s>>,
}

/// A namespace, compiled or not yet.
struct Slot<'s> {
    name: &'s NetnsName,
    netns: &'s Observed<Arc<Netns>>,
    space: OnceLock<Result<Space<'s>, String>>,
}

impl<'s> Node<'s> {
    /// The engine for what was read of a node. Costs next to nothing: each
    /// namespace is compiled when the first packet comes to it.
    pub fn of(snapshot: &'s Snapshot, topology: &'s Topology) -> Self {
        static HOST: OnceLock<NetnsName> = OnceLock::new();
        let host = HOST.get_or_init(|| NetnsName::from("the host's namespace"));
        let spaces = snapshot.namespaces.iter().map(|(name, netns)| (name, Slot::new(name, netns))).collect();
        let host = Slot::new(host, &snapshot.host.netns);
        Self { topology, own: Vec::new(), common: Arc::new(Common { spaces, host, ports: OnceLock::new() }) }
    }

    /// The same, which compiles some of the namespaces for itself alone, and forgets
    /// them when it goes: where packets come to many namespaces, a few at a time.
    pub(crate) fn apart<'n>(&self, own: impl IntoIterator<Item = &'n NetnsName>) -> Self {
        let slots = own.into_iter().filter_map(|name| self.common.spaces.get(name));
        let own = slots.map(|slot| Slot::new(slot.name, slot.netns)).collect();
        Self { topology: self.topology, own, common: self.common.clone() }
    }

    /// A namespace, compiled; the error says what of it could not be read.
    pub(super) fn space(&self, name: &NetnsName) -> Result<&Space<'s>, String> {
        let own = self.own.iter().find(|slot| slot.name == name);
        own.or_else(|| self.common.spaces.get(name)).ok_or_else(|| format!("there is no namespace {name}"))?.space()
    }

    /// Whether an address stands on any device of a namespace.
    pub(super) fn has_address(&self, name: &NetnsName, address: Ipv4Addr) -> bool {
        let netns = self.common.spaces.get(name).and_then(|slot| slot.netns.seen());
        netns.is_some_and(|netns| netns.addrs().iter().any(|addr| addr.address.addr() == address))
    }

    /// The ports of this node that face a switch.
    pub(super) fn ports(&self) -> &Ports<'s> {
        self.common.ports.get_or_init(|| {
            let spaces = self.common.spaces.values().filter_map(|slot| Some((slot.name, slot.netns.seen()?)));
            let links = spaces.flat_map(|(name, netns)| netns.links().iter().map(move |link| (name, link)));
            let is_port = |(_, link): &(&NetnsName, &Link)| {
                use DeviceKind::{AgentGateway, Internal, RouterGateway, Snat};
                matches!(parse_device(&link.name), Some((AgentGateway | Internal | RouterGateway | Snat, _)))
            };
            links.filter(is_port).filter_map(|(name, link)| Some((link.mac?, (name, &link.name)))).collect()
        })
    }

    /// The names of all namespaces.
    pub(super) fn names(&self) -> impl Iterator<Item = &'s NetnsName> {
        self.common.spaces.keys().copied()
    }

    /// The route lookup alone, as the kernel is asked for it.
    ///
    /// # Errors
    /// What cannot be told, with the reason: a namespace that was not read, a
    /// rule whose selectors are not modelled, one of several next hops.
    pub fn route(&self, question: &RouteQuestion) -> Result<RouteAnswer, String> {
        let space = match &question.namespace {
            Some(name) => self.space(name)?,
            None => self.common.host.space()?,
        };
        let v4 = |address| match address {
            IpAddr::V4(address) => Ok(address),
            IpAddr::V6(_) => Err("only IPv4 is walked".to_owned()),
        };
        let src = question.src.map_or(Ok(Ipv4Addr::UNSPECIFIED), v4)?;
        let packet = Packet { mark: question.mark, tos: question.tos, ..Packet::first(src, v4(question.dst)?, 0) };
        let routed = match &question.iif {
            None => space.route_out(&packet),
            Some(name) => {
                let device = space.device(name).ok_or_else(|| format!("there is no device {name}"))?;
                space.route_in(device, &packet)
            }
        };
        answer(&routed)
    }
}

/// A decision in the words of the kernel's answer.
pub(super) fn answer(routed: &Routed<'_>) -> Result<RouteAnswer, String> {
    match routed {
        Routed::Forward(choice, hop) => Ok(RouteAnswer::Found(RouteFound {
            kind: choice.route.kind,
            table: choice.table,
            dev: hop.dev.clone(),
            via: hop.via,
        })),
        Routed::Local(choice, kind) => Ok(RouteAnswer::Found(RouteFound {
            kind: *kind,
            table: choice.map_or(TableId(0), |choice| choice.table),
            // What is delivered is delivered by the loopback device.
            dev: matches!(kind, RouteKind::Local | RouteKind::Broadcast).then(|| IfName::from("lo")),
            via: None,
        })),
        Routed::Refused(refusal) => Ok(RouteAnswer::Refused(refusal.errno())),
        Routed::Riddle(riddle) => Err(riddle.reason()),
    }
}

impl<'s> Slot<'s> {
    fn new(name: &'s NetnsName, netns: &'s Observed<Arc<Netns>>) -> Self {
        Self { name, netns, space: OnceLock::new() }
    }

    fn space(&self) -> Result<&Space<'s>, String> {
        let compile = || match self.netns {
            Observed::Seen(netns) => Space::of(self.name, netns).map_err(|why| format!("{}: {why}", self.name)),
            Observed::Absent => Err(format!("{} was not read", self.name)),
            Observed::Unreadable(why) => Err(format!("{} could not be read: {why}", self.name)),
        };
        self.space.get_or_init(compile).as_ref().map_err(String::clone)
    }
}
