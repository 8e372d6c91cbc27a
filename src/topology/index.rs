//! One namespace, indexed once, so that everything later is a lookup.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use ipnet::IpNet;

use super::nat::Nat;
use crate::net::{Addr, IfName, Link, Neigh, Netns, Observed, Route, RouteKind, Rule, TableId};
use crate::neutron::{DeviceKind, parse_device};

/// What a lookup came to; the error says why the part could not be read.
pub(super) type Seen<'s, T> = Result<T, &'s str>;

/// A part of a namespace, indexed, or why it could not be read.
type Part<T> = Result<T, String>;

type ByDevice<'a, T> = HashMap<&'a str, Vec<&'a T>>;

/// A namespace. One that is not there answers every lookup with nothing; one
/// that could not be read answers with the reason.
pub(super) struct Space<'a> {
    /// It stands on the node (readable or not).
    pub(super) here: bool,
    /// Its translation rules.
    nat: Part<Nat<'a>>,
    netns: Option<&'a Netns>,
    links: Part<HashMap<&'a str, &'a Link>>,
    indexes: HashMap<u32, &'a Link>,
    addrs: Part<ByDevice<'a, Addr>>,
    owners: HashMap<IpAddr, &'a Addr>,
    rules: Part<Rules<'a>>,
    routes: Part<Routes<'a>>,
    neighs: Part<HashMap<(&'a str, IpAddr), &'a Neigh>>,
}

#[derive(Default)]
struct Rules<'a> {
    from: HashMap<IpNet, Vec<&'a Rule>>,
    iif: ByDevice<'a, Rule>,
}

#[derive(Default)]
struct Routes<'a> {
    by_dst: HashMap<(TableId, IpNet), Vec<&'a Route>>,
    /// Routes to one address in main, by device.
    hosts: ByDevice<'a, Route>,
    /// Routes in main that need no gateway, by device.
    onlink: ByDevice<'a, Route>,
}

/// `0.0.0.0/0`.
pub(super) fn default_v4() -> IpNet {
    IpNet::from(ipnet::Ipv4Net::new_assert(Ipv4Addr::UNSPECIFIED, 0))
}

impl<'a> Space<'a> {
    /// Indexes a namespace.
    pub(super) fn of(netns: &'a Observed<Arc<Netns>>) -> Self {
        match netns {
            Observed::Seen(netns) => Self::seen(netns),
            Observed::Unreadable(why) => Self::blind(why),
            Observed::Absent => Self::nowhere(),
        }
    }

    /// A namespace of which nothing is known.
    pub(super) fn blind(why: &str) -> Self {
        Self {
            here: true,
            nat: Err(why.to_owned()),
            links: Err(why.to_owned()),
            addrs: Err(why.to_owned()),
            rules: Err(why.to_owned()),
            routes: Err(why.to_owned()),
            neighs: Err(why.to_owned()),
            ..Self::nowhere()
        }
    }

    /// A namespace that does not stand here.
    pub(super) fn nowhere() -> Self {
        Self {
            here: false,
            netns: None,
            nat: Ok(Nat::default()),
            links: Ok(HashMap::new()),
            indexes: HashMap::new(),
            addrs: Ok(HashMap::new()),
            owners: HashMap::new(),
            rules: Ok(Rules::default()),
            routes: Ok(Routes::default()),
            neighs: Ok(HashMap::new()),
        }
    }

    fn seen(netns: &'a Netns) -> Self {
        Self {
            here: true,
            netns: Some(netns),
            nat: Nat::of(&netns.netfilter),
            links: part(&netns.links, |links| links.iter().map(|link| (link.name.as_str(), link)).collect()),
            indexes: netns.links().iter().map(|link| (link.index, link)).collect(),
            addrs: part(&netns.addrs, |addrs| by_device(addrs, |addr| Some(&addr.dev))),
            owners: netns.addrs().iter().map(|addr| (addr.address.addr(), addr)).collect(),
            rules: part(&netns.rules, index_rules),
            routes: part(&netns.routes, index_routes),
            neighs: part(&netns.neighs, |neighs| {
                let real = neighs.iter().filter(|neigh| !neigh.proxy);
                real.map(|neigh| ((neigh.dev.as_str(), neigh.address), neigh)).collect()
            }),
        }
    }

    /// The device of that name.
    pub(super) fn link(&self, device: &str) -> Seen<'_, Option<&'a Link>> {
        Ok(seen(&self.links)?.get(device).copied())
    }

