//! Faults to be put on any healthy node, as changes of its objects: what breaks
//! one floating IP, one router, or one external network.

mod site;

use fipscope::net::{
    Addr, Change, FileName, Mac, Neigh, Netns, Object, Route, Rule, RuleAction, RulePriority, TableId,
};
use fipscope::neutron::{FIP_TABLE, Layout, table_of};
use fipscope::plan::{Action, Object as Thing};
use ipnet::IpNet;

pub(super) use site::Site;
use site::{everything, route_object, rule_object};

/// How far a fault reaches. No two faults are put on the same object, and none
/// beside one that takes its object along.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// One floating IP.
    FloatingIp,
    /// A router; its floating IPs can have faults of their own beside it.
    Router,
    /// A router, with everything that its floating IPs hang on.
    WholeRouter,
    /// An external network; routers and floating IPs can have their own beside it.
    Network,
    /// An external network, with everything that its routers hang on.
    WholeNetwork,
}

/// A fault: the code that it is to be found by, and what it changes on a node;
/// `None` where the node has no such object.
pub(super) struct Fault {
    pub(super) code: u16,
    pub(super) reach: Reach,
    pub(super) make: fn(&Site<'_>) -> Option<Vec<Change>>,
}

const fn of(reach: Reach, code: u16, make: fn(&Site<'_>) -> Option<Vec<Change>>) -> Fault {
    Fault { code, reach, make }
}

use Reach::{FloatingIp, Network, Router, WholeNetwork, WholeRouter};

/// All of them, in code order.
pub(super) static FAULTS: &[Fault] = &[
    of(WholeRouter, 203, |site| Some(site.switched(&site.qrouter, &site.rfp, &[false]))),
    of(WholeRouter, 204, |site| {
        let addr = site.find(&site.fip, Netns::addrs, |addr| addr.address == site.pair.1)?;
        Some(site.done(&site.fip, [Action::Delete(Thing::Addr(addr))]))
    }),
    of(WholeRouter, 205, |site| {
        let old = site.find(&site.qrouter, Netns::addrs, |addr| addr.address == site.pair.0)?;
        let new = Addr { address: "169.254.99.0/31".parse().ok()?, ..old.clone() };
        Some(site.done(&site.qrouter, [Action::Delete(Thing::Addr(old)), Action::Add(Thing::Addr(new))]))
    }),
    of(WholeRouter, 208, |site| {
        let old = site.find(&site.qrouter, Netns::neighs, |neigh| neigh.dev == site.rfp && neigh.mac.is_some())?;
        let new = Neigh { mac: Some(Mac([2, 0, 0, 0, 0, 0x99])), ..old.clone() };
        Some(vec![Site::change(&site.qrouter, Some(Object::Neigh(old)), Some(Object::Neigh(new)))])
    }),
    of(Router, 209, |site| {
        let old = site.find(&site.qrouter, Netns::links, |link| link.name == site.rfp)?;
        let mut new = old.clone();
        new.mtu = old.mtu - 100;
        let link = |link| Some(Object::Link(Box::new(link)));
        Some(vec![Site::change(&site.qrouter, link(old), link(new))])
    }),
    of(FloatingIp, 211, |site| (site.layout > Layout::Juno).then(|| site.held(&site.qrouter, &site.rfp))),
    of(WholeRouter, 212, |site| {
        (site.layout == Layout::Pike).then(|| site.switched(&site.qrouter, &site.rfp, &[false, true]))
    }),
    of(FloatingIp, 301, |site| Some(site.gone(&site.qrouter, |netns| site.rule(netns).map(rule_object)))),
    of(FloatingIp, 302, |site| {
        let old = site.rule(site.netns(&site.qrouter))?;
        let new = Rule { action: RuleAction::Lookup(TableId(17)), ..old.clone() };
        Some(vec![
            Site::change(&site.qrouter, Some(rule_object(old)), None),
            Site::change(&site.qrouter, None, Some(rule_object(new))),
        ])
    }),
    of(FloatingIp, 303, |site| {
        let old = site.rule(site.netns(&site.qrouter))?;
        let new = Rule { priority: RulePriority(72_000 + site.number()), ..old };
        Some(vec![Site::change(&site.qrouter, None, Some(rule_object(new)))])
    }),
    of(FloatingIp, 304, |site| {
        let table = TableId(4000 + site.number());
        let rule = Rule {
            priority: RulePriority(1000),
            action: RuleAction::Lookup(table),
            ..site.rule(site.netns(&site.qrouter))?
        };
        let route = Route::unicast(table, everything(), Some(site.beside()), &site.qr.0);
        Some(vec![
            Site::change(&site.qrouter, None, Some(Object::Route(Box::new(route)))),
            Site::change(&site.qrouter, None, Some(rule_object(rule))),
        ])
    }),
    of(Router, 305, |site| Some(site.without_default(&site.qrouter, FIP_TABLE))),
    of(Router, 306, |site| {
        let route =
            Route { protocol: 3, ..Route::unicast(TableId::MAIN, everything(), Some(site.beside()), &site.qr.0) };
        Some(vec![Site::change(&site.qrouter, None, Some(Object::Route(Box::new(route))))])
    }),
    of(Router, 307, |site| Some(site.without_default(&site.qrouter, table_of(site.qr.1)))),
    of(Router, 311, |site| Some(site.set(&site.qrouter, "net.ipv4.ip_forward", 0))),
    of(FloatingIp, 401, |site| site.without_nat("PREROUTING", &format!("-d {}/32 ", site.floating))),
    of(FloatingIp, 402, |site| site.without_nat("float-snat", &format!("-s {}/32 ", site.fixed))),
    of(FloatingIp, 403, |site| {
        let line = format!("-d {}/32 -j DNAT --to-destination {}", site.floating, site.fixed);
        (site.layout > Layout::Juno).then(|| site.with_nat("OUTPUT", &line))?
    }),
    of(Router, 404, |site| site.without_nat("POSTROUTING", "! --ctstate DNAT")),
    of(FloatingIp, 405, |site| {
        let mut all = site.gone(&site.qrouter, |netns| site.rule(netns).map(rule_object));
        all.extend(site.without_nat("float-snat", &format!("-s {}/32 ", site.fixed))?);
        Some(all)
    }),
    of(Network, 410, |site| {
        let (at, chain) = site.chain(&site.fip, "raw", |prefix| prefix.chain("PREROUTING"))?;
        Some(vec![Site::nf(&site.fip, &at, &chain.name, 0, chain.rules.first()?, false)])
    }),
    of(Router, 411, |site| {
        let (at, chain) = site.chain(&site.qrouter, "nat", |_| "PREROUTING".to_owned())?;
        Some(vec![Site::nf(&site.qrouter, &at, &chain.name, 0, chain.rules.first()?, false)])
    }),
    of(FloatingIp, 412, |site| {
        let iface = if site.layout > Layout::Juno { format!("-i {} ", site.rfp) } else { String::new() };
        let line = format!("-d {}/32 {iface}-j DNAT --to-destination {}", site.floating, site.nobody());
        site.with_nat("PREROUTING", &line)
    }),
    of(FloatingIp, 415, |site| Some(vec![site.drop_forwarded()])),
    of(FloatingIp, 501, |site| Some(site.gone(&site.fip, |netns| site.route(netns).map(route_object)))),
    of(FloatingIp, 502, |site| {
        let old = site.route(site.netns(&site.fip))?;
        let gateway = site.find(&site.fip, Netns::routes, Route::is_default)?.via()?;
        let new = Route {
            protocol: old.protocol,
            ..Route::unicast(TableId::MAIN, IpNet::from(site.floating), Some(gateway), &site.fg)
        };
        Some(vec![Site::change(&site.fip, Some(route_object(old)), Some(route_object(new)))])
    }),
    of(FloatingIp, 503, |site| {
        let old = site.route(site.netns(&site.fip))?;
        let new = Route { dst: IpNet::from(Site::near(site.floating)), ..old };
        Some(vec![Site::change(&site.fip, None, Some(route_object(new)))])
    }),
    of(Router, 504, |site| {
        let is_its = |rule: &Rule| rule.iif.as_ref() == Some(&site.fpr);
        let rule = site.find(&site.fip, Netns::rules, is_its).filter(|_| site.layout == Layout::Pike)?;
        Some(vec![Site::change(&site.fip, Some(rule_object(rule)), None)])
    }),
    of(Router, 505, |site| {
        let found = site.without_default(&site.fip, table_of(site.pair.1));
        (site.layout == Layout::Pike).then_some(found)
    }),
    of(Network, 508, |site| {
        let old = site.find(&site.fip, Netns::links, |link| link.name == site.fg)?;
        let mut new = old.clone();
        new.ipv4.as_mut()?.proxy_arp = false;
        let link = |link| Some(Object::Link(Box::new(link)));
        Some(vec![Site::change(&site.fip, link(old), link(new))])
    }),
    of(Network, 510, |site| (site.layout > Layout::Juno).then(|| site.set(&site.fip, "net.ipv4.ip_nonlocal_bind", 0))),
    of(FloatingIp, 512, |site| Some(site.held(&site.fip, &site.fg))),
    of(WholeNetwork, 602, |site| Some(site.switched(&site.fip, &site.fg, &[false]))),
    of(FloatingIp, 703, |site| {
        let known = site.find(&site.qrouter, Netns::neighs, |neigh| neigh.address == site.fixed)?;
        let new = Neigh { dev: site.other_qr.clone()?, ..known };
        Some(vec![Site::change(&site.qrouter, None, Some(Object::Neigh(new)))])
    }),
    of(WholeRouter, 710, |site| Some(site.switched(&site.qrouter, &site.qr.0, &[false]))),
    of(FloatingIp, 901, |site| {
        let file = site.snapshot.host.priority_file.seen()?;
        let own = format!("{},", site.floating);
        let (at, line) = file.lines.iter().enumerate().find(|(_, line)| line.starts_with(&own))?;
        let object = |line: String| Some(Object::FileLine(FileName::Priorities, at, line));
        let other = format!("{own}{}", 72_300 + site.number());
        Some(vec![Change::new(None, object(line.clone()), object(other))])
    }),
    of(Router, 902, |site| {
        let file = site.snapshot.host.link_local_file.seen()?;
        let (at, line) = file.lines.iter().enumerate().find(|(_, line)| line.starts_with(&site.router))?;
        Some(vec![Change::new(None, Some(Object::FileLine(FileName::LinkLocal, at, line.clone())), None)])
    }),
];
