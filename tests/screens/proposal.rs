//! A change on the screen: its plan, the word that is typed for it, how far it
//! is, what became of it.

use std::sync::Arc;

use fipscope::net::Snapshot;
use fipscope::neutron::Layout;
use fipscope::plan::journal::{Back, Begin, Entry, Event, Outcome, Past, Planned};
use fipscope::plan::{CaseKind, Told};
use fipscope::topology::scenario::{FIP, FPR, QROUTER, RFP, Scenario};
use fipscope::tui::theme::Theme;
use fipscope::tui::{Effect, Msg, Node, Order, Over, Proposal, Purpose, Screen, Stage, Wanted};
use insta::assert_snapshot;

use crate::desk::Desk;

/// Two routers; 192.168.1.3 lacks its rule, and its pair is down.
pub fn broken() -> Node {
    let node = Scenario::article(Layout::Pike).with_second_router(Layout::Pike);
    Node::of(node.without_rule(QROUTER, "from 10.0.0.4 ").link_down(FIP, FPR).snapshot)
}

pub fn live(width: u16, height: u16, node: Node) -> Desk {
    let mut desk = Desk::with(width, height, node);
    desk.state.live = true;
    desk
}

/// Only the rule is missing: one root cause that is safe to mend.
pub fn ruleless() -> Node {
    Node::of(Scenario::article(Layout::Pike).without_rule(QROUTER, "from 10.0.0.4 ").snapshot)
}

pub fn shown(desk: &Desk) -> &Proposal {
    match desk.state.above.last() {
        Some(Screen::Proposal(shown)) => shown,
        other => panic!("no plan but {other:?}"),
    }
}

pub fn order(desk: &Desk) -> Arc<Order> {
    shown(desk).order.clone().unwrap()
}

/// What the journal says of a change that begins with that order.
pub fn begin(order: &Order, id: u64) -> Begin {
    Begin {
        id,
        at: crate::article::taken_at(),
        node: "compute-1".to_owned(),
        boot: "boot".to_owned(),
        snapshot: "0".to_owned(),
        intent: order.plan.intent.clone(),
        undoes: None,
        aim: order.aim.clone(),
        steps: Begin::planned(&order.plan),
    }
}

pub fn step(id: u64, step: u32, event: Event) -> Entry {
    Entry::Step { id, step, at: crate::article::taken_at(), event }
}

fn end(id: u64, outcome: Outcome) -> Entry {
    Entry::End { id, at: crate::article::taken_at(), outcome }
}

pub fn nothing() -> Back {
    Back::Nothing("it is gone".to_owned())
}

/// A change with its order carried out, or failed.
pub fn past(order: &Order, id: u64, failed: bool) -> Past {
    let mut past = Past::from(begin(order, id));
    for Planned { id: number, .. } in Begin::planned(&order.plan) {
        past.take(step(id, number, Event::Doing(nothing())));
        past.take(step(id, number, if failed { Event::Undone } else { Event::Done }));
    }
    past.take(end(id, if failed { Outcome::RolledBack } else { Outcome::Done }));
    past
}

#[test]
fn a_plan_at_every_size() {
    for (width, height) in [(40, 10), (60, 20), (80, 24), (140, 40)] {
        let desk = live(width, height, ruleless());
        assert_snapshot!(format!("plan-repair-{width}x{height}"), desk.keys("192.168.1.3<enter>r").screen());
        let desk = live(width, height, ruleless());
        assert_snapshot!(format!("plan-remove-{width}x{height}"), desk.keys("192.168.1.3<enter>d").screen());
    }
}

#[test]
fn ascii_and_no_colour_say_the_same() {
    let keys = "192.168.1.3<enter>d";
    let mut plain = live(100, 30, ruleless());
    plain.state.theme = Theme::plain();
    assert_eq!(plain.keys(keys).screen(), live(100, 30, ruleless()).keys(keys).screen());
    let mut ascii = live(100, 30, ruleless());
    ascii.state.theme.ascii = true;
    let ascii = ascii.keys(keys);
    assert!(ascii.screen().is_ascii());
    assert_snapshot!("plan-ascii", ascii.screen());
}

