//! What connection tracking makes of flows: a look a flow, of the largest alone.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::kernel;
use crate::net::{ConntrackEntry, ConntrackTuple, NetnsName, Observed};
use crate::netns::NetnsDir;
use crate::path::Endpoint;
use crate::topology::Topology;
use crate::traffic::{FlowTraffic, Interval};

/// Flows that are asked about in an interval.
const MOST: usize = 32;

/// Tells of the largest flows how their tracked connections translate them. What
/// cannot be read is left as it is.
pub(super) fn translate(interval: &mut Interval, dir: &NetnsDir, topology: &Topology) {
    let mut wanted: BTreeMap<NetnsName, Vec<(usize, ConntrackTuple)>> = BTreeMap::new();
    for (at, flow) in interval.flows.iter().enumerate().take(MOST) {
        for name in places(flow, topology) {
            wanted.entry(name).or_default().push((at, tuple(flow.proto, [flow.source, flow.destination])));
        }
    }
    for (name, asked) in wanted {
        let tuples: Vec<ConntrackTuple> = asked.iter().map(|(_, tuple)| tuple.clone()).collect();
        for ((at, _), entry) in asked.iter().zip(find(dir, &name, &tuples)) {
            if let (Some(flow), Some(entry)) = (interval.flows.get_mut(*at), entry) {
                flow.join(&entry);
            }
        }
    }
}

/// The connections of these namespaces that a conversation belongs to, under any of
/// its pairs of ends.
pub(super) fn entries_of(
    dir: &NetnsDir,
    namespaces: &[NetnsName],
    proto: u8,
    pairs: &[[Endpoint; 2]],
) -> Vec<(NetnsName, ConntrackEntry)> {
    let tuples: Vec<ConntrackTuple> = pairs.iter().map(|pair| tuple(proto, *pair)).collect();
    let mut found: Vec<(NetnsName, ConntrackEntry)> = Vec::new();
    for name in namespaces {
        for entry in find(dir, name, &tuples).into_iter().flatten() {
            let known = found.iter().any(|(place, known)| place == name && known.original == entry.original);
            if !known {
                found.push((name.clone(), entry));
            }
        }
    }
    found
}

fn find(dir: &NetnsDir, name: &NetnsName, tuples: &[ConntrackTuple]) -> Vec<Option<ConntrackEntry>> {
    match kernel::find_conntrack(dir, name, tuples) {
        Observed::Seen(entries) => entries,
        Observed::Absent => Vec::new(),
        Observed::Unreadable(why) => {
            tracing::debug!(namespace = %name, %why, "tracked connections");
            Vec::new()
        }
    }
}

/// Where a flow's connection is tracked; the one that translates it comes last, so
/// that its word stands.
fn places(flow: &FlowTraffic, topology: &Topology) -> Vec<NetnsName> {
    let router = flow.router.as_deref().and_then(|id| topology.router(id));
    let names = router.into_iter().flat_map(|router| [&router.namespace, &router.snat_namespace]);
    names.flatten().cloned().collect()
}

fn tuple(proto: u8, [source, destination]: [Endpoint; 2]) -> ConntrackTuple {
    let address = |end: Endpoint| IpAddr::V4(end.address);
    ConntrackTuple {
        src: address(source),
        dst: address(destination),
        proto,
        sport: source.port,
        dport: destination.port,
    }
}
