//! The agent gateway port as a user describes it, part by part.

use std::net::IpAddr;

use ipnet::IpNet;

use super::super::Refused;
use super::GatewayPort;
use crate::net::{IfName, Mac};
use crate::topology::Topology;

/// What is said of an agent gateway port. What is left out is as it stands on
/// the node, where it stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GatewayPortParts {
    /// The port's id.
    pub port_id: Option<String>,
    /// Its address, with the length of the subnet.
    pub address: Option<IpNet>,
    /// Its hardware address.
    pub mac: Option<Mac>,
    /// The gateway of the subnet.
    pub gateway: Option<IpAddr>,
    /// The bridge that it is attached to.
    pub bridge: Option<String>,
    /// The VLAN tag within an Open vSwitch bridge.
    pub vlan: Option<u16>,
}

impl GatewayPortParts {
    /// The whole port, with what stands on the node for the external network of
    /// that id or beginning. `None` where nothing is said of it.
    ///
    /// # Errors
    /// What is missing, by the options of the command line.
    pub fn complete(self, topology: &Topology, network: Option<&str>) -> Result<Option<GatewayPort>, Refused> {
        if self == Self::default() {
            return Ok(None);
        }
        let wanted = network.unwrap_or_default();
        let mut networks = topology.external_networks.iter().filter(|network| network.id.starts_with(wanted));
        // Of several, none is meant more than the others.
        let network = networks.next().filter(|_| networks.next().is_none());
        let port = network.and_then(|network| network.gateway_port.as_ref());
        let device = port.map(|port| port.device.as_str().trim_start_matches("fg-").to_owned());
        let address = port.and_then(|port| port.addresses.iter().find(|net| net.addr().is_ipv4())).copied();
        let gateway = network.and_then(|network| network.gateways.iter().find(|address| address.is_ipv4())).copied();
        let parts = (
            self.port_id.or(device),
            self.address.or(address),
            self.mac.or(port.and_then(|port| port.mac)),
            self.gateway.or(gateway),
            // The bridge of a port that stands is not asked for.
            self.bridge.or_else(|| port.map(|_| String::new())),
        );
        if let (Some(port_id), Some(address), Some(mac), Some(gateway), Some(bridge)) = parts {
            let bridge = IfName::new(bridge);
            return Ok(Some(GatewayPort { port_id, address, mac, gateway, bridge, vlan: self.vlan, mtu: None }));
        }
        let (port_id, address, mac, gateway, bridge) = parts;
        let missing = [
            (port_id.is_none(), "--gateway-port-id ID"),
            (address.is_none(), "--gateway-port-address CIDR"),
            (mac.is_none(), "--gateway-port-mac MAC"),
            (gateway.is_none(), "--gateway ADDRESS"),
            (bridge.is_none(), "--bridge NAME"),
        ];
        let options = missing.into_iter().filter_map(|(is_missing, option)| is_missing.then_some(option)).collect();
        Err(Refused::Needs { what: "the agent gateway port is not described completely".to_owned(), options })
    }
}
