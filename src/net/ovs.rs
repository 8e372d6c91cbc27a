//! What Open vSwitch's database says of ports and interfaces.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The rows of an Open vSwitch database that speak of Neutron's ports.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ovs {
    /// The ports, sorted by name.
    pub ports: Vec<OvsPort>,
    /// `external_ids` of the `Open_vSwitch` row (`system-id`, `ovn-remote`).
    #[serde(default)]
    pub external_ids: BTreeMap<String, String>,
    /// The version that it tells.
    #[serde(default)]
    pub version: Option<String>,
}

/// One port of a bridge.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct OvsPort {
    /// The port's name.
    pub name: String,
    /// The bridge that has it.
    pub bridge: String,
    /// The VLAN tag; 4095 is the dead VLAN of ports that the agent has not
    /// wired yet.
    #[serde(default)]
    pub tag: Option<u16>,
    /// Its interfaces (more than one in a bond).
    #[serde(default)]
    pub interfaces: Vec<OvsInterface>,
}

/// One interface of a port.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct OvsInterface {
    /// The interface's name.
    pub name: String,
    /// Its type (`internal`, `patch`, `vxlan`); empty is a system device.
    #[serde(default)]
    pub kind: String,
    /// The OpenFlow port number; -1 where it could not be made.
    #[serde(default)]
    pub ofport: Option<i64>,
    /// Why it could not be made.
    #[serde(default)]
    pub error: Option<String>,
    /// `external_ids:attached-mac`.
    #[serde(default)]
    pub attached_mac: Option<String>,
    /// `external_ids:iface-id`, the Neutron port's id.
    #[serde(default)]
    pub iface_id: Option<String>,
}

impl Ovs {
    /// The port of that name.
    pub fn port(&self, name: &str) -> Option<&OvsPort> {
        self.ports.iter().find(|port| port.name == name)
    }
}
