//! Neighbour entries on router ports.

use std::collections::HashSet;
use std::net::IpAddr;

use ipnet::IpNet;

use crate::check::{Applicability, Findings, Scene, Severity, Subject};
use crate::net::{Change, Neigh, NeighState, Netns, NetnsName, Object, TableId};
use crate::neutron::{DeviceKind, table_of};
use crate::topology::{FactSource, FipKind, InternalPort, ObjectKind, ObjectRef, Router, RouterKind};

/// DVR701: the kernel asked for an instance and heard nothing, or has no entry
/// for the snat namespace's port that a redirect leads to. No ARP request leaves
/// a distributed router for another node, so only the agent's entries serve there.
/// An instance of this node answers: that its entry is gone is worth a note.
pub(in crate::check) fn missing(scene: &Scene<'_>, findings: &mut Findings) {
    for (router, namespace, netns) in distributed(scene) {
        for neigh in netns.neighs().iter().filter(|neigh| is_on_port(neigh) && is_silent(neigh)) {
            let key = format!("{} dev {}", neigh.address, neigh.dev);
            let message = format!("{} did not answer, and there is no permanent entry for it", neigh.address);
            let subject = Subject { fixed_ip: Some(neigh.address), ..Subject::router(router) };
            findings
                .fire(&subject, Some(namespace), ObjectRef { kind: ObjectKind::Neigh, key }, message)
                .values(format!("{} dev {} lladdr MAC PERMANENT", neigh.address, neigh.dev), neigh.to_string())
                .applicability(Applicability::DisplayOnly);
        }
        redirect_targets(scene, findings, router, namespace, netns);
        instances(scene, findings, router, namespace, netns);
    }
}

/// Instances whose floating IPs are here: the only ones that a node tells of.
fn instances(scene: &Scene<'_>, findings: &mut Findings, router: &Router, namespace: &NetnsName, netns: &Netns) {
    for fip in scene.fips_of(router).iter().filter(|fip| fip.kind == FipKind::Distributed) {
        let Some(fixed) = fip.fixed_ip.filter(|_| fip.facts.iter().any(|fact| fact.source == FactSource::Dnat)) else {
            continue;
        };
        let on_subnet = |port: &&InternalPort| port.addresses.iter().any(|net| net.contains(&fixed));
        let Some(port) = router.internal.iter().find(on_subnet) else { continue };
        let mut entries = netns.neighs().iter().filter(|neigh| neigh.dev == port.device && !neigh.proxy);
        let before = entries.clone().find(|neigh| neigh.address == fixed);
        let is_told = before.is_some_and(|neigh| neigh.state == NeighState::Permanent || is_silent(neigh));
        // Without any, the port has lost all of them: that is another finding.
        if is_told || !entries.any(|neigh| neigh.state == NeighState::Permanent && neigh.address.is_ipv4()) {
            continue;
        }
        let key = format!("{fixed} dev {}", port.device);
        let message = format!("{} has no permanent entry for {fixed}, and has to ask by ARP", port.device);
        let object = ObjectRef { kind: ObjectKind::Neigh, key };
        let found = findings.fire(&Subject::floating_ip(fip), Some(namespace), object, message);
        let actual = before.map_or_else(|| "no entry".to_owned(), Neigh::to_string);
        found.values(format!("{fixed} dev {} lladdr MAC PERMANENT", port.device), actual).at_most(Severity::Note);
        let learned = before.filter(|neigh| neigh.mac.is_some());
        let after = |neigh: &Neigh| Neigh { state: NeighState::Permanent, ..neigh.clone() };
        found.mend(learned.map(|neigh| {
            Change::new(Some(namespace.clone()), Some(Object::Neigh(neigh.clone())), Some(Object::Neigh(after(neigh))))
        }));
        if learned.is_none() {
            // The hardware address is Neutron's to tell.
            found.applicability(Applicability::DisplayOnly);
        }
    }
}

