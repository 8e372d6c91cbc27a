//! What the article leaves out, for walks between routers and networks: a router
//! beside the article's on the same external network, one on a second network,
//! each with its own snat namespace and instances, and a centralized floating IP.

use std::net::{IpAddr, Ipv4Addr};

use crate::net::Mac;
use crate::neutron::{DeviceKind, Layout};
use crate::plan::agent::{
    External, Port, centralize, internal_port, neighbour, redirect, router_namespace, router_netns, snat_namespace,
};

use super::super::article::{self, EXTERNAL_BRIDGE};
use super::super::numbers::{kernel_mac, uuid};
use super::super::surroundings::{far_end, instance};
use super::{Builder, Error, SECOND_BRIDGE, Vm};

/// A router with one subnet.
#[derive(Debug)]
pub(in crate::lab) struct More {
    /// By it the ids of its ports are made up.
    pub(in crate::lab) name: &'static str,
    subnet: [u8; 3],
    /// Last byte of its port's address.
    port: u8,
    /// The subnet's segment.
    pub(in crate::lab) bridge: &'static str,
    qg: Ipv4Addr,
    qg_length: u8,
    qg_bridge: &'static str,
    /// Last byte of the fixed IP, and the floating IP.
    instances: &'static [(u8, Option<Ipv4Addr>)],
}

static SAME_NETWORK: More = More {
    name: "router beside the article's",
    subnet: [30, 0, 0],
    port: 1,
    bridge: "br-30.0.0.0",
    qg: Ipv4Addr::new(192, 168, 1, 241),
    qg_length: 24,
    qg_bridge: EXTERNAL_BRIDGE,
    instances: &[(4, Some(Ipv4Addr::new(192, 168, 1, 242))), (5, None), (6, Some(Ipv4Addr::new(192, 168, 1, 243)))],
};

static OTHER_NETWORK: More = More {
    name: "router on the other network",
    subnet: [40, 0, 0],
    port: 1,
    bridge: "br-40.0.0.0",
    qg: Ipv4Addr::new(172, 24, 255, 1),
    qg_length: 16,
    qg_bridge: SECOND_BRIDGE,
    instances: &[(4, Some(Ipv4Addr::new(172, 24, 255, 4))), (5, None)],
};

static ODD: More = More {
    name: "router with another address than its subnet's first",
    subnet: [60, 0, 0],
    port: 9,
    bridge: "br-60.0.0.0",
    qg: Ipv4Addr::new(192, 168, 1, 246),
    qg_length: 24,
    qg_bridge: EXTERNAL_BRIDGE,
    instances: &[(4, Some(Ipv4Addr::new(192, 168, 1, 247)))],
};

/// Its gateway is not used: it has none.
static BARE: More = More {
    name: "router without gateway",
    subnet: [70, 0, 0],
    port: 1,
    bridge: "br-70.0.0.0",
    qg: Ipv4Addr::UNSPECIFIED,
    qg_length: 32,
    qg_bridge: "",
    instances: &[(4, None)],
};

/// The article's instance without a floating IP of its own there.
const CENTRALIZED: (Ipv4Addr, Ipv4Addr) = (Ipv4Addr::new(192, 168, 1, 244), Ipv4Addr::new(20, 0, 0, 4));

impl More {
    /// Beside the article's, on the same external network.
    pub(in crate::lab) fn beside() -> &'static Self {
        &SAME_NETWORK
    }

    /// On another external network.
    pub(in crate::lab) fn other() -> &'static Self {
        &OTHER_NETWORK
    }

    /// With another address than its subnet's first.
    pub(in crate::lab) fn odd() -> &'static Self {
        &ODD
    }

    /// Without a gateway.
    pub(in crate::lab) fn bare() -> &'static Self {
        &BARE
    }

    /// The centralized floating IP.
    pub(in crate::lab) fn centralized() -> Ipv4Addr {
        CENTRALIZED.0
    }

    /// Its id.
    pub(in crate::lab) fn id(&self) -> String {
        uuid(self.name)
    }

    /// The far end of an instance's device.
    pub(in crate::lab) fn tap(&self, last: u8) -> String {
        far_end(Vm::of(self.host(last), None).namespace.as_str())
    }

    fn host(&self, last: u8) -> Ipv4Addr {
        let [a, b, c] = self.subnet;
        Ipv4Addr::new(a, b, c, last)
    }
}

