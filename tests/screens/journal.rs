//! The journal on the screen: what was done, what has no end, what is taken back.

use fipscope::plan::Action;
use fipscope::plan::journal::{Back, Entry, Event, Past, State};
use fipscope::tui::theme::Theme;
use fipscope::tui::{Effect, Msg, Over, Screen, Stage, Wanted};
use insta::assert_snapshot;

use crate::desk::Desk;
use crate::proposal::{begin, live, order, past, ruleless, shown, step};

/// Four changes: done, undone by the third, and one without an end, whose first
/// step was done.
fn changes() -> Vec<Past> {
    let repair = order(&live(80, 24, ruleless()).keys("192.168.1.3<enter>r"));
    let remove = order(&live(80, 24, ruleless()).keys("192.168.1.3<enter>d"));
    let mut undone = past(&repair, 2, false);
    (undone.state, undone.undone_by) = (State::Undone, Some(3));
    let mut undo = past(&repair, 3, false);
    undo.undoes = Some(2);
    undo.intent = format!("Take back change 2: {}", undone.intent);
    let mut open = Past::from(begin(&remove, 5));
    let first = remove.plan.steps[0].clone();
    let back: Action = match &first.undo {
        fipscope::plan::Undo::Action(action) => action.clone(),
        fipscope::plan::Undo::Nothing(why) => panic!("{why}"),
    };
    open.take(step(5, 1, Event::Doing(Back::Action(back))));
    open.take(step(5, 1, Event::Done));
    vec![past(&repair, 1, false), undone, undo, past(&repair, 4, true), open]
}

fn desk(width: u16, height: u16) -> Desk {
    let mut desk = live(width, height, ruleless()).keys("J");
    assert_eq!(desk.effects, [Effect::ReadJournal]);
    desk.send(Msg::Journal(Ok(changes())));
    desk
}

#[test]
fn the_journal_at_every_size() {
    for (width, height) in [(40, 10), (60, 20), (80, 24), (140, 40)] {
        assert_snapshot!(format!("journal-{width}x{height}"), desk(width, height).screen());
    }
    let mut plain = desk(80, 24);
    plain.state.theme = Theme::plain();
    assert_eq!(plain.screen(), desk(80, 24).screen());
    let mut ascii = desk(80, 24);
    ascii.state.theme.ascii = true;
    assert!(ascii.screen().is_ascii());
}

#[test]
fn what_there_is_not_is_said() {
    let offline = Desk::with(80, 24, ruleless()).keys("J");
    assert!(offline.effects.is_empty() && offline.screen().contains("its node's journal is not at hand"));
    let reading = live(80, 24, ruleless()).keys(":journal<enter>");
    assert!(reading.screen().contains("reading the journal"), "{}", reading.screen());
    let mut empty = live(80, 24, ruleless()).keys("J");
    empty.send(Msg::Journal(Ok(Vec::new())));
    assert!(empty.screen().contains("No change was made on this node"), "{}", empty.screen());
    let mut failed = live(80, 24, ruleless()).keys("J");
    failed.send(Msg::Journal(Err("permission\u{1b}[2J denied\nrun as root".to_owned())));
    assert!(
        failed.screen().contains("denied; run as root") && !failed.screen().contains('\u{1b}'),
        "{}",
        failed.screen()
    );
    assert!(empty.keys("uc<down><enter>").effects.len() == 1);
}

#[test]
fn a_change_without_an_end_is_taken_back_or_completed() {
    let desk = desk(100, 30);
    assert!(desk.screen().contains("A change has no end: u takes it back, c completes it"), "{}", desk.screen());
    let back = desk.keys("u");
    assert!(matches!(&shown(&back).wanted, Wanted::Undone(past) if past.id == 5));
    assert_eq!(order(&back).plan.steps.len(), 1, "what was done");
    let back = back.keys("<enter>");
    assert_eq!(back.effects.last(), Some(&Effect::Undo(5)));
    // It goes on; it does not begin.
    let mut back = back;
    back.send(Msg::Told(step(5, 1, Event::Undoing)));
    back.send(Msg::Told(step(5, 1, Event::Undone)));
    assert!(back.screen().contains("Under way: step 1 of 1"), "{}", back.screen());
    let complete = self::desk(100, 30).keys("c");
    assert!(complete.screen().contains("complete change 5"), "{}", complete.screen());
    let all = order(&complete).plan.steps.len();
    assert_eq!(order(&complete).plan.to_do().count(), all - 1, "what was not done");
    let mut complete = complete.keys("<enter>");
    assert_eq!(complete.effects.last(), Some(&Effect::Complete(5)));
    complete.send(Msg::Told(step(5, 2, Event::Doing(Back::Nothing("-".to_owned())))));
    complete.send(Msg::Told(step(5, 2, Event::Done)));
    assert!(complete.screen().contains(&format!("step 2 of {all}")), "{}", complete.screen());
}

