//! The loop that runs on a terminal, on a test terminal: keys from a list,
//! readings from a fake source, waiting until nothing is under way.

use std::collections::BTreeSet;
use std::future::{pending, ready};
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use crossterm::event::Event;
use fipscope::app::console::{Asker, Console, ConsoleError, Ended, Keeper, Prober, Reach, Settings, Source};
use fipscope::app::listener::{Desk, Ears};
use fipscope::app::live::Live as Feed;
use fipscope::net::{RouteQuestion, WireAnswer, WireQuestion};
use fipscope::neutron::Layout;
use fipscope::topology::scenario::Scenario;
use fipscope::tui::keymap::Keymap;
use fipscope::tui::theme::Theme;
use fipscope::tui::{Heard, Live, Msg, Node, Watching};
use futures_util::stream::iter;
use futures_util::{Stream, StreamExt};
use ratatui::backend::TestBackend;

use crate::article;
use crate::desk::{events, text};

/// What went to the clipboard, as the terminal would get it.
#[derive(Clone, Default)]
struct Clipboard(Arc<Mutex<Vec<u8>>>);

impl io::Write for Clipboard {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

pub struct Stage {
    pub console: Console<TestBackend>,
    runtime: tokio::runtime::Runtime,
    clipboard: Clipboard,
}

impl Stage {
    pub fn new(source: Source) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let settings = Settings::new(Theme::coloured(), Keymap::default());
        let clipboard = Clipboard::default();
        let console =
            Console::new(TestBackend::new(80, 24), source, settings, article::taken_at, Box::new(clipboard.clone()))
                .unwrap();
        Self { console, runtime, clipboard }
    }

    /// Types keys and waits until all is done.
    pub fn keys(&mut self, keys: &str) -> Ended {
        let mut events = iter(events(keys).into_iter().map(|key| Ok(Event::Key(key))));
        self.runtime.block_on(self.console.run(&mut events, pending())).unwrap()
    }

    /// Types keys while something never ends. The loop is left when all keys were
    /// taken in; gives the screen.
    pub fn typed(&mut self, keys: &str) -> String {
        let keys = events(keys).into_iter().map(|key| Ok(Event::Key(key)));
        let (over, told) = (std::cell::Cell::new(false), std::cell::Cell::new(false));
        let last = futures_util::stream::poll_fn(|_| {
            over.set(true);
            Poll::<Option<io::Result<Event>>>::Pending
        });
        // The second look is behind a drawing.
        let signal = std::future::poll_fn(|context| {
            context.waker().wake_by_ref();
            if over.get() && told.replace(true) { Poll::Ready(15) } else { Poll::Pending }
        });
        self.runtime.block_on(self.console.run(&mut iter(keys).chain(last), signal)).unwrap();
        self.screen()
    }

    pub fn screen(&self) -> String {
        text(self.console.backend().buffer())
    }
}

fn article_source() -> Source {
    Arc::new(|| Ok(article::node()))
}

/// Keys with pauses between them, from a stream that keeps the first waker it is
/// given, as crossterm's does: any other would never be called.
struct Pausing {
    events: Vec<Event>,
    paused: bool,
    waker: Option<Waker>,
}

impl Stream for Pausing {
    type Item = io::Result<Event>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let waker = self.waker.get_or_insert_with(|| context.waker().clone());
        assert!(waker.will_wake(context.waker()), "asked with a waker that is not the loop's own");
        self.paused = !self.paused;
        if self.paused {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(self.events.pop().map(Ok))
    }
}

#[test]
fn keys_are_waited_for_by_the_loop_itself() {
    let mut stage = Stage::new(article_source());
    stage.keys("");
    let keys: Vec<Event> = events("192.168.1.3<enter>").into_iter().rev().map(Event::Key).collect();
    let mut pausing = Pausing { events: keys, paused: false, waker: None };
    let ended = stage.runtime.block_on(stage.console.run(&mut pausing, pending())).unwrap();
    assert_eq!(ended, Ended::Input);
    assert!(stage.screen().contains("Every link holds"), "{}", stage.screen());
}

