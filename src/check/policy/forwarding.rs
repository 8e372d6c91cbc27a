//! IPv4 forwarding in the agent's namespaces.

use std::sync::Arc;

use crate::check::{Findings, Scene, Subject};
use crate::net::{Change, Netns, NetnsName, Object, Observed};
use crate::neutron::{DeviceKind, parse_device};
use crate::topology::{ObjectKind, ObjectRef};

const ALL: &str = "net.ipv4.ip_forward";

/// DVR311, in the routers' namespaces.
pub(super) fn off(scene: &Scene<'_>, findings: &mut Findings) {
    for (router, name, netns) in scene.places() {
        judge(findings, || Subject::router(router), name, netns);
    }
}

/// The same in the fip namespaces.
pub(super) fn off_outside(scene: &Scene<'_>, findings: &mut Findings) {
    for (network, name, netns) in scene.fip_places() {
        judge(findings, || Subject::network(network), name, netns);
    }
}

/// Of the namespace, else of the devices that floating IPs come in by.
fn judge(findings: &mut Findings, subject: impl Fn() -> Subject, name: &NetnsName, netns: &Observed<Arc<Netns>>) {
    let netns = match netns {
        Observed::Seen(netns) => netns,
        Observed::Unreadable(why) => {
            findings.cannot_tell(&subject(), Some(name), setting(ALL), why.clone());
            return;
        }
        Observed::Absent => return,
    };
    match netns.sysctls.get(ALL) {
        Some(Observed::Seen(0)) => {
            let message = format!("{name} does not forward IPv4");
            let finding = findings.fire(&subject(), Some(name), setting(ALL), message);
            finding.values(format!("{ALL} = 1"), "0").mend([on(name, ALL, 0)]);
        }
        Some(Observed::Unreadable(why)) => {
            findings.cannot_tell(&subject(), Some(name), setting(ALL), format!("{ALL} could not be read: {why}"));
        }
        _ => devices(findings, subject, name, netns),
    }
}

fn devices(findings: &mut Findings, subject: impl Fn() -> Subject, name: &NetnsName, netns: &Netns) {
    for link in netns.links() {
        use DeviceKind::{AgentGateway, FipToRouter, Internal, RouterGateway, RouterToFip, Snat};
        let kind = parse_device(&link.name).map(|(kind, _)| kind);
        let carries = matches!(kind, Some(AgentGateway | FipToRouter | Internal | RouterGateway | RouterToFip | Snat));
        if carries && link.ipv4.is_some_and(|conf| !conf.forwarding) {
            let key = format!("net.ipv4.conf.{}.forwarding", link.name);
            let message = format!("{} does not forward what comes in by {}", name, link.name);
            let finding = findings.fire(&subject(), Some(name), setting(&key), message);
            finding.values(format!("{key} = 1"), "0").mend([on(name, &key, 0)]);
        }
    }
}

fn on(name: &NetnsName, key: &str, before: i64) -> Change {
    let object = |value| Some(Object::Sysctl(key.to_owned(), Observed::Seen(value)));
    Change::new(Some(name.clone()), object(before), object(1))
}

fn setting(key: &str) -> ObjectRef {
    ObjectRef { kind: ObjectKind::Sysctl, key: key.to_owned() }
}
