//! Which of a node's changes and findings concern one floating IP.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::{Finding, standing};
use crate::net::{Change, IfName, NetnsName, Object};
use crate::topology::{FloatingIp, ObjectKind, Topology};

/// A floating IP's surroundings: its addresses, the namespaces and devices of
/// its chain. It outlives the floating IP, so that taking it away is told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Focus {
    addresses: BTreeSet<IpAddr>,
    places: BTreeSet<NetnsName>,
    devices: BTreeSet<String>,
    /// Addresses of other floating IPs.
    others: BTreeSet<IpAddr>,
}

impl Focus {
    /// On an address that need not be here yet.
    pub fn on(address: IpAddr) -> Self {
        Self { addresses: BTreeSet::from([address]), ..Self::default() }
    }

    /// Takes in what the floating IP has now.
    pub fn follow(&mut self, topology: &Topology, fip: &FloatingIp) {
        let both = |fip: &FloatingIp| [fip.floating_ip, fip.fixed_ip];
        self.addresses.extend(both(fip).into_iter().flatten());
        for link in fip.outbound.iter().chain(&fip.inbound) {
            self.places.insert(link.namespace.clone());
            if link.object.kind == ObjectKind::Link {
                self.devices.insert(link.object.key.clone());
            }
        }
        let others = topology.fips().filter(|other| both(other) != both(fip));
        self.others = others.flat_map(both).flatten().filter(|address| !self.addresses.contains(address)).collect();
    }

    /// True where a change is one of its chain's: in a namespace of the chain, and
    /// about no other floating IP and no other device.
    pub fn takes(&self, change: &Change) -> bool {
        let text = change.to_string();
        let named: BTreeSet<IpAddr> = addresses(&text).collect();
        if !named.is_disjoint(&self.addresses) {
            return true;
        }
        let Some(object) = change.object() else { return false };
        match &change.netns {
            Some(name) if !self.places.contains(name) => false,
            None if !matches!(object, Object::OvsPort(_) | Object::Part(_)) => false,
            _ => named.is_disjoint(&self.others) && self.has_device(object),
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
        let mut named = [finding.floating_ip, finding.fixed_ip].into_iter().flatten().peekable();
        if named.peek().is_some() {
            return named.any(|address| self.addresses.contains(&address));
        }
        finding.namespace.as_ref().is_some_and(|name| self.places.contains(name))
    }

    /// The floating IP meant, where it is here: by floating or by fixed IP.
    pub fn find<'t>(&self, topology: &'t Topology) -> Option<&'t FloatingIp> {
        let is_it = |fip: &&FloatingIp| {
            [fip.floating_ip, fip.fixed_ip].into_iter().flatten().any(|address| self.addresses.contains(&address))
        };
        topology.fips().find(is_it)
    }

    /// The findings about it, none while it is not here.
    pub fn findings(&self, topology: &Topology, findings: &[Finding]) -> Vec<Finding> {
        let of = |fip| standing(topology, fip, findings).findings.into_iter().cloned().collect();
        self.find(topology).map_or_else(Vec::new, of)
    }
}

/// The addresses that a text names, prefixes by their address.
fn addresses(text: &str) -> impl Iterator<Item = IpAddr> {
    let words = text.split(|c: char| !c.is_ascii_hexdigit() && c != '.' && c != ':');
    words.filter_map(|word| word.trim_end_matches(':').parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::{Family, Netns, Observed, Route, Rule, TableId};

    fn focus() -> Focus {
        Focus {
            addresses: ["192.168.1.3", "10.0.0.4"].map(|address| address.parse().unwrap()).into(),
            places: [NetnsName::from("qrouter-a"), NetnsName::from("fip-b")].into(),
            devices: ["rfp-a", "fpr-a"].map(str::to_owned).into(),
            others: ["192.168.1.7", "10.0.0.9"].map(|address| address.parse().unwrap()).into(),
        }
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
        let focus = focus();
        assert!(focus.takes(&change("qrouter-a", rule("10.0.0.4/32"))));
        assert!(!focus.takes(&change("qrouter-a", rule("10.0.0.9/32"))));
        assert!(focus.takes(&change("fip-b", route("192.168.1.3/32", "fpr-a"))));
        assert!(!focus.takes(&change("fip-b", route("192.168.1.7/32", "fpr-a"))));
    }

    #[test]
    fn the_chains_devices_and_namespaces_count() {
        let focus = focus();
        assert!(focus.takes(&change("qrouter-a", route("0.0.0.0/0", "rfp-a"))));
        assert!(!focus.takes(&change("qrouter-a", route("20.0.0.0/24", "qr-other"))));
        assert!(!focus.takes(&change("qrouter-c", route("0.0.0.0/0", "rfp-a"))));
        assert!(focus.takes(&change("qrouter-a", Object::Netns(Observed::Seen(Netns::default().into())))));
    }
}
