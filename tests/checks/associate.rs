//! A floating IP associated by plan: the simulated node has it, whole, and
//! nothing else is found there; taking the plan back leaves the node as it was.

use std::net::IpAddr;

use fipscope::check::{Applicability, Severity};
use fipscope::net::{Agent, Change, FileName, Object as Thing, Observed, Snapshot, changes};
use fipscope::neutron::Layout;
use fipscope::plan::{
    Action, AgentWill, Associate, CaseKind, GatewayPort, Neutron, Object, Plan, Refused, Told, Undo, associate,
    simulate,
};
use fipscope::topology::scenario::{FIP, NETWORK, Scenario};
use fipscope::topology::{FipState, Topology};

use super::common::{drop_route, drop_rule, edit, fixture, judge};

const LAYOUTS: [Layout; 3] = [Layout::Juno, Layout::Newton, Layout::Pike];

pub(super) fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

pub(super) fn wanted(floating: &str, fixed: &str) -> Associate {
    Associate::new(ip(floating), ip(fixed))
}

pub(super) fn planned(snapshot: &Snapshot, wanted: &Associate) -> Plan {
    associate(snapshot, &Topology::of(snapshot), wanted).unwrap_or_else(|why| panic!("{why}"))
}

pub(super) fn refused(snapshot: &Snapshot, wanted: &Associate) -> Refused {
    associate(snapshot, &Topology::of(snapshot), wanted).map(|plan| plan.intent).unwrap_err()
}

/// The article's node, its agent's files in their place.
pub(super) fn article(layout: Layout) -> Snapshot {
    let mut node = Scenario::article(layout).snapshot;
    node.host.state_path = Some("/var/lib/neutron".into());
    node
}

/// Differences in more than the order of translations, which counts for nothing
/// where no two of them fit the same packet.
pub(super) fn differences(one: &Snapshot, other: &Snapshot) -> Vec<Change> {
    let all = changes(&one.normalised(), &other.normalised());
    let rule = |thing: &Option<Thing>| match thing {
        Some(Thing::NfRule(at, rule)) => Some((at.at.clone(), at.chain.clone(), rule.body.clone())),
        _ => None,
    };
    let moved = |change: &Change| {
        let (before, after) = (rule(&change.before), rule(&change.after));
        let same = |other: &Change| {
            before.is_some() && rule(&other.after) == before || after.is_some() && rule(&other.before) == after
        };
        all.iter().any(same)
    };
    all.iter().filter(|change| !moved(change)).cloned().collect()
}

/// The plan taken back, step by step, the last one first.
pub(super) fn undone(plan: &Plan, after: &Snapshot) -> Snapshot {
    let mut back = Plan::new("back");
    for step in plan.to_do().collect::<Vec<_>>().into_iter().rev() {
        if let Undo::Action(action) = &step.undo {
            back.push(&step.netns, action.clone());
        }
    }
    simulate(&back, after)
}

pub(super) fn todo(plan: &Plan) -> Vec<String> {
    plan.to_do().map(|step| format!("{}: {}", step.netns, step.description)).collect()
}

/// What is found on a node, notes apart, and was not found on another.
pub(super) fn news(before: &Snapshot, after: &Snapshot) -> Vec<String> {
    let known: Vec<String> = judge(before).into_iter().map(|one| one.id).collect();
    let worse = judge(after).into_iter().filter(|one| one.severity != Severity::Note || one.why_unknown.is_some());
    worse.map(|one| one.id).filter(|id| !known.contains(id)).collect()
}

pub(super) fn whole(snapshot: &Snapshot, floating: &str) {
    let topology = Topology::of(snapshot);
    let fip = topology.floating_ips.iter().find(|fip| fip.floating_ip == Some(ip(floating))).expect("not there");
    let links: Vec<_> = fip.outbound.iter().chain(&fip.inbound).map(|link| (link.link.word(), link.state)).collect();
    assert_eq!(fip.state, FipState::Ok, "{links:?}");
}

/// An agent gateway port on a bridge that the host has.
fn port(bridge: &str) -> GatewayPort {
    GatewayPort {
        port_id: "b2b77eed-1b00-4000-8000-000000000000".to_owned(),
        address: "192.168.1.23/24".parse().unwrap(),
        mac: "fa:16:3e:cc:98:c8".parse().unwrap(),
        gateway: ip("192.168.1.1"),
        bridge: bridge.into(),
        vlan: None,
        mtu: Some(1450),
    }
}

/// The real agent's node before it had a floating IP, a fip namespace or a pair.
fn bare() -> Snapshot {
    let mut node = fixture("S11");
    node.host.state_path = Some("/var/lib/neutron".into());
    node
}

