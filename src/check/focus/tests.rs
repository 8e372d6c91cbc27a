//! What a focus takes, and what it leaves to others.

use super::*;
use crate::check::judge;
use crate::net::{Family, Netns, Observed, Route, Rule, TableId};
use crate::neutron::{Layout, NamespaceKind};
use crate::topology::scenario::{FG, Fip, RouterSpec, Scenario};

const ARTICLE: &str = "ef25020f-012c-41d6-a36e-f2f09cb8ea62";
const SECOND: &str = "b047c241-8921-5df0-baca-ff1b77f6fffe";

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn fip(floating: &str, fixed: &str) -> Fip {
    Fip { floating: floating.parse().unwrap(), fixed: fixed.parse().unwrap(), priority: 41_000 }
}

/// The article's router, another floating IP on it, and a router of the same
/// external network where the same fixed IP has the lesser floating IP.
fn overlapping() -> Scenario {
    let mut article = RouterSpec::article(Layout::Pike);
    article.fips.push(fip("192.168.1.7", "10.0.0.9"));
    let subnets = article.subnets.clone();
    let fips = vec![fip("192.168.1.2", "10.0.0.4")];
    let second = RouterSpec { subnets, fips, ..RouterSpec::second(Layout::Pike) };
    Scenario::empty().with_router(&article).with_router(&second)
}

fn topology(node: &Scenario) -> Topology {
    Topology::of(&node.snapshot)
}

fn followed(mut focus: Focus, topology: &Topology) -> Focus {
    let fip = focus.find(topology).expect("it is here");
    focus.follow(topology, fip);
    focus
}

fn found<'t>(focus: &Focus, topology: &'t Topology) -> Option<(&'t str, Option<IpAddr>)> {
    focus.find(topology).map(|fip| (fip.router.as_str(), fip.floating_ip))
}

fn qrouter(router: &str) -> String {
    NamespaceKind::Router.name(router).to_string()
}

fn change(place: &str, object: Object) -> Change {
    Change::new(Some(NetnsName::from(place)), None, Some(object))
}

fn rule(from: &str) -> Object {
    let mut rule = Rule::lookup(Family::V4, 40_000, TableId(16));
    rule.from = Some(from.parse().unwrap());
    Object::Rule(Box::new(rule))
}

fn route(dst: &str, dev: &str) -> Object {
    Object::Route(Box::new(Route::unicast(TableId::MAIN, dst.parse().unwrap(), None, &IfName::from(dev))))
}

#[test]
fn what_names_it_counts_and_what_names_another_does_not() {
    let node = overlapping();
    let topology = topology(&node);
    let focus = followed(Focus::on(address("192.168.1.3")), &topology);
    let (home, fip) = (qrouter(ARTICLE), topology.external_networks[0].namespace.to_string());
    assert!(focus.takes(&change(&home, rule("10.0.0.4/32"))));
    assert!(!focus.takes(&change(&home, rule("10.0.0.9/32"))));
    assert!(focus.takes(&change(&fip, route("192.168.1.3/32", "fpr-ef25020f-0"))));
    assert!(!focus.takes(&change(&fip, route("192.168.1.7/32", "fpr-ef25020f-0"))));
}

#[test]
fn the_chains_devices_and_namespaces_count() {
    let node = overlapping();
    let focus = followed(Focus::on(address("192.168.1.3")), &topology(&node));
    let (home, other) = (qrouter(ARTICLE), qrouter(SECOND));
    assert!(focus.takes(&change(&home, route("0.0.0.0/0", "rfp-ef25020f-0"))));
    assert!(!focus.takes(&change(&home, route("20.0.0.0/24", "qr-other"))));
    assert!(!focus.takes(&change(&other, route("0.0.0.0/0", "rfp-ef25020f-0"))));
    assert!(focus.takes(&change(&home, Object::Netns(Observed::Seen(Netns::default().into())))));
}

