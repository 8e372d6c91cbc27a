//! Routes and ARP in the fip namespace: DVR501 to DVR599.

mod prefixes;
mod routes;
mod settings;
mod tables;

use std::net::IpAddr;

use super::DecidedBy::{Routers, Snapshot};
use super::{AgentDoes, Check, Code, Findings, Scene, Severity, Subject};
use crate::net::{Netns, NetnsName, Observed, Route, TableId};
use crate::neutron::LinkLocalPair;
use crate::topology::{ExternalNetwork, FactSource, FloatingIp, ObjectKind, ObjectRef, Router};

pub(super) use prefixes::Uncovered;
pub(super) use tables::{Defaults, covers_something, default_via};

macro_rules! check {
    ($number:literal, $name:literal, $title:literal, $severity:ident, $agent:ident, $decided:expr) => {
        Check {
            code: Code($number),
            name: $name,
            title: $title,
            severity: Severity::$severity,
            agent: AgentDoes::$agent,
            decided_by: $decided,
            page: include_str!(concat!("../../assets/codes/DVR", $number, ".md")),
        }
    };
}

/// The checks of this family, in code order.
pub(super) static CHECKS: &[Check] = &[
    check!(
        501,
        "floating-ip-route-missing",
        "no route to the floating IP in the fip namespace",
        Error,
        HealsOnUpdate,
        Routers(routes::missing)
    ),
    check!(
        502,
        "floating-ip-route-astray",
        "the floating IP's route leads to the wrong router or next hop",
        Error,
        HealsOnUpdate,
        Routers(routes::astray)
    ),
    check!(
        503,
        "stale-floating-ip-route",
        "a floating IP's route without a translation behind it",
        Error,
        HealsOnUpdate,
        Routers(routes::stale)
    ),
    check!(
        504,
        "router-table-rule-missing",
        "no rule sends the router's packets to its own table",
        Error,
        HealsOnRestart,
        Routers(tables::rule_missing)
    ),
    check!(
        505,
        "router-default-missing-or-wrong",
        "the router's default route is missing or names another gateway",
        Error,
        HealsOnRestart,
        Snapshot(tables::default_wrong)
    ),
    check!(
        506,
        "gateway-not-on-link",
        "no route has the external gateway on fg's link",
        Error,
        HealsOnRestart,
        Snapshot(tables::gateway_off_link)
    ),
    check!(
        507,
        "external-subnet-route-missing",
        "an external subnet has no on-link route on fg",
        Error,
        HealsOnUpdate,
        Snapshot(prefixes::subnet_missing)
    ),
    check!(
        508,
        "proxy-arp-off",
        "fg does not answer ARP for floating IPs",
        Error,
        HealsOnRestart,
        Snapshot(settings::proxy_arp)
    ),
    check!(
        509,
        "proxy-delay-long",
        "fg delays its ARP answers",
        Warning,
        HealsOnRestart,
        Snapshot(settings::proxy_delay)
    ),
    check!(
        510,
        "nonlocal-bind-off",
        "announcements of floating IPs cannot be sent",
        Warning,
        HealsOnRestart,
        Snapshot(settings::nonlocal_bind)
    ),
    check!(
        511,
        "arp-not-hardened",
        "ARP speaks for addresses of other devices",
        Note,
        HealsOnRestart,
        Snapshot(settings::arp)
    ),
    check!(
        512,
        "floating-ip-is-local",
        "the floating IP stands as an address in the fip namespace",
        Error,
        HealsOnRestart,
        Routers(routes::local)
    ),
    check!(
        513,
        "stale-tenant-route",
        "a tenant prefix leads to a router that does not have it",
        Error,
        Never,
        Snapshot(routes::tenant)
    ),
];

/// An external network's fip namespace, where it could be read.
pub(super) fn readable<'s>(scene: &Scene<'s>, network: &ExternalNetwork, findings: &mut Findings) -> Option<&'s Netns> {
    match scene.snapshot.namespaces.get(&network.namespace)? {
        Observed::Seen(netns) => Some(netns),
        Observed::Absent => None,
        Observed::Unreadable(why) => {
            let object = object(ObjectKind::Netns, network.namespace.as_str());
            blind(findings, &Subject::network(network), &network.namespace, object, why);
            None
        }
    }
}

/// A part of a namespace, where it could be read; what is not there is empty.
pub(super) fn part<'s, T>(
    part: &'s Observed<Vec<T>>,
    kind: ObjectKind,
    network: &ExternalNetwork,
    findings: &mut Findings,
) -> Option<&'s [T]> {
    match part {
        Observed::Seen(list) => Some(list),
        Observed::Absent => Some(&[]),
        Observed::Unreadable(why) => {
            blind(findings, &Subject::network(network), &network.namespace, object(kind, "?"), why);
            None
        }
    }
}

/// The check could not look: worth knowing, no more.
pub(super) fn blind(findings: &mut Findings, subject: &Subject, netns: &NetnsName, object: ObjectRef, why: &str) {
    findings.cannot_tell(subject, Some(netns), object, why).at_most(Severity::Note);
}

pub(super) fn object(kind: ObjectKind, key: impl Into<String>) -> ObjectRef {
    ObjectRef { kind, key: key.into() }
}

/// True where something on the node says it; the file alone is a hint.
pub(super) fn has(fip: &FloatingIp, source: FactSource) -> bool {
    fip.facts.iter().any(|fact| fact.source == source)
}

/// The link-local addresses of a router's pair, told by either end.
pub(super) fn pair(router: &Router) -> Option<LinkLocalPair> {
    let ends = [&router.rtr_2_fip, &router.fip_2_rtr];
    ends.into_iter().flatten().filter_map(|end| end.address).find_map(LinkLocalPair::of_net)
}

/// A host route's prefix.
pub(super) fn host(address: IpAddr) -> ipnet::IpNet {
    ipnet::IpNet::from(address)
}

/// IPv4 routes in main through a device.
pub(super) fn main_routes<'s>(routes: &'s [Route], device: &'s str) -> impl Iterator<Item = &'s Route> {
    routes.iter().filter(move |route| {
        let through = route.next_hops.iter().any(|hop| hop.dev.as_ref().is_some_and(|dev| dev.as_str() == device));
        route.table == TableId::MAIN && route.dst.addr().is_ipv4() && through
    })
}
