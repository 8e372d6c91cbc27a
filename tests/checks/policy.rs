//! Policy routing: each fault is found as what it is.

use fipscope::check::{self, Confidence, Finding, Severity};
use fipscope::net::{Observed, RouteAnswer, Rule, RuleAction, Snapshot, TableId};
use fipscope::neutron::Layout;
use fipscope::topology::Topology;
use fipscope::topology::scenario::Scenario;

use super::common::{
    FIXTURES, calm, drop_route_of, drop_rule, edit, fixture, healthy, judge, only, root_findings, set_sysctl,
};

const FIP_RULE: &str = "from 10.0.0.4 lookup 16";

/// A real node with one router and one floating IP, broken.
fn broken(fault: impl FnOnce(&mut Snapshot)) -> Snapshot {
    let mut node = fixture("S1");
    fault(&mut node);
    node
}

/// The only root; it says where, whose and what.
fn found(code: u16, node: &Snapshot) -> Finding {
    let finding = only(node, code);
    assert!(finding.namespace.as_ref().unwrap().as_str().starts_with("qrouter-"), "{finding:?}");
    assert!(finding.expected.is_some() && finding.actual.is_some() && finding.router.is_some(), "{finding:?}");
    finding
}

fn of_three(finding: &Finding) {
    assert_eq!(finding.floating_ip, Some("192.168.1.3".parse().unwrap()), "{finding:?}");
    assert_eq!(finding.fixed_ip, Some("10.0.0.4".parse().unwrap()), "{finding:?}");
}

fn edit_rule(node: &mut Snapshot, words: &str, change: impl FnOnce(&mut Rule)) {
    edit(node, "qrouter-", |netns| {
        let Observed::Seen(rules) = &mut netns.rules else { panic!("not read") };
        change(rules.iter_mut().find(|rule| rule.to_string().contains(words)).unwrap());
        netns.sort();
    });
}

fn add_rule(node: &mut Snapshot, from: &str, priority: u32, table: u32) {
    edit(node, "qrouter-", |netns| {
        let Observed::Seen(rules) = &mut netns.rules else { panic!("not read") };
        let from = Some(from.parse().unwrap());
        rules.push(Rule { from, ..Rule::lookup(fipscope::net::Family::V4, priority, TableId(table)) });
        netns.sort();
    });
}

#[test]
fn healthy_nodes_are_calm() {
    for (name, node) in healthy() {
        calm(name, &node, 301..=399);
    }
    for name in FIXTURES.into_iter().filter(|name| *name != "S9") {
        calm(name, &fixture(name), 301..=399);
    }
}

#[test]
fn the_stray_rule_of_a_centralized_floating_ip_is_found() {
    let mine = |finding: &Finding| finding.code.family() == 3;
    let found: Vec<Finding> = root_findings(&fixture("S9")).into_iter().filter(mine).collect();
    let [stray] = &found[..] else { panic!("{found:#?}") };
    assert_eq!((stray.code.0, stray.severity), (303, Severity::Error));
    assert_eq!(stray.floating_ip, Some("192.168.1.9".parse().unwrap()));
    assert!(stray.message.contains("diverts 20.0.0.9"), "{stray:?}");
    // In S15 the router has no pair, and the rule leads nowhere.
    let idle: Vec<_> = judge(&fixture("S15")).into_iter().filter(mine).map(|one| (one.code.0, one.severity)).collect();
    assert_eq!(idle, [(303, Severity::Note)]);
}

#[test]
fn rule_missing_in_all_layouts() {
    let node = broken(|node| drop_rule(node, "qrouter-", FIP_RULE));
    let finding = found(301, &node);
    of_three(&finding);
    assert_eq!((finding.mend.len(), finding.questions.len()), (1, 1), "{finding:?}");
    for layout in [Layout::Juno, Layout::Newton, Layout::Pike] {
        let node = Scenario::article(layout);
        let name = fipscope::topology::scenario::QROUTER;
        of_three(&only(&node.without_rule(name, FIP_RULE).snapshot, 301));
    }
}

