//! The timeline: what changed, line by line, narrowed, saved; and the console
//! as it was, change by change.

use std::path::Path;
use std::sync::Arc;

use fipscope::check::turns;
use fipscope::kernel::offline::load;
use fipscope::net::{Netns, NetnsName, Observed, Recorded, Snapshot, changes};
use fipscope::plan::Remove;
use fipscope::report::style::Style;
use fipscope::report::text::watch;
use fipscope::tui::{Effect, EventsView, Live, Msg, Node, Proposal, Screen, Wanted, Watching};
use insta::assert_snapshot;
use jiff::{SignedDuration, Timestamp};
use ratatui::layout::Size;

use crate::desk::Desk;

const QROUTER: &str = "qrouter-ef25020f-012c-41d6-a36e-f2f09cb8ea62";
const FIP: &str = "fip-cef4f7b4-c344-4904-a847-a9960f58fb20";

/// A desk before a node that changes.
pub struct Film {
    pub desk: Desk,
    pub node: Node,
    /// The node at each moment, the first one before all changes.
    pub stood: Vec<Arc<Snapshot>>,
    /// All that was told, as the command line prints it.
    pub told: String,
    /// The same as a recording.
    pub lines: Vec<Recorded>,
}

impl Film {
    /// The article's node, watched.
    pub fn new(width: u16, height: u16) -> Self {
        let mut snapshot = load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/sosreport/flat")).unwrap();
        snapshot.taken_at = "2026-11-22T12:00:00Z".parse().unwrap();
        "kernel".clone_into(&mut snapshot.source);
        let node = Node::of(snapshot);
        let mut desk = Desk::blank(width, height);
        desk.state.live = true;
        let stood = vec![node.snapshot.clone()];
        let mut film = Self { desk, node: node.clone(), stood, told: String::new(), lines: Vec::new() };
        film.send(node, Timestamp::UNIX_EPOCH);
        // The journal is read when the node was.
        assert_eq!(std::mem::take(&mut film.desk.effects), [Effect::ReadJournal]);
        film
    }

    /// The article's node after its rule went and came back, and a neighbour flapped.
    pub fn played(width: u16, height: u16) -> Self {
        let mut film = Self::new(width, height);
        let rule = film.without_rule();
        film.change(|snapshot| rules(snapshot).push(rule));
        film.change(|snapshot| {
            let netns = netns(snapshot, FIP);
            seen(&mut netns.links).iter_mut().find(|link| link.name.as_str().starts_with("fg-")).unwrap().flags &= !1;
        });
        film
    }

    /// The rule of 10.0.0.4 goes; it is handed over.
    pub fn without_rule(&mut self) -> fipscope::net::Rule {
        let rule = rules(&mut (*self.node.snapshot).clone()).iter().find(|rule| rule.priority.0 == 61068).cloned();
        self.change(|snapshot| rules(snapshot).retain(|rule| rule.priority.0 != 61068));
        rule.unwrap()
    }

    /// Changes the node, 1.25 s after the last change.
    pub fn change(&mut self, change: impl FnOnce(&mut Snapshot)) {
        let mut snapshot = (*self.node.snapshot).clone();
        snapshot.taken_at += SignedDuration::from_millis(1_250);
        change(&mut snapshot);
        seen(&mut netns(&mut snapshot, QROUTER).rules).sort_by_key(|rule| (rule.family, rule.priority));
        let at = snapshot.taken_at;
        self.desk.send(Msg::Tick(at + SignedDuration::from_millis(40)));
        self.send(Node::of(snapshot), at);
    }

    fn send(&mut self, node: Node, at: Timestamp) {
        let changes = changes(&self.node.snapshot, &node.snapshot);
        let turns = turns(&self.node.judged.findings, &node.judged.findings);
        let style = Style::default();
        for change in changes.iter().filter(|change| !change.is_flapping()) {
            self.told += &watch::change(at, change, style);
        }
        for turn in &turns {
            self.told += &watch::turn(at, turn, style);
        }
        if !changes.is_empty() {
            self.stood.push(node.snapshot.clone());
            self.lines.push(Recorded::new(node.snapshot.taken_at, changes.clone()).heard(at));
        }
        self.node = node.clone();
        let watching = Watching { at: node.snapshot.taken_at, oldest: 0, deaf: 0, overruns: 0 };
        self.desk.send(Msg::Live(Box::new(Live { at, changes, turns, node, watching })));
    }