#[test]
fn r_proposes_to_mend_what_is_in_sight() {
    let chain = live(100, 30, broken()).keys("192.168.1.3<enter>r");
    // The selected link, where more than that is wrong; A takes all of it.
    assert!(matches!(&shown(&chain).wanted, Wanted::Link(fip, _) if fip.label() == "192.168.1.3"));
    assert_eq!(order(&chain).roots, 1);
    assert!(
        chain.screen().contains("1 other root cause of 192.168.1.3 stays; A mends all of them."),
        "{}",
        chain.screen()
    );
    let all = chain.keys("A");
    assert!(matches!(&shown(&all).wanted, Wanted::Working(fip) if fip.label() == "192.168.1.3"));
    assert_eq!(order(&all).roots, 2);
    assert!(all.keys("A").screen().contains("mends all that it is about already"));
    let sound = live(100, 30, broken()).keys("192.168.1.3<enter>gr");
    assert!(matches!(&shown(&sound).wanted, Wanted::Working(_)), "{:?}", shown(&sound).wanted);
    let overview = live(100, 30, broken()).keys("192.168.1.3<esc>").keys("r");
    let Some(Screen::Proposal(of_row)) = overview.state.above.last() else { panic!("{:?}", overview.state.above) };
    assert!(matches!(&of_row.wanted, Wanted::Working(_)));
    let finding = live(100, 30, broken()).keys("fgr");
    assert!(matches!(&shown(&finding).wanted, Wanted::Mended(ids) if ids.len() == 1), "{:?}", shown(&finding).wanted);
    // Esc is one step: the screen before is as it was.
    assert!(matches!(finding.keys("<esc>").state.above.as_slice(), [Screen::Findings(_)]));
    // Where nothing is wrong, it says so.
    let well = live(100, 30, Node::of(Scenario::article(Layout::Pike).snapshot)).keys("192.168.1.3<enter>r");
    assert!(well.screen().contains("nothing is wrong here\n"), "{}", well.screen());
    assert_eq!(well.keys("<enter>").effects, []);
}

#[test]
fn what_neutron_has_is_said_of_a_removal() {
    let kind = |desk: &Desk| order(desk).plan.agent.map(|case| (case.kind, case.told));
    let desk = live(100, 30, Node::of(Scenario::article(Layout::Pike).snapshot)).keys("192.168.1.3<enter>d");
    let by_files = kind(&desk);
    assert_eq!(by_files.map(|(_, told)| told), Some(Told::Files));
    let has = desk.keys("N");
    assert_eq!(kind(&has), Some((CaseKind::StillThere, Told::Given)));
    assert!(has.screen().contains("(as said)"), "{}", has.screen());
    let has_not = has.keys("N");
    assert_eq!(kind(&has_not), Some((CaseKind::Dropped, Told::Given)));
    let anew = has_not.keys("N");
    assert_eq!(kind(&anew), by_files);
    // Nothing is carried out by it, and of nothing else it is said.
    assert_eq!(anew.effects, []);
    let repair = live(100, 30, ruleless()).keys("192.168.1.3<enter>rN");
    assert!(repair.screen().contains("this is said of a removal"), "{}", repair.screen());
}

#[test]
fn marked_findings_are_mended_together() {
    let all = live(100, 30, broken()).keys("fg");
    let roots = all.state.node.as_ref().unwrap().judged.findings.iter().filter(|one| one.because_of.is_none()).count();
    assert!(roots >= 2, "{roots}");
    let marked = all.keys("mjm");
    assert_eq!(
        marked.screen().lines().filter(|line| line.chars().nth(2) == Some('*')).count(),
        2,
        "{}",
        marked.screen()
    );
    let all = marked.keys("M");
    assert!(all.screen().lines().all(|line| line.chars().nth(2) != Some('*')), "{}", all.screen());
    let desk = all.keys("Mr");
    assert!(matches!(&shown(&desk).wanted, Wanted::Mended(ids) if ids.len() == 2));
    assert!(desk.screen().contains("repair 2 findings"), "{}", desk.screen());
    let order = order(&desk);
    assert_eq!(order.roots, 2);
    // What is to be gone is named once, however many causes lead to it.
    let mut gone = order.aim.gone.clone();
    gone.sort();
    gone.dedup();
    assert_eq!(gone.len(), order.aim.gone.len());
    // A mark is taken away as it was set.
    let unmarked = desk.keys("<esc>gmjm");
    assert!(unmarked.screen().lines().all(|line| line.chars().nth(2) != Some('*')), "{}", unmarked.screen());
}

#[test]
fn enter_carries_a_safe_plan_out() {
    let desk = live(100, 30, ruleless()).keys("192.168.1.3<enter>r");
    let order = order(&desk);
    assert_eq!(order.consent(), None, "{:?}", order.plan);
    assert!(
        desk.screen().contains("1 root cause, 1 step, nothing else changes; Enter carries it out"),
        "{}",
        desk.screen()
    );
    let desk = desk.keys("<enter>");
    assert_eq!(desk.effects, [Effect::Apply(order)]);
    assert!(desk.state.changing && shown(&desk).stage == Stage::Running);
    // Once is enough; and one change at a time.
    let desk = desk.keys("<enter>");
    assert_eq!(desk.effects.len(), 1);
    let second = desk.keys("<esc>r<enter>");
    assert_eq!(second.effects.len(), 1);
    assert!(second.screen().contains("another change is under way"), "{}", second.screen());
}

