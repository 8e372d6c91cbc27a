//! The wire asked from the findings screen, and findings acknowledged there.

use std::collections::BTreeSet;
use std::sync::Arc;

use fipscope::check::{Pick, questions};
use fipscope::net::{Mac, WireAnswer, WireAnswers, WireReply};
use fipscope::neutron::Layout;
use fipscope::topology::scenario::Scenario;
use fipscope::tui::{Effect, Msg, Node, Screen, Watching};
use insta::assert_snapshot;

use crate::article;
use crate::desk::Desk;
use crate::findings;

/// Another host answers for 192.168.1.3, the gateway and nobody else.
fn answers(node: &Node) -> Arc<WireAnswers> {
    let questions = questions(&node.snapshot, &node.topology, &Pick::default(), None);
    let answer = |target: &str| match target {
        "192.168.1.3" => WireAnswer::Answered(vec![WireReply { mac: Mac([2, 0, 0, 0, 0, 0x66]), rtt: 210 }]),
        "192.168.1.1" => WireAnswer::Answered(vec![WireReply { mac: Mac([2, 0, 0, 1, 0, 1]), rtt: 180 }]),
        _ => WireAnswer::Silent,
    };
    let fipscope::net::WireQuestion::Arp(first) = questions.first().expect("nothing to ask");
    assert!(!first.device.as_str().is_empty());
    let all = questions.into_iter().map(|question| {
        let fipscope::net::WireQuestion::Arp(asked) = &question;
        let answer = answer(&asked.target.to_string());
        (question, answer)
    });
    Arc::new(all.collect())
}

fn live(width: u16, height: u16) -> Desk {
    let mut desk = Desk::with(width, height, Node::of(Scenario::article(Layout::Pike).snapshot));
    desk.state.live = true;
    desk
}

#[test]
fn p_asks_the_wire_once_and_shows_what_it_answered() {
    let mut desk = live(100, 30).keys("fpp");
    assert_eq!(desk.effects, [Effect::Probe], "once at a time");
    assert!(desk.screen().contains("the wire is being asked"), "{}", desk.screen());
    let node = desk.state.node.clone().unwrap();
    let answers = answers(&node);
    desk.send(Msg::Probed(Ok(node.clone().probed(answers))));
    let desk = desk.keys("g");
    let screen = desk.screen();
    assert!(screen.contains("DVR607 floating-ip-answered-twice") && screen.contains("the wire was asked"), "{screen}");
    assert!(screen.contains("02:00:00:00:00:66"), "{screen}");
    assert_snapshot!("probe-100x30", screen);
    // The floating IP is broken by it, until the node is read again.
    let overview = desk.keys("<esc>").screen();
    assert!(overview.contains("✗ 192.168.1.3"), "{overview}");
}

#[test]
fn the_next_reading_takes_the_answers_away() {
    let mut desk = live(100, 30).keys("fp");
    let node = desk.state.node.clone().unwrap();
    let answers = answers(&node);
    desk.send(Msg::Probed(Ok(node.clone().probed(answers.clone()))));
    desk.send(Msg::Node(Ok(Node::of((*node.snapshot).clone()))));
    assert!(!desk.screen().contains("DVR607"), "{}", desk.screen());
    // A reading that came in while the wire was asked is to be judged by the answers.
    let mut desk = live(100, 30).keys("fp");
    let node = desk.state.node.clone().unwrap();
    let newer = Node::of((*node.snapshot).clone());
    desk.send(Msg::Node(Ok(newer.clone())));
    desk.send(Msg::Probed(Ok(node.probed(answers.clone()))));
    assert_eq!(desk.effects, [Effect::Probe, Effect::Hold(answers.clone())]);
    assert!(!desk.screen().contains("DVR607"), "{}", desk.screen());
    desk.send(Msg::Probed(Ok(newer.probed(answers))));
    assert!(desk.screen().contains("DVR607"), "{}", desk.screen());
    assert_eq!(desk.effects.len(), 2, "that is all");
}

