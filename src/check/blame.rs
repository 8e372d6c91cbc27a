//! Which finding is behind a packet that was stopped.

use super::{Finding, Severity};
use crate::path::{Outcome, Walk};
use crate::topology::{FloatingIp, Topology};

/// The finding behind a dropped packet: the one about the object that stopped
/// it, else an error about the floating IP that it belongs to, or about its
/// router or network, in the namespace where it was stopped, its root first.
pub fn blocked_by<'f>(topology: &Topology, findings: &'f [Finding], walk: &Walk) -> Option<&'f Finding> {
    let stop = walk.stop.as_ref().filter(|_| walk.outcome == Outcome::Dropped)?;
    let here = |finding: &&Finding| finding.is_fault() && finding.namespace.as_ref() == Some(&stop.namespace);
    let exact = stop.object.as_ref().and_then(|object| {
        findings.iter().filter(here).find(|finding| finding.object == *object && concerns(finding, walk))
    });
    exact.or_else(|| {
        let carrying = topology.floating_ips.iter().filter(|fip| carries(fip, walk));
        let standings = carrying.map(|fip| super::standing(topology, fip, findings));
        let errors = standings.flat_map(|standing| standing.findings);
        let errors: Vec<&Finding> =
            errors.filter(|finding| finding.is_fault() && finding.severity == Severity::Error).collect();
        let own = |finding: &&&Finding| finding.floating_ip.is_some() || finding.fixed_ip.is_some();
        let local: Vec<&Finding> = errors.iter().filter(|finding| here(finding)).copied().collect();
        // Its own first; of a missing rule or route the packet suffers elsewhere.
        local
            .iter()
            .find(own)
            .or_else(|| local.first())
            .or_else(|| errors.iter().find(own).filter(|finding| is_passed(finding, walk)))
            .copied()
    })
}

/// A finding about addresses is about this packet where it has one of them.
fn concerns(finding: &Finding, walk: &Walk) -> bool {
    let addresses = [finding.floating_ip, finding.fixed_ip];
    let packets = [&walk.sent, &walk.arrived];
    let ends: Vec<_> = packets.iter().flat_map(|packet| [packet.src, packet.dst]).map(Into::into).collect();
    addresses.iter().all(Option::is_none) || addresses.iter().flatten().any(|address| ends.contains(address))
}

/// Whether the packet is one of that floating IP's.
fn carries(fip: &FloatingIp, walk: &Walk) -> bool {
    let passes = |fip: &FloatingIp| {
        let mut links = fip.outbound.iter().chain(&fip.inbound);
        links.any(|link| link.namespace == walk.start.namespace)
    };
    let is_its = fip.floating_ip == Some(walk.sent.dst.into()) || fip.fixed_ip == Some(walk.sent.src.into());
    is_its && passes(fip)
}

/// Whether the packet came through the finding's namespace.
fn is_passed(finding: &Finding, walk: &Walk) -> bool {
    walk.hops.iter().any(|hop| finding.namespace.as_ref() == Some(&hop.namespace))
}
