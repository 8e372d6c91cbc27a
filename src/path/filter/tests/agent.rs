//! The chains that the L3 agent makes, in its three layouts, and dumps of nodes
//! that it made.

use super::*;
use crate::net::{NetnsName, Snapshot};
use crate::neutron::Layout;
use crate::topology::scenario::{FIXED, FLOATING, QR, QROUTER, RFP, SNAT, Scenario};

const LAYOUTS: [Layout; 3] = [Layout::Juno, Layout::Newton, Layout::Pike];
const QROUTER_TEXT: &str = include_str!("../../../../tests/fixtures/iptables/qrouter.txt");
const SNAT_TEXT: &str = include_str!("../../../../tests/fixtures/iptables/snat.txt");
const FIP_TEXT: &str = include_str!("../../../../tests/fixtures/iptables/fip.txt");
const OTHER_QR: &str = "qr-369f59a5-2c";

fn netfilter<'s>(snapshot: &'s Snapshot, namespace: &str) -> &'s Observed<Netfilter> {
    &snapshot.namespaces[&NetnsName::from(namespace)].seen().unwrap().netfilter
}

fn fixed(dst: &str) -> Packet {
    tcp(&FIXED.to_string(), dst)
}

#[test]
fn a_floating_ip_out_and_its_reply() {
    for layout in LAYOUTS {
        let node = Scenario::article(layout).snapshot;
        let filter = Filter::of(netfilter(&node, QROUTER));
        let (fate, out) = forward(&filter, QR, RFP, fixed("203.0.113.9"), &[]);
        assert_eq!(fate, Fate::Pass);
        // `--random-fully` from 15.0.0 on.
        let port = (layout != Layout::Pike).then_some(40000);
        assert_eq!(out.packet.source(), Endpoint { address: FLOATING, port }, "{layout:?}");
        let [(kind, before, _, rule)] = translations(&filter, &out).try_into().unwrap();
        assert_eq!((kind, before), (NatKind::Snat, end("10.0.0.4", 40000)));
        let rule = rule.unwrap();
        let wanted = "-A neutron-l3-agent-float-snat -s 10.0.0.4/32 -j SNAT --to-source 192.168.1.3";
        assert_eq!(rule.trim_end_matches(" --random-fully"), wanted);
        let known = [out.confirmed().unwrap().clone()];
        let (_, reply) = forward(&filter, RFP, QR, out.packet.answer(), &known);
        assert_eq!(reply.packet, fixed("203.0.113.9").answer());
        let undo = (NatKind::UndoSnat, Endpoint { address: FLOATING, port }, end("10.0.0.4", 40000), None);
        assert_eq!(translations(&filter, &reply), [undo]);
    }
}

#[test]
fn a_floating_ip_in_and_its_reply() {
    for layout in LAYOUTS {
        let node = Scenario::article(layout).snapshot;
        let filter = Filter::of(netfilter(&node, QROUTER));
        let asked = tcp("203.0.113.9", &FLOATING.to_string());
        let (fate, inward) = forward(&filter, RFP, QR, asked, &[]);
        assert_eq!((fate, inward.packet.destination()), (Fate::Pass, end("10.0.0.4", 80)));
        assert_eq!(inward.packet.source(), end("203.0.113.9", 40000), "the guard or no rule keeps the source");
        let known = [inward.confirmed().unwrap().clone()];
        let (_, reply) = forward(&filter, QR, RFP, inward.packet.answer(), &known);
        assert_eq!(reply.packet, asked.answer());
        assert_eq!(translations(&filter, &reply)[0].0, NatKind::UndoDnat);
    }
}

#[test]
fn a_floating_ip_asked_from_inside() {
    for layout in LAYOUTS {
        let node = Scenario::article(layout).snapshot;
        let filter = Filter::of(netfilter(&node, QROUTER));
        // Juno translates whatever the input device, the others only on rfp.
        let asked = tcp("20.0.0.9", &FLOATING.to_string());
        let mut passing = Passing::new(asked);
        let at = Crossing { iif: OTHER_QR, ..Crossing::default() };
        assert_eq!(filter.pass(Hook::Prerouting, &at, &mut passing, &[]), Fate::Pass);
        assert_eq!(passing.packet.dst == FIXED, layout == Layout::Juno, "{layout:?}");
        // Only Juno translates what the namespace itself sends.
        let (_, sent) = send(&filter, RFP, tcp("10.0.0.1", &FLOATING.to_string()), &[]);
        assert_eq!(sent.packet.dst == FIXED, layout == Layout::Juno, "{layout:?}");
    }
}

#[test]
fn the_guard_keeps_east_west_as_it_is() {
    for layout in LAYOUTS {
        let node = Scenario::article(layout).snapshot;
        let filter = Filter::of(netfilter(&node, QROUTER));
        let (fate, passing) = forward(&filter, QR, OTHER_QR, fixed("20.0.0.9"), &[]);
        assert_eq!((fate, passing.packet), (Fate::Pass, fixed("20.0.0.9")));
        assert!(passing.events.is_empty());
    }
    // Without it the instance's neighbours see its floating IP.
    let text: String =
        QROUTER_TEXT.lines().filter(|line| !line.contains("! -o rfp-")).flat_map(|l| [l, "\n"]).collect();
    let netfilter = tables(&text);
    let (_, passing) = forward(&Filter::of(&netfilter), QR, OTHER_QR, fixed("20.0.0.9"), &[]);
    assert_eq!(passing.packet.src, FLOATING);
}

