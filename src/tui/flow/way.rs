//! Where a followed flow should pass, forth and back, and whose the stations are.

use std::net::{IpAddr, Ipv4Addr};

use super::{FlowId, FlowView};
use crate::net::{Heading, IfName};
use crate::neutron::DeviceKind::RouterGateway;
use crate::neutron::{Layout, parse_device};
use crate::path::{Class, Endpoint, Outcome, Walk};
use crate::topology::{Direction, FipKind, FloatingIp};
use crate::traffic::{Expected, FipId, Way, Waypoint};
use crate::tui::state::Node;
use crate::tui::traffic::{Heard, because};
use crate::tui::walk::answer as told;
use crate::tui::words::Mark;

/// The floating IPs that a flow goes from and to, where both are on this node and their
/// packets pass from the one to the other in the fip namespace. `pairs` are the ends that
/// the flow has on its way.
pub(super) fn between<'p>(
    node: &Node,
    id: &FlowId,
    mut pairs: impl Iterator<Item = &'p [Endpoint; 2]>,
) -> Option<[FipId; 2]> {
    let own = id.floating_ip.as_ref().filter(|own| own.kind == FipKind::Distributed)?;
    let network = own.external_network.as_deref()?;
    // Translation without an input device turns such packets around in the router itself.
    let router = node.topology.router(&own.router)?;
    let is_near = |router_id: &str| router_id == own.router && router.layout == Some(Layout::Juno);
    let other = |address: Ipv4Addr| {
        let mut known = node.topology.fips_at(network, address.into());
        let found = known.find(|fip| fip.kind == FipKind::Distributed && !is_near(&fip.router))?;
        named(found).filter(|found| found.floating_ip != own.floating_ip)
    };
    let [_, destination] = id.ends;
    if destination.address == own.floating_ip {
        pairs.find_map(|[source, _]| other(source.address)).map(|first| [first, own.clone()])
    } else {
        other(destination.address).map(|second| [own.clone(), second])
    }
}

/// The floating IP of the instance that sends a flow.
pub(super) fn floating_ip(node: &Node, id: &FlowId) -> Option<FipId> {
    let source = id.ends[0].address;
    let mut known = node.topology.fips().filter(|fip| id.router.as_ref() == Some(&fip.router));
    let found = known.find(|fip| fip.fixed_ip == Some(source.into()))?;
    named(found)
}

/// A floating IP as traffic names it.
fn named(fip: &FloatingIp) -> Option<FipId> {
    let v4 = |address| match address {
        IpAddr::V4(address) => Some(address),
        IpAddr::V6(_) => None,
    };
    Some(FipId {
        floating_ip: v4(fip.floating_ip?)?,
        fixed_ip: fip.fixed_ip.and_then(v4),
        router: fip.router.clone(),
        external_network: fip.external_network.clone(),
        kind: fip.kind,
    })
}

impl FlowView {
    pub(super) fn fip(&self) -> Option<(Ipv4Addr, FipKind, Direction)> {
        let id = self.id.floating_ip.as_ref()?;
        let inbound = self.id.ends[1].address == id.floating_ip;
        Some((id.floating_ip, id.kind, if inbound { Direction::Inbound } else { Direction::Outbound }))
    }

    /// What it should pass on its way forth.
    pub(super) fn expected(&self) -> Vec<Expected> {
        let walk = self.walks.as_ref().ok().map(|walks| &walks.forth);
        let good = |from: &FipId| {
            // What comes under the floating IP is walked as if it came from outside.
            self.id.ends[0].address != from.floating_ip && walk.is_some_and(is_delivered)
        };
        match &self.between {
            Some([from, to]) if !good(from) => Expected::between([from.floating_ip, to.floating_ip]),
            _ => Expected::of(walk, self.fip()),
        }
    }

