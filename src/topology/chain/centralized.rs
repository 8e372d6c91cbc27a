//! The chain of a floating IP on a gateway port: centralized, in the snat
//! namespace, or of a legacy router, in its own.
//!
//! Where VRRP decides which node acts, keepalived gives the gateway port, its
//! addresses and the default route to the primary alone. On a standby node they
//! are absent in health, so those links do not apply there.

use std::net::IpAddr;

use ipnet::IpNet;

use super::router::{neighbour, one_way, port, port_of, vm};
use super::verdict::{Verdict, device_fault, seen};
use super::{View, gateway, translation};
use crate::net::{Addr, IfName, Link, NetnsName, Route, RulePriority, TableId};
use crate::neutron::{DeviceKind, FIP_TABLE, HA_PRIMARY_NETWORK, table_of};
use crate::topology::facts::Draft;
use crate::topology::index::{Space, default_v4};
use crate::topology::link_name::LinkName;
use crate::topology::model::{ChainLink, FipKind, ObjectKind};

const STANDBY: &str = "this node is on standby: the primary has it";

/// The links that all such floating IPs of a router share, and their place.
pub(super) struct Shared {
    outbound_jumps: ChainLink,
    inbound_jumps: ChainLink,
    qg: ChainLink,
    fip_default: ChainLink,
    gateway: ChainLink,
    standby: bool,
}

/// The namespace that has the gateway port.
struct Place<'v, 'n, 'a> {
    view: &'v View<'n, 'a>,
    space: &'n Space<'a>,
    name: &'n NetnsName,
    qg: Option<&'a Link>,
    standby: bool,
}

impl<'v, 'n, 'a> Place<'v, 'n, 'a> {
    fn of(view: &'v View<'n, 'a>) -> Self {
        let (space, name) = if view.router.is_distributed() {
            (view.snat, &view.router.snat)
        } else {
            (view.qrouter, &view.router.qrouter)
        };
        let qg = space.devices(DeviceKind::RouterGateway).first().copied();
        Self { view, space, name, qg, standby: is_standby(space) }
    }

    fn qg_name(&self) -> String {
        self.qg.map_or_else(|| "qg-?".to_owned(), |link| link.name.to_string())
    }

    fn default(&self) -> Option<&'a Route> {
        let routes = self.space.routes(TableId::MAIN, default_v4()).ok()?;
        routes.iter().copied().min_by_key(|route| route.metric)
    }

    fn qg_verdict(&self) -> Verdict {
        if self.standby {
            return Verdict::not_applicable(STANDBY);
        }
        seen!(self.space.link(""));
        let Some(link) = self.qg else { return Verdict::missing("qg-… up with the router's external address") };
        let expected = format!("{} up", link.name);
        match device_fault(link, self.view.host.is_dead_port(link.name.as_str())) {
            Some(fault) => Verdict::wrong(expected, fault).shown(link),
            None => Verdict::ok(link).shown_all(seen!(self.space.addrs(link.name.as_str()))),
        }
    }

    fn default_verdict(&self) -> Verdict {
        if self.standby {
            return Verdict::not_applicable(STANDBY);
        }
        let routes = seen!(self.space.routes(TableId::MAIN, default_v4()));
        seen!(self.space.link(""));
        let device = IfName::new(self.qg_name());
        one_way(routes, format!("default via GATEWAY dev {device}"), &device, None)
    }

    fn gateway_verdict(&self) -> Verdict {
        if self.standby {
            return Verdict::not_applicable(STANDBY);
        }
        gateway::gateway(self.space, self.qg.map(|link| &link.name), self.default())
    }

    fn address_verdict(&self, floating_ip: Option<IpAddr>) -> Verdict {
        if self.standby {
            return Verdict::not_applicable(STANDBY);
        }
        let Some(floating) = floating_ip else { return Verdict::unknown("nothing here tells the floating IP") };
        seen!(self.space.link(""));
        let device = self.qg_name();
        let expected = format!("inet {floating}/32 on {device}");
        let mut addrs = seen!(self.space.addrs(&device));
        match (addrs.find(|addr| addr.address.addr() == floating), self.space.owner(floating)) {
            (Some(addr), _) => Verdict::ok(addr),
            (None, Some(other)) => Verdict::wrong(expected, other.to_string()).shown(other),
            (None, None) => Verdict::missing(expected),
        }
    }
}

