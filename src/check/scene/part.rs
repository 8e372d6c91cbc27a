//! A router's part of a node, gathered once for all checks.

use std::cell::OnceCell;

use super::Scene;
use crate::check::view::Look;
use crate::topology::{ChainLink, Direction, ExternalNetwork, FipKind, FipState, FloatingIp, LinkState, Router};

/// What several checks ask of a router.
pub(super) struct Part<'s> {
    /// Its distributed floating IPs, each with its external network.
    pub(super) distributed: Vec<(&'s FloatingIp, &'s ExternalNetwork)>,
    /// The links that are not as they should be, or that nobody could judge, of
    /// chains that are not whole: few, on a node that works.
    pub(super) amiss: Vec<(&'s FloatingIp, Direction, &'s ChainLink)>,
    /// What can be seen of it.
    pub(super) look: OnceCell<Look<'s>>,
}

impl<'s> Part<'s> {
    pub(super) fn of(scene: &Scene<'s>, router: &Router) -> Self {
        let mut part = Self { distributed: Vec::new(), amiss: Vec::new(), look: OnceCell::new() };
        for fip in scene.fips_of(router) {
            // Most chains are whole: their many links need not be fetched from memory.
            let ways = if fip.state == FipState::Ok { &[][..] } else { &[Direction::Outbound, Direction::Inbound] };
            for direction in ways.iter().copied() {
                let amiss = fip.links(direction).iter().filter(|link| is_amiss(link));
                part.amiss.extend(amiss.map(|link| (*fip, direction, link)));
            }
            let network = || fip.external_network.as_deref().and_then(|id| scene.network(id));
            let distributed = fip.kind == FipKind::Distributed;
            part.distributed.extend(distributed.then(network).flatten().map(|network| (*fip, network)));
        }
        part
    }
}

fn is_amiss(link: &ChainLink) -> bool {
    !matches!(link.state, LinkState::Ok | LinkState::NotApplicable)
}
