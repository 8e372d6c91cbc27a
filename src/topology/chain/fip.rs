//! Links in the fip namespace: the way out by the router's own table, the agent
//! gateway port, proxy ARP, and the floating IP's route.

use std::net::IpAddr;

use ipnet::IpNet;

use super::router::one_way;
use super::verdict::{Verdict, device_fault, seen};
use super::{View, word};
use crate::net::{IfName, Link, Route, Rule, TableId};
use crate::neutron::{DeviceKind, Layout, LinkLocalPair};
use crate::topology::index::default_v4;

/// The agent gateway port of the router's fip namespace; of several the one
/// that the router's default route leads through.
pub(super) fn agent_gateway<'a>(view: &View<'_, 'a>) -> Option<&'a Link> {
    let ports = view.fip.devices(DeviceKind::AgentGateway);
    let chosen = default_route(view).and_then(Route::dev);
    ports.iter().find(|link| Some(&link.name) == chosen).or(ports.first()).copied()
}

/// The table that the router's packets ask in the fip namespace.
pub(super) fn table(view: &View) -> Option<TableId> {
    match view.router.layout {
        Layout::Juno | Layout::Newton => Some(TableId::MAIN),
        Layout::Pike => {
            let by_address = view.router.pair.addresses.map(LinkLocalPair::table);
            let rules = view.fip.rules_iif(view.router.prefix.fpr().as_str()).unwrap_or_default();
            by_address.or_else(|| rules.first().and_then(|rule| rule.table()))
        }
    }
}

/// The default route that the router's packets take.
pub(super) fn default_route<'a>(view: &View<'_, 'a>) -> Option<&'a Route> {
    let routes = view.fip.routes(table(view)?, default_v4()).ok()?;
    routes.iter().copied().min_by_key(|route| route.metric)
}

/// `N: from all iif fpr lookup N`, N being fpr's address as a number.
pub(super) fn iif_rule(view: &View) -> Verdict {
    if view.router.layout != Layout::Pike {
        return Verdict::not_applicable("this layout has no table per router");
    }
    let device = view.router.prefix.fpr();
    let number = view.router.pair.addresses.map(LinkLocalPair::table);
    let word = number.map_or_else(|| "N".to_owned(), |table| table.to_string());
    let expected = format!("{word}: from all iif {device} lookup {word}");
    let rules = seen!(view.fip.rules_iif(device.as_str()));
    let leads = |rule: &&&Rule| {
        !rule.iif_detached
            && !rule.invert
            && rule.from.is_none()
            && rule.to.is_none()
            && rule.fwmark.is_none()
            && rule.table().is_some_and(|table| number.is_none_or(|number| table == number))
    };
    match (rules.iter().find(leads), rules) {
        (Some(rule), _) if number.is_some_and(|number| rule.priority.0 != number.0) => {
            Verdict::wrong(expected, rule.to_string()).shown(rule).advisory()
        }
        (Some(rule), _) => Verdict::ok(rule),
        (None, [other, ..]) => Verdict::wrong(expected, other.to_string()).shown_all(rules),
        (None, []) => {
            // Where it was in main, no rule is missed.
            seen!(view.fip.routes(TableId::MAIN, default_v4()));
            Verdict::missing(expected)
        }
    }
}

/// The default route to the external gateway: in the router's own table from
/// 9.3, in main before.
pub(super) fn fip_default(view: &View) -> Verdict {
    let ports = view.fip.devices(DeviceKind::AgentGateway);
    let device = agent_gateway(view).map_or_else(|| IfName::from("fg-?"), |link| link.name.clone());
    let Some(table) = table(view) else {
        return Verdict::unknown("neither fpr's address nor a rule tells the router's table");
    };
    let place = if table == TableId::MAIN { String::new() } else { format!(" table {table}") };
    let routes = seen!(view.fip.routes(table, default_v4()));
    // Without the devices nobody knows by which one it should lead.
    seen!(view.fip.link(""));
    let gateway = if ports.is_empty() { None } else { other_gateway(view, table) };
    let expected =
        format!("default via {} dev {device}{place}", gateway.map_or("GATEWAY".to_owned(), |gw| gw.to_string()));
    one_way(routes, expected, &device, None)
}

/// The gateway that another router of the same fip namespace uses: what ours
/// would be, where our own route is gone.
fn other_gateway(view: &View, ours: TableId) -> Option<IpAddr> {
    let tables = view.siblings.iter().copied().map(LinkLocalPair::table);
    let routes = [ours].into_iter().chain(tables).chain([TableId::MAIN]);
    routes.filter_map(|table| view.fip.routes(table, default_v4()).ok()).flatten().find_map(|route| route.via())
}

