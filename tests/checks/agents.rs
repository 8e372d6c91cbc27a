//! Namespaces and the agent.

use fipscope::check::{Confidence, Finding, Severity};
use fipscope::net::{Agent, Netns, Observed, Ovs, OvsPort, PathOrigin, Peer, Snapshot, TableId};
use fipscope::neutron::Layout;
use fipscope::topology::ObjectKind;
use fipscope::topology::scenario::{FIP, FPR, NETWORK, QROUTER, ROUTER, Scenario};

use super::common::{
    FIXTURES, calm, drop_link, drop_route, drop_route_of, drop_rule, edit_link, fixture, healthy, judge, only, words,
};

const REAL_FIP: &str = "fip-cef4f7b4-c344-4904-a847-a9960f58fb20";

/// The findings of a code, whatever else there is.
fn of(snapshot: &Snapshot, code: u16) -> Vec<Finding> {
    judge(snapshot).into_iter().filter(|one| one.code.0 == code).collect()
}

/// The agent's way of losing a namespace: its devices go, and the other ends of its pairs.
fn without_fip(snapshot: Snapshot, name: &str) -> Snapshot {
    let mut snapshot = Scenario { snapshot }.without_namespace(name).snapshot;
    drop_link(&mut snapshot, "qrouter-ef25", "rfp-");
    snapshot
}

fn without_router(mut snapshot: Snapshot) -> Snapshot {
    snapshot = Scenario { snapshot }.without_namespace(QROUTER).snapshot;
    drop_link(&mut snapshot, "fip-", "fpr-ef25");
    snapshot
}

#[test]
fn healthy_nodes_are_calm() {
    for (name, snapshot) in healthy() {
        calm(name, &snapshot, 101..=199);
    }
    for name in FIXTURES {
        calm(name, &fixture(name), 101..=199);
    }
}

#[test]
fn without_the_fip_namespace() {
    for (name, snapshot) in [("made up", Scenario::article(Layout::Pike).snapshot), ("real", fixture("S1"))] {
        let found = only(&without_fip(snapshot, REAL_FIP), 101);
        assert_eq!(found.router.as_deref(), Some(ROUTER), "{name}");
        assert_eq!((found.severity, found.object.kind), (Severity::Error, ObjectKind::Netns));
        assert!(found.message.contains("192.168.1.3"), "{}", found.message);
        assert_eq!(found.actual.as_deref(), Some("no fip namespace"));
    }
    // With its name still told by the pair.
    let found = of(&Scenario::article(Layout::Pike).without_namespace(FIP).snapshot, 101);
    assert_eq!(found.iter().map(words).collect::<Vec<_>>(), [(101, FIP.to_owned(), FIP.to_owned())]);
}

#[test]
fn a_lost_pair_is_no_lost_namespace() {
    let mut snapshot = fixture("S1");
    drop_link(&mut snapshot, "qrouter-", "rfp-");
    drop_link(&mut snapshot, "fip-", "fpr-");
    assert_eq!(of(&snapshot, 101), []);
    assert_eq!(of(&snapshot, 104), [], "a router still wants it");
}

#[test]
fn a_router_without_translation_needs_no_fip_namespace() {
    // S15: a rule stands for a floating IP that is centralized elsewhere.
    for name in ["S11", "S15"] {
        assert_eq!(of(&fixture(name), 101), [], "{name}");
    }
}

#[test]
fn without_the_router_namespace() {
    for (name, snapshot) in [("made up", Scenario::article(Layout::Pike).snapshot), ("real", fixture("S1"))] {
        let found = only(&without_router(snapshot), 102);
        assert_eq!(words(&found), (102, QROUTER.to_owned(), QROUTER.to_owned()), "{name}");
        assert_eq!((found.router.as_deref(), found.external_network.as_deref()), (Some(ROUTER), Some(NETWORK)));
        assert!(found.message.contains(FPR) && found.message.contains("fip-linklocal-networks"), "{}", found.message);
    }
    let real = of(&without_router(fixture("S1")), 102);
    assert!(real[0].message.contains("port qr-c2e43983-5c"), "{}", real[0].message);
}

#[test]
fn a_line_of_the_file_alone_is_no_router() {
    let mut snapshot = fixture("S1");
    let Observed::Seen(file) = &mut snapshot.host.link_local_file else { panic!("no file") };
    file.lines.push("00000000-012c-41d6-a36e-f2f09cb8ea62,169.254.100.2/31".to_owned());
    assert_eq!(of(&snapshot, 102), []);
}

