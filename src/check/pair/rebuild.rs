//! The whole pair made anew: two devices with their addresses, neighbours,
//! routes and rule, as this node's agent would make them.

use std::net::{IpAddr, Ipv4Addr};

use ipnet::IpNet;

use crate::check::view::View;
use crate::check::{Scene, Subject};
use crate::net::{
    Addr, AddrFlags, Change, Family, IFF_LOWER_UP, IFF_UP, IfName, Link, LinkStats, Mac, Neigh, NeighState, Netns,
    NetnsName, Object, OperState, Peer, Route, Rule, TableId,
};
use crate::neutron::{DeviceKind, FIP_TABLE, Layout, LinkLocalPair, Release};
use crate::topology::ExternalNetwork;

/// The first release whose agent sets the neighbours of a pair, whatever was
/// backported.
const NEIGHBOURS_SINCE: Release = Release::new(14, 0, 0);
/// `RTPROT_BOOT` and `RTPROT_STATIC`.
const BY_AGENT: [u8; 2] = [3, 4];

/// What is known of a pair that has to be made anew.
struct Wanted<'w> {
    view: &'w View<'w>,
    network: &'w ExternalNetwork,
    fip: &'w Netns,
    addresses: LinkLocalPair,
    layout: Layout,
    protocol: u8,
    macs: [Mac; 2],
    neighbours: bool,
    stray: Option<Stray<'w>>,
}

/// The end that is missing, in another namespace.
struct Stray<'w> {
    /// `None` is the host's own.
    place: Option<&'w NetnsName>,
    link: &'w Link,
}

/// The changes that make it, or take back the end that stands elsewhere; none where the node does not tell its external
/// network, addresses and layout, or something else has them.
pub(super) fn rebuild(scene: &Scene<'_>, view: &View<'_>) -> Vec<Change> {
    let Some(wanted) = Wanted::of(scene, view) else { return Vec::new() };
    let mut changes = match &wanted.stray {
        Some(stray) => wanted.taken_back(stray),
        None => wanted.leftover().into_iter().chain(wanted.devices()).collect(),
    };
    changes.extend(wanted.addresses());
    if wanted.neighbours {
        changes.extend(wanted.neighbours());
    }
    changes.extend(wanted.routes());
    changes.extend(wanted.own_table());
    changes
}

impl<'w> Wanted<'w> {
    fn of(scene: &'w Scene<'_>, view: &'w View<'w>) -> Option<Self> {
        let network = network(scene, view)?;
        let fip = scene.netns(&network.namespace)?;
        // What was not read is not taken for missing.
        let was_read = fip.links.seen().is_some() && fip.addrs.seen().is_some() && fip.rules.seen().is_some();
        if !was_read || fip.routes.seen().is_none() {
            return None;
        }
        let by_rule = || iif_rule(fip, &view.fpr.name)?.table().and_then(pair_of);
        let addresses = view.pair().or_else(by_rule)?;
        let is_others = |link: &Link| link.name == view.fpr.name && view.fpr.link.is_none();
        let on_other =
            |addr: &Addr| addr.dev != view.fpr.name && LinkLocalPair::of_net(addr.address) == Some(addresses);
        if fip.links().iter().any(is_others) || fip.addrs().iter().any(on_other) {
            return None;
        }
        let layout = view.router.told_layout?;
        let told = fip.routes().iter().map(|route| route.protocol).find(|protocol| BY_AGENT.contains(protocol));
        let seen = |neigh: &Neigh| DeviceKind::FipToRouter.is(&neigh.dev) && neigh.state == NeighState::Permanent;
        let neighbours =
            layout == Layout::Pike && (fip.neighs().iter().any(seen) || scene.release().is_at_least(NEIGHBOURS_SINCE));
        let protocol = told.unwrap_or(if layout == Layout::Pike { 4 } else { 3 });
        let stray = stray(scene, view);
        let told = |link: Option<&Link>| link.or(stray.as_ref().map(|stray| stray.link)).and_then(|link| link.mac);
        let macs = match (&stray, told(view.rfp.link), told(view.fpr.link)) {
            (Some(_), Some(rfp), Some(fpr)) => [rfp, fpr],
            (Some(_), ..) => return None,
            (None, ..) => [0x02, 0x06].map(|first| mac(first, view)),
        };
        Some(Self { view, network, fip, addresses, layout, protocol, macs, neighbours, stray })
    }

