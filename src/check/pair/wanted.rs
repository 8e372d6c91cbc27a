//! What the agent puts on a pair, as objects that a repair can add.

use std::net::Ipv4Addr;

use ipnet::IpNet;

use crate::check::view::View;
use crate::net::{Addr, AddrFlags, Change, Neigh, NeighState, Object, Route, TableId};
use crate::neutron::{FIP_TABLE, Layout, LinkLocalPair};

/// `default via FPR dev rfp table 16`, where the pair is known.
pub(in crate::check) fn default_16(view: &View<'_>) -> Option<Route> {
    let nowhere = IpNet::new(Ipv4Addr::UNSPECIFIED.into(), 0).ok()?;
    let route = Route::unicast(FIP_TABLE, nowhere, Some(view.pair()?.fpr()), &view.rfp.name);
    Some(Route { protocol: protocol(view), ..route })
}

/// The change that puts table 16's default right.
pub(in crate::check) fn default_16_change(view: &View<'_>) -> Option<Change> {
    let before = view.default_16().cloned();
    let after = default_16(view)?;
    let same = |route: &Route| route.next_hops == after.next_hops && route.kind == after.kind;
    if before.as_ref().is_some_and(same) {
        return None;
    }
    let object = |route: Route| Object::Route(Box::new(route));
    Some(Change::new(Some(view.qrouter.clone()), before.map(object), Some(object(after))))
}

/// What rfp should carry and does not: its neighbour, then the default of table 16.
pub(super) fn on_rfp(view: &View<'_>) -> Vec<Change> {
    let mut changes: Vec<Change> = neighbour(view, true).into_iter().collect();
    changes.extend(default_16_change(view));
    changes
}

/// What stands on an end as it should and goes with its last address; also what
/// does not stand there.
pub(super) fn on_end_afresh(view: &View<'_>, at_rfp: bool) -> Vec<Change> {
    let namespace = if at_rfp { Some(view.qrouter) } else { view.fip.as_ref().map(|fip| &fip.name) };
    let (end, missing) = if at_rfp { (&view.rfp, on_rfp(view)) } else { (&view.fpr, on_fpr(view)) };
    let neighs = end.neighs.iter().filter(|neigh| neigh.state == NeighState::Permanent && neigh.address.is_ipv4());
    let routes = end.routes.iter().filter(|route| route.protocol != 2 && route.dst.addr().is_ipv4());
    let standing = neighs.map(|neigh| Object::Neigh((*neigh).clone()));
    let standing = standing.chain(routes.map(|route| Object::Route(Box::new((*route).clone()))));
    // What is put right is put back as it is to be.
    let is_replaced = |object: &Object| missing.iter().any(|change| change.before.as_ref() == Some(object));
    let kept = standing.filter(|object| !is_replaced(object));
    let kept = kept.map(|object| Change::new(namespace.cloned(), None, Some(object))).collect::<Vec<_>>();
    kept.into_iter().chain(missing).collect()
}

/// What fpr should carry and does not: its neighbour, then the floating IPs' routes.
pub(super) fn on_fpr(view: &View<'_>) -> Vec<Change> {
    let mut changes: Vec<Change> = neighbour(view, false).into_iter().collect();
    let (Some(fip), Some(pair)) = (&view.fip, view.pair()) else { return changes };
    for floating in view.distributed().filter_map(|fip| fip.floating_ip) {
        let dst = IpNet::from(floating);
        if view.fpr.routes.iter().any(|route| route.dst == dst && route.table == TableId::MAIN) {
            continue;
        }
        let route = Route::unicast(TableId::MAIN, dst, Some(pair.rfp()), &view.fpr.name);
        let route = Route { protocol: protocol(view), ..route };
        changes.push(Change::new(Some(fip.name.clone()), None, Some(Object::Route(Box::new(route)))));
    }
    changes
}

/// The permanent neighbour entry of one end, where it is not there and this
/// node's agent sets such entries: it did so at either end of some pair.
pub(super) fn neighbour(view: &View<'_>, at_rfp: bool) -> Option<Change> {
    let pair = view.pair()?;
    let (end, peer, address) =
        if at_rfp { (&view.rfp, &view.fpr, pair.fpr()) } else { (&view.fpr, &view.rfp, pair.rfp()) };
    let namespace = if at_rfp { view.qrouter.clone() } else { view.fip.as_ref()?.name.clone() };
    let mac = peer.link?.mac?;
    let before = end.neighs.iter().find(|neigh| neigh.address == address && !neigh.proxy);
    let wrong = before.is_some_and(|neigh| neigh.mac != Some(mac));
    if before.is_some() && !wrong || before.is_none() && !sets_neighbours(view) {
        return None;
    }
    let after = Neigh { dev: end.name.clone(), address, mac: Some(mac), state: NeighState::Permanent, proxy: false };
    Some(Change::new(Some(namespace), before.map(|neigh| Object::Neigh((*neigh).clone())), Some(Object::Neigh(after))))
}

/// Agents from 14.0.0 (also 13.0.2, 12.0.5, 11.0.7) set the neighbours of pairs.
/// Told by an entry at either end.
pub(super) fn sets_neighbours(view: &View<'_>) -> bool {
    let ends = view.rfp.neighs.iter().chain(&view.fpr.neighs);
    view.router.layout == Some(Layout::Pike) && ends.into_iter().any(|neigh| neigh.state == NeighState::Permanent)
}

/// An address of a pair, as the agent adds it.
pub(super) fn address(view: &View<'_>, pair: LinkLocalPair, at_rfp: bool) -> Option<Addr> {
    let (end, address) = if at_rfp { (&view.rfp, pair.rfp()) } else { (&view.fpr, pair.fpr()) };
    let address = IpNet::new(address, 31).ok()?;
    Some(Addr { dev: end.name.clone(), address, peer: None, broadcast: None, scope: 0, flags: AddrFlags::default() })
}

/// `proto static` from 15.0.0; told by the routes that stand.
fn protocol(view: &View<'_>) -> u8 {
    let routes = view.rfp.routes.iter().chain(&view.fpr.routes);
    let by_agent = routes.map(|route| route.protocol).find(|protocol| matches!(protocol, 3 | 4));
    by_agent.unwrap_or(if view.router.layout == Some(Layout::Pike) { 4 } else { 3 })
}