    fn keys(mut self, keys: &str) -> Self {
        self.desk = self.desk.keys(keys);
        self
    }

    fn events(&self) -> &EventsView {
        match self.desk.state.above.last() {
            Some(Screen::Events(view)) => view,
            other => panic!("no events but {other:?}"),
        }
    }

    /// What the console shows, settled.
    fn shown(&self) -> Snapshot {
        self.desk.state.node.as_ref().unwrap().snapshot.settled()
    }

    fn notice(&self) -> &str {
        self.desk.state.notice.as_deref().unwrap_or_default()
    }
}

fn netns<'s>(snapshot: &'s mut Snapshot, name: &str) -> &'s mut Netns {
    snapshot.netns_mut(&NetnsName::from(name)).unwrap()
}

pub fn rules(snapshot: &mut Snapshot) -> &mut Vec<fipscope::net::Rule> {
    seen(&mut netns(snapshot, QROUTER).rules)
}

fn seen<T>(part: &mut Observed<T>) -> &mut T {
    match part {
        Observed::Seen(value) => value,
        Observed::Absent | Observed::Unreadable(_) => panic!("not seen"),
    }
}

#[test]
fn events_at_three_sizes() {
    for (width, height) in [(40, 10), (60, 20), (80, 24), (140, 30)] {
        let film = Film::played(width, height).keys("e");
        assert_snapshot!(format!("events-{width}x{height}"), film.desk.screen());
    }
    let mut film = Film::played(80, 24).keys("e");
    film.desk.state.theme.ascii = true;
    assert_snapshot!("events-ascii", film.desk.screen());
}

#[test]
fn nothing_changed_yet_is_said() {
    assert_snapshot!("events-none", Film::new(80, 12).keys("e").desk.screen());
    let film = Film::played(80, 12).keys("e/nowhere<enter>");
    assert!(film.desk.screen().contains("No event holds \"nowhere\""), "{}", film.desk.screen());
    assert_eq!(film.keys("<esc>").events().filter, "");
}

#[test]
fn what_is_saved_is_what_watch_prints() {
    let film = Film::played(80, 24).keys("ew");
    let name = "fipscope-events-20261122T120003Z.txt".to_owned();
    assert!(film.told.contains("cleared DVR") && film.told.lines().count() >= 5, "{}", film.told);
    assert_eq!(film.desk.effects, [Effect::Save { name, text: film.told.clone() }]);
    // A line alone is one of these.
    let film = film.keys("gy");
    let first = film.told.lines().next().unwrap().to_owned();
    assert_eq!(film.desk.effects.last(), Some(&Effect::Copy(first)));
}

#[test]
fn events_are_narrowed_by_words() {
    let film = Film::played(80, 24).keys("e");
    let all = film.events().rows.len();
    let film = film.keys("/10.0.0.4 rule<enter>");
    let lines = film.events().text();
    assert!(film.events().rows.len() < all);
    assert!(lines.lines().count() > 1 && lines.lines().all(|line| line.contains("10.0.0.4")), "{lines}");
    let film = film.keys("/<ctrl-u>dvr301<enter>");
    assert!(film.events().text().lines().all(|line| line.contains("DVR301")), "{}", film.events().text());
    assert_eq!(film.events().rows.len(), 2);
}

