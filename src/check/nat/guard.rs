//! DVR404: packets between subnets that are translated.

use std::net::{IpAddr, Ipv4Addr};

use super::Place;
use super::pairs::tell;
use crate::check::{Findings, Scene, Subject};
use crate::net::netfilter::{Match, Target};
use crate::net::{Change, NetnsName};
use crate::path::{ICMP, NatKind, Packet, Start};
use crate::topology::{Direction, FipKind, FloatingIp, LinkName, LinkState, ObjectKind, ObjectRef, Router};

/// DVR404: the guard is missing, names another device, or comes too late. Once
/// for each router.
pub(in crate::check) fn internal_traffic(scene: &Scene<'_>, findings: &mut Findings) {
    for router in scene.routers {
        let mut fips = scene.fips_of(router).iter();
        let one = fips.find(|fip| fip.kind == FipKind::Distributed && fip.floating_ip.is_some());
        let Some(fip) = one else { continue };
        let link = |name| fip.links(Direction::Outbound).iter().find(|link| link.link == name);
        let Some(guard) = link(LinkName::Guard) else { continue };
        let object = || ObjectRef { kind: ObjectKind::Nat, key: format!("guard {}", guard.object.key) };
        let subject = Subject::router(router);
        match guard.state {
            LinkState::Missing | LinkState::Wrong => {
                let message = "traffic between the router's subnets is translated to floating IPs: its guard is gone";
                let found = findings.fire(&subject, Some(&guard.namespace), object(), message);
                tell(found, guard).mend(mend(scene, &guard.namespace, guard.expected.as_deref()));
            }
            LinkState::Unknown => {
                let why = guard.actual.clone().unwrap_or_default();
                findings.cannot_tell(&subject, Some(&guard.namespace), object(), why);
            }
            LinkState::Ok if link(LinkName::NatJumps).is_some_and(|jumps| jumps.state == LinkState::Ok) => {
                if let Some(rule) = translated(scene, router, fip) {
                    let message = "traffic between the router's subnets is translated before the guard sees it";
                    let expected = guard.expected.clone().or_else(|| guard.actual.clone()).unwrap_or_default();
                    // Its object is the rule, as it is DVR411's where that speaks of it too.
                    let object = ObjectRef { kind: ObjectKind::Nat, key: rule.clone() };
                    findings
                        .fire(&subject, Some(&guard.namespace), object, message)
                        .values(format!("{expected}, before any translation"), rule)
                        .inferred();
                }
            }
            LinkState::Ok | LinkState::NotApplicable => {}
        }
    }
}

/// The rule that translates a packet from the fixed IP to another subnet.
fn translated(scene: &Scene<'_>, router: &Router, fip: &FloatingIp) -> Option<String> {
    let Some(IpAddr::V4(fixed)) = fip.fixed_ip else { return None };
    let namespace = router.namespace.clone()?;
    let v4 = |port: &crate::topology::InternalPort| {
        port.addresses.iter().find_map(|net| match net {
            ipnet::IpNet::V4(net) => Some(*net),
            ipnet::IpNet::V6(_) => None,
        })
    };
    let near = router.internal.iter().find(|port| v4(port).is_some_and(|net| net.contains(&fixed)))?;
    let far = router.internal.iter().filter_map(v4).find(|net| !net.contains(&fixed))?;
    // Any instance there: neither the router itself nor the network's ends.
    let target = Ipv4Addr::from_bits(far.broadcast().to_bits().saturating_sub(5));
    let start = Start { namespace, device: Some(near.device.clone()) };
    let walk = scene.walk(&start, Packet::first(fixed, target, ICMP));
    let found = walk.hops.first()?.translations.iter().find(|one| one.kind == NatKind::Snat)?;
    Some(found.rule.clone().unwrap_or_else(|| "a translation".to_owned()))
}

/// Puts the guard first in its chain, and takes out guards for devices that are
/// not there.
fn mend(scene: &Scene<'_>, namespace: &NetnsName, expected: Option<&str>) -> Vec<Change> {
    let place = scene.netns(namespace).and_then(|netns| Place::of_agent(namespace, netns, "nat"));
    let (Some(place), Some(expected)) = (place, expected) else { return Vec::new() };
    let Some(chain) = place.own_chain("POSTROUTING") else { return Vec::new() };
    let is_guard = |rule: &crate::net::netfilter::NfRule| {
        rule.body.words().is_some_and(|words| {
            matches!(words.target, Some(Target::Accept))
                && words.matches.iter().any(|one| matches!(one, Match::OutIface { invert: true, .. }))
                && words.matches.iter().any(|one| matches!(one, Match::Ctstate { invert: true, .. }))
        })
    };
    let mut changes = place.delete_all(chain, is_guard);
    changes.extend(place.insert_line(expected, 0));
    changes
}
