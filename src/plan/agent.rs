//! What the L3 agent does, as blocks of steps: a router's namespace, its ports,
//! the fip namespace, the pair between the two, an association, the snat
//! namespace.
//!
//! Each block adds its steps to a plan, in the agent's order, in the forms of
//! the releases that [`Forms`] describes. Sources: `neutron/agent/l3/`
//! `namespaces.py`, `dvr_local_router.py`, `dvr_fip_ns.py`, `dvr_snat_ns.py`,
//! `router_info.py`, and `neutron/agent/linux/iptables_manager.py`.

mod association;
mod fip;
mod forms;
mod names;
mod port;
mod router;
mod skeleton;
mod snat;

use std::net::{IpAddr, Ipv4Addr};

use ipnet::IpNet;

use crate::net::{IfName, Mac, RulePriority};
use crate::neutron::{LinkLocalPair, RouterPrefix};

pub use association::associate;
pub use fip::{fip_namespace, gateway_port, gateway_settings, pair};
pub use forms::Forms;
pub use names::{fip_netns, router_netns, snat_netns};
pub use port::{neighbour, netns, plug, switch_on};
pub use router::{internal_port, redirect, router_chains, router_marks, router_namespace};
pub use snat::{centralize, floating_on_gateway, legacy_gateway, snat_namespace};

use super::Place;

/// A port as Neutron describes it: a device with an address in a namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Port {
    /// `qr-…`, `sg-…`, `qg-…` or `fg-…`.
    pub device: IfName,
    /// Its hardware address.
    pub mac: Mac,
    /// Its address, with the length of the subnet.
    pub address: IpNet,
    /// Its MTU in bytes; 1500 where none is given (Juno set none).
    pub mtu: Option<u32>,
    /// What it is plugged into.
    pub wire: Wire,
}

/// The far side of a port: the other end of a veth pair, and its bridge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wire {
    /// Where the other end stands.
    pub netns: Place,
    /// Its name.
    pub device: IfName,
    /// The bridge that it is attached to.
    pub bridge: Option<IfName>,
}

/// An external network on this node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct External {
    /// The network's id.
    pub id: String,
    /// The agent gateway port.
    pub port: Port,
    /// The gateway of its subnet.
    pub gateway: IpAddr,
}

/// The veth pair between a router and a fip namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    /// The router's id.
    pub router: String,
    /// The addresses: the even one on the router's side, the odd one on the other.
    pub addresses: LinkLocalPair,
    /// The hardware addresses of rfp and fpr; the kernel chooses where none are given.
    pub macs: Option<(Mac, Mac)>,
    /// The MTU of both ends in bytes: that of the external network.
    pub mtu: Option<u32>,
}

/// A floating IP and what it stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Association {
    /// The public address.
    pub floating_ip: Ipv4Addr,
    /// The instance's address.
    pub fixed_ip: Ipv4Addr,
    /// The priority of its rule, 32768 to 72767.
    pub priority: RulePriority,
}

impl Pair {
    /// The router's end.
    pub fn rfp(&self) -> IfName {
        RouterPrefix::of(&self.router).rfp()
    }

    /// The fip namespace's end.
    pub fn fpr(&self) -> IfName {
        RouterPrefix::of(&self.router).fpr()
    }
}

#[cfg(test)]
mod tests;