#[test]
fn what_is_over_is_not_taken_back_twice() {
    let undone = desk(100, 30).keys("jjju");
    assert!(undone.screen().contains("change 2 is undone: nothing of it is left"), "{}", undone.screen());
    let done = desk(100, 30).keys("Gc");
    assert!(done.screen().contains("change 1 is not unfinished"), "{}", done.screen());
    let done = done.keys("u");
    assert!(matches!(&shown(&done).wanted, Wanted::Undone(past) if past.id == 1));
    assert!(matches!(done.keys("<esc>").state.above.as_slice(), [Screen::Journal(_)]), "Esc is one step");
}

#[test]
fn the_last_change_is_taken_back_from_anywhere() {
    let mut desk = live(100, 30, ruleless()).keys("u");
    assert_eq!(desk.effects, [Effect::ReadJournal]);
    assert!(desk.state.above.is_empty());
    let all = changes();
    desk.send(Msg::Journal(Ok(all[..4].to_vec())));
    assert!(matches!(&shown(&desk).wanted, Wanted::Undone(past) if past.id == 1), "{:?}", shown(&desk).wanted);
    let mut none = live(100, 30, ruleless()).keys("u");
    none.send(Msg::Journal(Ok(Vec::new())));
    assert!(none.screen().contains("no change that could be taken back"), "{}", none.screen());
    let offline = Desk::with(100, 30, ruleless()).keys("u");
    assert!(offline.effects.is_empty() && offline.screen().contains("nothing can be taken back"));
}

#[test]
fn the_journal_is_read_again_when_a_change_is_over() {
    let mut desk = desk(100, 30).keys("u<enter>");
    desk.send(Msg::Over(Ok(Over { past: changes().remove(0), verified: true, failure: None })));
    assert!(matches!(shown(&desk).stage, Stage::Over(true, None)));
    assert!(desk.effects.contains(&Effect::Reread));
    assert_eq!(desk.effects.last(), Some(&Effect::ReadJournal));
    // The cursor stays with its change.
    let mut desk = self::desk(100, 30).keys("jj");
    let mut more = changes();
    let mut newest = more[0].clone();
    newest.id = 9;
    more.push(newest);
    desk.send(Msg::Journal(Ok(more)));
    let Some(Screen::Journal(view)) = desk.state.above.last() else { panic!("{:?}", desk.state.above) };
    assert_eq!(view.current().unwrap().id, 3);
}

#[test]
fn its_commands_are_copied() {
    let desk = desk(100, 30).keys("Gy");
    let [.., Effect::Copy(text)] = desk.effects.as_slice() else { panic!("{:?}", desk.effects) };
    assert!(text.contains("rule add"), "{text}");
}

#[test]
fn words_of_a_journal_cannot_steer_the_terminal() {
    let evil = "\u{1b}]0;t\u{7}\u{202e}\u{9b}2J";
    let mut all = changes();
    for past in &mut all {
        for text in [&mut past.intent, &mut past.node, &mut past.boot] {
            evil.clone_into(text);
        }
        for step in &mut past.steps {
            evil.clone_into(&mut step.planned.description);
            step.error = Some(evil.to_owned());
            step.back = Some(Back::Nothing(evil.to_owned()));
        }
    }
    for keys in ["", "u", "c", "Gu", "j"] {
        let mut desk = live(100, 40, ruleless()).keys("J");
        desk.send(Msg::Journal(Ok(all.clone())));
        let mut desk = desk.keys(keys);
        desk.send(Msg::Told(Entry::Begin(Box::new(begin(
            &order(&live(80, 24, ruleless()).keys("192.168.1.3<enter>r")),
            9,
        )))));
        let screen = desk.screen();
        assert!(!screen.contains(|c: char| c != '\n' && c.is_control()) && !screen.contains('\u{202e}'), "{screen}");
    }
}
