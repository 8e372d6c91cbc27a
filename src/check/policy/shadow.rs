//! What is asked before a floating IP's rule, and answers.

use std::net::{IpAddr, Ipv4Addr};

use ipnet::IpNet;

use super::rule::{object, question};
use crate::check::view::{View, each};
use crate::check::{Findings, Scene, Subject};
use crate::net::{Change, Object, Route, RouteAnswer, RouteQuestion, Rule, TableId};
use crate::neutron::{FIP_PRIORITIES, FIP_TABLE, is_fip_priority};
use crate::topology::{FloatingIp, ObjectKind, ObjectRef};

/// An address that lies outside of everything here (RFC 5737).
pub(super) const OUTSIDE: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 7);
/// One in the lower half of the address space, for a route 0.0.0.0/1; any would do.
const LOWER: Ipv4Addr = Ipv4Addr::new(45, 0, 0, 1);

/// DVR304: the floating IP's rule stands, and the lookup comes to another's table.
pub(super) fn by_rule(scene: &Scene<'_>, findings: &mut Findings) {
    each(scene, findings, |view, findings| {
        // Without a rule that could come first, one lookup tells of all of them.
        let rivals = has_rivals(view);
        let concerned = if rivals { ruled(view).collect() } else { Vec::from_iter(first_ruled(view)) };
        for (fip, fixed, rule) in concerned {
            let asked = question(scene, view, fixed);
            if asked.iif.is_none() {
                continue;
            }
            let lower = rivals.then(|| RouteQuestion { dst: LOWER.into(), ..asked.clone() });
            let mut answers = std::iter::once(asked).chain(lower).map(|asked| (scene.route(&asked), asked));
            let diverted = answers.find_map(|(answer, asked)| match answer {
                Ok(answer) => Some(Ok((culprit_of(view, &asked, rule, &answer)?, answer, asked))),
                Err(why) => Some(Err(why)),
            });
            let (culprit, answer, asked) = match diverted {
                None => continue,
                Some(Ok(diverted)) => diverted,
                Some(Err(why)) => {
                    findings.cannot_tell(&Subject::floating_ip(fip), Some(view.qrouter), object(fixed), why);
                    continue;
                }
            };
            let message =
                format!("{fixed} is sent away by \"{culprit}\" before its own rule {} is asked", rule.priority);
            let finding = findings.fire(&Subject::floating_ip(fip), Some(view.qrouter), object(fixed), message);
            finding.values(format!("via table 16 by \"{rule}\""), answer.to_string()).inferred().question(asked);
            let gone = Some(Object::Rule(Box::new(culprit.clone())));
            finding.mend([Change::new(Some(view.qrouter.clone()), gone, None)]);
            finding.applicability(crate::check::Applicability::NeedsConsent);
        }
    });
}

/// The rule that took the packet away, where its lookup did not come to table 16.
/// Of the lower half of the address space only a route for all of it tells: one to
/// some network there is somebody's own affair.
fn culprit_of<'s>(view: &View<'s>, asked: &RouteQuestion, own: &Rule, answer: &RouteAnswer) -> Option<&'s Rule> {
    let table = match answer {
        RouteAnswer::Found(found) if found.table == FIP_TABLE => return None,
        RouteAnswer::Found(found) => Some(found.table),
        RouteAnswer::Refused(_) => None,
    };
    let culprit = culprit(view, asked, own, table)?;
    let is_half =
        |route: &Route| Some(route.table) == table && route.dst.prefix_len() <= 1 && route.dst.contains(&asked.dst);
    let is_wide = culprit.to.is_none_or(|net| net.prefix_len() <= 1) && view.netns.routes().iter().any(is_half);
    (asked.dst != IpAddr::V4(LOWER) || is_wide).then_some(culprit)
}

/// DVR306: a default route, half of one, or a prefix that covers the external
/// network, in main; a route towards a tenant's own appliance is its own affair.
pub(super) fn by_main(scene: &Scene<'_>, findings: &mut Findings) {
    each(scene, findings, |view, findings| {
        let Some((fip, fixed, _)) = first_ruled(view) else { return };
        let outer: Vec<IpNet> =
            view.router.external_network.as_deref().and_then(|id| scene.network(id)).map_or_else(Vec::new, |network| {
                let nets = network.gateway_port.iter().flat_map(|port| port.addresses.iter().map(IpNet::trunc));
                nets.chain(network.gateways.iter().map(|gateway| IpNet::from(*gateway))).collect()
            });
        let suspects = view.netns.routes().iter().filter(|route| covers(route, &outer));
        for route in suspects {
            let dst = probe(route, &outer);
            let asked = RouteQuestion { dst, ..question(scene, view, fixed) };
            if asked.iif.is_none() {
                continue;
            }
            let answer = match scene.route(&asked) {
                Ok(answer) => answer,
                Err(why) => {
                    let object = ObjectRef { kind: ObjectKind::Route, key: route.brief() };
                    findings.cannot_tell(&view.subject(), Some(view.qrouter), object, why);
                    continue;
                }
            };
            if matches!(&answer, RouteAnswer::Found(found) if found.table != TableId::MAIN) {
                continue;
            }
            let message = format!("\"{}\" in main is found before the rule of {fixed} is asked", route.brief());
            let object = ObjectRef { kind: ObjectKind::Route, key: route.brief() };
            let finding = findings.fire(&Subject::floating_ip(fip), Some(view.qrouter), object, message);
            finding.values("no such route in main", route.to_string()).inferred().question(asked);
            let gone = Some(Object::Route(Box::new(route.clone())));
            finding.mend([Change::new(Some(view.qrouter.clone()), gone, None)]);
            // Neutron's router routes put it there, or a person did.
            finding.applicability(crate::check::Applicability::NeedsConsent);
        }
    });
}

