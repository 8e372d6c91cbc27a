//! What instances answer to a router port.

use super::entries::distributed;
use crate::check::wire::{Port, Wire, v4, who};
use crate::check::{AgentDoes, Findings, Scene, Subject};
use crate::net::{Change, Neigh, NeighState, Object};
use crate::neutron::DeviceKind;
use crate::topology::{FipKind, ObjectKind, ObjectRef};

/// Two instances may answer for an address that moves between them.
const NAMED: u8 = 2;

/// DVR702: another hardware address answers than the permanent entry has.
/// Silence says nothing: no ARP request leaves a distributed router for another
/// node, and guests may be off.
pub(in crate::check) fn frozen(scene: &Scene<'_>, wire: &mut Wire<'_>, findings: &mut Findings) {
    for (router, namespace, netns) in distributed(scene) {
        for internal in &router.internal {
            // A port that is down has its own code, and is no way to ask.
            let Ok(port) = Port::of(scene, namespace, &internal.device) else { continue };
            let permanent =
                |neigh: &&Neigh| neigh.dev == *port.device && neigh.state == NeighState::Permanent && !neigh.proxy;
            for neigh in netns.neighs().iter().filter(permanent).filter(|neigh| DeviceKind::Internal.is(&neigh.dev)) {
                let (Some(address), Some(mac)) = (v4(neigh.address), neigh.mac) else { continue };
                let Some(sender) = port.address_beside(address).filter(|own| *own != address) else { continue };
                let subject = Subject { fixed_ip: Some(neigh.address), ..Subject::router(router) };
                let object = ObjectRef { kind: ObjectKind::Neigh, key: format!("{address} dev {}", port.device) };
                let replies = port.others(port.who_has(sender, address, NAMED), (&subject, &object), wire, findings);
                if replies.is_empty() || replies.iter().any(|reply| reply.mac == mac) {
                    continue;
                }
                let answering = who(scene, &replies);
                let message = format!("the router sends to {mac} for {address}, where {answering} answers");
                let found = findings.fire(&subject, Some(namespace), object, message);
                found.values(format!("{address} dev {} lladdr {answering}", port.device), neigh.to_string());
                // An instance's own address has its port's entry again after a restart; one that
                // moves between instances has not.
                if scene
                    .fips_of(router)
                    .iter()
                    .any(|fip| fip.kind == FipKind::Distributed && fip.fixed_ip == Some(neigh.address))
                {
                    found.agent(AgentDoes::HealsOnRestart);
                }
                if let [one] = replies.as_slice() {
                    let moved = Neigh { mac: Some(one.mac), ..neigh.clone() };
                    let (before, after) = (Object::Neigh(neigh.clone()), Object::Neigh(moved));
                    found.mend([Change::new(Some(namespace.clone()), Some(before), Some(after))]);
                }
            }
        }
    }
}
