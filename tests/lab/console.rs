//! The console itself, on a terminal of its own, changes a real node: associates
//! while the wire is asked, shows the chain, takes it back; and is stopped where
//! somebody has the address.

use std::future::pending;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers};
use fipscope::app::console::{Asker, Console, Prober, Reach, Settings, Source};
use fipscope::exec::Site;
use fipscope::kernel::{ReadOptions, ask_routes, read_node};
use fipscope::lab::{LabOptions, Need};
use fipscope::net::{RouteQuestion, WireQuestion};
use fipscope::neutron::Layout;
use fipscope::plan::journal::StepState;
use fipscope::probe::{self, Manner};
use fipscope::topology::Topology;
use fipscope::tui::keymap::Keymap;
use fipscope::tui::theme::Theme;
use fipscope::tui::{Node, RootState, Screen, Stage, Wanted};
use futures_util::stream::iter;
use ratatui::backend::TestBackend;
use tokio::runtime::Runtime;

use crate::case::{build, works};
use crate::change::{codes, site};
use crate::program::{fipscope, quiet, run, same};

const PROBE: Manner =
    Manner { tries: 2, wait: Duration::from_millis(300), in_flight: 1, spacing: Duration::ZERO, most: 1 };

struct Desk {
    console: Console<TestBackend>,
    runtime: Runtime,
}

impl Desk {
    fn new(site: &Site) -> Self {
        let dir = site.netns_dir.clone();
        let options =
            ReadOptions { netns_dir: dir.path().to_owned(), state_path: site.state_path.clone(), conntrack: false };
        let source: Source = Arc::new(move || read_node(&options).map(Node::of).map_err(|error| error.to_string()));
        let asking = dir.clone();
        let asker: Asker = Arc::new(move |questions: &[RouteQuestion]| {
            let answers = ask_routes(&asking, questions).into_iter();
            answers.map(|answer| answer.map_err(|error| error.to_string())).collect()
        });
        let finder: Prober = Arc::new(move |questions: &[WireQuestion]| probe::ask(&dir, questions, &PROBE));
        let reach = Reach { asker: Some(asker), finder: Some(finder), site: Some(site.clone()), ..Reach::default() };
        let settings = Settings::new(Theme::plain(), Keymap::default());
        let backend = TestBackend::new(100, 30);
        let console = Console::new(backend, source, settings, jiff::Timestamp::now, Box::new(io::sink())).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let mut desk = Self { console: console.reaching(reach), runtime };
        desk.types("");
        desk
    }

    /// Types a text, a line's end is Enter, and waits until nothing is under way.
    fn types(&mut self, text: &str) {
        let code = |c| match c {
            '\n' => KeyCode::Enter,
            '\t' => KeyCode::Tab,
            '\u{1b}' => KeyCode::Esc,
            c => KeyCode::Char(c),
        };
        let keys = text.chars().map(|c| Ok(Event::Key(KeyEvent::new(code(c), KeyModifiers::NONE))));
        self.runtime.block_on(self.console.run(&mut iter(keys), pending())).unwrap();
    }

    fn screen(&self) -> String {
        let buffer = self.console.backend().buffer();
        let lines = buffer.content.chunks(usize::from(buffer.area.width));
        lines.map(|cells| cells.iter().map(ratatui::buffer::Cell::symbol).collect::<String>() + "\n").collect()
    }

    fn top(&self) -> &Screen {
        self.console.state().above.last().unwrap()
    }
}

pub(crate) fn changes_the_node() {
    let lab = build(&LabOptions { layout: Layout::Pike, ..LabOptions::default() });
    let (site, before) = (site(&lab), quiet(&lab));
    let mut desk = Desk::new(&site);
    desk.types("a192.168.1.4\t10.0.0.5\n");
    assert!(desk.screen().contains("Nobody on the external network answers for 192.168.1.4."), "{}", desk.screen());
    same(&before, &quiet(&lab), "only shown");
    desk.types("\n192.168.1.4\n");
    assert!(matches!(desk.top(), Screen::Chain(chain) if chain.fip.label() == "192.168.1.4"), "{}", desk.screen());
    assert!(desk.screen().contains("Every link holds"), "{}", desk.screen());
    works(&lab, "192.168.1.4", "10.0.0.5");
    // The later rounds follow by themselves.
    let waits = std::time::Instant::now();
    while desk.console.state().announcing.is_none_or(|round| round.number < 2) {
        assert!(waits.elapsed() < Duration::from_secs(20), "{:?}", desk.console.state().announcing);
        std::thread::sleep(Duration::from_millis(200));
        desk.types("R");
    }
    desk.types("u");
    assert!(desk.screen().contains("Traffic of 192.168.1.4 stops"), "{}", desk.screen());
    desk.types("\n192.168.1.4\n");
    let Screen::Proposal(undone) = desk.top() else { panic!("{}", desk.screen()) };
    assert!(
        matches!((&undone.wanted, &undone.stage), (Wanted::Undone(_), Stage::Over(true, None))),
        "{}",
        desk.screen()
    );
    same(&before, &quiet(&lab), "taken back");
    // Somebody outside has an address: nothing is done.
    let address = |what| ["netns", "exec", "gateway", "ip", "addr", what, "192.168.1.77/24", "dev", "eth0"];
    assert!(run(&lab, "ip", &address("add")).status.success());
    desk.types("\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}a192.168.1.77\t10.0.0.5\n");
    assert!(desk.screen().contains("192.168.1.77 is in use on the external network"), "{}", desk.screen());
    desk.types("\n192.168.1.77\n");
    assert!(run(&lab, "ip", &address("del")).status.success());
    same(&before, &quiet(&lab), "refused");
    println!("associated, announced, taken back, refused");
}

