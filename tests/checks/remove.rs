//! A floating IP removed by plan: what associating made is gone, and nothing else.

use fipscope::check::Applicability;
use fipscope::net::{Change, Object as Thing, Observed, Snapshot};
use fipscope::neutron::Layout;
use fipscope::plan::{
    Action, AgentWill, Associate, CaseKind, Neutron, Object, Plan, Refused, Remove, associate, remove, simulate,
};
use fipscope::topology::Topology;
use fipscope::topology::scenario::Scenario;

use super::associate::{article, differences, news, todo, undone};
use super::common::fixture;

const LAYOUTS: [Layout; 3] = [Layout::Juno, Layout::Newton, Layout::Pike];

fn gone(floating: &str) -> Remove {
    Remove::new(floating.parse().unwrap())
}

fn planned(snapshot: &Snapshot, wanted: &Remove) -> Plan {
    remove(snapshot, &Topology::of(snapshot), wanted).unwrap_or_else(|why| panic!("{why}"))
}

fn refused(snapshot: &Snapshot, wanted: &Remove) -> Refused {
    remove(snapshot, &Topology::of(snapshot), wanted).map(|plan| plan.intent).unwrap_err()
}

/// Nothing new is found. A made-up node does not tell whether its agent sets
/// `arp_announce` once the last translation, which told its age, is gone (DVR511).
fn calm(before: &Snapshot, after: &Snapshot) -> bool {
    news(before, after).iter().all(|id| id.starts_with("DVR511@"))
}

#[test]
fn removing_is_associating_backwards() {
    for layout in LAYOUTS {
        let node = article(layout);
        let asked = Associate::new("192.168.1.4".parse().unwrap(), "20.0.0.6".parse().unwrap());
        let with = simulate(&associate(&node, &Topology::of(&node), &asked).unwrap(), &node);
        let plan = planned(&with, &gone("192.168.1.4"));
        let after = simulate(&plan, &with);
        assert_eq!(after.settled(), node.settled(), "{layout:?}: {:#?}", todo(&plan));
        assert_eq!(undone(&plan, &after).settled(), with.settled(), "{layout:?}");
        // What silences the node comes first.
        assert!(matches!(&plan.steps[0].action, Action::Delete(Object::Route(_))), "{:#?}", todo(&plan));
        assert_eq!(plan.applicability, Applicability::NeedsConsent);
    }
}

#[test]
fn the_last_one_leaves_what_the_agent_leaves() {
    for layout in LAYOUTS {
        let node = article(layout);
        let plan = planned(&node, &gone("192.168.1.3"));
        let after = simulate(&plan, &node);
        let topology = Topology::of(&after);
        assert!(topology.floating_ips.is_empty(), "{:#?}", topology.floating_ips);
        assert!(topology.routers[0].rtr_2_fip.is_some());
        assert!(calm(&node, &after), "{layout:?}: {:?}", news(&node, &after));
        assert_eq!(undone(&plan, &after).settled(), node.settled(), "{layout:?}");
        // And with the pair, nothing of the router is left in the fip namespace.
        let whole = planned(&node, &Remove { with_pair: true, ..gone("192.168.1.3") });
        let after = simulate(&whole, &node);
        let topology = Topology::of(&after);
        assert!(topology.routers[0].rtr_2_fip.is_none() && topology.routers[0].fip_2_rtr.is_none());
        assert!(news(&node, &after).is_empty(), "{layout:?}: {:?}", news(&node, &after));
        // A made-up device has not all that the kernel gives a new one.
        let mut left = differences(&undone(&whole, &after), &node);
        left.retain(|change| !matches!(change.object(), Some(Thing::Link(_))));
        assert!(left.is_empty(), "{layout:?}: {left:#?}");
    }
}

