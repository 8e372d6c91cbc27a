//! How much memory remembered things take, about: sizes of the values, and a
//! round figure for what hangs on each.

use std::mem::size_of;

use crate::check::Turn;
use crate::net::netfilter::{NfRule, Table};
use crate::net::{
    Addr, Change, ConntrackEntry, Link, Neigh, Netns, Object, Observed, OvsPort, Part, Route, Rule, Snapshot,
};

/// Names, addresses and lists that hang on one object.
const HEAP: usize = 128;

/// A netfilter rule's matches.
const MATCHES: usize = 512;

/// A finding's texts.
const TEXTS: usize = 1024;

/// Bytes of a change.
pub(super) fn change(change: &Change) -> usize {
    let sides = [&change.before, &change.after].into_iter().flatten();
    size_of::<Change>() + HEAP + sides.map(object).sum::<usize>()
}

/// Bytes of what became of findings.
pub(super) fn turns(turns: &[Turn]) -> usize {
    turns.len() * (size_of::<Turn>() + TEXTS)
}

/// Bytes of a reading.
pub(super) fn snapshot(snapshot: &Snapshot) -> usize {
    let host = &snapshot.host;
    let files = [&host.link_local_file, &host.priority_file].into_iter().filter_map(Observed::seen);
    let lines: usize = files.map(|file| file.lines.len()).sum();
    let ports = host.ovs.seen().map_or(0, |ovs| ovs.ports.len());
    let all = snapshot.namespaces.values().chain([&host.netns]);
    size_of::<Snapshot>()
        + lines * HEAP
        + ports * (size_of::<OvsPort>() + HEAP)
        + all.map(|it| HEAP + it.seen().map_or(0, |it| netns(it))).sum::<usize>()
}

fn netns(netns: &Netns) -> usize {
    let netfilter = netns.netfilter.seen().into_iter().flat_map(|netfilter| [&netfilter.nft, &netfilter.legacy]);
    let conntrack = netns.conntrack.as_ref().and_then(Observed::seen).map_or(0, Vec::len);
    size_of::<Netns>()
        + netns.links().len() * (size_of::<Link>() + HEAP)
        + netns.addrs().len() * (size_of::<Addr>() + HEAP)
        + netns.rules().len() * (size_of::<Rule>() + HEAP)
        + netns.routes().len() * (size_of::<Route>() + HEAP)
        + netns.neighs().len() * (size_of::<Neigh>() + HEAP)
        + netns.sysctls.len() * HEAP
        + conntrack * (size_of::<ConntrackEntry>() + HEAP)
        + netfilter.filter_map(Observed::seen).flatten().map(table).sum::<usize>()
}

fn table(table: &Table) -> usize {
    let rules: usize =
        table.chains.iter().map(|chain| HEAP + chain.rules.len() * (size_of::<NfRule>() + MATCHES)).sum();
    size_of::<Table>() + HEAP + rules
}

fn object(object: &Object) -> usize {
    match object {
        Object::Netns(it) => it.seen().map_or(0, |it| netns(it)),
        Object::Part(it) => part(it),
        Object::Table(_, it) => table(it),
        Object::NfRule(..) | Object::Chain(..) => size_of::<NfRule>() + MATCHES,
        Object::Link(_) => size_of::<Link>() + HEAP,
        Object::Rule(_) => size_of::<Rule>() + HEAP,
        Object::Route(_) => size_of::<Route>() + HEAP,
        _ => HEAP,
    }
}

fn part(part: &Part) -> usize {
    let whole = match part.clone() {
        Part::Links(links) => Netns { links, ..Netns::default() },
        Part::Addrs(addrs) => Netns { addrs, ..Netns::default() },
        Part::Rules(rules) => Netns { rules, ..Netns::default() },
        Part::Routes(routes) => Netns { routes, ..Netns::default() },
        Part::Neighs(neighs) => Netns { neighs, ..Netns::default() },
        Part::Netfilter(netfilter) => Netns { netfilter, ..Netns::default() },
        Part::Tables(_, tables) => return tables.seen().map_or(0, |all| all.iter().map(table).sum()),
        Part::Ovs(ovs) => return ovs.seen().map_or(0, |ovs| ovs.ports.len() * (size_of::<OvsPort>() + HEAP)),
        Part::File(_, file) => return file.seen().map_or(0, |file| file.lines.len() * HEAP),
        _ => return size_of::<Part>(),
    };
    netns(&whole)
}