#[test]
fn a_second_floating_ip_in_every_layout() {
    for layout in LAYOUTS {
        let node = article(layout);
        let plan = planned(&node, &wanted("192.168.1.4", "20.0.0.6"));
        let after = simulate(&plan, &node);
        whole(&after, "192.168.1.4");
        whole(&after, "192.168.1.3");
        // Only the server knows the new instance's hardware address.
        let found = news(&node, &after);
        assert!(found.iter().all(|id| id.starts_with("DVR7")), "{layout:?}: {found:?}");
        assert_eq!(undone(&plan, &after).settled(), node.settled(), "{layout:?}");
        assert!(matches!(plan.to_do().last().unwrap().action, Action::Announce { .. }));
        assert!(plan.steps.iter().zip(1..).all(|(step, number)| step.id == number));
        assert!(
            todo(&plan).iter().all(|step| !step.contains("namespace") && !step.contains("veth")),
            "{:#?}",
            todo(&plan)
        );
    }
}

#[test]
fn what_stands_already_is_not_done_again() {
    for layout in LAYOUTS {
        let node = Scenario::article(layout).snapshot;
        let plan = planned(&node, &wanted("192.168.1.3", "10.0.0.4"));
        assert!(plan.steps.len() > 5 && todo(&plan).is_empty(), "{layout:?}: {:#?}", todo(&plan));
        // Of a half one only the missing half is made.
        let mut half = node.clone();
        drop_rule(&mut half, "qrouter-", "from 10.0.0.4 ");
        drop_route(&mut half, "fip-", "192.168.1.3 ");
        let plan = planned(&half, &wanted("192.168.1.3", "10.0.0.4"));
        let words = todo(&plan);
        assert!(words[0].contains("Add the rule") && words[0].contains("from 10.0.0.4 lookup 16"), "{words:#?}");
        assert!(words[1].contains("Add the route 192.168.1.3"), "{words:#?}");
        assert!(words.len() == 4 && words[2].contains("Forget") && words[3].contains("Announce"), "{words:#?}");
        assert_eq!(simulate(&plan, &half).settled(), node.settled());
    }
}

#[test]
fn from_nothing_in_every_layout_and_both_attachments() {
    for layout in LAYOUTS {
        for bridge in ["br-int", "br-ex"] {
            let mut node = bare();
            if let (Some(host), "br-ex") = (node.host.netns.make_mut(), bridge) {
                let Observed::Seen(links) = &mut host.links else { panic!("not read") };
                let mut link = links[0].clone();
                (link.index, link.name, link.kind) = (99, bridge.into(), Some("bridge".to_owned()));
                links.push(link);
            }
            let mut asked = wanted("192.168.1.3", "10.0.0.4");
            asked.gateway_port = Some(GatewayPort { vlan: Some(7), ..port(bridge) });
            asked.external_network = Some(NETWORK.to_owned());
            asked.layout = Some(layout);
            let plan = planned(&node, &asked);
            let after = simulate(&plan, &node);
            whole(&after, "192.168.1.3");
            let found = news(&node, &after);
            assert!(found.is_empty(), "{layout:?}: {found:#?}\n{:#?}", todo(&plan));
            let router = &Topology::of(&after).routers[0];
            assert_eq!(router.layout, Some(layout));
            let back = undone(&plan, &after);
            let mut left: Vec<Change> = differences(&node, &back);
            // A file that was not there stays, empty.
            left.retain(|change| !matches!(&change.after, Some(Thing::Part(_))));
            assert!(left.is_empty(), "{layout:?} {bridge}: {left:#?}");
            let first = plan.to_do().next().unwrap();
            assert_eq!(first.action, Action::Add(Object::Netns(FIP.into())));
            assert_eq!(first.agent, Some(AgentWill::UndoAtRestart));
        }
    }
}

#[test]
fn the_real_agents_second_and_third_floating_ip() {
    let (before, theirs) = (fixture("S1"), fixture("S2"));
    let mut ours = before.clone();
    for (floating, fixed) in [("192.168.1.4", "10.0.0.5"), ("192.168.1.5", "10.0.0.6")] {
        let plan = planned(&ours, &wanted(floating, fixed));
        ours = simulate(&plan, &ours);
    }
    // The two nodes were built apart: what the agent and the kernel choose by
    // chance differs, on what both had before, too.
    let mut left = differences(&ours, &theirs);
    let chance = |thing: &Option<Thing>| match thing {
        Some(Thing::Rule(rule)) => rule.from.is_some_and(|net| net.prefix_len() == 32),
        Some(Thing::FileLine(FileName::Priorities, ..)) => true,
        _ => false,
    };
    left.retain(|change| !chance(&change.before) && !chance(&change.after));
    left.retain(|change| {
        change.netns.is_some() || !matches!(change.object(), Some(Thing::Link(_) | Thing::Addr(_) | Thing::Route(_)))
    });
    assert!(left.is_empty(), "{left:#?}");
    let sources = |node: &Snapshot| {
        let netns = node.netns(&super::common::namespace(node, "qrouter-")).unwrap();
        let rules = netns.rules().iter().filter(|rule| rule.table() == Some(fipscope::net::TableId(16)));
        let mut all: Vec<String> = rules.map(fipscope::net::Rule::selector).collect();
        all.sort();
        all
    };
    assert_eq!(sources(&ours), sources(&theirs));
    let lines = |node: &Snapshot| node.host.priority_file.seen().unwrap().lines.len();
    assert_eq!(lines(&ours), lines(&theirs));
}

