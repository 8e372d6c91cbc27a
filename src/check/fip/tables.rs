//! The way out of the fip namespace: DVR504, 505, 506.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;

use super::{blind, host, object, pair};
use crate::check::{Applicability, Finding, Findings, Scene, Subject};
use crate::net::{Change, Family, IfName, Netns, NetnsName, Object, Route, RouteQuestion, Rule, TableId};
use crate::neutron::Layout;
use crate::topology::{
    ChainLink, Direction, ExternalNetwork, FipKind, FloatingIp, LinkName, LinkState, ObjectKind, Router,
};

/// DVR504.
pub(super) fn rule_missing(scene: &Scene<'_>, findings: &mut Findings) {
    for (fip, router, network, link) in once(scene, LinkName::IifRule) {
        let subject = Subject::router(router);
        let device = link.object.key.clone();
        let place = object(ObjectKind::Rule, &device);
        if link.state == LinkState::Unknown {
            let why = link.actual.clone().unwrap_or_default();
            blind(findings, &subject, &network.namespace, place, &why);
            continue;
        }
        if !is_at_fault(link) {
            continue;
        }
        let message = format!(
            "packets that come in by {} ask main, which has no default route",
            device.trim_start_matches("iif ")
        );
        let finding = findings.fire(&subject, Some(&network.namespace), place, message);
        let actual = link.actual.clone().unwrap_or_else(|| "no such rule".to_owned());
        finding.values(link.expected.clone().unwrap_or_default(), actual);
        let (Some(pair), Some(end)) = (pair(router), &router.fip_2_rtr) else { continue };
        finding.question(outward(fip, &network.namespace, &end.device));
        let table = pair.table();
        let right = Rule { iif: Some(end.device.clone()), ..Rule::lookup(Family::V4, table.0, table) };
        let rules = scene.netns(&network.namespace).map_or(&[][..], |netns| netns.rules());
        let wrong = rules.iter().filter(|rule| {
            rule.iif.as_ref() == Some(&end.device) && rule.family == Family::V4 && rule.table() != Some(table)
        });
        let wrong = wrong.filter(|rule| rule.from.is_none() && rule.to.is_none() && rule.fwmark.is_none());
        finding.mend(wrong.map(|rule| {
            Change::new(Some(network.namespace.clone()), Some(Object::Rule(Box::new(rule.clone()))), None)
        }));
        finding.mend([Change::new(Some(network.namespace.clone()), None, Some(Object::Rule(Box::new(right))))]);
    }
}

/// DVR505.
pub(super) fn default_wrong(scene: &Scene<'_>, findings: &mut Findings) {
    let mut all: HashMap<&str, Defaults<'_>> = HashMap::new();
    for network in &scene.topology.external_networks {
        let defaults = Defaults::of(scene, network);
        for router in scene.routers.iter().filter(|router| defaults.is_another(router)) {
            another_gateway(scene, findings, (router, network), &defaults);
        }
        all.insert(network.id.as_str(), defaults);
    }
    for (fip, router, network, link) in once(scene, LinkName::FipDefault) {
        let Some(defaults) = all.get(network.id.as_str()) else { continue };
        let subject = Subject::router(router);
        let place = object(ObjectKind::Route, &link.object.key);
        let (actual, message) = match link.state {
            LinkState::Unknown if network.gateway_port.is_some() => {
                let why = link.actual.clone().unwrap_or_default();
                blind(findings, &subject, &network.namespace, place, &why);
                continue;
            }
            LinkState::Missing => {
                ("no such route".to_owned(), format!("router {} has no way out of the fip namespace", router.id))
            }
            LinkState::Wrong if !link.advisory => {
                let actual = link.actual.clone().unwrap_or_default();
                (actual.clone(), format!("router {} leaves the fip namespace by \"{actual}\"", router.id))
            }
            _ => continue,
        };
        let finding = findings.fire(&subject, Some(&network.namespace), place, message);
        finding.values(expected(defaults, router, network, link), actual);
        if let Some(end) = &router.fip_2_rtr {
            finding.question(outward(fip, &network.namespace, &end.device));
        }
        defaults.mend(scene, finding, router, network);
    }
}

