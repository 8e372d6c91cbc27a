//! What was read again takes its place in the live snapshot, and what changed
//! by that is told.

use std::collections::{BTreeMap, BTreeSet};
use std::mem::{replace, take};
use std::sync::Arc;

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

/// What stood in a place before.
type Former = BTreeMap<Place, Option<Observed<Arc<Netns>>>>;

/// Puts readings in their places. Answers with the changes, and with the
/// namespaces whose devices may lead elsewhere now without the kernel saying so.
/// A namespace that a reading found as it was stays the same to the pointer.
pub(super) fn merge(snapshot: &mut Snapshot, dir: &NetnsDir, fresh: Vec<Fresh>) -> (Vec<Change>, BTreeSet<Place>) {
    let (mut former, mut partners, mut moved) = (Former::new(), BTreeSet::new(), false);
    for Fresh { place, parts, found } in fresh {
        match (slot(snapshot, &place), found) {
            (Some(Observed::Seen(live)), Some(Observed::Seen(mut found))) => {
                if parts.has(Parts::LINKS) {
                    moved |= keep_peers(live, &mut found, &mut partners);
                }
                if let (Observed::Seen(fill), Observed::Seen(before)) =
                    (&mut found.conntrack_fill, &live.conntrack_fill)
                {
                    *fill = fill.steadied(before);
                }
                let parts = differing(live, &found, parts);
                if !parts.is_empty() {
                    let new = Arc::new(with_parts(live, found, parts));
                    former.entry(place).or_insert(Some(Observed::Seen(replace(live, new))));
                }
            }
            (old, found) => {
                let found = found.map(|found| found.map(Arc::new));
                if old.as_deref() == found.as_ref() {
                    continue;
                }
                moved = true;
                let old = old.map(take);
                if let Some(Observed::Seen(old)) = &old {
                    partners.extend(old.links().iter().filter_map(partner));
                }
                set(snapshot, &place, found);
                // One that went and came again under its name in the meantime is compared with the first.
                former.entry(place).or_insert(old);
            }
        }
    }
    if moved {
        for (place, old) in resolve(snapshot, dir) {
            let live = snapshot.netns_at(place.as_ref());
            partners.extend(live.into_iter().flat_map(Netns::links).filter_map(partner));
            former.entry(place).or_insert(Some(Observed::Seen(old)));
        }
    }
    let changes = former.into_iter().flat_map(|(place, old)| {
        let now = slot(snapshot, &place);
        netns_changes(place.as_ref(), old.as_ref(), now.as_deref())
    });
    (changes.collect(), partners)
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

/// The parts that were read and differ.
fn differing(live: &Netns, found: &Netns, read: Parts) -> Parts {
    let differs = [
        (Parts::LINKS, live.links != found.links),
        (Parts::ADDRS, live.addrs != found.addrs),
        (Parts::RULES, live.rules != found.rules),
        (Parts::ROUTES, live.routes != found.routes),
        (Parts::NEIGHS, live.neighs != found.neighs),
        (Parts::NETFILTER, live.netfilter != found.netfilter),
        (Parts::SYSCTLS, (&live.sysctls, &live.conntrack_fill) != (&found.sysctls, &found.conntrack_fill)),
    ];
    let differing = differs.into_iter().filter(|(part, differs)| *differs && read.has(*part));
    differing.fold(Parts::NONE, |all, (part, _)| all | part)
}

/// A namespace with some parts as they were found.
fn with_parts(live: &Netns, found: Netns, parts: Parts) -> Netns {
    fn of<T: Clone>(is_new: bool, found: T, live: &T) -> T {
        if is_new { found } else { live.clone() }
    }
    Netns {
        links: of(parts.has(Parts::LINKS), found.links, &live.links),
        addrs: of(parts.has(Parts::ADDRS), found.addrs, &live.addrs),
        rules: of(parts.has(Parts::RULES), found.rules, &live.rules),
        routes: of(parts.has(Parts::ROUTES), found.routes, &live.routes),
        neighs: of(parts.has(Parts::NEIGHS), found.neighs, &live.neighs),
        netfilter: of(parts.has(Parts::NETFILTER), found.netfilter, &live.netfilter),
        sysctls: of(parts.has(Parts::SYSCTLS), found.sysctls, &live.sysctls),
        conntrack_fill: of(parts.has(Parts::SYSCTLS), found.conntrack_fill, &live.conntrack_fill),
        conntrack: live.conntrack.clone(),
        gaps: live.gaps.clone(),
    }
}

fn slot<'a>(snapshot: &'a mut Snapshot, place: &Place) -> Option<&'a mut Observed<Arc<Netns>>> {
    match place {
        None => Some(&mut snapshot.host.netns),
        Some(name) => snapshot.namespaces.get_mut(name),
    }
}

fn set(snapshot: &mut Snapshot, place: &Place, found: Option<Observed<Arc<Netns>>>) {
    match (place, found) {
        (None, found) => snapshot.host.netns = found.unwrap_or_default(),
        (Some(name), Some(found)) => drop(snapshot.namespaces.insert(name.clone(), found)),
        (Some(name), None) => drop(snapshot.namespaces.remove(name)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::{ConntrackFill, NetnsName, Route, TableId};

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
        snapshot.namespaces.insert(NetnsName::from("x"), Observed::Seen(netns.into()));
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
        let whole = live.clone();
        let again = Fresh { place, parts: Parts::ROUTES, found: Some(Observed::Seen(found)) };
        assert_eq!(merge(&mut live, &NetnsDir::default(), vec![again]).0, []);
        let name = NetnsName::from("x");
        assert!(live.namespaces[&name].is_same(&whole.namespaces[&name]), "what did not change is the same");
    }

    #[test]
    fn a_tracking_table_that_hovers_at_its_limit_is_no_change() {
        let place = Some(NetnsName::from("x"));
        let netns =
            |count| Netns { conntrack_fill: Observed::Seen(ConntrackFill { count, max: 1000 }), ..Netns::default() };
        let mut live = Snapshot::empty("node", jiff::Timestamp::UNIX_EPOCH);
        live.namespaces.insert(NetnsName::from("x"), Observed::Seen(netns(500).into()));
        let told = |count| {
            let fresh =
                Fresh { place: place.clone(), parts: Parts::SYSCTLS, found: Some(Observed::Seen(netns(count))) };
            merge(&mut live, &NetnsDir::default(), vec![fresh]).0.len()
        };
        assert_eq!([1000, 995, 1000, 985, 950, 895, 905, 500].map(told), [1, 0, 0, 0, 1, 0, 0, 1]);
    }

    #[test]
    fn a_namespace_that_is_gone_is_one_change() {
        let mut live = node(routes(2));
        let fresh = Fresh { place: Some(NetnsName::from("x")), parts: Parts::ALL, found: None };
        let (changes, _) = merge(&mut live, &NetnsDir::new("/nonexistent"), vec![fresh]);
        assert!(changes.len() == 1 && changes[0].after.is_none() && live.namespaces.is_empty(), "{changes:?}");
    }
}
