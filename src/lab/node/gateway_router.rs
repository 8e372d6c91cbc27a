//! Routers that are not distributed: everything in one namespace, floating IPs
//! on the gateway port.

use std::net::{IpAddr, Ipv4Addr};

use ipnet::IpNet;

use crate::net::{Addr, AddrFlags, IfName};
use crate::neutron::DeviceKind;
use crate::plan::agent::{floating_on_gateway, internal_port, legacy_gateway, plug, router_namespace, router_netns};
use crate::plan::{Action, Object};

use super::super::LabOptions;
use super::super::article::{EXTERNAL_BRIDGE, GATEWAY_ADDRESS};
use super::super::numbers::uuid;
use super::{Builder, Need, Vm};

/// The segment on which VRRP is spoken.
pub(super) const HA_BRIDGE: &str = "br-ha";
/// The router's address there, and the one that the primary has as well
/// (`keepalived.py`).
const HA_ADDRESS: (Ipv4Addr, u8) = (Ipv4Addr::new(169, 254, 192, 10), 18);
const HA_PRIMARY: (Ipv4Addr, u8) = (Ipv4Addr::new(169, 254, 0, 1), 24);

/// A router with one subnet, one instance and its floating IP.
#[derive(Debug)]
pub(in crate::lab) struct GatewayRouter {
    name: &'static str,
    subnet: [u8; 3],
    /// The subnet's segment.
    pub(in crate::lab) bridge: &'static str,
    gateway_port: Ipv4Addr,
    /// The instance's floating IP.
    pub(in crate::lab) floating_ip: Ipv4Addr,
    is_ha: bool,
}

static LEGACY: GatewayRouter = GatewayRouter {
    name: "legacy router",
    subnet: [80, 0, 0],
    bridge: "br-80.0.0.0",
    gateway_port: Ipv4Addr::new(192, 168, 1, 250),
    floating_ip: Ipv4Addr::new(192, 168, 1, 251),
    is_ha: false,
};

static HIGHLY_AVAILABLE: GatewayRouter = GatewayRouter {
    name: "highly available router",
    subnet: [90, 0, 0],
    bridge: "br-90.0.0.0",
    gateway_port: Ipv4Addr::new(192, 168, 1, 252),
    floating_ip: Ipv4Addr::new(192, 168, 1, 253),
    is_ha: true,
};

impl GatewayRouter {
    /// A legacy router.
    pub(in crate::lab) fn legacy() -> &'static Self {
        &LEGACY
    }

    /// A highly available one, of which this node is the primary.
    pub(in crate::lab) fn highly_available() -> &'static Self {
        &HIGHLY_AVAILABLE
    }

    /// Its id.
    pub(in crate::lab) fn id(&self) -> String {
        uuid(self.name)
    }

    /// Its device of a kind.
    pub(in crate::lab) fn device(&self, kind: DeviceKind) -> IfName {
        kind.name(&uuid(&self.port_name(kind)))
    }

    fn port_name(&self, kind: DeviceKind) -> String {
        format!("{kind:?} of {}", self.name)
    }
}

impl Builder {
    /// Those that the options need.
    pub(super) fn gateway_routers(&mut self, options: &LabOptions) -> Vec<Vm> {
        let all = [(Need::Legacy, &LEGACY), (Need::HighlyAvailable, &HIGHLY_AVAILABLE)];
        let wanted = all.into_iter().filter(|(need, _)| options.has(*need));
        wanted.map(|(_, router)| self.gateway_router(router)).collect()
    }

    fn gateway_router(&mut self, router: &GatewayRouter) -> Vm {
        let (id, [a, b, c]) = (router.id(), router.subnet);
        let host = |last| Ipv4Addr::new(a, b, c, last);
        let place = router_netns(&id);
        router_namespace(&mut self.plan, &self.forms, &id);
        if router.is_ha {
            self.vrrp(router, &place);
        }
        let name = router.port_name(DeviceKind::Internal);
        let qr = self.port(DeviceKind::Internal, &name, host(1), 24, Some(router.bridge));
        internal_port(&mut self.plan, &self.forms, &id, &qr);
        let name = router.port_name(DeviceKind::RouterGateway);
        let qg = self.port(DeviceKind::RouterGateway, &name, router.gateway_port, 24, Some(EXTERNAL_BRIDGE));
        let gateway = IpAddr::V4(GATEWAY_ADDRESS);
        legacy_gateway(&mut self.plan, &self.forms, &id, std::slice::from_ref(&qr), &qg, gateway);
        let vm = Vm::of(host(4), Some(router.floating_ip));
        floating_on_gateway(&mut self.plan, &self.forms, &place, &qg.device, router.floating_ip, vm.fixed_ip);
        self.outer_instance(&qr, &vm);
        vm
    }

    /// The port on which keepalived speaks, and the address of the primary.
    fn vrrp(&mut self, router: &GatewayRouter, place: &crate::plan::Place) {
        let (address, length) = HA_ADDRESS;
        let port = self.port(DeviceKind::Ha, &router.port_name(DeviceKind::Ha), address, length, Some(HA_BRIDGE));
        plug(&mut self.plan, place, &port);
        let (address, length) = HA_PRIMARY;
        let address = IpNet::V4(ipnet::Ipv4Net::new_assert(address, length));
        let addr =
            Addr { dev: port.device, address, peer: None, broadcast: None, scope: 0, flags: AddrFlags::default() };
        self.plan.push(place, Action::Add(Object::Addr(addr)));
    }
}
