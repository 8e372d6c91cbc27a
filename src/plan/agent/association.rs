//! A floating IP: translation, rule and route, inside out, so that no packet
//! finds its way in before it can be translated.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::net::{Family, Rule, TableId};
use crate::neutron::{FIP_TABLE, Layout};

use super::super::{Action, Object, Plan, TableEdit};
use super::names::{fip_netns, router_netns};
use super::port::{address, route};
use super::{Association, External, Forms, Pair};

/// Wires a floating IP; `first` says that it is the router's first on this node,
/// which brings the guard and the jump to `float-snat`.
pub fn associate(
    plan: &mut Plan,
    forms: &Forms,
    external: &External,
    pair: &Pair,
    association: Association,
    first: bool,
) {
    let (router, fip) = (router_netns(&pair.router), fip_netns(&external.id));
    let rfp = pair.rfp();
    let Association { floating_ip, fixed_ip, priority } = association;
    let floating = IpAddr::V4(floating_ip);
    if first {
        let mut nat = TableEdit::new(forms.backend, "nat");
        nat.append(forms.chain("POSTROUTING"), forms.guard(&rfp));
        if forms.layout != Layout::Juno {
            nat.append(forms.chain("snat"), format!("-j {}", forms.chain("float-snat")));
        }
        plan.push(&router, Action::Netfilter(nat));
    }
    let mut nat = TableEdit::new(forms.backend, "nat");
    let input = if forms.layout == Layout::Juno { String::new() } else { format!("-i {rfp} ") };
    let dnat = format!("-j DNAT --to-destination {fixed_ip}");
    nat.append(forms.chain("PREROUTING"), format!("-d {floating_ip}/32 {input}{dnat}"));
    if forms.layout == Layout::Juno {
        nat.append(forms.chain("OUTPUT"), format!("-d {floating_ip}/32 {dnat}"));
    }
    nat.append(forms.chain("float-snat"), format!("-s {fixed_ip}/32 {}", forms.snat_to(floating_ip)));
    plan.push(&router, Action::Netfilter(nat));
    if forms.layout == Layout::Juno {
        plan.push(&router, address(&rfp, IpNet::from(floating), Some(floating)));
    }
    let mut rule = Rule::lookup(Family::V4, priority.0, FIP_TABLE);
    rule.from = Some(IpNet::from(IpAddr::V4(fixed_ip)));
    plan.push(&router, Action::Add(Object::Rule(rule)));
    plan.push(&fip, route(forms, TableId::MAIN, IpNet::from(floating), pair.addresses.rfp(), &pair.fpr()));
}