impl Builder {
    /// Adds all of it; gives the instances that came with it.
    pub(super) fn more(&mut self, second: &External) -> Result<Vec<Vm>, Error> {
        let mut vms = self.inhabited(&SAME_NETWORK, &article::external())?;
        vms.extend(self.inhabited(&OTHER_NETWORK, second)?);
        if self.forms.layout == Layout::Pike {
            let (floating, fixed) = CENTRALIZED;
            centralize(&mut self.plan, &self.forms, article::ROUTER, &article::qg().device, floating, fixed);
        }
        Ok(vms)
    }

    /// The routers that Open vSwitch's database is needed for.
    pub(super) fn plugged(&mut self) -> Result<Vec<Vm>, Error> {
        let mut vms = self.inhabited(&ODD, &article::external())?;
        let (_, more) = self.inner(&BARE);
        vms.extend(more);
        Ok(vms)
    }

    fn inhabited(&mut self, more: &More, external: &External) -> Result<Vec<Vm>, Error> {
        let router = more.id();
        let (qr, vms) = self.inner(more);
        let sg = self.port(DeviceKind::Snat, &format!("sg of {}", more.name), more.host(3), 24, Some(more.bridge));
        let name = format!("qg of {}", more.name);
        let qg = self.port(DeviceKind::RouterGateway, &name, more.qg, more.qg_length, Some(more.qg_bridge));
        snat_namespace(&mut self.plan, &self.forms, &router, std::slice::from_ref(&sg), &qg, external.gateway);
        let macs = (kernel_mac(&format!("rfp of {}", more.name)), kernel_mac(&format!("fpr of {}", more.name)));
        let pair = self.pair(&router, external, macs)?;
        redirect(&mut self.plan, &self.forms, &router, &qr, (sg.address.addr(), sg.mac));
        self.associate(external, &pair, vms.iter().filter_map(|vm| Some((vm.floating_ip?, vm.fixed_ip))));
        Ok(vms)
    }

    /// The namespace with its port and the instances.
    fn inner(&mut self, more: &More) -> (Port, Vec<Vm>) {
        let router = more.id();
        router_namespace(&mut self.plan, &self.forms, &router);
        let name = format!("qr of {}", more.name);
        let qr = self.port(DeviceKind::Internal, &name, more.host(more.port), 24, Some(more.bridge));
        internal_port(&mut self.plan, &self.forms, &router, &qr);
        let vm = |(last, floating_ip): &(u8, Option<Ipv4Addr>)| Vm::of(more.host(*last), *floating_ip);
        let vms: Vec<Vm> = more.instances.iter().map(vm).collect();
        for vm in &vms {
            self.instance(&router, &qr, vm);
        }
        (qr, vms)
    }

    /// An instance behind a distributed router's port, which knows it.
    pub(super) fn instance(&mut self, router: &str, qr: &Port, vm: &Vm) {
        let mac = self.outer_instance(qr, vm);
        neighbour(&mut self.plan, &router_netns(router), &qr.device, IpAddr::V4(vm.fixed_ip), mac);
    }

    /// An instance on the segment of a router's port.
    pub(super) fn outer_instance(&mut self, qr: &Port, vm: &Vm) -> Mac {
        let mac = self.next_mac();
        if let (IpAddr::V4(gateway), Some(bridge)) = (qr.address.addr(), &qr.wire.bridge) {
            instance(&mut self.plan, vm.namespace.as_str(), vm.fixed_ip, mac, gateway, bridge.as_str());
        }
        mac
    }
}
