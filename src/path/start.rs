//! Where a packet enters the node, told by its addresses.

use std::net::{IpAddr, Ipv4Addr};

use ipnet::IpNet;

use super::model::Start;
use super::node::Node;
use crate::net::{IfName, NetnsName};
use crate::neutron::{NamespaceKind, parse_namespace};
use crate::topology::{FipKind, InternalPort, Router};

impl<'s> Node<'s> {
    /// Where a packet with these addresses would enter: at an instance's port
    /// of its router, at the external network's port, or from a namespace
    /// itself, whose own address the source is. Several: the addresses occur
    /// more than once on the node. None: no namespace here would see it.
    pub fn starts(&self, src: Ipv4Addr, dst: Ipv4Addr) -> Vec<Start> {
        let owners = self.owners(src);
        if !owners.is_empty() {
            return owners;
        }
        let inside = self.ports_with(src);
        if inside.is_empty() { self.starts_outside(dst) } else { inside }
    }

    /// The subnet in which both addresses lie: a packet between them is
    /// switched, and no router ever sees it.
    pub fn subnet_of_both(&self, src: Ipv4Addr, dst: Ipv4Addr) -> Option<IpNet> {
        let subnets = self.topology.routers.iter().flat_map(|router| &router.internal).flat_map(|port| &port.addresses);
        subnets
            .map(IpNet::trunc)
            .find(|net| src != dst && net.contains(&IpAddr::V4(src)) && net.contains(&IpAddr::V4(dst)))
    }

    /// The external network that a namespace is connected to.
    pub(super) fn network_of(&self, namespace: &NetnsName) -> Option<&'s str> {
        match parse_namespace(namespace)? {
            (NamespaceKind::Fip, id) => {
                self.topology.external_networks.iter().map(|network| network.id.as_str()).find(|known| *known == id)
            }
            (NamespaceKind::Router | NamespaceKind::Snat, id) => self.topology.router(id)?.external_network.as_deref(),
            _ => None,
        }
    }

    /// The gateway of that external network.
    pub(super) fn gateway_of(&self, namespace: &NetnsName) -> Option<Ipv4Addr> {
        let id = self.network_of(namespace)?;
        let network = self.topology.external_networks.iter().find(|network| network.id == id)?;
        network.gateways.iter().find_map(|gateway| match gateway {
            IpAddr::V4(gateway) => Some(*gateway),
            IpAddr::V6(_) => None,
        })
    }

    /// Whether an address lies in a subnet of any router here.
    pub(super) fn is_internal(&self, address: Ipv4Addr) -> bool {
        !self.ports_with(address).is_empty()
    }

    pub(super) fn is_floating(&self, address: Ipv4Addr) -> bool {
        self.topology.floating_ips.iter().any(|fip| fip.floating_ip == Some(IpAddr::V4(address)))
    }

    fn ports_with(&self, address: Ipv4Addr) -> Vec<Start> {
        let holds = |port: &&InternalPort| port.addresses.iter().any(|net| net.contains(&IpAddr::V4(address)));
        let of_router = |router: &'s Router| {
            let namespace = router.namespace.as_ref()?;
            Some(router.internal.iter().filter(holds).map(|port| start(namespace, &port.device)))
        };
        self.topology.routers.iter().filter_map(of_router).flatten().collect()
    }

    /// The port of a router by which its instances reach it; the namespace is
    /// any of that router.
    pub(super) fn gateway_port(&self, namespace: &NetnsName, instance: Ipv4Addr) -> Option<Start> {
        let (_, id) = parse_namespace(namespace)?;
        let namespace = self.topology.router(id)?.namespace.as_ref()?;
        self.ports_with(instance).into_iter().find(|port| port.namespace == *namespace)
    }

    /// The namespaces whose own address it is.
    fn owners(&self, src: Ipv4Addr) -> Vec<Start> {
        let agents = self.names().filter(|name| {
            use NamespaceKind::{Fip, Router, Snat};
            matches!(parse_namespace(name), Some((Router | Fip | Snat, _))) && self.has_address(name, src)
        });
        // An outside machine does not send from an address of ours; a floating IP
        // that stands on a device is the instance's, not the namespace's.
        let agents = agents.filter(|_| !self.is_floating(src));
        agents.map(|name| Start { namespace: name.clone(), device: None }).collect()
    }

    fn starts_outside(&self, dst: Ipv4Addr) -> Vec<Start> {
        let mut starts = Vec::new();
        for fip in self.topology.floating_ips.iter().filter(|fip| fip.floating_ip == Some(IpAddr::V4(dst))) {
            let network = fip.external_network.as_deref();
            match fip.kind {
                FipKind::Distributed => starts.extend(self.agent_gateway(network)),
                FipKind::Centralized | FipKind::Legacy => starts.extend(self.router_gateway(&fip.router)),
            }
        }
        if starts.is_empty() {
            starts = self.outer_ports().filter(|start| self.has_address(&start.namespace, dst)).collect();
        }
        if starts.is_empty() {
            // Nobody here knows the address; whoever stands in its subnet hears of it.
            starts = self
                .agent_gateways()
                .filter(|(_, nets)| nets.iter().any(|net| net.contains(&IpAddr::V4(dst))))
                .map(|(start, _)| start)
                .collect();
        }
        if starts.is_empty() {
            // By address scope, the outside reaches instances without translation.
            let routers = self.topology.routers.iter().filter(|router| {
                router.internal.iter().flat_map(|port| &port.addresses).any(|net| net.contains(&IpAddr::V4(dst)))
            });
            starts = routers.filter_map(|router| self.agent_gateway(router.external_network.as_deref())).collect();
        }
        starts.sort();
        starts.dedup();
        starts
    }

    fn agent_gateway(&self, network: Option<&str>) -> Option<Start> {
        let network = self.topology.external_networks.iter().find(|known| Some(known.id.as_str()) == network)?;
        Some(start(&network.namespace, &network.gateway_port.as_ref()?.device))
    }

    fn agent_gateways(&self) -> impl Iterator<Item = (Start, &'s [IpNet])> {
        self.topology.external_networks.iter().filter_map(|network| {
            let port = network.gateway_port.as_ref()?;
            Some((start(&network.namespace, &port.device), port.addresses.as_slice()))
        })
    }

    fn router_gateway(&self, router: &str) -> Option<Start> {
        let router = self.topology.router(router)?;
        let namespace = router.snat_namespace.as_ref().or(router.namespace.as_ref())?;
        Some(start(namespace, &router.gateway_port.as_ref()?.device))
    }

    fn outer_ports(&self) -> impl Iterator<Item = Start> {
        let routers = self.topology.routers.iter().filter_map(|router| self.router_gateway(&router.id));
        self.agent_gateways().map(|(start, _)| start).chain(routers)
    }
}

fn start(namespace: &NetnsName, device: &IfName) -> Start {
    Start { namespace: namespace.clone(), device: Some(device.clone()) }
}
