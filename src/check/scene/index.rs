//! What several checks look up, gathered once, so that a node with ten times the
//! routers takes ten times as long and no more.

use std::cell::OnceCell;
use std::collections::{HashMap, HashSet};

use ipnet::IpNet;

use super::Scene;
use crate::net::{IfName, Link, Netns, NetnsName, OvsPort, Route, Snapshot, TableId};
use crate::neutron::DEAD_VLAN;
use crate::topology::{FipKind, FloatingIp, Router, Topology};

/// Routes by fip namespace and address.
type Hosts<'s> = HashMap<&'s NetnsName, HashMap<IpNet, Vec<&'s Route>>>;

/// The look-ups.
pub(in crate::check) struct Index<'s> {
    /// Routers by id.
    pub(in crate::check) routers: HashMap<&'s str, &'s Router>,
    /// Floating IPs by router.
    pub(in crate::check) fips: HashMap<&'s str, Vec<&'s FloatingIp>>,
    /// Devices by name, of namespaces with many.
    pub(in crate::check) links: HashMap<&'s NetnsName, HashMap<&'s IfName, &'s Link>>,
    /// Routes to floating IPs and the like: of main, in fip namespaces, to one
    /// IPv4 address each.
    hosts: OnceCell<Hosts<'s>>,
    /// Who set the routes of a fip namespace: the protocol of the first that the
    /// kernel did not make.
    pub(in crate::check) protocols: HashMap<&'s NetnsName, u8>,
    /// Ports of Open vSwitch by name.
    pub(in crate::check) ports: HashMap<&'s str, &'s OvsPort>,
    /// Bridges of Open vSwitch that keep networks apart by tags.
    pub(in crate::check) tagged: HashSet<&'s str>,
}

impl<'s> Index<'s> {
    pub(super) fn of(snapshot: &'s Snapshot, topology: &'s Topology) -> Self {
        let mut index = Self {
            routers: topology.routers.iter().map(|router| (router.id.as_str(), router)).collect(),
            fips: HashMap::new(),
            links: HashMap::new(),
            hosts: OnceCell::new(),
            protocols: HashMap::new(),
            ports: HashMap::new(),
            tagged: HashSet::new(),
        };
        for fip in topology.fips() {
            index.fips.entry(&fip.router).or_default().push(fip);
        }
        for (name, netns) in snapshot.seen().filter(|(_, netns)| netns.links().len() > FEW) {
            index.links.insert(name, netns.links().iter().map(|link| (&link.name, link)).collect());
        }
        for network in &topology.external_networks {
            let routes = snapshot.netns(&network.namespace).map_or(&[][..], |netns| netns.routes());
            if let Some(made) = routes.iter().find(|route| route.dst.addr().is_ipv4() && route.protocol != KERNEL) {
                index.protocols.insert(&network.namespace, made.protocol);
            }
        }
        for port in snapshot.host.ovs.seen().into_iter().flat_map(|ovs| &ovs.ports) {
            index.ports.entry(&port.name).or_insert(port);
            index.tagged.extend(port.tag.filter(|tag| *tag != DEAD_VLAN).map(|_| port.bridge.as_str()));
        }
        index
    }

    /// The routes of main to an IPv4 address alone, in a fip namespace.
    pub(in crate::check) fn to_host(&self, scene: &Scene<'s>, place: &NetnsName, host: IpNet) -> &[&'s Route] {
        let hosts = self.hosts.get_or_init(|| hosts(scene));
        hosts.get(place).and_then(|hosts| hosts.get(&host)).map_or(&[], Vec::as_slice)
    }

    /// Whether a router has a floating IP of a kind.
    pub(in crate::check) fn has_fip(&self, router: &str, kind: FipKind) -> bool {
        self.fips.get(router).is_some_and(|fips| fips.iter().any(|fip| fip.kind == kind))
    }
}

fn hosts<'s>(scene: &Scene<'s>) -> Hosts<'s> {
    let mut hosts = Hosts::new();
    for network in &scene.topology.external_networks {
        let routes = scene.netns(&network.namespace).map_or(&[][..], Netns::routes).iter();
        let lone = |route: &&Route| route.table == TableId::MAIN && route.dst.prefix_len() == 32;
        let of_network = hosts.entry(&network.namespace).or_default();
        for route in routes.filter(|route| lone(route) && route.dst.addr().is_ipv4()) {
            of_network.entry(route.dst).or_default().push(route);
        }
    }
    hosts
}

/// So many devices are looked through as fast as looked up.
const FEW: usize = 16;
/// `RTPROT_KERNEL`.
const KERNEL: u8 = 2;
