//! A floating IP's packets, out and in, as a probe of its whole chain.

use std::net::{IpAddr, Ipv4Addr};

use super::node::Node;
use super::{ICMP, Packet, Walk};
use crate::net::NetnsName;
use crate::topology::FloatingIp;

/// Anywhere outside: TEST-NET-2 (RFC 5737), which no node has.
const OUTSIDE: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 7);

impl Node<'_> {
    /// An echo request from the fixed IP to anywhere outside, and one from there
    /// to the floating IP, each through the namespaces of its own chain; `None`
    /// where an address is not known, or such a packet comes in nowhere.
    pub fn both_ways(&self, fip: &FloatingIp) -> Option<(Walk, Walk)> {
        let (Some(IpAddr::V4(floating)), Some(IpAddr::V4(fixed))) = (fip.floating_ip, fip.fixed_ip) else {
            return None;
        };
        let own = |name: &NetnsName| fip.outbound.iter().chain(&fip.inbound).any(|link| link.namespace == *name);
        let walk = |src, dst| {
            let start = self.starts(src, dst).into_iter().find(|start| own(&start.namespace))?;
            Some(self.walk(&start, Packet::first(src, dst, ICMP).ports(1, 1)))
        };
        Some((walk(fixed, OUTSIDE)?, walk(OUTSIDE, floating)?))
    }
}
