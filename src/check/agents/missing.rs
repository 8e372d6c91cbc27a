//! Namespaces that are gone, or only seem so.

use std::collections::{BTreeMap, BTreeSet};

use super::super::{Applicability, Findings, Scene, Subject};
use super::{is_distributed, leads_nowhere};
use crate::net::{IfName, NetnsName, Observed, Peer};
use crate::neutron::{AllocationLine, DeviceKind, NamespaceKind, RouterPrefix, pair_lines, parse_namespace};
use crate::topology::{FactSource, FipKind, ObjectKind, ObjectRef, Router};

/// What is left of a router: its full id and external network, where told, and
/// the objects in words.
type Witness = (Option<String>, Option<String>, Vec<String>);

/// DVR101: a router translates floating IPs, has no way into a fip namespace,
/// and none of those that stand here has ever heard of it.
pub(super) fn fip_namespace(scene: &Scene<'_>, findings: &mut Findings) {
    for router in scene.routers.iter().filter(|router| is_distributed(router)) {
        let Some(namespace) = router.namespace.as_ref().filter(|_| router.fip_2_rtr.is_none()) else { continue };
        // Without its devices, nobody knows whether the router is a distributed one.
        let Some(netns) = scene.netns(namespace).filter(|netns| netns.links.seen().is_some()) else { continue };
        let is_ghost = leads_nowhere(Some(netns), router.rtr_2_fip.as_ref());
        let translated = translated(scene, router);
        if is_ghost || translated.is_empty() {
            continue;
        }
        let prefix = RouterPrefix::of(&router.id);
        let subject = Subject::router(router);
        let networks = &scene.topology.external_networks;
        let told = router.external_network.as_ref().map(|id| NamespaceKind::Fip.name(id));
        let key =
            told.as_ref().map_or_else(|| format!("fip namespace of {}", prefix.rfp()), |name| name.as_str().to_owned());
        let object = ObjectRef { kind: ObjectKind::Netns, key };
        if told.as_ref().is_some_and(|name| scene.snapshot.namespaces.contains_key(name)) {
            continue;
        }
        if let Some(blind) = networks.iter().find(|network| scene.netns(&network.namespace).is_none()) {
            let why = format!("{} could not be read, and may be the one", blind.namespace);
            findings.cannot_tell(&subject, None, object, why);
            continue;
        }
        let ruled = |network: &NetnsName| iif_devices(scene, network);
        let speaks = networks.iter().any(|network| ruled(&network.namespace).contains(&prefix.fpr()));
        let silent = networks.iter().any(|network| ruled(&network.namespace).is_empty());
        // A fip namespace without any `iif` rule may be of a layout that has none.
        if told.is_none() && (speaks || silent) {
            continue;
        }
        let message = format!("no fip namespace stands here for router {}, which translates {translated}", router.id);
        let finding = findings.fire(&subject, told.as_ref(), object, message);
        finding.values(
            format!("a namespace fip-<external network> with an end {} of the router's pair", prefix.fpr()),
            if networks.is_empty() { "no fip namespace".to_owned() } else { "only those of other routers".to_owned() },
        );
        if told.is_none() && !networks.is_empty() {
            finding.inferred();
        }
    }
}

/// DVR102: files, Open vSwitch or a fip namespace still speak of a router whose
/// namespace is not here.
pub(super) fn router_namespace(scene: &Scene<'_>, findings: &mut Findings) {
    if scene.snapshot.namespaces_unreadable.is_some() {
        return;
    }
    let here: BTreeSet<RouterPrefix> = routers_here(scene).map(RouterPrefix::of).collect();
    let mut witnesses: BTreeMap<RouterPrefix, Witness> = BTreeMap::new();
    for network in &scene.topology.external_networks {
        let ghost = |device: &IfName| scene.link(&network.namespace, device).is_some();
        for device in iif_devices(scene, &network.namespace).into_iter().filter(|device| !ghost(device)) {
            let Some(prefix) = RouterPrefix::of_device(&device).filter(|prefix| !here.contains(prefix)) else {
                continue;
            };
            let entry = witnesses.entry(prefix).or_default();
            entry.1 = Some(network.id.clone());
            entry.2.push(format!("a rule for {device} in {}", network.namespace));
        }
    }
    let orphans = orphan_ports(scene);
    let lines = scene.snapshot.host.link_local_file.seen().into_iter().flat_map(pair_lines);
    for entry in lines.filter_map(AllocationLine::entry) {
        let prefix = RouterPrefix::of(&entry.router);
        // A line alone is a leak of the allocator's, not a router.
        if here.contains(&prefix) || (orphans.is_empty() && !witnesses.contains_key(&prefix)) {
            continue;
        }
        let witness = witnesses.entry(prefix).or_default();
        witness.0 = Some(entry.router.clone());
        witness.2.push(format!("a line of fip-linklocal-networks ({})", entry.pair));
    }
    for (prefix, (id, network, mut words)) in witnesses {
        words.extend(orphans.iter().map(|port| format!("port {port} of Open vSwitch")));
        let id = id.unwrap_or_else(|| prefix.as_str().to_owned());
        let namespace = NamespaceKind::Router.name(&id);
        let subject = Subject { router: Some(id), external_network: network, ..Subject::default() };
        let object = ObjectRef { kind: ObjectKind::Netns, key: namespace.as_str().to_owned() };
        let message = format!("{namespace} is not here, and the node still has {}", words.join(", "));
        findings
            .fire(&subject, Some(&namespace), object, message)
            .values(format!("namespace {namespace}"), "no such namespace")
            .inferred();
    }
}

