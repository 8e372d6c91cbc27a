//! DVR401 to DVR415 on nodes of the real agent, broken one by one.

use fipscope::check::{Applicability, Confidence, Finding};
use fipscope::net::netfilter::{Chain, Table, parse_rule};
use fipscope::net::{ConntrackEntry, ConntrackFill, ConntrackTuple, Netns, Observed, Snapshot};

use crate::common::{FIXTURES, calm, edit, fixture, healthy, judge, only, unknowns};

const FLOATING: &str = "192.168.1.3";

/// Changes the rules of a chain; `nat/neutron-l3-agent-PREROUTING`.
fn rules(snapshot: &mut Snapshot, prefix: &str, place: &str, change: impl FnOnce(&mut Chain)) {
    let (table, chain) = place.split_once('/').unwrap();
    edit(snapshot, prefix, |netns: &mut Netns| {
        let Observed::Seen(netfilter) = &mut netns.netfilter else { panic!("not read") };
        let Observed::Seen(tables) = &mut netfilter.nft else { panic!("not read") };
        let named = |known: &&mut Table| known.name == table && known.chains.iter().any(|known| known.name == chain);
        let table = tables.iter_mut().find(named).unwrap();
        change(table.chains.iter_mut().find(|known| known.name == chain).unwrap());
    });
}

fn without(snapshot: &mut Snapshot, prefix: &str, place: &str, word: &str) {
    rules(snapshot, prefix, place, |chain| {
        let name = chain.name.clone();
        let before = chain.rules.len();
        chain.rules.retain(|rule| !rule.line(&name, fipscope::net::netfilter::NfFamily::Ip).to_string().contains(word));
        assert!(chain.rules.len() < before, "nothing to drop in {name}");
    });
}

fn with(snapshot: &mut Snapshot, prefix: &str, table: &str, line: &str) {
    let (chain, rule) = parse_rule(line).unwrap();
    rules(snapshot, prefix, &format!("{table}/{chain}"), |chain| chain.rules.insert(0, rule));
}

/// Its repair, carried out on the snapshot, leaves nothing behind.
fn mended(snapshot: &Snapshot, found: &Finding) {
    assert!(!found.mend.is_empty(), "{found:#?}");
    let mut after = snapshot.clone();
    after.apply(&found.mend);
    let left: Vec<_> = crate::common::root_findings(&after).into_iter().map(|one| one.id).collect();
    assert!(left.is_empty(), "{}: {left:?}", found.id);
}

fn sick(change: impl FnOnce(&mut Snapshot)) -> Snapshot {
    let mut snapshot = fixture("S2");
    change(&mut snapshot);
    snapshot
}

const PRE: &str = "nat/neutron-l3-agent-PREROUTING";
const FLOAT: &str = "nat/neutron-l3-agent-float-snat";
const POST: &str = "nat/neutron-l3-agent-POSTROUTING";

#[test]
fn healthy_nodes_have_nothing_of_it() {
    for (name, snapshot) in healthy() {
        calm(name, &snapshot, 401..=415);
        let told: Vec<u16> = unknowns(&snapshot).into_iter().filter(|code| (401..=415).contains(code)).collect();
        assert!(told.is_empty(), "{name}: {told:?}");
    }
    for name in FIXTURES {
        let snapshot = fixture(name);
        calm(name, &snapshot, 401..=415);
        let told: Vec<u16> = unknowns(&snapshot).into_iter().filter(|code| (401..=415).contains(code)).collect();
        assert!(told.is_empty(), "{name}: {told:?}");
    }
}

#[test]
fn translation_that_is_gone() {
    let node = sick(|node| without(node, "qrouter", PRE, "192.168.1.3/32"));
    let found = only(&node, 401);
    assert_eq!(found.floating_ip.unwrap().to_string(), FLOATING);
    assert_eq!(found.object.key, "DNAT 192.168.1.3");
    assert!(found.expected.as_ref().unwrap().ends_with("-i rfp-ef25020f-0 -j DNAT --to-destination 10.0.0.4"));
    mended(&node, &found);

    let node = sick(|node| without(node, "qrouter", FLOAT, "10.0.0.4/32"));
    let found = only(&node, 402);
    assert_eq!(
        (found.object.key.as_str(), found.fixed_ip.unwrap().to_string().as_str()),
        ("SNAT 10.0.0.4", "10.0.0.4")
    );
    mended(&node, &found);
}

