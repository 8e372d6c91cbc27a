//! Journals written and read back.

use super::*;
use crate::net::{Family, Rule, TableId};
use crate::plan::journal::Planned;
use crate::plan::{Action, Object, Place, Undo};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn action(priority: u32) -> Action {
    Action::Add(Object::Rule(Rule::lookup(Family::V4, priority, TableId(16))))
}

fn begin(id: u64, undoes: Option<u64>) -> Entry {
    let steps = (1..=2).map(|step| Planned {
        id: step,
        place: Place::netns("qrouter-1"),
        description: format!("step {step}"),
        action: action(step),
    });
    Entry::Begin(Box::new(Begin {
        id,
        at: at(1),
        node: "n".to_owned(),
        boot: "now".to_owned(),
        snapshot: String::new(),
        intent: "i".to_owned(),
        undoes,
        aim: Aim::default(),
        steps: steps.collect(),
    }))
}

fn step(id: u64, step: u32, event: Event) -> Entry {
    Entry::Step { id, step, at: at(2), event }
}

fn doing(of: u32) -> Event {
    let Undo::Action(back) = action(of).inverse() else { panic!() };
    Event::Doing(Back::Action(back))
}

fn end(id: u64, outcome: Outcome) -> Entry {
    Entry::End { id, at: at(3), outcome }
}

fn text(entries: &[Entry]) -> String {
    entries.iter().map(|entry| serde_json::to_string(entry).unwrap() + "\n").collect()
}

fn whole(id: u64, undoes: Option<u64>) -> Vec<Entry> {
    vec![
        begin(id, undoes),
        step(id, 1, doing(1)),
        step(id, 1, Event::Done),
        step(id, 2, doing(2)),
        step(id, 2, Event::Done),
        end(id, Outcome::Done),
    ]
}

#[test]
fn wherever_it_is_cut_the_change_is_unfinished_and_what_is_left_is_known() {
    let entries = whole(1, None);
    for kept in 1..entries.len() {
        let past = read(&text(&entries[..kept]), "now").remove(0);
        assert_eq!(past.state, State::Unfinished, "{kept}");
        let left: Vec<u32> = past.left().map(|step| step.planned.id).collect();
        let expected: &[u32] = match kept {
            1 => &[],
            2 | 3 => &[1],
            _ => &[2, 1],
        };
        assert_eq!(left, expected, "{kept}");
        let (back, nothing) = past.way_back();
        assert_eq!((back.steps.len(), nothing.len()), (expected.len(), 0));
        assert_eq!(read(&text(&entries[..kept]), "later")[0].state, State::Failed, "gone with the node's restart");
    }
    assert_eq!(read(&text(&entries), "later")[0].state, State::Done);
}

#[test]
fn a_torn_line_is_passed_over() {
    let text = text(&whole(1, None));
    for cut in 0..text.len() {
        let read = read(&text[..cut], "now");
        assert!(read.len() <= 1);
        assert!(read.iter().all(|past| past.state == State::Unfinished) || cut + 1 == text.len(), "{cut}");
    }
    let joined = format!("{text}{{\"entry\":\"st\n");
    assert_eq!(read(&joined, "now").len(), 1);
}

#[test]
fn what_was_taken_back_says_by_what() {
    let mut entries = whole(1, None);
    entries.extend(whole(2, Some(1)));
    let all = read(&text(&entries), "now");
    assert_eq!((all[0].state, all[0].undone_by), (State::Undone, Some(2)));
    assert_eq!(all[1].state, State::Done);
    entries.pop();
    let all = read(&text(&entries), "now");
    assert_eq!((all[0].state, all[1].state), (State::Done, State::Unfinished));
}

#[test]
fn steps_that_were_taken_back_are_not_left() {
    let mut entries = whole(1, None);
    entries.pop();
    entries.extend([step(1, 2, Event::Undoing), step(1, 2, Event::Undone), step(1, 1, Event::Undoing)]);
    let past = read(&text(&entries), "now").remove(0);
    assert_eq!(past.left().map(|step| (step.planned.id, step.state)).collect::<Vec<_>>(), [(1, StepState::Undoing)]);
    entries.extend([step(1, 1, Event::Undone), end(1, Outcome::RolledBack)]);
    let past = read(&text(&entries), "now").remove(0);
    assert_eq!((past.state, past.left().count()), (State::Failed, 0));
}
