//! Which of a node's changes and findings concern one floating IP.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::fip::pair;
use super::{Finding, standing};
use crate::net::{Change, IfName, NetnsName, Object, TableId};
use crate::neutron::{LinkLocalPair, NamespaceKind, RouterPrefix, parse_namespace};
use crate::topology::{FloatingIp, ObjectKind, Topology};

/// A floating IP's surroundings: its addresses, the namespaces and devices of
/// its chain. It outlives the floating IP, so that taking it away is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Focus {
    /// The address that was asked for, floating or fixed.
    wanted: IpAddr,
    /// The first characters of the router's and the network's id, as far as asked for.
    router: String,
    network: String,
    last: Option<Last>,
    /// Its addresses, each with where it is one of its own: routers may share a
    /// fixed IP, and networks a floating IP.
    addresses: Placed,
    places: BTreeSet<NetnsName>,
    devices: BTreeSet<String>,
    /// Its router's own tables in the fip namespace, which other routers share.
    tables: BTreeSet<TableId>,
    /// Addresses that are or were another floating IP's, each with where they are:
    /// a tenant's network may have them again. What takes one away is told when
    /// nothing names it any more.
    others: Placed,
}

/// Addresses, each with a place where it means its holder; no namespace is the
/// host's side.
type Placed = BTreeSet<(Option<NetnsName>, IpAddr)>;

/// What it was found as last.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Last {
    router: String,
    network: Option<String>,
    floating: Option<IpAddr>,
    fixed: Option<IpAddr>,
    /// It was asked for by its fixed IP.
    by_fixed: bool,
}

impl Focus {
    /// On an address that need not be here yet.
    pub fn on(address: IpAddr) -> Self {
        Self {
            wanted: address,
            router: String::new(),
            network: String::new(),
            last: None,
            addresses: Placed::new(),
            places: BTreeSet::new(),
            devices: BTreeSet::new(),
            tables: BTreeSet::new(),
            others: Placed::new(),
        }
    }

    /// Only on the router, and on the external network, whose ids begin so.
    #[must_use]
    pub fn within(self, router: Option<&str>, network: Option<&str>) -> Self {
        let word = |id: Option<&str>| id.unwrap_or_default().to_owned();
        Self { router: word(router), network: word(network), ..self }
    }

    /// Takes in what the floating IP has now.
    pub fn follow(&mut self, topology: &Topology, fip: &FloatingIp) {
        if self.last.as_ref().is_some_and(|last| !is_router(&last.router, &fip.router)) {
            // What it had there is told with the move, and then no more.
            self.places.clear();
            self.devices.clear();
            self.tables.clear();
            self.others.clear();
        } else {
            let is_here =
                |place: &NetnsName| self.places.contains(place) || homes(topology, fip).any(|home| home == place);
            self.addresses.retain(|(place, _)| place.as_ref().is_none_or(is_here));
        }
        self.let_go(topology, fip);
        let mut chain = BTreeSet::new();
        for link in fip.outbound.iter().chain(&fip.inbound) {
            chain.insert(link.namespace.clone());
            if link.object.kind == ObjectKind::Link {
                self.devices.insert(link.object.key.clone());
            }
        }
        self.addresses.extend(placed(topology, fip));
        self.addresses.extend(chain.iter().cloned().map(Some).zip(fip.floating_ip.into_iter().cycle()));
        self.places.append(&mut chain);
        self.tables.extend(topology.router(&fip.router).and_then(pair).map(LinkLocalPair::table));
        let last = self.last.take();
        let by_fixed = last.as_ref().map_or_else(|| fip.floating_ip != Some(self.wanted), |last| last.by_fixed);
        // What is not told now was told before, and speaks of it still where it is left.
        let floating = fip.floating_ip.or(last.as_ref().and_then(|last| last.floating));
        let fixed = fip.fixed_ip.or(last.and_then(|last| last.fixed));
        let (router, network) = (fip.router.clone(), fip.external_network.clone());
        self.last = Some(Last { router, network, floating, fixed, by_fixed });
    }

