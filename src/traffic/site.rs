//! Where frames are caught: devices by namespace and index, and the floating IPs
//! whose packets pass there.

use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, Ipv4Addr};

use ipnet::IpNet;

use super::state::{FipId, Hop, Traffic, Visible};
use crate::net::{Addr, Link, Netns, NetnsName, Snapshot};
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
        for fip in &self.topology.floating_ips {
            self.add(fip, &mut sites, number, traffic);
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
        Site { spots, own, floating: HashMap::new(), fixed: HashMap::new() }
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
    ) {
        let Some(IpAddr::V4(floating_ip)) = fip.floating_ip else { return };
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
        let [qrouter, snat, outer] = [
            number(router.and_then(|router| router.namespace.as_ref())),
            number(router.and_then(|router| router.snat_namespace.as_ref())),
            number(network.map(|network| &network.namespace)),
        ];
        let (under_floating, under_fixed) = match fip.kind {
            FipKind::Distributed => (vec![qrouter, outer], vec![qrouter]),
            FipKind::Centralized => (vec![snat], vec![qrouter, snat]),
            FipKind::Legacy => (vec![qrouter], vec![qrouter]),
        };
        for number in under_floating.into_iter().flatten() {
            if let Some(Some(site)) = sites.get_mut(number) {
                site.floating.entry(floating_ip).or_insert(at);
            }
        }
        for number in under_fixed.into_iter().flatten() {
            if let (Some(Some(site)), Some(fixed)) = (sites.get_mut(number), fixed_ip) {
                site.fixed.entry(fixed).or_insert(at);
            }
        }
        let seen = |number: Option<usize>| number.is_some_and(|number| sites.get(number).is_some_and(Option::is_some));
        let hops = Hop::chain(fip.kind);
        let visible = |hop: Hop| {
            hops.contains(&hop)
                && match hop {
                    Hop::Qr | Hop::Rfp => seen(qrouter),
                    Hop::Fpr | Hop::Fg => seen(outer),
                    Hop::Sg => seen(snat),
                    Hop::Qg => seen(if fip.kind == FipKind::Legacy { qrouter } else { snat }),
                }
        };
        let visible: Visible = Hop::ALL.map(visible);
        traffic.fips[at].visible = visible;
    }
}

fn v4(addr: &Addr) -> Option<Ipv4Addr> {
    match addr.address.addr() {
        IpAddr::V4(address) => Some(address),
        IpAddr::V6(_) => None,
    }
}
