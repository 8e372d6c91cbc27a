//! Nodes on which one thing is broken: what stops the packet, and where.

use fipscope::net::netfilter::{NfFamily, parse_save};
use fipscope::net::{Mac, Neigh, NeighState, Netns, Observed, TableId};
use fipscope::neutron::Layout;
use fipscope::path::{Node, Outcome, Packet, UDP};
use fipscope::topology::scenario::{FG, FIP, FPR, QROUTER, RFP, Scenario};
use fipscope::topology::{ObjectKind, Topology};

use super::both;

const OUT: (&str, &str) = ("10.0.0.4", "198.51.100.7");
const IN: (&str, &str) = ("198.51.100.7", "192.168.1.3");

/// Namespace, object and reason of what stops a walk.
fn stopped(node: &Scenario, (src, dst): (&str, &str)) -> (String, Option<ObjectKind>, String) {
    let (walk, reply) = both(&node.snapshot, src, dst);
    assert_eq!(walk.outcome, Outcome::Dropped);
    assert_eq!(reply, None, "what did not arrive has no answer");
    let stop = walk.stop.unwrap();
    (stop.namespace.as_str().split('-').next().unwrap().to_owned(), stop.object.map(|object| object.kind), stop.reason)
}

fn pike() -> Scenario {
    Scenario::article(Layout::Pike)
}

fn links(netns: &mut Netns, device: &str, change: impl Fn(&mut fipscope::net::Link)) {
    if let Observed::Seen(links) = &mut netns.links {
        links.iter_mut().filter(|link| link.name.as_str() == device).for_each(change);
    }
}

#[test]
fn without_its_rule_a_floating_ip_leaves_by_snat() {
    let (walk, reply) = both(&pike().without_rule(QROUTER, "from 10.0.0.4 lookup").snapshot, OUT.0, OUT.1);
    assert_eq!((walk.class.word(), walk.outcome), ("snat", Outcome::LeavesNode));
    assert_eq!(walk.hops[0].decided.as_ref().unwrap().table, TableId(167_772_161));
    assert_eq!(reply, None);
}

#[test]
fn without_its_translation_it_leaks() {
    let node = pike().without_nat(QROUTER, "float-snat", "Snat");
    let (walk, _) = both(&node.snapshot, OUT.0, OUT.1);
    assert_eq!((walk.class.word(), walk.detail.unwrap().word()), ("fip", "leak"));
    assert_eq!(walk.arrived.src.to_string(), "10.0.0.4");
}

#[test]
fn without_the_routers_own_table_it_is_unreachable() {
    let (namespace, object, reason) = stopped(&pike().without_rule(FIP, "iif fpr"), OUT);
    assert_eq!((namespace.as_str(), object), ("fip", Some(ObjectKind::Route)));
    assert!(reason.starts_with("no rule leads to a route"), "{reason}");
}

#[test]
fn without_its_route_nobody_answers_arp() {
    let (namespace, object, reason) = stopped(&pike().without_route(FIP, TableId::MAIN, "192.168.1.3/32"), IN);
    assert_eq!((namespace.as_str(), object), ("fip", Some(ObjectKind::Route)));
    assert!(reason.contains("nobody on this node answers ARP") && reason.contains(FG), "{reason}");
}

#[test]
fn without_proxy_arp_nobody_answers() {
    let node = pike().edit(FIP, |netns| links(netns, FG, |link| link.ipv4.as_mut().unwrap().proxy_arp = false));
    let (_, object, reason) = stopped(&node, IN);
    assert_eq!(object, Some(ObjectKind::Sysctl));
    assert!(reason.ends_with(&format!("proxy_arp is off on {FG}")), "{reason}");
}

#[test]
fn without_dnat_it_finds_no_way_on() {
    let (namespace, object, _) = stopped(&pike().without_nat(QROUTER, "l3-agent-PREROUTING", "Dnat"), IN);
    assert_eq!((namespace.as_str(), object), ("qrouter", Some(ObjectKind::Route)));
}

#[test]
fn forwarding_off() {
    let node = pike().edit(QROUTER, |netns| links(netns, RFP, |link| link.ipv4.as_mut().unwrap().forwarding = false));
    let (_, object, reason) = stopped(&node, IN);
    assert_eq!((object, reason), (Some(ObjectKind::Sysctl), format!("forwarding is off on {RFP}")));
}

#[test]
fn strict_reverse_path_on_rfp() {
    let set = |node: Scenario, level: u8| {
        node.edit(QROUTER, |netns| links(netns, RFP, |link| link.ipv4.as_mut().unwrap().rp_filter = level))
    };
    // The rule of the fixed IP leads the way back through rfp.
    assert_eq!(both(&set(pike(), 1).snapshot, IN.0, IN.1).0.outcome, Outcome::Delivered);
    // Without it the way back leads to the snat node; loose, any way will do.
    let without = || pike().without_rule(QROUTER, "from 10.0.0.4 lookup");
    let (_, object, reason) = stopped(&set(without(), 1), IN);
    assert_eq!(object, Some(ObjectKind::Sysctl));
    assert!(reason.starts_with(&format!("rp_filter 1 on {RFP}")), "{reason}");
    assert_eq!(both(&set(without(), 2).snapshot, IN.0, IN.1).0.outcome, Outcome::Delivered);
}