    /// What it had is no more its own once another floating IP has it, from its
    /// floating to its fixed IP: less than that may be what is left of itself.
    fn let_go(&mut self, topology: &Topology, fip: &FloatingIp) {
        for other in topology.fips().filter(|other| key(other) != key(fip)) {
            let is_whole = other.floating_ip.is_some() && other.fixed_ip.is_some();
            for pair in placed(topology, other) {
                if is_whole {
                    self.addresses.remove(&pair);
                }
                self.others.insert(pair);
            }
            if let Some(last) = self.last.as_mut().filter(|last| is_whole && is_router(&last.router, &other.router)) {
                last.floating = last.floating.filter(|floating| other.floating_ip != Some(*floating));
                last.fixed = last.fixed.filter(|fixed| other.fixed_ip != Some(*fixed));
            }
        }
    }

    /// True where a change is one of its chain's: in a namespace of the chain, and
    /// about no other floating IP and no other device.
    pub fn takes(&self, change: &Change) -> bool {
        let text = change.to_string();
        let named: BTreeSet<IpAddr> = addresses(&text).collect();
        let place = change.netns.as_ref();
        if named.iter().any(|address| self.is_own(place, *address)) {
            return true;
        }
        let Some(object) = change.object() else { return false };
        match &change.netns {
            Some(name) if !self.places.contains(name) => false,
            None if !matches!(object, Object::OvsPort(_) | Object::Part(_)) => false,
            _ => !named.iter().any(|address| self.is_of_another(place, *address)) && self.has_device(place, object),
        }
    }

    /// Until it was found, the address that was asked for is its own anywhere.
    fn is_own(&self, place: Option<&NetnsName>, address: IpAddr) -> bool {
        match &self.last {
            None => address == self.wanted,
            Some(_) => self.addresses.contains(&(place.cloned(), address)),
        }
    }

    fn is_of_another(&self, place: Option<&NetnsName>, address: IpAddr) -> bool {
        self.others.contains(&(place.cloned(), address))
    }

    fn has_device(&self, place: Option<&NetnsName>, object: &Object) -> bool {
        let has = |name: &str| self.devices.is_empty() || self.devices.contains(name);
        let dev = |dev: &IfName| has(dev.as_str());
        match object {
            Object::Link(link) => dev(&link.name),
            Object::Addr(addr) => dev(&addr.dev),
            Object::Neigh(neigh) => dev(&neigh.dev),
            Object::Rule(rule) => rule.iif.iter().chain(&rule.oif).all(dev),
            Object::Route(route) => {
                self.has_table(place, route.table)
                    && (route.next_hops.is_empty()
                        || route.next_hops.iter().any(|hop| hop.dev.as_ref().is_none_or(dev)))
            }
            Object::OvsPort(port) => has(&port.name),
            _ => true,
        }
    }

    /// Routers lead their packets out of the fip namespace by a table of their own.
    fn has_table(&self, place: Option<&NetnsName>, table: TableId) -> bool {
        let is_shared = matches!(place.and_then(parse_namespace), Some((NamespaceKind::Fip, _)));
        let is_everybodys = [TableId::MAIN, TableId::LOCAL, TableId::DEFAULT].contains(&table);
        !is_shared || is_everybodys || self.tables.is_empty() || self.tables.contains(&table)
    }

    /// True where a finding names one of its addresses, or no address and stands
    /// in a namespace of its chain, not for another router.
    pub fn concerns(&self, finding: &Finding) -> bool {
        let named: Vec<IpAddr> = [finding.floating_ip, finding.fixed_ip].into_iter().flatten().collect();
        let (router, place) = (finding.router.as_deref(), finding.namespace.as_ref());
        if named.is_empty() {
            let last = self.last.as_ref().map(|last| last.router.as_str());
            let is_anothers = last.zip(router).is_some_and(|(last, router)| !is_router(last, router));
            return !is_anothers && place.is_some_and(|name| self.places.contains(name));
        }
        match &self.last {
            None => named.contains(&self.wanted) && router.is_none_or(|router| router.starts_with(&self.router)),
            Some(last) if router.is_some_and(|router| is_router(&last.router, router)) => {
                let own = [last.floating, last.fixed];
                named.iter().any(|address| own.contains(&Some(*address)) || self.is_own(place, *address))
            }
            Some(_) => named.iter().any(|address| self.is_own(place, *address)),
        }
    }

