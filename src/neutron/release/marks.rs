//! The marks themselves, each with the releases that leave it.

use super::{Reason, Release};
use crate::net::netfilter::{Match, NfFamily, RuleWords, Target};
use crate::net::{Link, NeighState, Netns, Snapshot, TableId};
use crate::neutron::{
    DeviceKind, FAST_EXIT_PRIORITY, FIP_TABLE, LinkLocalPair, NamespaceKind, is_fip_priority, parse_namespace,
};

/// A mark: its words, the earliest release with it, the first without.
type Mark = (&'static str, Option<(u16, u16, u16)>, Option<(u16, u16, u16)>);

/// The marks of a node, each once.
pub(super) fn of(snapshot: &Snapshot) -> Vec<Reason> {
    let mut marks: Vec<Mark> = Vec::new();
    for (name, netns) in &snapshot.namespaces {
        let Some(netns) = netns.seen() else { continue };
        match parse_namespace(name) {
            Some((NamespaceKind::Router, _)) => router(netns, &mut marks),
            Some((NamespaceKind::Fip, _)) => fip(netns, &mut marks),
            Some((NamespaceKind::Snat, _)) => snat(netns, &mut marks),
            _ => continue,
        }
        anywhere(netns, &mut marks);
    }
    if snapshot.host.priority_file.seen().is_some() {
        marks.push(("the agent keeps fip-priorities", Some((7, 0, 0)), None));
    }
    marks.sort_unstable();
    marks.dedup();
    let release = |(major, minor, patch): (u16, u16, u16)| Release::new(major, minor, patch);
    let mut reasons: Vec<Reason> = marks
        .into_iter()
        .map(|(text, from, to)| Reason { text: text.to_owned(), from: from.map(release), to: to.map(release) })
        .collect();
    reasons.extend(installed(snapshot));
    reasons
}

/// The package that is installed; the running agent may still be the one before.
fn installed(snapshot: &Snapshot) -> Option<Reason> {
    let version: Release = snapshot.host.neutron_version.seen()?.parse().ok()?;
    let to = Release { patch: version.patch.saturating_add(1), ..version };
    Some(Reason { text: format!("Neutron {version} is installed"), from: Some(version), to: Some(to) })
}

fn router(netns: &Netns, marks: &mut Vec<Mark>) {
    let Some(rfp) = device(netns, DeviceKind::RouterToFip) else { return };
    translations(netns, rfp, marks);
    pair(netns, rfp, marks);
    if !has_floating_ips(netns) {
        marks.push(("a pair stands without a floating IP", Some((11, 0, 0)), None));
    }
    if netns.rules().iter().any(|rule| rule.priority == FAST_EXIT_PRIORITY) {
        marks.push(("a fast exit rule (priority 80000)", Some((11, 0, 0)), None));
    }
    for route in netns.routes().iter().filter(|route| route.is_default() && route.dev() == Some(&rfp.name)) {
        match (route.table, route.dst.addr().is_ipv4(), route.protocol) {
            (FIP_TABLE, true, 4) => marks.push(("routes are proto static", Some((15, 0, 0)), None)),
            (FIP_TABLE, true, 3) => marks.push(("routes are proto boot", None, Some((15, 0, 0)))),
            (TableId::MAIN, false, _) => marks.push(("an IPv6 default leads to rfp", Some((21, 0, 0)), None)),
            _ => {}
        }
    }
}

/// Whether anything is left of a floating IP: a rule in the agent's range, or a
/// translation of a whole address.
fn has_floating_ips(netns: &Netns) -> bool {
    let is_whole = |words: &RuleWords| match &words.target {
        Some(Target::Dnat { .. }) => words.destination().is_some(),
        Some(Target::Snat { .. }) => words.source().is_some(),
        _ => false,
    };
    netns.rules().iter().any(|rule| is_fip_priority(rule.priority)) || words(netns, "nat").any(is_whole)
}

fn translations(netns: &Netns, rfp: &Link, marks: &mut Vec<Mark>) {
    for words in words(netns, "nat") {
        let with_input = words.in_iface() == Some(rfp.name.as_str());
        match &words.target {
            Some(Target::Dnat { .. }) if with_input => {
                marks.push(("DNAT asks for the input device", Some((8, 3, 0)), None));
            }
            Some(Target::Dnat { .. }) if words.destination().is_some() && words.in_iface().is_none() => {
                marks.push(("DNAT asks for no input device", None, Some((8, 3, 0))));
            }
            Some(Target::Snat { flags, .. }) if flags.random_fully => {
                marks.push(("SNAT is --random-fully", Some((10, 0, 0)), None));
            }
            Some(Target::Accept) => {
                let inverted_input = words.matches.iter().any(|m| matches!(m, Match::InIface { invert: true, .. }));
                let inverted_output = words.matches.iter().any(|m| matches!(m, Match::OutIface { invert: true, .. }));
                match (inverted_input, inverted_output) {
                    (true, true) => marks.push(("the guard names the input device", None, Some((14, 0, 3)))),
                    (false, true) => marks.push(("the guard names no input device", Some((14, 0, 3)), None)),
                    _ => {}
                }
            }
            _ => {}
        }
    }
}

fn pair(netns: &Netns, rfp: &Link, marks: &mut Vec<Mark>) {
    let addrs = netns.addrs().iter().filter(|addr| addr.dev == rfp.name);
    for pair in addrs.filter_map(|addr| LinkLocalPair::of_net(addr.address)) {
        if pair.is_from_a_pool() && !pair.is_from_old_pool() {
            marks.push(("pairs come from 169.254.64.0/18", Some((7, 1, 0)), None));
        } else if pair.is_from_old_pool() {
            // An entry of the file outlives upgrades: it tells nothing of today.
            marks.push(("a pair comes from 169.254.30.0/23", None, None));
        }
        let known = |neigh: &&crate::net::Neigh| neigh.dev == rfp.name && neigh.address == pair.fpr();
        if netns.neighs().iter().find(known).is_some_and(|neigh| neigh.state == NeighState::Permanent) {
            marks.push(("the pair's neighbours are permanent", Some((10, 0, 0)), None));
        }
    }
}

fn fip(netns: &Netns, marks: &mut Vec<Mark>) {
    let is_fpr = |name: &crate::net::IfName| DeviceKind::FipToRouter.is(name);
    let own_tables = netns.rules().iter().any(|rule| rule.iif.as_ref().is_some_and(is_fpr));
    if own_tables {
        marks.push(("routers have tables of their own in the fip namespace", Some((9, 3, 0)), None));
    }
    let main = netns.routes().iter().any(|route| {
        route.is_default()
            && route.table == TableId::MAIN
            && route.dev().is_some_and(|dev| DeviceKind::AgentGateway.is(dev))
    });
    if main && !own_tables && netns.rules.seen().is_some() && device(netns, DeviceKind::FipToRouter).is_some() {
        marks.push(("the fip namespace's default is in main", None, Some((9, 3, 0))));
    }
    if let Some(fg) = device(netns, DeviceKind::AgentGateway) {
        // Written as 1, which reads back as 0 where the kernel's clock is coarse.
        let delay = netns.sysctl(&format!("net.ipv4.neigh.{}.proxy_delay", fg.name.as_str()));
        if delay.is_some_and(|delay| delay <= 1) {
            marks.push(("fg answers by proxy without delay", Some((22, 0, 0)), None));
        }
    }
}

fn snat(netns: &Netns, marks: &mut Vec<Mark>) {
    if netns.sysctl("net.ipv4.ip_nonlocal_bind") == Some(1) {
        marks.push(("the snat namespace may bind foreign addresses", Some((21, 1, 0)), None));
    }
}

fn anywhere(netns: &Netns, marks: &mut Vec<Mark>) {
    if netns.sysctl("net.netfilter.nf_conntrack_tcp_be_liberal") == Some(1) {
        marks.push(("connection tracking is liberal about TCP", Some((26, 0, 0)), None));
    }
    if netns.sysctl("net.ipv4.conf.all.arp_ignore") == Some(1) {
        marks.push(("arp_ignore is set", Some((10, 0, 3)), None));
    }
    let scope = |name: &str| name.strip_suffix("-scope").is_some_and(|prefix| prefix.starts_with("neutron-"));
    let filter = netns.netfilter.seen().into_iter().flat_map(|netfilter| netfilter.named(NfFamily::Ip, "filter"));
    if filter.flat_map(|table| &table.chains).any(|chain| scope(&chain.name)) {
        marks.push(("address scopes have chains", Some((8, 0, 0)), None));
    }
}

fn device(netns: &Netns, kind: DeviceKind) -> Option<&Link> {
    netns.links().iter().find(|link| kind.is(&link.name))
}

fn words<'a>(netns: &'a Netns, table: &'a str) -> impl Iterator<Item = &'a RuleWords> {
    let netfilter = netns.netfilter.seen().into_iter();
    let chains =
        netfilter.flat_map(move |netfilter| netfilter.named(NfFamily::Ip, table)).flat_map(|table| &table.chains);
    chains.flat_map(|chain| &chain.rules).filter_map(|rule| rule.body.words())
}