/// What is marked is mended root cause by root cause, of which one is right by
/// itself when its turn comes; each is taken back by itself.
pub(crate) fn mends_one_after_another() {
    let lab = build(&LabOptions {
        layout: Layout::Pike,
        broken: codes(&[401, 404]),
        needs: vec![Need::More],
        ..LabOptions::default()
    });
    let topology = Topology::of(&quiet(&lab));
    let other = topology.fips().find(|fip| fip.floating_ip == Some([192, 168, 1, 242].into())).unwrap();
    let (netns, fixed) = (format!("qrouter-{}", other.router), other.fixed_ip.unwrap().to_string());
    let priority = other.rule_priority.unwrap().to_string();
    let rule = |what| {
        let words = ["-n", &netns, "rule", what, "from", &fixed, "lookup", "16", "priority", &priority];
        assert!(run(&lab, "ip", &words).status.success(), "{what}");
    };
    rule("del");
    let (site, broken) = (site(&lab), quiet(&lab));
    let mut desk = Desk::new(&site);
    desk.types("fMr");
    let Screen::Proposal(shown) = desk.top() else { panic!("{}", desk.screen()) };
    let roots = shown.rooted.roots.len();
    assert_eq!(roots, 3, "{}", desk.screen());
    let word = shown.order.as_ref().unwrap().consent().map(|word| format!("{word}\n")).unwrap_or_default();
    // The console reads nothing by itself here: the rule comes back unseen.
    rule("add");
    let before = quiet(&lab);
    desk.types(&format!("\n{word}"));
    let Screen::Proposal(shown) = desk.top() else { panic!("{}", desk.screen()) };
    let came: Vec<&RootState> = shown.rooted.roots.iter().map(|(_, came)| came).collect();
    let count = |is: fn(&RootState) -> bool| came.iter().filter(|came| is(came)).count();
    assert_eq!(shown.stage, Stage::Over(true, None), "{}", desk.screen());
    assert_eq!((count(|it| *it == RootState::Gone), count(|it| matches!(it, RootState::Done(_)))), (1, 2), "{came:?}");
    let screen = desk.screen();
    assert!(screen.contains("2 root causes mended, 1 was right by then: changes 1, 2 of the journal"), "{screen}");
    assert!((0..shown.steps().len()).all(|at| shown.state(at) != StepState::Planned), "{screen}");
    assert_eq!(fipscope(&lab, &["check"]).status.code(), Some(0));
    // Each is taken back by itself, the last one first.
    for change in [2, 1] {
        desk.types("u");
        assert!(desk.screen().contains(&format!("undo change {change}")), "{}", desk.screen());
        let Screen::Proposal(undo) = desk.top() else { panic!("{}", desk.screen()) };
        let word = undo.order.as_ref().unwrap().consent().map(|word| format!("{word}\n")).unwrap_or_default();
        desk.types(&format!("\n{word}\u{1b}"));
    }
    same(&before, &quiet(&lab), "both taken back");
    rule("del");
    same(&broken, &quiet(&lab), "as it was");
    other_steps(&site, &priority);
    println!("{roots} root causes, 2 mended, taken back");
}

/// Judged again, the node needs other steps than those that were shown: they are
/// not done, and that is said.
fn other_steps(site: &Site, priority: &str) {
    let mut desk = Desk::new(site);
    desk.types("fMr");
    let Screen::Proposal(shown) = desk.top() else { panic!("{}", desk.screen()) };
    assert_eq!(shown.rooted.roots.len(), 3, "{}", desk.screen());
    let word = shown.order.as_ref().unwrap().consent().map(|word| format!("{word}\n")).unwrap_or_default();
    // Meanwhile its file gives the floating IP's rule another priority.
    let path = site.state_path.as_ref().unwrap().join("fip-priorities");
    let text = std::fs::read_to_string(&path).unwrap();
    let other = text.replace(&format!("192.168.1.242,{priority}"), "192.168.1.242,40404");
    assert_ne!(text, other);
    std::fs::write(&path, other).unwrap();
    desk.types(&format!("\n{word}"));
    let said = desk.screen();
    assert!(said.contains("judged again, the node needs other steps than those shown"), "{said}");
    let Screen::Proposal(shown) = desk.top() else { panic!("{said}") };
    assert!(matches!(shown.stage, Stage::Refused(_) | Stage::Over(false, Some(_))), "{:?}", shown.stage);
    let node = read_node(&ReadOptions {
        netns_dir: site.netns_dir.path().to_owned(),
        state_path: site.state_path.clone(),
        conntrack: false,
    });
    let node = node.unwrap();
    let all = node.seen().flat_map(|(_, netns)| netns.rules()).map(|rule| rule.priority.0.to_string());
    assert!(!all.into_iter().any(|one| one == "40404" || one == priority), "what was not agreed to was done");
}

/// What a process that was killed left unfinished is offered, and completed or
/// taken back.
pub(crate) fn settles(site: &Site, completed: bool) {
    let mut desk = Desk::new(site);
    assert!(desk.screen().contains("was left unfinished: J takes it back or completes it"), "{}", desk.screen());
    desk.types("J");
    desk.types(if completed { "c" } else { "u" });
    let Screen::Proposal(shown) = desk.top() else { panic!("{}", desk.screen()) };
    let word = shown.order.as_ref().unwrap().consent().map(|word| format!("{word}\n")).unwrap_or_default();
    desk.types(&format!("\n{word}"));
}