#[test]
fn the_real_agents_first_floating_ip() {
    let (before, theirs) = (fixture("S10"), fixture("S1"));
    let mut before = before;
    before.host.priority_file = theirs.host.priority_file.clone();
    let plan = planned(&before, &wanted("192.168.1.3", "10.0.0.4"));
    assert_eq!(plan.agent.map(|case| (case.kind, case.told)), Some((CaseKind::Missed, Told::Files)));
    let left: Vec<Change> =
        differences(&simulate(&plan, &before), &theirs).into_iter().filter(|change| change.netns.is_some()).collect();
    // The priority is the file's, so not even that differs.
    assert!(left.is_empty(), "{left:#?}");
}

#[test]
fn who_has_an_address_keeps_it() {
    let node = Scenario::article(Layout::Pike).with_second_router(Layout::Pike).snapshot;
    let in_use = |floating: &str, fixed: &str| refused(&node, &wanted(floating, fixed));
    assert!(matches!(in_use("192.168.1.3", "20.0.0.6"), Refused::FloatingIpInUse { .. }));
    assert!(matches!(in_use("192.168.1.33", "10.0.0.5"), Refused::FloatingIpInUse { .. }));
    assert!(matches!(in_use("192.168.1.9", "10.0.0.4"), Refused::FixedIpInUse { .. }));
    assert!(matches!(in_use("192.168.2.9", "10.0.0.5"), Refused::Outside { .. }));
    assert!(matches!(in_use("192.168.1.9", "10.0.9.5"), Refused::NoRouter(_)));
    for taken in ["192.168.1.0", "192.168.1.255", "192.168.1.1", "192.168.1.23"] {
        assert!(matches!(in_use(taken, "10.0.0.5"), Refused::Taken { .. }), "{taken}");
    }
    for taken in ["10.0.0.0", "10.0.0.1", "10.0.0.255"] {
        assert!(matches!(in_use("192.168.1.9", taken), Refused::Taken { .. }), "{taken}");
    }
    assert!(matches!(in_use("2001:db8::1", "10.0.0.5"), Refused::Ipv6(_)));
    assert!(matches!(in_use("192.168.1.9", "2001:db8::1"), Refused::Ipv6(_)));
    let mut asked = wanted("192.168.1.9", "10.0.0.5");
    asked.answered_by = vec!["fa:16:3e:00:00:01".parse().unwrap()];
    assert!(matches!(refused(&node, &asked), Refused::Answered { .. }));
    for (router, ok) in [("ef25", true), ("b047", false), ("0000", false)] {
        let asked = Associate { router: Some(router.to_owned()), ..wanted("192.168.1.9", "10.0.0.5") };
        assert_eq!(associate(&node, &Topology::of(&node), &asked).is_ok(), ok, "{router}");
    }
    let asked = Associate { layout: Some(Layout::Juno), ..wanted("192.168.1.9", "10.0.0.5") };
    assert!(matches!(refused(&node, &asked), Refused::Layout { .. }));
}

#[test]
fn the_same_subnet_on_two_routers_is_ambiguous() {
    let node = Scenario::article(Layout::Pike).with_second_network(Layout::Pike).snapshot;
    assert!(matches!(refused(&node, &wanted("192.168.1.9", "10.0.0.5")), Refused::Ambiguous { .. }));
    let asked = Associate { router: Some("44015de0".to_owned()), ..wanted("192.168.1.9", "10.0.0.5") };
    let after = simulate(&planned(&node, &asked), &node);
    assert_eq!(Topology::of(&after).floating_ips.iter().filter(|fip| fip.router.starts_with("44015")).count(), 2);
}