    /// It goes to an instance of this node.
    pub(super) fn ends_here(&self) -> bool {
        let inbound = self.fip().is_some_and(|(.., direction)| direction == Direction::Inbound);
        inbound || self.between.is_some() || self.walks.as_ref().is_ok_and(|walks| is_delivered(&walks.forth))
    }

    /// Where its answers pass, where that may be elsewhere than where it passes itself:
    /// between subnets as they are walked, and back from outside through the router's
    /// gateway port, straight to the instance; so do those of a centralized floating IP.
    pub(super) fn answers(&self) -> Option<Vec<Waypoint>> {
        let walks = self.walks.as_ref().ok()?;
        let is_centralized =
            self.fip().is_some_and(|(_, kind, way)| (kind, way) == (FipKind::Centralized, Direction::Outbound));
        match self.class()? {
            Class::EastWest => Some(walks.back.as_ref().map_or_else(Vec::new, Waypoint::of_walk)),
            class if class == Class::Snat || (class == Class::Fip && is_centralized) => {
                let is_gateway = |device: &IfName| parse_device(device).is_some_and(|(kind, _)| kind == RouterGateway);
                let last = walks.forth.hops.last().filter(|hop| hop.oif.as_ref().is_some_and(is_gateway));
                let ends = last.into_iter().flat_map(|hop| {
                    let at = |device: &IfName, heading| Waypoint {
                        namespace: hop.namespace.clone(),
                        device: device.clone(),
                        heading,
                    };
                    let (out, back) = (hop.oif.as_ref(), hop.iif.as_ref());
                    out.map(|device| at(device, Heading::In))
                        .into_iter()
                        .chain(back.map(|device| at(device, Heading::Out)))
                });
                Some(ends.collect())
            }
            _ => None,
        }
    }

    /// Why it stops after that station, on its way forth or back.
    pub(super) fn why(&self, node: &Node, way: Way, after: usize) -> String {
        let is_forth = way == Way::Forth;
        match (&self.id.floating_ip, &self.between, &self.walks) {
            (Some(_), Some([first, second]), _) => {
                // Qr, rfp and fpr of the one, then fpr, rfp and qr of the other: the one whose
                // station comes next is asked.
                let (from, to, passed) =
                    if is_forth { (first, second, after) } else { (second, first, 5_usize.saturating_sub(after)) };
                if passed < 2 { because(node, from, false) } else { because(node, to, true) }
            }
            (Some(id), None, _) => {
                let inbound = self.fip().is_some_and(|(.., direction)| direction == Direction::Inbound);
                because(node, id, inbound == is_forth)
            }
            (None, _, Ok(walks)) => match told(&walks.forth, None) {
                (mark, text) if mark < Mark::Ok => text,
                _ => "nothing is found to be wrong, and a packet that is walked goes on".to_owned(),
            },
            (None, _, Err(why)) => why.clone(),
        }
    }

    /// Whether the place of a station is listened in.
    pub(super) fn is_heard(&self, heard: &Heard, one: &Expected) -> bool {
        match one {
            Expected::Point(at) => !heard.deaf.iter().any(|(name, _)| *name == at.namespace),
            Expected::Hop(address, hop) => {
                // What else is known of it may have changed with a reading.
                let ours = self.id.floating_ip.iter().chain(self.between.iter().flatten());
                let ours: Vec<&str> =
                    ours.filter(|fip| fip.floating_ip == *address).map(|fip| fip.router.as_str()).collect();
                let is_same = |it: &FipId| it.floating_ip == *address && ours.contains(&it.router.as_str());
                heard.interval.floating_ips.iter().any(|it| is_same(&it.id) && it.hops[*hop as usize].is_some())
            }
        }
    }
}

/// A floating IP's packet comes to an instance of this node.
fn is_delivered(walk: &Walk) -> bool {
    let handed_over = walk.hops.last().is_some_and(|hop| hop.oif.is_some());
    walk.class == Class::Fip && walk.outcome == Outcome::Delivered && handed_over
}
