//! Which `rfp-` and `fpr-` are the two ends of one pair.
//!
//! The kernel says so by the peer's index and namespace; the name confirms it.
//! Where nobody asked the kernel (a text report), the name decides, and of
//! several ends of the same name the one with the other address of the /31.
//! Ten characters of a router's id are in the name, and two routers can share
//! them; the kernel's word keeps them apart.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::net::IpAddr;

use super::discover::Node;
use super::index::{Space, default_v4};
use crate::net::{Link, LinkStats, NetnsName, Peer};
use crate::neutron::{DeviceKind, FIP_TABLE, LinkLocalPair, NamespaceKind, PairEntry, RouterPrefix, parse_namespace};

/// A router's pair, as far as it stands. The counters of its ends are left out,
/// so that it is the same while the same stands there.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Pair {
    /// The end in the router namespace.
    pub(super) rfp: Option<Link>,
    /// The end in the fip namespace.
    pub(super) fpr: Option<Link>,
    /// The fip namespace.
    pub(super) fip: Option<NetnsName>,
    /// Where `rfp` leads, if not to its `fpr`.
    pub(super) astray: Option<String>,
    /// The addresses that the two ends should have.
    pub(super) addresses: Option<LinkLocalPair>,
}

/// The pairs of a node, by router id.
pub(super) struct Pairs {
    by_router: BTreeMap<String, Pair>,
}

impl Pairs {
    /// Finds the pairs of all routers.
    pub(super) fn of(node: &Node<'_>, ids: &BTreeSet<String>, entries: &[PairEntry]) -> Self {
        let mut matching = Matching::of(node);
        let mut by_router: BTreeMap<String, Pair> = BTreeMap::new();
        for id in ids {
            by_router.insert(id.clone(), matching.by_kernel(node, id));
        }
        for (id, pair) in &mut by_router {
            matching.by_fpr(id, pair);
        }
        for (id, pair) in &mut by_router {
            matching.by_name(node, id, pair);
        }
        for (id, pair) in &mut by_router {
            pair.addresses = addresses(node, id, pair, entries);
        }
        Self { by_router }
    }

    /// Hands over a router's pair.
    pub(super) fn take(&mut self, id: &str) -> Pair {
        self.by_router.remove(id).unwrap_or_default()
    }
}

/// The `fpr-` ends of a node, and which are taken.
struct Matching<'a> {
    ends: HashMap<RouterPrefix, Vec<(NetnsName, &'a Link)>>,
    taken: HashSet<(NetnsName, u32)>,
}

