//! A floating IP associated by plan: the simulated node has it, whole, and
//! nothing else is found there; taking the plan back leaves the node as it was.

use std::net::IpAddr;

use fipscope::check::Applicability;
use fipscope::net::{Agent, FileName, IfName, Observed, Snapshot, changes};
use fipscope::neutron::Layout;
use fipscope::plan::{
    Action, AgentWill, Associate, CaseKind, GatewayPort, Neutron, Object, Plan, Refused, Told, Undo, associate, simulate,
};
use fipscope::topology::scenario::{NETWORK, Scenario};
use fipscope::topology::{FipState, Topology};

use super::common::{fixture, judge, netns, remove_floating_ip};

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn wanted(floating: &str, fixed: &str) -> Associate {
    Associate::new(ip(floating), ip(fixed))
}

fn planned(snapshot: &Snapshot, wanted: &Associate) -> Plan {
    associate(snapshot, &Topology::of(snapshot), wanted).unwrap_or_else(|why| panic!("{why}"))
}

fn refused(snapshot: &Snapshot, wanted: &Associate) -> Refused {
    associate(snapshot, &Topology::of(snapshot), wanted).map(|plan| plan.intent).unwrap_err()
}

/// The plan taken back, step by step, the last one first.
fn undone(plan: &Plan, after: &Snapshot) -> Snapshot {
    let mut back = Plan::new("back");
    for step in plan.to_do().collect::<Vec<_>>().into_iter().rev() {
        if let Undo::Action(action) = &step.undo {
            back.push(&step.netns, action.clone());
        }
    }
    simulate(&back, after)
}

fn todo(plan: &Plan) -> Vec<String> {
    plan.to_do().map(|step| step.description.clone()).collect()
}

/// Codes and objects of what is found, to compare two nodes.
fn found(snapshot: &Snapshot) -> Vec<String> {
    judge(snapshot).into_iter().map(|one| one.id).collect()
}

fn whole(snapshot: &Snapshot, floating: &str) {
    let topology = Topology::of(snapshot);
    let fip = topology.floating_ips.iter().find(|fip| fip.floating_ip == Some(ip(floating))).expect("not there");
    let links: Vec<_> = fip.outbound.iter().chain(&fip.inbound).map(|link| (link.link.word(), link.state)).collect();
    assert_eq!(fip.state, FipState::Ok, "{links:?}");
}

#[test]
fn a_second_floating_ip_in_every_layout() {
    for layout in [Layout::Juno, Layout::Newton, Layout::Pike] {
        let node = Scenario::article(layout).snapshot;
        let plan = planned(&node, &wanted("192.168.1.4", "20.0.0.6"));
        let after = simulate(&plan, &node);
        whole(&after, "192.168.1.4");
        whole(&after, "192.168.1.3");
        let new: Vec<String> = found(&after).into_iter().filter(|id| !found(&node).contains(id)).collect();
        assert!(new.is_empty(), "{layout:?}: {new:?}");
        assert_eq!(undone(&plan, &after).settled(), node.settled(), "{layout:?}");
        assert!(matches!(plan.steps.last().unwrap().action, Action::Announce { .. }));
    }
}
