//! What was read again takes its place in the live snapshot, and what changed
//! by that is told.

use std::collections::{BTreeMap, BTreeSet};
use std::mem::{replace, swap, take};

use super::poll::Place;
use crate::kernel::namespace::Parts;
use crate::kernel::peer::{partner, resolve, same_end};
use crate::net::{Change, Host, Link, Netns, Observed, Snapshot, host_changes, netns_changes};
use crate::netns::NetnsDir;

/// Parts of a namespace, read again.
pub(super) struct Fresh {
    pub(super) place: Place,
    pub(super) parts: Parts,
    /// None where the namespace is gone.
    pub(super) found: Option<Observed<Netns>>,
}

/// What stood there before: the parts that differ, or the whole namespace.
type Former = BTreeMap<Place, (Parts, Option<Observed<Netns>>)>;

/// Puts readings in their places. Answers with the changes, and with the
/// namespaces whose devices may lead elsewhere now without the kernel saying so.
pub(super) fn merge(snapshot: &mut Snapshot, dir: &NetnsDir, fresh: Vec<Fresh>) -> (Vec<Change>, BTreeSet<Place>) {
    let (mut former, mut partners, mut moved) = (Former::new(), BTreeSet::new(), false);
    for Fresh { place, parts, found } in fresh {
        match (slot(snapshot, &place), found) {
            (Some(Observed::Seen(live)), Some(Observed::Seen(mut found))) => {
                if parts.has(Parts::LINKS) {
                    moved |= keep_peers(live, &mut found, &mut partners);
                }
                let (parts, old) = exchange(live, found, parts);
                if !parts.is_empty() {
                    former.insert(place, (parts, Some(Observed::Seen(old))));
                }
            }
            (old, found) if old.as_deref() != found.as_ref() => {
                moved = true;
                let old = old.map(take);
                if let Some(Observed::Seen(old)) = &old {
                    partners.extend(old.links().iter().filter_map(partner));
                }
                set(snapshot, &place, found);
                // One that went and came again under its name in the meantime is compared with the first.
                former.entry(place).or_insert((Parts::ALL, old));
            }
            _ => {}
        }
    }
    if moved {
        add_moved(&mut former, resolve(snapshot, dir), snapshot, &mut partners);
    }
    let mut changes = Vec::new();
    for (place, (parts, old)) in former {
        let name = place.as_ref();
        match (slot(snapshot, &place), old) {
            (Some(Observed::Seen(live)), Some(Observed::Seen(old))) => {
                let mut now = Netns::default();
                swap_parts(live, &mut now, parts);
                let (old, new) = (Observed::Seen(old), Observed::Seen(now));
                changes.extend(netns_changes(name, Some(&old), Some(&new)));
                if let Observed::Seen(mut now) = new {
                    swap_parts(live, &mut now, parts);
                }
            }
            (now, old) => changes.extend(netns_changes(name, old.as_ref(), now.as_deref())),
        }
    }
    (changes, partners)
}

/// Puts a reading of the host's side in its place; its namespace stays.
pub(super) fn merge_host(snapshot: &mut Snapshot, host: Host) -> Vec<Change> {
    let netns = take(&mut snapshot.host.netns);
    let old = replace(&mut snapshot.host, host);
    let changes = host_changes(&old, &snapshot.host);
    snapshot.host.netns = netns;
    changes
}

/// Devices that still lead to the same other end keep what is known of it.
/// True where one does not.
fn keep_peers(live: &Netns, found: &mut Netns, partners: &mut BTreeSet<Place>) -> bool {
    let Observed::Seen(links) = &mut found.links else { return true };
    let old: BTreeMap<u32, &Link> = live.links().iter().map(|link| (link.index, link)).collect();
    let mut kept = BTreeSet::new();
    for link in links.iter_mut() {
        if let Some(old) = old.get(&link.index).filter(|old| same_end(old, link)) {
            link.peer.clone_from(&old.peer);
            kept.insert(link.index);
        }
    }
    let lost = old.values().filter(|link| !kept.contains(&link.index));
    partners.extend(lost.filter_map(|link| partner(link)));
    kept.len() != old.len() || kept.len() != links.len()
}

/// Devices whose other end was found elsewhere count as read again.
fn add_moved(
    former: &mut Former,
    moved: BTreeMap<Place, Vec<Link>>,
    snapshot: &mut Snapshot,
    partners: &mut BTreeSet<Place>,
) {
    for (place, links) in moved {
        if let Some(Observed::Seen(live)) = slot(snapshot, &place) {
            partners.extend(live.links().iter().filter_map(partner));
        }
        match former.get_mut(&place) {
            None => {
                let old = Netns { links: Observed::Seen(links), ..Netns::default() };
                former.insert(place, (Parts::LINKS, Some(Observed::Seen(old))));
            }
            Some((parts, Some(Observed::Seen(old)))) if !parts.has(Parts::LINKS) => {
                old.links = Observed::Seen(links);
                *parts = *parts | Parts::LINKS;
            }
            Some(_) => {}
        }
    }
}

