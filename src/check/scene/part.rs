//! The floating IPs of the routers that are looked at.

use super::Scene;
use crate::topology::{ChainLink, Direction, ExternalNetwork, FipKind, FloatingIp, LinkState, Router};

/// The floating IPs of some routers, and what several checks ask of them.
pub(in crate::check) struct Part<'s> {
    /// All of them; those of a whole node as the node has them.
    pub(in crate::check) fips: Vec<&'s FloatingIp>,
    /// The distributed ones, each with its router and external network.
    pub(in crate::check) distributed: Vec<(&'s FloatingIp, &'s Router, &'s ExternalNetwork)>,
    /// The links of their chains that are not as they should be, or that nobody
    /// could judge: few, on a node that works.
    pub(super) amiss: Vec<(&'s FloatingIp, Direction, &'s ChainLink)>,
}

impl<'s> Part<'s> {
    pub(super) fn of(scene: &Scene<'_, 's>) -> Self {
        let mut part = Self { fips: Vec::new(), distributed: Vec::new(), amiss: Vec::new() };
        if scene.routers.len() == scene.topology.routers.len() {
            let all = scene.topology.fips().filter_map(|fip| Some((fip, scene.router_of(fip)?)));
            all.for_each(|(fip, router)| part.add(scene, router, fip));
        } else {
            let some =
                scene.routers.iter().flat_map(|router| scene.fips_of(router).iter().map(move |fip| (fip, router)));
            some.for_each(|(fip, router)| part.add(scene, router, fip));
        }
        part
    }

    fn add(&mut self, scene: &Scene<'_, 's>, router: &'s Router, fip: &'s FloatingIp) {
        self.fips.push(fip);
        for direction in [Direction::Outbound, Direction::Inbound] {
            let amiss = fip.links(direction).iter().filter(|link| is_amiss(link));
            self.amiss.extend(amiss.map(|link| (fip, direction, link)));
        }
        let network = || fip.external_network.as_deref().and_then(|id| scene.network(id));
        if fip.kind == FipKind::Distributed
            && let Some(network) = network()
        {
            self.distributed.push((fip, router, network));
        }
    }
}

fn is_amiss(link: &ChainLink) -> bool {
    !matches!(link.state, LinkState::Ok | LinkState::NotApplicable)
}
