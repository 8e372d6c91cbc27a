//! One routing table: longest prefix first.

use std::cmp::Reverse;

use ipnet::IpNet;

use super::Key;
use crate::net::{NextHop, Route, RouteKind};

/// The routes of one table, by prefix length.
pub(super) struct Table<'s> {
    /// Longest first.
    levels: Vec<Level<'s>>,
}

/// The prefixes of one length.
struct Level<'s> {
    mask: u32,
    /// Sorted, for binary search.
    networks: Vec<u32>,
    /// For each network its routes, in the order in which the kernel tries them.
    routes: Vec<Vec<&'s Route>>,
}

/// The route that a table answers with.
pub(super) struct Hit<'s> {
    pub(super) route: &'s Route,
    pub(super) hop: Option<&'s NextHop>,
    pub(super) is_ambiguous: bool,
}

impl<'s> Table<'s> {
    pub(super) fn of(routes: Vec<&'s Route>) -> Self {
        let mut sorted: Vec<(u8, u32, &'s Route)> = routes
            .into_iter()
            .filter_map(|route| match route.dst {
                IpNet::V4(dst) => Some((dst.prefix_len(), dst.network().to_bits(), route)),
                IpNet::V6(_) => None,
            })
            .collect();
        // `fib_find_alias`: larger table (where two share a trie), larger tos,
        // then smaller metric; stable, since the kernel's own order decides
        // among equals.
        sorted.sort_by_key(|(length, network, route)| {
            (Reverse(*length), *network, Reverse(route.table), Reverse(route.tos), route.metric)
        });
        let mut levels: Vec<Level<'s>> = Vec::new();
        for (length, network, route) in sorted {
            let mask = u32::MAX.checked_shl(32 - u32::from(length)).unwrap_or(0);
            if levels.last().is_none_or(|level| level.mask != mask) {
                levels.push(Level { mask, networks: Vec::new(), routes: Vec::new() });
            }
            if let Some(level) = levels.last_mut() {
                level.push(network, route);
            }
        }
        Self { levels }
    }

    /// The longest prefix that has a route for this key (`fib_table_lookup`).
    pub(super) fn lookup(&self, key: &Key) -> Option<Hit<'s>> {
        self.levels.iter().find_map(|level| {
            let at = level.networks.binary_search(&(key.dst & level.mask)).ok()?;
            level.routes.get(at)?.iter().find_map(|route| usable(route, key))
        })
    }
}

impl Table<'_> {
    /// Whether there are other default routes that the kernel weighs against
    /// the one found, for what it sends itself (`fib_select_default` in
    /// `net/ipv4/fib_semantics.c`).
    pub(super) fn has_rivals(&self, found: &Route, key: &Key) -> bool {
        if found.dst.prefix_len() != 0 || found.kind != RouteKind::Unicast || found.next_hops.len() > 1 {
            return false;
        }
        let defaults = self.levels.last().filter(|level| level.mask == 0).and_then(|level| level.routes.first());
        let (mut last, mut rivals) = ((0, found.metric), 0);
        for route in defaults.into_iter().flatten().filter(|route| route.table == found.table && fits(route, key)) {
            if route.metric > last.1 && route.tos == last.0 {
                match last.0 {
                    0 => break,
                    _ => continue,
                }
            }
            if route.next_hops.first().is_some_and(|hop| hop.dead) {
                continue;
            }
            last = (route.tos, route.metric);
            if route.scope == found.scope && route.kind == RouteKind::Unicast && route.via().is_some() {
                if rivals == 0 && *route != found {
                    return false;
                }
                rivals += 1;
            }
        }
        rivals > 1
    }
}

impl<'s> Level<'s> {
    fn push(&mut self, network: u32, route: &'s Route) {
        if self.networks.last() == Some(&network) {
            if let Some(routes) = self.routes.last_mut() {
                routes.push(route);
            }
        } else {
            self.networks.push(network);
            self.routes.push(vec![route]);
        }
    }
}

fn fits(route: &Route, key: &Key) -> bool {
    route.tos == 0 || route.tos == key.class()
}

fn usable<'s>(route: &'s Route, key: &Key) -> Option<Hit<'s>> {
    use RouteKind::{Blackhole, Other, Prohibit, Throw, Unreachable};
    if !fits(route, key) {
        return None;
    }
    // These answer before any next hop is looked at.
    if matches!(route.kind, Blackhole | Unreachable | Prohibit | Throw | Other(_)) {
        return Some(Hit { route, hop: None, is_ambiguous: false });
    }
    let mut usable = route.next_hops.iter().filter(|hop| !hop.dead);
    let hop = usable.next()?;
    Some(Hit { route, hop: Some(hop), is_ambiguous: usable.next().is_some() })
}
