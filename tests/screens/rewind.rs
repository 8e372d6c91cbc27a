//! Moments of the past are judged beside the loop: keys are answered meanwhile,
//! and only what is wanted last is judged.

use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};

use fipscope::app::console::Reach;
use fipscope::app::live::Live as Feed;
use fipscope::app::rewind::Judge;
use fipscope::tui::{Msg, Node, Still, Then, update};
use insta::assert_snapshot;
use jiff::SignedDuration;

use crate::desk::{Desk, events};
use crate::real_loop::Stage;
use crate::replay::replay;
use crate::timeline::Film;

/// A console before a recording of three moments.
fn stage(film: &Film, judge: Option<Judge>) -> Stage {
    let (sender, messages) = tokio::sync::mpsc::channel(8);
    let mut stage = Stage::new(Arc::new(|| panic!("nobody asks for a reading")));
    let feed = Feed::new(messages, || {});
    stage.console = stage.console.reaching(Reach { judge, ..Reach::default() }).watching(Some(feed));
    sender.try_send(Msg::Replay(Ok(Box::new(replay(film, 3, None))))).unwrap();
    // It goes on, and says nothing more.
    std::mem::forget(sender);
    stage.keys("");
    stage
}

fn position(stage: &Stage) -> Option<u64> {
    stage.console.state().frozen.as_ref().map(|frozen| frozen.position)
}

#[test]
fn keys_are_answered_while_a_moment_is_judged() {
    let film = Film::played(80, 24);
    let (go, gate) = channel::<()>();
    let (gate, judged) = (Mutex::new(gate), Arc::new(Mutex::new(Vec::new())));
    let (told, (begun, begins)) = (judged.clone(), channel());
    let judge: Judge = Arc::new(move |still: &Still| {
        begun.send(()).unwrap();
        gate.lock().unwrap().recv().unwrap();
        told.lock().unwrap().push(still.position);
        Node::of(still.snapshot())
    });
    let mut stage = stage(&film, Some(judge));
    let screen = stage.typed("[");
    assert!(screen.contains("judging the node as of 12:00:02.5 UTC") && screen.contains("judging…"), "{screen}");
    begins.recv().unwrap();
    // The first one is under way; the others only become another wish.
    assert!(stage.typed("[").contains("as of 12:00:01.2 UTC"));
    assert!(stage.typed("?").contains("quit"));
    assert!(stage.typed("<esc>[").contains("as of 12:00:00.0 UTC"));
    assert!(stage.typed("192.168.1.3<enter>").contains("192.168.1.3 ⇄ 10.0.0.4"));
    assert_eq!((position(&stage), judged.lock().unwrap().len()), (None, 0));
    (0..2).for_each(|_| go.send(()).unwrap());
    stage.keys("");
    assert_eq!((position(&stage), &*judged.lock().unwrap()), (Some(0), &vec![2, 0]));
    let shown = stage.console.state().node.as_ref().unwrap().snapshot.settled();
    assert_eq!(shown, film.stood[0].settled());
    // What was judged a moment ago is not judged again; the moment between may be.
    go.send(()).unwrap();
    stage.keys("]]");
    let twice = judged.lock().unwrap().iter().filter(|position| **position == 2).count();
    assert_eq!((position(&stage), twice), (Some(2), 1));
    // Whoever leaves the past does not come back to it when it is judged.
    stage.typed("[L");
    go.send(()).unwrap();
    assert_eq!(stage.console.state().coming, None);
    stage.keys("");
    assert_eq!(position(&stage), None);
}

#[test]
fn moments_are_judged_by_the_checks_and_a_failure_is_told() {
    let film = Film::played(80, 24);
    let mut checked = stage(&film, None);
    for at in [2, 1, 0, 1] {
        checked.keys(if at == 1 && position(&checked) == Some(0) { "]" } else { "[" });
        let node = checked.console.state().node.clone().unwrap();
        let wanted = Node::of(film.stood[at].clone());
        assert_eq!(
            (node.snapshot.settled(), node.topology, node.judged),
            (wanted.snapshot.settled(), wanted.topology, wanted.judged)
        );
    }
    let mut failing = stage(&film, Some(Arc::new(|_: &Still| panic!("a judge that fails"))));
    failing.keys("[");
    assert!(failing.screen().contains("a judge that fails"), "{}", failing.screen());
    assert_eq!((position(&failing), &failing.console.state().coming), (None, &None));
}

#[test]
fn the_screen_says_that_it_judges() {
    let film = Film::played(100, 24);
    for (width, height) in [(60, 12), (100, 24)] {
        let mut desk = Desk::blank(width, height);
        desk.send(Msg::Tick(film.node.snapshot.taken_at + SignedDuration::from_secs(100)));
        desk.send(Msg::Replay(Ok(Box::new(replay(&film, 3, None)))));
        update(&mut desk.state, Msg::Key(events("[")[0]));
        assert_snapshot!(format!("replay-judging-{width}x{height}"), desk.screen());
        // Esc leaves it alone, and what comes then is not shown.
        let coming = desk.state.coming.clone().unwrap();
        desk = desk.keys("<esc>");
        assert_eq!((&desk.state.coming, &desk.state.frozen), (&None, &None));
        let node = Ok(Node::of(coming.still.snapshot()));
        desk.send(Msg::Then(Box::new(Then { still: coming.still, node })));
        assert_eq!(desk.state.frozen, None);
    }
}
