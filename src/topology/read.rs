//! From a snapshot to a [`Topology`].

use std::collections::BTreeSet;
use std::net::IpAddr;

use ipnet::IpNet;

use super::chain::View;
use super::discover::{Node, RouterParts};
use super::facts::{self, PriorityFile};
use super::index::Space;
use super::model::{Blind, ExternalNetwork, FloatingIp, GatewayPort, InternalPort, PairEnd, Router, Topology};
use super::node_kind::kind_of;
use crate::net::{Link, NetnsName, RouteKind, Snapshot};
use crate::neutron::{DeviceKind, LinkLocalPair, parse_namespace};

impl Topology {
    /// Reads a snapshot as a node of the L3 agent. Takes time in proportion to
    /// the snapshot's size.
    pub fn of(snapshot: &Snapshot) -> Self {
        let node = Node::of(snapshot);
        let file = PriorityFile::of(snapshot);
        let mut floating_ips: Vec<FloatingIp> = Vec::new();
        for router in &node.routers {
            let view = View::of(&node, router, &file);
            let drafts = facts::of_router(&node, router, &file);
            let shared = view.shared(&drafts);
            floating_ips.extend(drafts.into_iter().map(|draft| view.judge(draft, &shared)));
        }
        floating_ips.sort_by(|a, b| key(a).cmp(&key(b)));
        Self {
            node: snapshot.node.clone(),
            kind: kind_of(snapshot),
            external_networks: node.fips().map(|(name, space)| external_network(&node, name, space)).collect(),
            routers: node.routers.iter().map(|parts| router(&node, parts)).collect(),
            floating_ips,
            blind: Blind::of(snapshot),
        }
    }
}

fn key(fip: &FloatingIp) -> (Option<&String>, Option<IpAddr>, Option<IpAddr>, &String) {
    (fip.external_network.as_ref(), fip.floating_ip, fip.fixed_ip, &fip.router)
}

fn external_network(node: &Node, name: &NetnsName, space: &Space) -> ExternalNetwork {
    let defaults = space.all_routes().iter().filter(|route| route.is_default() && route.kind == RouteKind::Unicast);
    let gateways: BTreeSet<IpAddr> = defaults.flat_map(|route| &route.next_hops).filter_map(|hop| hop.via).collect();
    ExternalNetwork {
        id: parse_namespace(name).map_or(String::new(), |(_, id)| id.to_owned()),
        namespace: name.clone(),
        gateway_port: node.agent_gateways(name).first().map(|link| gateway_port(space, link)),
        gateways: gateways.into_iter().collect(),
    }
}

fn router(node: &Node, parts: &RouterParts) -> Router {
    let (qrouter, snat) = (node.space(&parts.qrouter), node.space(&parts.snat));
    let fip = node.space(&parts.fip);
    let has_pair = parts.pair.rfp.is_some() || parts.pair.fpr.is_some();
    let gateway = if parts.is_distributed() { snat } else { qrouter };
    let mut routers = gateway.devices(DeviceKind::RouterGateway);
    let known = parts.pair.fip.clone().filter(|_| parts.pair.astray.is_none());
    Router {
        id: parts.id.clone(),
        namespace: qrouter.here.then(|| parts.qrouter.clone()),
        snat_namespace: snat.here.then(|| parts.snat.clone()),
        kind: parts.kind,
        external_network: parts.external_network(),
        layout: has_pair.then_some(parts.layout),
        told_layout: parts.told_layout,
        rtr_2_fip: parts.pair.rfp.map(|link| pair_end(qrouter, link, known.clone())),
        fip_2_rtr: parts.pair.fpr.map(|link| {
            let back = parts.pair.rfp.is_some().then(|| parts.qrouter.clone());
            pair_end(fip, link, back)
        }),
        internal: ports(qrouter, DeviceKind::Internal),
        snat_ports: ports(snat, DeviceKind::Snat),
        gateway_port: routers.next().map(|link| gateway_port(gateway, link)),
    }
}

fn pair_end(space: &Space, link: &Link, peer_namespace: Option<NetnsName>) -> PairEnd {
    let address = addresses(space, link).into_iter().find(|net| LinkLocalPair::of_net(*net).is_some());
    PairEnd { device: link.name.clone(), address, peer_namespace }
}

fn ports(space: &Space, kind: DeviceKind) -> Vec<InternalPort> {
    let mut ports: Vec<InternalPort> = space
        .devices(kind)
        .map(|link| InternalPort { device: link.name.clone(), mac: link.mac, addresses: addresses(space, link) })
        .collect();
    ports.sort_by(|a, b| a.device.cmp(&b.device));
    ports
}

fn gateway_port(space: &Space, link: &Link) -> GatewayPort {
    let state = match (link.is_up(), link.has_carrier()) {
        (false, _) => "down",
        (true, false) => "no-carrier",
        (true, true) => "up",
    };
    GatewayPort { device: link.name.clone(), mac: link.mac, addresses: addresses(space, link), state }
}

/// A device's addresses, link-local IPv6 left out, sorted.
fn addresses(space: &Space, link: &Link) -> Vec<IpNet> {
    let mut nets: Vec<IpNet> = space
        .all_addrs(link.name.as_str())
        .map(|addr| addr.address)
        .filter(|net| !matches!(net, IpNet::V6(net) if net.addr().is_unicast_link_local()))
        .collect();
    nets.sort();
    nets
}
