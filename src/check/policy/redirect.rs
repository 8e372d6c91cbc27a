//! A subnet's rules: to the snat namespace, and the fast exit.

use std::collections::{BTreeSet, HashSet};
use std::net::IpAddr;

use ipnet::IpNet;

use crate::check::view::{View, each};
use crate::check::{Findings, Scene, Severity, Subject};
use crate::net::{Addr, Change, Family, IfName, NeighState, Object, Route, Rule, TableId};
use crate::neutron::{FAST_EXIT_PRIORITY, FIP_TABLE, table_of};
use crate::topology::{ObjectKind, ObjectRef};

/// What stands of a subnet's redirect.
struct Redirect<'s> {
    device: &'s IfName,
    addr: &'s Addr,
    table: TableId,
    rule: bool,
    route: Option<&'s Route>,
    /// The snat namespace's address on the subnet, where anything tells it.
    sg: Option<IpAddr>,
}

/// DVR307. That a subnet should have one is told by the half that is left, by
/// the router's other subnets, or by the snat namespace's port.
pub(super) fn missing(scene: &Scene<'_>, findings: &mut Findings) {
    each(scene, findings, |view, findings| {
        // A subnet with a fast exit has no redirect; one that has lost its rule is DVR309.
        let routed = view.fpr.routes.iter().filter(|route| route.table == TableId::MAIN && route.via().is_some());
        let fast = fast_exits(view).filter_map(|rule| Some(rule.from?.trunc()));
        let fast: HashSet<IpNet> = fast.chain(routed.map(|route| route.dst)).collect();
        let redirects: Vec<Redirect> = view.subnets().map(|(device, addr)| redirect(view, device, addr)).collect();
        let others = redirects.iter().any(|found| found.rule && found.route.is_some());
        for found in &redirects {
            let here = view.router.snat_ports.iter().flat_map(|port| &port.addresses);
            let has_port = here.into_iter().any(|net| found.addr.address.contains(&net.addr()));
            let half = found.rule || found.route.is_some();
            let exempt = fast.contains(&found.addr.address.trunc());
            if half || !exempt && (has_port || others) {
                judge(view, findings, found, half || has_port);
            }
        }
    });
}

fn judge(view: &View<'_>, findings: &mut Findings, found: &Redirect<'_>, certain: bool) {
    let net = found.addr.address;
    let (word, table) = (net.to_string(), found.table);
    let rule = Rule { from: Some(net), ..Rule::lookup(Family::V4, table.0, table) };
    let leads = |route: &Route| {
        let inside = route.via().is_some_and(|via| net.contains(&via) && found.sg.is_none_or(|sg| sg == via));
        route.dev() == Some(found.device) && inside
    };
    let namespace = || Some(view.qrouter.clone());
    let mut changes = Vec::new();
    let wanted = found.sg.and_then(|sg| {
        let everywhere = IpNet::new(std::net::Ipv4Addr::UNSPECIFIED.into(), 0).ok()?;
        Some(Route { protocol: 4, ..Route::unicast(table, everywhere, Some(sg), found.device) })
    });
    let route_words =
        wanted.as_ref().map_or_else(|| format!("default via SG dev {} table {table}", found.device), Route::to_string);
    let (key, expected, actual, message) = match (found.rule, found.route) {
        (true, Some(route)) if leads(route) => return,
        (_, Some(route)) if !leads(route) => (
            ObjectRef { kind: ObjectKind::Route, key: format!("default table {table}") },
            route_words,
            route.to_string(),
            format!("the redirect of {} leads to {}, not to the snat namespace", net.trunc(), route.brief()),
        ),
        (true, _) => (
            ObjectRef { kind: ObjectKind::Route, key: format!("default table {table}") },
            route_words,
            "no default route".to_owned(),
            format!("the redirect of {} asks table {table}, which has no default route", net.trunc()),
        ),
        (false, _) => (
            ObjectRef { kind: ObjectKind::Rule, key: format!("from {word} lookup {table}") },
            rule.to_string(),
            "no rule for it".to_owned(),
            format!("no rule sends {} to the snat namespace", net.trunc()),
        ),
    };
    if !found.rule {
        changes.push(Change::new(namespace(), None, Some(Object::Rule(Box::new(rule)))));
    }
    if let Some(wanted) = wanted.filter(|_| !found.route.is_some_and(leads)) {
        let before = found.route.map(|route| Object::Route(Box::new(route.clone())));
        changes.push(Change::new(namespace(), before, Some(Object::Route(Box::new(wanted)))));
    }
    let whole = found.sg.is_some() || found.route.is_some_and(leads);
    let finding = findings.fire(&view.subject(), Some(view.qrouter), key, message);
    finding.values(expected, actual);
    if whole {
        finding.mend(changes);
    }
    if !certain {
        finding.inferred();
    }
}

/// DVR308: rule and table of a subnet that no port here is on.
pub(super) fn stale(scene: &Scene<'_>, findings: &mut Findings) {
    each(scene, findings, |view, findings| {
        let ports: BTreeSet<IpNet> = view.subnets().map(|(_, addr)| addr.address).collect();
        for rule in view.rules() {
            let Some(net) = rule.from.filter(|net| net.prefix_len() < 32 && rule.table() == Some(table_of(*net)))
            else {
                continue;
            };
            if rule.priority.0 != table_of(net).0 || ports.contains(&net) {
                continue;
            }
            let message = format!("a rule redirects {}, and no port of the router has {}", net.trunc(), net.addr());
            let key = format!("{} lookup {}", rule.selector(), table_of(net));
            let object = ObjectRef { kind: ObjectKind::Rule, key };
            let finding = findings.fire(&view.subject(), Some(view.qrouter), object, message);
            finding.values("no such rule", rule.to_string());
            let namespace = || Some(view.qrouter.clone());
            finding.mend([Change::new(namespace(), Some(Object::Rule(Box::new(rule.clone()))), None)]);
            let routes = view.netns.routes().iter().filter(|route| route.table == table_of(net));
            let gone = |route: &Route| Change::new(namespace(), Some(Object::Route(Box::new(route.clone()))), None);
            finding.mend(routes.map(gone).collect::<Vec<_>>());
        }
    });
}

