//! A change under way and over: how far each step came, what became of it, its
//! chain, its later announcements; and what an earlier one left unfinished.

use std::sync::Arc;

use fipscope::neutron::Layout;
use fipscope::plan::journal::{Back, Entry, Event, Past, Round};
use fipscope::topology::scenario::{FG, FIP, Scenario};
use fipscope::tui::{Effect, Msg, Node, Over, RootState, Screen, Stage};
use insta::assert_snapshot;

use crate::desk::Desk;
use crate::proposal::{begin, live, nothing, order, past, ruleless, shown, step};

#[test]
fn each_step_tells_how_far_it_came() {
    let mut desk = live(80, 24, ruleless()).keys("192.168.1.3<enter>d<enter>192.168.1.3<enter>");
    let order = order(&desk);
    assert!(order.plan.steps.len() >= 4, "{:?}", order.plan.steps.len());
    desk.send(Msg::Told(Entry::Begin(Box::new(begin(&order, 7)))));
    assert!(desk.screen().contains("Under way: step 0 of"), "{}", desk.screen());
    desk.send(Msg::Told(step(7, 1, Event::Doing(nothing()))));
    desk.send(Msg::Told(step(7, 1, Event::Done)));
    desk.send(Msg::Told(step(7, 2, Event::Skipped)));
    desk.send(Msg::Told(step(7, 3, Event::Doing(nothing()))));
    desk.send(Msg::Told(step(7, 3, Event::Failed("File exists\u{1b}[2J".to_owned()))));
    let desk = desk.keys("jj");
    assert_snapshot!("plan-running-80x24", desk.screen());
    assert!(desk.screen().contains("step 3 of"), "{}", desk.screen());
    // What another change's steps come to is not told here.
    let before = desk.screen();
    let mut desk = desk;
    desk.send(Msg::Told(step(8, 4, Event::Done)));
    assert_eq!(desk.screen(), before);
}

#[test]
fn the_end_says_whether_it_was_seen_to_be_so() {
    let run = |over: Result<Over, String>| {
        let mut desk = live(80, 24, ruleless()).keys("192.168.1.3<enter>r<enter>");
        desk.send(Msg::Over(over));
        assert!(!desk.state.changing);
        assert_eq!(desk.effects.last(), Some(&Effect::Reread), "the node is read again");
        desk
    };
    let order = order(&live(80, 24, ruleless()).keys("192.168.1.3<enter>r"));
    let over = |verified, failure: Option<&str>| {
        Ok(Over { past: past(&order, 7, failure.is_some()), verified, failure: failure.map(str::to_owned) })
    };
    let done = run(over(true, None));
    assert_snapshot!("plan-verified-80x24", done.screen());
    let unseen = run(over(false, None));
    assert!(unseen.screen().contains("! Done: change 7"), "{}", unseen.screen());
    let failed = run(over(false, Some("all steps were done, but:\n  DVR301 is still there: no rule")));
    assert_snapshot!("plan-failed-80x24", failed.screen());
    let mut refused = run(Err("another change is under way\ntry again".to_owned()));
    assert!(refused.screen().contains("Nothing was done: another change is under way; try again"));
    assert!(refused.screen().contains("; Enter looks at the"), "{}", refused.screen());
    refused.send(Msg::Node(Ok(ruleless())));
    let again = refused.keys("<enter>");
    assert_eq!(shown(&again).stage, Stage::Shown(false));
    // Whoever waits is shown the chain that was mended.
    let mended = || Msg::Node(Ok(Node::of(Scenario::article(Layout::Pike).snapshot)));
    let mut done = done;
    done.send(mended());
    assert!(matches!(done.state.above.last(), Some(Screen::Chain(_))));
    assert!(done.screen().contains("Every link holds"), "{}", done.screen());
    assert!(
        done.screen().contains("change 7 is done and verified; u takes it back, Esc shows its steps"),
        "{}",
        done.screen()
    );
    // Once; and from the plan it is one key away.
    let mut back = done.keys("<esc>");
    back.send(mended());
    assert!(matches!(shown(&back).stage, Stage::Over(true, None)));
    assert!(matches!(back.keys("<enter>").state.above.last(), Some(Screen::Chain(_))));
    // Whoever went elsewhere stays there.
    let mut away = run(over(true, None)).keys("f");
    away.send(mended());
    assert!(matches!(away.state.above.last(), Some(Screen::Findings(_))));
}