    /// The floating IP meant, where it is here: that address on that router. A
    /// floating IP may go to another router of its external network; a fixed IP
    /// of another router is another one.
    pub fn find<'t>(&self, topology: &'t Topology) -> Option<&'t FloatingIp> {
        let wanted = Some(self.wanted);
        let is_asked = |fip: &&FloatingIp| {
            let network = fip.external_network.as_deref().unwrap_or_default();
            fip.router.starts_with(&self.router) && network.starts_with(&self.network)
        };
        let mut asked = topology.fips().filter(is_asked);
        let Some(last) = &self.last else {
            let floating = asked.clone().find(|fip| fip.floating_ip == wanted);
            return floating.or_else(|| asked.find(|fip| fip.fixed_ip == wanted));
        };
        let mut here = topology.fips().filter(|fip| is_router(&last.router, &fip.router));
        if last.by_fixed {
            let left = |fip: &&FloatingIp| {
                fip.fixed_ip.is_none() && fip.floating_ip.is_some() && fip.floating_ip == last.floating
            };
            return here.clone().find(|fip| fip.fixed_ip == wanted).or_else(|| here.find(left));
        }
        let is_same_network = |fip: &&FloatingIp| last.network.is_some() && fip.external_network == last.network;
        let stayed = here.clone().find(|fip| fip.floating_ip == wanted);
        let moved = || asked.filter(is_same_network).find(|fip| fip.floating_ip == wanted);
        // What is left where nothing tells the floating IP any more.
        let mut left =
            || here.find(|fip| fip.floating_ip.is_none() && fip.fixed_ip.is_some() && fip.fixed_ip == last.fixed);
        stayed.or_else(moved).or_else(&mut left)
    }

    /// The findings about it, none while it is not here.
    pub fn findings(&self, topology: &Topology, findings: &[Finding]) -> Vec<Finding> {
        let of = |fip| standing(topology, fip, findings).findings.into_iter().cloned().collect();
        self.find(topology).map_or_else(Vec::new, of)
    }
}

fn key(fip: &FloatingIp) -> (Option<IpAddr>, Option<IpAddr>, &str, Option<&str>) {
    (fip.floating_ip, fip.fixed_ip, &fip.router, fip.external_network.as_deref())
}

/// Its addresses, each with where it means this floating IP: the fixed IP where it
/// is translated, the floating IP in the fip namespace and on the host's side, too.
fn placed<'t>(topology: &'t Topology, fip: &'t FloatingIp) -> impl Iterator<Item = (Option<NetnsName>, IpAddr)> + 't {
    let network = topology.external_networks.iter().find(|network| fip.external_network.as_ref() == Some(&network.id));
    let around = network.map(|network| Some(&network.namespace)).into_iter().chain([None]);
    let at = |place: Option<&NetnsName>, address: Option<IpAddr>| address.map(|address| (place.cloned(), address));
    let outside = around.filter_map(move |place| at(place, fip.floating_ip));
    let inside = homes(topology, fip).flat_map(|home| [(home, fip.floating_ip), (home, fip.fixed_ip)]);
    outside.chain(inside.filter_map(move |(home, address)| at(Some(home), address)))
}

/// Where the fixed IP is translated.
fn homes<'t>(topology: &'t Topology, fip: &FloatingIp) -> impl Iterator<Item = &'t NetnsName> + use<'t> {
    let router = topology.router(&fip.router);
    router.into_iter().flat_map(|router| [&router.namespace, &router.snat_namespace]).flatten()
}

/// Whether two ids are a router's; one of them may be what a device's name left of it.
fn is_router(one: &str, other: &str) -> bool {
    let cut = |whole: &str, cut: &str| RouterPrefix::of(whole).as_str() == cut;
    one == other || cut(one, other) || cut(other, one)
}

/// The addresses that a text names, prefixes by their address.
fn addresses(text: &str) -> impl Iterator<Item = IpAddr> {
    let words = text.split(|c: char| !c.is_ascii_hexdigit() && c != '.' && c != ':');
    words.filter_map(|word| word.trim_end_matches(':').parse().ok())
}

#[cfg(test)]
mod tests;
