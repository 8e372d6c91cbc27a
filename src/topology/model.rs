//! What a node comes to, once read: the values that every later room works on.

use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;
use serde::Serialize;

use super::LinkName;
use crate::net::{IfName, Mac, NetnsName, RulePriority};
use crate::neutron::Layout;

/// A node, understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topology {
    /// The host's name.
    pub node: String,
    /// What kind of node it is.
    pub kind: NodeKind,
    /// External networks that have a fip namespace here, sorted by id.
    pub external_networks: Vec<ExternalNetwork>,
    /// Routers that have a router or snat namespace here, or the end of a pair in
    /// a fip namespace, sorted by id.
    pub routers: Vec<Router>,
    /// Floating IPs: the union of what rules, translation, routes and addresses
    /// speak of, sorted by external network, floating IP, fixed IP. Those that no
    /// change touched are shared with the reading before.
    pub floating_ips: Vec<Arc<FloatingIp>>,
    /// What could not be read, so that nothing is mistaken for absent.
    pub blind: Vec<Blind>,
}

/// What a node turns out to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum NodeKind {
    /// Namespaces of the L3 agent stand here.
    L3,
    /// ML2/OVN: floating IPs are OpenFlow and database rows, not namespaces.
    Ovn,
    /// Nothing of Neutron's routing stands here.
    None,
    /// The namespace folder could not be listed, so we cannot say.
    Unknown(String),
}

/// An external network with a fip namespace on this node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExternalNetwork {
    /// Its id, as the namespace's name tells.
    pub id: String,
    /// `fip-<id>`.
    pub namespace: NetnsName,
    /// The agent gateway port, `fg-…`, where there is one.
    pub gateway_port: Option<GatewayPort>,
    /// The external gateways that default routes here lead to, sorted.
    pub gateways: Vec<IpAddr>,
}

/// An agent gateway port (`fg-`) or a router gateway port (`qg-`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GatewayPort {
    /// The device.
    pub device: IfName,
    /// Its hardware address.
    pub mac: Option<Mac>,
    /// Its addresses (link-local IPv6 left out), sorted.
    pub addresses: Vec<IpNet>,
    /// `up`, `down` or `no-carrier`.
    pub state: &'static str,
}

/// A router with a namespace on this node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Router {
    /// Its id, as the namespace's name tells. A router that only an `fpr-` device
    /// speaks of has the id that the agent's file tells, else the ten characters
    /// that are left of it.
    pub id: String,
    /// `qrouter-<id>`, where it stands here.
    pub namespace: Option<NetnsName>,
    /// `snat-<id>`, where it stands here.
    pub snat_namespace: Option<NetnsName>,
    /// How it routes.
    pub kind: RouterKind,
    /// The external network that its pair leads to.
    pub external_network: Option<String>,
    /// The layout, `None` where the router has no pair.
    pub layout: Option<Layout>,
    /// The layout in which its agent builds, as the rest of the node tells it
    /// where the router has no pair; `None` where nothing does.
    pub told_layout: Option<Layout>,
    /// `rfp-…` in the router namespace.
    pub rtr_2_fip: Option<PairEnd>,
    /// `fpr-…` in the fip namespace.
    pub fip_2_rtr: Option<PairEnd>,
    /// `qr-…` devices, sorted.
    pub internal: Vec<InternalPort>,
    /// `sg-…` devices in the snat namespace, sorted.
    pub snat_ports: Vec<InternalPort>,
    /// `qg-…`: in the snat namespace, or in the router namespace of a legacy router.
    pub gateway_port: Option<GatewayPort>,
}

/// How a router routes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RouterKind {
    /// Distributed.
    Distributed,
    /// Distributed, its SNAT highly available.
    DistributedHa,
    /// Legacy: everything in one namespace on the network node.
    Legacy,
    /// Legacy and highly available.
    LegacyHa,
}

/// One end of the veth pair between router and fip namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PairEnd {
    /// The device.
    pub device: IfName,
    /// Its link-local address.
    pub address: Option<IpNet>,
    /// The namespace of the other end, by kernel peer index, confirmed by name.
    pub peer_namespace: Option<NetnsName>,
}

/// A port on a tenant's subnet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InternalPort {
    /// The device.
    pub device: IfName,
    /// Its hardware address.
    pub mac: Option<Mac>,
    /// Its addresses (link-local IPv6 left out), sorted.
    pub addresses: Vec<IpNet>,
}

/// A floating IP as this node has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FloatingIp {
    /// The public address; `None` for a rule whose translation is gone.
    pub floating_ip: Option<IpAddr>,
    /// The instance's address, where anything still tells it.
    pub fixed_ip: Option<IpAddr>,
    /// The router's id.
    pub router: String,
    /// The external network, where the node tells.
    pub external_network: Option<String>,
    /// Where it is implemented.
    pub kind: FipKind,
    /// The priority of its `lookup 16` rule.
    pub rule_priority: Option<RulePriority>,
    /// What its chain comes to.
    pub state: FipState,
    /// Every object that speaks of it, with where it was seen.
    pub facts: Vec<Fact>,
    /// The way out, in packet order.
    pub outbound: Vec<ChainLink>,
    /// The way in, in packet order.
    pub inbound: Vec<ChainLink>,
}