#[test]
fn several_root_causes_are_mended_one_after_the_other() {
    let begun = || {
        let desk = live(80, 24, crate::proposal::broken()).keys("fMr");
        let order = order(&desk);
        assert_eq!((order.each.roots.len(), order.roots), (2, 2));
        assert!(desk.screen().contains("Each is a change of its own"), "{}", desk.screen());
        let word = order.consent().map(|word| format!("{word}<enter>")).unwrap_or_default();
        let desk = desk.keys(&format!("<enter>{word}"));
        assert_eq!(desk.effects.last(), Some(&Effect::Apply(order.clone())));
        (desk, order)
    };
    let (mut desk, order) = begun();
    let [first, second] = order.each.roots.as_slice() else { panic!("{:?}", order.each) };
    desk.send(Msg::Root(first.clone(), RootState::UnderWay));
    desk.send(Msg::Told(Entry::Begin(Box::new(begin(&order, 7)))));
    desk.send(Msg::Told(step(7, 1, Event::Doing(nothing()))));
    assert_snapshot!("plan-each-running-80x24", desk.screen());
    desk.send(Msg::Told(step(7, 1, Event::Done)));
    desk.send(Msg::Root(first.clone(), RootState::Done(7)));
    desk.send(Msg::Root(second.clone(), RootState::Gone));
    desk.send(Msg::Over(Ok(Over { past: past(&order, 7, false), verified: true, failure: None })));
    assert_snapshot!("plan-each-verified-80x24", desk.screen());
    // The second one fails: the first stays as it was mended, and nothing else is tried.
    let (mut desk, order) = begun();
    desk.send(Msg::Root(first.clone(), RootState::Done(7)));
    desk.send(Msg::Root(second.clone(), RootState::Failed));
    desk.send(Msg::Over(Ok(Over {
        past: past(&order, 8, true),
        verified: false,
        failure: Some("refused".to_owned()),
    })));
    let screen = desk.screen();
    assert!(screen.contains("nothing of it is left; 1 root cause was mended before: refused"), "{screen}");
    assert!(screen.contains("is mended by change 7.") && screen.contains(" failed."), "{screen}");
    let (mut desk, order) = begun();
    desk.send(Msg::Root(first.clone(), RootState::Failed));
    desk.send(Msg::Over(Ok(Over {
        past: past(&order, 8, true),
        verified: false,
        failure: Some("refused".to_owned()),
    })));
    let screen = desk.screen();
    assert!(screen.contains("nothing was mended before, 1 was not"), "{screen}");
    assert!(screen.contains(" was not tried."), "{screen}");
}

#[test]
fn what_is_under_way_is_not_cut_short_by_one_key() {
    let desk = live(80, 24, ruleless()).keys("192.168.1.3<enter>r<enter>");
    let sent = desk.effects.len();
    let asked = desk.keys("q");
    assert!(asked.screen().contains("q again leaves then"), "{}", asked.screen());
    assert_eq!(asked.effects.len(), sent);
    assert_eq!(asked.keys("jq").effects.len(), sent, "any other key takes it back");
    let left = live(80, 24, ruleless()).keys("192.168.1.3<enter>r<enter>qq");
    assert_eq!(left.effects.last(), Some(&Effect::Quit));
}