    /// The end that stands elsewhere put back, and both ends switched on.
    fn taken_back(&self, stray: &Stray<'_>) -> Vec<Change> {
        let object = |link: Link| Some(Object::Link(Box::new(link)));
        let on = |link: &Link| Link {
            flags: link.flags | IFF_UP | IFF_LOWER_UP,
            state: OperState::Up,
            master: None,
            ..link.clone()
        };
        let router = self.view.qrouter;
        let (home, left) = match self.view.rfp.link {
            Some(rfp) => (&self.network.namespace, (router, rfp)),
            None => (router, (&self.network.namespace, self.view.fpr.link.unwrap_or(stray.link))),
        };
        let mut changes = vec![
            Change::new(stray.place.cloned(), object(stray.link.clone()), None),
            Change::new(Some(home.clone()), None, object(on(stray.link))),
        ];
        if !left.1.is_up() {
            changes.push(Change::new(Some(left.0.clone()), object(left.1.clone()), object(on(left.1))));
        }
        changes
    }

    /// The half that is left, with what stands on it.
    fn leftover(&self) -> Option<Change> {
        let inner = self.view.rfp.link.map(|link| (self.view.qrouter, link));
        let (place, link) = inner.or_else(|| Some((&self.network.namespace, self.view.fpr.link?)))?;
        Some(Change::new(Some(place.clone()), Some(Object::Link(Box::new(link.clone()))), None))
    }

    fn devices(&self) -> [Change; 2] {
        let mut ports = self.fip.links().iter().filter(|link| DeviceKind::AgentGateway.is(&link.name));
        let mtu = ports.next().filter(|_| ports.next().is_none()).map_or(1500, |fg| fg.mtu);
        let next = |netns: &Netns| netns.links().iter().map(|link| link.index).max().unwrap_or(0).saturating_add(1);
        let indexes = [next(self.view.netns), next(self.fip)];
        let places = [self.view.qrouter, &self.network.namespace];
        let names = [&self.view.rfp.name, &self.view.fpr.name];
        [(0, 1), (1, 0)].map(|(own, other)| {
            let peer = Peer::In(places[other].clone(), indexes[other]);
            let link = link(names[own], self.macs[own], mtu, (indexes[own], peer));
            come(places[own], Object::Link(Box::new(Link { link: Some(indexes[other]), ..link })))
        })
    }

    /// The two link-local ones; in Juno the floating IPs as well.
    fn addresses(&self) -> Vec<Change> {
        let addr = |dev: &IfName, address: IpNet, broadcast| {
            Object::Addr(Addr {
                dev: dev.clone(),
                address,
                peer: None,
                broadcast,
                scope: 0,
                flags: AddrFlags::default(),
            })
        };
        let host = |address: IpAddr| IpNet::new(address, 31).unwrap_or_else(|_| IpNet::from(address));
        let (rfp, fpr) = (&self.view.rfp.name, &self.view.fpr.name);
        let mut changes = vec![
            come(self.view.qrouter, addr(rfp, host(self.addresses.rfp()), None)),
            come(&self.network.namespace, addr(fpr, host(self.addresses.fpr()), None)),
        ];
        let floating = self.floating().filter(|_| self.layout == Layout::Juno);
        changes.extend(floating.map(|ip| come(self.view.qrouter, addr(rfp, IpNet::from(ip), Some(ip)))));
        changes
    }

    fn neighbours(&self) -> [Change; 2] {
        let neigh = |dev: &IfName, address: IpAddr, mac: Mac| {
            let dev = dev.clone();
            Object::Neigh(Neigh { dev, address, mac: Some(mac), state: NeighState::Permanent, proxy: false })
        };
        let (rfp, fpr) = (&self.view.rfp.name, &self.view.fpr.name);
        [
            come(self.view.qrouter, neigh(rfp, self.addresses.fpr(), self.macs[1])),
            come(&self.network.namespace, neigh(fpr, self.addresses.rfp(), self.macs[0])),
        ]
    }

    /// Table 16's default, and what leads to the floating IPs.
    fn routes(&self) -> Vec<Change> {
        let (rfp, fpr) = (&self.view.rfp.name, &self.view.fpr.name);
        let mut changes = vec![self.route(self.view.qrouter, FIP_TABLE, anywhere(), self.addresses.fpr(), rfp)];
        let place = &self.network.namespace;
        let to_router = self.addresses.rfp();
        changes.extend(self.floating().map(|ip| self.route(place, TableId::MAIN, IpNet::from(ip), to_router, fpr)));
        changes
    }

