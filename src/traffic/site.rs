//! Where frames are caught: devices by namespace and index, and the floating IPs
//! whose packets pass there.

use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, Ipv4Addr};

use ipnet::IpNet;

use super::state::{FipId, Hop, Traffic, Visible};
use crate::net::{Addr, Link, Netns, NetnsName, Route, Snapshot};
use crate::neutron::{DeviceKind, NamespaceKind, parse_device, parse_namespace};
use crate::path::{Flows, Point, Start};
use crate::topology::{FipKind, FloatingIp, Router, Topology};

/// A namespace that is listened in.
pub(super) struct Site {
    /// Devices by index; `None` is one that the agent did not make.
    pub(super) spots: HashMap<u32, Option<Spot>>,
    /// The namespace's own addresses, floating ones left out.
    pub(super) own: HashSet<Ipv4Addr>,
    /// Floating IPs whose packets pass here under that address.
    pub(super) floating: HashMap<Ipv4Addr, usize>,
    /// Floating IPs by the instance's address.
    pub(super) fixed: HashMap<Ipv4Addr, usize>,
    /// What a fip namespace sends to routers: floating IPs, and subnets by which instances
    /// are reached under their own addresses (fast exit, `_add_rtr_ext_route_rule_to_route_table`
    /// and `add_static_routes` in `neutron/agent/l3/dvr_local_router.py`).
    pub(super) behind: Vec<IpNet>,
    /// Those of these addresses that two floating IPs have here: whose a packet is cannot be told.
    contested: HashSet<Ipv4Addr>,
    /// The namespace's parts by which a packet is told to be a floating IP's could be read:
    /// addresses, and translation.
    can_tell: [bool; 2],
}

/// A floating IP's namespaces by number: the router's, its snat namespace and the external
/// network's.
#[derive(Clone, Copy)]
struct Rooms {
    qrouter: Option<usize>,
    snat: Option<usize>,
    outer: Option<usize>,
}

/// A device.
pub(super) struct Spot {
    pub(super) kind: DeviceKind,
    pub(super) point: Point,
    /// The router's number, where the device is one router's.
    pub(super) router: usize,
    /// The subnets that it stands in.
    pub(super) subnets: Vec<IpNet>,
}

/// What is known of the node, as far as frames ask for it.
pub(super) struct Sites<'s> {
    snapshot: &'s Snapshot,
    topology: &'s Topology,
}

impl<'s> Sites<'s> {
    pub(super) fn new(snapshot: &'s Snapshot, topology: &'s Topology) -> Self {
        Self { snapshot, topology }
    }

    /// The sites by the capture's numbers.
    pub(super) fn build(
        &self,
        names: &[Option<NetnsName>],
        flows: &mut Flows<'_, '_>,
        traffic: &mut Traffic,
    ) -> Vec<Option<Site>> {
        traffic.look_anew();
        // What is no router's has a number too.
        traffic.router(None);
        let mut sites: Vec<Option<Site>> = names
            .iter()
            .map(|name| {
                let name = name.as_ref()?;
                Some(self.site(name, self.snapshot.netns(name)?, flows, traffic))
            })
            .collect();
        let number =
            |wanted: Option<&NetnsName>| names.iter().position(|name| name.is_some() && name.as_ref() == wanted);
        let all: Vec<(usize, Rooms)> =
            self.topology.floating_ips.iter().filter_map(|fip| self.add(fip, &mut sites, number, traffic)).collect();
        for (at, rooms) in all {
            let visible = visible(&traffic.fips[at].id, rooms, &sites);
            let passed = match traffic.fips[at].id.kind {
                FipKind::Distributed => [rooms.qrouter, rooms.outer],
                FipKind::Centralized => [rooms.qrouter, rooms.snat],
                FipKind::Legacy => [rooms.qrouter, None],
            };
            traffic.listen(at, visible, passed);
        }
        sites
    }

