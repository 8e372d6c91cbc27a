//! The walk screen: what it shows, and what keys, time and the kernel's answers
//! do to it.

use std::time::Duration;

use crossterm::event::MouseEventKind;
use fipscope::net::TableId;
use fipscope::neutron::Layout;
use fipscope::path::{Class, ICMP, Kernel, Outcome};
use fipscope::topology::Topology;
use fipscope::topology::scenario::{QROUTER, Scenario};
use fipscope::tui::{Effect, Live, Msg, Node, Screen, Tab, Walking, Watching, update};
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

/// A node as a recent agent builds it, for walks of the engine itself.
fn agent() -> Desk {
    Desk::with(140, 45, read(Scenario::article(Layout::Pike)))
}

fn read(scenario: Scenario) -> Node {
    let topology = Topology::of(&scenario.snapshot);
    Node::new(scenario.snapshot, topology)
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

#[test]
fn t_watches_the_direction_in_sight() {
    let desk = agent().keys("192.168.1.3<enter>t");
    let walk = walking(&desk).walk().unwrap();
    assert_eq!((walk.class, walk.outcome), (Class::Fip, Outcome::LeavesNode));
    assert!(desk.screen().contains("Leaves the node by fg-b2b77eed-1b"), "{}", desk.screen());
    assert!(desk.screen().contains("kernel not asked (offline)"), "{}", desk.screen());
    let desk = desk.keys("<esc><tab>t");
    let walk = walking(&desk).walk().unwrap();
    assert_eq!(walk.sent.dst.to_string(), "192.168.1.3");
    // Tab sends a new packet from the other end, p one of the next protocol.
    let desk = desk.keys("<tab>pp");
    let walk = walking(&desk).walk().unwrap();
    assert_eq!((walk.sent.src.to_string().as_str(), walk.sent.proto), ("10.0.0.4", ICMP));
    // From the overview it is the way out.
    let desk = agent().keys("192.168.1.3<enter><esc>t");
    assert_eq!(walking(&desk).walk().unwrap().sent.src.to_string(), "10.0.0.4");
    assert!(desk.keys("<esc>").state.above.is_empty());
}

#[test]
fn typed_addresses_are_walked() {
    let desk = agent().keys(":trace 10.0.0.4 20.0.0.4 udp 53<enter>");
    assert_eq!(walking(&desk).walk().unwrap().class, Class::EastWest);
    let desk = agent().keys(":trac<tab>10.0.0.4<tab> <down><enter>");
    assert_eq!(walking(&desk).walk().unwrap().sent.dst.to_string(), "198.51.100.7");
    let desk = agent().keys(":trace 10.0.0.4 10.0.0.9<enter>");
    assert!(desk.screen().contains("they reach each other without a router"), "{}", desk.screen());
    let desk = agent().keys(":trace 10.0.0.4 10.0.0.1 icmp<enter>");
    assert_eq!(walking(&desk).walk().unwrap().class, Class::Local);
    let desk = agent().keys(":trace 10.0.0.4<enter>");
    assert!(desk.state.notice.unwrap().contains("trace FROM TO"));
}

#[test]
fn a_new_reading_keeps_the_packet_at_its_station() {
    let mut desk = agent().keys("192.168.1.3<enter>t<right><right><right>");
    let before = walking(&desk).clone();
    desk.send(Msg::Node(Ok(read(Scenario::article(Layout::Pike)))));
    assert_eq!(*walking(&desk), before);
    // Without its route the floating IP's table decides nothing, and another does.
    let other = Scenario::article(Layout::Pike).without_route(QROUTER, TableId(16), "default");
    desk.send(Msg::Node(Ok(read(other))));
    assert_eq!(walking(&desk).walk().unwrap().class, Class::Snat);
    assert_eq!((before.step, walking(&desk).step), (3, 3));
    desk.send(Msg::Node(Ok(read(Scenario::empty()))));
    assert!(desk.screen().contains("192.168.1.3 is not on this node any more"), "{}", desk.screen());
    assert!(!walking(&desk).playing);
}

#[test]
fn while_the_node_changes_the_kernel_is_asked_once_a_second() {
    let mut desk = agent();
    desk.state.live = true;
    let mut desk = desk.keys("192.168.1.3<enter>t");
    let (node, start) = (desk.state.node.clone().unwrap(), desk.state.now);
    let watching = Watching { at: start, oldest: 0, deaf: 0, overruns: 0 };
    let news = Live { at: start, changes: Vec::new(), turns: Vec::new(), node, watching };
    let mut asks_at = |millis: i64, msg: Option<Msg>| {
        let tick = Msg::Tick(start + SignedDuration::from_millis(millis));
        let mut effects = update(&mut desk.state, tick);
        effects.extend(msg.into_iter().flat_map(|msg| update(&mut desk.state, msg)));
        effects.iter().any(|effect| matches!(effect, Effect::AskRoutes(_)))
    };
    let changed = || Some(Msg::Live(Box::new(news.clone())));
    assert!(!asks_at(100, changed()) && !asks_at(900, changed()), "it was asked when the walk was opened");
    assert!(asks_at(1000, None), "what was put off is made up for");
    assert!(!asks_at(1100, changed()) && !asks_at(1900, None));
    assert!(asks_at(2000, None) && !asks_at(4000, None), "once");
    assert!(asks_at(5000, changed()), "long ago: at once");
}

#[test]
fn a_wrong_source_address_is_said() {
    let node = Scenario::article(Layout::Pike).without_nat(QROUTER, "float-snat", "Snat");
    let desk = Desk::with(140, 45, read(node)).keys("192.168.1.3<enter>t<end>");
    assert!(desk.screen().contains("not as 192.168.1.3"), "{}", desk.screen());
    assert_snapshot!("walk-not-as-the-floating-ip", desk.screen());
}

#[test]
fn a_packet_that_nobody_takes_in_stops_before_the_first_namespace() {
    let desk = agent().keys(":trace 198.51.100.7 192.168.1.99<enter>G");
    assert_snapshot!("walk-nobody-answers", desk.screen());
}

#[test]
fn the_mouse_puts_the_packet_somewhere() {
    let desk = walks::desk(140, 45);
    let row = |text: &str| u16::try_from(desk.screen().lines().position(|line| line.contains(text)).unwrap()).unwrap();
    let (list, picture) = (row("· SNAT "), row("┼ qr"));
    let desk = walks::desk(140, 45).click(10, list);
    assert_eq!((walking(&desk).step, walking(&desk).playing), (4, false));
    let column = u16::try_from(desk.screen().lines().nth(picture.into()).unwrap().find("rule").unwrap()).unwrap();
    let desk = desk.click(column - 20, picture).wheel(MouseEventKind::ScrollDown);
    assert!(!walking(&desk).playing);
    let twice = walks::desk(140, 45).click(10, list).click(10, list);
    assert!(matches!(twice.state.above.last(), Some(Screen::Namespace(_))));
}
