//! Faults to be put on any healthy node, as changes of its objects: what breaks
//! one floating IP, one router, or one external network.

mod site;

use fipscope::net::{
    Addr, Change, ConntrackFill, FileName, Link, Mac, Neigh, Netns, Object, Observed, OvsPort, Part, Route, Rule,
    RuleAction, RulePriority, TableId,
};
use fipscope::neutron::{DeviceKind, FIP_TABLE, Layout, table_of};
use fipscope::plan::{Action, Object as Thing};
use ipnet::IpNet;

pub(super) use site::Site;
use site::{everything, route_object, rule_object};

/// Codes that a snapshot decides and that are put on no node here, and why.
#[rustfmt::skip]
pub(super) const LEFT_OUT: &[(u16, &str)] = &[
    (103, "a note: roots are errors and warnings"),
    (104, "a note"),
    (106, "a namespace without a name is no change of an object"),
    (107, "a name that leads nowhere is about no floating IP"),
    (108, "every node here was read after its agent had been stopped"),
    (206, "it takes two routers at once"),
    (309, "it takes a node with a fast exit, of which there is none"),
    (313, "a note"),
    (406, "readings are not compared by tracked connections: no change makes one"),
    (507, "it takes a floating IP of a second external subnet"),
    (511, "a note"),
    (613, "it takes a floating IP that no subnet covers from the beginning"),
    (707, "it takes a router without floating IPs"),
    (807, "a note"),
    (903, "it takes more lines than routers"),
    (904, "a full file leaves no line to break"),
    (910, "it takes port forwarding"),
    (911, "it takes a limit of the bandwidth"),
];

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