#[test]
fn finds_an_address_opens_its_chain_and_leaves() {
    let mut stage = Stage::new(article_source());
    assert_eq!(stage.keys(""), Ended::Input);
    assert!(stage.screen().contains("1 of 4 floating IPs is broken"), "{}", stage.screen());
    stage.keys("192.168.1.3<enter>");
    assert!(stage.screen().contains("Every link holds"), "{}", stage.screen());
    assert_eq!(stage.keys("<esc>q"), Ended::Quit);
}

#[test]
fn the_first_screen_does_not_wait_for_the_first_reading() {
    let (_never, gate) = std::sync::mpsc::channel::<()>();
    let gate = Mutex::new(gate);
    let mut stage = Stage::new(Arc::new(move || {
        let _ = gate.lock().unwrap().recv();
        Err("let go".to_owned())
    }));
    // A signal ends the loop after its first drawing.
    let ended = stage.runtime.block_on(stage.console.run(&mut futures_util::stream::pending(), ready(15))).unwrap();
    assert_eq!((ended, ended.code()), (Ended::Signal(15), 143));
    assert!(stage.screen().contains("reading the node…"), "{}", stage.screen());
}

#[test]
fn keys_are_answered_while_a_reading_takes_its_time() {
    let (go, gate) = std::sync::mpsc::channel::<()>();
    let gate = Mutex::new(gate);
    let mut stage = Stage::new(Arc::new(move || {
        let _ = gate.lock().unwrap().recv();
        Ok(article::node())
    }));
    go.send(()).unwrap();
    stage.keys("");
    // From here on a reading never ends.
    assert!(stage.typed("R").contains("reading…"));
    assert!(stage.typed("?").contains("quit"));
    assert!(stage.typed("<esc>192.168.1.3<enter>").contains("192.168.1.3 ⇄ 10.0.0.4"));
    assert!(stage.typed("e").contains("events"));
    assert!(stage.console.state().reading);
}

#[test]
fn refresh_reads_again_and_a_failure_is_told() {
    let count = Arc::new(AtomicUsize::new(0));
    let seen = count.clone();
    let mut stage = Stage::new(Arc::new(move || match seen.fetch_add(1, Ordering::SeqCst) {
        0 => Ok(article::node()),
        1 => Err("the namespace folder is gone\nrun as root".to_owned()),
        2 => panic!("a reader that fails"),
        _ => Ok(article::healthy()),
    }));
    stage.keys("");
    stage.keys("R");
    assert!(stage.screen().contains("could not be read: the namespace folder is gone"), "{}", stage.screen());
    stage.keys("R");
    assert!(stage.screen().contains("the reader failed (a reader that fails)"), "{}", stage.screen());
    stage.keys("R");
    assert!(stage.screen().contains("The one floating IP holds"), "{}", stage.screen());
    assert_eq!(count.load(Ordering::SeqCst), 4);
}

/// The same node as the article's, as a watcher tells it.
fn news(node: fipscope::tui::Node, age: i64) -> Msg {
    let at = article::taken_at() - jiff::SignedDuration::from_millis(age);
    let watching = Watching { at, oldest: 0, deaf: 0, overruns: 0 };
    Msg::Live(Box::new(Live { at, changes: Vec::new(), turns: Vec::new(), node, watching }))
}

#[test]
fn a_watched_node_is_not_read_and_changes_by_itself() {
    let (sender, messages) = tokio::sync::mpsc::channel(8);
    let asked = Arc::new(AtomicUsize::new(0));
    let seen = asked.clone();
    let mut stage = Stage::new(Arc::new(|| panic!("nobody asks for a reading")));
    let reread = move || {
        seen.fetch_add(1, Ordering::SeqCst);
    };
    stage.console = stage.console.watching(Some(Feed::new(messages, reread)));
    sender.try_send(news(article::node(), 100)).unwrap();
    stage.keys("");
    assert!(stage.screen().contains("live 0.1s"), "{}", stage.screen());
    assert!(stage.screen().contains("1 of 4 floating IPs is broken"), "{}", stage.screen());
    sender.try_send(news(article::healthy(), 2300)).unwrap();
    stage.keys("");
    assert!(stage.screen().contains("The one floating IP holds"), "{}", stage.screen());
    assert!(stage.screen().contains("live 2.3s"), "{}", stage.screen());
    // The answer to `R` is the next that the watcher tells.
    sender.try_send(news(article::node(), 0)).unwrap();
    stage.keys("R");
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    assert!(!stage.console.state().reading);
}

