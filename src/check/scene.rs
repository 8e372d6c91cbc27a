//! What checks look at, and what findings are about.

mod index;

use std::cell::OnceCell;
use std::net::IpAddr;

use index::Index;

use super::policy::Priorities;
use super::view::Views;
use crate::net::{IfName, Link, Netns, NetnsName, OvsPort, Snapshot};
use crate::path::Node;
use crate::topology::{ChainLink, Direction, ExternalNetwork, FloatingIp, LinkName, Router, Topology};

/// A node as the checks see it.
pub struct Scene<'a, 's> {
    /// As it was read.
    pub snapshot: &'s Snapshot,
    /// As it was understood.
    pub topology: &'s Topology,
    /// What it would do with a packet.
    pub path: &'a Node<'s>,
    views: OnceCell<Views<'s>>,
    index: OnceCell<Index<'s>>,
    priorities: OnceCell<Priorities>,
}

/// What a finding is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subject {
    /// A router.
    pub router: Option<String>,
    /// An external network.
    pub external_network: Option<String>,
    /// A floating IP.
    pub floating_ip: Option<IpAddr>,
    /// The fixed IP behind it.
    pub fixed_ip: Option<IpAddr>,
}

impl<'a, 's> Scene<'a, 's> {
    /// A node, to be judged.
    pub fn of(snapshot: &'s Snapshot, topology: &'s Topology, path: &'a Node<'s>) -> Self {
        Self { snapshot, topology, path, views: OnceCell::new(), index: OnceCell::new(), priorities: OnceCell::new() }
    }

    /// The distributed routers, gathered when first asked for.
    pub(super) fn views(&self) -> &Views<'s> {
        self.views.get_or_init(|| Views::of(self))
    }

    /// The look-ups, gathered when first asked for.
    pub(super) fn index(&self) -> &Index<'s> {
        self.index.get_or_init(|| Index::of(self.snapshot, self.topology))
    }

    /// The agent's file of priorities, read when first asked for.
    pub(super) fn priorities(&self) -> &Priorities {
        self.priorities.get_or_init(|| Priorities::of(self.snapshot))
    }

    /// The floating IPs of a router, of every kind.
    pub fn fips_of(&self, router: &Router) -> &[&'s FloatingIp] {
        self.index().fips.get(router.id.as_str()).map_or(&[], Vec::as_slice)
    }

    /// The links that are not as they should be or could not be judged, of that
    /// name on the way of that direction, with their floating IPs.
    pub(super) fn amiss(
        &self,
        direction: Direction,
        name: LinkName,
    ) -> impl Iterator<Item = (&'s FloatingIp, &'s ChainLink)> {
        let all = self.index().amiss.iter();
        all.filter(move |(_, way, link)| *way == direction && link.link == name).map(|(fip, _, link)| (*fip, *link))
    }

    /// A device of a namespace.
    pub fn link(&self, namespace: &NetnsName, device: &IfName) -> Option<&'s Link> {
        match self.index().links.get(namespace) {
            Some(links) => links.get(device).copied(),
            None => self.netns(namespace)?.link(device),
        }
    }

    /// The port of Open vSwitch with a name.
    pub fn ovs_port(&self, name: &str) -> Option<&'s OvsPort> {
        self.index().ports.get(name).copied()
    }

    /// A namespace, where it could be read.
    pub fn netns(&self, name: &NetnsName) -> Option<&'s Netns> {
        self.snapshot.netns(name)
    }

    /// The router of a floating IP.
    pub fn router_of(&self, fip: &FloatingIp) -> Option<&'s Router> {
        self.index().routers.get(fip.router.as_str()).copied()
    }

    /// The router with an id.
    pub fn router(&self, id: &str) -> Option<&'s Router> {
        self.index().routers.get(id).copied()
    }

    /// The external network with an id.
    pub fn network(&self, id: &str) -> Option<&'s ExternalNetwork> {
        self.topology.external_networks.iter().find(|network| network.id == id)
    }
}

impl Subject {
    /// The node as a whole.
    pub fn node() -> Self {
        Self::default()
    }

    /// A router.
    pub fn router(router: &Router) -> Self {
        let external_network = router.external_network.clone();
        Self { router: Some(router.id.clone()), external_network, ..Self::default() }
    }

    /// An external network.
    pub fn network(network: &ExternalNetwork) -> Self {
        Self { external_network: Some(network.id.clone()), ..Self::default() }
    }

    /// A floating IP.
    pub fn floating_ip(fip: &FloatingIp) -> Self {
        Self {
            router: Some(fip.router.clone()),
            external_network: fip.external_network.clone(),
            floating_ip: fip.floating_ip,
            fixed_ip: fip.fixed_ip,
        }
    }
}