#[test]
fn a_word_is_typed_where_traffic_may_drop() {
    let desk = live(100, 30, ruleless()).keys("192.168.1.3<enter>d<enter>");
    assert_eq!(desk.effects, []);
    assert_eq!(desk.state.prompt.as_ref().unwrap().purpose, Purpose::Consent { word: "192.168.1.3".to_owned() });
    assert!(desk.screen().contains("traffic may drop: type 192.168.1.3 to go on: "), "{}", desk.screen());
    for other in ["<enter>", "yes<enter>", "192.168.1.33<enter>", "192.168.1.<enter>"] {
        let refused = live(100, 30, ruleless()).keys("192.168.1.3<enter>d<enter>").keys(other);
        assert_eq!(refused.effects, [], "{other}");
        assert!(refused.screen().contains("nothing was done"), "{}", refused.screen());
        assert_eq!(shown(&refused).stage, Stage::Shown(false));
    }
    let left = live(100, 30, ruleless()).keys("192.168.1.3<enter>d<enter>192<esc>");
    assert!(left.state.prompt.is_none() && left.effects.is_empty());
    assert_eq!(shown(&left).stage, Stage::Shown(false), "Esc is one step");
    let desk = desk.keys("192.168.1.3<enter>");
    assert_eq!(desk.effects, [Effect::Apply(order(&desk))]);
}

#[test]
fn what_may_not_be_changed_is_refused_with_the_reason() {
    let offline = Desk::with(100, 30, ruleless()).keys("192.168.1.3<enter>r<enter>");
    assert!(offline.screen().contains("a saved reading: nothing can be changed"), "{}", offline.screen());
    let mut forbidden = live(100, 30, ruleless());
    forbidden.state.read_only = true;
    let forbidden = forbidden.keys("192.168.1.3<enter>d<enter>");
    assert!(forbidden.screen().contains("read-only was asked for"), "{}", forbidden.screen());
    let mut powerless = live(100, 30, ruleless());
    powerless.state.lacking = vec!["CAP_NET_ADMIN".to_owned()];
    let powerless = powerless.keys("192.168.1.3<enter>d<enter>");
    assert!(powerless.screen().contains("run it as root, this process has no CAP_NET_ADMIN"), "{}", powerless.screen());
    for desk in [offline, forbidden, powerless] {
        assert!(desk.effects.is_empty() && desk.state.prompt.is_none() && !desk.state.changing);
        // Copied or saved it can be all the same.
        let script = order(&desk).plan.script();
        assert_eq!(desk.keys("y").effects, [Effect::Copy(script)]);
    }
}

#[test]
fn a_plan_is_saved_under_a_plain_name() {
    let desk = live(100, 30, ruleless()).keys("192.168.1.3<enter>rw");
    let [Effect::Save { name, text }] = desk.effects.as_slice() else { panic!("{:?}", desk.effects) };
    assert_eq!(name, "fipscope-repair-192.168.1.3.sh");
    assert!(text.starts_with("#!/bin/sh\n") && text.contains("rule add"), "{text}");
    let mut desk = desk;
    desk.send(Msg::Saved(Ok("/root/fipscope.sh".to_owned())));
    assert!(desk.screen().contains("saved: /root/fipscope.sh"), "{}", desk.screen());
    desk.send(Msg::Saved(Err("it is there\u{1b}[2J already".to_owned())));
    assert!(desk.screen().contains("already") && !desk.screen().contains('\u{1b}'), "{}", desk.screen());
}

#[test]
fn the_plan_follows_the_node_until_it_is_carried_out() {
    let mut desk = live(100, 30, ruleless()).keys("192.168.1.3<enter>r");
    // The same node read again changes nothing.
    desk.send(Msg::Node(Ok(ruleless())));
    assert_eq!(shown(&desk).stage, Stage::Shown(false));
    desk.send(Msg::Node(Ok(broken())));
    assert!(desk.screen().contains("The node changed and the plan was made anew: "), "{}", desk.screen());
    assert!(desk.screen().contains("Changed: "), "it says what differs: {}", desk.screen());
    // It is looked at before it is carried out.
    let effects = desk.effects.len();
    let desk = desk.keys("<enter>");
    assert_eq!((desk.effects.len(), &shown(&desk).stage), (effects, &Stage::Shown(false)));
    assert!(!desk.screen().contains("Changed: "), "{}", desk.screen());
    // Under way it stays as it was begun.
    let mut desk = live(100, 30, ruleless()).keys("192.168.1.3<enter>r<enter>");
    let before = order(&desk);
    desk.send(Msg::Node(Ok(broken())));
    assert_eq!(order(&desk), before);
}