#[test]
fn a_watcher_that_fails_leaves_readings_and_its_reason() {
    let (sender, messages) = tokio::sync::mpsc::channel(8);
    let mut stage = Stage::new(article_source());
    stage.console = stage.console.watching(Some(Feed::new(messages, || {})));
    sender.try_send(news(article::healthy(), 0)).unwrap();
    sender.try_send(Msg::Unwatched("no descriptors are left\nraise the limit".to_owned())).unwrap();
    stage.keys("");
    assert!(stage.screen().contains("not live: no descriptors are left; R reads again"), "{}", stage.screen());
    assert!(stage.screen().contains("1 of 4 floating IPs is broken"), "{}", stage.screen());
    assert!(!stage.screen().contains("live 0."), "{}", stage.screen());
}

#[test]
fn a_walk_asks_the_kernel_by_itself() {
    let questions_seen = Arc::new(Mutex::new(Vec::new()));
    let seen = questions_seen.clone();
    let asker: Asker = Arc::new(move |questions: &[RouteQuestion]| {
        seen.lock().unwrap().extend(questions.iter().map(ToString::to_string));
        questions.iter().map(|_| Err("permission denied".to_owned())).collect()
    });
    let mut stage = Stage::new(article_source());
    stage.console = stage.console.asking(Some(asker));
    stage.keys("");
    stage.keys("192.168.1.3<enter>t");
    let first = format!("ip -n qrouter-{} route get 198.51.100.7 from 10.0.0.4 iif qr-c2e43983-5c", article::ROUTER);
    assert!(questions_seen.lock().unwrap().contains(&first), "{questions_seen:?}");
    assert!(stage.screen().contains("kernel not reached"), "{}", stage.screen());
    let before = questions_seen.lock().unwrap().len();
    stage.keys("v");
    stage.keys("R");
    assert_eq!(questions_seen.lock().unwrap().len(), 3 * before, "asked again by hand, and for a new reading");
}

#[test]
fn an_asker_that_fails_is_told() {
    let mut stage = Stage::new(article_source());
    stage.console = stage.console.asking(Some(Arc::new(|_: &[RouteQuestion]| panic!("an asker that fails"))));
    stage.keys("");
    stage.keys("192.168.1.3<enter>t");
    assert!(stage.screen().contains("kernel not reached"), "{}", stage.screen());
}

#[test]
fn the_wire_is_asked_and_acknowledgements_are_kept_outside_the_loop() {
    let source: Source = Arc::new(|| Ok(Node::of(Scenario::article(Layout::Pike).snapshot)));
    let mut stage = Stage::new(source);
    let asker: Asker = Arc::new(|_: &[RouteQuestion]| Vec::new());
    // Nobody answers, the gateway neither.
    let prober: Prober = Arc::new(|questions: &[WireQuestion]| vec![WireAnswer::Silent; questions.len()]);
    let keeper: Keeper =
        Arc::new(
            |_: &str, id: &str, revoke: bool| {
                if revoke { Err("the disk is full".to_owned()) } else { Ok(BTreeSet::from([id.to_owned()])) }
            },
        );
    let reach = Reach { asker: Some(asker), prober: Some(prober), keeper: Some(keeper), ..Reach::default() };
    stage.console = stage.console.reaching(reach);
    stage.keys("");
    stage.keys("fp");
    assert!(stage.screen().contains("external-gateway-silent"), "{}", stage.screen());
    stage.keys("gA");
    assert_eq!(stage.console.state().node.as_ref().unwrap().judged.counts.acknowledged, 1, "{}", stage.screen());
    stage.keys("GA");
    assert!(stage.screen().contains("the disk is full"), "{}", stage.screen());
    // One that fails is told, and hinders nothing.
    let reach =
        Reach { prober: Some(Arc::new(|_: &[WireQuestion]| panic!("a prober that fails"))), ..Reach::default() };
    let asker: Asker = Arc::new(|_: &[RouteQuestion]| Vec::new());
    stage.console = stage.console.reaching(Reach { asker: Some(asker), ..reach });
    stage.keys("p");
    assert!(stage.screen().contains("a prober that fails"), "{}", stage.screen());
    assert!(!stage.console.state().probing);
}