#[test]
fn the_later_rounds_of_an_announcement_are_counted() {
    let round = |number| Msg::Announced(Ok(Round { address: "192.168.1.3".parse().unwrap(), number, of: 3 }));
    let mut desk = live(100, 24, ruleless()).keys("192.168.1.3<enter>");
    desk.send(round(1));
    assert!(desk.screen().contains("announced 1/3"), "{}", desk.screen());
    let asked = desk.keys("q");
    assert!(asked.screen().contains("192.168.1.3 is to be announced 2 more times"), "{}", asked.screen());
    let mut desk = asked.keys("<esc>");
    desk.send(round(2));
    assert!(desk.screen().contains("announced 2/3"), "{}", desk.screen());
    assert!(desk.keys("q").screen().contains("announced 1 more time: q again"));
    let mut desk = live(100, 24, ruleless()).keys("192.168.1.3<enter>");
    desk.send(round(2));
    let mut desk = desk.keys("q");
    desk.send(round(3));
    assert!(desk.screen().contains("192.168.1.3 is announced: q leaves"), "{}", desk.screen());
    let mut desk = desk.keys("<up>");
    assert!(!desk.screen().contains("announced"), "{}", desk.screen());
    desk.send(round(1));
    desk.send(Msg::Announced(Err("192.168.1.3 is announced no more\u{1b}[2J".to_owned())));
    assert!(desk.screen().contains("192.168.1.3 is announced no more") && !desk.screen().contains('\u{1b}'));
    assert_eq!(desk.keys("q").effects.last(), Some(&Effect::Quit));
}

#[test]
fn who_looks_elsewhere_is_told_at_the_bottom() {
    let mut desk = live(80, 24, ruleless()).keys("192.168.1.3<enter>r<enter><esc><esc>");
    let order = order(&live(80, 24, ruleless()).keys("192.168.1.3<enter>r"));
    desk.send(Msg::Told(Entry::Begin(Box::new(begin(&order, 7)))));
    desk.send(Msg::Over(Ok(Over { past: past(&order, 7, false), verified: true, failure: None })));
    assert!(desk.screen().contains("change 7 is done"), "{}", desk.screen());
}

#[test]
fn what_an_earlier_one_left_unfinished_is_offered() {
    let desk = Desk::blank(100, 24);
    let mut desk = Desk { state: fipscope::tui::State { live: true, ..desk.state }, ..desk };
    desk.send(Msg::Node(Ok(ruleless())));
    assert_eq!(desk.effects, [Effect::ReadJournal]);
    let open = Past::from(begin(&order(&live(80, 24, ruleless()).keys("192.168.1.3<enter>r")), 3));
    desk.send(Msg::Busy(None));
    desk.send(Msg::Journal(Ok(vec![open.clone()])));
    assert!(
        desk.screen().contains("? change 3 was left unfinished: J takes it back or completes it"),
        "{}",
        desk.screen()
    );
    assert_snapshot!("unfinished-100x24", desk.screen());
    // Another process may be at it.
    desk.send(Msg::Busy(Some("process 7 (fipscope\u{1b}[2J repair)".to_owned())));
    assert!(desk.screen().contains("change 3 is being made by process 7 (fipscope"), "{}", desk.screen());
    assert!(!desk.screen().contains('\u{1b}'));
    // In the journal it is one key from its end.
    desk.send(Msg::Busy(None));
    let mut desk = desk.keys("J");
    desk.send(Msg::Journal(Ok(vec![open])));
    assert!(!desk.screen().contains("was left unfinished"), "{}", desk.screen());
    let mut desk = desk.keys("c<enter>");
    assert_eq!(desk.effects.last(), Some(&Effect::Complete(3)));
    // One's own is under way, not left.
    desk.send(Msg::Journal(Ok(vec![Past::from(begin(&order(&desk), 3))])));
    assert_eq!(desk.state.unfinished, None);
}

#[test]
fn no_key_pressed_twice_changes_the_node() {
    let changes = |effects: &[Effect]| {
        let is_one = |effect: &Effect| matches!(effect, Effect::Apply(_) | Effect::Undo(_) | Effect::Complete(_));
        effects.iter().any(is_one)
    };
    let open = || Past::from(begin(&order(&live(80, 24, ruleless()).keys("192.168.1.3<enter>r")), 3));
    let form = "a192.168.1.77<tab>10.0.0.4";
    for way in ["", "192.168.1.3<enter>", "f", "fx", "J", "c", form, "T", "e", "n", "192.168.1.3<enter>t", "?", ":"] {
        let context = live(80, 24, ruleless()).keys(way).state.context();
        let keymap = fipscope::tui::keymap::Keymap::default();
        let keys: Vec<_> = keymap.bindings(context).flat_map(|(_, keys)| keys.to_vec()).collect();
        assert!(!keys.is_empty());
        for key in keys {
            let mut desk = live(80, 24, ruleless()).keys(way);
            desk.send(Msg::Journal(Ok(vec![open()])));
            let event = crossterm::event::KeyEvent::new(key.code, crossterm::event::KeyModifiers::NONE);
            for _ in 0..2 {
                desk.send(Msg::Key(event));
                assert!(!changes(&desk.effects), "{way:?} {key}");
                // The journal is read when somebody wants it.
                if desk.effects.contains(&Effect::ReadJournal) {
                    desk.send(Msg::Journal(Ok(vec![open()])));
                }
            }
        }
    }
}

