//! `fipscope.list/1`.

use std::net::IpAddr;

use ipnet::IpNet;
use serde::Serialize;

use super::{Head, document};
use crate::check::{Code, Standing, states};
use crate::net::{IfName, Mac, NetnsName, RulePriority, Snapshot};
use crate::neutron::Layout;
use crate::report::Judged;
use crate::topology::{FipKind, FipState, RouterKind, Topology};

#[derive(Serialize)]
struct List<'a> {
    #[serde(flatten)]
    head: Head<'a>,
    external_networks: Vec<ExternalNetwork<'a>>,
    routers: Vec<Router<'a>>,
    floating_ips: Vec<FloatingIp<'a>>,
}

#[derive(Serialize)]
struct ExternalNetwork<'a> {
    id: &'a str,
    namespace: &'a NetnsName,
    gateway_port: Option<GatewayPort<'a>>,
    gateways: &'a [IpAddr],
}

#[derive(Serialize)]
struct GatewayPort<'a> {
    device: &'a IfName,
    mac: Option<Mac>,
    addresses: &'a [IpNet],
    state: &'a str,
}

#[derive(Serialize)]
struct Router<'a> {
    id: &'a str,
    namespace: Option<&'a NetnsName>,
    snat_namespace: Option<&'a NetnsName>,
    kind: RouterKind,
    external_network: Option<&'a str>,
    layout: Option<Layout>,
    rtr_2_fip: Option<Rtr2Fip<'a>>,
    fip_2_rtr: Option<Fip2Rtr<'a>>,
    internal: Vec<Internal<'a>>,
}

#[derive(Serialize)]
struct Rtr2Fip<'a> {
    device: &'a IfName,
    address: Option<IpNet>,
    peer_namespace: Option<&'a NetnsName>,
}

#[derive(Serialize)]
struct Fip2Rtr<'a> {
    device: &'a IfName,
    address: Option<IpNet>,
}

#[derive(Serialize)]
struct Internal<'a> {
    device: &'a IfName,
    mac: Option<Mac>,
    addresses: &'a [IpNet],
}

/// An entry of `floating_ips[]`, which `fipscope.show/1` has too.
#[derive(Serialize)]
#[expect(clippy::struct_field_names, reason = "the names are the promised ones")]
pub(super) struct FloatingIp<'a> {
    floating_ip: Option<IpAddr>,
    fixed_ip: Option<IpAddr>,
    router: &'a str,
    external_network: Option<&'a str>,
    kind: FipKind,
    rule_priority: Option<RulePriority>,
    state: FipState,
    codes: Vec<Code>,
}

/// External networks, routers and floating IPs of the node.
pub fn list(snapshot: &Snapshot, topology: &Topology, judged: Judged<'_>) -> String {
    let states = states(topology, judged.findings);
    document(&List {
        head: Head::new("fipscope.list/1", snapshot),
        external_networks: topology.external_networks.iter().map(ExternalNetwork::of).collect(),
        routers: topology.routers.iter().map(Router::of).collect(),
        floating_ips: topology
            .floating_ips
            .iter()
            .zip(&states)
            .map(|(fip, standing)| FloatingIp::of(fip, standing))
            .collect(),
    })
}

impl<'a> ExternalNetwork<'a> {
    fn of(network: &'a crate::topology::ExternalNetwork) -> Self {
        let port = network.gateway_port.as_ref();
        Self {
            id: &network.id,
            namespace: &network.namespace,
            gateway_port: port.map(|port| GatewayPort {
                device: &port.device,
                mac: port.mac,
                addresses: &port.addresses,
                state: port.state,
            }),
            gateways: &network.gateways,
        }
    }
}

impl<'a> Router<'a> {
    fn of(router: &'a crate::topology::Router) -> Self {
        Self {
            id: &router.id,
            namespace: router.namespace.as_ref(),
            snat_namespace: router.snat_namespace.as_ref(),
            kind: router.kind,
            external_network: router.external_network.as_deref(),
            layout: router.layout,
            rtr_2_fip: router.rtr_2_fip.as_ref().map(|end| Rtr2Fip {
                device: &end.device,
                address: end.address,
                peer_namespace: end.peer_namespace.as_ref(),
            }),
            fip_2_rtr: router.fip_2_rtr.as_ref().map(|end| Fip2Rtr { device: &end.device, address: end.address }),
            internal: router
                .internal
                .iter()
                .map(|port| Internal { device: &port.device, mac: port.mac, addresses: &port.addresses })
                .collect(),
        }
    }
}

impl<'a> FloatingIp<'a> {
    pub(super) fn of(fip: &'a crate::topology::FloatingIp, standing: &Standing<'_>) -> Self {
        Self {
            floating_ip: fip.floating_ip,
            fixed_ip: fip.fixed_ip,
            router: &fip.router,
            external_network: fip.external_network.as_deref(),
            kind: fip.kind,
            rule_priority: fip.rule_priority,
            state: standing.state,
            codes: standing.codes(),
        }
    }
}
