//! What checks look at, and what findings are about.

mod index;
mod part;

use std::cell::{Cell, OnceCell};
use std::net::{IpAddr, Ipv4Addr};
use std::rc::Rc;
use std::sync::Arc;

use index::Index;
use part::Part;

use super::fip::Uncovered;
use super::nat::Suspects;
use super::policy::Priorities;
use super::view::{Look, Outer, Sight};
use crate::net::{IfName, Link, Netns, NetnsName, Observed, OvsPort, RouteAnswer, RouteQuestion, Snapshot};
use crate::neutron::{NamespaceKind, ReleaseRange, parse_namespace};
use crate::path::{Node, Packet, Start, Walk};
use crate::topology::{
    ChainLink, Direction, ExternalNetwork, FipState, FloatingIp, LinkName, LinkState, Router, Topology,
};

/// A node as the checks see it: all of its routers, or some.
pub struct Scene<'s> {
    /// As it was read.
    pub snapshot: &'s Snapshot,
    /// As it was understood: all of it.
    pub topology: &'s Topology,
    /// What it would do with a packet.
    path: Node<'s>,
    /// The routers that are looked at.
    pub routers: &'s [Router],
    /// More was asked about than the routers, the host and the fip namespaces.
    beyond: Cell<bool>,
    own: Own<'s>,
    shared: Rc<Shared<'s>>,
}

/// What is gathered of the routers that are looked at, and forgotten with them: the
/// next ones find the same memory, still in the processor's cache.
struct Own<'s> {
    /// One for each of the routers.
    parts: Box<[OnceCell<Part<'s>>]>,
    suspects: Suspects<'s>,
}

/// What is gathered once, whatever routers are looked at.
#[derive(Default)]
struct Shared<'s> {
    index: OnceCell<Index<'s>>,
    outer: OnceCell<Outer<'s>>,
    priorities: OnceCell<Priorities>,
    release: OnceCell<ReleaseRange>,
    /// Those of fip namespaces.
    suspects: Suspects<'s>,
    uncovered: OnceCell<Vec<Uncovered<'s>>>,
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

impl Own<'_> {
    fn of(routers: &[Router]) -> Self {
        Self { parts: routers.iter().map(|_| OnceCell::new()).collect(), suspects: Suspects::default() }
    }
}

impl<'s> Scene<'s> {
    /// A node, to be judged.
    pub fn of(snapshot: &'s Snapshot, topology: &'s Topology) -> Self {
        let (path, routers) = (Node::of(snapshot, topology), &topology.routers[..]);
        // Who sees all of the node has nothing to look beyond.
        let beyond = Cell::new(true);
        Self { snapshot, topology, path, routers, beyond, own: Own::of(routers), shared: Rc::default() }
    }

    /// The same node, with an eye for one router after the other.
    pub fn parts(&self) -> impl Iterator<Item = Self> {
        let Self { snapshot, topology, .. } = *self;
        self.routers.chunks(1).map(move |routers| {
            let own = routers.iter().flat_map(|router| [&router.namespace, &router.snat_namespace]).flatten();
            let (path, shared) = (self.path.apart(own), self.shared.clone());
            Self { snapshot, topology, path, routers, beyond: Cell::new(false), own: Own::of(routers), shared }
        })
    }

    /// Whether what was asked hangs on more than the routers that are looked at
    /// and their namespaces, the host, the external networks and the names of
    /// namespaces.
    pub(super) fn looked_beyond(&self) -> bool {
        self.beyond.get()
    }

    /// A packet's way, which can lead anywhere on the node.
    pub(super) fn walk(&self, start: &Start, packet: Packet) -> Walk {
        self.beyond.set(true);
        self.path.walk(start, packet)
    }

    /// The way of the answer to a packet.
    pub(super) fn reply(&self, walk: &Walk) -> Option<Walk> {
        self.beyond.set(true);
        self.path.reply(walk)
    }

    /// Where a packet between two addresses may set out.
    pub(super) fn starts(&self, src: Ipv4Addr, dst: Ipv4Addr) -> Vec<Start> {
        self.beyond.set(true);
        self.path.starts(src, dst)
    }

    /// A lookup in one namespace.
    pub(super) fn route(&self, question: &RouteQuestion) -> Result<RouteAnswer, String> {
        self.path.route(question)
    }