#[test]
fn the_same_fixed_ip_of_another_router_is_another() {
    let node = overlapping();
    let topology = topology(&node);
    let focus = followed(Focus::on(address("192.168.1.3")), &topology);
    assert_eq!(found(&focus, &topology), Some((ARTICLE, Some(address("192.168.1.3")))));
    assert!(!focus.takes(&change(&qrouter(SECOND), rule("10.0.0.4/32"))));
    let broken = |router: &str| {
        let node = node.clone().without_rule(&qrouter(router), "10.0.0.4");
        let after = self::topology(&node);
        let all = judge(&node.snapshot, &after);
        let told = focus.findings(&after, &all);
        let concerned = all.iter().any(|one| one.code.0 == 301 && focus.concerns(one));
        (told.iter().any(|one| one.code.0 == 301), concerned)
    };
    assert_eq!(broken(ARTICLE), (true, true), "what breaks it is told");
    assert_eq!(broken(SECOND), (false, false), "what breaks the other is not");
}

#[test]
fn asked_for_by_its_fixed_ip_it_is_the_one_of_the_router_asked_for() {
    let topology = topology(&overlapping());
    for (router, floating) in [(ARTICLE, "192.168.1.3"), (SECOND, "192.168.1.2")] {
        let asked = Focus::on(address("10.0.0.4")).within(Some(&router[..4]), None);
        assert_eq!(found(&asked, &topology), Some((router, Some(address(floating)))), "before it was found");
        assert_eq!(found(&followed(asked, &topology), &topology), Some((router, Some(address(floating)))));
    }
}

#[test]
fn the_same_addresses_of_another_network_are_others() {
    let node = Scenario::article(Layout::Pike).with_second_network(Layout::Pike);
    let topology = topology(&node);
    for fip in topology.fips() {
        let mut focus = Focus::on(address("192.168.1.3")).within(Some(&fip.router), None);
        focus.follow(&topology, fip);
        assert_eq!(focus.find(&topology).map(|found| &found.router), Some(&fip.router));
        for other in topology.fips() {
            let change = change(&qrouter(&other.router), rule("10.0.0.4/32"));
            assert_eq!(focus.takes(&change), other.router == fip.router, "{change}");
        }
    }
}

#[test]
fn a_floating_ip_goes_where_it_is_and_leaves_its_fixed_ip_behind() {
    let mut focus = followed(Focus::on(address("192.168.1.3")), &topology(&overlapping()));
    // Its instance has another floating IP now, and it has another instance.
    let fip = |floating: [u8; 4], fixed: [u8; 4]| Fip { floating: floating.into(), fixed: fixed.into(), priority: 1 };
    let fips = vec![fip([192, 168, 1, 1], [10, 0, 0, 4]), fip([192, 168, 1, 3], [10, 0, 0, 5])];
    let after = topology(&Scenario::empty().with_router(&RouterSpec { fips, ..RouterSpec::article(Layout::Pike) }));
    assert_eq!(found(&focus, &after), Some((ARTICLE, Some(address("192.168.1.3")))));
    focus = followed(focus, &after);
    assert!(focus.takes(&change(&qrouter(ARTICLE), rule("10.0.0.5/32"))));
    assert!(!focus.takes(&change(&qrouter(ARTICLE), rule("10.0.0.4/32"))), "that is the other's now");
    // Another router of the same network has it.
    let fips = vec![fip([192, 168, 1, 3], [30, 0, 0, 4])];
    let moved = topology(&Scenario::empty().with_router(&RouterSpec { fips, ..RouterSpec::second(Layout::Pike) }));
    assert_eq!(found(&focus, &moved), Some((SECOND, Some(address("192.168.1.3")))));
    // Nobody has it, and another still has the fixed IP.
    let fips = vec![fip([192, 168, 1, 1], [10, 0, 0, 5])];
    let gone = topology(&Scenario::empty().with_router(&RouterSpec { fips, ..RouterSpec::article(Layout::Pike) }));
    assert_eq!(found(&focus, &gone), None);
}

#[test]
fn an_address_that_another_tenant_has_again_is_no_other_here() {
    let (article, second) = (RouterSpec::article(Layout::Pike), RouterSpec::second(Layout::Pike));
    let fips = vec![fip("192.168.1.33", "10.0.0.200")];
    let second = RouterSpec { subnets: article.subnets.clone(), fips, ..second };
    let node = Scenario::empty().with_router(&article).with_router(&second);
    let focus = followed(Focus::on(address("192.168.1.3")), &topology(&node));
    let way = || {
        let via = Some(address("10.0.0.200"));
        let dev = IfName::from("qr-c2e43983-5c");
        Object::Route(Box::new(Route::unicast(TableId::MAIN, "0.0.0.0/0".parse().unwrap(), via, &dev)))
    };
    assert!(focus.takes(&change(&qrouter(ARTICLE), way())), "here it is the snat namespace's port");
    assert!(!focus.takes(&change(&qrouter(SECOND), way())));
}

