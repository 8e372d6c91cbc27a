//! The walk screen: what it shows, and what keys, time and the kernel's answers
//! do to it.

use std::time::Duration;

use fipscope::path::Kernel;
use fipscope::tui::{Effect, Msg, Screen, Tab, Walking};
use insta::assert_snapshot;
use jiff::SignedDuration;

use crate::article;
use crate::desk::Desk;
use crate::walks;

fn walking(desk: &Desk) -> &Walking {
    match desk.state.above.last() {
        Some(Screen::Walk(walking)) => walking,
        other => panic!("no walk but {other:?}"),
    }
}

/// Lets so many of the packet's own beats pass.
fn beats(mut desk: Desk, count: u32) -> Desk {
    for _ in 0..count {
        let now = desk.state.now + SignedDuration::try_from(desk.state.beat()).unwrap();
        desk.send(Msg::Tick(now));
    }
    desk
}

#[test]
fn a_packet_on_its_way() {
    for (width, height) in [(60, 20), (80, 24), (140, 45)] {
        assert_snapshot!(format!("walk-begin-{width}x{height}"), walks::desk(width, height).screen());
        assert_snapshot!(format!("walk-middle-{width}x{height}"), walks::desk(width, height).keys("llll").screen());
        let mut desk = walks::desk(width, height);
        desk.state.live = true;
        desk.send(Msg::Routes(walks::answers()));
        assert_snapshot!(format!("walk-end-{width}x{height}"), desk.keys("G").screen());
        assert_snapshot!(format!("walk-back-{width}x{height}"), walks::desk(width, height).keys("bhhhh").screen());
    }
}

#[test]
fn a_packet_that_is_stopped() {
    for (width, height) in [(40, 10), (80, 24), (140, 45)] {
        assert_snapshot!(format!("walk-stopped-{width}x{height}"), walks::stopped(width, height).keys("G").screen());
    }
}

#[test]
fn ascii_says_the_same() {
    let mut desk = walks::desk(140, 30).keys("lll");
    desk.state.theme.ascii = true;
    assert!(desk.screen().is_ascii());
    assert_snapshot!("walk-ascii", desk.screen());
}

#[test]
fn a_packet_moves_by_itself_to_the_end_and_rests() {
    let desk = walks::desk(80, 24);
    assert!(desk.state.beat() < Duration::from_secs(1));
    let desk = beats(desk, 3);
    assert_eq!((walking(&desk).step, walking(&desk).playing), (3, true));
    let desk = beats(desk, 30);
    assert_eq!((walking(&desk).step, walking(&desk).playing), (10, false));
    assert_eq!(desk.state.beat(), Duration::from_secs(1));
    // Space begins anew.
    let desk = beats(desk.keys("<space>"), 1);
    assert_eq!((walking(&desk).step, walking(&desk).playing), (1, true));
}

#[test]
fn space_stops_it_and_arrows_take_it_by_hand() {
    let desk = beats(walks::desk(80, 24).keys("<space>"), 5);
    assert_eq!((walking(&desk).step, walking(&desk).playing), (0, false));
    let desk = desk.keys("<right><right><left>");
    assert_eq!(walking(&desk).step, 1);
    assert_eq!(walking(&desk.keys("<end>")).step, 10);
    // A tick that comes too early does not hurry it.
    let mut desk = walks::desk(80, 24);
    desk.send(Msg::Tick(desk.state.now + SignedDuration::from_millis(100)));
    assert_eq!(walking(&desk).step, 0);
}

#[test]
fn on_the_way_back_left_is_forward() {
    let desk = walks::desk(140, 45).keys("b");
    assert_eq!((walking(&desk).back, walking(&desk).step, walking(&desk).playing), (true, 0, true));
    let desk = desk.keys("<left><left><left><right>");
    assert_eq!(walking(&desk).step, 2);
    let desk = desk.keys("b");
    assert!(!walking(&desk).back);
    let desk = walks::stopped(80, 24).keys("b");
    assert_eq!(desk.state.notice.as_deref(), Some("a packet that does not arrive has no answer"));
}

#[test]
fn the_kernel_is_asked_only_where_there_is_one() {
    let desk = walks::desk(80, 24).keys("v");
    assert_eq!(desk.effects, []);
    assert!(desk.screen().contains("there is no kernel to ask"), "{}", desk.screen());
    assert!(desk.keys("l").screen().contains("offline"));
    let mut desk = walks::desk(140, 45);
    desk.state.live = true;
    let mut desk = desk.keys("v");
    let wanted = |effect: &Effect| matches!(effect, Effect::AskRoutes(questions) if questions.len() == 4);
    assert!(desk.effects.iter().any(wanted), "{:?}", desk.effects);
    assert!(desk.screen().contains("asking the kernel"), "{}", desk.screen());
    desk.send(Msg::Routes(walks::answers()));
    assert!(desk.screen().contains("kernel agrees 2/2"), "{}", desk.screen());
    let mut answers = walks::answers();
    answers[0].1 = Err("permission denied".to_owned());
    desk.send(Msg::Routes(answers));
    assert_eq!(walking(&desk).walk().unwrap().hops[0].kernel, Kernel::Failed("permission denied".to_owned()));
}

#[test]
fn enter_shows_the_object_that_decided() {
    let desk = walks::desk(140, 45).keys("<right><right><enter>");
    let Some(Screen::Namespace(shown)) = desk.state.above.last() else { panic!("{:?}", desk.state.above) };
    assert_eq!(shown.tab, Tab::Rules);
    assert_eq!(shown.current().unwrap().text, "32768: from 10.0.0.4 lookup 16");
    let desk = desk.keys("<esc>");
    assert_eq!(walking(&desk).step, 2);
    let desk = desk.keys("y");
    let command = format!("ip -n qrouter-{} route get 198.51.100.7 from 10.0.0.4 iif qr-c2e43983-5c", article::ROUTER);
    assert_eq!(desk.effects, [Effect::Copy(command)]);
}
