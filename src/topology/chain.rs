//! The chain of a floating IP: every object that its packets depend on, in the
//! order in which they meet it, each judged by itself.
//!
//! A link says `missing` or `wrong` only of its own object. What it cannot know
//! because something before it is gone, or could not be read, is `unknown`; a
//! part that could not be read never counts as empty.

mod centralized;
mod distributed;
mod fip;
mod gateway;
mod pair;
mod router;
mod translation;
mod verdict;

use std::net::IpAddr;

use super::discover::RouterParts;
use super::facts::Draft;
use super::host::HostFacts;
use super::index::Space;
use super::model::{ChainLink, FipKind, FipState, FloatingIp, LinkState};
use crate::neutron::LinkLocalPair;

/// A router with the namespaces that its chains run through, and all else that
/// they can see: what is not here, no chain of the router rests on.
pub(super) struct View<'n, 'a> {
    /// The router itself.
    pub(super) router: &'n RouterParts,
    /// Its namespace.
    pub(super) qrouter: &'n Space<'a>,
    /// The fip namespace.
    pub(super) fip: &'n Space<'a>,
    /// The snat namespace.
    pub(super) snat: &'n Space<'a>,
    /// What the host knows.
    pub(super) host: &'n HostFacts,
    /// Pairs of some routers of the same fip namespace.
    pub(super) siblings: &'n [LinkLocalPair],
}

/// What every chain of a router shares.
pub(super) struct Shared {
    distributed: Option<distributed::Shared>,
    centralized: Option<centralized::Shared>,
}

impl View<'_, '_> {
    /// Judges what the chains of the router's floating IPs share, once.
    pub(super) fn shared(&self, drafts: &[Draft]) -> Shared {
        let any = |kind: FipKind| drafts.iter().any(|draft| draft.kind == kind);
        let gateway = any(FipKind::Centralized) || any(FipKind::Legacy);
        Shared {
            distributed: any(FipKind::Distributed).then(|| distributed::Shared::of(self)),
            centralized: gateway.then(|| centralized::Shared::of(self)),
        }
    }

    /// Judges the chain of one floating IP.
    pub(super) fn judge(&self, draft: Draft, shared: &Shared) -> FloatingIp {
        let (outbound, inbound) = match (draft.kind, &shared.distributed, &shared.centralized) {
            (FipKind::Distributed, Some(shared), _) => distributed::links(self, &draft, shared),
            (_, _, Some(shared)) => centralized::links(self, &draft, shared),
            _ => (Vec::new(), Vec::new()),
        };
        FloatingIp {
            floating_ip: draft.floating_ip,
            fixed_ip: draft.fixed_ip,
            router: self.router.id.clone(),
            external_network: self.router.external_network(),
            kind: draft.kind,
            rule_priority: draft.rule_priority,
            state: state(outbound.iter().chain(&inbound)),
            facts: draft.facts,
            outbound,
            inbound,
        }
    }
}

/// What the links of both directions come to.
fn state<'l>(links: impl Iterator<Item = &'l ChainLink>) -> FipState {
    let mut state = FipState::Ok;
    for link in links {
        match (link.state, link.advisory) {
            (LinkState::Missing | LinkState::Wrong, false) => return FipState::Broken,
            (LinkState::Missing | LinkState::Wrong, true) => state = FipState::Degraded,
            (LinkState::Unknown, false) if state == FipState::Ok => state = FipState::Unknown,
            _ => {}
        }
    }
    state
}

/// An address in a chain's words, `?` where nothing tells it.
fn word(address: Option<IpAddr>) -> String {
    address.map_or_else(|| "?".to_owned(), |address| address.to_string())
}