/// Gives the live namespace the parts that differ, and takes the old ones out.
fn exchange(live: &mut Netns, mut found: Netns, parts: Parts) -> (Parts, Netns) {
    let differs = [
        (Parts::LINKS, live.links != found.links),
        (Parts::ADDRS, live.addrs != found.addrs),
        (Parts::RULES, live.rules != found.rules),
        (Parts::ROUTES, live.routes != found.routes),
        (Parts::NEIGHS, live.neighs != found.neighs),
        (Parts::NETFILTER, live.netfilter != found.netfilter),
        (Parts::SYSCTLS, (&live.sysctls, &live.conntrack_fill) != (&found.sysctls, &found.conntrack_fill)),
    ];
    let parts = differs
        .into_iter()
        .filter(|(part, differs)| *differs && parts.has(*part))
        .fold(Parts::NONE, |all, (part, _)| all | part);
    swap_parts(live, &mut found, parts);
    let mut old = Netns::default();
    swap_parts(&mut old, &mut found, parts);
    (parts, old)
}

fn swap_parts(one: &mut Netns, other: &mut Netns, parts: Parts) {
    if parts.has(Parts::LINKS) {
        swap(&mut one.links, &mut other.links);
    }
    if parts.has(Parts::ADDRS) {
        swap(&mut one.addrs, &mut other.addrs);
    }
    if parts.has(Parts::RULES) {
        swap(&mut one.rules, &mut other.rules);
    }
    if parts.has(Parts::ROUTES) {
        swap(&mut one.routes, &mut other.routes);
    }
    if parts.has(Parts::NEIGHS) {
        swap(&mut one.neighs, &mut other.neighs);
    }
    if parts.has(Parts::NETFILTER) {
        swap(&mut one.netfilter, &mut other.netfilter);
    }
    if parts.has(Parts::SYSCTLS) {
        swap(&mut one.sysctls, &mut other.sysctls);
        swap(&mut one.conntrack_fill, &mut other.conntrack_fill);
    }
}

fn slot<'a>(snapshot: &'a mut Snapshot, place: &Place) -> Option<&'a mut Observed<Netns>> {
    match place {
        None => Some(&mut snapshot.host.netns),
        Some(name) => snapshot.namespaces.get_mut(name),
    }
}

fn set(snapshot: &mut Snapshot, place: &Place, found: Option<Observed<Netns>>) {
    match (place, found) {
        (None, found) => snapshot.host.netns = found.unwrap_or_default(),
        (Some(name), Some(found)) => drop(snapshot.namespaces.insert(name.clone(), found)),
        (Some(name), None) => drop(snapshot.namespaces.remove(name)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::{NetnsName, Route, TableId};

    fn routes(count: u8) -> Observed<Vec<Route>> {
        let route = |n| {
            Route::unicast(
                TableId::MAIN,
                format!("10.0.{n}.0/24").parse().unwrap(),
                None,
                &crate::net::IfName::from("a"),
            )
        };
        Observed::Seen((0..count).map(route).collect())
    }

    fn node(routes: Observed<Vec<Route>>) -> Snapshot {
        let mut snapshot = Snapshot::empty("node", jiff::Timestamp::UNIX_EPOCH);
        let netns = Netns { routes, neighs: Observed::Seen(Vec::new()), ..Netns::default() };
        snapshot.namespaces.insert(NetnsName::from("x"), Observed::Seen(netns));
        snapshot
    }

    #[test]
    fn only_the_parts_that_were_read_are_taken() {
        let mut live = node(routes(2));
        let found = Netns { routes: routes(3), ..Netns::default() };
        let place = Some(NetnsName::from("x"));
        let fresh = Fresh { place: place.clone(), parts: Parts::ROUTES, found: Some(Observed::Seen(found.clone())) };
        let before = live.clone();
        let (changes, partners) = merge(&mut live, &NetnsDir::default(), vec![fresh]);
        assert_eq!((changes.len(), partners.len()), (1, 0), "{changes:?}");
        assert_eq!(live, node(routes(3)));
        let mut applied = before;
        applied.apply(&changes);
        assert_eq!(applied, live);
        let again = Fresh { place, parts: Parts::ROUTES, found: Some(Observed::Seen(found)) };
        assert_eq!(merge(&mut live, &NetnsDir::default(), vec![again]).0, []);
    }

    #[test]
    fn a_namespace_that_is_gone_is_one_change() {
        let mut live = node(routes(2));
        let fresh = Fresh { place: Some(NetnsName::from("x")), parts: Parts::ALL, found: None };
        let (changes, _) = merge(&mut live, &NetnsDir::new("/nonexistent"), vec![fresh]);
        assert!(changes.len() == 1 && changes[0].after.is_none() && live.namespaces.is_empty(), "{changes:?}");
    }
}