#[test]
fn what_takes_the_last_of_another_away_is_the_others() {
    let mut focus = followed(Focus::on(address("192.168.1.3")), &topology(&overlapping()));
    let alone = topology(&Scenario::article(Layout::Pike));
    focus = followed(focus, &alone);
    assert!(!focus.takes(&change(&qrouter(ARTICLE), rule("10.0.0.9/32"))));
}

#[test]
fn another_router_in_the_same_fip_namespace_is_another() {
    let node = overlapping();
    let topology = topology(&node);
    let focus = followed(Focus::on(address("192.168.1.3")), &topology);
    let fip = topology.external_networks[0].namespace.to_string();
    let (own, other) = (RouterPrefix::of(ARTICLE), RouterPrefix::of(SECOND));
    let table = |name: &IfName| {
        let rules = node.snapshot.netns(&NetnsName::from(fip.as_str())).unwrap().rules();
        rules.iter().find(|rule| rule.iif.as_ref() == Some(name)).and_then(Rule::table).unwrap()
    };
    for (router, wanted) in [(own, true), (other, false)] {
        let mut rule = Rule::lookup(Family::V4, 2_852_018_311, table(&router.fpr()));
        rule.iif = Some(router.fpr());
        let way = Route::unicast(table(&router.fpr()), "0.0.0.0/0".parse().unwrap(), None, &IfName::from(FG));
        assert_eq!(focus.takes(&change(&fip, Object::Rule(Box::new(rule)))), wanted, "{router:?}");
        assert_eq!(focus.takes(&change(&fip, Object::Route(Box::new(way)))), wanted, "{router:?}");
    }
    let main = Route::unicast(TableId::MAIN, "0.0.0.0/0".parse().unwrap(), None, &IfName::from(FG));
    assert!(focus.takes(&change(&fip, Object::Route(Box::new(main)))), "that is everybody's");
    for (router, wanted) in [(ARTICLE, true), (SECOND, false)] {
        let node = node.clone().without_rule(&fip, &format!("iif {}", RouterPrefix::of(router).fpr()));
        let all = judge(&node.snapshot, &self::topology(&node));
        let of_router = |one: &&Finding| one.floating_ip.is_none() && one.router.as_deref() == Some(router);
        let told: Vec<bool> = all.iter().filter(of_router).map(|one| focus.concerns(one)).collect();
        assert!(!told.is_empty() && told.iter().all(|told| *told == wanted), "{router}: {told:?}");
    }
}

#[test]
fn a_fixed_ip_leaves_its_floating_ip_to_who_gets_it() {
    let mut focus = followed(Focus::on(address("10.0.0.4")).within(Some(ARTICLE), None), &topology(&overlapping()));
    let fips = vec![fip("192.168.1.3", "10.0.0.9"), fip("192.168.1.7", "10.0.0.4")];
    let after = topology(&Scenario::empty().with_router(&RouterSpec { fips, ..RouterSpec::article(Layout::Pike) }));
    focus = followed(focus, &after);
    let fip = after.external_networks[0].namespace.to_string();
    let way = |to: &str| change(&fip, route(to, "fpr-ef25020f-0"));
    assert!(focus.takes(&way("192.168.1.7/32")));
    assert!(!focus.takes(&way("192.168.1.3/32")), "that is the other's now");
}

#[test]
fn what_it_had_on_another_router_is_told_with_the_move_and_then_no_more() {
    let mut focus = followed(Focus::on(address("192.168.1.3")), &topology(&overlapping()));
    let mut article = RouterSpec::article(Layout::Pike);
    article.fips.clear();
    let second = RouterSpec { fips: vec![fip("192.168.1.3", "30.0.0.4")], ..RouterSpec::second(Layout::Pike) };
    let moved = topology(&Scenario::empty().with_router(&article).with_router(&second));
    let left = change(&qrouter(ARTICLE), rule("10.0.0.4/32"));
    focus = followed(focus, &moved);
    assert!(focus.takes(&left), "it went with the move");
    focus = followed(focus, &moved);
    assert!(!focus.takes(&left));
    assert!(focus.takes(&change(&qrouter(SECOND), rule("30.0.0.4/32"))));
}
