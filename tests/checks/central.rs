//! Floating IPs of a gateway port by plan: in the snat namespace and on legacy
//! routers; made, taken away, taken back, refused.

use fipscope::check::Applicability;
use fipscope::net::{Change, Mac, Object as Thing, RouteKind, Snapshot};
use fipscope::neutron::Layout;
use fipscope::plan::{
    Action, AgentWill, Associate, CaseKind, Neutron, Object, Plan, Refused, Remove, remove, simulate,
};
use fipscope::topology::scenario::{FIXED, FLOATING, QROUTER, SNAT, Scenario};
use fipscope::topology::{FipKind, Topology};

use super::associate::{differences, ip, news, planned, refused, todo, undone, wanted, whole};
use super::common::{edit, fixture, judge};

fn central(floating: &str, fixed: &str) -> Associate {
    Associate { centralized: true, ..wanted(floating, fixed) }
}

fn gone(snapshot: &Snapshot, floating: &str) -> Plan {
    remove(snapshot, &Topology::of(snapshot), &Remove::new(ip(floating))).unwrap_or_else(|why| panic!("{why}"))
}

fn snat() -> Snapshot {
    Scenario::article(Layout::Pike).with_centralized().snapshot
}

fn legacy() -> Snapshot {
    Scenario::legacy(None).snapshot
}

/// Differences, but for the broadcast routes that a made-up node has not.
fn lasting(one: &Snapshot, other: &Snapshot) -> Vec<Change> {
    let mut all = differences(one, other);
    let made_up =
        |change: &Change| matches!(change.object(), Some(Thing::Route(route)) if route.kind == RouteKind::Broadcast);
    all.retain(|change| !made_up(change));
    all
}

#[test]
fn made_and_taken_away_on_every_gateway_port() {
    let cases = [
        (snat(), central("192.168.1.10", "20.0.0.6"), SNAT, FipKind::Centralized),
        (legacy(), wanted("192.168.1.10", "20.0.0.6"), QROUTER, FipKind::Legacy),
        (Scenario::legacy(Some(true)).snapshot, wanted("192.168.1.10", "20.0.0.6"), QROUTER, FipKind::Legacy),
    ];
    for (node, asked, namespace, kind) in cases {
        let plan = planned(&node, &asked);
        assert!(plan.to_do().all(|step| step.netns.name().unwrap().as_str() == namespace), "{:#?}", todo(&plan));
        // It is answered for as soon as the address stands: that comes after what translates.
        let order: Vec<&Action> = plan.to_do().map(|step| &step.action).collect();
        let shape = matches!(
            order[..],
            [Action::Netfilter(_), Action::Add(Object::Addr(_)), Action::Forget { .. }, Action::Announce { .. }]
        );
        assert!(shape, "{:#?}", todo(&plan));
        let with = simulate(&plan, &node);
        whole(&with, "192.168.1.10");
        let fips = Topology::of(&with).floating_ips;
        assert!(fips.iter().any(|fip| fip.floating_ip == Some(ip("192.168.1.10")) && fip.kind == kind));
        assert!(news(&node, &with).is_empty(), "{:?}", news(&node, &with));
        assert_eq!(lasting(&undone(&plan, &with), &node), []);
        assert!(todo(&planned(&with, &asked)).is_empty(), "it stands already");

        let back = gone(&with, "192.168.1.10");
        // What silences the node comes first.
        assert!(matches!(&back.steps[0].action, Action::Delete(Object::Addr(_))), "{:#?}", todo(&back));
        assert_eq!(back.applicability, Applicability::NeedsConsent);
        let after = simulate(&back, &with);
        assert_eq!(lasting(&after, &node), [], "{:#?}", todo(&back));
        assert_eq!(lasting(&undone(&back, &after), &with), []);
    }
}

#[test]
fn the_real_agents_stray_rule_goes_with_its_floating_ip() {
    let node = fixture("S9");
    let stray = |node: &Snapshot| judge(node).into_iter().filter(|one| one.code.0 == 303).count();
    assert_eq!(stray(&node), 1);
    let plan = gone(&node, "192.168.1.9");
    let after = simulate(&plan, &node);
    assert_eq!((stray(&after), news(&node, &after)), (0, Vec::new()), "{:#?}", todo(&plan));
    let left = Topology::of(&after).floating_ips;
    assert!(left.iter().all(|fip| fip.floating_ip != Some(ip("192.168.1.9"))) && left.len() == 1, "{left:#?}");
    let lines = |node: &Snapshot| node.host.priority_file.seen().unwrap().lines.len();
    assert_eq!(lines(&after) + 1, lines(&node));
    assert_eq!(differences(&undone(&plan, &after), &node), []);
    // The agent's file speaks of it, so it is taken to be Neutron's.
    assert_eq!(plan.agent.map(|case| case.kind), Some(CaseKind::StillThere));
}

