//! Addresses, and the routes that the kernel makes and unmakes with them
//! (`fib_add_ifaddr` and `fib_del_ifaddr` of `net/ipv4/fib_frontend.c`).

use std::net::{IpAddr, Ipv4Addr};

use ipnet::{IpNet, Ipv4Net};

use crate::net::{
    Addr, IFF_LOOPBACK, IFF_LOWER_UP, IFF_UP, Link, Netns, NextHop, Object as Thing, Route, RouteKind, TableId,
};

use super::{Effect, come, gone};

/// `RTPROT_KERNEL`.
const KERNEL: u8 = 2;
/// `RT_SCOPE_LINK`.
pub(super) const SCOPE_LINK: u8 = 253;
/// `RT_SCOPE_HOST`.
pub(super) const SCOPE_HOST: u8 = 254;

pub(super) fn add(netns: &Netns, addr: &Addr) -> Vec<Effect> {
    let Some(link) = netns.link(&addr.dev) else { return Vec::new() };
    if netns.addrs().iter().any(|there| there.dev == addr.dev && there.address == addr.address) {
        return Vec::new();
    }
    let mut addr = addr.clone();
    addr.flags.secondary = of(netns, link).any(|there| !there.flags.secondary && same_subnet(there, &addr));
    let mut after: Vec<Addr> = of(netns, link).cloned().collect();
    after.push(addr.clone());
    let mut effects = vec![come(Thing::Addr(addr))];
    effects.extend(difference(netns, link, &after));
    effects
}

pub(super) fn delete(netns: &Netns, addr: &Addr) -> Vec<Effect> {
    let found = netns.addrs().iter().find(|there| there.dev == addr.dev && there.address == addr.address);
    let (Some(addr), Some(link)) = (found, netns.link(&addr.dev)) else { return Vec::new() };
    let mut effects = vec![gone(Thing::Addr(addr.clone()))];
    let mut after: Vec<Addr> = of(netns, link).filter(|there| *there != addr).cloned().collect();
    if !addr.flags.secondary {
        let promotes = netns.sysctl("net.ipv4.conf.all.promote_secondaries") == Some(1);
        let heir = after.iter().position(|there| promotes && there.flags.secondary && same_subnet(there, addr));
        if let Some(heir) = heir.and_then(|at| after.get_mut(at)) {
            let before = heir.clone();
            heir.flags.secondary = false;
            effects.push((Some(Thing::Addr(before)), Some(Thing::Addr(heir.clone()))));
        } else {
            let (kept, lost) =
                after.into_iter().partition(|there| !(there.flags.secondary && same_subnet(there, addr)));
            after = kept;
            effects.extend(lost.into_iter().map(|lost: Addr| gone(Thing::Addr(lost))));
        }
    }
    let is_v4 = addr.address.addr().is_ipv4();
    if is_v4 && !after.iter().any(|there| there.address.addr().is_ipv4()) {
        // With its last address a device loses IPv4 (`fib_disable_ip`).
        effects.extend(routes(netns, link, |_| true));
        effects.extend(neighbours(netns, link, true));
        return effects;
    }
    effects.extend(difference(netns, link, &after));
    let others = netns.addrs().iter().filter(|there| there.dev != link.name).chain(&after);
    let local = addr.address.addr();
    if !others.into_iter().any(|there| there.address.addr() == local) {
        // `fib_sync_down_addr`: routes that would send from it.
        let from_it = netns
            .routes()
            .iter()
            .filter(|route| route.pref_src == Some(local) && route.table == TableId::MAIN && route.protocol != KERNEL);
        effects.extend(from_it.map(|route| gone(Thing::Route(Box::new(route.clone())))));
    }
    effects
}

/// The addresses of a device.
pub(super) fn of<'n>(netns: &'n Netns, link: &'n Link) -> impl Iterator<Item = &'n Addr> {
    netns.addrs().iter().filter(move |addr| addr.dev == link.name)
}

/// A device's IPv4 routes that hold, as deletions.
pub(super) fn routes(netns: &Netns, link: &Link, which: impl Fn(&Route) -> bool) -> Vec<Effect> {
    let all = netns.routes().iter().filter(|route| route.dst.addr().is_ipv4() && route.dev() == Some(&link.name));
    all.filter(|route| which(route)).map(|route| gone(Thing::Route(Box::new(route.clone())))).collect()
}