    /// The router's own table in the fip namespace, as far as it is gone.
    fn own_table(&self) -> Vec<Change> {
        let (place, table) = (&self.network.namespace, self.addresses.table());
        let mut changes = Vec::new();
        if self.layout != Layout::Pike {
            return changes;
        }
        let has_default = self
            .fip
            .routes()
            .iter()
            .any(|route| route.table == table && route.is_default() && route.dst.addr().is_ipv4());
        if let (false, Some(port), [gateway]) = (has_default, &self.network.gateway_port, &self.network.gateways[..]) {
            changes.push(self.route(place, table, anywhere(), *gateway, &port.device));
        }
        if iif_rule(self.fip, &self.view.fpr.name).is_none() {
            let iif = Some(self.view.fpr.name.clone());
            let rule = Rule { iif, ..Rule::lookup(Family::V4, table.0, table) };
            changes.push(come(place, Object::Rule(Box::new(rule))));
        }
        changes
    }

    fn route(&self, place: &NetnsName, table: TableId, dst: IpNet, via: IpAddr, dev: &IfName) -> Change {
        let route = Route { protocol: self.protocol, ..Route::unicast(table, dst, Some(via), dev) };
        come(place, Object::Route(Box::new(route)))
    }

    fn floating(&self) -> impl Iterator<Item = IpAddr> {
        self.view.distributed().filter_map(|fip| fip.floating_ip).filter(IpAddr::is_ipv4)
    }
}

/// The other end of the half that is left: of the right name, in another
/// namespace that was read.
fn stray<'w>(scene: &'w Scene<'_>, view: &View<'_>) -> Option<Stray<'w>> {
    let (left, name) = match (view.rfp.link, view.fpr.link) {
        (Some(rfp), None) => (rfp, &view.fpr.name),
        (None, Some(fpr)) => (fpr, &view.rfp.name),
        _ => return None,
    };
    let (place, netns, index) = match left.peer.as_ref()? {
        Peer::In(name, index) => {
            let (name, _) = scene.snapshot.namespaces.get_key_value(name)?;
            (Some(name), scene.netns(name)?, *index)
        }
        Peer::Host(index) => (None, scene.snapshot.host.netns.seen()?.as_ref(), *index),
        Peer::Here(_) | Peer::Elsewhere => return None,
    };
    let link = netns.links().iter().find(|link| link.index == index && link.name == *name)?;
    Some(Stray { place, link })
}

/// The network that the pair belongs to: where an end of it stands, a rule
/// speaks of fpr, or the only one that there is.
fn network<'s>(scene: &Scene<'s>, view: &View<'_>) -> Option<&'s ExternalNetwork> {
    let all = &scene.topology.external_networks;
    let by_rule = |network: &&ExternalNetwork| {
        scene.netns(&network.namespace).is_some_and(|netns| iif_rule(netns, &view.fpr.name).is_some())
    };
    let own = Subject::router(view.router).external_network.and_then(|id| scene.network(&id));
    own.or_else(|| all.iter().find(by_rule)).or(match &all[..] {
        [only] => Some(only),
        _ => None,
    })
}

fn iif_rule<'n>(netns: &'n Netns, fpr: &IfName) -> Option<&'n Rule> {
    netns.rules().iter().find(|rule| rule.family == Family::V4 && rule.iif.as_ref() == Some(fpr))
}

/// The pair whose odd address is that number.
fn pair_of(table: TableId) -> Option<LinkLocalPair> {
    let pair = LinkLocalPair::of(Ipv4Addr::from_bits(table.0));
    (pair.table() == table && pair.is_from_a_pool()).then_some(pair)
}

/// An address of our own making (IEEE 802: local, of a single device), so that
/// the other end's neighbour entry is known beforehand: from the router's id.
fn mac(first: u8, view: &View<'_>) -> Mac {
    let mut bytes = [first, 0, 0, 0, 0, 0];
    let digits = view.router.id.chars().filter_map(|letter| letter.to_digit(16));
    for (at, digit) in digits.take(10).enumerate() {
        if let (Some(byte), Ok(digit)) = (bytes.get_mut(1 + at / 2), u8::try_from(digit)) {
            *byte = *byte << 4 | digit;
        }
    }
    Mac(bytes)
}

fn link(name: &IfName, mac: Mac, mtu: u32, (index, peer): (u32, Peer)) -> Link {
    Link {
        index,
        name: name.clone(),
        kind: Some("veth".to_owned()),
        mac: Some(mac),
        mtu,
        // Broadcast and multicast, as every Ethernet device.
        flags: 0x1002 | IFF_UP | IFF_LOWER_UP,
        state: OperState::Up,
        stats: LinkStats::default(),
        link: None,
        link_netnsid: None,
        peer: Some(peer),
        master: None,
        group: 0,
        ipv4: None,
        qdiscs: Vec::new(),
        filters: Vec::new(),
    }
}

fn anywhere() -> IpNet {
    IpNet::V4(ipnet::Ipv4Net::default())
}

fn come(place: &NetnsName, object: Object) -> Change {
    Change::new(Some(place.clone()), None, Some(object))
}