#[test]
fn a_word_meant_for_another_plan_does_nothing() {
    let mut desk = live(100, 30, ruleless()).keys("192.168.1.3<enter>d<enter>192.168.1.");
    desk.send(Msg::Node(Ok(ruleless())));
    assert!(desk.state.prompt.is_some(), "the plan is the same");
    desk.send(Msg::Node(Ok(Node::of(Scenario::article(Layout::Pike).snapshot))));
    assert!(desk.state.prompt.is_none());
    assert!(desk.screen().contains("plan was made anew: nothing was done"), "{}", desk.screen());
    assert_eq!(desk.keys("3<enter>").effects, []);
}

#[test]
fn the_pair_goes_along_only_when_asked_for_and_alone() {
    let desk = live(100, 30, ruleless()).keys("192.168.1.3<enter>d");
    assert!(desk.screen().contains("The router's pair stays; P takes it along"), "{}", desk.screen());
    let with = desk.keys("P");
    assert!(with.screen().contains("remove 192.168.1.3 and the router's pair"), "{}", with.screen());
    assert!(order(&with).plan.steps.iter().any(|step| step.command().contains(&format!("link del {RFP}"))));
    let without = with.keys("P");
    assert!(without.screen().contains("P takes it along"), "{}", without.screen());
    // Another floating IP of the router needs it.
    let shared = Node::of(Scenario::scale(Layout::Pike, 1, 2).snapshot);
    let first = shared.topology.floating_ips[0].floating_ip.unwrap();
    let desk = live(100, 30, shared).keys(&format!("{first}<enter>d"));
    assert!(!desk.screen().contains("P takes it along"), "{}", desk.screen());
    let refused = desk.keys("P");
    assert!(refused.screen().contains("the router's pair serves 1 other floating IP, too: P leaves it"));
    assert!(refused.keys("P").screen().contains("Enter asks for the word"));
    // A repair takes nothing along.
    let repair = live(100, 30, ruleless()).keys("192.168.1.3<enter>rP");
    assert!(repair.screen().contains("only a removal"), "{}", repair.screen());
}

#[test]
fn the_steps_namespace_is_a_key_away() {
    let desk = live(100, 30, ruleless()).keys("192.168.1.3<enter>rn");
    let Some(Screen::Namespace(raw)) = desk.state.above.last() else { panic!("{:?}", desk.state.above) };
    assert_eq!(raw.name.as_str(), QROUTER);
    assert!(matches!(desk.keys("<esc>").state.above.last(), Some(Screen::Proposal(_))));
}

#[test]
fn words_of_a_node_cannot_steer_the_terminal() {
    let evil = "\u{1b}]0;t\u{7}\u{202e}\u{9b}2J";
    let mut snapshot: Snapshot = Scenario::article(Layout::Pike).without_rule(QROUTER, "from 10.0.0.4 ").snapshot;
    snapshot.node = evil.to_owned();
    let mut node = Node::of(snapshot);
    let mut findings = node.judged.findings.clone();
    for finding in &mut findings {
        finding.id = format!("DVR301@{evil}");
        finding.floating_ip = None;
        evil.clone_into(&mut finding.message);
    }
    node = node.with(findings);
    let mut desk = live(100, 40, node).keys("fgr");
    let mut order = (*order(&desk)).clone();
    order.plan.warnings.push(evil.to_owned());
    order.notes.push(evil.to_owned());
    for step in &mut order.plan.steps {
        evil.clone_into(&mut step.description);
    }
    if let Some(Screen::Proposal(shown)) = desk.state.above.last_mut() {
        shown.order = Ok(Arc::new(order.clone()));
    }
    let clean = |desk: &Desk| {
        let screen = desk.screen();
        assert!(!screen.contains(|c: char| c != '\n' && c.is_control()) && !screen.contains('\u{202e}'), "{screen}");
    };
    clean(&desk);
    let mut desk = desk.keys("<enter>yes<enter>");
    clean(&desk);
    desk.send(Msg::Told(Entry::Begin(Box::new(begin(&order, 1)))));
    desk.send(Msg::Told(step(1, 1, Event::Failed(evil.to_owned()))));
    clean(&desk);
    let mut refused = desk.state.clone();
    desk.send(Msg::Over(Ok(Over { past: past(&order, 1, true), verified: false, failure: Some(evil.to_owned()) })));
    clean(&desk);
    fipscope::tui::update(&mut refused, Msg::Over(Err(evil.to_owned())));
    clean(&Desk { state: refused, effects: Vec::new() });
    clean(&desk.keys("f"));
}