#[test]
fn from_a_chain_only_its_own_events_are_listed() {
    let mut film = Film::played(80, 24);
    film.change(|snapshot| {
        let mut other = rules(snapshot)[0].clone();
        other.priority.0 = 40_000;
        other.from = Some("99.0.0.9/32".parse().unwrap());
        rules(snapshot).push(other);
    });
    assert!(film.told.contains("99.0.0.9"), "{}", film.told);
    // A namespace that has nothing to do with it.
    film.change(|snapshot| {
        let other = netns(snapshot, FIP).clone();
        snapshot.namespaces.insert(NetnsName::from("qdhcp-1"), Observed::Seen(other.into()));
    });
    let film = film.keys("192.168.1.3<enter>e");
    let own = film.events().text();
    assert!(own.contains("61068: from 10.0.0.4") && own.contains("fg-"), "{own}");
    assert!(!own.contains("qdhcp-1"), "{own}");
    // Findings that name it, and those of its namespaces that name nobody.
    assert!(own.contains("raised DVR301 192.168.1.3") && own.contains("raised DVR602"), "{own}");
    assert!(film.desk.screen().contains("around 192.168.1.3"), "{}", film.desk.screen());
    // What comes later is narrowed too.
    let mut film = film;
    let before = film.events().rows.len();
    film.change(|snapshot| drop(snapshot.namespaces.remove(&NetnsName::from("qdhcp-1"))));
    assert_eq!(film.events().rows.len(), before);
    film.without_rule();
    assert!(film.events().rows.len() > before);
}

#[test]
fn the_cursor_follows_the_newest_or_stays_on_its_row() {
    let mut film = Film::played(60, 10).keys("e");
    let rule = film.without_rule();
    assert_eq!(film.events().list.cursor + 1, film.events().rows.len());
    film = film.keys("kk");
    let before = film.desk.screen();
    let under = |screen: &str| screen.lines().skip(2).take(5).map(str::to_owned).collect::<Vec<_>>();
    let row = film.events().current().unwrap().line();
    film.change(|snapshot| rules(snapshot).push(rule));
    assert_eq!(film.events().current().unwrap().line(), row);
    assert_eq!(under(&film.desk.screen()), under(&before));
}

#[test]
fn enter_opens_the_object() {
    let film = Film::played(100, 24).keys("e/rule + <enter><enter>");
    let Some(Screen::Namespace(shown)) = film.desk.state.above.last() else { panic!("{:?}", film.desk.state.above) };
    assert_eq!(shown.name.as_str(), QROUTER);
    assert_eq!(shown.current().unwrap().text, "61068: from 10.0.0.4 lookup 16");
    // What went is not there; the console says where it was.
    let film = film.keys("<esc>/<ctrl-u>61068<enter>g<enter>");
    assert!(film.notice().starts_with("it went with that change"), "{}", film.notice());
}

#[test]
fn every_moment_is_shown_as_it_was() {
    let mut film = Film::played(100, 24);
    let stood = film.stood.clone();
    assert_eq!(stood.len(), 4);
    for at in (0..3).rev() {
        film = film.keys("[");
        assert_eq!(film.shown(), stood[at].settled(), "{at}");
        assert_eq!(film.desk.state.node.as_ref().unwrap().judged, Node::of(stood[at].clone()).judged);
    }
    film = film.keys("[");
    assert_eq!(film.notice(), "nothing changed before, as far as this console knows");
    for (at, then) in stood.iter().enumerate().skip(1) {
        film = film.keys("]");
        assert_eq!(film.shown(), then.settled(), "{at}");
        assert_eq!(film.desk.state.frozen.is_some(), at < 3, "{at}");
    }
    assert_eq!(film.keys("]").notice(), "this is the node as it is now");
}

#[test]
fn the_past_is_named_and_the_present_goes_on() {
    let mut film = Film::played(100, 24).keys("[[");
    let screen = film.desk.screen();
    assert_snapshot!("frozen-100x24", screen);
    assert!(screen.contains("as of 12:00:01.2 UTC, 2 changes ago: Esc or L goes back to live"), "{screen}");
    let past = film.shown();
    film.without_rule();
    assert_eq!(film.shown(), past);
    assert!(film.desk.screen().contains("3 changes ago"), "{}", film.desk.screen());
    // What is opened meanwhile is closed first.
    film = film.keys("192.168.1.3<enter>");
    assert!(film.desk.screen().contains("ago: L goes back to live"), "{}", film.desk.screen());
    film = film.keys("<esc>");
    assert!(film.desk.state.frozen.is_some() && film.desk.state.above.is_empty());
    film = film.keys("<esc>");
    assert_eq!(film.desk.state.frozen, None);
    assert_eq!(film.shown(), film.node.snapshot.settled());
}

