//! What flows, on the screen: classes, hops, flows; heard by fake ears.

use std::net::Ipv4Addr;

use fipscope::net::NetnsName;
use fipscope::path::{Class, Detail, Endpoint, ICMP, TCP, UDP};
use fipscope::topology::{Direction, FipKind};
use fipscope::traffic::{Count, FipId, FipTraffic, FlowTraffic, Hop, Interval, RouterTraffic, StopsAt};
use fipscope::tui::theme::Theme;
use fipscope::tui::{Effect, Ends, Heard, Msg, Node, Screen, Written};
use insta::assert_snapshot;

use crate::article::{self, PUBLIC, ROUTER, SECOND};
use crate::desk::Desk;

pub fn count(packets: u64) -> Count {
    Count { packets, bytes: packets * 84 }
}

pub fn id(floating: [u8; 4], fixed: [u8; 4], router: &str) -> FipId {
    FipId {
        floating_ip: floating.into(),
        fixed_ip: Some(fixed.into()),
        router: router.to_owned(),
        external_network: Some(PUBLIC.to_owned()),
        kind: FipKind::Distributed,
    }
}

pub fn halves(
    id: &FipId,
    out: [Option<u64>; 4],
    inward: [Option<u64>; 4],
    stops: [Option<StopsAt>; 2],
) -> [FipTraffic; 2] {
    let half = |direction, [qr, rfp, fpr, fg]: [Option<u64>; 4], stops_at| FipTraffic {
        id: id.clone(),
        direction,
        hops: [qr, rfp, fpr, fg, None, None].map(|packets| packets.map(count)),
        stops_at,
        missing: None,
        reason: None,
        doubt: 0,
    };
    [half(Direction::Outbound, out, stops[0]), half(Direction::Inbound, inward, stops[1])]
}

pub fn end(address: [u8; 4], port: u16) -> Endpoint {
    Endpoint { address: Ipv4Addr::from(address), port: Some(port) }
}

pub fn flow(class: Class, proto: u8, ends: [Endpoint; 2], fip: Option<&FipId>, packets: u64) -> FlowTraffic {
    let translated = fip.filter(|fip| fip.fixed_ip == Some(ends[0].address));
    let inward = fip.is_some_and(|fip| fip.floating_ip == ends[1].address);
    FlowTraffic {
        class,
        detail: (class == Class::None).then_some(Detail::Leak),
        direction: if inward { Direction::Inbound } else { Direction::Outbound },
        proto,
        source: ends[0],
        destination: ends[1],
        translated: translated.map(|fip| Endpoint { address: fip.floating_ip, ..ends[0] }),
        floating_ip: fip.cloned(),
        router: Some(fip.map_or(ROUTER, |fip| fip.router.as_str()).to_owned()),
        count: count(packets),
        stops_at: None,
    }
}

pub const NONE: [Option<u64>; 4] = [Some(0); 4];

/// Broken outbound at qr; well; a silent instance. Flows of each class.
pub fn interval(packets: u64) -> Interval {
    let broken = id([192, 168, 1, 7], [10, 0, 0, 9], ROUTER);
    let well = id([192, 168, 1, 3], [10, 0, 0, 4], ROUTER);
    let silent = id([192, 168, 1, 33], [30, 0, 0, 4], SECOND);
    let lost = [Some(13), Some(0), Some(0), Some(0)];
    let floating_ips = [
        halves(&well, [Some(packets); 4], [Some(9); 4], [None; 2]),
        halves(&broken, lost, [Some(14); 4], [Some(StopsAt::Hop(Hop::Qr)), None]),
        halves(&silent, NONE, [Some(3); 4], [None, Some(StopsAt::VmSilent)]),
    ];
    let outside = end([198, 51, 100, 7], 443);
    Interval {
        end: 1_795_401_000_500_000_000,
        seconds: 1.0,
        classes: [count(1234), count(40), count(packets + 39), count(2), count(0)],
        lost: 0,
        floating_ips: floating_ips.concat(),
        flows: vec![
            flow(Class::EastWest, UDP, [end([10, 0, 0, 4], 40000), end([20, 0, 0, 6], 53)], None, 1234),
            flow(Class::Fip, TCP, [end([10, 0, 0, 4], 51022), outside], Some(&well), packets),
            flow(Class::Snat, TCP, [end([10, 0, 0, 5], 51000), outside], None, 40),
            flow(Class::Fip, TCP, [outside, end([192, 168, 1, 7], 22)], Some(&broken), 14),
            flow(Class::Fip, ICMP, [end([10, 0, 0, 9], 7), end([198, 51, 100, 7], 7)], Some(&broken), 13),
        ],
        ..Interval::default()
    }
}