    /// The floating IPs of all routers, looked at or not.
    pub(super) fn everyones_fips(&self) -> impl Iterator<Item = &'s FloatingIp> {
        self.beyond.set(true);
        self.topology.fips()
    }

    /// Those of an address of an external network.
    pub(super) fn everyones_fips_at<'n>(
        &self,
        network: &'n str,
        address: IpAddr,
    ) -> impl Iterator<Item = &'s FloatingIp> + use<'n, 's> {
        self.beyond.set(true);
        self.topology.fips_at(network, address)
    }

    /// The routers that are looked at, each with what belongs to it.
    fn by_router(&self) -> impl Iterator<Item = (&'s Router, &Part<'s>)> {
        self.routers
            .iter()
            .zip(&self.own.parts)
            .map(|(router, cell)| (router, cell.get_or_init(|| Part::of(self, router))))
    }

    /// Their floating IPs, of every kind.
    pub(super) fn fips(&self) -> impl Iterator<Item = &'s FloatingIp> {
        self.routers.iter().flat_map(|router| self.fips_of(router)).copied()
    }

    /// Their distributed floating IPs, each with its router and external network;
    /// those of a router follow each other.
    pub(super) fn distributed(&self) -> impl Iterator<Item = (&'s FloatingIp, &'s Router, &'s ExternalNetwork)> {
        self.by_router().flat_map(|(router, part)| part.distributed.iter().map(move |(fip, net)| (*fip, router, *net)))
    }

    /// What can be seen of each router that is looked at, gathered when first
    /// asked for.
    pub(super) fn looks(&self) -> impl Iterator<Item = &Look<'s>> {
        self.by_router().map(|(router, part)| part.look.get_or_init(|| Look::at(self, router, Sight::of(self, router))))
    }

    /// Which releases the node's agent may be of, reckoned when first asked for.
    pub(super) fn release(&self) -> &ReleaseRange {
        self.shared.release.get_or_init(|| ReleaseRange::of(self.snapshot))
    }

    /// The look-ups, gathered when first asked for.
    pub(super) fn index(&self) -> &Index<'s> {
        self.shared.index.get_or_init(|| Index::of(self.snapshot, self.topology))
    }

    /// The agent's file of priorities, read when first asked for.
    pub(super) fn priorities(&self) -> &Priorities {
        self.shared.priorities.get_or_init(|| Priorities::of(self.snapshot))
    }

    /// The far ends of pairs, gathered when first asked for.
    pub(super) fn outer(&self) -> &Outer<'s> {
        self.shared.outer.get_or_init(|| Outer::of(self))
    }

    /// The floating IPs that no prefix on a gateway port's link covers, gathered when
    /// first asked for.
    pub(super) fn uncovered(&self) -> &[Uncovered<'s>] {
        self.shared.uncovered.get_or_init(|| Uncovered::all(self))
    }

    /// What in packet filters could stop packets, looked up once for each namespace.
    pub(super) fn suspects(&self, namespace: &NetnsName) -> &Suspects<'s> {
        if is_fip(namespace) { &self.shared.suspects } else { &self.own.suspects }
    }

    /// The floating IPs of a router, of every kind.
    pub fn fips_of(&self, router: &Router) -> &[&'s FloatingIp] {
        self.index().fips.get(router.id.as_str()).map_or(&[], Vec::as_slice)
    }

    /// The links that are not as they should be or could not be judged, of that
    /// name on the way of that direction, with their floating IPs. What only
    /// advises and could not be judged leaves a chain whole, and is not among them.
    pub(super) fn amiss(
        &self,
        direction: Direction,
        name: LinkName,
    ) -> impl Iterator<Item = (&'s FloatingIp, &'s ChainLink)> {
        let is_amiss = |link: &&ChainLink| !matches!(link.state, LinkState::Ok | LinkState::NotApplicable);
        let links = move |fip: &'s FloatingIp| {
            let its = fip.links(direction).iter().filter(move |link| link.link == name);
            its.filter(is_amiss).map(move |link| (fip, link))
        };
        self.troubled().flat_map(links)
    }

    /// Their floating IPs whose chains are not whole. Most are, and their many links
    /// need not be fetched from memory.
    pub(super) fn troubled(&self) -> impl Iterator<Item = &'s FloatingIp> {
        let sees_all = self.routers.len() == self.topology.routers.len();
        let all = sees_all.then(|| self.index().troubled.iter().copied());
        let own = (!sees_all).then(|| self.fips().filter(|fip| fip.state != FipState::Ok));
        all.into_iter().flatten().chain(own.into_iter().flatten())
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
        if !self.beyond.get() && !self.is_at_hand(name) {
            self.beyond.set(true);
        }
        self.snapshot.netns(name)
    }

    /// The routers that are looked at, each with its own namespaces, read or not.
    pub(super) fn places(&self) -> impl Iterator<Item = (&'s Router, &'s NetnsName, &'s Observed<Arc<Netns>>)> {
        let (routers, namespaces) = (self.routers, &self.snapshot.namespaces);
        let own = |router: &'s Router| [&router.namespace, &router.snat_namespace].into_iter().flatten();
        let all = routers.iter().flat_map(move |router| own(router).map(move |name| (router, name)));
        all.filter_map(|(router, name)| Some((router, name, namespaces.get(name)?)))
    }

    /// The external networks, each with its fip namespace, read or not.
    pub(super) fn fip_places(
        &self,
    ) -> impl Iterator<Item = (&'s ExternalNetwork, &'s NetnsName, &'s Observed<Arc<Netns>>)> {
        let (networks, namespaces) = (&self.topology.external_networks, &self.snapshot.namespaces);
        networks.iter().filter_map(|net| Some((net, &net.namespace, namespaces.get(&net.namespace)?)))
    }

    /// Whether a namespace is one of the routers' own, or a fip namespace.
    fn is_at_hand(&self, name: &NetnsName) -> bool {
        let own =
            |router: &Router| [&router.namespace, &router.snat_namespace].into_iter().flatten().any(|own| own == name);
        is_fip(name) || self.routers.iter().any(own)
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

/// Whether a name is that of a fip namespace.
pub(super) fn is_fip(name: &NetnsName) -> bool {
    matches!(parse_namespace(name), Some((NamespaceKind::Fip, _)))
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