#[test]
fn what_is_so_already_is_not_done_again() {
    // Killed before its first step: nothing is left, and it is written down.
    let mut desk = live(100, 24, ruleless()).keys("J");
    let begun = Past::from(begin(&order(&live(80, 24, ruleless()).keys("192.168.1.3<enter>r")), 3));
    desk.send(Msg::Journal(Ok(vec![begun])));
    let desk = desk.keys("u");
    assert!(desk.screen().contains("No step is left to be done; Enter writes down"), "{}", desk.screen());
    assert_eq!(desk.keys("<enter>").effects.last(), Some(&Effect::Undo(3)));
    // A floating IP that stands is associated already.
    let well = Node::of(Scenario::article(Layout::Pike).snapshot);
    let desk = live(100, 30, well).keys("a192.168.1.3<tab>10.0.0.4<enter>");
    assert!(desk.screen().contains("All of it is so already: there is nothing to do"), "{}", desk.screen());
    let desk = desk.keys("<enter>");
    assert!(desk.effects.is_empty() && desk.state.prompt.is_none(), "{:?}", desk.effects);
}

#[test]
fn a_change_is_taken_back_only_where_the_node_is_as_it_left_it() {
    let repair = order(&live(80, 24, ruleless()).keys("192.168.1.3<enter>r"));
    let mut done = past(&repair, 7, false);
    let back = |step: &fipscope::plan::Step| match &step.undo {
        fipscope::plan::Undo::Action(action) => Back::Action(action.clone()),
        fipscope::plan::Undo::Nothing(why) => panic!("{why}"),
    };
    done.steps[0].back = Some(back(&repair.plan.steps[0]));
    // The rule is not there any more.
    let mut desk = live(100, 24, ruleless()).keys("J");
    desk.send(Msg::Journal(Ok(vec![done.clone()])));
    let desk = desk.keys("u");
    assert!(
        desk.screen().contains("the node is not as change 7 left it: so already: Delete the rule"),
        "{}",
        desk.screen()
    );
    let sent = desk.effects.len();
    assert_eq!(desk.keys("<enter><enter>").effects.len(), sent);
    // Where it is, what comes of it is said, and a word has to be typed.
    let mut desk = live(100, 24, Node::of(Scenario::article(Layout::Pike).snapshot)).keys("J");
    desk.send(Msg::Journal(Ok(vec![done])));
    let desk = desk.keys("u");
    assert!(desk.screen().contains("What that change mended is broken again: DVR301."), "{}", desk.screen());
    let desk = desk.keys("<enter>");
    assert!(desk.screen().contains("type yes to go on"), "{}", desk.screen());
    assert_eq!(desk.keys("yes<enter>").effects.last(), Some(&Effect::Undo(7)));
}

#[test]
fn what_could_not_be_told_was_not_mended() {
    let node = Node::of(Scenario::article(Layout::Pike).link_down(FIP, FG).snapshot).probed(Arc::default());
    let blind = |finding: &&fipscope::check::Finding| finding.confidence == fipscope::check::Confidence::Unknown;
    let blind: Vec<String> = node.judged.findings.iter().filter(blind).map(|finding| finding.id.clone()).collect();
    assert!(blind.iter().any(|id| id.starts_with("DVR607")), "{blind:?}");
    let desk = live(100, 30, node).keys("fgr");
    let order = order(&desk);
    assert!(order.aim.gone.iter().any(|id| id.starts_with("DVR602")), "{:?}", order.aim);
    assert!(order.aim.gone.iter().all(|id| !blind.contains(id)), "{:?}", order.aim);
}
