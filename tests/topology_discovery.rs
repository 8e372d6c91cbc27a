//! What is found on a node: pairs, unions of facts, strays, kinds of nodes.

#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::net::{IpAddr, Ipv4Addr};

use fipscope::net::netfilter::{Chain, Match, NatFlags, NatRange, NfRule, Port, RuleBody, RuleWords, Target};
use fipscope::net::{Family, IfName, Link, Netns, NetnsName, Observed, Ovs, Peer, Rule, TableId};
use fipscope::neutron::{Layout, LinkLocalPair, Release, ReleaseRange};
use fipscope::topology::scenario::{FIP, FIXED, FPR, NETWORK, QROUTER, RFP, ROUTER, RouterSpec, SNAT, Scenario};
use fipscope::topology::{FactSource, FipKind, FipState, LinkState, NodeKind, RouterKind, Topology};

fn links(netns: &mut Netns, change: impl FnMut(&mut Link)) {
    if let Observed::Seen(links) = &mut netns.links {
        links.iter_mut().for_each(change);
    }
}

/// A node as a text report shows it: nobody asked the kernel who is whose peer.
fn without_peers(mut node: Scenario) -> Scenario {
    let names: Vec<String> = node.snapshot.namespaces.keys().map(|name| name.as_str().to_owned()).collect();
    for name in names {
        node = node.edit(&name, |netns| links(netns, |link| link.peer = None));
    }
    node
}

fn add_rule(netns: &mut Netns, priority: u32, from: &str) {
    let mut rule = Rule::lookup(Family::V4, priority, TableId(16));
    rule.from = Some(from.parse().unwrap());
    if let Observed::Seen(rules) = &mut netns.rules {
        rules.push(rule);
    }
}

fn nat_rule(netns: &mut Netns, chain: &str, matches: Vec<Match>, target: Target) {
    let Observed::Seen(netfilter) = &mut netns.netfilter else { return };
    let Observed::Seen(tables) = &mut netfilter.nft else { return };
    let rule =
        NfRule { handle: None, counters: None, body: RuleBody::Words(RuleWords { matches, target: Some(target) }) };
    match tables[0].chains.iter_mut().find(|known| known.name == chain) {
        Some(known) => known.rules.push(rule),
        None => tables[0].chains.push(Chain { name: chain.to_owned(), base: None, counters: None, rules: vec![rule] }),
    }
}

fn source(address: &str) -> Match {
    Match::Source { net: address.parse().unwrap(), invert: false }
}

fn snat_to(address: &str) -> Target {
    Target::Snat { to: NatRange::single(address.parse().unwrap()), flags: NatFlags::default() }
}

#[test]
fn routers_that_share_ten_characters_are_kept_apart() {
    let twin = RouterSpec {
        id: "ef25020f-0fff-4000-8000-000000000000".to_owned(),
        pair: LinkLocalPair::of(Ipv4Addr::new(169, 254, 112, 144)),
        ..RouterSpec::elsewhere(Layout::Pike)
    };
    let node = Scenario::article(Layout::Pike).with_router(&twin);
    for (name, node) in [("by kernel", node.clone()), ("by name", without_peers(node))] {
        let topology = Topology::of(&node.snapshot);
        for (id, network, address) in
            [(ROUTER, NETWORK, "169.254.88.135/31"), (&twin.id, &twin.network, "169.254.112.145/31")]
        {
            let router = topology.router(id).unwrap();
            assert_eq!(router.external_network.as_deref(), Some(network), "{name}");
            let end = router.fip_2_rtr.as_ref().unwrap();
            assert_eq!((end.device.as_str(), end.address.unwrap().to_string().as_str()), (FPR, address), "{name}");
        }
        assert_eq!(topology.floating_ips.len(), 2, "{name}");
        assert!(topology.floating_ips.iter().all(|fip| fip.state == FipState::Ok), "{name}");
    }
}

#[test]
fn a_pair_that_leads_elsewhere_is_wrong() {
    let ghost = |netns: &mut Netns| links(netns, |link| link.peer = link.peer.as_ref().map(|_| Peer::Elsewhere));
    let topology = Topology::of(&Scenario::article(Layout::Pike).edit(QROUTER, ghost).snapshot);
    let fip = &topology.floating_ips[0];
    let rfp = fip.outbound.iter().find(|link| link.link.word() == "rfp").unwrap();
    assert_eq!(rfp.state, LinkState::Wrong);
    assert!(rfp.actual.as_ref().unwrap().contains("no name"), "{:?}", rfp.actual);
    assert_eq!(fip.state, FipState::Broken);
}