#[test]
fn where_the_node_is_watched_the_answers_are_held_against_what_comes() {
    let mut desk = live(100, 30).keys("fp");
    let node = desk.state.node.clone().unwrap();
    let watching = Watching { at: node.snapshot.taken_at, oldest: 0, deaf: 0, overruns: 0 };
    desk.send(Msg::Watching(watching));
    let answers = answers(&node);
    desk.send(Msg::Probed(Ok(node.probed(answers.clone()))));
    assert!(desk.screen().contains("DVR607"), "{}", desk.screen());
    assert_eq!(desk.effects.last(), Some(&Effect::Hold(answers)));
}

#[test]
fn what_cannot_be_asked_is_said() {
    let offline = Desk::with(100, 30, article::healthy()).keys("fp");
    assert_eq!(offline.effects, []);
    assert!(offline.screen().contains("no wire to ask"), "{}", offline.screen());
    let mut failed = live(100, 30).keys("fp");
    failed.send(Msg::Probed(Err("no\u{1b}[2J thread\ntry again".to_owned())));
    assert!(!failed.state.probing && failed.screen().contains("thread"), "{}", failed.screen());
    assert!(!failed.screen().contains('\u{1b}'));
    // It can be asked again.
    assert_eq!(failed.keys("p").effects, [Effect::Probe, Effect::Probe]);
}

#[test]
fn what_is_acknowledged_stands_at_the_end_and_counts_apart() {
    let mut desk = Desk::with(110, 30, findings::node()).keys("fgA");
    let [Effect::Acknowledge { node, id, revoke: false }] = desk.effects.as_slice() else {
        panic!("{:?}", desk.effects)
    };
    assert!(id.starts_with("DVR301@"), "{id}");
    assert_eq!(*node, desk.state.node.as_ref().unwrap().snapshot.node);
    let ids = BTreeSet::from([id.clone()]);
    desk.send(Msg::Acknowledged(Ok(ids.clone())));
    let judged = &desk.state.node.as_ref().unwrap().judged;
    assert_eq!((judged.counts.errors, judged.counts.acknowledged), (0, 1));
    let Some(Screen::Findings(view)) = desk.state.above.last() else { panic!("{:?}", desk.state.above) };
    let codes: Vec<u16> = view.rows.iter().map(|row| judged.findings[row.at()].code.0).collect();
    assert_eq!(codes, [701, 401, 301]);
    assert_snapshot!("acknowledged-110x30", desk.screen());
    // The cursor is on the next one; on the acknowledged one the key takes it back, from what follows, too.
    let desk = desk.keys("G<right>jA");
    assert_eq!(desk.effects.last(), Some(&Effect::Acknowledge { node: node_of(&desk), id: id_of(&ids), revoke: true }));
    let mut desk = desk;
    desk.send(Msg::Acknowledged(Ok(BTreeSet::new())));
    assert_eq!(desk.state.node.as_ref().unwrap().judged.counts.acknowledged, 0);
    desk.send(Msg::Acknowledged(Err("cannot write\nmove the file".to_owned())));
    assert!(desk.screen().contains("cannot write; move the file"), "{}", desk.screen());
}

fn node_of(desk: &Desk) -> String {
    desk.state.node.as_ref().unwrap().snapshot.node.clone()
}

fn id_of(ids: &BTreeSet<String>) -> String {
    ids.first().unwrap().clone()
}

#[test]
fn what_is_acknowledged_stays_so_when_the_wire_has_answered() {
    let mut desk = live(100, 30).keys("fp");
    let node = desk.state.node.clone().unwrap();
    let probed = node.clone().probed(answers(&node));
    let id = probed.judged.findings.iter().find(|one| one.code.0 == 607).unwrap().id.clone();
    desk.send(Msg::Acknowledged(Ok(BTreeSet::from([id]))));
    desk.send(Msg::Probed(Ok(probed)));
    let counts = desk.state.node.as_ref().unwrap().judged.counts;
    assert_eq!((counts.errors, counts.acknowledged), (0, 1));
}