#[test]
fn a_dnat_from_everywhere() {
    let node = sick(|node| {
        without(node, "qrouter", PRE, "192.168.1.3/32");
        with(
            node,
            "qrouter",
            "nat",
            "-A neutron-l3-agent-PREROUTING -d 192.168.1.3/32 -j DNAT --to-destination 10.0.0.4",
        );
    });
    mended(&node, &only(&node, 403));
    let node = sick(|node| {
        with(node, "qrouter", "nat", "-A neutron-l3-agent-OUTPUT -d 192.168.1.3/32 -j DNAT --to-destination 10.0.0.4");
    });
    mended(&node, &only(&node, 403));
}

#[test]
fn the_guard() {
    let node = sick(|node| without(node, "qrouter", POST, "rfp-"));
    mended(&node, &only(&node, 404));
    let node = sick(|node| {
        without(node, "qrouter", POST, "rfp-");
        let line = "-A neutron-l3-agent-POSTROUTING ! -o rfp-0 -m conntrack ! --ctstate DNAT -j ACCEPT";
        with(node, "qrouter", "nat", line);
    });
    let found = only(&node, 404);
    assert!(found.actual.as_ref().unwrap().contains("rfp-0"), "{found:?}");
    mended(&node, &found);
    let node = sick(|node| {
        rules(node, "qrouter", "nat/POSTROUTING", |chain| chain.rules.reverse());
    });
    assert_eq!(only(&node, 404).confidence, Confidence::Inferred);
}

#[test]
fn half_an_association() {
    let node = sick(|node| {
        without(node, "qrouter", PRE, "192.168.1.3/32");
        crate::common::drop_rule(node, "qrouter", "10.0.0.4");
    });
    let found = only(&node, 405);
    assert_eq!(found.floating_ip.unwrap().to_string(), FLOATING);
}

#[test]
fn tracked_connections() {
    let tuple = |src: &str, dst: &str| ConntrackTuple {
        src: src.parse().unwrap(),
        dst: dst.parse().unwrap(),
        proto: 6,
        sport: Some(1),
        dport: Some(2),
    };
    let entry = |fixed: &str| ConntrackEntry {
        original: tuple("192.168.1.100", FLOATING),
        reply: tuple(fixed, "192.168.1.100"),
        status: 0,
        mark: 0,
        zone: 0,
        timeout: None,
        id: None,
        started: None,
        original_count: None,
        reply_count: None,
    };
    let node = |entries: Vec<ConntrackEntry>| {
        sick(|node| edit(node, "qrouter", |netns| netns.conntrack = Some(Observed::Seen(entries))))
    };
    assert!(crate::common::roots(&node(vec![entry("10.0.0.4")])).is_empty());
    let found = only(&node(vec![entry("10.0.0.4"), entry("10.0.0.9")]), 406);
    assert_eq!(
        (found.object.key.as_str(), found.applicability),
        ("connections 192.168.1.3 10.0.0.9", Applicability::NeedsConsent)
    );
    assert_eq!(found.mend.len(), 1, "only the old one is forgotten");
    // Where half of the association is gone, what is left of its traffic is no old one.
    for (code, chain, words) in [(401, PRE, "192.168.1.3/32"), (402, FLOAT, "10.0.0.4/32")] {
        let mut half = node(vec![entry("10.0.0.4")]);
        without(&mut half, "qrouter", chain, words);
        only(&half, code);
    }
    let many = node((0..501).map(|id| ConntrackEntry { zone: id, ..entry("10.0.0.9") }).collect());
    let many = only(&many, 406);
    assert_eq!((many.applicability, many.mend.len()), (Applicability::DisplayOnly, 0));
    let fill = |count| Observed::Seen(ConntrackFill { count, max: 1000 });
    // Where nobody asked for them nothing is said; where they could not be read it is.
    let unasked = sick(|node| edit(node, "qrouter", |netns| netns.conntrack_fill = fill(5)));
    assert_eq!(unknowns(&unasked).iter().filter(|code| **code == 406).count(), 0);
    let denied = || Some(Observed::Unreadable("permission denied".to_owned()));
    let blind = sick(|node| edit(node, "qrouter", |netns| netns.conntrack = denied()));
    assert_eq!(unknowns(&blind).iter().filter(|code| **code == 406).count(), 1);

    let crowded = sick(|node| edit(node, "qrouter", |netns| netns.conntrack_fill = fill(1000)));
    assert_eq!(only(&crowded, 409).actual.as_deref(), Some("1000"));
    let node = sick(|node| without(node, "fip-", "raw/neutron-l3-agent-PREROUTING", "notrack"));
    mended(&node, &only(&node, 410));
}

#[test]
fn settings_of_tracking() {
    for (name, prefix, code, value) in [("loose", "snat", 407, 1), ("be_liberal", "qrouter", 408, 0)] {
        let mut node = fixture("S5");
        let key = format!("net.netfilter.nf_conntrack_tcp_{name}");
        edit(&mut node, prefix, |netns| netns.sysctls.insert(key, Observed::Seen(value)));
        mended(&node, &only(&node, code));
    }
}

