//! The snat namespace's ports: sg on each subnet, qg outside.

use ipnet::IpNet;

use crate::check::{Applicability, Findings, Scene, Subject};
use crate::net::{Change, Link, Netns, NetnsName, Object};
use crate::neutron::DeviceKind;
use crate::topology::{InternalPort, ObjectKind, ObjectRef, Router};

/// DVR803: each tenant subnet of the router has one snat port, and it is up. On a
/// standby node keepalived leaves them without address.
pub(in crate::check) fn snat_ports(scene: &Scene<'_>, findings: &mut Findings) {
    for router in scene.routers {
        let (Some(_), Some(namespace)) = (&router.namespace, &router.snat_namespace) else { continue };
        let Some(netns) = scene.netns(namespace).filter(|netns| !runs_vrrp(netns)) else { continue };
        if netns.links.seen().is_none() || netns.addrs.seen().is_none() {
            continue;
        }
        let wanted = subnets(&router.internal);
        let there = subnets(&router.snat_ports);
        for net in wanted.iter().filter(|net| !there.contains(net)) {
            let key = format!("sg-… on {net}");
            let message = format!("the snat namespace has no port on {net}: instances there do not get out");
            fire(findings, router, namespace, key, message, "one sg- port on it", "none");
        }
        for (at, net) in there.iter().enumerate() {
            if there[..at].contains(net) {
                let key = format!("second sg-… on {net}");
                let message = format!("the snat namespace has two ports on {net}");
                fire(findings, router, namespace, key, message, "one", "two");
            } else if !wanted.is_empty() && !wanted.contains(net) {
                let key = format!("sg-… on {net}");
                let message = format!("the snat namespace has a port on {net}, and the router has none there");
                fire(findings, router, namespace, key, message, "a subnet of the router", &net.to_string());
            }
        }
        for link in netns.links().iter().filter(|link| DeviceKind::Snat.is(&link.name) && !link.is_up()) {
            let message = format!("{} is down: instances of its subnet do not get out", link.name);
            let found =
                findings.fire(&Subject::router(router), Some(namespace), object(link.name.to_string()), message);
            found.values(format!("{} up", link.name), link.to_string());
            let up = Link { flags: link.flags | crate::net::IFF_UP | crate::net::IFF_LOWER_UP, ..link.clone() };
            let [before, after] = [link.clone(), up].map(|link| Some(Object::Link(Box::new(link))));
            found.mend([Change::new(Some(namespace.clone()), before, after)]);
        }
    }
}

/// DVR809: more than one gateway port.
pub(in crate::check) fn gateway_twice(scene: &Scene<'_>, findings: &mut Findings) {
    for router in scene.routers {
        for namespace in router.namespace.iter().chain(&router.snat_namespace) {
            let Some(netns) = scene.netns(namespace) else { continue };
            let ports = netns.links().iter().filter(|link| DeviceKind::RouterGateway.is(&link.name));
            let names: Vec<&str> = ports.map(|link| link.name.as_str()).collect();
            if names.len() < 2 {
                continue;
            }
            let used = netns.routes().iter().find(|route| route.is_default()).and_then(|route| route.dev());
            let stale: Vec<&str> =
                names.iter().copied().filter(|name| used.is_none_or(|used| used.as_str() != *name)).collect();
            let message = format!(
                "the router has {} gateway ports; the default route does not use {}",
                names.len(),
                stale.join(", ")
            );
            fire(findings, router, namespace, stale.join(", "), message, "one qg- port", &names.join(", "));
        }
    }
}

fn fire(
    findings: &mut Findings,
    router: &Router,
    namespace: &NetnsName,
    key: String,
    message: String,
    expected: &str,
    actual: &str,
) {
    let found = findings.fire(&Subject::router(router), Some(namespace), object(key), message);
    // A port, and which of two, is Neutron's to tell.
    found.values(expected, actual).applicability(Applicability::DisplayOnly);
}

fn object(key: String) -> ObjectRef {
    ObjectRef { kind: ObjectKind::Link, key }
}

fn subnets(ports: &[InternalPort]) -> Vec<IpNet> {
    let all = ports.iter().flat_map(|port| &port.addresses);
    all.filter(|net| net.addr().is_ipv4()).map(IpNet::trunc).collect()
}

/// Which node is the primary decides what stands on the ports.
fn runs_vrrp(netns: &Netns) -> bool {
    netns.links().iter().any(|link| DeviceKind::Ha.is(&link.name))
}
