//! One namespace, indexed once, so that everything later is a lookup, and every
//! lookup is known.

use std::cell::{OnceCell, RefCell};
use std::collections::{BTreeMap, BTreeSet, HashMap};
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
/// that could not be read answers with the reason. Each part is indexed when it
/// is first asked for, and what is asked is remembered, so that it is known
/// whether another reading would answer the same.
pub(super) struct Space<'a> {
    netns: Option<&'a Netns>,
    /// Why it could not be read.
    blind: Option<&'a str>,
    nat: OnceCell<Part<Nat<'a>>>,
    links: OnceCell<Part<HashMap<&'a str, &'a Link>>>,
    indexes: OnceCell<HashMap<u32, &'a Link>>,
    kinds: OnceCell<BTreeMap<DeviceKind, Vec<&'a Link>>>,
    addrs: OnceCell<Part<ByDevice<'a, Addr>>>,
    owners: OnceCell<HashMap<IpAddr, &'a Addr>>,
    rules: OnceCell<Part<Rules<'a>>>,
    routes: OnceCell<Part<Routes<'a>>>,
    neighs: OnceCell<Part<HashMap<(&'a str, IpAddr), &'a Neigh>>>,
    looks: RefCell<BTreeSet<Look>>,
}

/// What a namespace was asked.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Look {
    Here,
    Link(String),
    LinkAt(u32),
    Devices(DeviceKind),
    Addrs(String),
    Owner(IpAddr),
    RulesFrom(IpNet),
    RulesIif(String),
    Rules,
    Routes(TableId, IpNet),
    AllRoutes,
    HostRoutes(String),
    OnLink(String, IpAddr),
    Neigh(String, IpAddr),
    Nat,
    Sysctl(String),
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
    /// A namespace as it was read.
    pub(super) fn of(netns: &'a Observed<Arc<Netns>>) -> Self {
        match netns {
            Observed::Seen(netns) => Self { netns: Some(netns), ..Self::nowhere() },
            Observed::Unreadable(why) => Self::blind(why),
            Observed::Absent => Self::nowhere(),
        }
    }

    /// A namespace of which nothing is known.
    pub(super) fn blind(why: &'a str) -> Self {
        Self { blind: Some(why), ..Self::nowhere() }
    }

    /// A namespace that does not stand here.
    pub(super) fn nowhere() -> Self {
        Self {
            netns: None,
            blind: None,
            nat: OnceCell::new(),
            links: OnceCell::new(),
            indexes: OnceCell::new(),
            kinds: OnceCell::new(),
            addrs: OnceCell::new(),
            owners: OnceCell::new(),
            rules: OnceCell::new(),
            routes: OnceCell::new(),
            neighs: OnceCell::new(),
            looks: RefCell::default(),
        }
    }

    /// It stands on the node (readable or not).
    pub(super) fn is_here(&self) -> bool {
        self.look(Look::Here);
        self.netns.is_some() || self.blind.is_some()
    }

    /// The device of that name.
    pub(super) fn link(&self, device: &str) -> Seen<'_, Option<&'a Link>> {
        self.look(Look::Link(device.to_owned()));
        let index = |links: &'a [Link]| links.iter().map(|link| (link.name.as_str(), link)).collect();
        Ok(self.part(&self.links, |netns| part(&netns.links, index))?.get(device).copied())
    }

    /// The device of that index.
    pub(super) fn link_at(&self, index: u32) -> Option<&'a Link> {
        self.look(Look::LinkAt(index));
        let links = self.netns.map_or(&[][..], Netns::links);
        self.indexes.get_or_init(|| links.iter().map(|link| (link.index, link)).collect()).get(&index).copied()
    }

    /// The devices of one kind, in the kernel's order.
    pub(super) fn devices(&self, kind: DeviceKind) -> &[&'a Link] {
        self.look(Look::Devices(kind));
        let kinds = self.kinds.get_or_init(|| {
            let mut kinds: BTreeMap<DeviceKind, Vec<&'a Link>> = BTreeMap::new();
            for link in self.netns.map_or(&[][..], Netns::links) {
                if let Some((kind, _)) = parse_device(&link.name) {
                    kinds.entry(kind).or_default().push(link);
                }
            }
            kinds
        });
        kinds.get(&kind).map_or(&[], Vec::as_slice)
    }

    /// The IPv4 addresses of a device.
    pub(super) fn addrs(&self, device: &str) -> Seen<'_, impl Iterator<Item = &'a Addr>> {
        Ok(self.of_device(device)?.iter().copied().filter(|addr| addr.address.addr().is_ipv4()))
    }

    /// The addresses of a device, of both families; none where they could not be
    /// read.
    pub(super) fn all_addrs(&self, device: &str) -> impl Iterator<Item = &'a Addr> {
        self.of_device(device).unwrap_or_default().iter().copied()
    }

    fn of_device(&self, device: &str) -> Seen<'_, &[&'a Addr]> {
        self.look(Look::Addrs(device.to_owned()));
        let index = |addrs| by_device(addrs, |addr: &Addr| Some(&addr.dev));
        let addrs = self.part(&self.addrs, |netns| part(&netns.addrs, index))?;
        Ok(addrs.get(device).map_or(&[], Vec::as_slice))
    }

    /// Who has that address.
    pub(super) fn owner(&self, address: IpAddr) -> Option<&'a Addr> {
        self.look(Look::Owner(address));
        let addrs = self.netns.map_or(&[][..], Netns::addrs);
        let owners = self.owners.get_or_init(|| addrs.iter().map(|addr| (addr.address.addr(), addr)).collect());
        owners.get(&address).copied()
    }

    /// The rules with that source selector, in the kernel's order.
    pub(super) fn rules_from(&self, source: IpNet) -> Seen<'_, &[&'a Rule]> {
        self.look(Look::RulesFrom(source));
        Ok(self.rules()?.from.get(&source).map_or(&[], Vec::as_slice))
    }

    /// The rules with that input device.
    pub(super) fn rules_iif(&self, device: &str) -> Seen<'_, &[&'a Rule]> {
        self.look(Look::RulesIif(device.to_owned()));
        Ok(self.rules()?.iif.get(device).map_or(&[], Vec::as_slice))
    }

    fn rules(&self) -> Seen<'_, &Rules<'a>> {
        self.part(&self.rules, |netns| part(&netns.rules, index_rules))
    }

    /// All rules, none where they could not be read.
    pub(super) fn all_rules(&self) -> &'a [Rule] {
        self.look(Look::Rules);
        self.netns.map_or(&[], Netns::rules)
    }

    /// The routes of a table to exactly that prefix.
    pub(super) fn routes(&self, table: TableId, dst: IpNet) -> Seen<'_, &[&'a Route]> {
        self.look(Look::Routes(table, dst));
        Ok(self.indexed_routes()?.by_dst.get(&(table, dst)).map_or(&[], Vec::as_slice))
    }

    /// All routes, none where they could not be read.
    pub(super) fn all_routes(&self) -> &'a [Route] {
        self.look(Look::AllRoutes);
        self.netns.map_or(&[], Netns::routes)
    }

    /// Routes of main to single addresses out of a device; none where the routes
    /// could not be read.
    pub(super) fn host_routes(&self, device: &str) -> &[&'a Route] {
        self.look(Look::HostRoutes(device.to_owned()));
        self.indexed_routes().ok().and_then(|routes| routes.hosts.get(device)).map_or(&[], Vec::as_slice)
    }

    /// The route of main that has an address on the link of a device.
    pub(super) fn onlink(&self, device: &str, address: IpAddr) -> Seen<'_, Option<&'a Route>> {
        self.look(Look::OnLink(device.to_owned(), address));
        let routes = self.indexed_routes()?.onlink.get(device).map_or(&[][..], Vec::as_slice);
        Ok(routes.iter().copied().find(|route| route.dst.contains(&address)))
    }

    fn indexed_routes(&self) -> Seen<'_, &Routes<'a>> {
        self.part(&self.routes, |netns| part(&netns.routes, index_routes))
    }

    /// The neighbour entry of an address on a device.
    pub(super) fn neigh(&self, device: &str, address: IpAddr) -> Seen<'_, Option<&'a Neigh>> {
        self.look(Look::Neigh(device.to_owned(), address));
        let index = |neighs: &'a [Neigh]| {
            let real = neighs.iter().filter(|neigh| !neigh.proxy);
            real.map(|neigh| ((neigh.dev.as_str(), neigh.address), neigh)).collect()
        };
        let neighs: &HashMap<(&str, IpAddr), &'a Neigh> =
            self.part(&self.neighs, |netns| part(&netns.neighs, index))?;
        Ok(neighs.get(&(device, address)).copied())
    }

    /// The translation rules.
    pub(super) fn nat(&self) -> Seen<'_, &Nat<'a>> {
        self.look(Look::Nat);
        self.part(&self.nat, |netns| Nat::of(&netns.netfilter))
    }

    /// A setting that netlink does not carry.
    pub(super) fn sysctl(&self, name: &str) -> Option<i64> {
        self.look(Look::Sysctl(name.to_owned()));
        self.netns?.sysctl(name)
    }

    /// What was asked since it was forgotten.
    pub(super) fn looks(&self) -> BTreeSet<Look> {
        self.looks.borrow().clone()
    }

    /// Forgets what was asked.
    pub(super) fn forget_looks(&self) {
        self.looks.borrow_mut().clear();
    }

    /// Whether both answer all of that the same.
    pub(super) fn agree<'l>(&self, other: &Self, looks: impl IntoIterator<Item = &'l Look>) -> bool {
        looks.into_iter().all(|look| self.agrees(other, look))
    }

    fn agrees(&self, other: &Self, look: &Look) -> bool {
        match look {
            Look::Here => self.is_here() == other.is_here(),
            Look::Link(device) => match (self.link(device), other.link(device)) {
                (Ok(own), Ok(others)) => same_links(own, others),
                (own, others) => own == others,
            },
            Look::LinkAt(index) => same_links(self.link_at(*index), other.link_at(*index)),
            Look::Devices(kind) => {
                let (own, others) = (self.devices(*kind), other.devices(*kind));
                same_links(own.iter().copied(), others.iter().copied())
            }
            Look::Addrs(device) => self.of_device(device) == other.of_device(device),
            Look::Owner(address) => self.owner(*address) == other.owner(*address),
            Look::RulesFrom(source) => self.rules_from(*source) == other.rules_from(*source),
            Look::RulesIif(device) => self.rules_iif(device) == other.rules_iif(device),
            Look::Rules => self.all_rules() == other.all_rules(),
            Look::Routes(table, dst) => self.routes(*table, *dst) == other.routes(*table, *dst),
            Look::AllRoutes => self.all_routes() == other.all_routes(),
            Look::HostRoutes(device) => self.host_routes(device) == other.host_routes(device),
            Look::OnLink(device, address) => self.onlink(device, *address) == other.onlink(device, *address),
            Look::Neigh(device, address) => self.neigh(device, *address) == other.neigh(device, *address),
            Look::Nat => {
                let netfilter = |space: &Self| (space.netns.map(|netns| &netns.netfilter), space.blind);
                netfilter(self) == netfilter(other)
            }
            Look::Sysctl(name) => self.sysctl(name) == other.sysctl(name),
        }
    }

    fn look(&self, look: Look) {
        self.looks.borrow_mut().insert(look);
    }

    /// A part, indexed when first asked for.
    fn part<'s, T: Default>(
        &'s self,
        cell: &'s OnceCell<Part<T>>,
        index: impl FnOnce(&'a Netns) -> Part<T>,
    ) -> Seen<'s, &'s T> {
        let made = cell.get_or_init(|| match (self.netns, self.blind) {
            (Some(netns), _) => index(netns),
            (None, Some(why)) => Err(why.to_owned()),
            (None, None) => Ok(T::default()),
        });
        made.as_ref().map_err(String::as_str)
    }
}

/// Counters tell nothing of a node.
fn same_links<'l>(own: impl IntoIterator<Item = &'l Link>, others: impl IntoIterator<Item = &'l Link>) -> bool {
    let (mut own, mut others) = (own.into_iter(), others.into_iter());
    loop {
        match (own.next(), others.next()) {
            (Some(one), Some(other)) if one.same_as(other) => {}
            (None, None) => return true,
            _ => return false,
        }
    }
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