impl<'a> Matching<'a> {
    fn of(node: &Node<'a>) -> Self {
        let mut ends: HashMap<RouterPrefix, Vec<(NetnsName, &'a Link)>> = HashMap::new();
        for (name, space) in node.fips() {
            for link in space.devices(DeviceKind::FipToRouter) {
                if let Some(prefix) = RouterPrefix::of_device(&link.name) {
                    ends.entry(prefix).or_default().push((name.clone(), link));
                }
            }
        }
        Self { ends, taken: HashSet::new() }
    }

    /// From the router's side: where the kernel says that `rfp` leads.
    fn by_kernel(&mut self, node: &Node<'a>, id: &str) -> Pair {
        let prefix = RouterPrefix::of(id);
        let qrouter = node.space(&NamespaceKind::Router.name(id));
        let Some(rfp) = qrouter.link(prefix.rfp().as_str()).ok().flatten() else { return Pair::default() };
        let mut pair = Pair { rfp: Some(uncounted(rfp)), ..Pair::default() };
        match &rfp.peer {
            None => {}
            Some(Peer::Here(_)) => pair.astray = Some("its peer is in the same namespace".to_owned()),
            Some(Peer::Host(_)) => pair.astray = Some("its peer is in the host's own namespace".to_owned()),
            Some(Peer::Elsewhere) => pair.astray = Some("its peer is in a namespace that has no name".to_owned()),
            Some(Peer::In(name, index)) => match node.space(name).link_at(*index) {
                Some(peer) if peer.name == prefix.fpr() && is_fip(name) => {
                    self.taken.insert((name.clone(), peer.index));
                    pair.fpr = Some(uncounted(peer));
                    pair.fip = Some(name.clone());
                }
                Some(peer) => pair.astray = Some(format!("its peer is {} in {name}", peer.name)),
                // The other namespace could not be read: the kernel's word stands.
                None if is_fip(name) => pair.fip = Some(name.clone()),
                None => pair.astray = Some(format!("its peer is in {name}")),
            },
        }
        pair
    }

    /// From the other side, where the router's own devices told nothing.
    fn by_fpr(&mut self, id: &str, pair: &mut Pair) {
        let qrouter = NamespaceKind::Router.name(id);
        let Some(ends) = self.ends.get(&RouterPrefix::of(id)).filter(|_| pair.fip.is_none()) else { return };
        let told = ends.iter().find(|(_, fpr)| matches!(&fpr.peer, Some(Peer::In(name, _)) if *name == qrouter));
        if let Some((name, fpr)) = told {
            self.taken.insert((name.clone(), fpr.index));
            pair.fpr = Some(uncounted(fpr));
            pair.fip = Some(name.clone());
        }
    }

    /// By name and address, where the kernel told nothing.
    fn by_name(&mut self, node: &Node<'a>, id: &str, pair: &mut Pair) {
        let Some(ends) = self.ends.get(&RouterPrefix::of(id)).filter(|_| pair.fip.is_none()) else { return };
        let free: Vec<&(NetnsName, &Link)> = ends
            .iter()
            .filter(|(name, fpr)| !self.taken.contains(&(name.clone(), fpr.index)))
            .filter(|(_, fpr)| !matches!(&fpr.peer, Some(Peer::In(name, _)) if is_router(name)))
            .collect();
        let ours = pair.rfp.as_ref().and_then(|rfp| link_local(node.space(&NamespaceKind::Router.name(id)), rfp));
        let same = |(name, fpr): &&&(NetnsName, &Link)| ours.is_some() && link_local(node.space(name), fpr) == ours;
        let found = match free[..] {
            [] => None,
            [only] => Some(only),
            _ => free.iter().find(same).copied(),
        };
        if let Some((name, fpr)) = found {
            let key = (name.clone(), fpr.index);
            pair.fpr = Some(uncounted(fpr));
            pair.fip = Some(name.clone());
            self.taken.insert(key);
        }
    }
}

fn uncounted(link: &Link) -> Link {
    Link { stats: LinkStats::default(), ..link.clone() }
}

fn is_fip(name: &NetnsName) -> bool {
    matches!(parse_namespace(name), Some((NamespaceKind::Fip, _)))
}

fn is_router(name: &NetnsName) -> bool {
    matches!(parse_namespace(name), Some((NamespaceKind::Router, _)))
}

/// The pair of the /31 that a device has.
fn link_local(space: &Space, link: &Link) -> Option<LinkLocalPair> {
    let mut addrs = space.addrs(link.name.as_str()).ok()?;
    addrs.find_map(|addr| LinkLocalPair::of_net(addr.address))
}

/// The /31 that both ends should have: what both say, or, where they disagree,
/// the one that table 16 agrees with; where neither has one, what table 16 or
/// the agent's file says.
fn addresses(node: &Node, id: &str, pair: &Pair, entries: &[PairEntry]) -> Option<LinkLocalPair> {
    let qrouter = node.space(&NamespaceKind::Router.name(id));
    let rfp = pair.rfp.as_ref().and_then(|link| link_local(qrouter, link));
    let fpr = pair.fpr.as_ref().and_then(|link| link_local(node.space(pair.fip.as_ref()?), link));
    let witness = || {
        let routes = qrouter.routes(FIP_TABLE, default_v4()).ok()?;
        match routes.first()?.via()? {
            IpAddr::V4(via) => Some(LinkLocalPair::of(via)),
            IpAddr::V6(_) => None,
        }
    };
    let written = || entries.iter().find(|entry| entry.router == id).map(|entry| entry.pair);
    match (rfp, fpr) {
        (Some(rfp), Some(fpr)) if rfp != fpr => Some(witness().filter(|pair| *pair == fpr).unwrap_or(rfp)),
        (Some(pair), _) | (None, Some(pair)) => Some(pair),
        (None, None) => witness().or_else(written),
    }
}