/// The router's default route stands, and leads to another gateway than those beside it.
fn another_gateway(
    scene: &Scene<'_>,
    findings: &mut Findings,
    (router, network): (&Router, &ExternalNetwork),
    defaults: &Defaults<'_>,
) {
    let its =
        |fip: &&&FloatingIp| fip.kind == FipKind::Distributed && fip.external_network.as_ref() == Some(&network.id);
    let link = scene
        .fips_of(router)
        .iter()
        .find(its)
        .and_then(|fip| fip.links(Direction::Outbound).iter().find(|link| link.link == LinkName::FipDefault));
    let Some(link) = link.filter(|link| link.state == LinkState::Ok) else { return };
    let (Some(here), Some(known)) = (defaults.of_router(router), defaults.known(router)) else { return };
    let Some(via) = here.via() else { return };
    let message = format!("router {} leaves by {via}, the external network's gateway is {known}", router.id);
    let place = object(ObjectKind::Route, &link.object.key);
    let finding = findings.fire(&Subject::router(router), Some(&network.namespace), place, message);
    // Two routes disagree; that the other is right is reckoned, and no lookup tells.
    finding.values(expected(defaults, router, network, link), here.to_string()).inferred();
    defaults.mend(scene, finding, router, network);
}

fn expected(defaults: &Defaults<'_>, router: &Router, network: &ExternalNetwork, link: &ChainLink) -> String {
    match (defaults.known(router), &network.gateway_port) {
        (Some(gateway), Some(port)) => format!("default via {gateway} dev {} {}", port.device, table_word(link)),
        _ => link.expected.clone().unwrap_or_default(),
    }
}

/// DVR506.
pub(super) fn gateway_off_link(scene: &Scene<'_>, findings: &mut Findings) {
    let mut told = BTreeSet::new();
    for (_, _, network, link) in once(scene, LinkName::Gateway) {
        let (Some(port), true) = (&network.gateway_port, is_at_fault(link)) else { continue };
        let key = link.object.key.clone();
        // Without a usable address on fg it is DVR616.
        if !covers_something(scene, network) || !told.insert((network.namespace.clone(), key.clone())) {
            continue;
        }
        let actual = link.actual.clone().unwrap_or_default();
        let place = object(ObjectKind::Route, &key);
        let message = format!("{actual}: the default route leads nowhere");
        let finding = findings.fire(&Subject::network(network), Some(&network.namespace), place, message);
        finding.values(link.expected.clone().unwrap_or_default(), actual);
        let gateway = key.split_whitespace().next().and_then(|word| word.parse::<IpAddr>().ok());
        if let Some(gateway) = gateway {
            let route =
                Route { scope: 253, protocol: 4, ..Route::unicast(TableId::MAIN, host(gateway), None, &port.device) };
            finding.mend([Change::new(Some(network.namespace.clone()), None, Some(Object::Route(Box::new(route))))]);
        }
    }
}

/// True where fg has an address with a subnet around it.
pub(in crate::check) fn covers_something(scene: &Scene<'_>, network: &ExternalNetwork) -> bool {
    let port = network.gateway_port.as_ref();
    let addresses = port.map_or(&[][..], |port| &port.addresses);
    let fips: Vec<IpAddr> = scene.topology.floating_ips.iter().filter_map(|fip| fip.floating_ip).collect();
    let wide = |net: &&ipnet::IpNet| net.addr().is_ipv4() && net.prefix_len() < 31;
    addresses.iter().filter(wide).any(|net| {
        let of_network = network.gateways.iter().chain(&fips);
        of_network.into_iter().any(|address| net.contains(address)) || network.gateways.is_empty() && fips.is_empty()
    })
}

/// The default routes of an external network, looked up once.
pub(in crate::check) struct Defaults<'s> {
    by_table: HashMap<TableId, &'s Route>,
    snat: BTreeSet<IpAddr>,
    siblings: Vec<(&'s str, IpAddr)>,
}

impl<'s> Defaults<'s> {
    pub(in crate::check) fn of(scene: &Scene<'s>, network: &ExternalNetwork) -> Self {
        let mut by_table: HashMap<TableId, &'s Route> = HashMap::new();
        let all = scene.netns(&network.namespace).map_or(&[][..], Netns::routes).iter();
        for route in all.filter(|route| route.is_default() && route.dst.addr().is_ipv4()) {
            let best = by_table.entry(route.table).or_insert(route);
            if route.metric < best.metric {
                *best = route;
            }
        }
        let topology = scene.topology;
        let routers = topology.routers.iter().filter(|one| one.external_network.as_ref() == Some(&network.id));
        let of_fg = |address: &IpAddr| {
            network.gateway_port.iter().flat_map(|fg| &fg.addresses).any(|net| net.contains(address))
        };
        let snat = routers.clone().filter_map(|one| {
            let (qg, place) = (one.gateway_port.as_ref()?, one.snat_namespace.as_ref()?);
            let all = scene.netns(place)?.routes().iter();
            let default = all.filter(|route| route.is_default() && route.dev() == Some(&qg.device));
            default.filter_map(Route::via).find(of_fg)
        });
        let snat = snat.collect();
        let pike = routers.filter(|one| one.layout == Some(Layout::Pike));
        let told = pike.filter_map(|one| Some((one.id.as_str(), by_table.get(&table(one)?)?.via()?)));
        let siblings = told.take(16).collect();
        Self { by_table, snat, siblings }
    }

