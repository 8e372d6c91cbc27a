//! What the article leaves out, for walks between routers and networks: a router
//! beside the article's on the same external network, one on a second network,
//! each with its own snat namespace and instances, and a centralized floating IP.

use std::net::{IpAddr, Ipv4Addr};

use crate::net::NetnsName;
use crate::neutron::{DeviceKind, Layout};
use crate::plan::agent::{
    External, Port, centralize, internal_port, neighbour, redirect, router_namespace, router_netns, snat_namespace,
};

use super::super::article::{self, EXTERNAL_BRIDGE};
use super::super::numbers::{kernel_mac, uuid};
use super::super::surroundings::instance;
use super::{Builder, Error, SECOND_BRIDGE, Vm};

/// The segments of these routers' subnets.
pub(super) const BRIDGES: [&str; 2] = ["br-30.0.0.0", "br-40.0.0.0"];

/// A router with one subnet, whose gateway is the subnet's first address.
struct More {
    name: &'static str,
    subnet: [u8; 3],
    bridge: &'static str,
    qg: Ipv4Addr,
    qg_length: u8,
    qg_bridge: &'static str,
    /// Last byte of the fixed IP, and the floating IP.
    instances: &'static [(u8, Option<Ipv4Addr>)],
}

const SAME_NETWORK: More = More {
    name: "router beside the article's",
    subnet: [30, 0, 0],
    bridge: BRIDGES[0],
    qg: Ipv4Addr::new(192, 168, 1, 241),
    qg_length: 24,
    qg_bridge: EXTERNAL_BRIDGE,
    instances: &[(4, Some(Ipv4Addr::new(192, 168, 1, 242))), (5, None), (6, Some(Ipv4Addr::new(192, 168, 1, 243)))],
};

const OTHER_NETWORK: More = More {
    name: "router on the other network",
    subnet: [40, 0, 0],
    bridge: BRIDGES[1],
    qg: Ipv4Addr::new(172, 24, 255, 1),
    qg_length: 16,
    qg_bridge: SECOND_BRIDGE,
    instances: &[(4, Some(Ipv4Addr::new(172, 24, 255, 4))), (5, None)],
};

/// The article's instance without a floating IP of its own there.
const CENTRALIZED: (Ipv4Addr, Ipv4Addr) = (Ipv4Addr::new(192, 168, 1, 244), Ipv4Addr::new(20, 0, 0, 4));

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

    fn inhabited(&mut self, more: &More, external: &External) -> Result<Vec<Vm>, Error> {
        let [a, b, c] = more.subnet;
        let host = |last| Ipv4Addr::new(a, b, c, last);
        let router = uuid(more.name);
        router_namespace(&mut self.plan, &self.forms, &router);
        let qr = self.port(DeviceKind::Internal, &format!("qr of {}", more.name), host(1), 24, Some(more.bridge));
        internal_port(&mut self.plan, &self.forms, &router, &qr);
        let vms = self.instances(more, &router, &qr);
        let sg = self.port(DeviceKind::Snat, &format!("sg of {}", more.name), host(3), 24, Some(more.bridge));
        let name = format!("qg of {}", more.name);
        let qg = self.port(DeviceKind::RouterGateway, &name, more.qg, more.qg_length, Some(more.qg_bridge));
        snat_namespace(&mut self.plan, &self.forms, &router, std::slice::from_ref(&sg), &qg, external.gateway);
        let macs = (kernel_mac(&format!("rfp of {}", more.name)), kernel_mac(&format!("fpr of {}", more.name)));
        let pair = self.pair(&router, external, macs)?;
        redirect(&mut self.plan, &self.forms, &router, &qr, (sg.address.addr(), sg.mac));
        self.associate(external, &pair, vms.iter().filter_map(|vm| Some((vm.floating_ip?, vm.fixed_ip))));
        Ok(vms)
    }

    fn instances(&mut self, more: &More, router: &str, qr: &Port) -> Vec<Vm> {
        let [a, b, c] = more.subnet;
        let vm = |(last, floating_ip): &(u8, Option<Ipv4Addr>)| {
            let fixed_ip = Ipv4Addr::new(a, b, c, *last);
            Vm { namespace: NetnsName::new(format!("vm-{fixed_ip}")), fixed_ip, floating_ip: *floating_ip }
        };
        let vms: Vec<Vm> = more.instances.iter().map(vm).collect();
        for vm in &vms {
            let mac = self.next_mac();
            neighbour(&mut self.plan, &router_netns(router), &qr.device, IpAddr::V4(vm.fixed_ip), mac);
            let gateway = Ipv4Addr::new(a, b, c, 1);
            instance(&mut self.plan, vm.namespace.as_str(), vm.fixed_ip, mac, gateway, more.bridge);
        }
        vms
    }
}