pub fn heard(interval: Interval) -> Msg {
    let flows = interval.flows.len();
    Msg::Heard(Ok(Box::new(Heard { interval, flows, namespaces: 5, ..Heard::default() })))
}

pub fn live(width: u16, height: u16, node: Node) -> Desk {
    let mut desk = Desk::with(width, height, node);
    desk.state.live = true;
    desk
}

/// A screen that has heard a few seconds, with these keys before.
pub fn hearing(width: u16, height: u16, keys: &str) -> Desk {
    let mut desk = live(width, height, crate::findings::node()).keys(keys);
    for packets in [5, 80, 160, 320, 271] {
        desk.send(heard(interval(packets)));
    }
    desk
}

#[test]
fn the_screen_at_three_sizes() {
    for (width, height) in [(60, 20), (80, 24), (140, 45)] {
        assert_snapshot!(format!("traffic-{width}x{height}"), hearing(width, height, "T").screen());
        let broken = hearing(width, height, "192.168.1.7<enter>T");
        assert_snapshot!(format!("traffic-stops-{width}x{height}"), broken.screen());
    }
}

/// The effects but those that say what else is wanted of the listening.
fn listening(desk: &Desk) -> Vec<Effect> {
    desk.effects.iter().filter(|effect| !matches!(effect, Effect::Attend(_))).cloned().collect()
}

#[test]
fn t_listens_once_and_s_listens_no_more() {
    let desk = live(80, 24, article::node()).keys("T");
    assert_eq!(listening(&desk), [Effect::Listen]);
    assert!(desk.screen().contains("the first second is being counted"), "{}", desk.screen());
    // Going back listens on, and asks nobody to listen twice.
    let desk = desk.keys("<esc>T");
    assert_eq!(listening(&desk), [Effect::Listen]);
    let mut desk = desk.keys("s");
    assert_eq!(listening(&desk), [Effect::Listen, Effect::StopListening]);
    assert!(desk.state.above.is_empty() && desk.state.hearing.is_none());
    // What was on its way is not taken for news.
    desk.send(heard(interval(3)));
    assert!(desk.state.hearing.is_none());
    assert!(!desk.screen().contains("out/s"), "{}", desk.screen());
}

#[test]
fn the_traffic_of_a_file_is_none() {
    let desk = Desk::article(80, 24).keys("T:traffic<enter>");
    assert_eq!(desk.effects, []);
    assert!(desk.state.above.is_empty() && desk.screen().contains("nothing flows in it"), "{}", desk.screen());
}

#[test]
fn who_may_not_listen_is_told_why_and_can_try_again() {
    let mut desk = live(80, 24, article::node()).keys("T");
    desk.send(Msg::Heard(Err(
        "qrouter-x: open a packet socket: Operation not permitted\u{1b}[2J\nrun as root".to_owned()
    )));
    let screen = desk.screen();
    assert!(screen.contains("Nothing can be heard") && screen.contains("run as root"), "{screen}");
    assert!(!screen.contains('\u{1b}'));
    assert_eq!(listening(&desk.keys("T")), [Effect::Listen, Effect::Listen]);
    // One that fails later leaves what was heard.
    let mut desk = hearing(80, 24, "T");
    desk.send(Msg::Heard(Err("the listener failed".to_owned())));
    assert!(desk.screen().contains("Nothing is heard any more: the listener failed"), "{}", desk.screen());
    assert!(desk.screen().contains("192.168.1.7"), "{}", desk.screen());
}

#[test]
fn losses_before_seeing_are_counted_and_shown() {
    let mut desk = hearing(80, 24, "T");
    for _ in 0..2 {
        desk.send(heard(Interval { lost: 21, ..interval(5) }));
    }
    assert!(desk.screen().contains("42 lost before seen"), "{}", desk.screen());
}

/// The rows of the list that are no headings.
fn listed(desk: &Desk) -> Vec<String> {
    let screen = desk.screen();
    let lines = screen.lines().skip_while(|line| !line.contains("─ floating IPs")).skip(1);
    let rows = lines.take_while(|line| !line.is_empty()).filter(|line| !line.contains('─') && line.contains("/s"));
    rows.map(str::to_owned).collect()
}

