//! What only the wire decides: which questions are asked, and what answers come to.

use std::collections::BTreeSet;

use fipscope::check::{Confidence, Finding, Pick, Severity, judge_with, questions};
use fipscope::net::{
    ArpQuestion, Link, Mac, NeighState, Observed, Snapshot, WireAnswer, WireAnswers, WireQuestion, WireReply,
};
use fipscope::neutron::Layout;
use fipscope::topology::Topology;
use fipscope::topology::scenario::{FG, FIP, QR, QROUTER, SNAT, Scenario};

use crate::common::{FIXTURES, device, edit, edit_link, fixture, healthy, judge};

const WIRE: [u16; 5] = [606, 607, 610, 702, 801];
const OTHER: Mac = Mac([2, 0, 0, 0, 0, 0x66]);

fn asked(node: &Snapshot) -> Vec<ArpQuestion> {
    asked_for(node, "")
}

fn asked_for(node: &Snapshot, select: &str) -> Vec<ArpQuestion> {
    let select = select.split_whitespace().map(|word| word.parse().unwrap()).collect();
    let pick = Pick { select, ..Pick::default() };
    let all = questions(node, &Topology::of(node), &pick, None);
    all.into_iter().map(|WireQuestion::Arp(question)| question).collect()
}

/// Sender, target and device of each question.
fn words(questions: &[ArpQuestion]) -> Vec<String> {
    questions.iter().map(|one| format!("{} from {} on {}", one.target, one.sender, one.device)).collect()
}

fn answered(macs: &[Mac]) -> WireAnswer {
    WireAnswer::Answered(macs.iter().map(|mac| WireReply { mac: *mac, rtt: 100 }).collect())
}

/// What a healthy network answers: gateways, and instances as the entries say.
fn healthy_answer(node: &Snapshot, question: &ArpQuestion) -> WireAnswer {
    let topology = Topology::of(node);
    if topology.external_networks.iter().any(|network| network.gateways.contains(&question.target.into())) {
        return answered(&[Mac([2, 0, 0, 1, 0, 1])]);
    }
    let neighs = node.netns(&question.namespace).unwrap().neighs();
    let entry = neighs.iter().find(|neigh| neigh.dev == question.device && neigh.address == question.target);
    entry.and_then(|neigh| neigh.mac).map_or(WireAnswer::Silent, |mac| answered(&[mac]))
}

/// Findings, where the network is healthy but for some answers.
fn told(node: &Snapshot, but: impl Fn(&ArpQuestion) -> Option<WireAnswer>) -> Vec<Finding> {
    let answers: WireAnswers = asked(node)
        .into_iter()
        .map(|question| {
            let answer = but(&question).unwrap_or_else(|| healthy_answer(node, &question));
            (WireQuestion::Arp(question), answer)
        })
        .collect();
    judge_with(node, &Topology::of(node), &answers)
}

fn of_wire(findings: Vec<Finding>) -> Vec<Finding> {
    findings.into_iter().filter(|one| WIRE.contains(&one.code.0)).collect()
}

fn only(findings: Vec<Finding>, code: u16) -> Finding {
    let mut found = of_wire(findings);
    assert_eq!(found.iter().map(|one| one.code.0).collect::<Vec<_>>(), [code], "{found:#?}");
    let one = found.remove(0);
    assert_eq!((one.confidence, &one.because_of), (Confidence::Proved, &None));
    one
}

/// Another answer to the question for one address.
fn instead(address: &str, answer: WireAnswer) -> impl Fn(&ArpQuestion) -> Option<WireAnswer> {
    move |question| (question.target.to_string() == address).then(|| answer.clone())
}

#[test]
fn without_answers_nothing_of_it_is_judged() {
    let mut nodes: Vec<_> = healthy().into_iter().map(|(_, node)| node).collect();
    nodes.extend(FIXTURES.map(fixture));
    for node in &nodes {
        assert_eq!(of_wire(judge(node)), []);
        // Where there are no answers, the rest is judged as ever.
        let rest = |findings: Vec<Finding>| findings.into_iter().filter(|one| !WIRE.contains(&one.code.0));
        let with = judge_with(node, &Topology::of(node), &WireAnswers::new());
        assert_eq!(rest(with).collect::<Vec<_>>(), rest(judge(node)).collect::<Vec<_>>());
    }
}