/// Where a floating IP is implemented.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FipKind {
    /// Here, through the fip namespace.
    Distributed,
    /// In the snat namespace.
    Centralized,
    /// In a legacy router's namespace.
    Legacy,
}

/// What a floating IP's chain comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FipState {
    /// Every link holds.
    Ok,
    /// It works, but a link is not as it should be.
    Degraded,
    /// A link is missing or wrong, and traffic stops there.
    Broken,
    /// No link is known to be wrong, but one could not be judged.
    Unknown,
}

/// One object that speaks of a floating IP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    /// What kind of object.
    pub source: FactSource,
    /// Where; `None` for the host's files.
    pub namespace: Option<NetnsName>,
    /// The object in the words of `ip`, `iptables-save` or the file.
    pub text: String,
}

/// The kinds of objects that speak of a floating IP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FactSource {
    /// `from FIXED lookup 16`.
    Rule,
    /// A DNAT rule.
    Dnat,
    /// An SNAT rule.
    Snat,
    /// A route to the floating IP in a fip namespace.
    Route,
    /// The floating IP as an address of `rfp-` or `qg-`.
    Address,
    /// A line of `fip-priorities`; never makes a floating IP by itself.
    PriorityFile,
}

/// A direction of a floating IP's traffic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// From the instance to the outside.
    Outbound,
    /// From the outside to the instance.
    Inbound,
}

/// One link of a chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainLink {
    /// Which link.
    pub link: LinkName,
    /// The namespace that it stands in (or should).
    pub namespace: NetnsName,
    /// The object that decides it.
    pub object: ObjectRef,
    /// Whether it holds.
    pub state: LinkState,
    /// What should stand there, in the words of `ip` or `iptables-save`.
    pub expected: Option<String>,
    /// What stands there; for an unknown link, why that is not known.
    pub actual: Option<String>,
    /// A fault here only degrades: traffic still passes.
    pub advisory: bool,
    /// The raw objects behind the judgement, a line each, as `ip` and
    /// `iptables-save` print them.
    pub evidence: Vec<String>,
}

/// Whether a link of a chain holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum LinkState {
    /// It is as it should be.
    Ok,
    /// It is not there.
    Missing,
    /// It is there, but not as it should be.
    Wrong,
    /// It could not be judged.
    Unknown,
    /// This layout or this kind of floating IP has no such link.
    NotApplicable,
}

/// An object of the node, by kind and key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct ObjectRef {
    /// The kind.
    pub kind: ObjectKind,
    /// The key: what a person would look it up by.
    pub key: String,
}

/// The kinds of objects that links and findings speak of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "each is the kernel's or ip's own word")]
pub enum ObjectKind {
    Netns,
    Link,
    Addr,
    Rule,
    Route,
    Neigh,
    Nat,
    Filter,
    Sysctl,
    File,
    OvsPort,
}

/// Something that could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blind {
    /// The namespace; `None` for the host's side.
    pub namespace: Option<NetnsName>,
    /// Which part (`netfilter`, `routes`, `namespace`).
    pub part: String,
    /// Why.
    pub why: String,
}

impl Topology {
    /// The floating IPs, in their order.
    pub fn fips(&self) -> impl ExactSizeIterator<Item = &FloatingIp> + DoubleEndedIterator + Clone {
        self.floating_ips.iter().map(Arc::as_ref)
    }

    /// The floating IP at a place.
    pub fn fip(&self, at: usize) -> Option<&FloatingIp> {
        self.floating_ips.get(at).map(Arc::as_ref)
    }

    /// Those that are an address of an external network: one, where nothing is wrong.
    pub fn fips_at<'n>(&self, network: &'n str, address: IpAddr) -> impl Iterator<Item = &FloatingIp> + use<'_, 'n> {
        let sought = (Some(network), Some(address));
        let place = |fip: &FloatingIp| (fip.external_network.as_deref(), fip.floating_ip) < sought;
        // They come sorted by it.
        let first = self.floating_ips.partition_point(|fip| place(fip));
        let rest = self.floating_ips.iter().skip(first).map(Arc::as_ref);
        rest.take_while(move |fip| (fip.external_network.as_deref(), fip.floating_ip) == sought)
    }

    /// The router of that id.
    pub fn router(&self, id: &str) -> Option<&Router> {
        // Sorted by id; a list put together elsewhere may not be.
        let found = self.routers.binary_search_by(|router| router.id.as_str().cmp(id)).ok();
        found.and_then(|at| self.routers.get(at)).or_else(|| self.routers.iter().find(|router| router.id == id))
    }
}

impl FloatingIp {
    /// The links of one direction.
    pub fn links(&self, direction: Direction) -> &[ChainLink] {
        match direction {
            Direction::Outbound => &self.outbound,
            Direction::Inbound => &self.inbound,
        }
    }
}