#[test]
fn what_was_not_read_is_not_changed() {
    for namespace in ["qrouter-", "fip-"] {
        let name = super::common::namespace(&Scenario::article(Layout::Pike).snapshot, namespace);
        let blind = Scenario::article(Layout::Pike).unreadable(name.as_str()).snapshot;
        let asked = Associate {
            router: Some("ef25".to_owned()),
            external_network: Some(NETWORK.to_owned()),
            ..wanted("192.168.1.4", "20.0.0.6")
        };
        assert!(matches!(refused(&blind, &asked), Refused::Unreadable { .. }), "{namespace}");
        let mut blind = Scenario::article(Layout::Pike).snapshot;
        edit(&mut blind, namespace, |netns| netns.neighs = Observed::Unreadable("no".to_owned()));
        assert!(matches!(refused(&blind, &asked), Refused::Unreadable { .. }), "{namespace}");
    }
    let riddle = Scenario::article(Layout::Pike)
        .with_riddle(&format!("qrouter-{}", fipscope::topology::scenario::ROUTER), "PREROUTING");
    assert!(matches!(refused(&riddle.snapshot, &wanted("192.168.1.4", "20.0.0.6")), Refused::Unreadable { .. }));
    let mut blind = Scenario::article(Layout::Pike).snapshot;
    blind.host.priority_file = Observed::Unreadable("no".to_owned());
    assert!(matches!(refused(&blind, &wanted("192.168.1.4", "20.0.0.6")), Refused::Unreadable { .. }));
}

#[test]
fn a_running_agent_is_told_of_and_its_files_are_left() {
    let mut node = article(Layout::Pike);
    let asked = wanted("192.168.1.4", "20.0.0.6");
    let alone = planned(&node, &asked);
    node.host.agent = Observed::Seen(Agent { pid: 7, ..Agent::default() });
    let beside = planned(&node, &asked);
    let lines = |plan: &Plan| {
        plan.steps.iter().filter(|step| matches!(step.action, Action::Add(Object::FileLine { .. }))).count()
    };
    assert_eq!((lines(&alone), lines(&beside)), (2, 0));
    assert_eq!((alone.applicability, beside.applicability), (Applicability::Safe, Applicability::NeedsConsent));
    assert!(beside.warnings.iter().any(|text| text.contains("in memory")), "{:#?}", beside.warnings);
    let will = |plan: &Plan, word: &str| plan.to_do().find(|step| step.description.contains(word)).unwrap().agent;
    assert_eq!(beside.agent.map(|case| case.kind), Some(CaseKind::Foreign));
    assert_eq!(will(&beside, "route 192.168.1.4"), Some(AgentWill::UndoAtUpdate));
    assert_eq!(will(&beside, "from 20.0.0.6 lookup"), Some(AgentWill::Keep));
    assert_eq!(will(&beside, "table nat"), Some(AgentWill::UndoAtUpdate));
    assert_eq!(will(&alone, "table nat"), Some(AgentWill::UndoAtRestart), "one that does not run waits for its start");
    let known = planned(&node, &Associate { neutron: Some(Neutron::Has), ..asked });
    assert!(known.to_do().all(|step| matches!(step.agent, Some(AgentWill::Keep | AgentWill::NotApplicable))));
}

#[test]
fn allocations_avoid_kernel_and_files() {
    let mut node = fixture("S1");
    let Observed::Seen(file) = &mut node.host.priority_file else { panic!("not read") };
    let plan = planned(&fixture("S1"), &wanted("192.168.1.4", "10.0.0.5"));
    let priority = |plan: &Plan| {
        plan.to_do().find_map(|step| match &step.action {
            Action::Add(Object::Rule(rule)) => Some(rule.priority.0),
            _ => None,
        })
    };
    let first = priority(&plan).unwrap();
    file.lines.push(format!("192.168.1.200,{first}"));
    let second = priority(&planned(&node, &wanted("192.168.1.4", "10.0.0.5"))).unwrap();
    assert_ne!(first, second);
    // The file's own entry for the address counts.
    let Observed::Seen(file) = &mut node.host.priority_file else { panic!("not read") };
    file.lines.push("192.168.1.4,50001".to_owned());
    assert_eq!(priority(&planned(&node, &wanted("192.168.1.4", "10.0.0.5"))), Some(50_001));
    // A router without a pair gets the one that comes next, as on a real node.
    let mut node = fixture("S3");
    let other = super::common::namespace(&node, "qrouter-b047");
    super::common::drop_link(&mut node, "qrouter-b047", "rfp-");
    super::common::drop_link(&mut node, "fip-", "fpr-b047");
    let gone = Topology::of(&node)
        .routers
        .iter()
        .find(|router| other.as_str().ends_with(&router.id))
        .unwrap()
        .rtr_2_fip
        .is_none();
    assert!(gone);
    let asked = Associate { router: Some("b047".to_owned()), ..wanted("192.168.1.77", "30.0.0.7") };
    let plan = planned(&node, &asked);
    let words = todo(&plan).join("\n");
    assert!(words.contains("169.254.112.144/31"), "{words}");
}