/// Distributed floating IPs whose rule stands.
fn ruled<'s>(view: &View<'s>) -> impl Iterator<Item = (&'s FloatingIp, IpAddr, &'s Rule)> {
    let rules: std::collections::HashMap<IpNet, &Rule> = view
        .rules()
        .filter(|rule| rule.table() == Some(FIP_TABLE) && rule.is_by_source_alone() && is_fip_priority(rule.priority))
        .filter_map(|rule| Some((rule.from?, rule)))
        .collect();
    view.distributed().filter_map(move |fip| {
        let fixed = fip.fixed_ip?;
        Some((fip, fixed, *rules.get(&IpNet::from(fixed))?))
    })
}

/// The first of them, without an index.
fn first_ruled<'s>(view: &View<'s>) -> Option<(&'s FloatingIp, IpAddr, &'s Rule)> {
    view.distributed().find_map(|fip| {
        let fixed = fip.fixed_ip?;
        let own = Some(IpNet::from(fixed));
        let mut rules = view.rules().filter(|rule| rule.from == own && rule.table() == Some(FIP_TABLE));
        Some((fip, fixed, rules.find(|rule| rule.is_by_source_alone() && is_fip_priority(rule.priority))?))
    })
}

/// Whether rules stand that could be asked before a floating IP's, and are none of
/// those that every router has.
fn has_rivals(view: &View<'_>) -> bool {
    let is_ordinary = |rule: &Rule| {
        let known = [TableId::LOCAL, TableId::MAIN, TableId::DEFAULT, FIP_TABLE];
        rule.table().is_some_and(|table| known.contains(&table)) && rule.others.is_empty() && !rule.invert
    };
    let mut early = view.rules().filter(|rule| rule.priority.0 <= *FIP_PRIORITIES.end());
    early.any(|rule| !is_ordinary(rule))
}

/// The rule before `own` that decides: the first that selects the instance's
/// packets and asks the table that the lookup came to, or refuses.
fn culprit<'s>(view: &View<'s>, asked: &RouteQuestion, own: &Rule, table: Option<TableId>) -> Option<&'s Rule> {
    let ordinary = [TableId::LOCAL, TableId::MAIN, TableId::DEFAULT];
    let before = view.rules().take_while(|rule| rule.priority < own.priority || *rule != own);
    let selects = |rule: &&Rule| {
        let source = rule.from.is_none_or(|net| asked.src.is_some_and(|src| net.contains(&src)));
        let marked = rule.fwmark.is_none_or(|wanted| asked.mark & wanted.mask == wanted.value);
        let device = rule.iif.is_none() || rule.iif == asked.iif;
        rule.invert || (source && marked && device && rule.to.is_none_or(|net| net.contains(&asked.dst)))
    };
    let decides = |rule: &&Rule| match rule.table() {
        Some(asked) => !ordinary.contains(&asked) && asked != FIP_TABLE && table.is_none_or(|table| table == asked),
        None => table.is_none(),
    };
    let mut before = before.filter(|rule| rule.priority <= own.priority);
    before.find(|rule| selects(rule) && decides(rule))
}

/// An IPv4 route in main, not a connected one, that takes the outside away.
fn covers(route: &Route, outer: &[IpNet]) -> bool {
    let made = route.protocol == 2 && route.via().is_none();
    route.table == TableId::MAIN
        && route.dst.addr().is_ipv4()
        && !made
        && (route.dst.prefix_len() <= 1 || outer.iter().any(|net| route.dst.contains(net)))
}

/// An address that the route would take.
fn probe(route: &Route, outer: &[IpNet]) -> IpAddr {
    let candidates = [IpAddr::V4(OUTSIDE), IpAddr::V4(LOWER)];
    let inside = outer.iter().map(IpNet::addr).find(|address| route.dst.contains(address));
    if route.dst.prefix_len() > 1 {
        return inside.unwrap_or(route.dst.addr());
    }
    candidates.into_iter().find(|address| route.dst.contains(address)).unwrap_or(IpAddr::V4(OUTSIDE))
}
