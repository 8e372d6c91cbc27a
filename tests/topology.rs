//! A snapshot understood: healthy nodes are healthy, and every link that is
//! broken says so, and no other.

#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use fipscope::net::{Addr, AddrFlags, IfName, Mac, Neigh, NeighState, Netns, Observed, TableId};
use fipscope::neutron::Layout;
use fipscope::topology::scenario::{FG, FIP, FPR, QR, QROUTER, RFP, SNAT, Scenario};
use fipscope::topology::{Direction, FipState, FloatingIp, LinkState, NodeKind, Topology};

const LAYOUTS: [Layout; 3] = [Layout::Juno, Layout::Newton, Layout::Pike];

/// The links that are missing or wrong, as `link state`, each once.
fn faults(fip: &FloatingIp) -> Vec<String> {
    links(fip, &[LinkState::Missing, LinkState::Wrong])
}

fn unknowns(fip: &FloatingIp) -> Vec<String> {
    links(fip, &[LinkState::Unknown])
}

fn links(fip: &FloatingIp, states: &[LinkState]) -> Vec<String> {
    let mut found: Vec<String> = [Direction::Outbound, Direction::Inbound]
        .into_iter()
        .flat_map(|direction| fip.links(direction))
        .filter(|link| states.contains(&link.state))
        .map(|link| format!("{} {:?}", link.link.word(), link.state).to_lowercase())
        .collect();
    found.sort();
    found.dedup();
    found
}

fn the_only(node: &Scenario) -> FloatingIp {
    let topology = Topology::of(&node.snapshot);
    assert_eq!(topology.floating_ips.len(), 1, "{:?}", topology.floating_ips);
    (*topology.floating_ips[0]).clone()
}

fn neighbour(netns: &mut Netns, address: &str, mac: Option<[u8; 6]>, state: NeighState, dev: &str) {
    let Observed::Seen(neighs) = &mut netns.neighs else { return };
    let address = address.parse().unwrap();
    neighs.retain(|neigh| neigh.address != address);
    neighs.push(Neigh { dev: IfName::from(dev), address, mac: mac.map(Mac), state, proxy: false });
}

fn address(netns: &mut Netns, address: &str, dev: &str) {
    let Observed::Seen(addrs) = &mut netns.addrs else { return };
    let address = address.parse().unwrap();
    let flags = AddrFlags::default();
    addrs.push(Addr { dev: IfName::from(dev), address, peer: None, broadcast: None, scope: 0, flags });
}

fn proxy_arp_off(netns: &mut Netns) {
    let Observed::Seen(links) = &mut netns.links else { return };
    for conf in links.iter_mut().filter_map(|link| link.ipv4.as_mut()) {
        conf.proxy_arp = false;
    }
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
            assert_eq!(unknowns(fip), [""; 0], "{name}: {:?}", fip.floating_ip);
            assert_eq!(fip.state, FipState::Ok, "{name}");
        }
    }
}