#[test]
fn what_nothing_tells_is_said_to_be_unknown() {
    let node = legacy();
    let by =
        |neutron| remove(&node, &Topology::of(&node), &Remove { neutron, ..Remove::new(FLOATING.into()) }).unwrap();
    let unknown = by(None);
    assert_eq!(unknown.agent, None);
    assert!(unknown.warnings.iter().any(|line| line.contains("Nothing on this node tells")), "{unknown:#?}");
    let lasting = |plan: &Plan| plan.to_do().filter(|step| step.agent == Some(AgentWill::UndoAtRestart)).count();
    assert!(unknown.steps.iter().all(|step| step.agent.is_none()), "{unknown:#?}");
    assert_eq!((lasting(&by(Some(Neutron::Has))), lasting(&by(Some(Neutron::HasNot)))), (2, 0));
    let made = planned(&node, &wanted("192.168.1.10", "20.0.0.6"));
    assert!(made.agent.is_none() && made.warnings[0].contains("Nothing on this node tells"), "{made:#?}");
    let has = planned(&node, &Associate { neutron: Some(Neutron::Has), ..wanted("192.168.1.10", "20.0.0.6") });
    assert_eq!(has.agent.map(|case| case.kind), Some(CaseKind::Missed));
    let has_not = planned(&node, &Associate { neutron: Some(Neutron::HasNot), ..wanted("192.168.1.10", "20.0.0.6") });
    assert_eq!(has_not.agent.map(|case| case.kind), Some(CaseKind::Foreign));
    let sentence = has_not.case().unwrap();
    assert!(sentence.contains("takes all of it away again (as said)") && !sentence.contains("rule"), "{sentence}");
    assert_eq!((lasting(&has), lasting(&has_not)), (0, 2));
    let ha = planned(&Scenario::legacy(Some(true)).snapshot, &wanted("192.168.1.10", "20.0.0.6"));
    assert!(ha.warnings.iter().any(|line| line.contains("keepalived")), "{ha:#?}");
}

#[test]
fn who_has_an_address_keeps_it() {
    let node = snat();
    let of = |floating: &str, fixed: &str| refused(&node, &central(floating, fixed));
    // The one is distributed, the other centralized.
    assert!(matches!(of("192.168.1.3", "20.0.0.6"), Refused::FloatingIpInUse { .. }));
    assert!(matches!(of("192.168.1.9", "20.0.0.6"), Refused::FloatingIpInUse { .. }));
    assert!(matches!(of("192.168.1.10", "10.0.0.4"), Refused::FixedIpInUse { .. }));
    assert!(matches!(refused(&node, &wanted("192.168.1.9", "20.0.0.9")), Refused::FloatingIpInUse { .. }));
    assert!(matches!(of("192.168.7.9", "20.0.0.6"), Refused::Outside { .. }));
    for taken in ["192.168.1.0", "192.168.1.1", "192.168.1.22", "192.168.1.255"] {
        assert!(matches!(of(taken, "20.0.0.6"), Refused::Taken { .. }), "{taken}");
    }
    for taken in ["20.0.0.0", "20.0.0.1"] {
        assert!(matches!(of("192.168.1.10", taken), Refused::Taken { .. }), "{taken}");
    }
    let answered = Associate { answered_by: vec![Mac([2; 6])], ..central("192.168.1.10", "20.0.0.6") };
    assert!(matches!(refused(&node, &answered), Refused::Answered { .. }));
    // Without a snat namespace here, and on the node that does not act.
    let compute = Scenario::article(Layout::Pike).snapshot;
    assert!(matches!(refused(&compute, &central("192.168.1.10", "20.0.0.6")), Refused::NotDistributed(_)));
    let backup = Scenario::legacy(Some(false)).snapshot;
    let asked = Associate { router: Some("ef25".to_owned()), ..wanted("192.168.1.10", "20.0.0.6") };
    assert!(matches!(refused(&backup, &asked), Refused::NotDistributed(_)));
    let blind = Scenario::article(Layout::Pike).with_centralized().unreadable(SNAT).snapshot;
    let asked = Associate { router: Some("ef25".to_owned()), ..central("192.168.1.10", "20.0.0.6") };
    let why = refused(&blind, &asked);
    assert!(matches!(why, Refused::Unreadable { .. } | Refused::NotDistributed(_)), "{why}");
    let pair = Remove { with_pair: true, ..Remove::new(ip("192.168.1.9")) };
    let why = remove(&node, &Topology::of(&node), &pair).map(|plan| plan.intent).unwrap_err();
    assert!(matches!(why, Refused::NotDistributed(_)) && why.to_string().contains("without a pair"), "{why}");
}

#[test]
fn what_is_half_there_is_removed_whole() {
    let mut node = legacy();
    edit(&mut node, QROUTER, |netns| {
        let fixed = fipscope::net::Observed::Seen(
            netns.addrs().iter().filter(|addr| addr.address.addr() != FLOATING).cloned().collect(),
        );
        netns.addrs = fixed;
    });
    let after = simulate(&gone(&node, "192.168.1.3"), &node);
    let left = Topology::of(&after).floating_ips;
    assert!(left.iter().all(|fip| fip.fixed_ip != Some(FIXED.into())), "{left:#?}");
}