/// A port `qr-…` of Open vSwitch whose device is nowhere, and a line of the file:
/// both together tell of a router, where no rule does.
#[test]
fn a_port_that_was_left_behind_tells_whose_line_it_is() {
    for layout in [Layout::Juno, Layout::Newton] {
        let mut snapshot = without_router(Scenario::article(layout).snapshot);
        assert_eq!(of(&snapshot, 102), [], "{layout:?}: a line alone");
        let port = |name: &str| OvsPort { name: name.to_owned(), bridge: "br-int".to_owned(), ..OvsPort::default() };
        let ports = vec![port("qr-c2e43983-5c"), port("tapc2e43983-5c")];
        snapshot.host.ovs = Observed::Seen(Ovs { ports, ..Ovs::default() });
        assert_eq!(of(&snapshot, 102), [], "{layout:?}: its device may be the host's");
        let own = Netns { links: Observed::Seen(Vec::new()), ..Netns::default() };
        snapshot.host.netns = Observed::Seen(own.into());
        let found = of(&snapshot, 102);
        assert_eq!(found.iter().map(words).collect::<Vec<_>>(), [(102, QROUTER.to_owned(), QROUTER.to_owned())]);
        assert_eq!((found[0].router.as_deref(), found[0].external_network.as_deref()), (Some(ROUTER), None));
        assert_eq!(found[0].confidence, Confidence::Inferred);
        assert_eq!(found[0].expected.as_deref(), Some(format!("namespace {QROUTER}").as_str()));
        let message = &found[0].message;
        assert!(message.contains("a line of fip-linklocal-networks (") && message.contains("port qr-c2e43983-5c of"));
        assert!(!message.contains("tapc2e43983-5c") && !message.contains("a rule for"), "{message}");

        // Its device may be where nobody could look.
        let blind = Scenario { snapshot: snapshot.clone() }.unreadable(FIP).snapshot;
        assert_eq!(of(&blind, 102), [], "{layout:?}");
        let Observed::Seen(file) = &mut snapshot.host.link_local_file else { panic!("no file") };
        file.lines.clear();
        assert_eq!(of(&snapshot, 102), [], "{layout:?}: a port alone is nobody's");
    }
}

#[test]
fn a_router_that_serves_nobody_is_a_note() {
    let mut snapshot = fixture("S10");
    assert_eq!(of(&snapshot, 103), [], "the database knows no instance at all");
    let Observed::Seen(ovs) = &mut snapshot.host.ovs else { panic!("no Open vSwitch") };
    let port =
        |tag| OvsPort { name: "tap0".to_owned(), bridge: "br-int".to_owned(), tag: Some(tag), ..OvsPort::default() };
    ovs.ports.push(port(99));
    let found = of(&snapshot, 103);
    assert_eq!((found.len(), found[0].severity), (1, Severity::Note));
    let Observed::Seen(ovs) = &mut snapshot.host.ovs else { panic!("no Open vSwitch") };
    ovs.ports.push(port(2));
    assert_eq!(of(&snapshot, 103), [], "an instance on its VLAN");
}

#[test]
fn a_fip_namespace_for_nobody_is_a_note() {
    let found = of(&fixture("S13"), 104);
    assert_eq!(found.iter().map(words).collect::<Vec<_>>(), [(104, REAL_FIP.to_owned(), REAL_FIP.to_owned())]);
    assert_eq!(found[0].severity, Severity::Note);
    assert_eq!(of(&fixture("S12"), 104), [], "a pair is enough");
}

#[test]
fn a_ghost_keeps_the_other_end() {
    let mut snapshot = fixture("S1");
    edit_link(&mut snapshot, "qrouter-", "rfp-", |link| link.peer = Some(Peer::Elsewhere));
    for device in ["fpr-", "fg-"] {
        drop_link(&mut snapshot, "fip-", device);
    }
    let found = only(&snapshot, 106);
    assert_eq!(words(&found), (106, QROUTER.to_owned(), "rfp-ef25020f-0".to_owned()));
    assert_eq!(found.external_network.as_deref(), Some(NETWORK));
    let blind = Scenario { snapshot }.unreadable("fip-unread");
    assert!(of(&blind.snapshot, 106)[0].why_unknown.is_some(), "it may be in the one that was not read");
}

#[test]
fn a_name_without_a_namespace() {
    let mut snapshot = fixture("S13");
    let why = "'fip-00' is not a network namespace: nothing is mounted on the file yet, or nothing is any more";
    snapshot.namespaces.insert("fip-00".into(), Observed::Unreadable(why.to_owned()));
    assert_eq!(words(&only(&snapshot, 107)), (107, "fip-00".to_owned(), "fip-00".to_owned()));
    let forbidden = Scenario { snapshot: fixture("S13") }.unreadable("fip-00").snapshot;
    assert!(of(&forbidden, 107)[0].why_unknown.as_deref().is_some_and(|why| why.contains("not permitted")));
    // What is not the L3 agent's is not its concern.
    assert_eq!(of(&Scenario { snapshot: fixture("S13") }.unreadable("other").snapshot, 107), []);
}

#[test]
fn the_agent_is_missed_where_it_is_configured() {
    let mut snapshot = fixture("S1");
    assert_eq!(of(&snapshot, 108)[0].severity, Severity::Note, "nobody knows where the agent would be");
    snapshot.host.path_origin = PathOrigin::Configuration;
    assert_eq!(words(&only(&snapshot, 108)), (108, "host".to_owned(), "neutron-l3-agent".to_owned()));
    snapshot.host.agent = Observed::Seen(Agent { pid: 7, ..Agent::default() });
    assert_eq!(of(&snapshot, 108), []);
    snapshot.host.agent = Observed::Unreadable("no /proc".to_owned());
    assert!(of(&snapshot, 108)[0].why_unknown.is_some());
}

#[test]
fn a_router_that_was_left_half_built() {
    let mut snapshot = fixture("S10");
    drop_rule(&mut snapshot, "fip-", "iif fpr-");
    drop_route(&mut snapshot, "fip-", "default via");
    assert_eq!(of(&snapshot, 109), [], "table 16 still stands");
    drop_route_of(&mut snapshot, "qrouter-", TableId(16), "default via");
    let found = only(&snapshot, 109);
    assert_eq!(words(&found), (109, QROUTER.to_owned(), QROUTER.to_owned()));
    assert!(found.message.contains("no rule for fpr"), "{}", found.message);
}