#[test]
fn the_picture_can_be_held_as_it_is() {
    let mut film = Film::new(100, 24).keys("L");
    assert!(film.desk.screen().contains("nothing changed since"), "{}", film.desk.screen());
    let held = film.shown();
    film.without_rule();
    assert_eq!(film.shown(), held);
    assert_eq!(film.keys("L").desk.state.frozen, None);
}

#[test]
fn the_events_lead_to_their_moment() {
    let film = Film::played(100, 24).keys("eg<space>");
    assert_eq!(film.shown(), film.stood[1].settled());
    assert_snapshot!("events-frozen-100x24", film.desk.screen());
    // The cursor goes along.
    let film = film.keys("]");
    let line = film.events().current().unwrap().line();
    assert!(line.starts_with("12:00:02.500"), "{line}");
    assert_eq!(film.keys("G<space>").desk.state.frozen, None);
}

#[test]
fn nothing_is_done_to_the_past() {
    let wanted = Remove {
        floating_ip: "192.168.1.3".parse().unwrap(),
        router: None,
        external_network: None,
        with_pair: false,
        neutron: None,
    };
    let mut film = Film::played(100, 24).keys("[");
    let proposal = Proposal::of(Wanted::Removed(Box::new(wanted)), film.desk.state.node.as_ref().unwrap());
    assert!(proposal.order.is_ok());
    film.desk.state.above.push(Screen::Proposal(Box::new(proposal)));
    film = film.keys("<enter>");
    assert_eq!(film.desk.effects, []);
    assert!(film.notice().contains("the node as it was"), "{}", film.notice());
    // Nobody is asked about it, neither the wire nor the kernel.
    let film = film.keys(":findings<enter>p:trace 10.0.0.4 198.51.100.7<enter>v");
    assert_eq!(film.desk.effects, []);
    // Back in the present the kernel is asked.
    let film = film.keys("L");
    assert!(matches!(film.desk.effects[..], [Effect::AskRoutes(_)]), "{:?}", film.desk.effects);
}

#[test]
fn readings_are_compared_where_nobody_watches() {
    let film = Film::played(80, 24);
    let mut desk = Desk::blank(80, 24);
    for snapshot in &film.stood {
        desk.send(Msg::Node(Ok(Node::of(snapshot.clone()))));
    }
    let desk = desk.keys("e");
    let Some(Screen::Events(view)) = desk.state.above.last() else { panic!("{:?}", desk.state.above) };
    assert_eq!(view.text(), film.told);
    assert!(desk.screen().contains("not watched"), "{}", desk.screen());
}

#[test]
fn hostile_names_and_small_screens_do_no_harm() {
    let mut film = Film::new(80, 24);
    film.change(|snapshot| {
        let name = NetnsName::from("qrouter-\u{1b}[2J\n漢字".repeat(9).as_str());
        let mut netns = netns(snapshot, QROUTER).clone();
        seen(&mut netns.links)[0].name = fipscope::net::IfName::from("\u{202e}\u{7}x");
        snapshot.namespaces.insert(name, Observed::Seen(netns.into()));
        seen(&mut snapshot.host.priority_file).lines.push("\u{1b}]0;x\u{7}".to_owned());
    });
    let mut film = film.keys("e");
    assert!(!film.events().text().contains(|c: char| c != '\n' && c.is_control()));
    for (width, height) in (1..100).step_by(7).flat_map(|width| [1, 2, 3, 5, 9, 30].map(|height| (width, height))) {
        film.desk.send(Msg::Resize(width, height));
        for keys in ["", "[", "g", "<enter>", "<esc>", "L"] {
            film = film.keys(keys);
            let screen = film.desk.screen();
            assert!(!screen.contains(|c: char| c != '\n' && c.is_control()), "{screen}");
        }
    }
    assert_eq!(film.desk.state.size, Size::new(99, 30));
}