impl Shared {
    pub(super) fn of(view: &View) -> Self {
        let place = Place::of(view);
        let qg = place.qg_name();
        let gateway_address = place.default().and_then(Route::via);
        let jumps = |verdict: Verdict, key| verdict.at(LinkName::NatJumps, place.name, ObjectKind::Nat, key);
        Self {
            outbound_jumps: jumps(translation::outbound_jumps(place.space), "POSTROUTING"),
            inbound_jumps: jumps(translation::inbound_jumps(place.space), "PREROUTING"),
            qg: place.qg_verdict().at(LinkName::Qg, place.name, ObjectKind::Link, &qg),
            fip_default: place.default_verdict().at(LinkName::FipDefault, place.name, ObjectKind::Route, "default"),
            gateway: place.gateway_verdict().at(
                LinkName::Gateway,
                place.name,
                ObjectKind::Neigh,
                format!("{} dev {qg}", super::word(gateway_address)),
            ),
            standby: place.standby,
        }
    }
}

/// Both directions, in packet order.
pub(super) fn links(view: &View, draft: &Draft, shared: &Shared) -> (Vec<ChainLink>, Vec<ChainLink>) {
    let place = Place::of(view);
    let (fixed, floating) = (draft.fixed_ip, draft.floating_ip);
    let (fixed_word, floating_word) = (super::word(fixed), super::word(floating));
    let subnets = Subnets::of(view, draft, shared.standby);
    let forwarded = translation::forwarded(place.space, floating).filter(|_| fixed.is_none());

    let at = |verdict: Verdict, link, kind, key: &str| verdict.at(link, place.name, kind, key);
    let address = at(place.address_verdict(floating), LinkName::QgAddress, ObjectKind::Addr, &floating_word);
    let float_snat = match &forwarded {
        Some(_) => Verdict::not_applicable("ports are forwarded, not the address"),
        None => translation::float_snat(place.space, fixed, floating),
    };
    let float_snat = at(float_snat, LinkName::FloatSnat, ObjectKind::Nat, &format!("SNAT {fixed_word}"));
    let dnat = forwarded.unwrap_or_else(|| translation::dnat(place.space, floating, fixed, None));
    let dnat = at(dnat, LinkName::Dnat, ObjectKind::Nat, &format!("DNAT {floating_word}"));

    let outbound = vec![
        subnets.vm.clone(),
        subnets.qr.clone(),
        subnets.subnet_rule,
        subnets.sg.clone(),
        shared.outbound_jumps.clone(),
        float_snat,
        shared.fip_default.clone(),
        shared.qg.clone(),
        shared.gateway.clone(),
    ];
    let mut inbound = vec![shared.qg.clone(), address, shared.inbound_jumps.clone(), dnat, subnets.sg];
    // A legacy router hands packets on through its own port.
    inbound.extend((draft.kind == FipKind::Legacy).then_some(subnets.qr));
    inbound.extend([subnets.neighbour, subnets.vm]);
    (outbound, inbound)
}

/// The links on the instance's side.
struct Subnets {
    vm: ChainLink,
    qr: ChainLink,
    neighbour: ChainLink,
    subnet_rule: ChainLink,
    sg: ChainLink,
}

impl Subnets {
    fn of(view: &View, draft: &Draft, standby: bool) -> Self {
        let qrouter = &view.router.qrouter;
        let fixed = draft.fixed_ip;
        let fixed_word = super::word(fixed);
        let legacy = draft.kind == FipKind::Legacy;
        let find = |space, kind| fixed.and_then(|fixed| port_of(space, kind, fixed));
        let qr = find(view.qrouter, DeviceKind::Internal);
        let sg = if legacy { None } else { find(view.snat, DeviceKind::Snat) };
        let forwarded = fixed.is_none() && !draft.facts.is_empty();
        let idle = (standby && legacy).then_some(STANDBY);
        let none = forwarded.then_some("no single instance has this address");
        let judge = |why: Option<&'static str>, verdict: &dyn Fn() -> Verdict| {
            none.or(why).map_or_else(verdict, Verdict::not_applicable)
        };

