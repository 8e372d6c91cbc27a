//! The law of changes: applying what leads from one snapshot to another to the
//! first gives the second.

#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test reads files and fails by panicking"
)]

use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use fipscope::check::judge;
use fipscope::kernel::offline::load;
use fipscope::net::netfilter::{
    BaseChain, Chain, Counters, Hook, Netfilter, NfFamily, NfRule, Policy, RuleBody, Table,
};
use fipscope::net::{
    Addr, AddrFlags, Agent, AllocationFile, ConntrackFill, Family, Gap, IfName, Link, LinkStats, Neigh, NeighState,
    Netns, NetnsName, Observed, OperState, Ovs, OvsPort, Recorded, Route, Rule, Snapshot, TableId, changes,
};
use fipscope::topology::Topology;
use fipscope::tui::Timeline;
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;

fn observed<T: std::fmt::Debug + Clone>(value: impl Strategy<Value = T>) -> impl Strategy<Value = Observed<T>> {
    prop_oneof![
        8 => value.prop_map(Observed::Seen),
        1 => Just(Observed::Absent),
        1 => "[ab]".prop_map(Observed::Unreadable),
    ]
}

fn dev() -> impl Strategy<Value = IfName> {
    prop::sample::select(vec!["lo", "qr-1", "rfp-2", "fg-3"]).prop_map(IfName::from)
}

fn link() -> impl Strategy<Value = Link> {
    (1..4_u32, dev(), 0..4_u32, any::<u64>(), prop::option::of(0..3_u32)).prop_map(
        |(index, name, flags, count, link)| Link {
            mtu: 1500,
            flags,
            state: OperState::Up,
            stats: LinkStats { rx_bytes: count, ..LinkStats::default() },
            link,
            ..Link::new(index, name)
        },
    )
}

fn addr() -> impl Strategy<Value = Addr> {
    (dev(), 0..3_u8, 8..10_u8, any::<bool>()).prop_map(|(dev, host, length, secondary)| Addr {
        dev,
        address: format!("10.0.0.{host}/{length}").parse().unwrap(),
        peer: None,
        broadcast: None,
        scope: 0,
        flags: AddrFlags { secondary, ..AddrFlags::default() },
    })
}

fn rule() -> impl Strategy<Value = Rule> {
    (any::<bool>(), 1..4_u32, 1..4_u32).prop_map(|(v4, priority, table)| {
        Rule::lookup(if v4 { Family::V4 } else { Family::V6 }, priority, TableId(table))
    })
}

fn route() -> impl Strategy<Value = Route> {
    let place = (1..3_u32, 0..2_u8, any::<bool>());
    (place, prop::option::of(0..3_u8), dev(), 0..2_u8).prop_map(|((table, net, v4), via, dev, protocol)| {
        let (dst, front) =
            if v4 { (format!("10.{net}.0.0/16"), "10.0.0.") } else { (format!("fd0{net}::/16"), "fd::") };
        let via = via.map(|via| format!("{front}{via}").parse().unwrap());
        Route { protocol, ..Route::unicast(TableId(table), dst.parse().unwrap(), via, &dev) }
    })
}

fn neigh() -> impl Strategy<Value = Neigh> {
    let states = vec![NeighState::Stale, NeighState::Reachable, NeighState::Failed, NeighState::Permanent];
    (dev(), 0..3_u8, prop::sample::select(states), any::<bool>()).prop_map(|(dev, host, state, proxy)| Neigh {
        dev,
        address: format!("10.0.0.{host}").parse().unwrap(),
        mac: None,
        state,
        proxy,
    })
}

fn chain() -> impl Strategy<Value = Chain> {
    let nf_rule = (0..4_u8, any::<u64>()).prop_map(|(text, number)| NfRule {
        handle: Some(number),
        counters: Some(Counters { packets: number, bytes: number }),
        body: RuleBody::NotUnderstood(text.to_string()),
    });
    let base = prop::option::of(any::<bool>().prop_map(|drop| BaseChain {
        hook: Hook::Forward,
        priority: 0,
        kind: "filter".to_owned(),
        policy: if drop { Policy::Drop } else { Policy::Accept },
        device: None,
    }));
    ("[abc]", base, vec(nf_rule, 0..6)).prop_map(|(name, base, rules)| Chain { name, base, counters: None, rules })
}

fn tables() -> impl Strategy<Value = Vec<Table>> {
    let table = ("[xy]", any::<bool>(), vec(chain(), 0..4));
    vec(table, 0..3).prop_map(|tables| {
        let table = |(name, dormant, chains)| Table { family: NfFamily::Ip, name, dormant, chains, others: Vec::new() };
        tables.into_iter().map(table).collect()
    })
}