#[test]
fn the_real_agents_removals() {
    // S6 is S2's first two floating IPs, one of them gone; S12 is S1's gone.
    let (before, theirs) = (fixture("S1"), fixture("S12"));
    let ours = simulate(&planned(&before, &gone("192.168.1.3")), &before);
    let left: Vec<_> = differences(&ours, &theirs).into_iter().filter(|change| change.netns.is_some()).collect();
    assert!(left.is_empty(), "{left:#?}");
    assert_eq!(ours.host.priority_file.seen().map(|file| file.lines.len()), Some(0));
    assert_eq!(theirs.host.priority_file.seen().map(|file| file.lines.len()), Some(0));
    assert_eq!(ours.host.link_local_file, theirs.host.link_local_file);
}

#[test]
fn a_pair_goes_whole_and_comes_back_whole() {
    let node = fixture("S1");
    let plan = planned(&node, &Remove { with_pair: true, ..gone("192.168.1.3") });
    let after = simulate(&plan, &node);
    let router = &Topology::of(&after).routers[0];
    assert!(router.rtr_2_fip.is_none() && router.fip_2_rtr.is_none());
    assert_eq!(after.host.link_local_file.seen().map(|file| file.lines.len()), Some(0));
    let mut left = differences(&undone(&plan, &after), &node);
    // What IPv6 makes up by itself when a device is switched on is not modelled.
    let v6 = |change: &Change| match change.object() {
        Some(Thing::Addr(addr)) => addr.address.addr().is_ipv6(),
        Some(Thing::Route(route)) => route.dst.addr().is_ipv6(),
        _ => false,
    };
    left.retain(|change| !v6(change));
    assert!(left.is_empty(), "{left:#?}");
}

#[test]
fn others_keep_what_they_need() {
    let node = fixture("S2");
    let shared = Remove { with_pair: true, ..gone("192.168.1.4") };
    assert!(matches!(refused(&node, &shared), Refused::PairInUse { others, .. } if others.len() == 2));
    let after = simulate(&planned(&node, &gone("192.168.1.4")), &node);
    let left: Vec<String> =
        Topology::of(&after).floating_ips.iter().filter_map(|fip| Some(fip.floating_ip?.to_string())).collect();
    assert_eq!(left, ["192.168.1.3", "192.168.1.5"]);
    assert!(news(&node, &after).is_empty(), "{:?}", news(&node, &after));
    assert!(matches!(refused(&node, &gone("192.168.1.99")), Refused::NotFound(_)));
    assert!(matches!(refused(&node, &gone("2001:db8::1")), Refused::Ipv6(_)));
    let twice = Scenario::article(Layout::Pike).with_second_network(Layout::Pike).snapshot;
    assert!(matches!(refused(&twice, &gone("192.168.1.3")), Refused::Ambiguous { .. }));
    let one = Remove { router: Some("44015".to_owned()), ..gone("192.168.1.3") };
    let after = simulate(&planned(&twice, &one), &twice);
    assert_eq!(Topology::of(&after).floating_ips.len(), 1);
}

#[test]
fn what_neutron_says_is_told() {
    let node = fixture("S1");
    let of = |plan: &Plan| plan.agent.map(|case| case.kind);
    let by_file = planned(&node, &gone("192.168.1.3"));
    assert_eq!(of(&by_file), Some(CaseKind::StillThere), "the file still has its priority");
    let lasting = |plan: &Plan, will: AgentWill| plan.to_do().filter(|step| step.agent == Some(will)).count();
    assert!(lasting(&by_file, AgentWill::UndoAtRestart) >= 4, "{by_file:#?}");
    let said = planned(&node, &Remove { neutron: Some(Neutron::HasNot), ..gone("192.168.1.3") });
    assert_eq!(of(&said), Some(CaseKind::Dropped));
    assert_eq!(lasting(&said, AgentWill::UndoAtRestart), 0);
    let mut running = node.clone();
    running.host.agent = Observed::Unreadable("no /proc".to_owned());
    let plan = planned(&running, &gone("192.168.1.3"));
    assert!(lasting(&plan, AgentWill::UndoAtUpdate) >= 3);
    assert!(!todo(&plan).iter().any(|step| step.contains("fip-priorities")), "its files are left to it");
}