impl Reach {
    /// Everything beneath is lost with it.
    pub(super) fn is_whole(self) -> bool {
        matches!(self, Self::WholeRouter | Self::WholeNetwork)
    }
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
    // One of several external networks' namespaces, or the only one.
    of(WholeNetwork, 101, |site| Some(site.without_netns(&site.fip))),
    // Before, nothing but a line of a file speaks of a router that is gone.
    of(WholeRouter, 102, |site| (site.layout == Layout::Pike).then(|| site.without_netns(&site.qrouter))),
    of(WholeRouter, 109, |site| {
        let is_its = |rule: &Rule| rule.iif.as_ref() == Some(&site.fpr);
        let rule = site.find(&site.fip, Netns::rules, is_its).filter(|_| site.layout == Layout::Pike)?;
        let mut all = vec![Site::change(&site.fip, Some(rule_object(rule)), None)];
        all.extend(site.without_default(&site.fip, table_of(site.pair.1)));
        all.extend(site.without_default(&site.qrouter, FIP_TABLE));
        Some(all)
    }),
    of(WholeRouter, 201, |site| Some(site.without_link(&site.qrouter, &site.rfp))),
    of(WholeRouter, 202, |site| site.moved_out(&site.fip, &site.fpr)),
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
    of(Router, 207, |site| {
        let old = site.find(&site.qrouter, Netns::addrs, |addr| addr.address == site.pair.0)?;
        let second = IpNet::new(Site::near(site.pair.0.addr()), 31).ok()?;
        Some(site.done(&site.qrouter, [Action::Add(Thing::Addr(Addr { address: second, ..old }))]))
    }),
    of(WholeRouter, 208, |site| {
        let old = site.find(&site.qrouter, Netns::neighs, |neigh| neigh.dev == site.rfp && neigh.mac.is_some())?;
        let new = Neigh { mac: Some(Mac([2, 0, 0, 0, 0, 0x99])), ..old.clone() };
        Some(vec![Site::change(&site.qrouter, Some(Object::Neigh(old)), Some(Object::Neigh(new)))])
    }),
    of(Router, 209, |site| Some(vec![site.relinked(&site.qrouter, &site.rfp, |link| link.mtu -= 100)?])),
    of(Router, 210, |site| {
        let narrow = |name, dev| site.relinked(name, dev, |link| link.mtu = 1400);
        Some(vec![narrow(&site.qrouter, &site.rfp)?, narrow(&site.fip, &site.fpr)?])
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
    of(Router, 308, |site| {
        let table = TableId(0x4d00_0001);
        let from = "77.0.0.1/24".parse().ok()?;
        let action = RuleAction::Lookup(table);
        let rule =
            Rule { priority: RulePriority(table.0), from: Some(from), action, ..site.rule(site.netns(&site.qrouter))? };
        let route = by_hand(Route::unicast(table, everything(), Some(site.beside()), &site.qr.0));
        let come = |object| Site::change(&site.qrouter, None, Some(object));
        Some(vec![come(route_object(route)), come(rule_object(rule))])
    }),
    of(FloatingIp, 310, |site| {
        let mut all = site.without_nat("PREROUTING", &format!("-d {}/32 ", site.floating))?;
        let iface = if site.layout > Layout::Juno { format!("-i {} ", site.rfp) } else { String::new() };
        let line = format!("-d {}/32 {iface}-j DNAT --to-destination {}", site.floating, site.nobody());
        all.extend(site.with_nat("PREROUTING", &line)?);
        Some(all)
    }),
    of(Router, 311, |site| Some(site.set(&site.qrouter, "net.ipv4.ip_forward", 0))),
    // A tenant's extra route takes the answers another way: it is no fault by itself.
    of(WholeRouter, 312, |site| {
        let way = Route::unicast(TableId::MAIN, "198.51.100.0/24".parse().ok()?, Some(site.beside()), &site.qr.0);
        let filter = |link: &mut Link| link.ipv4.iter_mut().for_each(|conf| conf.rp_filter = 1);
        let way = Site::change(&site.qrouter, None, Some(route_object(way)));
        Some(vec![way, site.relinked(&site.qrouter, &site.rfp, filter)?])
    }),
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
    of(Router, 407, |site| {
        let (snat, _) = site.snat.as_ref()?;
        site.turned(snat, "net.netfilter.nf_conntrack_tcp_loose", 0, 1)
    }),
    of(Router, 408, |site| site.turned(&site.qrouter, "net.netfilter.nf_conntrack_tcp_be_liberal", 1, 0)),
    of(Router, 409, |site| {
        let fill = |fill| Some(Object::Part(Box::new(Part::ConntrackFill(fill))));
        let full = Observed::Seen(ConntrackFill { count: 65_536, max: 65_536 });
        let old = site.netns(&site.qrouter).conntrack_fill.clone();
        Some(vec![Site::change(&site.qrouter, fill(old), fill(full))])
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
    of(WholeRouter, 413, |site| {
        site.with_rule("mangle", "scope", &format!("-i {} -j MARK --set-xmark 0x4010000/0xffff0000", site.qr.0))
    }),
    of(Router, 414, |site| site.without_nat("PREROUTING", "-d 169.254.169.254/32 ")),
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
    // Of several routers the others' gateways tell which one is wrong, and so does
    // the snat namespace's (505).
    of(WholeNetwork, 506, |site| {
        let netns = site.netns(&site.fip);
        let routers = netns.links().iter().filter(|link| DeviceKind::FipToRouter.is(&link.name));
        let is_alone = routers.count() == 1 && site.snat.is_none();
        let is_it = |route: &Route| route.is_default() && route.dev() == Some(&site.fg) && route.dst.addr().is_ipv4();
        let old = site.find(&site.fip, Netns::routes, is_it).filter(|_| is_alone)?;
        let beyond = "203.0.113.1".parse().ok()?;
        let new = Route { protocol: old.protocol, ..Route::unicast(old.table, everything(), Some(beyond), &site.fg) };
        Some(vec![Site::change(&site.fip, Some(route_object(old)), Some(route_object(new)))])
    }),
    of(Network, 508, |site| {
        let silent = |link: &mut Link| link.ipv4.iter_mut().for_each(|conf| conf.proxy_arp = false);
        Some(vec![site.relinked(&site.fip, &site.fg, silent)?])
    }),
    of(Network, 509, |site| {
        let key = format!("net.ipv4.neigh.{}.proxy_delay", site.fg.as_str());
        site.netns(&site.fip).sysctl(&key).filter(|delay| *delay <= 1)?;
        Some(site.set(&site.fip, &key, 80))
    }),
    of(Network, 510, |site| (site.layout > Layout::Juno).then(|| site.set(&site.fip, "net.ipv4.ip_nonlocal_bind", 0))),
    of(FloatingIp, 512, |site| Some(site.held(&site.fip, &site.fg))),
    of(Router, 513, |site| {
        let nobodys = IpNet::new(Site::near(std::net::Ipv4Addr::new(77, 0, 0, 0).into()), 24).ok()?.trunc();
        let route = by_hand(Route::unicast(TableId::MAIN, nobodys, Some(site.pair.0.addr()), &site.fpr));
        Some(vec![Site::change(&site.fip, None, Some(route_object(route)))])
    }),
    of(WholeNetwork, 601, |site| Some(site.without_link(&site.fip, &site.fg))),
    of(WholeNetwork, 602, |site| Some(site.switched(&site.fip, &site.fg, &[false]))),
    of(WholeNetwork, 603, |site| {
        let plain = site.snapshot.host.ovs.seen().is_none();
        Some(vec![site.doubled(&site.fip, &site.fg, "fg-00000000-00").filter(|_| plain)?])
    }),
    of(Network, 604, |site| {
        let old = site.snapshot.host.ovs.seen()?.port(site.fg.as_str())?.clone();
        let new = OvsPort { tag: Some(4095), ..old.clone() };
        let port = |port| Some(Object::OvsPort(Box::new(port)));
        Some(vec![Change::new(None, port(old), port(new))])
    }),
    of(WholeNetwork, 616, |site| {
        let addr = site.find(&site.fip, Netns::addrs, |addr| addr.dev == site.fg && addr.address.addr().is_ipv4())?;
        Some(site.done(&site.fip, [Action::Delete(Thing::Addr(addr))]))
    }),
    // The snat namespace is on another node, and no ARP request goes there.
    of(Router, 701, |site| {
        let way = |route: &Route| route.is_default() && route.table == table_of(site.qr.1);
        let via = site.find(&site.qrouter, Netns::routes, way).filter(|_| site.snat.is_none())?.via()?;
        let known = site.find(&site.qrouter, Netns::neighs, |neigh| neigh.address == via)?;
        Some(vec![Site::change(&site.qrouter, Some(Object::Neigh(known)), None)])
    }),
    of(FloatingIp, 703, |site| {
        let known = site.find(&site.qrouter, Netns::neighs, |neigh| neigh.address == site.fixed)?;
        let new = Neigh { dev: site.other_qr.clone()?, ..known };
        Some(vec![Site::change(&site.qrouter, None, Some(Object::Neigh(new)))])
    }),
    of(WholeRouter, 710, |site| Some(site.switched(&site.qrouter, &site.qr.0, &[false]))),
    of(Router, 803, |site| {
        let (snat, _) = site.snat.as_ref()?;
        // With VRRP, who is the primary decides what stands there.
        if site.find(snat, Netns::links, |link| DeviceKind::Ha.is(&link.name)).is_some() {
            return None;
        }
        let on_subnet = |addr: &Addr| DeviceKind::Snat.is(&addr.dev) && site.qr.1.contains(&addr.address.addr());
        let sg = site.find(snat, Netns::addrs, on_subnet)?.dev;
        Some(site.switched(snat, &sg, &[false]))
    }),
    of(FloatingIp, 804, |site| {
        let (snat, qg) = site.snat.as_ref()?;
        Some(site.held(snat, qg))
    }),
    of(Router, 805, |site| {
        let (snat, qg) = site.snat.as_ref()?;
        let is_it = |addr: &Addr| addr.dev == *qg && addr.address.prefix_len() == 32 && addr.address.addr().is_ipv4();
        let addr = site.find(snat, Netns::addrs, is_it)?;
        Some(site.done(snat, [Action::Delete(Thing::Addr(addr))]))
    }),
    // On a node that VRRP made the primary.
    of(Router, 806, |site| {
        let (snat, _) = site.snat.as_ref()?;
        site.find(snat, Netns::links, |link| DeviceKind::Ha.is(&link.name))?;
        let mut all = site.without_nat_in(snat, "PREROUTING", "-j DNAT ")?;
        all.extend(site.without_nat_in(snat, "OUTPUT", "-j DNAT ").into_iter().flatten());
        all.extend(site.without_nat_in(snat, "float-snat", "-s ")?);
        Some(all)
    }),
    of(Router, 809, |site| {
        let (snat, qg) = site.snat.as_ref()?;
        Some(vec![site.doubled(snat, qg, "qg-00000000-00")?])
    }),
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

/// As `ip route add` leaves it.
fn by_hand(route: Route) -> Route {
    Route { protocol: 3, ..route }
}
