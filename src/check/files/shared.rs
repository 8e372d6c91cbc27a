//! What several networks, several kinds of floating IPs, or all routers share:
//! the files, their pools, port forwarding, traffic control.

use std::collections::BTreeSet;

use super::super::{Findings, Scene, Subject};
use super::linklocal::paired;
use super::priorities::{layout, object, ruled};
use crate::net::netfilter::{NfFamily, RuleBody, Target};
use crate::net::{Link, NetnsName};
use crate::neutron::{
    AllocationLine, FIP_PRIORITIES, LINK_LOCAL_POOL, LINK_LOCAL_POOL_OLD, Layout, pair_lines, priority_lines,
};
use crate::topology::{ExternalNetwork, FipKind, ObjectKind, ObjectRef, Router};

/// DVR903: of several external networks one has no line at all in a file,
/// though it has pairs or rules: each keeps the file as if it were its own.
pub(in super::super) fn overwritten(scene: &Scene<'_>, findings: &mut Findings) {
    let networks = &scene.topology.external_networks;
    if networks.len() < 2 {
        return;
    }
    let host = &scene.snapshot.host;
    if let Some(file) = host.link_local_file.seen().filter(|file| !file.truncated) {
        let lines: BTreeSet<String> =
            pair_lines(file).filter_map(AllocationLine::entry).map(|entry| entry.router).collect();
        for network in networks {
            let own = paired(scene).filter(|(router, _)| router.external_network.as_ref() == Some(&network.id));
            let lost: Vec<String> = own.map(|(router, _)| router.id.clone()).filter(|id| !lines.contains(id)).collect();
            tell(findings, network, "fip-linklocal-networks", &lost);
        }
    }
    if let Some(file) = host.priority_file.seen().filter(|file| !file.truncated) {
        let lines: BTreeSet<String> =
            priority_lines(file).filter_map(AllocationLine::entry).map(|entry| entry.floating_ip.to_string()).collect();
        for network in networks {
            let own = ruled(scene).filter(|fip| {
                fip.external_network.as_ref() == Some(&network.id) && layout(scene, fip) != Some(Layout::Juno)
            });
            let lost: Vec<String> = own
                .filter_map(|fip| fip.floating_ip)
                .map(|address| address.to_string())
                .filter(|address| !lines.contains(address))
                .collect();
            tell(findings, network, "fip-priorities", &lost);
        }
    }
}

fn tell(findings: &mut Findings, network: &ExternalNetwork, file: &str, lost: &[String]) {
    if lost.is_empty() {
        return;
    }
    let message = format!("{file} has lost its lines for {} of network {}", lost.join(", "), network.id);
    findings
        .fire(&Subject::network(network), None, object(&format!("{file} {}", network.namespace)), message)
        .values(format!("a line each for {}", lost.join(", ")), "no such line");
}

/// DVR904: a pool more than four fifths used, with entries that no object needs.
pub(in super::super) fn exhausted(scene: &Scene<'_>, findings: &mut Findings) {
    let host = &scene.snapshot.host;
    if let Some(file) = host.link_local_file.seen() {
        let entries: Vec<_> = pair_lines(file).filter_map(AllocationLine::entry).collect();
        let old = !entries.is_empty() && entries.iter().all(|entry| entry.pair.is_from_old_pool());
        let pool = if old { LINK_LOCAL_POOL_OLD } else { LINK_LOCAL_POOL };
        let size = (1_usize << (32 - pool.prefix_len())) / 2;
        let known: BTreeSet<&str> = scene.topology.routers.iter().map(|router| router.id.as_str()).collect();
        let leaked = entries.iter().filter(|entry| !known.contains(entry.router.as_str())).count();
        nearly(findings, "fip-linklocal-networks", "pairs", (entries.len(), leaked, size));
    }
    if let Some(file) = host.priority_file.seen() {
        let used = priority_lines(file).filter_map(AllocationLine::entry);
        let used: BTreeSet<_> = used.map(|entry| entry.priority).collect();
        let size = FIP_PRIORITIES.count();
        if !is_nearly_full(used.len(), size) {
            return;
        }
        let rules = scene.snapshot.seen().flat_map(|(_, netns)| netns.rules());
        let needed: BTreeSet<_> = rules.map(|rule| rule.priority).collect();
        let leaked = used.difference(&needed).count();
        nearly(findings, "fip-priorities", "priorities", (used.len(), leaked, size));
    }
}