/// A device's neighbours, as deletions; IPv4's only, or all.
pub(super) fn neighbours(netns: &Netns, link: &Link, only_v4: bool) -> Vec<Effect> {
    let all = netns.neighs().iter().filter(|neigh| neigh.dev == link.name);
    all.filter(|neigh| !only_v4 || neigh.address.is_ipv4()).map(|neigh| gone(Thing::Neigh(neigh.clone()))).collect()
}

/// The routes that come and go when a device's addresses are these.
fn difference(netns: &Netns, link: &Link, after: &[Addr]) -> Vec<Effect> {
    let before: Vec<Addr> = of(netns, link).cloned().collect();
    let (old, new) = (made(link, &before), made(link, after));
    let is_there = |route: &Route| netns.routes().contains(route);
    let lost = old.into_iter().filter(|route| !new.contains(route) && is_there(route));
    let mut effects: Vec<Effect> = lost.map(|route| gone(Thing::Route(Box::new(route)))).collect();
    effects.extend(missing(netns, new));
    effects
}

/// Those of the routes that are not there yet.
pub(super) fn missing(netns: &Netns, routes: Vec<Route>) -> Vec<Effect> {
    let news = routes.into_iter().filter(|route| !netns.routes().contains(route));
    news.map(|route| come(Thing::Route(Box::new(route)))).collect()
}

/// The routes that the kernel makes for a device with these addresses.
pub(super) fn made(link: &Link, addrs: &[Addr]) -> Vec<Route> {
    let mut routes = Vec::new();
    for addr in addrs {
        let IpNet::V4(net) = addr.address else { continue };
        let primary = addrs.iter().find(|there| !there.flags.secondary && same_subnet(there, addr)).unwrap_or(addr);
        for route in of_address(link, addr, net, primary.address.addr()) {
            if !routes.contains(&route) {
                routes.push(route);
            }
        }
    }
    routes
}

fn of_address(link: &Link, addr: &Addr, net: Ipv4Net, source: IpAddr) -> Vec<Route> {
    let carrier = link.flags & IFF_LOWER_UP != 0;
    let route = |table: TableId, dst: Ipv4Net, kind: RouteKind, scope: u8| {
        let hop = NextHop {
            dev: Some(link.name.clone()),
            linkdown: scope != SCOPE_HOST && !carrier,
            weight: 1,
            ..NextHop::default()
        };
        let mut route = Route::unicast(table, IpNet::V4(dst), None, &link.name);
        (route.kind, route.scope, route.protocol, route.pref_src) = (kind, scope, KERNEL, Some(source));
        route.next_hops = vec![hop];
        route
    };
    let host = |address: Ipv4Addr| Ipv4Net::new_assert(address, 32);
    let broadcast = |address: Ipv4Addr| route(TableId::LOCAL, host(address), RouteKind::Broadcast, SCOPE_LINK);
    let mut routes = vec![route(TableId::LOCAL, host(net.addr()), RouteKind::Local, SCOPE_HOST)];
    if link.flags & IFF_UP == 0 {
        return routes;
    }
    if let Some(IpAddr::V4(address)) = addr.broadcast
        && address != Ipv4Addr::BROADCAST
    {
        routes.push(broadcast(address));
    }
    // With another end the subnet is that one's.
    let far = match addr.peer {
        Some(IpAddr::V4(peer)) => peer,
        _ => net.addr(),
    };
    let subnet = Ipv4Net::new_assert(far, net.prefix_len()).trunc();
    let is_own = subnet.prefix_len() == 32 && subnet.addr() == net.addr();
    if !addr.flags.secondary && !is_own && subnet.addr().octets()[0] != 0 {
        if !addr.flags.noprefixroute {
            let of_loopback = link.flags & IFF_LOOPBACK != 0;
            routes.push(if of_loopback {
                route(TableId::LOCAL, subnet, RouteKind::Local, SCOPE_HOST)
            } else {
                route(TableId::MAIN, subnet, RouteKind::Unicast, SCOPE_LINK)
            });
        }
        if subnet.prefix_len() < 31 && addr.broadcast != Some(IpAddr::V4(subnet.broadcast())) {
            routes.push(broadcast(subnet.broadcast()));
        }
    }
    routes
}

fn same_subnet(one: &Addr, other: &Addr) -> bool {
    let far = |addr: &Addr| IpNet::new(addr.peer.unwrap_or(addr.address.addr()), addr.address.prefix_len());
    match (far(one), far(other)) {
        (Ok(one), Ok(other)) => one.trunc() == other.trunc() && one.addr().is_ipv4(),
        _ => false,
    }
}