#[test]
fn who_has_the_address_is_asked_while_the_plan_is_read() {
    let mut stage = Stage::new(Arc::new(|| Ok(Node::of(Scenario::article(Layout::Pike).snapshot))));
    let silent: Prober = Arc::new(|questions: &[WireQuestion]| vec![WireAnswer::Silent; questions.len()]);
    let asker: Asker = Arc::new(|_: &[RouteQuestion]| Vec::new());
    let reach = Reach { asker: Some(asker), finder: Some(silent), ..Reach::default() };
    stage.console = stage.console.reaching(reach.clone());
    stage.keys("");
    stage.keys("a192.168.1.77<tab>10.0.0.77<enter>");
    assert!(stage.screen().contains("Nobody on the external network answers for 192.168.1.77."), "{}", stage.screen());
    let fails: Prober = Arc::new(|_: &[WireQuestion]| panic!("a wire that fails"));
    for (finder, said) in [(Some(fails), "a wire that fails"), (None, "already could not be asked: there is no")] {
        stage.console = stage.console.reaching(Reach { finder, ..reach.clone() });
        stage.keys("<esc><enter>");
        assert!(stage.screen().contains(said), "{}", stage.screen());
    }
}

#[test]
fn the_journal_is_read_outside_the_loop() {
    // No change was ever made there: it does not exist.
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("no-journal");
    let netns_dir = fipscope::netns::NetnsDir::new(&folder);
    let site = fipscope::exec::Site { netns_dir, state_path: None, folder, read_only: false };
    let mut stage = Stage::new(article_source());
    let asker: Asker = Arc::new(|_: &[RouteQuestion]| Vec::new());
    stage.console = stage.console.reaching(Reach { asker: Some(asker), site: Some(site), ..Reach::default() });
    stage.keys("");
    stage.keys("J");
    assert!(stage.screen().contains("No change was made on this node"), "{}", stage.screen());
    stage.keys("<esc>u");
    assert!(stage.screen().contains("no change that could be taken back"), "{}", stage.screen());
}

#[test]
fn what_is_heard_comes_in_by_itself_until_nobody_wants_it() {
    let over = Arc::new(Mutex::new(None));
    let seen = over.clone();
    let ears: Ears = Arc::new(move |desk: &Desk, tell: &mut dyn FnMut(Heard) -> bool| {
        *seen.lock().unwrap() = Some(desk.over().clone());
        assert!(!desk.node().topology.routers.is_empty());
        tell(Heard { namespaces: 3, ..Heard::default() });
        while !desk.over().load(Ordering::Relaxed) {
            std::thread::yield_now();
        }
        Ok(())
    });
    let mut stage = Stage::new(article_source());
    let asker: Asker = Arc::new(|_: &[RouteQuestion]| Vec::new());
    stage.console = stage.console.reaching(Reach { asker: Some(asker), ears: Some(ears), ..Reach::default() });
    stage.keys("");
    stage.keys("T");
    assert!(stage.screen().contains("3 namespaces"), "{}", stage.screen());
    stage.keys("s");
    let over = over.lock().unwrap().clone().unwrap();
    assert!(over.load(Ordering::Relaxed));
    // Ears that fail say why.
    let ears: Ears = Arc::new(|_: &Desk, _: &mut dyn FnMut(Heard) -> bool| panic!("ears that fail"));
    let asker: Asker = Arc::new(|_: &[RouteQuestion]| Vec::new());
    stage.console = stage.console.reaching(Reach { asker: Some(asker), ears: Some(ears), ..Reach::default() });
    stage.keys("T");
    assert!(stage.screen().contains("ears that fail"), "{}", stage.screen());
}

#[test]
fn copying_reaches_the_terminal() {
    let mut stage = Stage::new(article_source());
    stage.keys("");
    stage.keys("192.168.1.3<esc>gjy");
    assert_eq!(*stage.clipboard.0.lock().unwrap(), b"\x1b]52;c;MjAzLjAuMTEzLjk=\x07");
    assert!(stage.screen().contains("copied: 203.0.113.9"), "{}", stage.screen());
}

#[test]
fn a_terminal_that_fails_ends_the_loop_with_its_reason() {
    let mut stage = Stage::new(article_source());
    let mut events = iter([Err(io::Error::other("gone"))]);
    let ended = stage.runtime.block_on(stage.console.run(&mut events, pending()));
    assert!(matches!(ended, Err(ConsoleError::Terminal { operation: "read", .. })), "{ended:?}");
}