    fn site(&self, name: &NetnsName, netns: &Netns, flows: &mut Flows<'_, '_>, traffic: &mut Traffic) -> Site {
        let mut spot = |link: &Link| {
            let (kind, _) = parse_device(&link.name)?;
            let router = self.router_of(name, link, kind).map(|router| router.id.as_str());
            let start = Start { namespace: name.clone(), device: Some(link.name.clone()) };
            let addrs = netns.addrs().iter().filter(|addr| addr.dev == link.name);
            let subnets = addrs.map(|addr| addr.address.trunc()).collect();
            Some(Spot { kind, point: flows.point(&start), router: traffic.router(router), subnets })
        };
        let own = netns.addrs().iter().filter(|addr| addr.address.prefix_len() < 32).filter_map(v4).collect();
        let spots = netns.links().iter().map(|link| (link.index, spot(link))).collect();
        let is_by_router = |route: &&Route| {
            let kinds = route.next_hops.iter().filter_map(|hop| parse_device(hop.dev.as_ref()?));
            kinds.into_iter().any(|(kind, _)| kind == DeviceKind::FipToRouter)
        };
        let behind = netns.routes().iter().filter(is_by_router).map(|route| route.dst).collect();
        let translation = netns
            .netfilter
            .seen()
            .is_some_and(|filter| filter.nft.unreadable().is_none() && filter.legacy.unreadable().is_none());
        let can_tell = [netns.addrs.seen().is_some(), translation];
        Site {
            spots,
            own,
            floating: HashMap::new(),
            fixed: HashMap::new(),
            behind,
            contested: HashSet::new(),
            can_tell,
        }
    }

    fn router_of(&self, name: &NetnsName, link: &Link, kind: DeviceKind) -> Option<&'s Router> {
        match parse_namespace(name)? {
            (NamespaceKind::Router | NamespaceKind::Snat, id) => self.topology.router(id),
            (NamespaceKind::Fip, id) if kind == DeviceKind::FipToRouter => {
                self.topology.routers.iter().find(|router| {
                    let ends_here = router.external_network.as_deref().is_none_or(|network| network == id);
                    ends_here && router.fip_2_rtr.as_ref().is_some_and(|end| end.device == link.name)
                })
            }
            _ => None,
        }
    }

    /// Makes a floating IP known wherever its packets pass.
    fn add(
        &self,
        fip: &FloatingIp,
        sites: &mut [Option<Site>],
        number: impl Fn(Option<&NetnsName>) -> Option<usize>,
        traffic: &mut Traffic,
    ) -> Option<(usize, Rooms)> {
        let Some(IpAddr::V4(floating_ip)) = fip.floating_ip else { return None };
        let fixed_ip = fip.fixed_ip.and_then(|address| match address {
            IpAddr::V4(address) => Some(address),
            IpAddr::V6(_) => None,
        });
        let router = self.topology.router(&fip.router);
        let network = fip.external_network.clone().or_else(|| router?.external_network.clone());
        let at = traffic.fip(FipId {
            floating_ip,
            fixed_ip,
            router: fip.router.clone(),
            external_network: network.clone(),
            kind: fip.kind,
        });
        let network = self.topology.external_networks.iter().find(|known| Some(&known.id) == network.as_ref());
        let rooms = Rooms {
            qrouter: number(router.and_then(|router| router.namespace.as_ref())),
            snat: number(router.and_then(|router| router.snat_namespace.as_ref())),
            outer: number(network.map(|network| &network.namespace)),
        };
        let Rooms { qrouter, snat, outer } = rooms;
        let (under_floating, under_fixed) = match fip.kind {
            FipKind::Distributed => (vec![qrouter, outer], vec![qrouter]),
            FipKind::Centralized => (vec![snat], vec![qrouter, snat]),
            FipKind::Legacy => (vec![qrouter], vec![qrouter]),
        };
        for number in under_floating.into_iter().flatten() {
            if let Some(Some(site)) = sites.get_mut(number) {
                site.claim(floating_ip, at, |site| &mut site.floating);
            }
        }
        for number in under_fixed.into_iter().flatten() {
            if let (Some(Some(site)), Some(fixed)) = (sites.get_mut(number), fixed_ip) {
                site.claim(fixed, at, |site| &mut site.fixed);
            }
        }
        Some((at, rooms))
    }
}

impl Site {
    /// An address here is that floating IP's.
    fn claim(&mut self, address: Ipv4Addr, at: usize, of: impl Fn(&mut Self) -> &mut HashMap<Ipv4Addr, usize>) {
        if *of(self).entry(address).or_insert(at) != at {
            self.contested.insert(address);
        }
    }