#[test]
fn the_same_addresses_in_two_networks_are_two_floating_ips() {
    let node = Scenario::article(Layout::Pike).with_second_network(Layout::Pike);
    let topology = Topology::of(&node.snapshot);
    let networks: Vec<_> = topology.floating_ips.iter().map(|fip| fip.external_network.clone()).collect();
    assert_eq!(networks.len(), 2);
    assert_ne!(networks[0], networks[1]);
    let mut sorted = networks.clone();
    sorted.sort();
    assert_eq!(networks, sorted, "sorted by external network first");
    assert_eq!(topology.external_networks.len(), 2);
}

#[test]
fn every_kind_of_object_speaks_of_a_floating_ip() {
    let topology = Topology::of(&Scenario::article(Layout::Juno).snapshot);
    let sources: Vec<FactSource> = topology.floating_ips[0].facts.iter().map(|fact| fact.source).collect();
    assert_eq!(format!("{sources:?}"), "[Rule, Dnat, Snat, Address, Route]");
    let topology = Topology::of(&Scenario::article(Layout::Pike).snapshot);
    let sources: Vec<FactSource> = topology.floating_ips[0].facts.iter().map(|fact| fact.source).collect();
    assert_eq!(format!("{sources:?}"), "[Rule, Dnat, Snat, Route, PriorityFile]");
}

#[test]
fn each_object_alone_is_enough() {
    let bare = || {
        Scenario::article(Layout::Pike)
            .without_rule(QROUTER, "from 10.0.0.4 ")
            .without_nat(QROUTER, "agent-PREROUTING", "Dnat")
            .without_nat(QROUTER, "float-snat", "Snat")
    };
    // The route alone.
    let topology = Topology::of(&bare().snapshot);
    let [fip] = &topology.floating_ips[..] else { panic!("{:?}", topology.floating_ips) };
    assert_eq!((fip.floating_ip.unwrap().to_string().as_str(), fip.fixed_ip), ("192.168.1.3", None));
    assert_eq!(fip.state, FipState::Broken);
    // The file's line alone is nothing.
    let none = bare().without_route(FIP, TableId::MAIN, "192.168.1.3/32");
    assert_eq!(Topology::of(&none.snapshot).floating_ips, []);
    // The rule alone: its packets would leave with their own address.
    let rule = none.clone().edit(QROUTER, |netns| add_rule(netns, 40000, "10.0.0.4/32"));
    let topology = Topology::of(&rule.snapshot);
    let [fip] = &topology.floating_ips[..] else { panic!("{:?}", topology.floating_ips) };
    assert_eq!((fip.floating_ip, fip.fixed_ip), (None, Some(IpAddr::V4(FIXED))));
    assert_eq!((fip.rule_priority.unwrap().0, fip.state), (40000, FipState::Broken));
    // SNAT alone.
    let snat = none.edit(QROUTER, |netns| {
        nat_rule(netns, "neutron-l3-agent-float-snat", vec![source("10.0.0.4/32")], snat_to("192.168.1.3"));
    });
    let topology = Topology::of(&snat.snapshot);
    let [fip] = &topology.floating_ips[..] else { panic!("{:?}", topology.floating_ips) };
    assert_eq!((fip.floating_ip.unwrap().to_string().as_str(), fip.fixed_ip), ("192.168.1.3", Some(FIXED.into())));
}

#[test]
fn rules_that_disagree_make_one_floating_ip_and_a_second_owner_another() {
    let moved = |node: Scenario| {
        node.without_nat(QROUTER, "float-snat", "Snat").edit(QROUTER, |netns| {
            nat_rule(netns, "neutron-l3-agent-float-snat", vec![source("10.0.0.5/32")], snat_to("192.168.1.3"));
        })
    };
    let topology = Topology::of(&moved(Scenario::article(Layout::Pike)).snapshot);
    let [fip] = &topology.floating_ips[..] else { panic!("{:?}", topology.floating_ips) };
    assert_eq!((fip.fixed_ip, fip.state), (Some(FIXED.into()), FipState::Broken));

    // The policy rule went along with the SNAT: the DNAT is what was left behind.
    let node = moved(Scenario::article(Layout::Pike)).without_rule(QROUTER, "from 10.0.0.4 ");
    let topology = Topology::of(&node.edit(QROUTER, |netns| add_rule(netns, 40000, "10.0.0.5/32")).snapshot);
    let [fip] = &topology.floating_ips[..] else { panic!("{:?}", topology.floating_ips) };
    assert_eq!(fip.fixed_ip.unwrap().to_string(), "10.0.0.5");
    assert!(fip.inbound.iter().any(|link| link.link.word() == "dnat" && link.state == LinkState::Wrong));

    // Both have a rule: two instances claim the address.
    let node = moved(Scenario::article(Layout::Pike)).edit(QROUTER, |netns| add_rule(netns, 40000, "10.0.0.5/32"));
    assert_eq!(Topology::of(&node.snapshot).floating_ips.len(), 2);
}

