//! What several checks look up, gathered once, so that a node with ten times the
//! routers takes ten times as long and no more.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::sync::Arc;

use crate::net::{Addr, IfName, Link, NetnsName, OvsPort, Snapshot};
use crate::neutron::DEAD_VLAN;
use crate::topology::{ExternalNetwork, FipKind, FipState, FloatingIp, Router, Topology};

/// The look-ups.
pub(in crate::check) struct Index<'s> {
    /// Routers by id.
    pub(in crate::check) routers: HashMap<&'s str, &'s Router>,
    /// Floating IPs by router.
    pub(in crate::check) fips: HashMap<&'s str, Vec<&'s FloatingIp>>,
    /// Floating IPs whose chains are not whole: few, on a node that works.
    pub(in crate::check) troubled: Vec<&'s FloatingIp>,
    /// Addresses of fip namespaces.
    owners: HashMap<(IpAddr, &'s NetnsName), &'s Addr>,
    /// Devices by name, of namespaces with many.
    pub(in crate::check) links: HashMap<&'s NetnsName, HashMap<&'s IfName, &'s Link>>,
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
            troubled: topology.fips().filter(|fip| fip.state != FipState::Ok).collect(),
            owners: HashMap::new(),
            links: HashMap::new(),
            protocols: HashMap::new(),
            ports: HashMap::new(),
            tagged: HashSet::new(),
        };
        // Those of a router mostly follow each other.
        for group in topology.floating_ips.chunk_by(|one, other| one.router == other.router) {
            index.fips.entry(&group[0].router).or_default().extend(group.iter().map(Arc::as_ref));
        }
        for (name, netns) in snapshot.seen().filter(|(_, netns)| netns.links().len() > FEW) {
            index.links.insert(name, netns.links().iter().map(|link| (&link.name, link)).collect());
        }
        for network in &topology.external_networks {
            let Some(netns) = snapshot.netns(&network.namespace) else { continue };
            index.owners.extend(netns.addrs().iter().map(|addr| ((addr.address.addr(), &network.namespace), addr)));
            let routes = netns.routes();
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

    /// The address in a fip namespace that is this one.
    pub(in crate::check) fn owner(&self, network: &ExternalNetwork, address: IpAddr) -> Option<&'s Addr> {
        self.owners.get(&(address, &network.namespace)).copied()
    }

    /// Whether a router has a floating IP of a kind.
    pub(in crate::check) fn has_fip(&self, router: &str, kind: FipKind) -> bool {
        self.fips.get(router).is_some_and(|fips| fips.iter().any(|fip| fip.kind == kind))
    }
}

/// So many devices are looked through as fast as looked up.
const FEW: usize = 16;
/// `RTPROT_KERNEL`.
const KERNEL: u8 = 2;