fn netfilter() -> impl Strategy<Value = Netfilter> {
    (observed(tables()), observed(tables()), any::<bool>()).prop_map(|(nft, legacy, words_only)| Netfilter {
        nft,
        legacy,
        words_only,
    })
}

fn netns() -> impl Strategy<Value = Netns> {
    let lists = (
        observed(vec(link(), 0..4)),
        observed(vec(addr(), 0..5)),
        observed(vec(rule(), 0..7)),
        observed(vec(route(), 0..6)),
        observed(vec(neigh(), 0..5)),
    );
    let fill = prop_oneof![(any::<u64>(), 1..3_u64), (0..32_u64, 20..22_u64)];
    let rest = (
        observed(netfilter()),
        btree_map("[abc]", observed(0..3_i64), 0..3),
        observed(fill.prop_map(|(count, max)| ConntrackFill { count, max })),
        vec("[ab]".prop_map(|part| Gap::new(part, "")), 0..2),
    );
    (lists, rest).prop_map(|((links, addrs, rules, routes, neighs), (netfilter, sysctls, conntrack_fill, gaps))| {
        Netns { links, addrs, rules, routes, neighs, netfilter, sysctls, conntrack: None, conntrack_fill, gaps }
    })
}

fn snapshot() -> impl Strategy<Value = Snapshot> {
    let file = || observed((vec("[abc]", 0..5), any::<bool>()));
    let ovs = observed((vec(("[ab]", "[ab]", prop::option::of(1..3_u16)), 0..3), btree_map("[ab]", "[ab]", 0..2)));
    let agent = observed((1..3_u32, prop::option::of(1..9_u64)));
    let folder = prop::option::of("/[ab]");
    let host = (observed(netns()), file(), file(), ovs, agent, prop::option::of("[ab]"), any::<bool>(), folder);
    (btree_map("[abc]".prop_map(NetnsName::new), observed(netns()), 0..3), host).prop_map(|(namespaces, host)| {
        let mut snapshot = Snapshot::empty("node", jiff::Timestamp::UNIX_EPOCH);
        snapshot.namespaces = namespaces.into_iter().map(|(name, netns)| (name, netns.map(Arc::new))).collect();
        let file = |(lines, truncated)| AllocationFile { path: "/f".into(), lines, truncated };
        let port = |(name, bridge, tag)| OvsPort { name, bridge, tag, interfaces: Vec::new() };
        let (own, link_local, priorities, ovs, agent, kernel, ovn, ha_confs) = host;
        snapshot.host.netns = own.map(Arc::new);
        snapshot.host.link_local_file = link_local.map(file);
        snapshot.host.priority_file = priorities.map(file);
        snapshot.host.ovs = ovs.map(|(ports, external_ids)| {
            let mut ports: Vec<OvsPort> = ports.into_iter().map(port).collect();
            ports.sort();
            Ovs { ports, external_ids, version: None }
        });
        snapshot.host.agent = agent.map(|(pid, uptime)| Agent { pid, uptime, ..Agent::default() });
        snapshot.host.kernel = kernel;
        snapshot.host.ovn_controller = ovn;
        snapshot.host.ha_confs_path = ha_confs.map(PathBuf::from);
        snapshot
    })
}

/// Links that share an index have no order of their own.
fn canonical(snapshot: &Snapshot) -> Snapshot {
    let mut settled = snapshot.settled();
    for netns in settled.each_netns_mut() {
        if let Observed::Seen(links) = &mut netns.links {
            links.sort_by_key(|link| format!("{link:?}"));
        }
    }
    settled
}

proptest! {
    #[test]
    fn applying_the_changes_leads_there(before in snapshot(), after in snapshot()) {
        let mut applied = before.clone();
        let list = changes(&before, &after);
        applied.apply(&list);
        prop_assert_eq!(canonical(&applied), canonical(&after));
        prop_assert!(changes(&applied, &after).is_empty());
        for change in &list {
            prop_assert!(!change.to_string().contains('\n'));
        }
    }

    #[test]
    fn every_remembered_moment_is_that_node_again(nodes in vec(snapshot(), 2..8)) {
        let mut timeline = Timeline::default();
        let mut stood = Vec::new();
        for (second, mut node) in (0..).zip(nodes) {
            node.taken_at = jiff::Timestamp::from_second(second).unwrap();
            let node = Arc::new(node);
            timeline.read(&node, Vec::new());
            // What differs in nothing that is told is no moment of its own.
            stood.truncate(usize::try_from(timeline.end_position()).unwrap());
            stood.push(node);
        }
        prop_assert_eq!(timeline.begin_position(), 0);
        for (position, node) in (0..).zip(&stood) {
            let again = timeline.node_at(position).unwrap();
            prop_assert_eq!(canonical(&again), canonical(node));
        }
        // Back and forward go over the same positions.
        let mut position = timeline.end_position();
        while let Some(before) = timeline.back(position) {
            prop_assert!(before < position);
            prop_assert!(timeline.forward(before).is_some_and(|next| next <= position));
            prop_assert!(timeline.told_since(before) >= timeline.told_since(position));
            position = before;
        }
    }

    #[test]
    fn a_snapshot_does_not_differ_from_itself(node in snapshot()) {
        prop_assert_eq!(changes(&node, &node), vec![]);
        prop_assert!(node.same_as(&node.settled()));
    }

    #[test]
    fn changes_survive_being_written(before in snapshot(), after in snapshot()) {
        let list = changes(&before, &after);
        let text = serde_json::to_string(&list).unwrap();
        let back: Vec<fipscope::net::Change> = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(&back, &list);
        let line = Recorded::new(after.taken_at, list).heard(before.taken_at);
        let line = serde_json::to_value(line).unwrap();
        let errors: Vec<String> = SCHEMA.iter_errors(&line).map(|error| error.to_string()).collect();
        prop_assert!(errors.is_empty(), "{errors:?}\n{line:#}");
    }
}

