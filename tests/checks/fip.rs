//! Routes and ARP in the fip namespace: DVR501 to DVR513.

use std::net::IpAddr;

use fipscope::check::{Applicability, Finding, Severity};
use fipscope::net::{Addr, AddrFlags, IfName, Observed, Route, Rule, Snapshot, TableId};
use fipscope::neutron::Layout;
use fipscope::topology::scenario::{FIP, FPR, NETWORK, Scenario};

use super::common::{
    FIXTURES, calm, drop_route, drop_route_of, drop_rule, edit, edit_conf, fixture, healthy, notes, only, roots,
    set_sysctl, unknowns,
};

const FG: &str = "fg-b2b77eed-1b";
const TABLE: TableId = TableId(2_852_018_311);

/// A node of the real agent, changed.
fn broken(name: &str, change: impl FnOnce(&mut Snapshot)) -> Snapshot {
    let mut node = fixture(name);
    change(&mut node);
    node
}

fn add_route(node: &mut Snapshot, route: Route) {
    edit(node, "fip-", |netns| {
        let Observed::Seen(routes) = &mut netns.routes else { panic!("not read") };
        routes.push(route);
        netns.sort();
    });
}

fn route(table: TableId, dst: &str, via: &str, device: &str) -> Route {
    Route::unicast(table, dst.parse().unwrap(), Some(via.parse().unwrap()), &IfName::from(device))
}

/// Applying what mends it leaves nothing of the family.
fn mended(node: &Snapshot, finding: &Finding) {
    assert!(!finding.mend.is_empty(), "{finding:#?}");
    let mut after = node.clone();
    after.apply(&finding.mend);
    assert_eq!(roots(&after), [], "{:#?}", finding.mend);
}

/// What every finding of this file is about.
fn about(finding: &Finding, key: &str) {
    assert_eq!(finding.namespace.as_ref().unwrap().as_str(), FIP);
    assert_eq!(finding.external_network.as_deref(), Some(NETWORK));
    assert_eq!(finding.object.key, key);
    assert_ne!(finding.expected, finding.actual);
    assert!(!finding.message.ends_with('.'), "{}", finding.message);
}

#[test]
fn healthy_nodes_are_left_in_peace() {
    for (name, node) in healthy() {
        calm(name, &node, 501..=513);
    }
    for name in FIXTURES {
        calm(name, &fixture(name), 501..=513);
        assert!(unknowns(&fixture(name)).iter().all(|code| !(501..=513).contains(code)), "{name}");
        assert!(notes(&fixture(name)).iter().all(|code| !(501..=513).contains(code)), "{name}");
    }
}

#[test]
fn a_lost_route_is_found() {
    let node = broken("S1", |node| drop_route(node, "fip-", "192.168.1.3"));
    let found = only(&node, 501);
    about(&found, &format!("192.168.1.3/32 {FPR}"));
    assert_eq!(found.floating_ip, Some("192.168.1.3".parse::<IpAddr>().unwrap()));
    assert_eq!(found.expected.as_deref(), Some("192.168.1.3 via 169.254.88.134 dev fpr-ef25020f-0"));
    assert_eq!(found.questions[0].dst.to_string(), "192.168.1.3");
    mended(&node, &found);
}

#[test]
fn a_lost_route_is_found_in_every_layout() {
    for layout in [Layout::Juno, Layout::Newton, Layout::Pike] {
        let node = Scenario::article(layout).without_route(FIP, TableId::MAIN, "192.168.1.3/32").snapshot;
        mended(&node, &only(&node, 501));
    }
}

#[test]
fn a_route_to_another_router_is_found() {
    let node = broken("S3", |node| {
        drop_route(node, "fip-", "192.168.1.3 ");
        add_route(node, route(TableId::MAIN, "192.168.1.3/32", "169.254.112.144", "fpr-b047c241-8"));
    });
    let found = only(&node, 502);
    about(&found, &format!("192.168.1.3/32 {FPR}"));
    assert!(found.actual.as_ref().unwrap().contains("fpr-b047c241-8"));
    mended(&node, &found);
}

#[test]
fn a_route_that_nothing_stands_behind_is_found() {
    let node = broken("S1", |node| {
        add_route(node, route(TableId::MAIN, "192.168.1.77/32", "169.254.88.134", FPR));
    });
    let found = only(&node, 503);
    about(&found, &format!("192.168.1.77/32 {FPR}"));
    mended(&node, &found);
}

#[test]
fn a_lost_table_rule_is_found() {
    let node = broken("S1", |node| drop_rule(node, "fip-", "iif fpr"));
    let found = only(&node, 504);
    about(&found, &format!("iif {FPR}"));
    assert_eq!(found.expected.unwrap(), format!("{TABLE}: from all iif {FPR} lookup {TABLE}"));
    mended(&node, &only(&node, 504));
}