    /// The one that a router's packets find.
    pub(in crate::check) fn of_router(&self, router: &Router) -> Option<&'s Route> {
        self.by_table.get(&table(router)?).copied()
    }

    /// Whether a router's packets find another gateway than the one that is known.
    fn is_another(&self, router: &Router) -> bool {
        let via = self.of_router(router).and_then(Route::via);
        via.is_some_and(|via| self.known(router).is_some_and(|known| known != via))
    }

    /// Puts the known gateway into the router's default route.
    fn mend(&self, scene: &Scene<'_>, finding: &mut Finding, router: &Router, network: &ExternalNetwork) {
        let right = self.known(router).and_then(|gateway| default_via(scene, router, network, gateway));
        let Some(right) = right else {
            finding.applicability(Applicability::DisplayOnly);
            return;
        };
        let before = self.of_router(router).map(|route| Object::Route(Box::new(route.clone())));
        let after = Some(Object::Route(Box::new(right)));
        finding.mend([Change::new(Some(network.namespace.clone()), before, after)]);
    }

    /// The external gateway as other routes of the node tell it: the default of a
    /// snat namespace whose gateway port is in fg's subnet, else that of the other
    /// routers of this network. `None` where nothing does, or they disagree.
    pub(in crate::check) fn known(&self, router: &Router) -> Option<IpAddr> {
        if self.snat.len() == 1 {
            return self.snat.first().copied();
        }
        let mut others = self.siblings.iter().filter(|(id, _)| *id != router.id).map(|(_, via)| *via);
        let first = others.next()?;
        let rest: Vec<IpAddr> = others.collect();
        let own = self.of_router(router).and_then(Route::via);
        // One against one says nothing.
        let settled = own.is_none_or(|own| own == first) || !rest.is_empty();
        (settled && rest.iter().all(|via| *via == first)).then_some(first)
    }
}

/// The table that the router's packets ask: its own, or main.
fn table(router: &Router) -> Option<TableId> {
    match router.layout? {
        Layout::Juno | Layout::Newton => Some(TableId::MAIN),
        Layout::Pike => pair(router).map(crate::neutron::LinkLocalPair::table),
    }
}

/// The default route through a gateway, as the agent would set it.
pub(in crate::check) fn default_via(
    scene: &Scene<'_>,
    router: &Router,
    network: &ExternalNetwork,
    gateway: IpAddr,
) -> Option<Route> {
    let device = &network.gateway_port.as_ref()?.device;
    let everything = ipnet::IpNet::new(std::net::Ipv4Addr::UNSPECIFIED.into(), 0).ok()?;
    let protocol = protocol(scene, network);
    Some(Route { protocol, ..Route::unicast(table(router)?, everything, Some(gateway), device) })
}

/// How the agent marks its routes: `proto static` since 15.0.0, `boot` before;
/// told by those that stand.
pub(super) fn protocol(scene: &Scene<'_>, network: &ExternalNetwork) -> u8 {
    scene.index().protocols.get(&network.namespace).copied().unwrap_or(4)
}

/// The routers' ways out that are not as they should be, or that nobody could judge:
/// a link of the chain, once per router and network.
fn once<'s>(
    scene: &Scene<'s>,
    name: LinkName,
) -> impl Iterator<Item = (&'s FloatingIp, &'s Router, &'s ExternalNetwork, &'s ChainLink)> {
    let mut seen = BTreeSet::new();
    scene.amiss(Direction::Outbound, name).filter_map(move |(fip, link)| {
        let (router, network) = (scene.router_of(fip)?, scene.network(fip.external_network.as_deref()?)?);
        let is_first = fip.kind == FipKind::Distributed && seen.insert((router.id.as_str(), &network.namespace));
        is_first.then_some((fip, router, network, link))
    })
}

fn is_at_fault(link: &ChainLink) -> bool {
    matches!(link.state, LinkState::Missing | LinkState::Wrong) && !link.advisory
}

/// `table N` of a key `default table N`.
fn table_word(link: &ChainLink) -> &str {
    link.object.key.trim_start_matches("default ")
}

/// The lookup that a packet of the floating IP makes on its way out.
fn outward(fip: &FloatingIp, namespace: &NetnsName, fpr: &IfName) -> RouteQuestion {
    RouteQuestion {
        namespace: Some(namespace.clone()),
        src: fip.floating_ip,
        // TEST-NET-2 (RFC 5737): outside, wherever the node is.
        dst: IpAddr::V4(std::net::Ipv4Addr::new(198, 51, 100, 7)),
        iif: Some(fpr.clone()),
        mark: 0,
        tos: 0,
    }
}