    /// Packets under the floating IP are told from others.
    fn tells_outside(&self, id: &FipId) -> bool {
        !self.contested.contains(&id.floating_ip)
    }

    /// Packets under the instance's own address are.
    fn tells_inside(&self, id: &FipId) -> bool {
        let [addresses, translation] = self.can_tell;
        addresses && id.fixed_ip.map_or(translation, |fixed| !self.contested.contains(&fixed))
    }
}

/// The hops of a floating IP at which its packets are seen and told from others.
fn visible(id: &FipId, rooms: Rooms, sites: &[Option<Site>]) -> Visible {
    let site = |number: Option<usize>| sites.get(number?)?.as_ref();
    let inside = |number| site(number).is_some_and(|site| site.tells_inside(id));
    let outside = |number| site(number).is_some_and(|site| site.tells_outside(id));
    let hops = Hop::chain(id.kind);
    Hop::ALL.map(|hop| {
        hops.contains(&hop)
            && match hop {
                Hop::Qr => inside(rooms.qrouter),
                Hop::Rfp => outside(rooms.qrouter),
                Hop::Fpr | Hop::Fg => outside(rooms.outer),
                Hop::Sg => inside(rooms.snat),
                Hop::Qg => outside(if id.kind == FipKind::Legacy { rooms.qrouter } else { rooms.snat }),
            }
    })
}

fn v4(addr: &Addr) -> Option<Ipv4Addr> {
    match addr.address.addr() {
        IpAddr::V4(address) => Some(address),
        IpAddr::V6(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOMS: Rooms = Rooms { qrouter: Some(0), snat: None, outer: Some(1) };

    fn site(can_tell: [bool; 2]) -> Site {
        Site {
            spots: HashMap::new(),
            own: HashSet::new(),
            floating: HashMap::new(),
            fixed: HashMap::new(),
            behind: Vec::new(),
            contested: HashSet::new(),
            can_tell,
        }
    }

    /// Whether qr, rfp, fpr and fg are.
    fn seen(id: &FipId, sites: &[Option<Site>]) -> [bool; 4] {
        let [qr, rfp, fpr, fg, ..] = visible(id, ROOMS, sites);
        [qr, rfp, fpr, fg]
    }

    #[test]
    fn whose_a_packet_is_cannot_be_told_where_two_have_an_address() {
        let id = FipId::distributed();
        let mut sites = [true; 2].map(|_| Some(site([true; 2])));
        let [qrouter, outer] = sites.each_mut().map(|site| site.as_mut().unwrap());
        for (address, at) in [([10, 0, 0, 4], 0), ([10, 0, 0, 5], 1)] {
            qrouter.claim(address.into(), at, |site| &mut site.fixed);
        }
        outer.claim(id.floating_ip, 0, |site| &mut site.floating);
        assert_eq!(seen(&id, &sites), [true; 4]);
        // Another floating IP of the same instance, and the same one of another router.
        let qrouter = sites[0].as_mut().unwrap();
        qrouter.claim([10, 0, 0, 4].into(), 2, |site| &mut site.fixed);
        assert_eq!(qrouter.fixed[&Ipv4Addr::new(10, 0, 0, 4)], 0);
        assert_eq!(seen(&id, &sites), [false, true, true, true]);
        let outer = sites[1].as_mut().unwrap();
        outer.claim(id.floating_ip, 3, |site| &mut site.floating);
        assert_eq!(seen(&id, &sites), [false, true, false, false]);
    }

    #[test]
    fn what_was_not_read_tells_nobody() {
        let (id, unknown) = (FipId::distributed(), FipId { fixed_ip: None, ..FipId::distributed() });
        let told = |can_tell| {
            let sites = [Some(site(can_tell)), Some(site([true; 2]))];
            [seen(&id, &sites)[0], seen(&unknown, &sites)[0]]
        };
        assert_eq!(told([true, true]), [true, true], "no translation stands: packets stop there");
        assert_eq!(told([true, false]), [true, false]);
        assert_eq!(told([false, true]), [false, false]);
    }
}
