//! What a router namespace translates today, and which tracked connections are
//! from another day.

use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::net::ConntrackEntry;
use crate::neutron::METADATA_ADDRESS;
use crate::topology::{FactSource, FloatingIp, Router};

/// A floating IP, and the address that it is translated to.
type Pair = (IpAddr, IpAddr);

/// The translations of a router's floating IPs.
pub struct Today<'r> {
    router: &'r Router,
    dnat: BTreeSet<Pair>,
    snat: BTreeSet<Pair>,
}

impl<'r> Today<'r> {
    /// By what was read of the router's floating IPs; others are left out.
    pub fn of<'f>(router: &'r Router, fips: impl IntoIterator<Item = &'f FloatingIp>) -> Self {
        let mut today = Self { router, dnat: BTreeSet::new(), snat: BTreeSet::new() };
        for fip in fips.into_iter().filter(|fip| fip.router == router.id) {
            let Some(pair) = fip.floating_ip.zip(fip.fixed_ip) else { continue };
            let told = |source| fip.facts.iter().any(|fact| fact.source == source);
            if told(FactSource::Dnat) {
                today.dnat.insert(pair);
            }
            if told(FactSource::Snat) {
                today.snat.insert(pair);
            }
        }
        today
    }

    /// The translations that a tracked connection still has and a new one would
    /// not get: inbound, outbound.
    pub fn outlived(&self, entry: &ConntrackEntry) -> [Option<Pair>; 2] {
        let (original, reply) = (&entry.original, &entry.reply);
        if original.dst == IpAddr::V4(METADATA_ADDRESS) {
            return [None, None];
        }
        // In: to a floating IP, answered by the instance. Out: the answer goes to one.
        let (inward, outward) = ((original.dst, reply.src), (reply.dst, original.src));
        let is_old_in = inward.0 != inward.1 && self.is_internal(inward.1) && !self.dnat.contains(&inward);
        let is_old_out = outward.0 != outward.1
            && self.is_internal(outward.1)
            && !self.is_internal(outward.0)
            && !self.snat.contains(&outward);
        [is_old_in.then_some(inward), is_old_out.then_some(outward)]
    }

    /// The addresses that a floating IP is translated to.
    pub fn of_floating(&self, floating: IpAddr) -> BTreeSet<IpAddr> {
        let all = self.dnat.iter().chain(&self.snat);
        all.filter(|(known, _)| *known == floating).map(|(_, fixed)| *fixed).collect()
    }

    fn is_internal(&self, address: IpAddr) -> bool {
        self.router.internal.iter().flat_map(|port| &port.addresses).any(|net| net.contains(&address))
    }
}