/// DVR106: one end of the pair is here, and its other end in a namespace that
/// something keeps alive without a name.
pub(super) fn ghost(scene: &Scene<'_>, findings: &mut Findings) {
    let unread = || scene.snapshot.namespaces.iter().find(|(_, netns)| !matches!(netns, Observed::Seen(_)));
    let networks = &scene.topology.external_networks;
    let network = if let [only] = &networks[..] { Some(only.id.clone()) } else { None };
    for router in scene.routers {
        let fips = networks.iter().map(|network| (&network.namespace, RouterPrefix::of(&router.id).fpr(), "qrouter"));
        let rfp = router.rtr_2_fip.as_ref().zip(router.namespace.as_ref());
        let ends = rfp.into_iter().map(|(end, namespace)| (namespace, end.device.clone(), "fip"));
        for (namespace, device, what) in ends.chain(fips) {
            let Some(link) = scene.link(namespace, &device) else { continue };
            if link.peer != Some(Peer::Elsewhere) {
                continue;
            }
            let mut subject = Subject::router(router);
            subject.external_network = subject.external_network.or_else(|| network.clone());
            let object = ObjectRef { kind: ObjectKind::Link, key: device.as_str().to_owned() };
            if let Some((blind, _)) = unread() {
                let why = format!("the other end of {device} may be in {blind}, which could not be read");
                findings.cannot_tell(&subject, Some(namespace), object, why);
                continue;
            }
            let message = format!("the other end of {device} is in a namespace that has no name any more");
            let finding = findings.fire(&subject, Some(namespace), object, message);
            finding.values(
                format!("{device} leads to the {what} namespace of its name"),
                format!("{device} leads to a namespace without a name"),
            );
            // Whatever keeps it alive has to end first.
            finding.applicability(Applicability::DisplayOnly);
        }
    }
}

/// The floating IPs that a router's own translation speaks of, in words.
fn translated(scene: &Scene<'_>, router: &Router) -> String {
    let spoken = scene.fips_of(router).iter().filter(|fip| {
        fip.kind == FipKind::Distributed
            && fip.facts.iter().any(|fact| {
                matches!(fact.source, FactSource::Dnat | FactSource::Snat) && fact.namespace == router.namespace
            })
    });
    let words: Vec<String> = spoken.filter_map(|fip| fip.floating_ip).map(|address| address.to_string()).collect();
    words.join(", ")
}

/// Devices `fpr-…` that rules of a fip namespace speak of, standing or not.
pub(super) fn iif_devices(scene: &Scene<'_>, namespace: &NetnsName) -> BTreeSet<IfName> {
    let rules = scene.netns(namespace).map_or(&[][..], |netns| netns.rules());
    let devices = rules.iter().filter_map(|rule| rule.iif.clone());
    devices.filter(|device| DeviceKind::FipToRouter.is(device)).collect()
}

/// Ids of routers with a namespace of their own here.
fn routers_here<'s>(scene: &Scene<'s>) -> impl Iterator<Item = &'s str> {
    scene.snapshot.namespaces.keys().filter_map(|name| match parse_namespace(name) {
        Some((NamespaceKind::Router, id)) => Some(id),
        _ => None,
    })
}

/// Ports `qr-…` of Open vSwitch whose device is in no namespace; none where not
/// all of the node could be read.
fn orphan_ports(scene: &Scene<'_>) -> Vec<String> {
    let Some(ovs) = scene.snapshot.host.ovs.seen() else { return Vec::new() };
    let mut known: BTreeSet<&str> = BTreeSet::new();
    for netns in scene.snapshot.namespaces.values().chain([&scene.snapshot.host.netns]) {
        let Some(links) = netns.seen().and_then(|netns| netns.links.seen()) else { return Vec::new() };
        known.extend(links.iter().map(|link| link.name.as_str()));
    }
    let ports = ovs.ports.iter().map(|port| &port.name);
    let orphans = ports.filter(|name| name.starts_with("qr-") && !known.contains(name.as_str()));
    orphans.map(|name| IfName::from(name.as_str()).to_string()).collect()
}
