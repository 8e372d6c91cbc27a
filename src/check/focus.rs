//! Which of a node's changes and findings concern one floating IP.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::{Finding, standing};
use crate::net::{Change, IfName, NetnsName, Object};
use crate::neutron::RouterPrefix;
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
    /// fixed IP, and networks a floating IP. No namespace is the host's side.
    addresses: BTreeSet<(Option<NetnsName>, IpAddr)>,
    places: BTreeSet<NetnsName>,
    devices: BTreeSet<String>,
    /// Addresses of other floating IPs.
    others: BTreeSet<IpAddr>,
}

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
            addresses: BTreeSet::new(),
            places: BTreeSet::new(),
            devices: BTreeSet::new(),
            others: BTreeSet::new(),
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
            self.places.clear();
            self.devices.clear();
        }
        let others = topology.fips().filter(|other| key(other) != key(fip));
        self.let_go(topology, others.clone());
        self.others = others.flat_map(both).filter(|address| !both(fip).any(|own| own == *address)).collect();
        let mut chain = BTreeSet::new();
        for link in fip.outbound.iter().chain(&fip.inbound) {
            chain.insert(link.namespace.clone());
            if link.object.kind == ObjectKind::Link {
                self.devices.insert(link.object.key.clone());
            }
        }
        let homes = homes(topology, fip);
        let floating = fip.floating_ip.into_iter().flat_map(|address| {
            let here = homes.iter().chain(&chain).cloned().map(Some).chain([None]);
            here.map(move |place| (place, address))
        });
        let fixed =
            fip.fixed_ip.into_iter().flat_map(|address| homes.iter().map(move |home| (Some(home.clone()), address)));
        self.addresses.extend(floating.chain(fixed));
        self.places.append(&mut chain);
        let last = self.last.take();
        let by_fixed = last.as_ref().map_or_else(|| fip.floating_ip != Some(self.wanted), |last| last.by_fixed);
        // What is not told now was told before, and speaks of it still where it is left.
        let floating = fip.floating_ip.or(last.as_ref().and_then(|last| last.floating));
        let fixed = fip.fixed_ip.or(last.and_then(|last| last.fixed));
        let (router, network) = (fip.router.clone(), fip.external_network.clone());
        self.last = Some(Last { router, network, floating, fixed, by_fixed });
    }

    /// A fixed IP that it had is no more its own once another floating IP has it.
    fn let_go<'t>(&mut self, topology: &Topology, others: impl Iterator<Item = &'t FloatingIp>) {
        for other in others.filter(|other| other.floating_ip.is_some()) {
            let Some(fixed) = other.fixed_ip.filter(|fixed| self.addresses.iter().any(|(_, own)| own == fixed)) else {
                continue;
            };
            for home in homes(topology, other) {
                self.addresses.remove(&(Some(home), fixed));
            }
        }
    }

    /// True where a change is one of its chain's: in a namespace of the chain, and
    /// about no other floating IP and no other device.
    pub fn takes(&self, change: &Change) -> bool {
        let text = change.to_string();
        let named: BTreeSet<IpAddr> = addresses(&text).collect();
        if named.iter().any(|address| self.is_own(change.netns.as_ref(), *address)) {
            return true;
        }
        let Some(object) = change.object() else { return false };
        match &change.netns {
            Some(name) if !self.places.contains(name) => false,
            None if !matches!(object, Object::OvsPort(_) | Object::Part(_)) => false,
            _ => named.is_disjoint(&self.others) && self.has_device(object),
        }
    }

    /// Until it was found, the address that was asked for is its own anywhere.
    fn is_own(&self, place: Option<&NetnsName>, address: IpAddr) -> bool {
        match &self.last {
            None => address == self.wanted,
            Some(_) => self.addresses.contains(&(place.cloned(), address)),
        }
    }

    fn has_device(&self, object: &Object) -> bool {
        let has = |name: &str| self.devices.is_empty() || self.devices.contains(name);
        let dev = |dev: &IfName| has(dev.as_str());
        match object {
            Object::Link(link) => dev(&link.name),
            Object::Addr(addr) => dev(&addr.dev),
            Object::Neigh(neigh) => dev(&neigh.dev),
            Object::Route(route) => {
                route.next_hops.is_empty() || route.next_hops.iter().any(|hop| hop.dev.as_ref().is_none_or(dev))
            }
            Object::OvsPort(port) => has(&port.name),
            _ => true,
        }
    }

    /// True where a finding names one of its addresses, or no address and stands
    /// in a namespace of its chain.
    pub fn concerns(&self, finding: &Finding) -> bool {
        let named: Vec<IpAddr> = [finding.floating_ip, finding.fixed_ip].into_iter().flatten().collect();
        if named.is_empty() {
            return finding.namespace.as_ref().is_some_and(|name| self.places.contains(name));
        }
        let (router, place) = (finding.router.as_deref(), finding.namespace.as_ref());
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

fn both(fip: &FloatingIp) -> impl Iterator<Item = IpAddr> + use<> {
    [fip.floating_ip, fip.fixed_ip].into_iter().flatten()
}

fn key(fip: &FloatingIp) -> (Option<IpAddr>, Option<IpAddr>, &str, Option<&str>) {
    (fip.floating_ip, fip.fixed_ip, &fip.router, fip.external_network.as_deref())
}

/// Where the fixed IP is translated.
fn homes(topology: &Topology, fip: &FloatingIp) -> BTreeSet<NetnsName> {
    let router = topology.router(&fip.router);
    router.into_iter().flat_map(|router| [&router.namespace, &router.snat_namespace]).flatten().cloned().collect()
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
mod tests {
    use super::*;
    use crate::check::judge;
    use crate::net::{Family, Netns, Observed, Route, Rule, TableId};
    use crate::neutron::{Layout, NamespaceKind};
    use crate::topology::scenario::{Fip, RouterSpec, Scenario};

    const ARTICLE: &str = "ef25020f-012c-41d6-a36e-f2f09cb8ea62";
    const SECOND: &str = "b047c241-8921-5df0-baca-ff1b77f6fffe";

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    /// The article's router, another floating IP on it, and a router of the same
    /// external network where the same fixed IP has the lesser floating IP.
    fn overlapping() -> Scenario {
        let fip = |floating: &str, fixed: &str, priority| Fip {
            floating: floating.parse().unwrap(),
            fixed: fixed.parse().unwrap(),
            priority,
        };
        let mut article = RouterSpec::article(Layout::Pike);
        article.fips.push(fip("192.168.1.7", "10.0.0.9", 41_000));
        let subnets = article.subnets.clone();
        let fips = vec![fip("192.168.1.2", "10.0.0.4", 32_769)];
        let second = RouterSpec { subnets, fips, ..RouterSpec::second(Layout::Pike) };
        Scenario::empty().with_router(&article).with_router(&second)
    }

    fn topology(node: &Scenario) -> Topology {
        Topology::of(&node.snapshot)
    }

    fn followed(mut focus: Focus, topology: &Topology) -> Focus {
        let fip = focus.find(topology).expect("it is here");
        focus.follow(topology, fip);
        focus
    }

    fn found<'t>(focus: &Focus, topology: &'t Topology) -> Option<(&'t str, Option<IpAddr>)> {
        focus.find(topology).map(|fip| (fip.router.as_str(), fip.floating_ip))
    }

    fn qrouter(router: &str) -> String {
        NamespaceKind::Router.name(router).to_string()
    }

    fn change(place: &str, object: Object) -> Change {
        Change::new(Some(NetnsName::from(place)), None, Some(object))
    }

    fn rule(from: &str) -> Object {
        let mut rule = Rule::lookup(Family::V4, 40_000, TableId(16));
        rule.from = Some(from.parse().unwrap());
        Object::Rule(Box::new(rule))
    }

    fn route(dst: &str, dev: &str) -> Object {
        Object::Route(Box::new(Route::unicast(TableId::MAIN, dst.parse().unwrap(), None, &IfName::from(dev))))
    }

    #[test]
    fn what_names_it_counts_and_what_names_another_does_not() {
        let node = overlapping();
        let topology = topology(&node);
        let focus = followed(Focus::on(address("192.168.1.3")), &topology);
        let (home, fip) = (qrouter(ARTICLE), topology.external_networks[0].namespace.to_string());
        assert!(focus.takes(&change(&home, rule("10.0.0.4/32"))));
        assert!(!focus.takes(&change(&home, rule("10.0.0.9/32"))));
        assert!(focus.takes(&change(&fip, route("192.168.1.3/32", "fpr-ef25020f-0"))));
        assert!(!focus.takes(&change(&fip, route("192.168.1.7/32", "fpr-ef25020f-0"))));
    }

    #[test]
    fn the_chains_devices_and_namespaces_count() {
        let node = overlapping();
        let focus = followed(Focus::on(address("192.168.1.3")), &topology(&node));
        let (home, other) = (qrouter(ARTICLE), qrouter(SECOND));
        assert!(focus.takes(&change(&home, route("0.0.0.0/0", "rfp-ef25020f-0"))));
        assert!(!focus.takes(&change(&home, route("20.0.0.0/24", "qr-other"))));
        assert!(!focus.takes(&change(&other, route("0.0.0.0/0", "rfp-ef25020f-0"))));
        assert!(focus.takes(&change(&home, Object::Netns(Observed::Seen(Netns::default().into())))));
    }

    #[test]
    fn the_same_fixed_ip_of_another_router_is_another() {
        let node = overlapping();
        let topology = topology(&node);
        let focus = followed(Focus::on(address("192.168.1.3")), &topology);
        assert_eq!(found(&focus, &topology), Some((ARTICLE, Some(address("192.168.1.3")))));
        assert!(!focus.takes(&change(&qrouter(SECOND), rule("10.0.0.4/32"))));
        let broken = |router: &str| {
            let node = node.clone().without_rule(&qrouter(router), "10.0.0.4");
            let after = self::topology(&node);
            let all = judge(&node.snapshot, &after);
            let told = focus.findings(&after, &all);
            let concerned = all.iter().any(|one| one.code.0 == 301 && focus.concerns(one));
            (told.iter().any(|one| one.code.0 == 301), concerned)
        };
        assert_eq!(broken(ARTICLE), (true, true), "what breaks it is told");
        assert_eq!(broken(SECOND), (false, false), "what breaks the other is not");
    }

    #[test]
    fn asked_for_by_its_fixed_ip_it_is_the_one_of_the_router_asked_for() {
        let topology = topology(&overlapping());
        for (router, floating) in [(ARTICLE, "192.168.1.3"), (SECOND, "192.168.1.2")] {
            let asked = Focus::on(address("10.0.0.4")).within(Some(&router[..4]), None);
            assert_eq!(found(&asked, &topology), Some((router, Some(address(floating)))), "before it was found");
            assert_eq!(found(&followed(asked, &topology), &topology), Some((router, Some(address(floating)))));
        }
    }

    #[test]
    fn the_same_addresses_of_another_network_are_others() {
        let node = Scenario::article(Layout::Pike).with_second_network(Layout::Pike);
        let topology = topology(&node);
        for fip in topology.fips() {
            let mut focus = Focus::on(address("192.168.1.3")).within(Some(&fip.router), None);
            focus.follow(&topology, fip);
            assert_eq!(focus.find(&topology).map(|found| &found.router), Some(&fip.router));
            for other in topology.fips() {
                let change = change(&qrouter(&other.router), rule("10.0.0.4/32"));
                assert_eq!(focus.takes(&change), other.router == fip.router, "{change}");
            }
        }
    }

    #[test]
    fn a_floating_ip_goes_where_it_is_and_leaves_its_fixed_ip_behind() {
        let mut focus = followed(Focus::on(address("192.168.1.3")), &topology(&overlapping()));
        // Its instance has another floating IP now, and it has another instance.
        let fip =
            |floating: [u8; 4], fixed: [u8; 4]| Fip { floating: floating.into(), fixed: fixed.into(), priority: 1 };
        let fips = vec![fip([192, 168, 1, 1], [10, 0, 0, 4]), fip([192, 168, 1, 3], [10, 0, 0, 5])];
        let after = topology(&Scenario::empty().with_router(&RouterSpec { fips, ..RouterSpec::article(Layout::Pike) }));
        assert_eq!(found(&focus, &after), Some((ARTICLE, Some(address("192.168.1.3")))));
        focus = followed(focus, &after);
        assert!(focus.takes(&change(&qrouter(ARTICLE), rule("10.0.0.5/32"))));
        assert!(!focus.takes(&change(&qrouter(ARTICLE), rule("10.0.0.4/32"))), "that is the other's now");
        // Another router of the same network has it.
        let fips = vec![fip([192, 168, 1, 3], [30, 0, 0, 4])];
        let moved = topology(&Scenario::empty().with_router(&RouterSpec { fips, ..RouterSpec::second(Layout::Pike) }));
        assert_eq!(found(&focus, &moved), Some((SECOND, Some(address("192.168.1.3")))));
        // Nobody has it, and another still has the fixed IP.
        let fips = vec![fip([192, 168, 1, 1], [10, 0, 0, 5])];
        let gone = topology(&Scenario::empty().with_router(&RouterSpec { fips, ..RouterSpec::article(Layout::Pike) }));
        assert_eq!(found(&focus, &gone), None);
    }
}