/// DVR309: a fast exit for a subnet that is not there, or none for one that the
/// fip namespace has a route to.
pub(super) fn fast_exit(scene: &Scene<'_>, findings: &mut Findings) {
    each(scene, findings, |view, findings| {
        let ports: BTreeSet<IpNet> = view.subnets().map(|(_, addr)| addr.address.trunc()).collect();
        let ruled: BTreeSet<IpNet> = fast_exits(view).filter_map(|rule| Some(rule.from?.trunc())).collect();
        for rule in fast_exits(view) {
            let Some(net) = rule.from.map(|net| net.trunc()).filter(|net| !ports.contains(net)) else { continue };
            let message = format!("a fast exit rule stands for {net}, which is no subnet of the router");
            let finding = findings.fire(&view.subject(), Some(view.qrouter), fast_object(net), message);
            finding.values("no such rule", rule.to_string()).at_most(Severity::Warning);
            let gone = Some(Object::Rule(Box::new(rule.clone())));
            finding.mend([Change::new(Some(view.qrouter.clone()), gone, None)]);
        }
        let routed = view.fpr.routes.iter().filter(|route| route.table == TableId::MAIN && route.via().is_some());
        for net in routed.map(|route| route.dst).filter(|net| ports.contains(net) && !ruled.contains(net)) {
            let rule = Rule { from: Some(net), ..Rule::lookup(Family::V4, FAST_EXIT_PRIORITY.0, FIP_TABLE) };
            let message = format!("the fip namespace routes {net} to the router, and no fast exit rule leads back");
            let finding = findings.fire(&view.subject(), Some(view.qrouter), fast_object(net), message);
            finding.values(rule.to_string(), "no rule for it");
            let added = Some(Object::Rule(Box::new(rule)));
            finding.mend([Change::new(Some(view.qrouter.clone()), None, added)]);
        }
    });
}

/// DVR313: by design; said once for each router that has both.
pub(super) fn ipv6(scene: &Scene<'_>, findings: &mut Findings) {
    each(scene, findings, |view, findings| {
        let Some(fip) = view.distributed().next() else { return };
        let global = |net: &&IpNet| match net.addr() {
            IpAddr::V6(address) => !address.is_unicast_link_local(),
            IpAddr::V4(_) => false,
        };
        let mut ports = view.router.internal.iter();
        let Some((port, net)) = ports.find_map(|port| Some((port, port.addresses.iter().find(global)?))) else {
            return;
        };
        let message =
            format!("IPv6 of {} does not take the floating IPs' way: it goes through the network node", net.trunc());
        let object = ObjectRef { kind: ObjectKind::Addr, key: format!("{net} dev {}", port.device) };
        let subject = Subject { floating_ip: None, fixed_ip: None, ..Subject::floating_ip(fip) };
        findings.fire(&subject, Some(view.qrouter), object, message);
    });
}

fn redirect<'s>(view: &View<'s>, device: &'s IfName, addr: &'s Addr) -> Redirect<'s> {
    let table = table_of(addr.address);
    let is_rule = |rule: &Rule| {
        rule.table() == Some(table) && rule.from.is_some_and(|net| net.trunc() == addr.address.trunc()) && !rule.invert
    };
    let ports = view.router.snat_ports.iter().flat_map(|port| &port.addresses);
    let by_port = ports.map(IpNet::addr).find(|address| addr.address.contains(address));
    let route = view.default_of(table);
    let by_route = route.and_then(Route::via).filter(|via| addr.address.contains(via));
    Redirect {
        device,
        addr,
        table,
        rule: view.rules().any(is_rule),
        route,
        sg: by_port.or(by_route).or_else(|| by_neighbours(view, device, addr)),
    }
}

/// Where nothing else tells the snat namespace's address: the only permanent
/// neighbour that stands as a redirect's next hop does, if there is one alone.
fn by_neighbours(view: &View<'_>, device: &IfName, addr: &Addr) -> Option<IpAddr> {
    let known = view.netns.neighs().iter().filter(|neigh| {
        neigh.dev == *device && neigh.state == NeighState::Permanent && addr.address.contains(&neigh.address)
    });
    let instances: HashSet<IpAddr> = view.fips.iter().filter_map(|fip| fip.fixed_ip).collect();
    let candidates: Vec<IpAddr> =
        known.map(|neigh| neigh.address).filter(|address| !instances.contains(address)).collect();
    match candidates[..] {
        [only] => Some(only),
        _ => None,
    }
}

fn fast_exits<'v>(view: &'v View<'_>) -> impl Iterator<Item = &'v Rule> {
    view.rules().filter(|rule| rule.priority == FAST_EXIT_PRIORITY && rule.table() == Some(FIP_TABLE))
}

fn fast_object(net: IpNet) -> ObjectRef {
    ObjectRef { kind: ObjectKind::Rule, key: format!("from {net} lookup {FIP_TABLE}") }
}
