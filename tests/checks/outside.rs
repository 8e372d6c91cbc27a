//! The external attachment: DVR601 to DVR616.

use fipscope::check::{Applicability, Finding, Severity};
use fipscope::net::{Link, Observed, OvsPort, Snapshot};
use fipscope::neutron::Layout;
use fipscope::topology::scenario::{FIP, NETWORK, QROUTER, Scenario};

use super::common::{FIXTURES, calm, drop_addr, drop_link, edit, edit_link, fixture, healthy, judge, only, roots};

const FG: &str = "fg-b2b77eed-1b";

fn broken(change: impl FnOnce(&mut Snapshot)) -> Snapshot {
    let mut node = fixture("S1");
    change(&mut node);
    node
}

fn port(node: &mut Snapshot, change: impl FnOnce(&mut OvsPort)) {
    let Observed::Seen(ovs) = &mut node.host.ovs else { panic!("not read") };
    change(ovs.ports.iter_mut().find(|port| port.name == FG).unwrap());
}

fn about(finding: &Finding, key: &str) {
    assert_eq!(finding.namespace.as_ref().unwrap().as_str(), FIP);
    assert_eq!(finding.external_network.as_deref(), Some(NETWORK));
    assert_eq!(finding.object.key, key);
    assert!(finding.expected.is_some() && finding.actual.is_some() && finding.expected != finding.actual);
}

#[test]
fn healthy_nodes_are_left_in_peace() {
    for (name, node) in healthy() {
        calm(name, &node, 601..=616);
    }
    for name in FIXTURES {
        calm(name, &fixture(name), 601..=616);
        let told = judge(&fixture(name));
        assert!(told.iter().all(|one| one.code.0 / 100 != 6), "{name}: {told:#?}");
    }
    let many = Scenario::scale(Layout::Pike, 3, 2).snapshot;
    calm("many", &many, 601..=616);
}

#[test]
fn a_missing_gateway_port_is_found() {
    let node = broken(|node| drop_link(node, "fip-", "fg-"));
    let found = only(&node, 601);
    about(&found, "fg-?");
    assert_eq!(found.applicability, Applicability::DisplayOnly);
}

#[test]
fn without_floating_ips_a_missing_port_is_a_warning() {
    let mut node = fixture("S13");
    drop_link(&mut node, "fip-", "fg-");
    assert_eq!(only(&node, 601).severity, Severity::Warning);
}

#[test]
fn a_port_that_is_down_is_found() {
    let node = broken(|node| {
        edit_link(node, "fip-", "fg-", |link| link.flags &= !1);
        edit(node, "fip-", |netns| {
            let Observed::Seen(routes) = &mut netns.routes else { panic!("not read") };
            routes.retain(|route| route.dev().is_none_or(|dev| dev.as_str() != FG));
        });
    });
    let found = only(&node, 602);
    about(&found, FG);
    assert_eq!(found.applicability, Applicability::Safe);
    let mut after = node;
    after.apply(&found.mend);
    assert!(after.netns(&FIP.into()).unwrap().link(&FG.into()).unwrap().is_up());
}

#[test]
fn a_port_that_open_vswitch_cannot_use_is_found() {
    let errors: [fn(&mut OvsPort); 2] = [
        |port| port.interfaces[0].error = Some("could not open network device".to_owned()),
        |port| port.interfaces[0].ofport = Some(-1),
    ];
    for error in errors {
        about(&only(&broken(|node| port(node, error)), 602), FG);
    }
    let unplugged = broken(|node| {
        let Observed::Seen(ovs) = &mut node.host.ovs else { panic!("not read") };
        ovs.ports.retain(|port| port.name != FG);
    });
    about(&only(&unplugged, 602), FG);
}

#[test]
fn without_the_database_it_cannot_be_told() {
    let node = broken(|node| node.host.ovs = Observed::Absent);
    let told = judge(&node);
    let of = |code: u16| told.iter().filter(|one| one.code.0 == code).collect::<Vec<_>>();
    for code in [602, 604] {
        assert!(!of(code).is_empty() && of(code).iter().all(|one| one.why_unknown.is_some()), "{:#?}", of(code));
    }
    assert_eq!(roots(&node), []);
}

