//! The fip namespace of an external network, and the pair that joins a router
//! to it (`dvr_fip_ns.py`).

use crate::net::{Family, Rule, TableId};
use crate::neutron::{FIP_TABLE, Layout};

use super::super::{Action, Object, Plan, Veth, VethEnd};
use super::names::{fip_netns, router_netns};
use super::port::{address, default_route, neighbour, netns, plug, subnet};
use super::router::settings;
use super::skeleton::{Kind, scope_marks, skeleton};
use super::{External, Forms, Pair};

/// The fip namespace with its settings and chains; nothing is tracked in it.
pub fn fip_namespace(plan: &mut Plan, forms: &Forms, external: &External) {
    let place = fip_netns(&external.id);
    netns(plan, &place);
    skeleton(plan, forms, &place, Kind::Fip);
    settings(plan, forms, &place);
    if forms.nonlocal_bind {
        plan.push(&place, Action::sysctl("net.ipv4.ip_nonlocal_bind", 1));
    }
}

/// The agent gateway port: fg with its address, proxy ARP and (before the
/// per-router tables) the default route of the whole namespace.
pub fn gateway_port(plan: &mut Plan, forms: &Forms, external: &External) {
    plug(plan, &fip_netns(&external.id), &external.port);
    gateway_settings(plan, forms, external);
}

/// What makes a plugged fg a gateway: the default route of the whole namespace
/// (before the per-router tables), proxy ARP.
pub fn gateway_settings(plan: &mut Plan, forms: &Forms, external: &External) {
    let place = fip_netns(&external.id);
    let device = &external.port.device;
    let component = device.as_str().replace('.', "/");
    if forms.layout != Layout::Pike {
        plan.push(&place, default_route(forms, TableId::MAIN, external.gateway, device));
    }
    if forms.recent_settings {
        plan.push(&place, Action::sysctl(format!("net.ipv4.neigh.{component}.proxy_delay"), 1));
    }
    plan.push(&place, Action::sysctl(format!("net.ipv4.conf.{component}.proxy_arp"), 1));
}

/// The veth pair between router and fip namespace with its addresses, the
/// router's table 16 and (in the Pike layout) its own table on the other side.
pub fn pair(plan: &mut Plan, forms: &Forms, external: &External, pair: &Pair) {
    let (router, fip) = (router_netns(&pair.router), fip_netns(&external.id));
    let (rfp, fpr) = (pair.rfp(), pair.fpr());
    let end = |name, mac| VethEnd { name, mac, mtu: pair.mtu };
    let veth = Veth {
        end: end(rfp.clone(), pair.macs.map(|macs| macs.0)),
        peer_netns: fip.clone(),
        peer: end(fpr.clone(), pair.macs.map(|macs| macs.1)),
    };
    plan.push(&router, Action::Add(Object::Veth(veth)));
    plan.push(&router, Action::up(&rfp));
    plan.push(&fip, Action::up(&fpr));
    plan.push(&router, address(&rfp, subnet(pair.addresses.rfp(), 31), None));
    plan.push(&fip, address(&fpr, subnet(pair.addresses.fpr(), 31), None));
    if let (true, Some((rfp_mac, fpr_mac))) = (forms.pair_neighbours, pair.macs) {
        neighbour(plan, &router, &rfp, pair.addresses.fpr(), fpr_mac);
        neighbour(plan, &fip, &fpr, pair.addresses.rfp(), rfp_mac);
    }
    if forms.layout == Layout::Pike {
        let table = pair.addresses.table();
        plan.push(&fip, default_route(forms, table, external.gateway, &external.port.device));
        let mut rule = Rule::lookup(Family::V4, table.0, table);
        rule.iif = Some(fpr);
        plan.push(&fip, Action::Add(Object::Rule(rule)));
    }
    plan.push(&router, default_route(forms, FIP_TABLE, pair.addresses.fpr(), &rfp));
    scope_marks(plan, forms, &router, &rfp, true);
}