#[test]
fn filters_take_classes_addresses_ports_and_directions() {
    for (filter, rows) in [
        ("", 8),
        ("snat", 1),
        ("fip", 6),
        ("10.0.0.4", 3),
        (":443", 3),
        (":44", 0),
        ("192.168.1.7", 3),
        ("192.168.1.7 in", 2),
        ("fip out", 4),
        ("icmp", 1),
        ("b047c241", 1),
        ("nothing like it", 0),
    ] {
        let desk = hearing(140, 45, "T").keys(&format!("/{filter}<enter>"));
        assert_eq!(listed(&desk).len(), rows, "{filter}: {}", desk.screen());
        // Esc takes the filter away, then leaves.
        let desk = if filter.is_empty() { desk } else { desk.keys("<esc>") };
        assert_eq!(listed(&desk).len(), 8, "{}", desk.screen());
        assert!(desk.keys("<esc>").state.above.is_empty());
    }
}

#[test]
fn a_pause_stands_still_and_the_cursor_stays_with_its_flow() {
    let mut desk = hearing(100, 30, "T").keys("<tab>j");
    let selected = |desk: &Desk| match desk.state.above.last() {
        Some(Screen::Traffic(view)) => view.selected.clone(),
        other => panic!("{other:?}"),
    };
    let before = selected(&desk);
    let mut turned = interval(271);
    turned.flows.reverse();
    desk.send(heard(turned));
    assert_eq!(selected(&desk), before, "{}", desk.screen());
    let mut desk = desk.keys("<space>");
    let still = desk.screen();
    assert!(still.contains("paused"), "{still}");
    desk.send(heard(Interval { flows: Vec::new(), ..interval(9) }));
    assert_eq!(
        listed(&desk),
        still.lines().filter(|line| listed(&desk).contains(&(*line).to_owned())).collect::<Vec<_>>()
    );
    let desk = desk.keys("<space>");
    assert!(!desk.screen().contains("51022"), "{}", desk.screen());
}

#[test]
fn enter_opens_the_chain_and_t_the_walk() {
    let chain = hearing(100, 30, "192.168.1.7<enter>T").keys("<enter>");
    assert!(matches!(chain.state.above.last(), Some(Screen::Chain(chain)) if chain.fip.label() == "192.168.1.7"));
    let walk = hearing(100, 30, "T").keys("/51022<enter>t");
    let Some(Screen::Walk(walking)) = walk.state.above.last() else { panic!("{:?}", walk.state.above) };
    let ends = Ends::Addresses { src: [10, 0, 0, 4].into(), dst: [198, 51, 100, 7].into() };
    assert_eq!((&walking.asked.ends, walking.asked.proto, walking.asked.port), (&ends, TCP, 443));
    let walk = hearing(100, 30, "192.168.1.7<enter>T").keys("t");
    assert!(matches!(walk.state.above.last(), Some(Screen::Walk(_))));
}

#[test]
fn w_writes_what_the_filter_wants_until_w_again() {
    let desk = hearing(100, 30, "T").keys("/snat<enter>w");
    let Some(Effect::Attend(wanted)) = desk.effects.last() else { panic!("{:?}", desk.effects) };
    let writing = wanted.write.clone().unwrap();
    assert!(writing.name.starts_with("fipscope-2026") && writing.name.ends_with("Z.pcapng"), "{}", writing.name);
    assert_eq!((writing.filter.as_str(), wanted.translations), ("snat", true));
    let mut desk = desk;
    let written = Written { path: "/root/a.pcapng".to_owned(), packets: 1234, bytes: 99, full: false };
    let told =
        |written| Msg::Heard(Ok(Box::new(Heard { interval: interval(5), written: Some(written), ..Heard::default() })));
    desk.send(told(Ok(written)));
    assert!(desk.screen().contains("writing: 1234 packets"), "{}", desk.screen());
    let desk = desk.keys("w");
    assert!(desk.screen().contains("written: /root/a.pcapng, about 1234 packets"), "{}", desk.screen());
    let Some(Effect::Attend(wanted)) = desk.effects.last() else { panic!("{:?}", desk.effects) };
    assert_eq!(wanted.write, None);
    // A file that cannot be written is not asked for without end.
    let mut desk = desk.keys("w");
    desk.send(told(Err("cannot create /root/a.pcapng: Permission denied\u{1b}[2J".to_owned())));
    assert!(desk.state.writing.is_none() && desk.screen().contains("Permission denied"), "{}", desk.screen());
    assert!(!desk.screen().contains('\u{1b}'));
}