#[test]
fn a_second_port_is_found() {
    let node = broken(|node| {
        edit(node, "fip-", |netns| {
            let Observed::Seen(links) = &mut netns.links else { panic!("not read") };
            let first = links.iter().find(|link| link.name.as_str() == FG).unwrap().clone();
            links.push(Link { index: 99, name: "fg-00000000-aa".into(), ..first });
        });
        let Observed::Seen(ovs) = &mut node.host.ovs else { panic!("not read") };
        let mut second = ovs.port(FG).unwrap().clone();
        second.name = "fg-00000000-aa".to_owned();
        second.interfaces[0].name = "fg-00000000-aa".to_owned();
        ovs.ports.push(second);
    });
    about(&only(&node, 603), "fg-*");
}

#[test]
fn the_dead_vlan_is_found() {
    about(&only(&broken(|node| port(node, |port| port.tag = Some(4095))), 604), FG);
    about(&only(&broken(|node| port(node, |port| port.tag = None)), 604), FG);
}

#[test]
fn a_port_without_its_address_is_found() {
    let node = broken(|node| drop_addr(node, "fip-", "192.168.1.23/24"));
    let found = only(&node, 616);
    about(&found, FG);
    assert_eq!(found.expected.as_deref(), Some("an address in the subnet of 192.168.1.1"));
}

#[test]
fn a_port_with_the_wrong_prefix_is_found() {
    let node = broken(|node| {
        edit(node, "fip-", |netns| {
            let (Observed::Seen(addrs), Observed::Seen(routes)) = (&mut netns.addrs, &mut netns.routes) else {
                panic!("not read")
            };
            let own = addrs.iter_mut().find(|addr| addr.dev.as_str() == FG && addr.address.addr().is_ipv4()).unwrap();
            own.address = "192.168.1.23/32".parse().unwrap();
            routes.retain(|route| route.dst.to_string() != "192.168.1.0/24");
        });
    });
    about(&only(&node, 616), FG);
}

#[test]
fn a_floating_ip_off_the_link_is_found() {
    // The second floating IP of three moves out of the subnet.
    let text = serde_json::to_string(&fixture("S2")).unwrap().replace("192.168.1.4", "203.0.113.4");
    let node: Snapshot = serde_json::from_str(&text).unwrap();
    let found = only(&node, 613);
    assert_eq!(found.floating_ip.unwrap().to_string(), "203.0.113.4");
    assert_eq!(found.confidence.word(), "inferred");
}

#[test]
fn a_subnet_that_the_snat_namespace_knows_is_missed() {
    let text = serde_json::to_string(&fixture("S9")).unwrap().replace("192.168.1.3\"", "203.0.113.3\"");
    let text = text.replace("192.168.1.3/32", "203.0.113.3/32");
    let mut node: Snapshot = serde_json::from_str(&text).unwrap();
    node.host.neutron_version = Observed::Seen("29.0.0".to_owned());
    edit(&mut node, "snat-", |netns| {
        let Observed::Seen(routes) = &mut netns.routes else { panic!("not read") };
        let mut route = routes.iter().find(|route| route.dst.to_string() == "192.168.1.0/24").unwrap().clone();
        route.dst = "203.0.113.0/24".parse().unwrap();
        routes.push(route);
    });
    let found: Vec<_> = judge(&node).into_iter().filter(|one| one.code.0 == 507).collect();
    assert_eq!(found.len(), 1, "{:#?}", judge(&node));
    assert_eq!(found[0].object.key, format!("203.0.113.0/24 dev {FG}"));
    node.apply(&found[0].mend);
    assert!(!judge(&node).iter().any(|one| [507, 613].contains(&one.code.0)));
}

#[test]
fn a_port_that_is_down_takes_no_rule_and_no_translation_along() {
    let node = Scenario::article(Layout::Pike).link_down(FIP, FG).without_rule(QROUTER, "from 10.0.0.4 ");
    let node = node.without_nat(QROUTER, "neutron-l3-agent-PREROUTING", "192.168.1.3").snapshot;
    let found = judge(&node);
    let of = |code: u16| found.iter().filter(|one| one.code.0 == code).collect::<Vec<_>>();
    assert_eq!((of(602).len(), of(405).len()), (1, 1), "{found:#?}");
    assert_eq!(of(405)[0].because_of, None);
    let stray: Vec<_> = [301, 401, 405, 501].into_iter().flat_map(of).collect();
    assert!(stray.iter().all(|one| !one.because_of.as_ref().is_some_and(|id| id.starts_with("DVR602"))), "{stray:#?}");
}
