//! Frames while the node is another than it was, or not all known.

use super::*;
use crate::net::{Link, Observed};

#[test]
fn devices_of_which_nothing_is_known_are_told() {
    let node = Scenario::article(Layout::Pike);
    let mut bench = Bench::new();
    assert_eq!(bench.count(&node, &[shot((QROUTER, "qr-new"), Heading::In, FIXED, OUTSIDE)]), [None]);
    assert_eq!((bench.traffic.unplaced(), bench.close().unplaced), (1, 1));
    // One that stands there and is none of the agent's is known, and counts for nothing.
    let node = node.edit(QROUTER, |netns| {
        let mut links = netns.links().to_vec();
        links.push(Link::new(77, IfName::from("veth-mon")));
        netns.links = Observed::Seen(links);
    });
    let seen = bench.count(&node, &[shot((QROUTER, "veth-mon"), Heading::In, FIXED, OUTSIDE)]);
    assert_eq!(seen, [Some((Class::None, None))]);
    assert_eq!((bench.traffic.unplaced(), classes(&bench.close())), (0, [0; 5]));
}

#[test]
fn a_floating_ip_that_is_gone_is_told_while_packets_of_it_were_seen() {
    let node = Scenario::article(Layout::Pike).with_centralized();
    let mut bench = Bench::new();
    let told = |interval: &Interval| interval.floating_ips.len() / 2;
    bench.count(&node, &way_out(OUTSIDE));
    let gone = Scenario::article(Layout::Pike);
    let (all, less) =
        (Topology::of(&node.snapshot).floating_ips.len(), Topology::of(&gone.snapshot).floating_ips.len());
    bench.count(&gone, &[]);
    assert!(less < all);
    assert_eq!((told(&bench.close()), told(&bench.close())), (less, less));
    bench.count(&node, &[]);
    assert_eq!(told(&bench.close()), all);
}

#[test]
fn a_namespace_that_is_not_heard_is_no_hop() {
    let node = Scenario::article(Layout::Pike).unreadable(FIP);
    let mut bench = Bench::new();
    bench.count(&node, &way_out(OUTSIDE)[..2]);
    let interval = bench.close();
    let seen = interval.floating_ips.iter().find(|fip| fip.direction == Direction::Outbound).unwrap();
    assert_eq!((seen.hops[Hop::Fpr as usize], seen.stops_at), (None, None));
}

#[test]
fn where_the_node_changes_classes_do() {
    let node = Scenario::article(Layout::Pike).with_centralized();
    let mut bench = Bench::new();
    bench.count(&node, &way_out(OUTSIDE));
    let broken = node.without_rule(QROUTER, "lookup 16");
    bench.count(&broken, &way_out(OUTSIDE).map(|shot| shot.at(20))[..1]);
    let interval = bench.close();
    // The word fits the rule of the subnet as well (table 167772161): nothing routes the packet any more.
    assert_eq!(classes(&interval), [0, 0, 1, 0, 1]);
    assert_eq!(hops(&interval, FLOATING, Direction::Outbound), (vec![2, 1, 1, 1], Some("qr")));
}
