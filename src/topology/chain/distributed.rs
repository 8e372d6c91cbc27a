//! The chain of a distributed floating IP, through the pair and the fip
//! namespace.

use super::verdict::Verdict;
use super::{View, fip, gateway, pair, router, translation};
use crate::net::Route;
use crate::neutron::{DeviceKind, FIP_TABLE, LinkLocalPair};
use crate::topology::facts::Draft;
use crate::topology::index::default_v4;
use crate::topology::link_name::LinkName;
use crate::topology::model::{ChainLink, FactSource, ObjectKind};

/// The links that all floating IPs of a router share.
pub(super) struct Shared {
    table_16: ChainLink,
    guard: ChainLink,
    outbound_jumps: ChainLink,
    inbound_jumps: ChainLink,
    rfp: ChainLink,
    rfp_neighbour: ChainLink,
    fpr: ChainLink,
    fpr_neighbour: ChainLink,
    iif_rule: ChainLink,
    fip_default: ChainLink,
    gateway_port: ChainLink,
    gateway: ChainLink,
    proxy_arp: ChainLink,
}

impl Shared {
    pub(super) fn of(view: &View) -> Self {
        let (qrouter, fip_name) = (&view.router.qrouter, &view.router.fip);
        let (rfp, fpr) = (view.router.prefix.rfp(), view.router.prefix.fpr());
        let fg = fip::agent_gateway(view);
        let fg_name = fg.map_or_else(|| "fg-?".to_owned(), |link| link.name.to_string());
        let table = fip::table(view).map_or_else(|| "?".to_owned(), |table| table.to_string());
        let default = fip::default_route(view);
        let addresses = view.router.pair.addresses;
        let in_router = |link, verdict: Verdict, kind, key: &str| verdict.at(link, qrouter, kind, key);
        let in_fip = |link, verdict: Verdict, kind, key: &str| verdict.at(link, fip_name, kind, key);
        let (rfp_word, fpr_word) = (rfp.as_str(), fpr.as_str());
        let rfp_key = neighbour_key(addresses.map(LinkLocalPair::fpr), rfp_word);
        let fpr_key = neighbour_key(addresses.map(LinkLocalPair::rfp), fpr_word);
        let gateway_key = neighbour_key(default.and_then(Route::via), &fg_name);
        let iif_key = format!("iif {fpr}");
        let default_key = format!("default table {table}");
        let proxy_key = format!("net.ipv4.conf.{fg_name}.proxy_arp");
        let outbound = translation::outbound_jumps(view.qrouter);
        let inbound = translation::inbound_jumps(view.qrouter);
        let gateway = gateway::gateway(view.fip, fg.map(|link| &link.name), default);
        Self {
            table_16: in_router(LinkName::Table16, router::table_16(view), ObjectKind::Route, "default table 16"),
            guard: in_router(LinkName::Guard, translation::guard(view), ObjectKind::Nat, rfp_word),
            outbound_jumps: in_router(LinkName::NatJumps, outbound, ObjectKind::Nat, "POSTROUTING"),
            inbound_jumps: in_router(LinkName::NatJumps, inbound, ObjectKind::Nat, "PREROUTING"),
            rfp: in_router(LinkName::Rfp, pair::rfp(view), ObjectKind::Link, rfp_word),
            rfp_neighbour: in_router(LinkName::RfpNeighbour, pair::rfp_neighbour(view), ObjectKind::Neigh, &rfp_key),
            fpr: in_fip(LinkName::Fpr, pair::fpr(view), ObjectKind::Link, fpr_word),
            fpr_neighbour: in_fip(LinkName::FprNeighbour, pair::fpr_neighbour(view), ObjectKind::Neigh, &fpr_key),
            iif_rule: in_fip(LinkName::IifRule, fip::iif_rule(view), ObjectKind::Rule, &iif_key),
            fip_default: in_fip(LinkName::FipDefault, fip::fip_default(view), ObjectKind::Route, &default_key),
            gateway_port: in_fip(LinkName::GatewayPort, fip::gateway_port(view), ObjectKind::Link, &fg_name),
            gateway: in_fip(LinkName::Gateway, gateway, ObjectKind::Neigh, &gateway_key),
            proxy_arp: in_fip(LinkName::ProxyArp, fip::proxy_arp(view), ObjectKind::Sysctl, &proxy_key),
        }
    }
}

