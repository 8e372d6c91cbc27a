//! A router's namespace and what it does for its subnets.

use std::net::IpAddr;

use crate::net::{Family, IfName, Mac, Rule};
use crate::neutron::table_of;

use super::super::{Action, Object, Place, Plan};
use super::names::router_netns;
use super::port::{default_route, neighbour, netns, plug};
use super::skeleton::{Kind, nat_ways, scope_marks, skeleton};
use super::{Forms, Port};

/// The router's namespace with its settings and chains.
pub fn router_namespace(plan: &mut Plan, forms: &Forms, router: &str) {
    let place = router_netns(router);
    netns(plan, &place);
    skeleton(plan, forms, &place, Kind::Router);
    settings(plan, forms, &place);
    plan.push(&place, Action::sysctl("net.ipv4.conf.all.send_redirects", 0));
}

/// The chains of a router's namespace: all tables, or only what of the nat
/// table its floating IPs hang on.
pub fn router_chains(plan: &mut Plan, forms: &Forms, router: &str, all: bool) {
    let place = router_netns(router);
    if all {
        skeleton(plan, forms, &place, Kind::Router);
    } else {
        nat_ways(plan, forms, &place);
    }
}

/// The marks of a router's ports on its subnets, without which its chains let
/// nothing through.
pub fn router_marks<'d>(plan: &mut Plan, forms: &Forms, router: &str, ports: impl Iterator<Item = &'d IfName>) {
    let place = router_netns(router);
    for device in ports {
        scope_marks(plan, forms, &place, device, true);
    }
}

/// A port on a tenant's subnet, the same on every node (`internal_network_added`).
pub fn internal_port(plan: &mut Plan, forms: &Forms, router: &str, port: &Port) {
    let place = router_netns(router);
    plug(plan, &place, port);
    scope_marks(plan, forms, &place, &port.device, true);
}

/// Sends what leaves a subnet for the outside to the snat namespace, at
/// whichever node that is (`_snat_redirect_add`).
pub fn redirect(plan: &mut Plan, forms: &Forms, router: &str, port: &Port, sg: (IpAddr, Mac)) {
    let place = router_netns(router);
    let table = table_of(port.address);
    neighbour(plan, &place, &port.device, sg.0, sg.1);
    plan.push(&place, default_route(forms, table, sg.0, &port.device));
    let mut rule = Rule::lookup(family(sg.0), table.0, table);
    rule.from = Some(port.address);
    plan.push(&place, Action::Add(Object::Rule(rule)));
    // A slash stands for a dot within a device's name, as sysctl has it.
    let device = port.device.as_str().replace('.', "/");
    plan.push(&place, Action::sysctl(format!("net.ipv4.conf.{device}.send_redirects"), 0));
}

fn family(address: IpAddr) -> Family {
    if address.is_ipv4() { Family::V4 } else { Family::V6 }
}

/// The settings of every namespace of the agent (`namespaces.py`). After the
/// chains: those bring connection tracking, whose settings do not exist before.
pub(super) fn settings(plan: &mut Plan, forms: &Forms, place: &Place) {
    let mut set = |key: &str, value| plan.push(place, Action::sysctl(key, value));
    set("net.ipv4.conf.all.promote_secondaries", 1);
    set("net.ipv4.ip_forward", 1);
    if forms.arp_settings {
        set("net.ipv4.conf.all.arp_ignore", 1);
        set("net.ipv4.conf.all.arp_announce", 2);
    }
    set("net.ipv6.conf.all.forwarding", 1);
    if forms.recent_settings {
        set("net.netfilter.nf_conntrack_tcp_be_liberal", 1);
    }
}
