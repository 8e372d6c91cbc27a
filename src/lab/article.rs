//! The founding article's node, to the letter: ids, addresses, hardware
//! addresses. What the article does not say (sg, qg) comes from its companion on
//! SNAT, and the rest (instances, gateway) is ours.

use std::net::{IpAddr, Ipv4Addr};

use ipnet::{IpNet, Ipv4Net};

use crate::net::{IfName, Mac};
use crate::plan::Place;
use crate::plan::agent::{External, Port, Wire};

/// The router's id.
pub(super) const ROUTER: &str = "ef25020f-012c-41d6-a36e-f2f09cb8ea62";
/// The external network's id.
pub(super) const NETWORK: &str = "cef4f7b4-c344-4904-a847-a9960f58fb20";
/// rfp and fpr.
pub(super) const PAIR_MACS: (Mac, Mac) =
    (Mac([0x16, 0x91, 0xf5, 0x0b, 0x34, 0x50]), Mac([0x3e, 0xd3, 0xe7, 0x34, 0xf6, 0xf3]));
/// The namespace that stands for the integration bridge and the wires.
pub(super) const SWITCH: &str = "switch";
/// The external network's gateway.
pub(super) const GATEWAY: &str = "gateway";
/// A host behind the gateway.
pub(super) const OUTSIDE: &str = "outside";
/// The external network's gateway address.
pub(super) const GATEWAY_ADDRESS: Ipv4Addr = Ipv4Addr::new(192, 168, 1, 1);
/// The host behind the gateway (TEST-NET-2, RFC 5737).
pub(super) const OUTSIDE_ADDRESS: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 7);
/// The instance with the floating IP.
pub(super) const FIXED_IP: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 4);
/// Its floating IP.
pub(super) const FLOATING_IP: Ipv4Addr = Ipv4Addr::new(192, 168, 1, 3);
/// The instances that there always are: two on each subnet.
pub(super) const INSTANCES: [Ipv4Addr; 4] =
    [FIXED_IP, Ipv4Addr::new(10, 0, 0, 5), Ipv4Addr::new(20, 0, 0, 4), Ipv4Addr::new(20, 0, 0, 6)];
/// The bridge of the external network.
pub(super) const EXTERNAL_BRIDGE: &str = "br-ex";

/// A subnet of the router: its port, and its port in the snat namespace.
pub(super) struct Subnet {
    pub(super) qr: Port,
    pub(super) sg: Port,
}

/// The router's two subnets, the article's order.
pub(super) fn subnets() -> [Subnet; 2] {
    [
        Subnet {
            qr: port("qr-369f59a5-2c", [0xfa, 0x16, 0x3e, 0x33, 0x6d, 0xd7], [20, 0, 0, 1], "br-20.0.0.0"),
            sg: port("sg-fef045fb-10", [0xfa, 0x16, 0x3e, 0xde, 0x85, 0x63], [20, 0, 0, 3], "br-20.0.0.0"),
        },
        Subnet {
            qr: port("qr-c2e43983-5c", [0xfa, 0x16, 0x3e, 0xdf, 0x74, 0x6c], [10, 0, 0, 1], "br-10.0.0.0"),
            sg: port("sg-1b9c9c26-38", [0xfa, 0x16, 0x3e, 0xa3, 0xef, 0xa9], [10, 0, 0, 3], "br-10.0.0.0"),
        },
    ]
}

/// The router's gateway port, in the snat namespace.
pub(super) fn qg() -> Port {
    port("qg-8be609d9-e3", [0xfa, 0x16, 0x3e, 0x93, 0xcb, 0x37], [192, 168, 1, 21], EXTERNAL_BRIDGE)
}

/// The external network with its agent gateway port.
pub(super) fn external() -> External {
    External {
        id: NETWORK.to_owned(),
        port: port("fg-b2b77eed-1b", [0xfa, 0x16, 0x3e, 0xcc, 0x98, 0xc8], [192, 168, 1, 23], EXTERNAL_BRIDGE),
        gateway: IpAddr::V4(GATEWAY_ADDRESS),
    }
}

/// A port of a /24; its other end is `tap…` on a bridge, as with `ovs_use_veth`.
fn port(device: &str, mac: [u8; 6], address: [u8; 4], bridge: &str) -> Port {
    let tail: String = device.chars().skip(3).collect();
    Port {
        device: IfName::from(device),
        mac: Mac(mac),
        address: IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::from(address), 24)),
        mtu: None,
        wire: wire(format!("tap{tail}"), Some(bridge)),
    }
}

/// The far side of a port, in the switch.
pub(super) fn wire(device: String, bridge: Option<&str>) -> Wire {
    Wire { netns: Place::netns(SWITCH), device: IfName::new(device), bridge: bridge.map(IfName::from) }
}
