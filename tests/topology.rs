//! A snapshot understood: routers, layouts, floating IPs and their chains.

#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use fipscope::neutron::Layout;
use fipscope::topology::scenario::Scenario;
use fipscope::topology::{Direction, FipState, FloatingIp, LinkState, NodeKind, Topology};

const LAYOUTS: [Layout; 3] = [Layout::Juno, Layout::Newton, Layout::Pike];

fn faults(fip: &FloatingIp) -> Vec<String> {
    let mut faults: Vec<String> = [Direction::Outbound, Direction::Inbound]
        .into_iter()
        .flat_map(|direction| fip.links(direction))
        .filter(|link| !matches!(link.state, LinkState::Ok | LinkState::NotApplicable))
        .map(|link| format!("{} {:?}: {:?} / {:?}", link.link.word(), link.state, link.expected, link.actual))
        .collect();
    faults.sort();
    faults.dedup();
    faults
}

#[test]
fn healthy_nodes_are_healthy() {
    let mut nodes: Vec<(String, Scenario)> = Vec::new();
    for layout in LAYOUTS {
        let word = layout.word();
        nodes.push((word.to_owned(), Scenario::article(layout)));
        nodes.push((format!("{word}, two routers"), Scenario::article(layout).with_second_router(layout)));
        nodes.push((format!("{word}, two networks"), Scenario::article(layout).with_second_network(layout)));
        nodes.push((format!("{word}, many"), Scenario::scale(layout, 20, 5)));
    }
    nodes.push(("centralized".to_owned(), Scenario::article(Layout::Pike).with_centralized()));
    nodes.push(("legacy".to_owned(), Scenario::legacy(None)));
    nodes.push(("legacy, primary".to_owned(), Scenario::legacy(Some(true))));
    nodes.push(("legacy, standby".to_owned(), Scenario::legacy(Some(false))));
    for (name, node) in nodes {
        let topology = Topology::of(&node.snapshot);
        assert_eq!(topology.kind, NodeKind::L3, "{name}");
        assert!(topology.blind.is_empty(), "{name}");
        assert!(!topology.floating_ips.is_empty(), "{name}");
        for fip in &topology.floating_ips {
            assert_eq!(faults(fip), [""; 0], "{name}: {:?}", fip.floating_ip);
            assert_eq!(fip.state, FipState::Ok, "{name}");
        }
    }
}