#[test]
fn a_stray_rule_belongs_to_the_centralized_floating_ip() {
    let node = Scenario::article(Layout::Pike).with_centralized();
    let node = node.edit(QROUTER, |netns| add_rule(netns, 53046, "20.0.0.9/32"));
    let topology = Topology::of(&node.snapshot);
    assert_eq!(topology.floating_ips.len(), 2);
    let fip = topology.floating_ips.iter().find(|fip| fip.kind == FipKind::Centralized).unwrap();
    assert_eq!((fip.rule_priority.unwrap().0, fip.state), (53046, FipState::Broken));
    assert!(fip.facts.iter().any(|fact| fact.source == FactSource::Rule));
    assert!(topology.router(ROUTER).unwrap().snat_namespace.as_ref().unwrap().as_str() == SNAT);
}

#[test]
fn a_rule_that_leads_nowhere_only_degrades() {
    let node = Scenario::article(Layout::Pike)
        .without_namespace(FIP)
        .without_link(QROUTER, RFP)
        .without_nat(QROUTER, "agent-PREROUTING", "Dnat")
        .without_nat(QROUTER, "float-snat", "Snat");
    let topology = Topology::of(&node.snapshot);
    let [fip] = &topology.floating_ips[..] else { panic!("{:?}", topology.floating_ips) };
    assert_eq!((fip.floating_ip, fip.state), (None, FipState::Degraded), "as dvr_no_external leaves it");
    assert_eq!(topology.router(ROUTER).unwrap().layout, None);
}

#[test]
fn forwarded_ports_are_a_floating_ip_without_a_fixed_one() {
    let node = Scenario::article(Layout::Pike).with_centralized();
    let node = node.without_nat(SNAT, "float-snat", "Snat").without_nat(SNAT, "agent-PREROUTING", "Dnat");
    let node = node.edit(SNAT, |netns| {
        let port = Port { from: 2222, to: 2222 };
        let matches = vec![
            Match::Destination { net: "192.168.1.9/32".parse().unwrap(), invert: false },
            Match::Protocol { number: 6, invert: false },
        ];
        let to = NatRange { ports: Some(port), ..NatRange::single("20.0.0.9".parse().unwrap()) };
        nat_rule(netns, "neutron-l3-agent-pf-0a1b2c3d", matches, Target::Dnat { to, flags: NatFlags::default() });
    });
    let topology = Topology::of(&node.snapshot);
    let fip = topology.floating_ips.iter().find(|fip| fip.kind == FipKind::Centralized).unwrap();
    assert_eq!((fip.fixed_ip, fip.state), (None, FipState::Ok));
}

#[test]
fn a_router_can_be_known_by_its_devices_alone() {
    let topology = Topology::of(&Scenario::article(Layout::Pike).without_namespace(QROUTER).snapshot);
    let router = topology.router(ROUTER).expect("the agent's file has the whole id");
    assert_eq!((router.namespace.as_ref(), router.kind), (None, RouterKind::Distributed));
    assert_eq!(topology.floating_ips[0].state, FipState::Broken);

    let mut node = Scenario::article(Layout::Pike).without_namespace(QROUTER);
    node.snapshot.host.link_local_file = Observed::Absent;
    assert!(Topology::of(&node.snapshot).router("ef25020f-0").is_some(), "else ten characters");
}

#[test]
fn kinds_of_routers() {
    let kind = |node: &Scenario| Topology::of(&node.snapshot).routers[0].kind;
    assert_eq!(kind(&Scenario::article(Layout::Pike)), RouterKind::Distributed);
    assert_eq!(kind(&Scenario::legacy(None)), RouterKind::Legacy);
    assert_eq!(kind(&Scenario::legacy(Some(true))), RouterKind::LegacyHa);
    let ha = Scenario::article(Layout::Pike).with_centralized().edit(SNAT, |netns| {
        links(netns, |link| {
            if link.name.as_str() == "sg-c2e43983-5c" {
                link.name = IfName::from("ha-550dc175-c0");
            }
        });
    });
    assert_eq!(kind(&ha), RouterKind::DistributedHa);
}

