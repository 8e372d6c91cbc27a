//! What the agent sets in `/proc/sys` of its namespaces: DVR508 to DVR511.

use super::{blind, object};
use crate::check::{Findings, Scene, Severity, Subject};
use crate::net::{Change, IfName, Netns, NetnsName, Object, Observed};
use crate::neutron::{Layout, Release};
use crate::topology::{ExternalNetwork, FipKind, ObjectKind};

/// Jiffies to hundredths of a second, rounded: what 1 reads back as, at most.
const SHORT_DELAY: i64 = 1;

/// DVR508.
pub(super) fn proxy_arp(scene: &Scene<'_>, findings: &mut Findings) {
    for (network, netns, fg) in gateways(scene) {
        let name = format!("net.ipv4.conf.{}.proxy_arp", component(fg));
        let by_link = netns.link(fg).and_then(|link| link.ipv4).map(|conf| i64::from(conf.proxy_arp));
        let everywhere = netns.sysctl("net.ipv4.conf.all.proxy_arp").is_some_and(|value| value != 0);
        let subject = Subject::network(network);
        let Some(value) = by_link.or_else(|| netns.sysctl(&name)) else {
            unread(findings, &subject, &network.namespace, netns, &name);
            continue;
        };
        if value != 0 || everywhere {
            continue;
        }
        let message = format!("{fg} answers ARP for no floating IP; what neighbours remember runs out in minutes");
        let finding = set(findings, &subject, &network.namespace, &name, (0, 1), message);
        let of_network = |kind, id: Option<&String>| kind == FipKind::Distributed && id == Some(&network.id);
        if !scene.topology.floating_ips.iter().any(|fip| of_network(fip.kind, fip.external_network.as_ref())) {
            finding.at_most(Severity::Warning);
        }
    }
}

/// DVR509.
pub(super) fn proxy_delay(scene: &Scene<'_>, findings: &mut Findings) {
    let sets = || scene.release().is_at_least(Release::new(22, 0, 0));
    for (network, netns, fg) in gateways(scene) {
        let name = format!("net.ipv4.neigh.{}.proxy_delay", component(fg));
        let subject = Subject::network(network);
        let Some(value) = netns.sysctl(&name) else {
            unread(findings, &subject, &network.namespace, netns, &name);
            continue;
        };
        if value <= SHORT_DELAY {
            continue;
        }
        let message =
            format!("{fg} waits up to {} ms before it answers ARP for a floating IP", value.saturating_mul(10));
        let finding = set(findings, &subject, &network.namespace, &name, (value, 1), message);
        if !sets() {
            // Agents before 22.0.0 leave the kernel's default: so it is everywhere.
            finding.at_most(Severity::Note);
        }
    }
}

/// DVR510.
pub(super) fn nonlocal_bind(scene: &Scene<'_>, findings: &mut Findings) {
    let name = "net.ipv4.ip_nonlocal_bind";
    for (network, netns, _) in gateways(scene) {
        let subject = Subject::network(network);
        let Some(value) = netns.sysctl(name) else {
            unread(findings, &subject, &network.namespace, netns, name);
            continue;
        };
        if value != 0 {
            continue;
        }
        let message = "announcements of floating IPs cannot be sent: arping has no address to bind to".to_owned();
        let finding = set(findings, &subject, &network.namespace, name, (0, 1), message);
        if !binds_nonlocal(scene, network) {
            // Juno and early Kilo announce by a temporary address instead.
            finding.at_most(Severity::Note);
        }
    }
}

/// Whether the agent announces from addresses that the namespace does not have,
/// told by the layouts of the network's routers, else of all of the node.
fn binds_nonlocal(scene: &Scene<'_>, network: &ExternalNetwork) -> bool {
    let all = || scene.topology.routers.iter();
    let mut own = all().filter(|router| router.external_network.as_ref() == Some(&network.id)).peekable();
    let layouts: Vec<Layout> = if own.peek().is_some() {
        own.filter_map(|router| router.told_layout).collect()
    } else {
        all().filter_map(|router| router.told_layout).collect()
    };
    let is_known_new = || scene.release().is_at_least(Release::new(7, 1, 0));
    !layouts.contains(&Layout::Juno) && (!layouts.is_empty() || is_known_new())
}

/// DVR511.
pub(super) fn arp(scene: &Scene<'_>, findings: &mut Findings) {
    let sets = || scene.release().is_at_least(Release::new(11, 0, 0));
    for (network, netns, fg) in gateways(scene) {
        let subject = Subject::network(network);
        for (key, right) in [("arp_ignore", 1), ("arp_announce", 2)] {
            let name = format!("net.ipv4.conf.all.{key}");
            let value = netns.sysctl(&name);
            if value.is_some_and(|value| value >= right) || !sets() {
                continue;
            }
            let Some(value) = value else {
                unread(findings, &subject, &network.namespace, netns, &name);
                continue;
            };
            {
                let message = format!("{fg} may answer, or ask, by addresses of other devices");
                set(findings, &subject, &network.namespace, &name, (value, right), message);
            }
        }
    }
}

/// The fip namespaces that have a gateway port; without one it is DVR601.
fn gateways<'s>(scene: &Scene<'s>) -> impl Iterator<Item = (&'s ExternalNetwork, &'s Netns, &'s IfName)> {
    let snapshot = scene.snapshot;
    scene.topology.external_networks.iter().filter_map(|network| {
        Some((network, snapshot.netns(&network.namespace)?, &network.gateway_port.as_ref()?.device))
    })
}

fn set<'f>(
    findings: &'f mut Findings,
    subject: &Subject,
    netns: &NetnsName,
    name: &str,
    (is, right): (i64, i64),
    message: String,
) -> &'f mut crate::check::Finding {
    let finding = findings.fire(subject, Some(netns), object(ObjectKind::Sysctl, name), message);
    let value = |value| Some(Object::Sysctl(name.to_owned(), Observed::Seen(value)));
    finding.values(format!("{name} = {right}"), format!("{name} = {is}"));
    finding.mend([Change::new(Some(netns.clone()), value(is), value(right))])
}

fn unread(findings: &mut Findings, subject: &Subject, netns: &NetnsName, seen: &Netns, name: &str) {
    let why = match seen.sysctls.get(name) {
        Some(Observed::Unreadable(why)) => format!("{name}: {why}"),
        _ => format!("{name} was not read"),
    };
    blind(findings, subject, netns, object(ObjectKind::Sysctl, name), &why);
}

/// A device's name as a part of a key: a slash stands for a dot within it.
fn component(device: &IfName) -> String {
    device.as_str().replace('.', "/")
}
