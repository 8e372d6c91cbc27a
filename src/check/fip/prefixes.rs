//! Which external subnets fg has on its link: DVR507, and DVR613 of the family
//! that looks at the attachment.

use std::collections::BTreeSet;
use std::net::IpAddr;

use ipnet::IpNet;

use super::{main_routes, object};
use crate::check::{Findings, Scene, Severity, Subject};
use crate::net::{Change, Object, Route, TableId};
use crate::neutron::Release;
use crate::topology::{ExternalNetwork, FipKind, FloatingIp, ObjectKind};

/// DVR507.
pub(super) fn subnet_missing(scene: &Scene<'_>, findings: &mut Findings) {
    let sets = || scene.release().is_at_least(Release::new(14, 0, 0));
    let mut told = BTreeSet::new();
    for Uncovered { fip, network, known } in scene.uncovered() {
        let (Some(prefix), Some(port)) = (*known, &network.gateway_port) else { continue };
        if !told.insert((network.namespace.clone(), prefix)) {
            continue;
        }
        let message = format!("{prefix} is an external subnet here, and {} does not have it on its link", port.device);
        let place = object(ObjectKind::Route, format!("{prefix} dev {}", port.device));
        let finding = findings.fire(&Subject::floating_ip(fip), Some(&network.namespace), place, message);
        finding.values(format!("{prefix} dev {} scope link", port.device), "no such route");
        let route = Route { scope: 253, protocol: 4, ..Route::unicast(TableId::MAIN, prefix, None, &port.device) };
        finding.mend([Change::new(Some(network.namespace.clone()), None, Some(Object::Route(Box::new(route))))]);
        if !sets() {
            // Agents before 14.0.0 know fg's own subnets only.
            finding.at_most(Severity::Note);
        }
    }
}

/// A distributed floating IP that no prefix on fg's link covers.
pub(in crate::check) struct Uncovered<'s> {
    pub(in crate::check) fip: &'s FloatingIp,
    pub(in crate::check) network: &'s ExternalNetwork,
    /// The external subnet that it is in, where a gateway port in a snat namespace
    /// tells that.
    pub(in crate::check) known: Option<IpNet>,
}

impl<'s> Uncovered<'s> {
    /// All of a node's.
    pub(in crate::check) fn all(scene: &Scene<'s>) -> Vec<Self> {
        let (mut found, all) = (Vec::new(), &scene.topology.floating_ips);
        for network in &scene.topology.external_networks {
            let Some(nets) = on_link(scene, network) else { continue };
            let id = Some(network.id.as_str());
            let first = all.partition_point(|fip| fip.external_network.as_deref() < id);
            let last = all.partition_point(|fip| fip.external_network.as_deref() <= id);
            let mut rest = all.get(first..last).unwrap_or_default();
            let mut subnets: Option<BTreeSet<IpNet>> = None;
            // They come sorted: what a prefix covers follows each other, and is passed over.
            while let [fip, others @ ..] = rest {
                let address = fip.floating_ip.filter(IpAddr::is_ipv4);
                let net = address.and_then(|address| nets.iter().find(|net| net.contains(&address)));
                rest = net.map_or(others, |net| {
                    let end = Some(net.broadcast());
                    rest.get(rest.partition_point(|fip| fip.floating_ip <= end)..).unwrap_or_default()
                });
                if let (Some(address), None, FipKind::Distributed) = (address, net, fip.kind) {
                    let subnets = subnets.get_or_insert_with(|| subnets_of(scene, network));
                    let known = subnets.iter().find(|net| net.contains(&address)).copied();
                    found.push(Self { fip, network, known });
                }
            }
        }
        found
    }
}

/// The prefixes on fg's link; `None` where it has no link at all (DVR602 or
/// DVR616), or nobody could look.
fn on_link(scene: &Scene<'_>, network: &ExternalNetwork) -> Option<Vec<IpNet>> {
    let port = network.gateway_port.as_ref()?;
    let routes = scene.netns(&network.namespace)?.routes.seen()?;
    let own = port.addresses.iter().filter(|net| net.addr().is_ipv4() && net.prefix_len() < 31);
    let mut nets: Vec<IpNet> = own.copied().collect();
    if nets.is_empty() {
        return None;
    }
    let plain = main_routes(routes, port.device.as_str()).filter(|route| route.via().is_none());
    nets.extend(plain.map(|route| route.dst));
    Some(nets)
}

/// The subnets of an external network, as gateway ports of routers on it have
/// them on their links.
fn subnets_of(scene: &Scene<'_>, network: &ExternalNetwork) -> BTreeSet<IpNet> {
    let mut subnets = BTreeSet::new();
    let routers = scene.topology.routers.iter();
    for router in routers.filter(|router| router.external_network.as_ref() == Some(&network.id)) {
        let (Some(port), Some(place)) = (&router.gateway_port, &router.snat_namespace) else { continue };
        let Some(netns) = scene.netns(place) else { continue };
        subnets.extend(port.addresses.iter().map(IpNet::trunc));
        let on_link = main_routes(netns.routes(), port.device.as_str()).filter(|route| route.via().is_none());
        subnets.extend(on_link.map(|route| route.dst));
    }
    subnets.retain(|net| net.prefix_len() > 0 && net.prefix_len() < 31);
    subnets
}