#[test]
fn a_healthy_network_has_nothing_of_it() {
    let mut nodes: Vec<_> = healthy().into_iter().map(|(name, node)| (name.to_owned(), node)).collect();
    nodes.extend(FIXTURES.map(|name| (name.to_owned(), fixture(name))));
    for (name, node) in &nodes {
        let found: Vec<Finding> = of_wire(told(node, |_| None));
        let loud: Vec<_> = found.iter().filter(|one| one.is_fault()).collect();
        assert!(loud.is_empty(), "{name}: {loud:#?}");
    }
}

#[test]
fn the_questions_of_a_node() {
    let node = Scenario::article(Layout::Pike).with_centralized().snapshot;
    let qg = device(&node, SNAT, "qg-");
    let all = words(&asked(&node));
    for wanted in [
        format!("192.168.1.1 from 192.168.1.23 on {FG}"),
        format!("192.168.1.23 from 0.0.0.0 on {FG}"),
        // With a sender of its own: a proxy does not hear 0.0.0.0.
        format!("192.168.1.3 from 192.168.1.23 on {FG}"),
        format!("10.0.0.4 from 10.0.0.1 on {QR}"),
    ] {
        assert!(all.contains(&wanted), "{wanted} {all:#?}");
    }
    let probes: Vec<_> = all.iter().filter(|one| one.ends_with(&format!("from 0.0.0.0 on {qg}"))).collect();
    assert_eq!(probes.len(), 1, "qg's own address, not the floating IPs on it: {all:#?}");
    // A code's questions are its own.
    assert_eq!(words(&asked_for(&node, "DVR610")), [format!("192.168.1.1 from 192.168.1.23 on {FG}")]);
    assert_eq!(words(&asked_for(&node, "DVR3")), Vec::<String>::new());
    let distinct: BTreeSet<_> = all.iter().collect();
    assert_eq!(distinct.len(), all.len());
}

#[test]
fn a_floating_ip_has_its_own_questions() {
    let node = Scenario::scale(Layout::Pike, 3, 2).snapshot;
    let topology = Topology::of(&node);
    let fip = &topology.floating_ips[3];
    let narrowed = questions(&node, &topology, &Pick::default(), Some(fip));
    let narrowed: Vec<ArpQuestion> = narrowed.into_iter().map(|WireQuestion::Arp(question)| question).collect();
    let targets: BTreeSet<String> = narrowed.iter().map(|one| one.target.to_string()).collect();
    assert!(targets.contains(&fip.floating_ip.unwrap().to_string()), "{targets:?}");
    assert!(narrowed.len() < asked(&node).len());
    for other in topology.floating_ips.iter().filter(|other| *other != fip) {
        assert!(!targets.contains(&other.floating_ip.unwrap().to_string()), "{targets:?}");
    }
}

#[test]
fn another_host_has_fgs_address() {
    let node = fixture("S1");
    let found = only(told(&node, instead("192.168.1.23", answered(&[OTHER]))), 606);
    assert_eq!(found.namespace.as_ref().unwrap().as_str(), FIP);
    assert_eq!((found.object.key.as_str(), found.severity), ("192.168.1.23", Severity::Error));
    assert_eq!(found.actual.as_deref(), Some("02:00:00:00:00:66"));
    // A frame of its own that comes back is no other host.
    let own = node.netns(found.namespace.as_ref().unwrap()).unwrap().link(&FG.into()).and_then(|link: &Link| link.mac);
    assert_eq!(of_wire(told(&node, instead("192.168.1.23", answered(&[own.unwrap()])))), []);
}

#[test]
fn another_host_answers_for_the_floating_ip() {
    let node = fixture("S1");
    let found = only(told(&node, instead("192.168.1.3", answered(&[OTHER]))), 607);
    assert_eq!(found.floating_ip.unwrap().to_string(), "192.168.1.3");
    assert_eq!(found.severity, Severity::Error);
    // A gateway with local proxy ARP answers for everybody.
    let gateway = Mac([2, 0, 0, 1, 0, 1]);
    let found = only(told(&node, instead("192.168.1.3", answered(&[gateway]))), 607);
    assert_eq!(found.severity, Severity::Warning);
    // Without its route the node does not claim it.
    let bare = Scenario::article(Layout::Pike).without_route(FIP, fipscope::net::TableId::MAIN, "192.168.1.3/32");
    assert!(!words(&asked(&bare.snapshot)).iter().any(|one| one.starts_with("192.168.1.3 ")));
}

