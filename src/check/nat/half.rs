//! DVR405: an association of which two or more of its own objects are missing.

use super::pairs::is_associated;
use crate::check::{Applicability, Findings, Scene, Subject};
use crate::topology::{Direction, FactSource, FipKind, FloatingIp, LinkName, LinkState, ObjectKind, ObjectRef};

/// The objects that only this floating IP has.
const OWN: [(Direction, LinkName); 5] = [
    (Direction::Outbound, LinkName::FipRule),
    (Direction::Outbound, LinkName::FloatSnat),
    (Direction::Inbound, LinkName::FipRoute),
    (Direction::Inbound, LinkName::Dnat),
    (Direction::Inbound, LinkName::QgAddress),
];

/// DVR405: of what an association sets up, two or more are missing while others
/// stand. One alone has a code of its own.
pub(in crate::check) fn half_done(scene: &Scene<'_>, findings: &mut Findings) {
    // Where a link is missing, the chain is not whole.
    for fip in scene.troubled() {
        let is_translated = fip.facts.iter().any(|fact| matches!(fact.source, FactSource::Dnat | FactSource::Snat));
        if fip.floating_ip.is_none() || fip.fixed_ip.is_none() || !(is_translated || is_associated(fip)) {
            continue;
        }
        // Without its devices, nobody knows whether the router is a distributed one.
        let netns = scene.router_of(fip).and_then(|router| scene.netns(router.namespace.as_ref()?));
        if fip.kind == FipKind::Distributed && netns.is_some_and(|netns| netns.links.unreadable().is_some()) {
            continue;
        }
        let (missing, standing) = count(fip);
        let Some(floating) = fip.floating_ip.filter(|_| missing.len() >= 2 && !standing.is_empty()) else { continue };
        let namespace = fip.facts.iter().find_map(|fact| fact.namespace.as_ref());
        let kind = if fip.kind == FipKind::Distributed { ObjectKind::Rule } else { ObjectKind::Nat };
        let object = ObjectRef { kind, key: format!("association of {floating}") };
        let message =
            format!("of the association of {floating}, {} are missing and {} stand", missing.len(), standing.len());
        findings
            .fire(&Subject::floating_ip(fip), namespace, object, message)
            .values(format!("all or none; missing: {}", missing.join("; ")), format!("there: {}", standing.join("; ")))
            // The parts have findings of their own, which complete it where Neutron still wants it.
            .applicability(Applicability::NeedsConsent);
    }
}

/// What of it is missing, as it should be, and the titles of what stands.
fn count(fip: &FloatingIp) -> (Vec<String>, Vec<&'static str>) {
    let (mut missing, mut standing) = (Vec::new(), Vec::new());
    for (direction, name) in OWN {
        let Some(link) = fip.links(direction).iter().find(|link| link.link == name) else { continue };
        match link.state {
            LinkState::Missing => missing.push(link.expected.clone().unwrap_or_else(|| name.title().to_owned())),
            LinkState::Ok | LinkState::Wrong => standing.push(name.title()),
            LinkState::Unknown | LinkState::NotApplicable => {}
        }
    }
    (missing, standing)
}
