//! Any keys at any size: nothing panics, the cursor stays on something.

use crossterm::event::{KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use fipscope::tui::{Msg, Node, Screen};
use proptest::prelude::*;

use crate::article;
use crate::desk::Desk;

#[derive(Clone, Debug)]
enum Step {
    Keys(&'static str),
    Resize(u16, u16),
    Click(u16, u16),
    Wheel(bool),
    Paste(String),
    Read(u8),
    Beat,
}

const KEYS: &[&str] = &[
    "j",
    "k",
    "<pgdn>",
    "<pgup>",
    "g",
    "G",
    "<enter>",
    "<esc>",
    "n",
    "s",
    "S",
    "<tab>",
    "<left>",
    "<right>",
    "y",
    "Y",
    "?",
    ":",
    "/",
    "1",
    "7",
    "9",
    "192.168.1.",
    "fip ",
    "ns q",
    "<backspace>",
    "r",
    "R",
    "a",
    "d",
    "m",
    "u",
    "J",
    "P",
    "w",
    "192.168.1.3",
    "<ctrl-u>",
    "<up>",
    "<down>",
    "<space>",
    "lookup",
    "t",
    "b",
    "c",
    ":router ef<enter>",
    "p",
    "v",
    "e",
    "f",
    "x",
    ":findings<enter>",
    ":trace 10.0.0.4 198.51.100.7 icmp<enter>",
    ":trace 1",
    "<shift-tab>",
    "<ctrl-w>",
    "[",
    "]",
    "L",
    "w",
    ":events<enter>",
];

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => prop::sample::select(KEYS).prop_map(Step::Keys),
        2 => (1..200u16, 1..80u16).prop_map(|(width, height)| Step::Resize(width, height)),
        1 => (0..210u16, 0..90u16).prop_map(|(x, y)| Step::Click(x, y)),
        1 => any::<bool>().prop_map(Step::Wheel),
        1 => ".{0,40}".prop_map(Step::Paste),
        1 => (0..4u8).prop_map(Step::Read),
        2 => Just(Step::Beat),
    ]
}

fn reading(which: u8) -> Result<Node, String> {
    match which {
        0 => Ok(crate::findings::node()),
        1 => Ok(article::healthy()),
        2 => Ok(article::large(200)),
        _ => Err("it\nfailed\u{1b}[2J".to_owned()),
    }
}

fn take(desk: &mut Desk, step: Step) {
    match step {
        Step::Keys(keys) => {
            let taken = std::mem::replace(desk, Desk::blank(1, 1));
            *desk = taken.keys(keys);
        }
        Step::Resize(width, height) => desk.send(Msg::Resize(width, height)),
        Step::Click(column, row) => {
            let kind = MouseEventKind::Down(MouseButton::Left);
            desk.send(Msg::Mouse(MouseEvent { kind, column, row, modifiers: KeyModifiers::NONE }));
        }
        Step::Wheel(down) => {
            let kind = if down { MouseEventKind::ScrollDown } else { MouseEventKind::ScrollUp };
            desk.send(Msg::Mouse(MouseEvent { kind, column: 0, row: 0, modifiers: KeyModifiers::NONE }));
        }
        Step::Paste(text) => desk.send(Msg::Paste(text)),
        Step::Read(which) => desk.send(Msg::Node(reading(which))),
        Step::Beat => desk.send(Msg::Tick(desk.state.now + jiff::SignedDuration::from_millis(700))),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(debug_assertions) { 96 } else { 1024 }))]

    #[test]
    fn nothing_panics_and_nothing_steers_the_terminal(
        width in 1..200u16, height in 1..80u16, steps in prop::collection::vec(step(), 0..24),
    ) {
        let mut desk = Desk::article(width, height);
        for step in steps {
            take(&mut desk, step);
            let screen = desk.screen();
            prop_assert!(!screen.contains(|c: char| c != '\n' && c.is_control()));
            let overview = &desk.state.overview;
            let selectable = overview.rows.iter().any(fipscope::tui::Row::selectable);
            prop_assert!(!selectable || overview.current().is_some());
            prop_assert!(overview.list.offset <= overview.list.cursor);
        }
    }

    #[test]
    fn every_size_from_one_by_one_is_drawn(width in 1..200u16, height in 1..80u16) {
        for keys in ["", "192.168.1.7<enter>", "n", "?", ":ns ", "/x", "19", "t", "192.168.1.3<enter>tG", "c", ":router 7d<enter>", "e", "L"] {
            Desk::article(width, height).keys(keys).screen();
        }
    }
}

#[test]
fn screens_do_not_pile_up_without_end() {
    let mut desk = Desk::article(80, 24);
    for _ in 0..100 {
        desk = desk.keys(":fip 192.168.1.7<enter>");
    }
    assert!(desk.state.above.len() <= 32);
    assert!(matches!(desk.state.above.last(), Some(Screen::Chain(_))));
}
