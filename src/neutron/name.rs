//! Names of namespaces and devices (`neutron/agent/l3/namespaces.py`,
//! `dvr_fip_ns.py`, `neutron/agent/linux/interface.py`).

use std::fmt;

use crate::net::{IfName, NetnsName};

/// The agent cuts device names to this many characters (`DEV_NAME_LEN`), one
/// short of what the kernel takes.
pub const DEVICE_NAME_LENGTH: usize = 14;

/// How many characters of a router's id are left in `rfp-` and `fpr-` names.
const ROUTER_PREFIX_LENGTH: usize = DEVICE_NAME_LENGTH - 4;

/// The namespaces that Neutron's agents make.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum NamespaceKind {
    /// `qrouter-<router id>`.
    Router,
    /// `fip-<external network id>`: one for all routers of the node.
    Fip,
    /// `snat-<router id>`: on the node that does a router's SNAT.
    Snat,
    /// `qdhcp-<network id>`: the DHCP agent's.
    Dhcp,
    /// `ovnmeta-…`: ML2/OVN's metadata agent's.
    OvnMetadata,
}

/// The devices that the L3 agent makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DeviceKind {
    /// `qr-<port id>`: a router's port on a subnet.
    Internal,
    /// `rfp-<router id>`: the pair's end in the router namespace.
    RouterToFip,
    /// `fpr-<router id>`: the pair's end in the fip namespace.
    FipToRouter,
    /// `fg-<port id>`: the agent gateway port.
    AgentGateway,
    /// `qg-<port id>`: a router's gateway port.
    RouterGateway,
    /// `sg-<port id>`: the snat namespace's port on a subnet.
    Snat,
    /// `ha-<port id>`: the port that VRRP runs on.
    Ha,
}

/// The characters of a router's id that survive in `rfp-` and `fpr-` names. Two
/// routers can share them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RouterPrefix(String);

/// Splits a namespace's name by Neutron's rule (the prefix ends with the first
/// hyphen) into what it is and whose it is. `None` where it is not Neutron's.
pub fn parse_namespace(name: &NetnsName) -> Option<(NamespaceKind, &str)> {
    let (prefix, id) = name.as_str().split_once('-')?;
    let kind = NamespaceKind::ALL.into_iter().find(|kind| kind.prefix().trim_end_matches('-') == prefix)?;
    (!id.is_empty()).then_some((kind, id))
}

/// Splits a device's name into what it is and the part of an id that it carries.
pub fn parse_device(name: &IfName) -> Option<(DeviceKind, &str)> {
    let (prefix, id) = name.as_str().split_once('-')?;
    let kind = DeviceKind::ALL.into_iter().find(|kind| kind.prefix().trim_end_matches('-') == prefix)?;
    (!id.is_empty()).then_some((kind, id))
}

impl NamespaceKind {
    /// Every kind.
    pub const ALL: [Self; 5] = [Self::Router, Self::Fip, Self::Snat, Self::Dhcp, Self::OvnMetadata];

    /// The name up to and including the hyphen.
    pub fn prefix(self) -> &'static str {
        match self {
            Self::Router => "qrouter-",
            Self::Fip => "fip-",
            Self::Snat => "snat-",
            Self::Dhcp => "qdhcp-",
            Self::OvnMetadata => "ovnmeta-",
        }
    }

    /// The namespace of that id; namespace names are not cut.
    pub fn name(self, id: &str) -> NetnsName {
        NetnsName::new(format!("{}{id}", self.prefix()))
    }
}

impl DeviceKind {
    /// Every kind.
    pub const ALL: [Self; 7] = [
        Self::Internal,
        Self::RouterToFip,
        Self::FipToRouter,
        Self::AgentGateway,
        Self::RouterGateway,
        Self::Snat,
        Self::Ha,
    ];

    /// The name up to and including the hyphen.
    pub fn prefix(self) -> &'static str {
        match self {
            Self::Internal => "qr-",
            Self::RouterToFip => "rfp-",
            Self::FipToRouter => "fpr-",
            Self::AgentGateway => "fg-",
            Self::RouterGateway => "qg-",
            Self::Snat => "sg-",
            Self::Ha => "ha-",
        }
    }

    /// The device for a port's id (a router's for `rfp-` and `fpr-`), cut as the
    /// agent cuts it.
    pub fn name(self, id: &str) -> IfName {
        IfName::new(self.prefix().chars().chain(id.chars()).take(DEVICE_NAME_LENGTH).collect::<String>())
    }

    /// True for a device of this kind.
    pub fn is(self, device: &IfName) -> bool {
        parse_device(device).is_some_and(|(kind, _)| kind == self)
    }
}

impl RouterPrefix {
    /// Of a router's id.
    pub fn of(router_id: &str) -> Self {
        Self(router_id.chars().take(ROUTER_PREFIX_LENGTH).collect())
    }

    /// Of an `rfp-` or `fpr-` device.
    pub fn of_device(device: &IfName) -> Option<Self> {
        match parse_device(device)? {
            (DeviceKind::RouterToFip | DeviceKind::FipToRouter, id) => Some(Self::of(id)),
            _ => None,
        }
    }

    /// The device in the router namespace.
    pub fn rfp(&self) -> IfName {
        DeviceKind::RouterToFip.name(&self.0)
    }

    /// The device in the fip namespace.
    pub fn fpr(&self) -> IfName {
        DeviceKind::FipToRouter.name(&self.0)
    }

    /// True for a router whose devices have this prefix.
    pub fn matches(&self, router_id: &str) -> bool {
        Self::of(router_id) == *self
    }

    /// The characters.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RouterPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&crate::net::printable(&self.0, ROUTER_PREFIX_LENGTH))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROUTER: &str = "ef25020f-012c-41d6-a36e-f2f09cb8ea62";

    #[test]
    fn the_first_hyphen_ends_the_prefix() {
        let name = NamespaceKind::Router.name(ROUTER);
        assert_eq!(parse_namespace(&name), Some((NamespaceKind::Router, ROUTER)));
        for other in ["", "qrouter", "qrouter-", "xqrouter-1", "fipx-1", "-", "qbr-1"] {
            assert_eq!(parse_namespace(&NetnsName::from(other)), None, "{other}");
        }
        for kind in NamespaceKind::ALL {
            assert_eq!(parse_namespace(&kind.name("a-b")), Some((kind, "a-b")));
        }
    }

    #[test]
    fn device_names_are_cut_to_fourteen_characters() {
        assert_eq!(RouterPrefix::of(ROUTER).rfp().as_str(), "rfp-ef25020f-0");
        assert_eq!(RouterPrefix::of(ROUTER).fpr().as_str(), "fpr-ef25020f-0");
        assert_eq!(DeviceKind::Internal.name("369f59a5-2c00-4000").as_str(), "qr-369f59a5-2c");
        assert_eq!(DeviceKind::AgentGateway.name("b2b77eed-1b00-4000").as_str(), "fg-b2b77eed-1b");
    }

    #[test]
    fn a_prefix_survives_the_device_and_can_be_shared() {
        let prefix = RouterPrefix::of_device(&IfName::from("fpr-ef25020f-0")).unwrap();
        assert!(prefix.matches(ROUTER));
        assert!(prefix.matches("ef25020f-0fff-0000-0000-000000000000"), "ten characters are all there is");
        assert!(!prefix.matches("ef25020f-112c-41d6-a36e-f2f09cb8ea62"));
        assert_eq!(RouterPrefix::of_device(&IfName::from("qr-369f59a5-2c")), None);
    }
}
