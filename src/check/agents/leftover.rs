//! Namespaces that serve nobody. Notes: on many nodes they are as they should be.

use std::collections::HashSet;

use super::super::{Findings, Scene, Subject};
use super::is_distributed;
use super::missing::iif_devices;
use crate::net::OvsPort;
use crate::neutron::DeviceKind;
use crate::topology::{FipKind, ObjectKind, ObjectRef, Router};

/// DVR103: no port of Open vSwitch shares a VLAN with the router's own, no
/// floating IP leads through it, and it is not here for its SNAT.
pub(super) fn router_namespace(scene: &Scene<'_>, findings: &mut Findings) {
    let Some(ovs) = scene.snapshot.host.ovs.seen() else { return };
    // A database that knows no instance's port at all tells nothing of any.
    if !ovs.ports.iter().any(is_served) {
        return;
    }
    let served: HashSet<(&str, u16)> = ovs.ports.iter().filter(|port| is_served(port)).filter_map(place).collect();
    for router in scene.routers.iter().filter(|router| is_distributed(router)) {
        let Some(namespace) = router.namespace.as_ref().filter(|_| router.snat_namespace.is_none()) else { continue };
        if scene.index().has_fip(&router.id, FipKind::Distributed) || is_serving(scene, &served, router) {
            continue;
        }
        let object = ObjectRef { kind: ObjectKind::Netns, key: namespace.as_str().to_owned() };
        let message = format!("no port of this node is on a VLAN of {namespace}, and no floating IP leads through it");
        findings
            .fire(&Subject::router(router), Some(namespace), object, message)
            .values("an instance's or DHCP port beside the router's", "none");
    }
}

/// DVR104: neither a pair ends here, nor does a rule or route speak of one.
pub(super) fn fip_namespace(scene: &Scene<'_>, findings: &mut Findings) {
    for network in &scene.topology.external_networks {
        let Some(netns) = scene.netns(&network.namespace) else { continue };
        let (Some(links), Some(_), Some(_)) = (netns.links.seen(), netns.rules.seen(), netns.routes.seen()) else {
            continue;
        };
        let pairs = links.iter().any(|link| DeviceKind::FipToRouter.is(&link.name));
        // A router that lost its way in is another finding.
        let wanted = scene.topology.routers.iter().any(|router| {
            is_distributed(router)
                && (router.external_network.as_ref() == Some(&network.id)
                    || (router.rtr_2_fip.is_some() && router.fip_2_rtr.is_none()))
        });
        let lost =
            scene.topology.floating_ips.iter().any(|fip| {
                fip.kind == FipKind::Distributed && fip.floating_ip.is_some() && fip.external_network.is_none()
            });
        if pairs || wanted || lost || !iif_devices(scene, &network.namespace).is_empty() {
            continue;
        }
        let object = ObjectRef { kind: ObjectKind::Netns, key: network.namespace.as_str().to_owned() };
        let message = format!("no router of this node has a pair into {}", network.namespace);
        findings
            .fire(&Subject::network(network), Some(&network.namespace), object, message)
            .values("an fpr- device for each router with this gateway", "none");
    }
}

/// True where a port that is not the L3 agent's shares a VLAN with the router.
fn is_serving(scene: &Scene<'_>, served: &HashSet<(&str, u16)>, router: &Router) -> bool {
    let mut ports = router.internal.iter().map(|port| scene.ovs_port(port.device.as_str()));
    // A port that Open vSwitch does not know, or that has no VLAN, tells nothing.
    ports.any(|port| port.and_then(place).is_none_or(|place| served.contains(&place)))
}

fn place(port: &OvsPort) -> Option<(&str, u16)> {
    Some((port.bridge.as_str(), port.tag?))
}

/// A port of an instance, of DHCP or of a load balancer.
fn is_served(port: &OvsPort) -> bool {
    ["tap", "qvo", "vhu", "vm", "tun"].iter().any(|start| port.name.starts_with(start)) && port.tag.is_some()
}