        // Without the router namespace here, the snat namespace's port tells the subnet.
        let away = (!legacy && !view.qrouter.is_here())
            .then_some("the router has no namespace here; the instance's node does this");
        let (space, kind) =
            if away.is_some() { (view.snat, DeviceKind::Snat) } else { (view.qrouter, DeviceKind::Internal) };
        let vm = judge(idle, &|| vm(space, kind, fixed));
        let qr_name = qr.map_or_else(|| "qr-?".to_owned(), |addr| addr.dev.to_string());
        let qr_link = judge(idle.or(away), &|| port(view, view.qrouter, qr.map(|addr| &addr.dev)));
        let rule = legacy.then_some("a legacy router needs no way to another namespace").or(away);
        let subnet_rule = judge(rule, &|| subnet_rule(view, fixed, qr, sg));
        let sg_why = if legacy { Some("a legacy router has no snat namespace") } else { standby.then_some(STANDBY) };
        let sg_link = judge(sg_why, &|| sg_port(view, fixed, sg));
        let sg_name = sg.map_or_else(|| "sg-?".to_owned(), |addr| addr.dev.to_string());
        let (place, namespace, device) =
            if legacy { (view.qrouter, qrouter, qr) } else { (view.snat, &view.router.snat, sg) };
        let asked = judge(standby.then_some(STANDBY), &|| neighbour(place, device.map(|addr| &addr.dev), fixed));
        let device = device.map_or_else(|| "?".to_owned(), |addr| addr.dev.to_string());
        let subnet = qr.map_or_else(|| fixed_word.clone(), |addr| addr.address.to_string());
        Self {
            vm: vm.at(LinkName::Vm, if away.is_some() { namespace } else { qrouter }, ObjectKind::Addr, &fixed_word),
            qr: qr_link.at(LinkName::Qr, qrouter, ObjectKind::Link, qr_name),
            neighbour: asked.at(
                LinkName::Neighbour,
                namespace,
                ObjectKind::Neigh,
                format!("{fixed_word} dev {device}"),
            ),
            subnet_rule: subnet_rule.at(LinkName::SubnetRule, qrouter, ObjectKind::Rule, format!("from {subnet}")),
            sg: sg_link.at(LinkName::Sg, &view.router.snat, ObjectKind::Link, sg_name),
        }
    }
}

/// `N: from QR/LEN lookup N` and `default via SG dev qr table N`, N being qr's
/// address as a number. A rule for the fixed IP that leads to table 16 comes
/// first and diverts the packets that pass this node.
fn subnet_rule(view: &View, fixed_ip: Option<IpAddr>, qr: Option<&Addr>, sg: Option<&Addr>) -> Verdict {
    let Some(qr) = qr else { return Verdict::unknown("no port of the router is on the fixed IP's subnet") };
    let table = table_of(qr.address);
    let expected = format!("{table}: from {} lookup {table}", qr.address);
    let rules = seen!(view.qrouter.rules_from(qr.address));
    let Some(rule) = rules.iter().find(|rule| rule.table() == Some(table)) else {
        return match rules {
            [] => Verdict::missing(expected),
            [other, ..] => Verdict::wrong(expected, other.to_string()).shown_all(rules),
        };
    };
    let via = sg.map(|sg| sg.address.addr());
    let expected_route = format!("default via {} dev {} table {table}", super::word(via), qr.dev);
    let routes = seen!(view.qrouter.routes(table, default_v4()));
    let route = one_way(routes, expected_route, &qr.dev, via);
    if !route.is_ok() {
        return route.shown(rule);
    }
    let diverts = seen!(view.qrouter.routes(FIP_TABLE, default_v4())).first();
    let strays = fixed_ip.map_or(Ok(&[][..]), |fixed| view.qrouter.rules_from(IpNet::from(fixed)));
    let first = |priority: RulePriority| priority < rule.priority;
    let stray = seen!(strays).iter().find(|stray| stray.table() == Some(FIP_TABLE) && first(stray.priority));
    match (stray, diverts) {
        (Some(stray), Some(route)) => {
            let actual = format!("{stray} comes first, and leads to {route}");
            Verdict::wrong(rule.to_string(), actual).shown(stray).shown(route)
        }
        (stray, _) => Verdict::ok(*rule).shown_all(routes).shown_all(stray),
    }
}

/// The snat namespace's port on the subnet.
fn sg_port(view: &View, fixed_ip: Option<IpAddr>, sg: Option<&Addr>) -> Verdict {
    let Some(sg) = sg else {
        seen!(view.snat.link(""));
        return Verdict::missing(format!("sg-… on the subnet of {}", super::word(fixed_ip)));
    };
    port(view, view.snat, Some(&sg.dev))
}

/// The HA port stands here, and has not the address that the primary has.
fn is_standby(space: &Space) -> bool {
    space.devices(DeviceKind::Ha).first().is_some_and(|link| {
        let Ok(mut addrs) = space.addrs(link.name.as_str()) else { return false };
        !addrs.any(|addr| matches!(addr.address.addr(), IpAddr::V4(address) if HA_PRIMARY_NETWORK.contains(&address)))
    })
}