#[test]
fn rule_wrong_and_double() {
    let node = broken(|node| edit_rule(node, FIP_RULE, |rule| rule.action = RuleAction::Lookup(TableId(17))));
    let finding = found(302, &node);
    of_three(&finding);
    assert_eq!(finding.mend.len(), 2, "{finding:?}");
    let node = broken(|node| add_rule(node, "10.0.0.4/32", 72767, 16));
    let finding = found(303, &node);
    of_three(&finding);
    assert_eq!(finding.severity, Severity::Warning);
    let node = broken(|node| add_rule(node, "10.0.0.77/32", 72767, 16));
    let finding = found(303, &node);
    assert_eq!(finding.object.key, "72767: from 10.0.0.77 lookup 16");
}

#[test]
fn rule_shadowed() {
    let subnet = fixture("S1");
    let name = super::common::namespace(&subnet, "qrouter-");
    let rules = subnet.netns(&name).unwrap().rules();
    let redirect = rules.iter().find(|rule| rule.priority.0 == 167_772_161).unwrap().table().unwrap();
    let node = broken(|node| add_rule(node, "10.0.0.0/24", 32767, redirect.0));
    let finding = found(304, &node);
    of_three(&finding);
    assert_eq!(finding.mend.len(), 1, "{finding:?}");
}

#[test]
fn rule_shadowed_for_half_of_the_internet() {
    let other = |net: &str| {
        broken(|node| {
            add_rule(node, "0.0.0.0/0", 900, 4242);
            edit(node, "qrouter-", |netns| {
                let Observed::Seen(routes) = &mut netns.routes else { panic!("not read") };
                let near = routes.iter().find(|route| route.table == TableId(167_772_161)).unwrap().clone();
                routes.push(fipscope::net::Route { table: TableId(4242), dst: net.parse().unwrap(), ..near });
                netns.sort();
            });
        })
    };
    let finding = found(304, &other("0.0.0.0/1"));
    of_three(&finding);
    assert_eq!(finding.questions[0].dst.to_string(), "45.0.0.1");
    assert_eq!(found(304, &other("128.0.0.0/1")).questions[0].dst.to_string(), "198.51.100.7");
    // A way to one network of the lower half is its operator's own affair.
    assert!(root_findings(&other("45.0.0.0/24")).is_empty());
}

#[test]
fn what_the_engine_reckons_is_proved_by_the_kernel_alone() {
    let node = broken(|node| add_rule(node, "10.0.0.0/24", 32767, 167_772_161));
    let topology = Topology::of(&node);
    let told = |answer: Option<RouteAnswer>| {
        let mut findings = check::judge(&node, &topology);
        let asked = check::unproved(&findings);
        assert_eq!(asked.len(), 1, "{asked:#?}");
        let engine = fipscope::path::Node::of(&node, &topology).route(&asked[0]);
        let answer = answer.map_or(engine, Ok);
        check::witnessed(&node, &topology, &mut findings, &[(asked[0].clone(), answer)]);
        findings.into_iter().find(|one| one.code.0 == 304).unwrap()
    };
    assert_eq!(only(&node, 304).confidence, Confidence::Inferred);
    assert_eq!(told(None).confidence, Confidence::Proved);
    let other = told(Some(RouteAnswer::Refused(101)));
    assert!(other.is_doubt() && other.mend.is_empty(), "{other:#?}");
    assert!(other.why_unknown.unwrap().contains("the kernel decides otherwise: ip -n qrouter-"));
    // What nobody answers stays as it was.
    let mut findings = check::judge(&node, &topology);
    let asked = check::unproved(&findings).remove(0);
    check::witnessed(&node, &topology, &mut findings, &[(asked, Err("no way in".to_owned()))]);
    assert_eq!(findings, check::judge(&node, &topology));
}

