//! Which external subnets fg has on its link: DVR507, and DVR613 of the family
//! that looks at the attachment.

use std::collections::BTreeSet;
use std::net::IpAddr;

use ipnet::IpNet;

use super::{floating, main_routes, object};
use crate::check::{Findings, Scene, Severity, Subject};
use crate::net::{Change, Object, Route, TableId};
use crate::neutron::{Release, ReleaseRange};
use crate::topology::{ExternalNetwork, FloatingIp, ObjectKind};

/// DVR507.
pub(super) fn subnet_missing(scene: &Scene<'_, '_>, findings: &mut Findings) {
    let sets = ReleaseRange::of(scene.snapshot).is_at_least(Release::new(14, 0, 0));
    let mut told = BTreeSet::new();
    for (fip, network, known) in not_covered(scene) {
        let (Some(prefix), Some(port)) = (known, &network.gateway_port) else { continue };
        if !told.insert((network.namespace.clone(), prefix)) {
            continue;
        }
        let message = format!("{prefix} is an external subnet here, and {} does not have it on its link", port.device);
        let place = object(ObjectKind::Route, format!("{prefix} dev {}", port.device));
        let finding = findings.fire(&Subject::floating_ip(fip), Some(&network.namespace), place, message);
        finding.values(format!("{prefix} dev {} scope link", port.device), "no such route");
        let route = Route { scope: 253, protocol: 4, ..Route::unicast(TableId::MAIN, prefix, None, &port.device) };
        finding.mend([Change::new(Some(network.namespace.clone()), None, Some(Object::Route(Box::new(route))))]);
        if !sets {
            // Agents before 14.0.0 know fg's own subnets only.
            finding.at_most(Severity::Note);
        }
    }
}

/// The floating IPs that no prefix on fg's link covers, each with the external
/// subnet it is in, where a gateway port in a snat namespace tells that.
pub(in crate::check) fn not_covered<'s>(
    scene: &Scene<'_, 's>,
) -> Vec<(&'s FloatingIp, &'s ExternalNetwork, Option<IpNet>)> {
    let mut found = Vec::new();
    for (fip, _, network) in floating(scene) {
        let (Some(IpAddr::V4(address)), Some(port)) = (fip.floating_ip, &network.gateway_port) else { continue };
        let Some(netns) = scene.netns(&network.namespace) else { continue };
        let Some(routes) = netns.routes.seen() else { continue };
        let mut on_link = main_routes(routes, port.device.as_str()).filter(|route| route.via().is_none());
        let own = || port.addresses.iter().filter(|net| net.addr().is_ipv4() && net.prefix_len() < 31);
        // Without an address of its own fg has no link at all: DVR602 or DVR616.
        if own().next().is_none() || own().any(|net| net.contains(&IpAddr::V4(address))) {
            continue;
        }
        if on_link.any(|route| route.dst.contains(&IpAddr::V4(address))) {
            continue;
        }
        found.push((fip, network, subnet_of(scene, network, address.into())));
    }
    found
}

/// The external subnet of an address, as gateway ports of routers on the same
/// network have it on their links.
fn subnet_of(scene: &Scene<'_, '_>, network: &ExternalNetwork, address: IpAddr) -> Option<IpNet> {
    let routers = scene.topology.routers.iter();
    routers.filter(|router| router.external_network.as_ref() == Some(&network.id)).find_map(|router| {
        let (port, place) = (router.gateway_port.as_ref()?, router.snat_namespace.as_ref()?);
        let own = port.addresses.iter().map(IpNet::trunc);
        let netns = scene.netns(place)?;
        let on_link = main_routes(netns.routes(), port.device.as_str()).filter(|route| route.via().is_none());
        let mut nets = own.chain(on_link.map(|route| route.dst));
        nets.find(|net| net.prefix_len() > 0 && net.prefix_len() < 31 && net.contains(&address))
    })
}
