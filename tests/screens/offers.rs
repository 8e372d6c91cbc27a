//! The footer and the answer offer what works here, and nothing else.

use fipscope::neutron::Layout;
use fipscope::plan::journal::Back;
use fipscope::plan::{Step, Undo};
use fipscope::topology::scenario::Scenario;
use fipscope::tui::{Msg, Node, Over};

use crate::desk::Desk;
use crate::proposal::{live, order, past, ruleless};

fn footer(desk: &Desk) -> String {
    desk.screen().lines().last().unwrap().to_owned()
}

fn well() -> Node {
    Node::of(Scenario::article(Layout::Pike).snapshot)
}

#[test]
fn a_plan_that_is_none_is_not_applied() {
    let ready = live(100, 30, ruleless()).keys("192.168.1.3<enter>r");
    assert!(footer(&ready).contains("Enter apply") && footer(&ready).contains("w save"), "{}", footer(&ready));
    let none = live(100, 30, well()).keys("192.168.1.3<enter>r");
    assert!(none.screen().contains("nothing is wrong here"), "{}", none.screen());
    assert!(!footer(&none).contains("apply") && !footer(&none).contains("save"), "{}", footer(&none));
    assert!(none.keys("A").screen().contains("A has nothing to add"));
}

#[test]
fn what_may_not_be_changed_is_not_offered() {
    let mut read_only = live(100, 30, ruleless());
    read_only.state.read_only = true;
    let mut powerless = live(100, 30, ruleless());
    powerless.state.lacking = vec!["CAP_NET_ADMIN".to_owned()];
    for (desk, why) in [
        (Desk::with(100, 30, ruleless()), "this is a saved reading: nothing can be changed"),
        (read_only, "read-only was asked for"),
        (powerless, "run it as root"),
    ] {
        let desk = desk.keys("192.168.1.3<enter>r");
        assert!(desk.screen().contains(why) && !desk.screen().contains("Enter carries it out"), "{}", desk.screen());
        assert!(!footer(&desk).contains("apply") && footer(&desk).contains("y copy"), "{}", footer(&desk));
    }
}

#[test]
fn the_chain_is_offered_where_there_is_one() {
    let repair = live(100, 30, ruleless()).keys("192.168.1.3<enter>r<enter>");
    assert!(!footer(&repair).contains("Enter chain"), "under way: {}", footer(&repair));
    let order = order(&repair);
    let mut repair = repair;
    repair.send(Msg::Over(Ok(Over { past: past(&order, 7, false), verified: true, failure: None })));
    assert!(footer(&repair).contains("Enter chain"), "{}", footer(&repair));
    // A change taken back leads to no chain.
    let mut done = past(&order, 7, false);
    let back = |step: &Step| match &step.undo {
        Undo::Action(action) => Back::Action(action.clone()),
        Undo::Nothing(why) => panic!("{why}"),
    };
    done.steps[0].back = Some(back(&order.plan.steps[0]));
    let mut undo = live(100, 30, well()).keys("J");
    undo.send(Msg::Journal(Ok(vec![done.clone()])));
    let mut undo = undo.keys("u<enter>yes<enter>");
    undo.send(Msg::Over(Ok(Over { past: done, verified: true, failure: None })));
    assert!(undo.screen().contains("change 7 of the journal"), "{}", undo.screen());
    assert!(!footer(&undo).contains("chain"), "{}", footer(&undo));
}

#[test]
fn a_node_that_was_not_read_has_nothing_to_open() {
    let mut desk = Desk::blank(100, 24);
    desk.send(Msg::Node(Err("permission denied".to_owned())));
    let footer = footer(&desk);
    assert_eq!(footer.split_whitespace().collect::<Vec<_>>(), ["R", "read", "?", "help", "q", "quit"], "{footer}");
}
