//! The console without a terminal: what it is told, it draws.

use std::collections::BTreeSet;
use std::sync::mpsc::{Sender, channel};
use std::time::{Duration, Instant};

use fipscope::app::live::Live;
use fipscope::kernel::ReadOptions;
use fipscope::lab::Lab;
use fipscope::net::NetnsName;
use fipscope::tui::{Msg, Node, State, update, view};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::layout::Size;

/// How long a change may take before the measurement gives up.
const PATIENCE: Duration = Duration::from_secs(10);

/// The console's clock.
const BEAT: Duration = Duration::from_secs(1);

pub struct Console {
    live: Live,
    pub state: State,
    terminal: Terminal<TestBackend>,
    runtime: tokio::runtime::Runtime,
    tick: Instant,
    /// Readings that are over go to another thread, as in the console.
    discard: Sender<Node>,
}

impl Console {
    /// Watches the lab, and draws the first screen.
    pub fn open(lab: &Lab) -> Self {
        let read = ReadOptions { state_path: Some(lab.state_path().to_owned()), ..ReadOptions::default() };
        let (discard, discarded) = channel();
        std::thread::Builder::new().name("reader".to_owned()).spawn(move || discarded.iter().for_each(drop)).unwrap();
        let mut console = Self {
            live: Live::start(read, Box::new(|_| BTreeSet::new())).unwrap(),
            state: State::new(Size::new(200, 50), jiff::Timestamp::now()),
            terminal: Terminal::new(TestBackend::new(200, 50)).unwrap(),
            runtime: tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap(),
            tick: Instant::now() + BEAT,
            discard,
        };
        while console.state.node.is_none() {
            console.show_next(PATIENCE);
        }
        console
    }

    pub fn node(&self) -> &Node {
        self.state.node.as_ref().unwrap()
    }

    /// Shows what comes for so long; gives the number of updates.
    pub fn show_for(&mut self, time: Duration) -> usize {
        let until = Instant::now() + time;
        let mut told = 0;
        while Instant::now() < until {
            let message = self.show_next(until.saturating_duration_since(Instant::now()));
            told += usize::from(matches!(message, Some(Told::Changes(_))));
        }
        told
    }

    pub fn show_what_is_there(&mut self) {
        while self.show_next(Duration::ZERO).is_some() {}
    }

    /// Shows what comes until a change of that namespace is on the screen.
    pub fn show_until_told(&mut self, name: Option<&NetnsName>) {
        let until = Instant::now() + PATIENCE;
        loop {
            match self.show_next(until.saturating_duration_since(Instant::now())) {
                Some(Told::Changes(places)) if places.contains(&name.cloned()) => return,
                Some(_) => {}
                None => panic!("a change of {name:?} was never told"),
            }
        }
    }

    /// Takes the next message, or the clock's tick, onto the screen; `None` where
    /// none came in time. That the node is still watched waits for the tick.
    fn show_next(&mut self, patience: Duration) -> Option<Told> {
        let tick = self.tick.saturating_duration_since(Instant::now());
        let (live, until) = (&mut self.live, patience.min(tick));
        let message = self.runtime.block_on(async { tokio::time::timeout(until, live.next()).await });
        let message = match message {
            Ok(message) => message.expect("the watcher goes on"),
            Err(_) if tick <= patience => {
                self.tick = Instant::now() + BEAT;
                update(&mut self.state, Msg::Tick(jiff::Timestamp::now()));
                self.draw();
                return Some(Told::Nothing);
            }
            Err(_) => return None,
        };
        let news = match &message {
            Msg::Live(news) => news,
            Msg::Unwatched(why) => panic!("{why}"),
            _ => {
                update(&mut self.state, message);
                return Some(Told::Nothing);
            }
        };
        tracing::trace!(stage = "received");
        let settled = news.changes.iter().filter(|change| !change.is_flapping());
        let told = settled.map(|change| change.netns.clone()).collect();
        let old = self.state.node.clone();
        update(&mut self.state, Msg::Tick(jiff::Timestamp::now()));
        update(&mut self.state, message);
        tracing::trace!(stage = "updated");
        self.draw();
        tracing::trace!(stage = "drawn");
        if let Some(old) = old {
            self.discard.send(old).unwrap();
        }
        Some(Told::Changes(told))
    }

    fn draw(&mut self) {
        let state = &self.state;
        self.terminal.draw(|frame| view(state, frame)).unwrap();
    }
}

enum Told {
    /// Where something changed.
    Changes(BTreeSet<Option<NetnsName>>),
    Nothing,
}
