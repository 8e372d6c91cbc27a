//! The reverse path filter: whether floating IPs' packets get past it.

use std::collections::HashSet;
use std::net::IpAddr;

use crate::check::view::{View, each_where};
use crate::check::{AgentDoes, Applicability, Finding, Findings, Scene, Subject};
use crate::net::{IfName, Netns, NetnsName, RouteQuestion};
use crate::neutron::NamespaceKind;
use crate::path::{Packet, Start, TCP};
use crate::topology::{FloatingIp, ObjectKind, ObjectRef, Router};

/// DVR312: by walking a packet in each direction, where any filter is on at all.
pub(super) fn refused(scene: &Scene<'_>, findings: &mut Findings) {
    let mut said: HashSet<(NetnsName, String)> = HashSet::new();
    let networks = scene.topology.external_networks.iter().map(|network| &network.namespace);
    let filtering: HashSet<&NetnsName> = networks.filter(|name| scene.netns(name).is_some_and(filters)).collect();
    let is_filtered = |router: &Router| {
        let own = router.namespace.as_ref().and_then(|name| scene.netns(name)).is_some_and(filters);
        let outer = router.external_network.as_ref().map(|id| NamespaceKind::Fip.name(id));
        own || outer.is_some_and(|name| filtering.contains(&name))
    };
    each_where(scene, findings, is_filtered, |view, findings| {
        for fip in view.distributed() {
            for (start, packet) in packets(view, fip) {
                let Some((namespace, key, asked)) = refusal(scene, &start, packet) else { continue };
                if said.insert((namespace.clone(), key.clone())) {
                    let finding = fire(scene, findings, fip, &namespace, &key);
                    finding.questions.extend(asked);
                }
            }
        }
    });
}

fn fire<'f>(
    scene: &Scene<'_>,
    findings: &'f mut Findings,
    fip: &FloatingIp,
    namespace: &NetnsName,
    key: &str,
) -> &'f mut Finding {
    let level = scene.netns(namespace).and_then(|netns| level(netns, key)).unwrap_or_default();
    let message = format!("rp_filter {level} refuses packets of {}: {key}", word(fip.floating_ip));
    let object = ObjectRef { kind: ObjectKind::Sysctl, key: key.to_owned() };
    let finding = findings.fire(&Subject::floating_ip(fip), Some(namespace), object, message);
    finding.values("a way back by the same device, or 0", level.to_string()).agent(AgentDoes::Never).inferred();
    // Whoever set the filter decides; to lower it would hide a fault.
    finding.applicability(Applicability::DisplayOnly)
}

/// In by fg and out by qr, as far as both are told.
fn packets(view: &View<'_>, fip: &FloatingIp) -> Vec<(Start, Packet)> {
    let mut packets = Vec::new();
    let outside = super::shadow::OUTSIDE;
    let device = |name: &IfName| Some(name.clone());
    if let (Some(IpAddr::V4(floating)), Some(outer)) = (fip.floating_ip, &view.fip)
        && let [fg] = outer.gateways[..]
    {
        let start = Start { namespace: outer.name.clone(), device: device(&fg.name) };
        packets.push((start, Packet::first(outside, floating, TCP).ports(40000, 443)));
    }
    if let Some(IpAddr::V4(fixed)) = fip.fixed_ip {
        let port = view.subnets().find(|(_, addr)| addr.address.contains(&IpAddr::V4(fixed)));
        if let Some((port, _)) = port {
            let start = Start { namespace: view.qrouter.clone(), device: device(port) };
            packets.push((start, Packet::first(fixed, outside, TCP).ports(40000, 443)));
        }
    }
    packets
}

/// The device's filter that stops the packet or its answer, and the lookup at
/// which it does.
fn refusal(scene: &Scene<'_>, start: &Start, packet: Packet) -> Option<(NetnsName, String, Option<RouteQuestion>)> {
    let walk = scene.walk(start, packet);
    let reply = scene.reply(&walk);
    std::iter::once(walk).chain(reply).find_map(|mut walk| {
        let stop = walk.stop?;
        let key = stop.object.filter(|object| object.kind == ObjectKind::Sysctl)?.key;
        let asked = walk.hops.pop().filter(|hop| hop.namespace == stop.namespace).and_then(|hop| hop.question);
        key.ends_with(".rp_filter").then_some((stop.namespace, key, asked))
    })
}

fn filters(netns: &Netns) -> bool {
    let all = netns.sysctl("net.ipv4.conf.all.rp_filter").is_some_and(|level| level > 0);
    all || netns.links().iter().any(|link| link.ipv4.is_some_and(|conf| conf.rp_filter > 0))
}

/// The larger of the device's own and `all` counts.
fn level(netns: &Netns, key: &str) -> Option<i64> {
    let device = key.strip_prefix("net.ipv4.conf.")?.strip_suffix(".rp_filter")?;
    let own = netns.link(&IfName::from(device))?.ipv4.map_or(0, |conf| i64::from(conf.rp_filter));
    Some(own.max(netns.sysctl("net.ipv4.conf.all.rp_filter").unwrap_or(0)))
}

fn word(address: Option<IpAddr>) -> String {
    address.map_or_else(|| "a floating IP".to_owned(), |address| address.to_string())
}
