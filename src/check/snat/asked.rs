//! Who else has a router's external address.

use crate::check::wire::{Port, Wire, who};
use crate::check::{Applicability, Findings, Scene, Subject};
use crate::topology::{ObjectKind, ObjectRef};

/// As many hosts as are named.
const NAMED: u8 = 4;

/// DVR801: a probe for the addresses of qg, with the sender `0.0.0.0`. Only
/// where this node is active: on a standby qg is down or bare, and the other
/// one answers rightly.
pub(in crate::check) fn two_active(scene: &Scene<'_>, wire: &mut Wire<'_>, findings: &mut Findings) {
    for router in &scene.topology.routers {
        let Some(gateway) = &router.gateway_port else { continue };
        let Some(namespace) = router.snat_namespace.as_ref().or(router.namespace.as_ref()) else { continue };
        let Ok(port) = Port::of(scene, namespace, &gateway.device) else { continue };
        let subject = Subject::router(router);
        for address in port.addresses() {
            let object = ObjectRef { kind: ObjectKind::Addr, key: format!("{address} on {}", port.device) };
            let question = port.who_has([0; 4].into(), address, NAMED);
            let replies = port.others(question, (&subject, &object), wire, findings);
            if replies.is_empty() {
                continue;
            }
            let message = format!("{address} is the router's external address, and another host answers for it, too");
            findings
                .fire(&subject, Some(namespace), object, message)
                .values(format!("nobody else answers ARP for {address}"), who(scene, &replies))
                .applicability(Applicability::DisplayOnly);
        }
    }
}