fn redirect_targets(scene: &Scene<'_>, findings: &mut Findings, router: &Router, namespace: &NetnsName, netns: &Netns) {
    // A default route elsewhere leads to a neighbour that may answer ARP itself.
    let tables: HashSet<TableId> =
        router.internal.iter().flat_map(|port| &port.addresses).map(|net| table_of(*net)).collect();
    let redirects = netns.routes().iter().filter(|route| route.is_default() && tables.contains(&route.table));
    let targets = redirects.filter_map(|route| {
        Some((route.via()?, route.dev()?)).filter(|(via, dev)| via.is_ipv4() && DeviceKind::Internal.is(dev))
    });
    for (via, dev) in targets {
        if netns.neighs.seen().is_none() || netns.neighs().iter().any(|neigh| neigh.dev == *dev && neigh.address == via)
        {
            continue;
        }
        let port = router.snat_ports.iter().find(|port| port.addresses.iter().any(|net| net.addr() == via));
        let wanted = port.and_then(|port| port.mac).map(|mac| Neigh {
            dev: dev.clone(),
            address: via,
            mac: Some(mac),
            state: NeighState::Permanent,
            proxy: false,
        });
        let expected =
            wanted.as_ref().map_or_else(|| format!("{via} dev {dev} lladdr MAC PERMANENT"), Neigh::to_string);
        let object = ObjectRef { kind: ObjectKind::Neigh, key: format!("{via} dev {dev}") };
        let message = format!("traffic without floating IP goes to {via}, and there is no permanent entry for it");
        let found = findings.fire(&Subject::router(router), Some(namespace), object, message);
        found.values(expected, "no entry").inferred();
        found.mend(wanted.map(|neigh| Change::new(Some(namespace.clone()), None, Some(Object::Neigh(neigh)))));
        if found.mend.is_empty() {
            found.applicability(Applicability::DisplayOnly);
        }
        if scene.snapshot.namespaces.keys().any(|name| Some(name) == router.snat_namespace.as_ref()) {
            // It stands on this node and answers.
            found.at_most(Severity::Note);
        }
    }
}

/// DVR703: a permanent entry whose address is of another port's subnet. Outside
/// all of them it may be an allowed address pair: a note.
pub(in crate::check) fn misplaced(scene: &Scene<'_>, findings: &mut Findings) {
    for (router, namespace, netns) in distributed(scene) {
        let permanent = |neigh: &&Neigh| is_on_port(neigh) && neigh.state == NeighState::Permanent;
        for neigh in netns.neighs().iter().filter(permanent) {
            let subnets = |port: &InternalPort| port.addresses.iter().map(IpNet::trunc).collect::<Vec<_>>();
            let Some(own) = router.internal.iter().find(|port| port.device == neigh.dev).map(subnets) else { continue };
            let is_link_local = matches!(neigh.address, IpAddr::V6(address) if address.is_unicast_link_local());
            if own.is_empty() || is_link_local || own.iter().any(|net| net.contains(&neigh.address)) {
                continue;
            }
            let other =
                router.internal.iter().find(|port| subnets(port).iter().any(|net| net.contains(&neigh.address)));
            let place = other.map_or_else(|| "no port of this router".to_owned(), |port| port.device.to_string());
            let own: Vec<String> = own.iter().map(ToString::to_string).collect();
            let object = ObjectRef { kind: ObjectKind::Neigh, key: format!("{} dev {}", neigh.address, neigh.dev) };
            let message = format!("{} is no address of {}: it belongs to {place}", neigh.address, neigh.dev);
            let found = findings.fire(&Subject::router(router), Some(namespace), object, message);
            found.values(format!("an address of {}", own.join(", ")), neigh.to_string());
            let gone = Object::Neigh(neigh.clone());
            found.mend([Change::new(Some(namespace.clone()), Some(gone), None)]);
            if other.is_none() {
                found.at_most(Severity::Note);
            }
        }
    }
}

fn is_on_port(neigh: &Neigh) -> bool {
    DeviceKind::Internal.is(&neigh.dev) && !neigh.proxy
}

fn is_silent(neigh: &Neigh) -> bool {
    neigh.address.is_ipv4() && neigh.state == NeighState::Failed
}

/// Distributed routers whose namespace was read.
pub(super) fn distributed<'s>(scene: &Scene<'s>) -> impl Iterator<Item = (&'s Router, &'s NetnsName, &'s Netns)> {
    let routers = scene.routers.iter();
    routers
        .filter(|router| matches!(router.kind, RouterKind::Distributed | RouterKind::DistributedHa))
        .filter_map(|router| Some((router, router.namespace.as_ref()?)))
        .filter_map(|(router, namespace)| Some((router, namespace, scene.netns(namespace)?)))
}