#[test]
fn a_wrong_permanent_neighbour_on_the_pair() {
    let wrong = |netns: &mut Netns| {
        let Observed::Seen(neighs) = &mut netns.neighs else { return };
        let pair = neighs.iter_mut().filter(|neigh| neigh.dev.as_str() == RFP);
        pair.for_each(|neigh| neigh.mac = Some(Mac([2, 0, 0, 0, 0, 1])));
    };
    let (namespace, object, reason) = stopped(&pike().edit(QROUTER, wrong), OUT);
    assert_eq!((namespace.as_str(), object), ("qrouter", Some(ObjectKind::Neigh)));
    assert!(reason.contains("02:00:00:00:00:01"), "{reason}");
}

#[test]
fn a_gateway_that_does_not_answer() {
    let failed = |netns: &mut Netns| {
        let Observed::Seen(neighs) = &mut netns.neighs else { return };
        neighs.retain(|neigh| neigh.dev.as_str() != FG);
        let address = "192.168.1.1".parse().unwrap();
        neighs.push(Neigh { dev: FG.into(), address, mac: None, state: NeighState::Failed, proxy: false });
    };
    let (namespace, object, reason) = stopped(&pike().edit(FIP, failed), OUT);
    assert_eq!((namespace.as_str(), object), ("fip", Some(ObjectKind::Neigh)));
    assert!(reason.contains("FAILED"), "{reason}");
}

#[test]
fn the_pair_is_down() {
    let node = pike().link_down(FIP, FPR);
    let (namespace, object, reason) = stopped(&node, OUT);
    assert_eq!((namespace.as_str(), object), ("fip", Some(ObjectKind::Link)));
    assert_eq!(reason, format!("{FPR} is down"));
}

#[test]
fn a_small_mtu_at_the_far_end_swallows_long_packets() {
    let node = pike().edit(FIP, |netns| links(netns, FPR, |link| link.mtu = 1400));
    let topology = Topology::of(&node.snapshot);
    let engine = Node::of(&node.snapshot, &topology);
    let start = engine.starts("10.0.0.4".parse().unwrap(), "198.51.100.7".parse().unwrap()).remove(0);
    let packet =
        Packet { length: 1500, ..Packet::first("10.0.0.4".parse().unwrap(), "198.51.100.7".parse().unwrap(), UDP) };
    let walk = engine.walk(&start, packet);
    assert_eq!(walk.outcome, Outcome::Dropped);
    assert!(walk.stop.unwrap().reason.contains("longer than its MTU 1400"));
    assert_eq!(engine.walk(&start, Packet { length: 1400, ..packet }).outcome, Outcome::LeavesNode);
    let at_the_edge = pike().edit(QROUTER, |netns| links(netns, RFP, |link| link.mtu = 1400));
    let topology = Topology::of(&at_the_edge.snapshot);
    let engine = Node::of(&at_the_edge.snapshot, &topology);
    let walk = engine.walk(&start, packet);
    assert_eq!(walk.hops[0].verdict.word(), "reject", "the sender hears of it");
}

#[test]
fn what_is_not_understood_is_not_guessed() {
    let node = pike().with_riddle(QROUTER, "l3-agent-PREROUTING");
    let (walk, _) = both(&node.snapshot, IN.0, IN.1);
    assert_eq!(walk.outcome, Outcome::Unknown);
    let reason = walk.stop.unwrap().reason;
    assert!(reason.contains("ip saddr @blocked drop"), "{reason}");
}

#[test]
fn what_was_not_read_is_not_guessed() {
    let (walk, _) = both(&pike().unreadable(FIP).edit(QROUTER, |_| ()).snapshot, OUT.0, OUT.1);
    assert_eq!(walk.outcome, Outcome::Unknown);
    assert!(walk.stop.unwrap().reason.contains("setns"));
}

#[test]
fn a_filter_that_drops() {
    const TEXT: &str = "*filter\n:FORWARD ACCEPT [0:0]\n-A FORWARD -d 192.168.1.3/32 -j DROP\nCOMMIT\n";
    let node = pike().edit(FIP, |netns| {
        let Observed::Seen(netfilter) = &mut netns.netfilter else { return };
        let Observed::Seen(tables) = &mut netfilter.nft else { return };
        tables.extend(parse_save(TEXT, NfFamily::Ip).unwrap());
    });
    let (namespace, object, reason) = stopped(&node, IN);
    assert_eq!((namespace.as_str(), object), ("fip", Some(ObjectKind::Filter)));
    assert!(reason.contains("-A FORWARD -d 192.168.1.3/32 -j DROP"), "{reason}");
}
