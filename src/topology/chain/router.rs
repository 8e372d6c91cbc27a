//! Links in the router namespace: the subnet, its port, the instance's
//! neighbour entry, the policy rule and the table that it leads to.

use std::net::IpAddr;

use ipnet::IpNet;

use super::verdict::{Verdict, device_fault, seen};
use super::{View, word};
use crate::net::{Addr, IfName, NeighState, Route, RouteKind, Rule};
use crate::neutron::{DeviceKind, FIP_PRIORITIES, FIP_TABLE, LinkLocalPair, is_fip_priority};
use crate::topology::index::{Space, default_v4};

/// The port whose subnet holds an address.
pub(super) fn port_of<'a>(space: &Space<'a>, kind: DeviceKind, address: IpAddr) -> Option<&'a Addr> {
    let mut addrs = space.devices(kind).iter().filter_map(|link| space.addrs(link.name.as_str()).ok()).flatten();
    addrs.find(|addr| addr.address.contains(&address))
}

/// The fixed IP lies in a subnet of the router.
pub(super) fn vm(space: &Space, kind: DeviceKind, fixed_ip: Option<IpAddr>) -> Verdict {
    let Some(fixed) = fixed_ip else { return Verdict::unknown("nothing here tells the fixed IP") };
    let devices: Vec<&str> = space.devices(kind).iter().map(|link| link.name.as_str()).collect();
    let mut subnets = Vec::new();
    for device in devices {
        for addr in seen!(space.addrs(device)) {
            if addr.address.contains(&fixed) {
                return Verdict::ok(addr);
            }
            subnets.push(addr.address.trunc().to_string());
        }
    }
    seen!(space.link(""));
    let expected = format!("a subnet of the router that holds {fixed}");
    if subnets.is_empty() { Verdict::missing(expected) } else { Verdict::wrong(expected, subnets.join(", ")) }
}

/// The port on the subnet is up.
pub(super) fn port(view: &View, space: &Space, device: Option<&IfName>) -> Verdict {
    seen!(space.link(""));
    let Some(device) = device else { return Verdict::unknown("no port of the router is on the fixed IP's subnet") };
    let Some(link) = seen!(space.link(device.as_str())) else { return Verdict::missing(format!("{device} up")) };
    let addrs = seen!(space.addrs(device.as_str()));
    match device_fault(link, view.host.is_dead_port(device.as_str())) {
        Some(fault) => Verdict::wrong(format!("{device} up"), fault).shown(link),
        None => Verdict::ok(link).shown_all(addrs),
    }
}

/// The neighbour entry of the instance. In a distributed router the agent sets a
/// permanent one for every port of the subnet that the server tells it of; an
/// instance on this node answers ARP without one too, so absence is no fault.
pub(super) fn neighbour(space: &Space, device: Option<&IfName>, fixed_ip: Option<IpAddr>) -> Verdict {
    let (Some(device), Some(fixed)) = (device, fixed_ip) else {
        return Verdict::unknown("no port of the router is on the fixed IP's subnet").advisory();
    };
    let expected = format!("{fixed} dev {device} lladdr MAC PERMANENT");
    let Some(neigh) = (match space.neigh(device.as_str(), fixed) {
        Ok(found) => found,
        Err(why) => return Verdict::unknown(why).advisory(),
    }) else {
        return Verdict::fine("no entry; ARP asks when a packet comes");
    };
    match neigh.state {
        NeighState::Failed => Verdict::wrong(expected, neigh.to_string()).shown(neigh),
        NeighState::Incomplete | NeighState::None => {
            Verdict::unknown("asked, not answered yet").advisory().shown(neigh)
        }
        _ => Verdict::ok(neigh),
    }
}

/// `from FIXED lookup 16`, in the range of floating IPs, asked after main and
/// before the subnet's own rule.
pub(super) fn fip_rule(view: &View, fixed_ip: Option<IpAddr>, floating_ip: Option<IpAddr>) -> Verdict {
    let Some(fixed) = fixed_ip else { return Verdict::unknown("nothing here tells the fixed IP") };
    let priority = floating_ip.and_then(|address| view.host.priorities(address).first().copied());
    let priority = priority.map_or_else(
        || format!("{}..{}", FIP_PRIORITIES.start(), FIP_PRIORITIES.end()),
        |priority| priority.to_string(),
    );
    let expected = format!("{priority}: from {fixed} lookup {FIP_TABLE}");
    let rules = seen!(view.qrouter.rules_from(IpNet::from(fixed)));
    let good: Vec<&&Rule> = rules.iter().filter(|rule| leads_to_fip(rule) && is_fip_priority(rule.priority)).collect();
    match (&good[..], rules) {
        ([rule], _) => Verdict::ok(*rule),
        ([first, ..], _) => {
            let lines: Vec<String> = good.iter().map(ToString::to_string).collect();
            Verdict::wrong(first.to_string(), lines.join("; ")).shown_all(good).advisory()
        }
        ([], [other, ..]) => Verdict::wrong(expected, other.to_string()).shown_all(rules),
        ([], []) => Verdict::missing(expected),
    }
}

/// A rule that asks for the source alone and leads to table 16.
fn leads_to_fip(rule: &Rule) -> bool {
    rule.table() == Some(FIP_TABLE) && rule.is_by_source_alone()
}

/// `default via <fpr> dev rfp table 16`.
pub(super) fn table_16(view: &View) -> Verdict {
    let device = view.router.prefix.rfp();
    let via = view.router.pair.addresses.map(LinkLocalPair::fpr);
    let expected = format!("default via {} dev {device} table {FIP_TABLE}", word(via));
    let routes = seen!(view.qrouter.routes(FIP_TABLE, default_v4()));
    one_way(routes, expected, &device, via)
}

/// A single unicast route with the right gateway (any, where that is not known)
/// out of the right device. Of several the kernel takes the lowest metric.
pub(super) fn one_way(routes: &[&Route], expected: String, device: &IfName, via: Option<IpAddr>) -> Verdict {
    let Some(route) = routes.iter().filter(|route| route.tos == 0).min_by_key(|route| route.metric) else {
        return Verdict::missing(expected);
    };
    let right = route.kind == RouteKind::Unicast
        && route.dev() == Some(device)
        && route.via().is_some()
        && via.is_none_or(|via| route.via() == Some(via))
        && !route.next_hops.iter().any(|hop| hop.dead);
    if right {
        Verdict::ok(*route).expecting(expected)
    } else {
        Verdict::wrong(expected, route.to_string()).shown_all(routes)
    }
}
