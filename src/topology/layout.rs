//! Which layout a router has, told by what stands on the node.
//!
//! Decided router by router, in this order:
//!
//! 1. An `iif fpr-…` rule, or a default route in the table that is numbered by
//!    fpr's address: pike.
//! 2. A DNAT in the router namespace that asks for no input device: juno.
//! 3. A DNAT that asks for `rfp-…`: pike where another router there is (an
//!    upgraded node keeps the old default beside the new tables); newton where
//!    the fip namespace has a default route in main; without any way out, pike
//!    where the node's other marks say that its agent is at least that new, else
//!    newton, which loses its only mark with that route.
//! 4. A floating /32 on rfp: juno. It comes after the DNAT, since an upgraded
//!    node can keep such an address for a while.
//! 5. Nothing of its own (no floating IP yet): as the other routers of the same
//!    fip namespace, then as those of the node.
//! 6. Nothing at all: a default route in main of the fip namespace is juno with
//!    a pair of the old pool, else newton; without one it is pike where the
//!    node's other marks say so. Else nothing tells, and pike is a guess.
//!
//! A router without a pair has no layout; what it would have is still decided,
//! since its floating IPs are judged by it.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};

use super::discover::{Node, RouterParts};
use super::index::default_v4;
use super::nat::Nat;
use crate::net::{NetnsName, TableId};
use crate::neutron::{Layout, LinkLocalPair, Release, ReleaseRange};

/// The first release with a table for each router in the fip namespace.
const OWN_TABLES_SINCE: Release = Release::new(9, 3, 0);

/// Decides for every router of the node.
pub(super) fn decide(node: &mut Node) {
    let marks = Marks { node, range: OnceCell::new() };
    let pike: Vec<bool> = node.routers.iter().map(|router| has_own_table(node, router)).collect();
    let fips = node.routers.iter().zip(&pike).filter(|(_, pike)| **pike).map(|(router, _)| &router.fip);
    let pike_fips: BTreeSet<&NetnsName> = fips.collect();
    let own: Vec<Option<Layout>> =
        node.routers
            .iter()
            .zip(&pike)
            .map(|(router, pike)| {
                if *pike {
                    Some(Layout::Pike)
                } else {
                    by_floating_ips(&marks, router, pike_fips.contains(&router.fip))
                }
            })
            .collect();
    let mut by_fip = BTreeMap::new();
    for (router, layout) in node.routers.iter().zip(&own) {
        if let Some(layout) = layout {
            by_fip.entry(router.fip.clone()).or_insert(*layout);
        }
    }
    let anywhere = by_fip.values().next().copied();
    let decided: Vec<Option<Layout>> = node
        .routers
        .iter()
        .zip(own)
        .map(|(router, own)| {
            let told = own.or_else(|| by_fip.get(&router.fip).copied()).or(anywhere);
            told.or_else(|| by_default(&marks, router))
        })
        .collect();
    for (router, layout) in node.routers.iter_mut().zip(decided) {
        router.told_layout = layout;
        router.layout = layout.unwrap_or(Layout::Pike);
    }
}

/// What the whole node tells of its agent's release, read when it is asked for.
struct Marks<'n, 'a> {
    node: &'n Node<'a>,
    range: OnceCell<ReleaseRange>,
}

impl Marks<'_, '_> {
    fn has_own_tables(&self) -> bool {
        self.range.get_or_init(|| ReleaseRange::of(self.node.snapshot)).is_at_least(OWN_TABLES_SINCE)
    }
}

/// Step 1.
fn has_own_table(node: &Node, router: &RouterParts) -> bool {
    let fip = node.space(&router.fip);
    let by_rule = fip.rules_iif(router.prefix.fpr().as_str()).is_ok_and(|rules| !rules.is_empty());
    let by_table = router
        .pair
        .addresses
        .is_some_and(|pair| fip.routes(pair.table(), default_v4()).is_ok_and(|routes| !routes.is_empty()));
    by_rule || by_table
}

/// Steps 2 to 4.
fn by_floating_ips(marks: &Marks, router: &RouterParts, sibling_is_pike: bool) -> Option<Layout> {
    let qrouter = marks.node.space(&router.qrouter);
    let device = router.prefix.rfp();
    let mut asks_for_rfp = false;
    for translation in qrouter.nat().ok().into_iter().flat_map(Nat::all_dnat) {
        match translation.in_iface {
            None => return Some(Layout::Juno),
            Some(iface) => asks_for_rfp |= iface == device.as_str(),
        }
    }
    if asks_for_rfp {
        return by_way_out(marks, router, sibling_is_pike);
    }
    let mut addrs = qrouter.addrs(device.as_str()).ok()?;
    addrs.any(|addr| addr.address.prefix_len() == 32).then_some(Layout::Juno)
}

/// Step 3: newton or pike.
fn by_way_out(marks: &Marks, router: &RouterParts, sibling_is_pike: bool) -> Option<Layout> {
    let fip = marks.node.space(&router.fip);
    let defaults = fip.routes(TableId::MAIN, default_v4());
    if sibling_is_pike {
        return Some(Layout::Pike);
    }
    if defaults.as_ref().is_ok_and(|routes| !routes.is_empty()) {
        return Some(Layout::Newton);
    }
    if marks.has_own_tables() {
        return Some(Layout::Pike);
    }
    // Where nobody could look, nothing is missing.
    let was_read = fip.is_here() && defaults.is_ok() && fip.rules_iif("").is_ok();
    was_read.then_some(Layout::Newton)
}

/// Step 6.
fn by_default(marks: &Marks, router: &RouterParts) -> Option<Layout> {
    let defaults = marks.node.space(&router.fip).routes(TableId::MAIN, default_v4());
    if defaults.is_ok_and(|routes| !routes.is_empty()) {
        let is_old = router.pair.addresses.is_some_and(LinkLocalPair::is_from_old_pool);
        return Some(if is_old { Layout::Juno } else { Layout::Newton });
    }
    marks.has_own_tables().then_some(Layout::Pike)
}