/// Four fifths are given out.
fn is_nearly_full(used: usize, size: usize) -> bool {
    used * 5 >= size * 4
}

fn nearly(findings: &mut Findings, file: &str, what: &str, (used, leaked, size): (usize, usize, usize)) {
    if leaked == 0 || !is_nearly_full(used, size) {
        return;
    }
    let message = format!("{used} of {size} {what} are given out, {leaked} of them to nothing that stands here");
    findings
        .fire(&Subject::node(), None, object(&format!("{file} pool")), message)
        .values(format!("at most {} in use", size * 4 / 5), format!("{used} in use, {leaked} leaked"));
}

/// DVR910: a port forwarding in the snat namespace leads to a fixed IP whose
/// answers a rule sends to the fip namespace.
pub(in super::super) fn port_forwarding(scene: &Scene<'_>, findings: &mut Findings) {
    for router in scene.routers {
        let Some(name) = &router.snat_namespace else { continue };
        let Some(netfilter) = scene.netns(name).and_then(|netns| netns.netfilter.seen()) else { continue };
        let nat = netfilter.tables().filter(|table| table.name == "nat" && table.family == NfFamily::Ip);
        for chain in nat.flat_map(|table| &table.chains).filter(|chain| chain.name.contains("-pf-")) {
            for rule in &chain.rules {
                let RuleBody::Words(words) = &rule.body else { continue };
                let Some(Target::Dnat { to, .. }) = &words.target else { continue };
                let Some(fixed) = to.addr() else { continue };
                let mut own = scene.fips_of(router).iter().filter(|fip| fip.fixed_ip == Some(fixed));
                let Some(fip) = own.find(|fip| fip.kind == FipKind::Distributed && fip.rule_priority.is_some()) else {
                    continue;
                };
                let line = rule.line(&chain.name, NfFamily::Ip).to_string();
                let message = format!("{fixed} answers a port forwarding by its own floating IP's way out");
                findings
                    .fire(
                        &Subject::floating_ip(fip),
                        Some(name),
                        ObjectRef { kind: ObjectKind::Nat, key: line },
                        message,
                    )
                    .values(
                        format!("no rule from {fixed} lookup 16 in the router namespace"),
                        format!("{}: from {fixed} lookup 16", fip.rule_priority.map_or(0, |priority| priority.0)),
                    );
            }
        }
    }
}

/// DVR911: more filters in one direction than addresses that they can be for.
pub(in super::super) fn qos(scene: &Scene<'_>, findings: &mut Findings) {
    for router in scene.routers {
        let rfp = router.namespace.as_ref().zip(router.rtr_2_fip.as_ref()).map(|(name, end)| (name, &end.device));
        let home = router.snat_namespace.as_ref().or(router.namespace.as_ref());
        let qg = home.zip(router.gateway_port.as_ref());
        let own = |kinds: &[FipKind]| scene.fips_of(router).iter().filter(|fip| kinds.contains(&fip.kind)).count();
        // The router's own gateway address may be limited as well.
        let gateway = own(&[FipKind::Centralized, FipKind::Legacy]) + qg.map_or(0, |(_, port)| port.addresses.len());
        let places = [
            rfp.map(|place| (place, own(&[FipKind::Distributed]))),
            qg.map(|(name, port)| ((name, &port.device), gateway)),
        ];
        for ((name, device), most) in places.into_iter().flatten() {
            let Some(link) = scene.link(name, device) else { continue };
            if filters(link) > most {
                stale(findings, router, name, link, most);
            }
        }
    }
}

fn stale(findings: &mut Findings, router: &Router, name: &NetnsName, link: &Link, most: usize) {
    let object = ObjectRef { kind: ObjectKind::Link, key: link.name.as_str().to_owned() };
    let message = format!("{} has {} QoS filters for {most} addresses", link.name, filters(link));
    findings
        .fire(&Subject::router(router), Some(name), object, message)
        .values(format!("at most {most} filters in a direction"), format!("{} filters", filters(link)));
}

/// The most filters that hang on one parent. A `u32` filter without a node
/// number in its handle is a hash table, or its bucket (`TC_U32_NODE`).
fn filters(link: &Link) -> usize {
    let real = link.filters.iter().filter(|filter| filter.kind == "u32" && filter.handle & 0xfff != 0);
    let parents: Vec<u32> = real.map(|filter| filter.parent).collect();
    parents.iter().map(|parent| parents.iter().filter(|other| *other == parent).count()).max().unwrap_or(0)
}
