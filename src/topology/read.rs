//! Routers and external networks in the words of a [`Topology`](super::Topology).

use std::collections::BTreeSet;
use std::net::IpAddr;

use ipnet::IpNet;

use super::chain::View;
use super::index::Space;
use super::model::{ExternalNetwork, GatewayPort, InternalPort, PairEnd, Router};
use crate::net::{Link, NetnsName, RouteKind};
use crate::neutron::{DeviceKind, LinkLocalPair, parse_namespace};

/// The external network of a fip namespace.
pub(super) fn external_network(name: &NetnsName, space: &Space) -> ExternalNetwork {
    let defaults = space.all_routes().iter().filter(|route| route.is_default() && route.kind == RouteKind::Unicast);
    let gateways: BTreeSet<IpAddr> = defaults.flat_map(|route| &route.next_hops).filter_map(|hop| hop.via).collect();
    ExternalNetwork {
        id: parse_namespace(name).map_or(String::new(), |(_, id)| id.to_owned()),
        namespace: name.clone(),
        gateway_port: space.devices(DeviceKind::AgentGateway).first().map(|link| gateway_port(space, link)),
        gateways: gateways.into_iter().collect(),
    }
}

/// A router.
pub(super) fn router(view: &View) -> Router {
    let View { router: parts, qrouter, fip, snat, .. } = *view;
    let has_pair = parts.pair.rfp.is_some() || parts.pair.fpr.is_some();
    let gateway = if parts.is_distributed() { snat } else { qrouter };
    let known = parts.pair.fip.clone().filter(|_| parts.pair.astray.is_none());
    Router {
        id: parts.id.clone(),
        namespace: qrouter.is_here().then(|| parts.qrouter.clone()),
        snat_namespace: snat.is_here().then(|| parts.snat.clone()),
        kind: parts.kind,
        external_network: parts.external_network(),
        layout: has_pair.then_some(parts.layout),
        told_layout: parts.told_layout,
        rtr_2_fip: parts.pair.rfp.as_ref().map(|link| pair_end(qrouter, link, known.clone())),
        fip_2_rtr: parts.pair.fpr.as_ref().map(|link| {
            let back = parts.pair.rfp.is_some().then(|| parts.qrouter.clone());
            pair_end(fip, link, back)
        }),
        internal: ports(qrouter, DeviceKind::Internal),
        snat_ports: ports(snat, DeviceKind::Snat),
        gateway_port: gateway.devices(DeviceKind::RouterGateway).first().map(|link| gateway_port(gateway, link)),
    }
}

fn pair_end(space: &Space, link: &Link, peer_namespace: Option<NetnsName>) -> PairEnd {
    let address = addresses(space, link).into_iter().find(|net| LinkLocalPair::of_net(*net).is_some());
    PairEnd { device: link.name.clone(), address, peer_namespace }
}

fn ports(space: &Space, kind: DeviceKind) -> Vec<InternalPort> {
    let mut ports: Vec<InternalPort> = space
        .devices(kind)
        .iter()
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
