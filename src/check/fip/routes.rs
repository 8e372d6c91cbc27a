//! What leads to floating IPs, and to tenant prefixes: DVR501, 502, 503, 512, 513.

use std::collections::HashMap;
use std::net::IpAddr;

use super::tables::protocol;
use super::{has, host, object, pair, part, readable};
use crate::check::{Applicability, Findings, Scene, Severity, Subject};
use crate::net::{Change, Netns, NetnsName, Object, Observed, Route, RouteQuestion, TableId};
use crate::neutron::RouterPrefix;
use crate::topology::{
    ChainLink, Direction, ExternalNetwork, FactSource, FipKind, FloatingIp, LinkName, LinkState, ObjectKind, Router,
};

/// DVR501.
pub(super) fn missing(scene: &Scene<'_>, findings: &mut Findings) {
    for (fip, link, router, network) in amiss(scene) {
        let Some(address) = fip.floating_ip else { continue };
        let subject = Subject::floating_ip(fip);
        if link.state == LinkState::Unknown {
            let why = link.actual.clone().unwrap_or_default();
            super::blind(findings, &subject, &network.namespace, object(ObjectKind::Route, key(fip)), &why);
        }
        let wanted = has(fip, FactSource::Dnat) || (has(fip, FactSource::Snat) && has(fip, FactSource::Rule));
        if link.state != LinkState::Missing || !wanted {
            continue;
        }
        let expected = link.expected.clone().unwrap_or_default();
        let message = format!("nothing leads to {address}: nobody answers ARP for it, and no packet finds the router");
        let finding = findings.fire(&subject, Some(&network.namespace), object(ObjectKind::Route, key(fip)), message);
        finding.values(expected, "no such route").question(from_outside(fip, network));
        if let Some(route) = right_route(scene, fip, router, network) {
            finding.mend([Change::new(Some(network.namespace.clone()), None, Some(Object::Route(Box::new(route))))]);
        }
    }
}

/// DVR502.
pub(super) fn astray(scene: &Scene<'_>, findings: &mut Findings) {
    for (fip, link, router, network) in amiss(scene) {
        let Some(address) = fip.floating_ip else { continue };
        if link.state != LinkState::Wrong
            || !has(fip, FactSource::Dnat)
            || fip.floating_ip.and_then(|address| scene.index().owner(network, address)).is_some()
        {
            continue;
        }
        let actual = link.actual.clone().unwrap_or_default();
        let message = format!("{address} is routed by \"{actual}\", not into its router");
        let place = network.namespace.clone();
        let finding =
            findings.fire(&Subject::floating_ip(fip), Some(&place), object(ObjectKind::Route, key(fip)), message);
        finding.values(link.expected.clone().unwrap_or_default(), actual).question(from_outside(fip, network));
        let Some(right) = right_route(scene, fip, router, network) else { continue };
        let all = to_host(scene, &place, address);
        finding.mend(all.iter().filter(|route| !same(route, &right)).map(|route| gone(&place, route)));
        let stands = all.iter().any(|route| same(route, &right));
        if !stands {
            finding.mend([Change::new(Some(place), None, Some(Object::Route(Box::new(right))))]);
        }
    }
}

/// Why nothing can be said of what a router namespace translates or routes.
fn silent<'s>(scene: &Scene<'s>, qrouter: &NetnsName) -> Option<&'s str> {
    match scene.snapshot.namespaces.get(qrouter)? {
        Observed::Unreadable(why) => Some(why),
        Observed::Seen(netns) => netns.netfilter.unreadable().or_else(|| netns.rules.unreadable()),
        Observed::Absent => None,
    }
}

/// DVR503.
pub(super) fn stale(scene: &Scene<'_>, findings: &mut Findings) {
    for (fip, router, network) in scene.distributed() {
        let Some(address) = fip.floating_ip else { continue };
        let spoken_for = [FactSource::Dnat, FactSource::Snat, FactSource::Rule].into_iter().any(|fact| has(fip, fact));
        // Without the router's namespace the route is the lesser trouble.
        let Some(qrouter) = &router.namespace else { continue };
        if spoken_for || !has(fip, FactSource::Route) {
            continue;
        }
        let subject = Subject::floating_ip(fip);
        let place = object(ObjectKind::Route, key(fip));
        if let Some(why) = silent(scene, qrouter) {
            super::blind(findings, &subject, &network.namespace, place, why);
            continue;
        }
        if astray_elsewhere(scene, fip) {
            continue;
        }
        let message = format!("{qrouter} translates nothing to or from {address}, yet this node answers ARP for it");
        let finding = findings.fire(&subject, Some(&network.namespace), place, message);
        let device = RouterPrefix::of(&router.id).fpr();
        let mut stale = to_host(scene, &network.namespace, address);
        stale.retain(|route| route.next_hops.iter().any(|hop| hop.dev.as_ref() == Some(&device)));
        let actual: Vec<String> = stale.iter().map(ToString::to_string).collect();
        finding.values(format!("no route to {address}"), actual.join("; ")).question(from_outside(fip, network));
        finding.mend(stale.into_iter().map(|route| gone(&network.namespace, route)));
    }
}

/// DVR512.
pub(super) fn local(scene: &Scene<'_>, findings: &mut Findings) {
    for (fip, _, network) in scene.distributed() {
        let Some(address) = fip.floating_ip else { continue };
        let Some(owner) = scene.index().owner(network, address) else { continue };
        let message = format!("{address} is an address of {}: the node itself answers, not the instance", owner.dev);
        let place = object(ObjectKind::Addr, format!("{} dev {}", owner.address, owner.dev));
        let finding = findings.fire(&Subject::floating_ip(fip), Some(&network.namespace), place, message);
        finding.values(format!("no {address} in {}", network.namespace), owner.to_string());
        finding.question(from_outside(fip, network));
        finding.mend([Change::new(Some(network.namespace.clone()), Some(Object::Addr(owner.clone())), None)]);
        if owner.address.prefix_len() < 32 {
            // It may be the agent gateway port's own address: all floating IPs
            // of the network hang on it.
            finding.applicability(Applicability::NeedsConsent);
        }
    }
}