#[test]
fn layouts_without_floating_ips() {
    let layout = |node: &Scenario| Topology::of(&node.snapshot).router(ROUTER).unwrap().layout;
    let bare = |layout| Scenario::empty().with_router(&RouterSpec { fips: Vec::new(), ..RouterSpec::article(layout) });
    for expected in [Layout::Juno, Layout::Newton, Layout::Pike] {
        assert_eq!(layout(&bare(expected)), Some(expected), "by its own pair and default route");
    }
    let sibling = |own| bare(own).with_second_router(Layout::Juno);
    assert_eq!(layout(&sibling(Layout::Newton)), Some(Layout::Juno), "the other router decides");
    let upgraded = Scenario::article(Layout::Newton).with_second_router(Layout::Pike);
    assert_eq!(layout(&upgraded), Some(Layout::Pike), "the old default in main stays after an upgrade");
}

#[test]
fn a_fault_does_not_change_the_layout() {
    let told = |node: Scenario| {
        let topology = Topology::of(&node.snapshot);
        let router = topology.router(ROUTER).unwrap();
        (router.layout, router.told_layout)
    };
    let newton = Scenario::article(Layout::Newton).without_route(FIP, TableId::MAIN, "default");
    assert_eq!(told(newton), (Some(Layout::Newton), Some(Layout::Newton)), "its only mark is the route that is gone");
    for layout in [Layout::Juno, Layout::Newton, Layout::Pike] {
        let bare = Scenario::article(layout).without_link(QROUTER, RFP).without_link(FIP, FPR);
        assert_eq!(told(bare), (None, Some(layout)), "a router without a pair has none; the rest of the node tells");
    }
    let rule_less = Scenario::article(Layout::Pike).edit(FIP, |netns| netns.rules = Observed::Seen(Vec::new()));
    assert_eq!(told(rule_less).0, Some(Layout::Pike), "the table tells");
}

#[test]
fn nodes_of_other_kinds_are_told_where_to_look() {
    let mut ovn = Scenario::empty();
    assert_eq!(Topology::of(&ovn.snapshot).kind, NodeKind::None);
    ovn.snapshot.namespaces.insert(NetnsName::from("ovnmeta-1"), Observed::Seen(Netns::default().into()));
    assert_eq!(Topology::of(&ovn.snapshot).kind, NodeKind::Ovn);
    let mut by_ovs = Scenario::empty();
    let external_ids = [("ovn-remote".to_owned(), "ssl:192.0.2.1:6642".to_owned())].into();
    by_ovs.snapshot.host.ovs = Observed::Seen(Ovs { external_ids, ..Ovs::default() });
    assert_eq!(Topology::of(&by_ovs.snapshot).kind, NodeKind::Ovn);
    assert!(NodeKind::Ovn.advice().unwrap().contains("lr-nat-list"));
    let mut blind = Scenario::empty();
    blind.snapshot.namespaces_unreadable = Some("Permission denied".to_owned());
    let topology = Topology::of(&blind.snapshot);
    assert_eq!(topology.kind, NodeKind::Unknown("Permission denied".to_owned()));
    assert_eq!(topology.blind.len(), 1);
    assert_eq!(NodeKind::L3.advice(), None);
}

#[test]
fn marks_date_a_node() {
    let range = |layout| ReleaseRange::of(&Scenario::article(layout).snapshot);
    let juno = range(Layout::Juno);
    assert_eq!(juno.to, Some(Release::new(8, 3, 0)));
    assert!(juno.can_be_at_least(Release::new(7, 0, 0)) && !juno.can_be_at_least(Release::new(9, 0, 0)));
    let mut pike = Scenario::article(Layout::Pike);
    let built = ReleaseRange::of(&pike.snapshot);
    assert_eq!((built.from, built.to), (Some(Release::new(15, 0, 0)), None));
    assert!(built.is_at_least(Release::new(14, 0, 0)) && !built.is_at_least(Release::new(22, 0, 0)));
    pike.snapshot.host.neutron_version = Observed::Seen("2:20.3.0-0ubuntu1".to_owned());
    let built = ReleaseRange::of(&pike.snapshot);
    assert_eq!((built.from, built.to), (Some(Release::new(20, 3, 0)), Some(Release::new(20, 3, 1))));
    // Old leftovers do not outweigh what only a newer agent writes.
    let mixed = Scenario::article(Layout::Pike).with_second_network(Layout::Juno);
    assert_eq!(ReleaseRange::of(&mixed.snapshot).to, None);
}
