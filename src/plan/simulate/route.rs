//! Routes, and whether the kernel takes them.

use crate::net::{IFF_LOWER_UP, IFF_UP, Netns, Object as Thing, Route, RouteKind, TableId};

use super::addr::SCOPE_LINK;
use super::{Effect, come, gone};

/// `RTPROT_BOOT`: nobody in particular.
const BOOT: u8 = 3;

pub(super) fn add(netns: &Netns, route: &Route) -> Option<Effect> {
    let route = taken(netns, route)?;
    let is_there = netns.routes().iter().any(|there| same_key(there, &route));
    (!is_there).then(|| come(Thing::Route(Box::new(route))))
}

pub(super) fn replace(netns: &Netns, route: &Route) -> Option<Effect> {
    let route = taken(netns, route)?;
    let before = netns.routes().iter().find(|there| same_key(there, &route));
    let boxed = |route: Route| Thing::Route(Box::new(route));
    (before != Some(&route)).then(|| (before.cloned().map(boxed), Some(boxed(route))))
}

pub(super) fn delete(netns: &Netns, route: &Route) -> Option<Effect> {
    let leads_so = |there: &&Route| same_key(there, route) && there.brief() == plain(route).brief();
    let plain_ones = |there: &&Route| same_key(there, route) && plain(there) == plain(route);
    let routes = netns.routes();
    let found = routes.iter().find(plain_ones).or_else(|| routes.iter().find(leads_so));
    found.map(|there| gone(Thing::Route(Box::new(there.clone()))))
}

/// The route as the kernel would keep it; `None` where it refuses.
fn taken(netns: &Netns, route: &Route) -> Option<Route> {
    let mut route = route.clone();
    route.dst = route.dst.trunc();
    if route.protocol == 0 {
        route.protocol = BOOT;
    }
    if route.kind == RouteKind::Unicast && route.next_hops.is_empty() {
        return None;
    }
    let source_is_ours = |source| netns.addrs().iter().any(|addr| addr.address.addr() == source);
    if !route.pref_src.is_none_or(source_is_ours) {
        return None;
    }
    for at in 0..route.next_hops.len() {
        let hop = route.next_hops.get(at)?;
        let link = netns.link(hop.dev.as_ref()?)?;
        if link.flags & IFF_UP == 0 {
            return None;
        }
        // A gateway has to be on the link, by a route that the kernel asks.
        let on_link = |via: std::net::IpAddr| {
            netns.routes().iter().any(|there| {
                [TableId::MAIN, route.table].contains(&there.table)
                    && there.kind == RouteKind::Unicast
                    && there.scope == SCOPE_LINK
                    && there.dev() == Some(&link.name)
                    && there.dst.contains(&via)
            })
        };
        if via_v4(hop.via).is_some_and(|via| !hop.onlink && !on_link(via)) {
            return None;
        }
        let linkdown = link.flags & IFF_LOWER_UP == 0;
        let hop = route.next_hops.get_mut(at)?;
        (hop.dead, hop.linkdown) = (false, linkdown);
    }
    Some(route)
}

fn via_v4(via: Option<std::net::IpAddr>) -> Option<std::net::IpAddr> {
    via.filter(std::net::IpAddr::is_ipv4)
}

/// A route without what the kernel says about its next hops.
fn plain(route: &Route) -> Route {
    let mut plain = route.clone();
    if plain.protocol == 0 {
        plain.protocol = BOOT;
    }
    for hop in &mut plain.next_hops {
        (hop.dead, hop.linkdown) = (false, false);
    }
    plain
}

fn same_key(one: &Route, other: &Route) -> bool {
    (one.table, one.dst, one.tos, one.metric, one.src)
        == (other.table, other.dst.trunc(), other.tos, other.metric, other.src)
}