    /// The device of that index.
    pub(super) fn link_at(&self, index: u32) -> Option<&'a Link> {
        self.indexes.get(&index).copied()
    }

    /// The devices of one kind, in the kernel's order.
    pub(super) fn devices(&self, kind: DeviceKind) -> impl Iterator<Item = &'a Link> {
        let links = self.netns.map_or(&[][..], Netns::links);
        links.iter().filter(move |link| parse_device(&link.name).is_some_and(|(found, _)| found == kind))
    }

    /// The IPv4 addresses of a device.
    pub(super) fn addrs(&self, device: &str) -> Seen<'_, impl Iterator<Item = &'a Addr>> {
        let addrs = seen(&self.addrs)?.get(device).map_or(&[][..], Vec::as_slice);
        Ok(addrs.iter().copied().filter(|addr| addr.address.addr().is_ipv4()))
    }

    /// The addresses of a device, of both families; none where they could not be
    /// read.
    pub(super) fn all_addrs(&self, device: &str) -> impl Iterator<Item = &'a Addr> {
        let addrs = self.addrs.as_ref().ok().and_then(|addrs| addrs.get(device));
        addrs.map_or(&[][..], Vec::as_slice).iter().copied()
    }

    /// Who has that address.
    pub(super) fn owner(&self, address: IpAddr) -> Option<&'a Addr> {
        self.owners.get(&address).copied()
    }

    /// The rules with that source selector, in the kernel's order.
    pub(super) fn rules_from(&self, source: IpNet) -> Seen<'_, &[&'a Rule]> {
        Ok(seen(&self.rules)?.from.get(&source).map_or(&[], Vec::as_slice))
    }

    /// The rules with that input device.
    pub(super) fn rules_iif(&self, device: &str) -> Seen<'_, &[&'a Rule]> {
        Ok(seen(&self.rules)?.iif.get(device).map_or(&[], Vec::as_slice))
    }

    /// All rules, none where they could not be read.
    pub(super) fn all_rules(&self) -> &'a [Rule] {
        self.netns.map_or(&[], Netns::rules)
    }

    /// The routes of a table to exactly that prefix.
    pub(super) fn routes(&self, table: TableId, dst: IpNet) -> Seen<'_, &[&'a Route]> {
        Ok(seen(&self.routes)?.by_dst.get(&(table, dst)).map_or(&[], Vec::as_slice))
    }

    /// All routes, none where they could not be read.
    pub(super) fn all_routes(&self) -> &'a [Route] {
        self.netns.map_or(&[], Netns::routes)
    }

    /// Routes of main to single addresses out of a device; none where the routes
    /// could not be read.
    pub(super) fn host_routes(&self, device: &str) -> &[&'a Route] {
        self.routes.as_ref().ok().and_then(|routes| routes.hosts.get(device)).map_or(&[], Vec::as_slice)
    }

    /// The route of main that has an address on the link of a device.
    pub(super) fn onlink(&self, device: &str, address: IpAddr) -> Seen<'_, Option<&'a Route>> {
        let routes = seen(&self.routes)?.onlink.get(device).map_or(&[][..], Vec::as_slice);
        Ok(routes.iter().copied().find(|route| route.dst.contains(&address)))
    }

    /// The neighbour entry of an address on a device.
    pub(super) fn neigh(&self, device: &str, address: IpAddr) -> Seen<'_, Option<&'a Neigh>> {
        Ok(seen(&self.neighs)?.get(&(device, address)).copied())
    }

    /// The translation rules.
    pub(super) fn nat(&self) -> Seen<'_, &Nat<'a>> {
        seen(&self.nat)
    }

    /// A setting that netlink does not carry.
    pub(super) fn sysctl(&self, name: &str) -> Option<i64> {
        self.netns?.sysctl(name)
    }
}

fn seen<T>(part: &Part<T>) -> Seen<'_, &T> {
    part.as_ref().map_err(String::as_str)
}

fn part<'a, T, U: Default>(observed: &'a Observed<Vec<T>>, index: impl FnOnce(&'a [T]) -> U) -> Part<U> {
    match observed {
        Observed::Seen(list) => Ok(index(list)),
        Observed::Absent => Ok(U::default()),
        Observed::Unreadable(why) => Err(why.clone()),
    }
}

fn by_device<'a, T>(list: &'a [T], device: impl Fn(&'a T) -> Option<&'a IfName>) -> ByDevice<'a, T> {
    let mut map: ByDevice<'a, T> = HashMap::new();
    for item in list {
        if let Some(device) = device(item) {
            map.entry(device.as_str()).or_default().push(item);
        }
    }
    map
}

fn index_rules(rules: &[Rule]) -> Rules<'_> {
    let mut from: HashMap<IpNet, Vec<&Rule>> = HashMap::new();
    for rule in rules {
        if let Some(source) = rule.from {
            from.entry(source).or_default().push(rule);
        }
    }
    Rules { from, iif: by_device(rules, |rule| rule.iif.as_ref()) }
}

fn index_routes(routes: &[Route]) -> Routes<'_> {
    let mut indexed = Routes::default();
    for route in routes {
        indexed.by_dst.entry((route.table, route.dst)).or_default().push(route);
        if route.table != TableId::MAIN || route.kind != RouteKind::Unicast {
            continue;
        }
        let Some(device) = route.dev() else { continue };
        if route.dst.prefix_len() == route.dst.max_prefix_len() && route.via().is_some() {
            indexed.hosts.entry(device.as_str()).or_default().push(route);
        } else if route.via().is_none() {
            indexed.onlink.entry(device.as_str()).or_default().push(route);
        }
    }
    indexed
}