#[test]
fn the_mark_of_the_packets_counts() {
    let marked = |value| {
        broken(|node| {
            edit(node, "qrouter-", |netns| {
                let Observed::Seen(rules) = &mut netns.rules else { panic!("not read") };
                let fwmark = Some(fipscope::net::FwMark { value, mask: 0xffff_0000 });
                let table = TableId(167_772_161);
                rules.push(Rule { fwmark, ..Rule::lookup(fipscope::net::Family::V4, 1000, table) });
                netns.sort();
            });
        })
    };
    // What comes in by a port of the agent's has the mark of no address scope.
    let finding = found(304, &marked(0x400_0000));
    of_three(&finding);
    assert_eq!(finding.questions[0].mark, 0x400_0000, "{finding:?}");
    assert!(root_findings(&marked(0x500_0000)).is_empty());
}

#[test]
fn without_the_file_the_fixed_ip_of_a_rule_is_reckoned() {
    let moved = |node: &mut Snapshot| {
        edit_rule(node, FIP_RULE, |rule| rule.from = Some("10.0.0.99/32".parse().unwrap()));
    };
    assert_eq!(found(310, &broken(moved)).confidence, Confidence::Proved);
    let node = broken(|node| {
        moved(node);
        node.host.priority_file = Observed::Absent;
    });
    let all = judge(&node);
    let finding = all.iter().find(|one| one.code.0 == 310).unwrap();
    assert_eq!(finding.confidence, Confidence::Inferred);
}

#[test]
fn table_16_and_main() {
    let node = broken(|node| drop_route_of(node, "qrouter-", TableId(16), "default"));
    let finding = found(305, &node);
    of_three(&finding);
    assert_eq!(finding.mend.len(), 1, "{finding:?}");
    let node = broken(|node| {
        edit(node, "qrouter-", |netns| {
            let Observed::Seen(routes) = &mut netns.routes else { panic!("not read") };
            let redirect = routes.iter().find(|route| route.table == TableId(167_772_161)).unwrap().clone();
            routes.push(fipscope::net::Route { table: TableId::MAIN, ..redirect });
            netns.sort();
        });
    });
    let finding = found(306, &node);
    of_three(&finding);
}

#[test]
fn redirects() {
    let node = broken(|node| drop_rule(node, "qrouter-", "lookup 167772161"));
    let finding = found(307, &node);
    assert_eq!(finding.mend.len(), 1, "{finding:?}");
    let node = broken(|node| drop_route_of(node, "qrouter-", TableId(167_772_161), "default"));
    found(307, &node);
    let node = broken(|node| add_rule(node, "77.0.0.1/24", 1_291_845_633, 1_291_845_633));
    assert_eq!(found(308, &node).severity, Severity::Warning);
    let node = broken(|node| add_rule(node, "77.0.0.0/24", 80000, 16));
    assert_eq!(found(309, &node).severity, Severity::Warning);
}

#[test]
fn a_rule_that_stayed_with_the_old_instance() {
    let node = broken(|node| edit_rule(node, FIP_RULE, |rule| rule.from = Some("10.0.0.99/32".parse().unwrap())));
    let finding = found(310, &node);
    of_three(&finding);
    assert_eq!(finding.mend.len(), 2, "{finding:?}");
}

#[test]
fn forwarding_off() {
    let node = broken(|node| set_sysctl(node, "qrouter-", "net.ipv4.ip_forward", 0));
    let finding = found(311, &node);
    assert_eq!((finding.object.key.as_str(), finding.mend.len()), ("net.ipv4.ip_forward", 1));
}

#[test]
fn reverse_path() {
    let node = broken(|node| {
        drop_rule(node, "qrouter-", FIP_RULE);
        set_sysctl(node, "qrouter-", "net.ipv4.conf.all.rp_filter", 1);
    });
    // A filter that refuses points at what is missing.
    let all = judge(&node);
    let refused = all.iter().find(|one| one.code.0 == 312).expect("refused");
    let cause = all.iter().find(|one| one.code.0 == 301).unwrap();
    assert_eq!(refused.because_of.as_ref(), Some(&cause.id));
    assert!(refused.object.key.ends_with(".rp_filter"), "{refused:?}");
}