/// DVR513.
pub(super) fn tenant(scene: &Scene<'_>, findings: &mut Findings) {
    for network in &scene.topology.external_networks {
        let Some(netns) = readable(scene, network, findings) else { continue };
        let Some(routes) = part(&netns.routes, ObjectKind::Route, network, findings) else { continue };
        let mut prefixes: HashMap<&str, Vec<&Route>> = HashMap::new();
        for route in routes.iter().filter(|route| route.table == TableId::MAIN && route.dst.addr().is_ipv4()) {
            if let Some(device) = route.dev().filter(|_| route.dst.prefix_len() < 31) {
                prefixes.entry(device.as_str()).or_default().push(route);
            }
        }
        for router in &scene.topology.routers {
            let Some(end) = &router.fip_2_rtr else { continue };
            if router.external_network.as_ref() != Some(&network.id) || router.internal.is_empty() {
                continue;
            }
            for route in prefixes.get(end.device.as_str()).into_iter().flatten().copied() {
                let subnets = |router: &Router| {
                    router.internal.iter().flat_map(|port| &port.addresses).any(|net| net.trunc() == route.dst)
                };
                if subnets(router) {
                    continue;
                }
                let others = scene.topology.routers.iter().filter(|other| other.id != router.id);
                let robbed = others.filter(|other| other.external_network == router.external_network).any(subnets);
                let message = format!("{} leads to router {}, which has no such subnet", route.dst, router.id);
                let place = object(ObjectKind::Route, route.brief());
                let finding = findings.fire(&Subject::router(router), Some(&network.namespace), place, message);
                finding.values(format!("no route to {} through {}", route.dst, end.device), route.to_string());
                finding.mend([gone(&network.namespace, route)]);
                if !robbed {
                    finding.at_most(Severity::Warning);
                }
            }
        }
    }
}

/// The routes of distributed floating IPs that are not as they should be, or that
/// could not be judged, as the link of the chain that judged them.
fn amiss<'s>(
    scene: &Scene<'s>,
) -> impl Iterator<Item = (&'s FloatingIp, &'s ChainLink, &'s Router, &'s ExternalNetwork)> {
    let links = scene.amiss(Direction::Inbound, LinkName::FipRoute);
    links.filter(|(fip, _)| fip.kind == FipKind::Distributed).filter_map(|(fip, link)| {
        let network = scene.network(fip.external_network.as_deref()?)?;
        Some((fip, link, scene.router_of(fip)?, network))
    })
}

/// The link of the chain that judged the route.
fn route_link(fip: &FloatingIp) -> Option<&ChainLink> {
    fip.links(Direction::Inbound).iter().find(|link| link.link == LinkName::FipRoute)
}

/// The route's name: the same whatever is wrong with it.
fn key(fip: &FloatingIp) -> String {
    let address = fip.floating_ip.map_or_else(|| "?".to_owned(), |address| host(address).to_string());
    format!("{address} {}", RouterPrefix::of(&fip.router).fpr())
}

/// The route as it should be, in the manner of those beside it.
fn right_route(scene: &Scene<'_>, fip: &FloatingIp, router: &Router, network: &ExternalNetwork) -> Option<Route> {
    let end = router.fip_2_rtr.as_ref()?;
    let protocol = protocol(scene, network);
    let right = Route::unicast(TableId::MAIN, host(fip.floating_ip?), Some(pair(router)?.rfp()), &end.device);
    Some(Route { protocol, ..right })
}

/// The routes of main to an address alone.
fn to_host<'s>(scene: &Scene<'s>, place: &NetnsName, address: IpAddr) -> Vec<&'s Route> {
    let routes = scene.netns(place).map_or(&[][..], Netns::routes);
    let sought = (TableId::MAIN, host(address));
    // Sorted by table and destination.
    let first = routes.partition_point(|route| (route.table, route.dst) < sought);
    routes.iter().skip(first).take_while(|route| (route.table, route.dst) == sought).collect()
}

/// Whoever installed it, it leads the same way.
fn same(one: &Route, other: &Route) -> bool {
    Route { protocol: 0, ..one.clone() } == Route { protocol: 0, ..other.clone() }
}

fn gone(netns: &NetnsName, route: &Route) -> Change {
    Change::new(Some(netns.clone()), Some(Object::Route(Box::new(route.clone()))), None)
}

/// Another router translates the address and its own route is wrong: DVR502 there.
fn astray_elsewhere(scene: &Scene<'_>, fip: &FloatingIp) -> bool {
    let (Some(address), Some(network)) = (fip.floating_ip, fip.external_network.as_deref()) else { return false };
    scene.everyones_fips_at(network, address).any(|other| {
        other.kind == FipKind::Distributed
            && other.router != fip.router
            && has(other, FactSource::Dnat)
            && route_link(other).is_some_and(|link| link.state == LinkState::Wrong)
    })
}

/// The lookup that a packet from the external network makes.
fn from_outside(fip: &FloatingIp, network: &ExternalNetwork) -> RouteQuestion {
    RouteQuestion {
        namespace: Some(network.namespace.clone()),
        src: network.gateways.first().copied(),
        dst: fip.floating_ip.unwrap_or(IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED)),
        iif: network.gateway_port.as_ref().map(|port| port.device.clone()),
        mark: 0,
        tos: 0,
    }
}