/// The agent gateway port is up, has an address, and is the only one.
pub(super) fn gateway_port(view: &View) -> Verdict {
    let ports = view.fip.devices(DeviceKind::AgentGateway);
    seen!(view.fip.link(""));
    let expected = "fg-… up with an address on the external network";
    let Some(link) = agent_gateway(view) else { return Verdict::missing(expected) };
    let expected = format!("{} up with an address on the external network", link.name);
    let addrs: Vec<_> = seen!(view.fip.addrs(link.name.as_str())).collect();
    if let Some(fault) = device_fault(link, view.host.is_dead_port(link.name.as_str())) {
        return Verdict::wrong(expected, fault).shown(link);
    }
    if addrs.is_empty() {
        return Verdict::wrong(expected, "it has no address").shown(link);
    }
    if ports.len() > 1 {
        let names: Vec<String> = ports.iter().map(|port| port.name.to_string()).collect();
        return Verdict::wrong("one agent gateway port", names.join(", ")).shown_all(ports).advisory();
    }
    Verdict::ok(link).shown_all(addrs).expecting(expected)
}

/// fg answers ARP for what is routed into a pair: proxy ARP and forwarding on.
pub(super) fn proxy_arp(view: &View) -> Verdict {
    let Some(link) = agent_gateway(view) else {
        seen!(view.fip.link(""));
        return Verdict::unknown("there is no agent gateway port");
    };
    let device = &link.name;
    let key = |name: &str| format!("net.ipv4.conf.{device}.{name}");
    let by_name = |name: &str| view.fip.sysctl(&key(name)).map(|value| value != 0);
    let proxy = link.ipv4.map(|conf| conf.proxy_arp).or_else(|| by_name("proxy_arp"));
    let all = view.fip.sysctl("net.ipv4.conf.all.proxy_arp").is_some_and(|value| value != 0);
    let forwarding = link.ipv4.map(|conf| conf.forwarding).or_else(|| by_name("forwarding"));
    let forwarding = forwarding.or_else(|| view.fip.sysctl("net.ipv4.ip_forward").map(|value| value != 0));
    match (proxy.map(|on| on || all), forwarding) {
        (Some(true), Some(true)) => Verdict::ok(&format!("{} = 1", key("proxy_arp"))),
        (Some(false), _) => Verdict::wrong(format!("{} = 1", key("proxy_arp")), "0"),
        (_, Some(false)) => Verdict::wrong("net.ipv4.ip_forward = 1", "0"),
        (None, _) => Verdict::unknown(&format!("{} was not read", key("proxy_arp"))),
        (_, None) => Verdict::unknown("net.ipv4.ip_forward was not read"),
    }
}

/// `FLOATING via <rfp> dev fpr` in main: delivery, and the reason for proxy ARP
/// to answer.
pub(super) fn fip_route(view: &View, floating_ip: Option<IpAddr>) -> Verdict {
    let Some(floating) = floating_ip else { return Verdict::unknown("nothing here tells the floating IP") };
    let device = view.router.prefix.fpr();
    let via = view.router.pair.addresses.map(LinkLocalPair::rfp);
    let expected = format!("{floating} via {} dev {device}", word(via));
    let routes = seen!(view.fip.routes(TableId::MAIN, IpNet::from(floating)));
    if let Some(addr) = view.fip.owner(floating) {
        return Verdict::wrong(expected, format!("the address stands on {}", addr.dev)).shown(addr).shown_all(routes);
    }
    one_way(routes, expected, &device, via)
}

/// The floating IP as an address of rfp: wanted in juno, a leftover later.
pub(super) fn rfp_address(view: &View, floating_ip: Option<IpAddr>) -> Verdict {
    let device = view.router.prefix.rfp();
    let juno = view.router.layout == Layout::Juno;
    let Some(floating) = floating_ip else { return Verdict::not_applicable("nothing here tells the floating IP") };
    let mut addrs = seen!(view.qrouter.addrs(device.as_str()));
    match addrs.find(|addr| addr.address.addr() == floating) {
        Some(addr) if juno => Verdict::ok(addr),
        Some(addr) => Verdict::wrong(format!("no {floating}/32 on {device}"), addr.to_string()).shown(addr).advisory(),
        None if juno => Verdict::missing(format!("inet {floating}/32 on {device}")),
        None => Verdict::not_applicable("this layout has no floating IP on rfp"),
    }
}