/// Both directions, in packet order.
pub(super) fn links(view: &View, draft: &Draft, shared: &Shared) -> (Vec<ChainLink>, Vec<ChainLink>) {
    let qrouter = &view.router.qrouter;
    let (fixed, floating) = (draft.fixed_ip, draft.floating_ip);
    let (fixed_word, floating_word) = (super::word(fixed), super::word(floating));
    let subnet = fixed.and_then(|fixed| router::port_of(view.qrouter, DeviceKind::Internal, fixed));
    let device = subnet.map(|addr| &addr.dev);
    let device_word = device.map_or_else(|| "qr-?".to_owned(), ToString::to_string);

    let vm = router::vm(view.qrouter, DeviceKind::Internal, fixed);
    let vm = vm.at(LinkName::Vm, qrouter, ObjectKind::Addr, &fixed_word);
    let qr = router::port(view, view.qrouter, device).at(LinkName::Qr, qrouter, ObjectKind::Link, &device_word);
    let neighbour = router::neighbour(view.qrouter, device, fixed);
    let neighbour =
        neighbour.at(LinkName::Neighbour, qrouter, ObjectKind::Neigh, format!("{fixed_word} dev {device_word}"));
    let rule = if is_idle_rule(view, draft) { idle_rule(draft) } else { router::fip_rule(view, fixed, floating) };
    let rule = rule.at(LinkName::FipRule, qrouter, ObjectKind::Rule, format!("from {fixed_word} lookup {FIP_TABLE}"));
    let snat = translation::float_snat(view.qrouter, fixed, floating);
    let snat = snat.at(LinkName::FloatSnat, qrouter, ObjectKind::Nat, format!("SNAT {fixed_word}"));
    let rfp = view.router.prefix.rfp();
    let dnat = translation::dnat(view.qrouter, floating, fixed, Some((&rfp, view.router.layout)));
    let dnat = dnat.at(LinkName::Dnat, qrouter, ObjectKind::Nat, format!("DNAT {floating_word}"));
    let route = fip::fip_route(view, floating);
    let route = route.at(LinkName::FipRoute, &view.router.fip, ObjectKind::Route, &floating_word);
    let address = fip::rfp_address(view, floating);
    let address = address.at(LinkName::RfpAddress, qrouter, ObjectKind::Addr, format!("{floating_word}/32 dev {rfp}"));

    let outbound = vec![
        vm.clone(),
        qr.clone(),
        rule,
        shared.table_16.clone(),
        shared.guard.clone(),
        shared.outbound_jumps.clone(),
        snat,
        shared.rfp.clone(),
        shared.rfp_neighbour.clone(),
        shared.fpr.clone(),
        shared.iif_rule.clone(),
        shared.fip_default.clone(),
        shared.gateway_port.clone(),
        shared.gateway.clone(),
    ];
    let inbound = vec![
        shared.gateway_port.clone(),
        shared.proxy_arp.clone(),
        route,
        shared.fpr.clone(),
        shared.fpr_neighbour.clone(),
        shared.rfp.clone(),
        address,
        shared.inbound_jumps.clone(),
        dnat,
        qr,
        neighbour,
        vm,
    ];
    if is_idle_rule(view, draft) { (idle(outbound), idle(inbound)) } else { (outbound, inbound) }
}

/// A rule to table 16 in a router that has no pair, while nothing translates its
/// fixed IP and the table leads nowhere: packets pass it by. Agents from 19.0.0
/// leave such rules in `dvr_no_external` mode, for floating IPs that another
/// node has.
fn is_idle_rule(view: &View, draft: &Draft) -> bool {
    let pair = &view.router.pair;
    let untranslated = view.qrouter.nat().is_ok_and(|nat| nat.outbound_doubt.is_none() && nat.inbound_doubt.is_none());
    let leads_nowhere = view.qrouter.routes(FIP_TABLE, default_v4()).is_ok_and(<[_]>::is_empty);
    draft.floating_ip.is_none() && pair.rfp.is_none() && pair.fpr.is_none() && untranslated && leads_nowhere
}

fn idle_rule(draft: &Draft) -> Verdict {
    let rules = draft.facts.iter().filter(|fact| fact.source == FactSource::Rule).map(|fact| &fact.text);
    let lines: Vec<&String> = rules.collect();
    let actual = "it stands, but nothing translates its address and table 16 leads nowhere: packets pass it by";
    Verdict::wrong("no such rule", actual).shown_all(lines).advisory()
}

/// Leaves the rule itself and what is before it; there is nothing behind it.
fn idle(mut links: Vec<ChainLink>) -> Vec<ChainLink> {
    let why = "the rule leads nowhere, and nothing is behind it";
    for link in &mut links {
        if !matches!(link.link, LinkName::Vm | LinkName::Qr | LinkName::Neighbour | LinkName::FipRule) {
            let (namespace, object) = (link.namespace.clone(), link.object.clone());
            *link = Verdict::not_applicable(why).at(link.link, &namespace, object.kind, object.key);
        }
    }
    links
}

fn neighbour_key(address: Option<std::net::IpAddr>, device: &str) -> String {
    format!("{} dev {device}", super::word(address))
}