#[test]
fn metadata_is_redirected_marked_and_let_in() {
    let netfilter = tables(QROUTER_TEXT);
    let filter = Filter::of(&netfilter);
    let asked = fixed("169.254.169.254");
    let (fate, inward) = deliver(&filter, QR, asked, &[]);
    assert_eq!((fate, inward.packet.destination()), (Fate::Pass, end("10.0.0.1", 9697)));
    assert_eq!(marks(&inward), [(0, 0x0400_0000), (0x0400_0000, 0x0400_0001)]);
    let known = [inward.confirmed().unwrap().clone()];
    let (_, reply) = send(&filter, QR, inward.packet.answer(), &known);
    assert_eq!(reply.packet, Packet { mark: 0, ..asked.answer() });
    // The proxy's port itself is closed to everybody else.
    let (fate, _) = deliver(&filter, QR, Packet { dport: Some(9697), ..fixed("10.0.0.1") }, &[]);
    assert_eq!(
        dropped_by(&filter, &fate),
        "-A neutron-l3-agent-INPUT -p tcp -m tcp --dport 9697 -j DROP (table filter)"
    );
}

#[test]
fn scopes_that_differ_are_kept_apart() {
    let netfilter = tables(QROUTER_TEXT);
    let filter = Filter::of(&netfilter);
    let (fate, passing) = forward(&filter, QR, RFP, fixed("203.0.113.9"), &[]);
    assert_eq!((fate, marks(&passing)), (Fate::Pass, vec![(0, 0x0400_0000)]));
    let (told, _) = filter.told(&passing.events);
    assert_eq!(told[0].rule, format!("-A neutron-l3-agent-scope -i {QR} -j MARK --set-xmark 0x4000000/0xffff0000"));
    // A device without a scope mark: nothing passes to one that has a scope.
    let (fate, _) = forward(&filter, "qr-other", RFP, fixed("203.0.113.9"), &[]);
    assert!(dropped_by(&filter, &fate).starts_with(&format!("-A neutron-l3-agent-scope -o {RFP} -m mark ! --mark")));
}

#[test]
fn the_scope_mark_is_saved_in_the_connection_and_restored() {
    let netfilter = tables(SNAT_TEXT);
    let filter = Filter::of(&netfilter);
    let (sg, qg) = ("sg-a12ca269-1e", "qg-8b15f111-eb");
    let (fate, out) = forward(&filter, sg, qg, tcp("10.0.0.7", "203.0.113.9"), &[]);
    assert_eq!((fate, out.packet.source()), (Fate::Pass, end("192.168.1.22", None)));
    let known = [out.confirmed().unwrap().clone()];
    assert_eq!(known[0].mark, 0x0400_0000);
    let other = [Connection { mark: 0x0500_0000, ..known[0].clone() }];
    let (fate, reply) = forward(&filter, qg, sg, out.packet.answer(), &known);
    assert_eq!((fate, reply.packet.destination()), (Fate::Pass, end("10.0.0.7", 40000)));
    assert_eq!(marks(&reply), [(0, 2), (2, 0x0400_0002)]);
    let (fate, reply) = forward(&filter, qg, sg, out.packet.answer(), &other);
    assert_eq!(marks(&reply), [(0, 2), (2, 0x0400_0002), (0x0400_0002, 0x0500_0002)]);
    assert!(matches!(fate, Fate::Drop(_)), "the connection's scope is not that of sg");
}

#[test]
fn a_centralized_floating_ip_and_its_neighbours() {
    let node = Scenario::article(Layout::Pike).with_centralized().snapshot;
    let dump = tables(SNAT_TEXT);
    for (netfilter, sg) in [(netfilter(&node, SNAT), "sg-deca2112-a5"), (&dump, "sg-deca2112-a5")] {
        let filter = Filter::of(netfilter);
        let qg = "qg-8b15f111-eb";
        let (_, inward) = forward(&filter, qg, sg, tcp("203.0.113.9", "192.168.1.9"), &[]);
        assert_eq!(inward.packet.destination(), end("20.0.0.9", 80));
    }
    let filter = Filter::of(&dump);
    // From inside to a centralized floating IP: both sides change, by the rule for
    // what did not come in by qg.
    let (_, hairpin) = forward(&filter, "sg-a12ca269-1e", "sg-deca2112-a5", tcp("10.0.0.7", "192.168.1.9"), &[]);
    assert_eq!(hairpin.packet.destination(), end("20.0.0.9", 80));
    assert_eq!(hairpin.packet.source(), end("192.168.1.22", None));
    assert!(translations(&filter, &hairpin)[1].3.as_ref().unwrap().contains("-m mark ! --mark 0x2/0xffff"));
    // From outside the source stays.
    let (_, inward) = forward(&filter, "qg-8b15f111-eb", "sg-deca2112-a5", tcp("203.0.113.9", "192.168.1.9"), &[]);
    assert_eq!(inward.packet.source(), end("203.0.113.9", 40000));
}

#[test]
fn the_fip_namespace_tracks_nothing() {
    let netfilter = tables(FIP_TEXT);
    let filter = Filter::of(&netfilter);
    let (fate, passing) = forward(&filter, "fg-b2b77eed-1b", "fpr-ef25020f-0", tcp("203.0.113.9", "192.168.1.3"), &[]);
    assert_eq!(fate, Fate::Pass);
    assert!(passing.untracked && passing.confirmed().is_none() && passing.events.is_empty());
}
