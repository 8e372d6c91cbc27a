//! The snat namespace on a network node (`dvr_snat_ns.py`, `dvr_edge_router.py`),
//! and what legacy routers have of it (`router_info.py`).

use std::net::{IpAddr, Ipv4Addr};

use ipnet::IpNet;

use crate::net::{IfName, TableId};
use crate::neutron::Layout;

use super::super::{Action, Place, Plan, TableEdit};
use super::names::{router_netns, snat_netns};
use super::port::{address, default_route, netns, plug};
use super::router::settings;
use super::skeleton::{Kind, scope_marks, skeleton};
use super::{Forms, Port};

/// The whole namespace: one `sg` for each subnet, `qg` with the router's
/// external address, its default route and its translation.
pub fn snat_namespace(plan: &mut Plan, forms: &Forms, router: &str, sg: &[Port], qg: &Port, gateway: IpAddr) {
    let place = snat_netns(router);
    netns(plan, &place);
    skeleton(plan, forms, &place, Kind::Snat);
    settings(plan, forms, &place);
    if forms.recent_settings {
        plan.push(&place, Action::sysctl("net.ipv4.ip_nonlocal_bind", 1));
    }
    if forms.arp_settings {
        plan.push(&place, Action::sysctl("net.netfilter.nf_conntrack_tcp_loose", 0));
    }
    for port in sg {
        plug(plan, &place, port);
        scope_marks(plan, forms, &place, &port.device, true);
    }
    gateway_side(plan, forms, &place, sg, qg, gateway);
}

/// The gateway port of a legacy router, in the router's own namespace
/// (`router_info.py`, `external_gateway_added`); `internal` are its ports.
pub fn legacy_gateway(plan: &mut Plan, forms: &Forms, router: &str, internal: &[Port], qg: &Port, gateway: IpAddr) {
    let place = router_netns(router);
    if forms.layout != Layout::Juno {
        let mut nat = TableEdit::new(forms.backend, "nat");
        nat.append(forms.chain("snat"), format!("-j {}", forms.chain("float-snat")));
        plan.push(&place, Action::Netfilter(nat));
    }
    gateway_side(plan, forms, &place, internal, qg, gateway);
}

/// `qg` with the router's external address, its default route and translation.
fn gateway_side(plan: &mut Plan, forms: &Forms, place: &Place, internal: &[Port], qg: &Port, gateway: IpAddr) {
    plug(plan, place, qg);
    // Not dropped by scope while the router translates: everything may leave.
    scope_marks(plan, forms, place, &qg.device, false);
    plan.push(place, default_route(forms, TableId::MAIN, gateway, &qg.device));
    if forms.snat_by_device {
        // No IPv6 gateway is known: one may announce itself.
        let device = qg.device.as_str().replace('.', "/");
        plan.push(place, Action::sysctl(format!("net.ipv6.conf.{device}.accept_ra"), 2));
    }
    plan.push(place, Action::Netfilter(nat(forms, internal, qg)));
    if forms.snat_by_device {
        let mut mangle = TableEdit::new(forms.backend, "mangle");
        mangle.append(forms.chain("mark"), format!("-i {} -j MARK --set-xmark 0x2/0xffff", qg.device));
        if forms.scopes {
            let save = "-m connmark --mark 0x0/0xffff0000 -j CONNMARK --save-mark \
                        --nfmask 0xffff0000 --ctmask 0xffff0000";
            mangle.append(forms.chain("POSTROUTING"), format!("-o {} {save}", qg.device));
        }
        plan.push(place, Action::Netfilter(mangle));
    }
}

/// A floating IP of an instance whose own node does not do it (from Pike): an
/// address of `qg` with its translations (`dvr_edge_router.py`,
/// `add_centralized_floatingip`).
pub fn centralize(
    plan: &mut Plan,
    forms: &Forms,
    router: &str,
    qg: &IfName,
    floating_ip: Ipv4Addr,
    fixed_ip: Ipv4Addr,
) {
    floating_on_gateway(plan, forms, &snat_netns(router), qg, floating_ip, fixed_ip);
}

/// A floating IP as an address of a gateway port, with its translations
/// (`router_info.py`, `add_floating_ip`).
pub fn floating_on_gateway(
    plan: &mut Plan,
    forms: &Forms,
    place: &Place,
    qg: &IfName,
    floating_ip: Ipv4Addr,
    fixed_ip: Ipv4Addr,
) {
    let mut nat = TableEdit::new(forms.backend, "nat");
    for chain in ["PREROUTING", "OUTPUT"] {
        nat.append(forms.chain(chain), format!("-d {floating_ip}/32 -j DNAT --to-destination {fixed_ip}"));
    }
    nat.append(forms.chain("float-snat"), format!("-s {fixed_ip}/32 {}", forms.snat_to(floating_ip)));
    plan.push(place, Action::Netfilter(nat));
    let floating = IpAddr::V4(floating_ip);
    plan.push(place, address(qg, IpNet::from(floating), Some(floating)));
}

fn nat(forms: &Forms, internal: &[Port], qg: &Port) -> TableEdit {
    let mut nat = TableEdit::new(forms.backend, "nat");
    nat.append(forms.chain("POSTROUTING"), forms.guard(&qg.device));
    let to = forms.snat_to(qg.address.addr());
    if forms.snat_by_device {
        nat.append(forms.chain("snat"), format!("-o {} {to}", qg.device));
        let hairpin = "-m mark ! --mark 0x2/0xffff -m conntrack --ctstate DNAT";
        nat.append(forms.chain("snat"), format!("{hairpin} {to}"));
    } else {
        for port in internal {
            nat.append(forms.chain("snat"), format!("-s {} {to}", port.address.trunc()));
        }
    }
    nat
}