#[test]
fn a_rule_to_another_table_is_found() {
    let node = broken("S1", |node| {
        drop_rule(node, "fip-", "iif fpr");
        edit(node, "fip-", |netns| {
            let Observed::Seen(rules) = &mut netns.rules else { panic!("not read") };
            let rule = Rule::lookup(fipscope::net::Family::V4, 7, TableId(7));
            rules.push(Rule { iif: Some(IfName::from(FPR)), ..rule });
        });
    });
    mended(&node, &only(&node, 504));
}

#[test]
fn a_lost_default_is_found_and_mended_by_what_siblings_have() {
    let node = broken("S3", |node| drop_route_of(node, "fip-", TABLE, "default"));
    let found = only(&node, 505);
    about(&found, &format!("default table {TABLE}"));
    assert_eq!(found.expected.as_deref(), Some(format!("default via 192.168.1.1 dev {FG} table {TABLE}").as_str()));
    mended(&node, &found);
    let alone = broken("S1", |node| drop_route_of(node, "fip-", TABLE, "default"));
    let found = only(&alone, 505);
    assert_eq!((found.applicability, found.mend.len()), (Applicability::DisplayOnly, 0), "nothing tells the gateway");
}

#[test]
fn a_gateway_that_differs_from_the_snat_namespaces_is_found() {
    let node = broken("S9", |node| {
        drop_route_of(node, "fip-", TABLE, "default");
        add_route(node, route(TABLE, "0.0.0.0/0", "192.168.1.254", FG));
    });
    let found: Vec<u16> = roots(&node).into_iter().map(|(code, ..)| code).filter(|code| code / 100 == 5).collect();
    assert_eq!(found, [505]);
}

#[test]
fn two_routers_that_disagree_are_not_accused() {
    let node = broken("S3", |node| {
        drop_route_of(node, "fip-", TABLE, "default");
        add_route(node, route(TABLE, "0.0.0.0/0", "192.168.1.254", FG));
    });
    assert_eq!(roots(&node), [], "one against one says nothing");
}

#[test]
fn a_gateway_off_the_link_is_found() {
    let node = broken("S1", |node| {
        drop_route_of(node, "fip-", TABLE, "default");
        add_route(node, route(TABLE, "0.0.0.0/0", "203.0.113.1", FG));
    });
    let found = only(&node, 506);
    about(&found, &format!("203.0.113.1 dev {FG}"));
    mended(&node, &found);
}

#[test]
fn settings_that_the_agent_makes_are_missed() {
    let node = broken("S1", |node| edit_conf(node, "fip-", "fg-", |conf| conf.proxy_arp = false));
    about(&only(&node, 508), &format!("net.ipv4.conf.{FG}.proxy_arp"));
    let node = broken("S1", |node| set_sysctl(node, "fip-", "net.ipv4.ip_nonlocal_bind", 0));
    about(&only(&node, 510), "net.ipv4.ip_nonlocal_bind");
    mended(&node, &only(&node, 510));
    let node = broken("S1", |node| set_sysctl(node, "fip-", "net.ipv4.conf.all.arp_ignore", 0));
    assert!(notes(&node).contains(&511));
    assert_eq!(roots(&node), []);
}

#[test]
fn a_long_delay_warns_where_the_agent_shortens_it() {
    let delay = format!("net.ipv4.neigh.{FG}.proxy_delay");
    let new = broken("S1", |node| {
        node.host.neutron_version = Observed::Seen("29.0.0".to_owned());
        set_sysctl(node, "fip-", &delay, 80);
    });
    let found = only(&new, 509);
    about(&found, &delay);
    assert_eq!(found.severity, Severity::Warning);
    mended(&new, &found);
}

#[test]
fn a_floating_ip_that_is_an_address_is_found() {
    let node = broken("S1", |node| {
        edit(node, "fip-", |netns| {
            let Observed::Seen(addrs) = &mut netns.addrs else { panic!("not read") };
            addrs.push(Addr {
                dev: IfName::from(FG),
                address: "192.168.1.3/32".parse().unwrap(),
                peer: None,
                broadcast: None,
                scope: 0,
                flags: AddrFlags::default(),
            });
        });
    });
    let found = only(&node, 512);
    about(&found, &format!("192.168.1.3/32 dev {FG}"));
    mended(&node, &found);
}

#[test]
fn a_tenant_prefix_of_nobody_is_found() {
    let node = broken("S1", |node| {
        add_route(node, route(TableId::MAIN, "172.30.0.0/24", "169.254.88.134", FPR));
    });
    let found = only(&node, 513);
    about(&found, &format!("172.30.0.0/24 via 169.254.88.134 dev {FPR}"));
    mended(&node, &found);
}
