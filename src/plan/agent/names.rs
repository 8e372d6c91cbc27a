//! Where the agent's things stand.

use crate::neutron::NamespaceKind;

use super::super::Place;

/// The namespace of a router.
pub fn router_netns(router: &str) -> Place {
    Place::Netns(NamespaceKind::Router.name(router))
}

/// The fip namespace of an external network.
pub fn fip_netns(network: &str) -> Place {
    Place::Netns(NamespaceKind::Fip.name(network))
}

/// The snat namespace of a router.
pub fn snat_netns(router: &str) -> Place {
    Place::Netns(NamespaceKind::Snat.name(router))
}