/// What is done to a node, and the links that it breaks.
type Fault = (&'static str, fn(Scenario) -> Scenario, &'static [&'static str], FipState);

const MAC: [u8; 6] = [2, 0, 0, 0, 0, 1];

/// Faults that are the same in every layout.
const FAULTS: &[Fault] = &[
    ("qr has no address", |n| n.without_address(QROUTER, "10.0.0.1/24"), &["vm wrong"], FipState::Broken),
    ("qr is down", |n| n.link_down(QROUTER, QR), &["qr wrong"], FipState::Broken),
    ("no rule", |n| n.without_rule(QROUTER, "from 10.0.0.4 "), &["fip_rule missing"], FipState::Broken),
    (
        "no default in table 16",
        |n| n.without_route(QROUTER, TableId(16), "default"),
        &["table_16 missing"],
        FipState::Broken,
    ),
    ("no guard", |n| n.without_nat(QROUTER, "agent-POSTROUTING", "Accept"), &["guard missing"], FipState::Broken),
    (
        "no way to float-snat",
        |n| n.without_nat(QROUTER, "neutron-postrouting-bottom", "Jump"),
        &["nat_jumps missing"],
        FipState::Broken,
    ),
    ("no way to DNAT", |n| n.without_nat(QROUTER, "PREROUTING", "Jump"), &["nat_jumps missing"], FipState::Broken),
    ("no SNAT", |n| n.without_nat(QROUTER, "float-snat", "Snat"), &["float_snat missing"], FipState::Broken),
    ("rfp is down", |n| n.link_down(QROUTER, RFP), &["rfp wrong"], FipState::Broken),
    (
        "another hardware address for fpr",
        |n| {
            n.edit(QROUTER, |netns| {
                let via = netns.routes().iter().find(|r| r.table == TableId(16)).and_then(fipscope::net::Route::via);
                neighbour(netns, &via.unwrap().to_string(), Some(MAC), NeighState::Permanent, RFP);
            })
        },
        &["rfp_neighbour wrong"],
        FipState::Broken,
    ),
    ("fpr is down", |n| n.link_down(FIP, FPR), &["fpr wrong"], FipState::Broken),
    ("fg is down", |n| n.link_down(FIP, FG), &["gateway_port wrong"], FipState::Broken),
    (
        "the gateway does not answer",
        |n| n.edit(FIP, |netns| neighbour(netns, "192.168.1.1", None, NeighState::Failed, FG)),
        &["gateway wrong"],
        FipState::Degraded,
    ),
    ("proxy ARP is off", |n| n.edit(FIP, proxy_arp_off), &["proxy_arp wrong"], FipState::Broken),
    (
        "no route to the floating IP",
        |n| n.without_route(FIP, TableId::MAIN, "192.168.1.3/32"),
        &["fip_route missing"],
        FipState::Broken,
    ),
    (
        "the floating IP is stuck on fg",
        |n| n.edit(FIP, |netns| address(netns, "192.168.1.3/32", FG)),
        &["fip_route wrong"],
        FipState::Broken,
    ),
    ("no rfp", |n| n.without_link(QROUTER, RFP), &["rfp missing", "table_16 missing"], FipState::Broken),
];

#[test]
fn a_broken_link_says_so_and_no_other() {
    for layout in LAYOUTS {
        for (name, change, expected, state) in FAULTS {
            let fip = the_only(&change(Scenario::article(layout)));
            let mut expected = expected.to_vec();
            if layout == Layout::Juno && *name == "no rfp" {
                expected.insert(0, "rfp_address missing");
                expected.sort_unstable();
            }
            assert_eq!(faults(&fip), expected, "{}: {name}", layout.word());
            assert_eq!(fip.state, *state, "{}: {name}", layout.word());
            assert_eq!(fip.floating_ip.unwrap().to_string(), "192.168.1.3", "{}: {name}", layout.word());
            assert_eq!(fip.fixed_ip.unwrap().to_string(), "10.0.0.4", "{}: {name}", layout.word());
        }
    }
}

#[test]
fn what_only_pike_has_is_judged_there_only() {
    let table = TableId(2_852_018_311);
    let faults_of: &[Fault] = &[
        ("no iif rule", |n| n.without_rule(FIP, "iif"), &["iif_rule missing"], FipState::Broken),
        (
            "no default in the router's table",
            |n| n.without_route(FIP, TableId(2_852_018_311), "default"),
            &["fip_default missing"],
            FipState::Broken,
        ),
        (
            "another hardware address for rfp",
            |n| n.edit(FIP, |netns| neighbour(netns, "169.254.88.134", Some(MAC), NeighState::Permanent, FPR)),
            &["fpr_neighbour wrong"],
            FipState::Broken,
        ),
        ("fpr has no address", |n| n.without_address(FIP, "169.254.88.135/31"), &["fpr wrong"], FipState::Broken),
        (
            "a leftover on rfp",
            |n| n.edit(QROUTER, |netns| address(netns, "192.168.1.3/32", RFP)),
            &["rfp_address wrong"],
            FipState::Degraded,
        ),
    ];
    for (name, change, expected, state) in faults_of {
        let fip = the_only(&change(Scenario::article(Layout::Pike)));
        assert_eq!((faults(&fip), fip.state), (expected.iter().map(ToString::to_string).collect(), *state), "{name}");
    }
    let newton = Scenario::article(Layout::Newton);
    let fip = the_only(&newton);
    assert!(fip.outbound.iter().any(|l| l.link.word() == "iif_rule" && l.state == LinkState::NotApplicable));
    let fip = the_only(&newton.without_route(FIP, TableId::MAIN, "default"));
    assert!(faults(&fip).contains(&"fip_default missing".to_owned()), "{:?}, not {table}", faults(&fip));
    let juno = Scenario::article(Layout::Juno).without_address(QROUTER, "192.168.1.3/32");
    assert_eq!(faults(&the_only(&juno)), ["rfp_address missing"]);
}

#[test]
fn gateway_ports_have_chains_too() {
    let qg = "qg-8b15f111-eb";
    let legacy: &[(&str, Scenario, &[&str])] = &[
        ("qg is down", Scenario::legacy(None).link_down(QROUTER, qg), &["qg wrong"]),
        ("no address", Scenario::legacy(None).without_address(QROUTER, "192.168.1.3/32"), &["qg_address missing"]),
        ("no DNAT", Scenario::legacy(None).without_nat(QROUTER, "agent-PREROUTING", "Dnat"), &["dnat missing"]),
        ("no SNAT", Scenario::legacy(None).without_nat(QROUTER, "float-snat", "Snat"), &["float_snat missing"]),
        (
            "no default",
            Scenario::legacy(None).without_route(QROUTER, TableId::MAIN, "default"),
            &["fip_default missing"],
        ),
        ("qr is down", Scenario::legacy(None).link_down(QROUTER, QR), &["qr wrong"]),
        ("no qr address", Scenario::legacy(None).without_address(QROUTER, "10.0.0.1/24"), &["vm wrong"]),
    ];
    for (name, node, expected) in legacy {
        let fip = the_only(node);
        assert_eq!(faults(&fip), *expected, "legacy: {name}");
        assert_eq!(fip.state, FipState::Broken, "legacy: {name}");
    }
    let node = || Scenario::article(Layout::Pike).with_centralized();
    let centralized: &[(&str, Scenario, &[&str])] = &[
        ("qg is down", node().link_down(SNAT, qg), &["qg wrong"]),
        ("sg is down", node().link_down(SNAT, "sg-369f59a5-2c"), &["sg wrong"]),
        ("no sg", node().without_link(SNAT, "sg-369f59a5-2c"), &["sg missing"]),
        ("no address", node().without_address(SNAT, "192.168.1.9/32"), &["qg_address missing"]),
        ("no subnet rule", node().without_rule(QROUTER, "from 20.0.0.1/24"), &["subnet_rule missing"]),
        ("no way", node().without_route(QROUTER, TableId(335_544_321), "default"), &["subnet_rule missing"]),
        ("no jump", node().without_nat(SNAT, "PREROUTING", "Jump"), &["nat_jumps missing"]),
    ];
    for (name, node, expected) in centralized {
        let topology = Topology::of(&node.snapshot);
        let fip = topology.floating_ips.iter().find(|f| f.fixed_ip.unwrap().to_string() == "20.0.0.9").unwrap();
        assert_eq!(faults(fip), *expected, "centralized: {name}");
        assert_eq!(topology.floating_ips.len(), 2, "centralized: {name}");
    }
}

#[test]
fn what_could_not_be_read_is_unknown_and_never_missing() {
    let why = || "Operation not permitted".to_owned();
    let nat = Scenario::article(Layout::Pike).edit(QROUTER, |netns| netns.netfilter = Observed::Unreadable(why()));
    let fip = the_only(&nat);
    assert_eq!(faults(&fip), [""; 0], "the rule, the route and the agent's file still name both addresses");
    assert_eq!(unknowns(&fip), ["dnat unknown", "float_snat unknown", "guard unknown", "nat_jumps unknown"]);
    assert_eq!(fip.state, FipState::Unknown);
    assert_eq!(Topology::of(&nat.snapshot).blind.len(), 1);

    let fip = the_only(&Scenario::article(Layout::Pike).unreadable(FIP));
    assert_eq!(faults(&fip), [""; 0]);
    assert_eq!(fip.state, FipState::Unknown);

    let routes = Scenario::article(Layout::Pike).edit(QROUTER, |netns| netns.routes = Observed::Unreadable(why()));
    assert_eq!(unknowns(&the_only(&routes)), ["table_16 unknown"]);
    let rules = Scenario::article(Layout::Pike).edit(FIP, |netns| netns.rules = Observed::Unreadable(why()));
    assert_eq!(unknowns(&the_only(&rules)), ["iif_rule unknown"]);
    let neighs = Scenario::article(Layout::Pike).edit(QROUTER, |netns| netns.neighs = Observed::Unreadable(why()));
    let fip = the_only(&neighs);
    assert_eq!(unknowns(&fip), ["neighbour unknown", "rfp_neighbour unknown"]);
    assert_eq!(fip.state, FipState::Ok, "neighbours are resolved when needed");

    assert!(Topology::of(&Scenario::article(Layout::Pike).unreadable(QROUTER).snapshot).blind.len() == 1);
}

#[test]
fn behind_a_riddle_nothing_is_sure() {
    let riddle = |chain| the_only(&Scenario::article(Layout::Pike).with_riddle(QROUTER, chain));
    assert_eq!(unknowns(&riddle("agent-PREROUTING")), ["dnat unknown"]);
    assert_eq!(unknowns(&riddle("float-snat")), ["float_snat unknown"]);
    assert_eq!(unknowns(&riddle("agent-POSTROUTING")), ["float_snat unknown"], "it comes first");
    let gone = Scenario::article(Layout::Pike).without_nat(QROUTER, "agent-PREROUTING", "Dnat");
    let fip = the_only(&gone.with_riddle(QROUTER, "agent-PREROUTING"));
    assert_eq!((faults(&fip), unknowns(&fip)), (vec![], vec!["dnat unknown".to_owned()]));
}