#[test]
fn one_address_in_two_networks_is_asked_in_each() {
    let node = Scenario::article(Layout::Pike).with_second_network(Layout::Pike).snapshot;
    let fips: Vec<_> = asked_for(&node, "DVR607").into_iter().filter(|one| one.target.octets()[3] == 3).collect();
    assert_eq!(fips.len(), 2, "{fips:#?}");
    assert_ne!(fips[0].namespace, fips[1].namespace);
}

#[test]
fn a_gateway_that_is_silent() {
    let node = fixture("S1");
    let found = only(told(&node, instead("192.168.1.1", WireAnswer::Silent)), 610);
    assert_eq!((found.object.key.as_str(), found.severity), ("192.168.1.1", Severity::Error));
    // What nobody could ask is not told healthy.
    let dark = of_wire(told(&node, instead("192.168.1.1", WireAnswer::NotAsked("no way".to_owned()))));
    assert_eq!(dark.iter().map(|one| (one.code.0, one.is_doubt())).collect::<Vec<_>>(), [(610, true)]);
    assert_eq!(dark[0].why_unknown.as_deref(), Some("no way"));
}

#[test]
fn a_port_that_cannot_ask_follows_from_its_own_fault() {
    let mut node = fixture("S1");
    edit_link(&mut node, "fip-", "fg-", |link| link.flags &= !1);
    let found = told(&node, |_| None);
    let ours: Vec<_> = found.iter().filter(|one| [606, 607, 610].contains(&one.code.0)).collect();
    assert_eq!(ours.len(), 3, "{ours:#?}");
    for one in ours {
        assert!(one.because_of.as_ref().is_some_and(|cause| cause.starts_with("DVR602")), "{one:#?}");
    }
    assert!(!asked(&node).iter().any(|one| one.device.as_str() == FG));
}

#[test]
fn an_entry_that_another_instance_answers_for() {
    let node = fixture("S1");
    let found = only(told(&node, instead("10.0.0.4", answered(&[OTHER]))), 702);
    assert_eq!(found.object.key, format!("10.0.0.4 dev {QR}"));
    assert_eq!(found.fixed_ip.unwrap().to_string(), "10.0.0.4");
    // Observed: the instance's own entry is written anew at a restart.
    assert_eq!(found.agent, fipscope::check::AgentDoes::HealsOnRestart);
    let mut mended = node.clone();
    mended.apply(&found.mend);
    assert_eq!(of_wire(told(&mended, instead("10.0.0.4", answered(&[OTHER])))), []);
    // Silence says nothing, and the right one among several is right.
    let entry = healthy_answer(&node, asked(&node).iter().find(|one| one.target.octets() == [10, 0, 0, 4]).unwrap());
    let WireAnswer::Answered(right) = entry else { panic!("{entry:?}") };
    for fine in [WireAnswer::Silent, answered(&[OTHER, right[0].mac])] {
        assert_eq!(of_wire(told(&node, instead("10.0.0.4", fine))), []);
    }
    // Two strangers: nobody knows which.
    let two = only(told(&node, instead("10.0.0.4", answered(&[OTHER, Mac([2, 0, 0, 0, 0, 0x67])]))), 702);
    assert!(two.mend.is_empty());
}

#[test]
fn entries_that_are_learned_are_not_asked_about() {
    let mut node = fixture("S1");
    edit(&mut node, QROUTER, |netns| {
        let Observed::Seen(neighs) = &mut netns.neighs else { panic!("not read") };
        for neigh in neighs {
            neigh.state = NeighState::Stale;
        }
    });
    assert_eq!(asked_for(&node, "DVR702"), []);
}

#[test]
fn two_nodes_with_one_routers_external_address() {
    let node = fixture("S5");
    let found = only(told(&node, instead("192.168.1.22", answered(&[OTHER]))), 801);
    assert!(found.namespace.as_ref().unwrap().as_str().starts_with("snat-"));
    assert!(found.router.is_some());
    // A standby has no address there, and its port is down: it asks nothing.
    let mut standby = fixture("S5");
    edit_link(&mut standby, "snat-", "qg-", |link| link.flags &= !1);
    assert_eq!(asked_for(&standby, "DVR801"), []);
    assert!(of_wire(told(&standby, |_| None)).iter().all(|one| one.code.0 != 801));
}
