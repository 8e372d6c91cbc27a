//! What Open vSwitch's database says of the ports of routers: DVR604, and where
//! a device is plugged.

use crate::check::fip::{blind, object};
use crate::check::{Applicability, Findings, Scene, Subject};
use crate::net::{IfName, Link, NetnsName, Observed, OvsPort, Peer};
use crate::neutron::DEAD_VLAN;
use crate::topology::ObjectKind;

/// Where a device's other side is.
pub(super) enum Plugged {
    /// On a bridge.
    Here,
    /// On no bridge of a database that was read.
    Nowhere,
    /// On a bridge that has no use for it.
    Error(String),
    /// Nobody could say, and why.
    Unknown(String),
}

/// DVR604, of the routers' ports: qr, qg and sg.
pub(super) fn dead_vlan(scene: &Scene<'_>, findings: &mut Findings) {
    for router in scene.routers {
        let subject = || Subject::router(router);
        let gateway = router.snat_namespace.as_ref().or(router.namespace.as_ref());
        let qg = router.gateway_port.iter().map(|port| &port.device);
        let outer = qg.chain(router.snat_ports.iter().map(|port| &port.device));
        let inner = router.internal.iter().map(|port| &port.device);
        let inner = router.namespace.iter().flat_map(|place| inner.clone().map(move |device| (place, device)));
        let outer = gateway.into_iter().flat_map(|place| outer.clone().map(move |device| (place, device)));
        inner.chain(outer).for_each(|(place, device)| vlan(scene, findings, subject, place, device));
    }
}

/// The same of agent gateway ports.
pub(super) fn dead_vlan_outside(scene: &Scene<'_>, findings: &mut Findings) {
    for network in &scene.topology.external_networks {
        if let Some(port) = &network.gateway_port {
            vlan(scene, findings, || Subject::network(network), &network.namespace, &port.device);
        }
    }
}

fn vlan(
    scene: &Scene<'_>,
    findings: &mut Findings,
    subject: impl Fn() -> Subject,
    namespace: &NetnsName,
    device: &IfName,
) {
    let place = || object(ObjectKind::OvsPort, device.as_str());
    match &scene.snapshot.host.ovs {
        Observed::Seen(_) => {}
        Observed::Unreadable(why) => return blind(findings, &subject(), namespace, place(), why),
        Observed::Absent => {
            let on_bridge =
                scene.link(namespace, device).is_some_and(|link| matches!(plugged(scene, link), Plugged::Here));
            if !on_bridge {
                blind(findings, &subject(), namespace, place(), "Open vSwitch's database was not found");
            }
            return;
        }
    }
    let Some(port) = scene.ovs_port(device.as_str()) else { return };
    let actual = match port.tag {
        Some(DEAD_VLAN) => format!("tag {DEAD_VLAN}, where everything is dropped"),
        // An untagged port of such a bridge is in no network.
        None if scene.index().tagged.contains(port.bridge.as_str()) => "no tag".to_owned(),
        _ => return,
    };
    let message = format!("{device} on {} has {actual}", port.bridge);
    let finding = findings.fire(&subject(), Some(namespace), place(), message);
    // The tag is the Open vSwitch agent's to choose.
    finding.values("the local VLAN of the port's network", actual).applicability(Applicability::DisplayOnly);
}

/// Whether a device of a namespace is on a bridge of Open vSwitch or of Linux.
pub(super) fn plugged(scene: &Scene<'_>, link: &Link) -> Plugged {
    let port = port_of(scene, &link.name);
    if let Some(port) = port {
        let own = port.interfaces.iter().find(|interface| interface.name == link.name.as_str());
        return match own.or(port.interfaces.first()) {
            Some(interface) if interface.error.is_some() => {
                let why = interface.error.clone().unwrap_or_default();
                Plugged::Error(format!("Open vSwitch cannot use it: {}", crate::net::printable(&why, 200)))
            }
            Some(interface) if interface.ofport == Some(-1) => {
                Plugged::Error("Open vSwitch gave it no port number (ofport -1)".to_owned())
            }
            _ => Plugged::Here,
        };
    }
    if on_bridge(scene, link) {
        return Plugged::Here;
    }
    match &scene.snapshot.host.ovs {
        Observed::Seen(ovs) if !ovs.ports.is_empty() => Plugged::Nowhere,
        Observed::Seen(_) => Plugged::Unknown("Open vSwitch's database has no ports".to_owned()),
        Observed::Absent => Plugged::Unknown("Open vSwitch's database was not found".to_owned()),
        Observed::Unreadable(why) => Plugged::Unknown(why.clone()),
    }
}

/// A veth whose other end is on a bridge of Linux.
fn on_bridge(scene: &Scene<'_>, link: &Link) -> bool {
    let other = match &link.peer {
        Some(Peer::In(place, index)) => scene.netns(place).map(|netns| (netns, *index)),
        Some(Peer::Host(index)) => scene.snapshot.netns_at(None).map(|netns| (netns, *index)),
        _ => None,
    };
    let end = other.and_then(|(netns, index)| netns.links().iter().find(|end| end.index == index));
    end.is_some_and(|end| end.master.is_some())
}

/// The port of a device, by its own name or by the `tap` name of a hybrid plug.
fn port_of<'s>(scene: &Scene<'s>, device: &IfName) -> Option<&'s OvsPort> {
    let tap = device.as_str().split_once('-').map(|(_, id)| format!("tap{id}"));
    scene.ovs_port(device.as_str()).or_else(|| scene.ovs_port(tap.as_deref()?))
}