#[test]
fn chains_that_nothing_leads_to() {
    for (place, word) in [
        ("nat/POSTROUTING", "neutron-postrouting-bottom"),
        ("nat/PREROUTING", "neutron-l3-agent-PREROUTING"),
        ("nat/neutron-l3-agent-snat", "float-snat"),
    ] {
        let node = sick(|node| without(node, "qrouter", place, word));
        mended(&node, &only(&node, 411));
    }
    let both = sick(|node| {
        edit(node, "qrouter", |netns| {
            let Observed::Seen(netfilter) = &mut netns.netfilter else { panic!("not read") };
            netfilter.legacy = netfilter.nft.clone();
        });
    });
    assert!(judge(&both).iter().any(|one| one.code.0 == 411));
}

#[test]
fn rules_before_the_agents() {
    for (line, fip) in [
        ("-A PREROUTING -d 192.168.1.3/32 -j ACCEPT", Some(FLOATING)),
        ("-A PREROUTING -p tcp -m tcp --dport 8080 -j REDIRECT --to-ports 80", None),
        ("-A PREROUTING -d 192.168.1.3/32 -p udp -m udp --dport 53 -j DNAT --to-destination 10.0.0.99", Some(FLOATING)),
        ("-A POSTROUTING -o rfp-ef25020f-0 -j MASQUERADE", None),
        ("-A POSTROUTING -s 10.0.0.4/32 -j SNAT --to-source 192.168.1.250", Some(FLOATING)),
    ] {
        let node = sick(|node| with(node, "qrouter", "nat", line));
        let found = only(&node, 411);
        assert!(found.actual.as_ref().unwrap().starts_with(line), "{found:?}");
        assert_eq!(found.floating_ip.map(|ip| ip.to_string()).as_deref(), fip, "{line}");
        assert_eq!((found.applicability, found.confidence), (Applicability::NeedsConsent, Confidence::Inferred));
        mended(&node, &found);
    }
    for line in [
        "-A PREROUTING -d 203.0.113.9/32 -j ACCEPT",
        "-A POSTROUTING -o qr-c2e43983-5c -j ACCEPT",
        "-A PREROUTING -d 192.168.1.3/32 -j LOG",
    ] {
        let harmless = sick(|node| with(node, "qrouter", "nat", line));
        assert!(crate::common::roots(&harmless).is_empty(), "{line}: {:?}", crate::common::roots(&harmless));
    }
}

#[test]
fn a_floating_ip_twice() {
    let node = sick(|node| {
        let line =
            "-A neutron-l3-agent-PREROUTING -d 192.168.1.3/32 -i rfp-ef25020f-0 -j DNAT --to-destination 10.0.0.5";
        let (chain, rule) = parse_rule(line).unwrap();
        rules(node, "qrouter", &format!("nat/{chain}"), |chain| chain.rules.push(rule));
    });
    assert_eq!(only(&node, 412).floating_ip.unwrap().to_string(), FLOATING);
}

#[test]
fn scopes_and_foreign_rules() {
    let node = sick(|node| {
        without(node, "qrouter", "mangle/neutron-l3-agent-scope", "-i rfp-");
        let line = "-A neutron-l3-agent-scope -i rfp-ef25020f-0 -j MARK --set-xmark 0x4010000/0xffff0000";
        with(node, "qrouter", "mangle", line);
    });
    mended(&node, &only(&node, 413));
    for (prefix, table, line) in [
        ("qrouter", "filter", "-A FORWARD -d 10.0.0.4/32 -j DROP"),
        ("qrouter", "filter", "-A FORWARD -s 10.0.0.4/32 -p tcp -m tcp --sport 22 -j DROP"),
        ("qrouter", "mangle", "-A PREROUTING -s 198.51.100.0/24 -j DROP"),
        ("fip-", "raw", "-A PREROUTING -d 192.168.1.3/32 -j DROP"),
    ] {
        let node = sick(|node| with(node, prefix, table, line));
        let found = only(&node, 415);
        assert!(found.actual.as_ref().unwrap().starts_with(line), "{found:?}");
        assert_eq!(found.applicability, Applicability::NeedsConsent);
        mended(&node, &found);
    }
    let harmless =
        sick(|node| with(node, "qrouter", "filter", "-A FORWARD -s 203.0.113.9/32 -d 203.0.113.10/32 -j DROP"));
    assert!(crate::common::roots(&harmless).is_empty());
}

#[test]
fn the_metadata_redirect() {
    let node = sick(|node| without(node, "qrouter", PRE, "169.254.169.254"));
    mended(&node, &only(&node, 414));
}