/// What a line of a recording has to be.
static SCHEMA: LazyLock<jsonschema::Validator> = LazyLock::new(|| {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/schema/fipscope.record.1.json");
    let schema = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    jsonschema::draft202012::options().should_validate_formats(true).build(&schema).unwrap()
});

#[test]
fn a_line_that_says_something_else_is_no_line_of_a_recording() {
    let line = |change: &str| {
        let text =
            format!("{{\"schema\":\"fipscope.record/1\",\"at\":\"2026-01-01T00:00:00Z\",\"changes\":[{change}]}}");
        SCHEMA.is_valid(&serde_json::from_str(&text).unwrap())
    };
    assert!(line(""));
    assert!(line(r#"{"netns":null,"before":null,"after":{"fact":{"kernel":"6.1"}}}"#));
    for wrong in [
        r#"{"netns":null,"after":{"fact":{"kernel":"6.1"}}}"#,
        r#"{"netns":null,"before":null,"after":{"fact":{"weather":"6.1"}}}"#,
        r#"{"netns":null,"before":null,"after":{"door":{}}}"#,
        r#"{"netns":"a","before":null,"after":{"sysctl":["net.ipv4.ip_forward",1]}}"#,
        r#"{"netns":"a","before":null,"after":{"addr":{"dev":"lo"}}}"#,
    ] {
        assert!(!line(wrong), "{wrong}");
    }
}

fn article() -> Snapshot {
    load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/sosreport/flat")).unwrap()
}

fn router(snapshot: &mut Snapshot) -> &mut Netns {
    let name = NetnsName::from("qrouter-ef25020f-012c-41d6-a36e-f2f09cb8ea62");
    snapshot.netns_mut(&name).unwrap()
}

fn seen<T>(part: &mut Observed<T>) -> &mut T {
    match part {
        Observed::Seen(value) => value,
        Observed::Absent | Observed::Unreadable(_) => panic!("not seen"),
    }
}

#[test]
fn changes_speak_the_words_of_the_node() {
    let before = article();
    let mut after = before.clone();
    let netns = router(&mut after);
    seen(&mut netns.rules).retain(|rule| rule.priority.0 != 61068);
    seen(&mut netns.links).iter_mut().find(|link| link.name.as_str() == "rfp-ef25020f-0").unwrap().flags &= !1;
    let netfilter = seen(&mut netns.netfilter);
    let nat = seen(&mut netfilter.nft).iter_mut().find(|table| table.name == "nat").unwrap();
    let chain = nat.chains.iter_mut().find(|chain| chain.name == "neutron-l3-agent-float-snat").unwrap();
    chain.rules.clear();
    for neigh in seen(&mut netns.neighs).iter_mut() {
        neigh.state = NeighState::Stale;
    }
    seen(&mut after.host.priority_file).lines.push("192.168.1.4,32769".to_owned());
    after.namespaces.remove(&NetnsName::from("fip-cef4f7b4-c344-4904-a847-a9960f58fb20"));

    let list = changes(&before, &after);
    let words: Vec<String> = list.iter().map(ToString::to_string).collect();
    let has = |part: &str| assert!(words.iter().any(|line| line.contains(part)), "{part}: {words:#?}");
    has("fip-cef4f7b4-c344-4904-a847-a9960f58fb20: - namespace (3 links)");
    has("- rule 61068: from 10.0.0.4 lookup 16");
    has("~ link rfp-ef25020f-0: <BROADCAST,MULTICAST,UP,LOWER_UP> → <BROADCAST,MULTICAST,LOWER_UP>");
    has("- ip nat: -A neutron-l3-agent-float-snat -s 10.0.0.4/32");
    has("+ fip-priorities: 192.168.1.4,32769");
    assert_eq!(words.iter().filter(|line| line.contains("float-snat")).count(), 1, "{words:#?}");
    // Permanent entries that became learned ones are no flapping.
    assert!(list.iter().filter(|change| change.to_string().contains("neighbour")).all(|change| !change.is_flapping()));
    let mut applied = before.clone();
    applied.apply(&list);
    assert_eq!(applied.settled(), after.settled());
}

#[test]
fn a_recording_tells_that_connection_tracking_fills_up() {
    let with = |count| {
        let mut node = article();
        router(&mut node).conntrack_fill = Observed::Seen(ConntrackFill { count, max: 1000 });
        node
    };
    let found = |node: &Snapshot| {
        let all = judge(node, &Topology::of(node));
        all.iter().filter(|one| one.code.0 == 409 && one.why_unknown.is_none()).count()
    };
    // Each reading is compared with the one before; `again` is what a recording makes of it.
    let (mut again, mut before) = (with(10), with(10));
    for (count, words, wanted) in [
        (899, None, 0),
        (900, Some("conntrack: 899 of at most 1000 entries → 900 of at most 1000 entries"), 1),
        (999, None, 1),
        (1000, Some("conntrack: 999 of at most 1000 entries → 1000 of at most 1000 entries"), 1),
        (20, Some("conntrack: 1000 of at most 1000 entries → 20 of at most 1000 entries"), 0),
    ] {
        let now = with(count);
        let list = changes(&before, &now);
        let told: Vec<String> = list.iter().map(fipscope::net::Change::words).collect();
        assert_eq!(told, words.as_slice(), "{count}");
        again.apply(&list);
        assert_eq!((found(&again), found(&now)), (wanted, wanted), "{count}: {told:?}");
        before = now;
    }
    assert!(with(10).same_as(&with(999)), "entries come and go beside what is done and undone");
}

#[test]
fn one_inserted_rule_is_one_change() {
    let before = article();
    let mut after = before.clone();
    let netfilter = seen(&mut router(&mut after).netfilter);
    let chain =
        seen(&mut netfilter.nft).iter_mut().flat_map(|table| &mut table.chains).find(|chain| chain.rules.len() > 2);
    let drop = NfRule { handle: None, counters: None, body: RuleBody::NotUnderstood("drop".to_owned()) };
    chain.unwrap().rules.insert(1, drop);
    assert_eq!(changes(&before, &after).len(), 1);
}

#[test]
fn the_order_of_equal_routes_counts_in_ipv4_only() {
    let node = |dst: &str, devices: [&str; 2]| {
        let mut snapshot = Snapshot::empty("node", jiff::Timestamp::UNIX_EPOCH);
        let route = |dev: &str| Route::unicast(TableId::MAIN, dst.parse().unwrap(), None, &IfName::from(dev));
        let routes = Observed::Seen(devices.map(route).to_vec());
        snapshot.namespaces.insert("ns".into(), Observed::Seen(Netns { routes, ..Netns::default() }.into()));
        snapshot
    };
    let (one, other) = (node("10.0.0.0/24", ["b", "a"]), node("10.0.0.0/24", ["a", "b"]));
    assert!(!one.same_as(&other), "the first one is used");
    let words: Vec<String> = changes(&one, &other).iter().map(ToString::to_string).collect();
    assert_eq!(words, ["ns: - route 10.0.0.0/24 dev b", "ns: + route 10.0.0.0/24 dev b"]);
    assert!(node("fe80::/64", ["b", "a"]).same_as(&node("fe80::/64", ["a", "b"])));
}

#[test]
fn learned_neighbours_flap_and_failed_ones_do_not() {
    let neigh = |state, mac: &str| Neigh {
        dev: IfName::from("fg-1"),
        address: "192.168.1.1".parse().unwrap(),
        mac: Some(mac.parse().unwrap()),
        state,
        proxy: false,
    };
    let node = |neighs: Vec<Neigh>| {
        let mut snapshot = Snapshot::empty("node", jiff::Timestamp::UNIX_EPOCH);
        let netns = Netns { neighs: Observed::Seen(neighs), ..Netns::default() };
        snapshot.namespaces.insert("fip".into(), Observed::Seen(netns.into()));
        snapshot
    };
    let stale = node(vec![neigh(NeighState::Stale, "52:54:00:00:00:01")]);
    let flaps = |other: &Snapshot| changes(&stale, other).iter().all(fipscope::net::Change::is_flapping);
    assert!(flaps(&node(vec![neigh(NeighState::Reachable, "52:54:00:00:00:01")])));
    assert!(flaps(&node(vec![])));
    assert!(!flaps(&node(vec![neigh(NeighState::Reachable, "52:54:00:00:00:02")])));
    assert!(!flaps(&node(vec![neigh(NeighState::Failed, "52:54:00:00:00:01")])));
    assert!(stale.same_as(&node(vec![])), "learned neighbours come and go");
}
