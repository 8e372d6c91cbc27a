//! A device that was down for a moment: the kernel drops every route and every
//! neighbour of it, and brings back only its own (`fib_disable_ip`,
//! `neigh_ifdown`).

use ipnet::IpNet;

use super::wanted;
use crate::check::view::{Look, Sight, View, each};
use crate::check::{Findings, Scene, Subject};
use crate::net::{IfName, Link, NeighState, Netns, NetnsName, Route, Rule};
use crate::neutron::{Layout, table_of};
use crate::topology::{ExternalNetwork, ObjectKind, ObjectRef};

/// DVR212, of the routers' devices. Of one that has lost one thing alone, that
/// thing's own check speaks.
pub(super) fn flapped(scene: &Scene<'_>, findings: &mut Findings) {
    each(scene, findings, |view, findings| {
        rfp(view, findings);
        fpr(view, findings);
        internal(view, findings);
    });
}

/// The same of gateway ports.
pub(super) fn flapped_outside(scene: &Scene<'_>, findings: &mut Findings) {
    for network in &scene.topology.external_networks {
        let (Some(port), true) = (&network.gateway_port, lost_all_defaults(scene, network)) else { continue };
        let Some(link) = scene.link(&network.namespace, &port.device).filter(|_| !port.addresses.is_empty()) else {
            continue;
        };
        let what = "the default routes of all routers";
        let finding = fire(findings, &Subject::network(network), &network.namespace, &port.device, what);
        if !link.is_up() {
            finding.message = while_down(&port.device, what);
        }
    }
}

fn rfp(view: &View<'_>, findings: &mut Findings) {
    let stands = view.rfp.link.is_some_and(Link::is_up) && !view.rfp.pairs().is_empty();
    let forgot = permanent(&view.fpr.neighs) && !permanent(&view.rfp.neighs);
    if stands && forgot && view.rfp.is_bare() && view.default_16().is_none() {
        let what = "the default route of table 16 and the neighbour entry of fpr";
        fire(findings, &view.subject(), view.qrouter, &view.rfp.name, what).mend(wanted::on_rfp(view));
    }
}

fn fpr(view: &View<'_>, findings: &mut Findings) {
    let Some(fip) = &view.fip else { return };
    let stands = view.fpr.link.is_some_and(Link::is_up) && !view.fpr.pairs().is_empty();
    let forgot = permanent(&view.rfp.neighs) && !permanent(&view.fpr.neighs);
    let count = view.distributed().count();
    // Where neighbours are kept, one that stands tells that the device did not go
    // down: somebody deleted the routes.
    let lost = if permanent(&view.rfp.neighs) || permanent(&view.fpr.neighs) { forgot } else { count > 1 };
    // A pair without floating IPs has no routes to lose.
    if stands && count > 0 && view.fpr.is_bare() && lost {
        let what = "the routes of the floating IPs and the neighbour entry of rfp";
        fire(findings, &view.subject(), &fip.name, &view.fpr.name, what).mend(wanted::on_fpr(view));
    }
}

/// A port on a subnet whose redirect rule stands, without route and neighbours.
fn internal(view: &View<'_>, findings: &mut Findings) {
    for (device, addr) in view.subnets() {
        let table = table_of(addr.address);
        let is_up = view.netns.link(device).is_some_and(Link::is_up);
        let redirected = view.rules().any(|rule: &Rule| rule.table() == Some(table));
        let made = |route: &&Route| route.dev() == Some(device) && route.protocol != 2 && route.dst.addr().is_ipv4();
        let has_routes = view.netns.routes().iter().any(|route| made(&route));
        let known = view
            .netns
            .neighs()
            .iter()
            .any(|neigh| neigh.dev == *device && neigh.state == NeighState::Permanent && neigh.address.is_ipv4());
        if redirected && !has_routes && !known {
            let what = "the way to the snat namespace and the neighbour entries";
            let finding = fire(findings, &view.subject(), view.qrouter, device, what);
            if !is_up {
                finding.message = while_down(device, what);
            }
        }
    }
}

/// Whether all routers of a network have lost their default routes there. Of a
/// single one it looks the same as a default route deleted.
fn lost_all_defaults(scene: &Scene<'_>, network: &ExternalNetwork) -> bool {
    let mut count = 0;
    for router in scene.routers.iter().filter(|router| router.external_network.as_ref() == Some(&network.id)) {
        let Look::Seen(view) = Look::at(scene, router, Sight::of(scene, router)) else { continue };
        match lost_default(scene, &view) {
            Some(true) => count += 1,
            Some(false) => return false,
            None => {}
        }
    }
    count > 1
}

/// Whether the router's own table in the fip namespace has no default route;
/// `None` where the layout has no such table.
fn lost_default(scene: &Scene<'_>, view: &View<'_>) -> Option<bool> {
    let is_pike = view.router.layout == Some(Layout::Pike);
    let table = view.pair().filter(|_| is_pike && view.fpr.link.is_some())?.table();
    let netns: &Netns = scene.netns(&view.fip.as_ref()?.name)?;
    let routes = netns.routes();
    // Sorted by table.
    let first = routes.partition_point(|route| route.table < table);
    let any: Option<&Route> = routes
        .get(first..)?
        .iter()
        .take_while(|route| route.table == table)
        .find(|route| route.is_default() && matches!(route.dst, IpNet::V4(_)));
    Some(any.is_none())
}

fn fire<'f>(
    findings: &'f mut Findings,
    subject: &Subject,
    namespace: &NetnsName,
    device: &IfName,
    what: &str,
) -> &'f mut crate::check::Finding {
    let message = format!("{device} is up with its address, but {what} are gone, as after a moment of being down");
    let object = ObjectRef { kind: ObjectKind::Link, key: device.to_string() };
    let finding = findings.fire(subject, Some(namespace), object, message);
    finding.values(what, "only what the kernel makes by itself").inferred()
}

/// What follows from a device that is down (DVR602, DVR710), and stays when it is
/// switched on.
fn while_down(device: &IfName, what: &str) -> String {
    format!("{device} is down, and {what} went with it: switched on, it is without them")
}

fn permanent(neighs: &[&crate::net::Neigh]) -> bool {
    neighs.iter().any(|neigh| neigh.state == NeighState::Permanent && neigh.address.is_ipv4())
}
