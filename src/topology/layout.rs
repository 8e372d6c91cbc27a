//! Which layout a router has, told by what stands on the node.
//!
//! Decided router by router, in this order:
//!
//! 1. An `iif fpr-…` rule, or a default route in the table that is numbered by
//!    fpr's address: pike.
//! 2. A DNAT in the router namespace that asks for no input device: juno.
//! 3. A DNAT that asks for `rfp-…`: newton where no other router of the fip
//!    namespace is pike (an upgraded node keeps the old default beside the new
//!    tables), and it has a default route in main or nothing that only later
//!    agents make; else pike.
//! 4. A floating /32 on rfp: juno. It comes after the DNAT, since an upgraded
//!    node can keep such an address for a while.
//! 5. Nothing of its own (no floating IP yet): as the other routers of the same
//!    fip namespace, then as those of the node.
//! 6. Nothing at all: a default route in main of the fip namespace is juno with
//!    a pair of the old pool, else newton; no such route is pike.
//!
//! A router without a pair has no layout; what it would have is still decided,
//! since its floating IPs are judged by it.

use super::discover::{Node, RouterParts};
use super::index::{Space, default_v4};
use super::nat::Nat;
use crate::net::{NeighState, NetnsName, TableId};
use crate::neutron::{Layout, LinkLocalPair};

/// Decides for every router of the node.
pub(super) fn decide(node: &mut Node) {
    let pike: Vec<bool> = node.routers.iter().map(|router| has_own_table(node, router)).collect();
    let fips: Vec<&NetnsName> =
        node.routers.iter().zip(&pike).filter(|(_, pike)| **pike).map(|(router, _)| &router.fip).collect();
    let pike_fips: std::collections::BTreeSet<&NetnsName> = fips.into_iter().collect();
    let own: Vec<Option<Layout>> =
        node.routers
            .iter()
            .zip(&pike)
            .map(|(router, pike)| {
                if *pike { Some(Layout::Pike) } else { by_floating_ips(node, router, pike_fips.contains(&router.fip)) }
            })
            .collect();
    let mut by_fip = std::collections::BTreeMap::new();
    for (router, layout) in node.routers.iter().zip(&own) {
        if let Some(layout) = layout {
            by_fip.entry(router.fip.clone()).or_insert(*layout);
        }
    }
    let anywhere = by_fip.values().next().copied();
    let decided: Vec<Layout> = node
        .routers
        .iter()
        .zip(own)
        .map(|(router, own)| {
            own.or_else(|| by_fip.get(&router.fip).copied()).or(anywhere).unwrap_or_else(|| by_default(node, router))
        })
        .collect();
    for (router, layout) in node.routers.iter_mut().zip(decided) {
        router.layout = layout;
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
fn by_floating_ips(node: &Node, router: &RouterParts, sibling_is_pike: bool) -> Option<Layout> {
    let qrouter = node.space(&router.qrouter);
    let device = router.prefix.rfp();
    let mut asks_for_rfp = None;
    for translation in qrouter.nat().ok().into_iter().flat_map(Nat::all_dnat) {
        match translation.in_iface {
            None => return Some(Layout::Juno),
            Some(iface) if iface == device.as_str() => {
                let newton = !sibling_is_pike && (default_in_main(node, router) || !has_later_marks(node, router));
                asks_for_rfp = Some(if newton { Layout::Newton } else { Layout::Pike });
            }
            Some(_) => {}
        }
    }
    asks_for_rfp.or_else(|| {
        let mut addrs = qrouter.addrs(device.as_str()).ok()?;
        addrs.any(|addr| addr.address.prefix_len() == 32).then_some(Layout::Juno)
    })
}

/// A guard that does not ask for an input device (from 14.0.3), or a permanent
/// neighbour at either end of the pair.
fn has_later_marks(node: &Node, router: &RouterParts) -> bool {
    let (qrouter, fip) = (node.space(&router.qrouter), node.space(&router.fip));
    let (rfp, fpr) = (router.prefix.rfp(), router.prefix.fpr());
    let guard = qrouter.nat().ok().and_then(|nat| nat.guard(rfp.as_str()));
    let stays = |space: &Space, device: &str, address| {
        space.neigh(device, address).is_ok_and(|neigh| neigh.is_some_and(|neigh| neigh.state == NeighState::Permanent))
    };
    guard.is_some_and(|line| !line.contains("! -i "))
        || router
            .pair
            .addresses
            .is_some_and(|pair| stays(qrouter, rfp.as_str(), pair.fpr()) || stays(fip, fpr.as_str(), pair.rfp()))
}

/// Step 6.
fn by_default(node: &Node, router: &RouterParts) -> Layout {
    if !default_in_main(node, router) {
        Layout::Pike
    } else if router.pair.addresses.is_some_and(LinkLocalPair::is_from_old_pool) {
        Layout::Juno
    } else {
        Layout::Newton
    }
}

fn default_in_main(node: &Node, router: &RouterParts) -> bool {
    node.space(&router.fip).routes(TableId::MAIN, default_v4()).is_ok_and(|routes| !routes.is_empty())
}
