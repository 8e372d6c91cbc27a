//! The tracked connections of a floating IP.

use fipscope::net::{ConntrackEntry, ConntrackTuple, NetnsName};
use fipscope::neutron::Layout;
use fipscope::topology::scenario::Scenario;
use fipscope::tui::{Effect, Msg, Node, Screen, Tracked};
use insta::assert_snapshot;

use crate::desk::Desk;

fn tuple(src: &str, sport: u16, dst: &str, dport: u16) -> ConntrackTuple {
    ConntrackTuple {
        src: src.parse().unwrap(),
        dst: dst.parse().unwrap(),
        proto: 6,
        sport: Some(sport),
        dport: Some(dport),
    }
}

/// An outbound connection that leaves with that address.
fn entry(sport: u16, with: &str, counted: bool) -> ConntrackEntry {
    ConntrackEntry {
        original: tuple("10.0.0.4", sport, "198.51.100.7", 443),
        reply: tuple("198.51.100.7", 443, with, sport),
        status: 0x1e,
        mark: 0,
        zone: 0,
        timeout: Some(431_000),
        id: None,
        started: None,
        original_count: counted.then_some((12, 900)),
        reply_count: counted.then_some((9, 4000)),
    }
}

fn desk(width: u16, height: u16) -> Desk {
    let mut desk = Desk::with(width, height, Node::of(Scenario::article(Layout::Pike).snapshot));
    desk.state.live = true;
    desk.keys("192.168.1.3<enter>C")
}

fn read(desk: &mut Desk, entries: Result<Vec<ConntrackEntry>, String>) {
    let Some(Effect::ReadTracked { namespaces, .. }) = desk.effects.last().cloned() else { panic!("nothing asked") };
    let namespace = namespaces.first().unwrap().clone();
    desk.send(Msg::Tracked(vec![Tracked { namespace, entries, left_out: 0 }]));
}

#[test]
fn connections_from_another_day_come_first_and_are_marked() {
    let mut desk = desk(100, 24);
    let Some(Effect::ReadTracked { addresses, .. }) = desk.effects.last() else { panic!("{:?}", desk.effects) };
    assert_eq!(addresses.iter().map(ToString::to_string).collect::<Vec<_>>(), ["192.168.1.3", "10.0.0.4"]);
    assert!(desk.screen().contains("reading the connections"), "{}", desk.screen());
    read(&mut desk, Ok(vec![entry(51000, "192.168.1.3", true), entry(51001, "192.168.1.99", false)]));
    let screen = desk.screen();
    assert!(screen.contains("1 of 2 tracked connections of 192.168.1.3") && screen.contains("DVR406"), "{screen}");
    let Some(Screen::Tracked(view)) = desk.state.above.last() else { panic!("{:?}", desk.state.above) };
    let old: Vec<bool> = view.rows.iter().map(|row| row.outlived.is_some()).collect();
    assert_eq!(old, [true, false]);
    assert_snapshot!("tracked-100x24", screen);
    // They are compared again with every reading, and read again when asked.
    let desk = desk.keys("jv");
    assert_eq!(desk.effects.len(), 2);
    assert!(desk.screen().contains("12 packets, 900 bytes"), "{}", desk.screen());
}

#[test]
fn the_age_is_from_its_first_packet_to_now() {
    for (nanoseconds_ago, age) in
        [(90_999_999_999, "1min"), (7_200_000_000_000, "2h"), (400, "0s"), (-5_000_000_000, "0s")]
    {
        let mut desk = desk(100, 24);
        let started = u64::try_from(desk.state.now.as_nanosecond() - nanoseconds_ago).unwrap();
        read(&mut desk, Ok(vec![ConntrackEntry { started: Some(started), ..entry(51000, "192.168.1.3", true) }]));
        let screen = desk.screen();
        let line =
            screen.lines().find(|line| line.trim_start().starts_with("age")).unwrap_or_else(|| panic!("{screen}"));
        assert_eq!(line.split_whitespace().collect::<Vec<_>>(), ["age", age], "{screen}");
    }
}

#[test]
fn what_cannot_be_read_is_no_absence() {
    let mut none = desk(80, 24);
    read(&mut none, Ok(Vec::new()));
    assert!(none.screen().contains("No connection of 192.168.1.3 is tracked"), "{}", none.screen());
    let mut failed = desk(60, 20);
    read(&mut failed, Err("Operation not permitted\u{1b}[2J\ntry sudo".to_owned()));
    let screen = failed.screen();
    assert!(screen.contains("could not be read"), "{screen}");
    assert!(!screen.contains('\u{1b}'));
    let mut evil = desk(60, 20);
    let tracked =
        Tracked { namespace: NetnsName::from("\u{1b}[2Jx"), entries: Ok(vec![entry(1, "1.1.1.1", true)]), left_out: 7 };
    evil.send(Msg::Tracked(vec![tracked]));
    assert!(!evil.screen().contains('\u{1b}'), "{}", evil.screen());
    let file = Desk::article(80, 24).keys("192.168.1.3<enter>C");
    assert!(file.effects.is_empty() && file.screen().contains("those of a running node"), "{}", file.screen());
}

#[test]
fn one_is_forgotten_or_all_of_another_day_after_the_word() {
    let connections = || {
        let mut desk = desk(100, 24);
        desk.state.read_only = false;
        let all = [("192.168.1.3", 51000), ("192.168.1.99", 51001), ("192.168.1.98", 51002)];
        read(&mut desk, Ok(all.map(|(with, sport)| entry(sport, with, true)).to_vec()));
        desk
    };
    let steps = |desk: &Desk| match desk.state.above.last() {
        Some(Screen::Proposal(shown)) => shown.steps().iter().map(fipscope::plan::Step::command).collect::<Vec<_>>(),
        other => panic!("{other:?}"),
    };
    let one = connections().keys("Gd");
    let commands = steps(&one);
    assert_eq!(commands.len(), 1);
    let known = "-p tcp --orig-src 10.0.0.4 --orig-dst 198.51.100.7 --sport 51000 --dport 443";
    assert!(commands[0].ends_with(known) && commands[0].starts_with("ip netns exec qrouter-"), "{commands:?}");
    let old = connections().keys("D");
    assert_eq!(steps(&old).len(), 2);
    assert!(steps(&old).iter().all(|command| !command.contains("51000")), "{:?}", steps(&old));
    // Nothing is done before the floating IP was typed.
    let asked = old.keys("<enter>");
    assert!(!asked.effects.iter().any(|effect| matches!(effect, Effect::Apply(_))));
    assert!(asked.screen().contains("type 192.168.1.3 to go on"), "{}", asked.screen());
    let done = asked.keys("192.168.1.3<enter>");
    let Some(Effect::Apply(order)) = done.effects.last() else { panic!("{:?}", done.effects) };
    assert_eq!(order.plan.steps.len(), 2);
    // Where none is of another day there is nothing to forget.
    let mut well = desk(100, 24);
    read(&mut well, Ok(vec![entry(51000, "192.168.1.3", true)]));
    assert!(well.screen().contains("1 tracked connection of 192.168.1.3, none belongs to a former association"));
    assert!(well.keys("D").screen().contains("no connection is of another day"));
}
