//! A router's part of a node, gathered once for all checks.

use std::cell::OnceCell;

use super::Scene;
use crate::check::view::Look;
use crate::topology::{ExternalNetwork, FipKind, FloatingIp, Router};

/// What several checks ask of a router.
pub(super) struct Part<'s> {
    /// Its distributed floating IPs, each with its external network.
    pub(super) distributed: Vec<(&'s FloatingIp, &'s ExternalNetwork)>,
    /// What can be seen of it.
    pub(super) look: OnceCell<Look<'s>>,
}

impl<'s> Part<'s> {
    pub(super) fn of(scene: &Scene<'s>, router: &Router) -> Self {
        let distributed = scene.fips_of(router).iter().filter(|fip| fip.kind == FipKind::Distributed);
        let network = |fip: &FloatingIp| scene.network(fip.external_network.as_deref()?);
        Self { distributed: distributed.filter_map(|fip| Some((*fip, network(fip)?))).collect(), look: OnceCell::new() }
    }
}