#[test]
fn rates_of_floating_ips_have_their_past_by_direction() {
    let rows = listed(&hearing(140, 45, "T"));
    let row = rows.iter().find(|row| row.contains("192.168.1.3 ")).unwrap();
    assert!(row.contains("out   271/s") && row.contains("▁▂▄█▇") && row.contains("█████"), "{row}");
    let narrow = listed(&hearing(80, 24, "T"));
    assert!(narrow.iter().all(|row| !row.contains('█')), "{narrow:?}");
}

#[test]
fn a_routers_traffic_is_its_own() {
    let desk = hearing(140, 45, ":router b047<enter>T");
    assert!(listed(&desk).iter().all(|row| row.contains("192.168.1.33")), "{}", desk.screen());
}

#[test]
fn a_routers_picture_has_its_rates() {
    let mut desk = live(110, 34, crate::findings::node()).keys("192.168.1.3<enter>cT");
    let mut one = interval(271);
    one.routers = vec![RouterTraffic { router: Some(ROUTER.to_owned()), classes: [7, 8, 9, 0, 0].map(count) }];
    desk.send(heard(one));
    let screen = desk.keys("<esc><esc>").screen();
    assert!(screen.contains("9 packets/s") && screen.contains(" 8/s"), "{screen}");
}

#[test]
fn the_overview_has_rates_while_somebody_listens() {
    for (width, height) in [(80, 24), (140, 45)] {
        let desk = hearing(width, height, "T").keys("<esc>");
        assert_snapshot!(format!("traffic-overview-{width}x{height}"), desk.screen());
    }
}

#[test]
fn ascii_and_no_colour_say_the_same() {
    let mut desk = hearing(100, 30, "192.168.1.7<enter>T");
    let coloured = desk.screen();
    desk.state.theme = Theme::plain();
    assert_eq!(desk.screen(), coloured);
    desk.state.theme.ascii = true;
    assert!(desk.screen().is_ascii());
    assert!(desk.screen().contains("13 x"), "{}", desk.screen());
}

#[test]
fn what_was_heard_steers_nothing() {
    let mut desk = live(120, 40, article::node()).keys("T");
    let mut evil = interval(7);
    for fip in &mut evil.floating_ips {
        "\u{1b}[2J\u{202e}".clone_into(&mut fip.id.router);
        fip.id.external_network = Some("\u{9b}1m".to_owned());
    }
    for flow in &mut evil.flows {
        (flow.proto, flow.count) = (255, Count { packets: u64::MAX, bytes: u64::MAX });
    }
    evil.classes = [Count { packets: u64::MAX, bytes: u64::MAX }; 5];
    (evil.seconds, evil.lost) = (0.000_001, u64::MAX);
    let deaf = vec![(NetnsName::from("qrouter-\u{1b}c"), "\u{1b}]0;t\u{7}".to_owned())];
    for _ in 0..3 {
        let heard = Heard { interval: evil.clone(), flows: 5, namespaces: 1, deaf: deaf.clone(), ..Heard::default() };
        desk.send(Msg::Heard(Ok(Box::new(heard))));
    }
    for keys in ["", "<tab>", "G", "/evil<enter>", "<space>"] {
        desk = desk.keys(keys);
        for (width, height) in [(120, 40), (60, 20), (17, 4)] {
            desk.send(Msg::Resize(width, height));
            let screen = desk.screen();
            assert!(!screen.contains(|c: char| c != '\n' && c.is_control()), "{keys}: {screen}");
            assert!(!screen.contains('\u{202e}'), "{keys}: {screen}");
        }
    }
}

#[test]
fn what_is_heard_stays_bounded() {
    let mut desk = live(80, 24, article::node()).keys("T");
    for packets in 0..200 {
        desk.send(heard(interval(packets)));
    }
    let hearing = desk.state.hearing.as_ref().unwrap();
    assert_eq!((hearing.past.class(Class::Fip).len(), hearing.seen.len()), (60, 3));
}
