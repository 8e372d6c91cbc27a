//! The console's loop: keys, readings, time and signals in, drawings and
//! effects out. The same loop runs on a terminal and in tests.

mod reach;

use std::future::{Future, poll_fn};
use std::io::{self, IsTerminal, Write};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use crossterm::event::{Event, EventStream};
use futures_util::{Stream, StreamExt};
use jiff::Timestamp;
use ratatui::Terminal;
use ratatui::backend::{Backend, CrosstermBackend};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};

pub use self::reach::{Asker, Keeper, Messenger, Prober, Reach, Source, Tracker};
use super::changer::{self, Changer};
use super::effects;
use super::listener::Listener;
use super::live::Live;
use super::rewind::Rewind;
use super::terminal::{Guard, Signals};
use super::worker::Worker;
use crate::net::WireAnswer;
use crate::tui::keymap::Keymap;
use crate::tui::theme::Theme;
use crate::tui::{Effect, Msg, State, update, view};

/// Events that are taken in before the next drawing, at most.
const BATCH: usize = 256;

/// How the user wants the console.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Colours and glyphs.
    pub theme: Theme,
    /// Keys.
    pub keymap: Keymap,
    /// Read again when the last reading is so many seconds old.
    pub refresh: Option<u64>,
    /// Take the mouse.
    pub mouse: bool,
}

/// Why the console ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The user left.
    Quit,
    /// There is no more input, and nothing is left to do.
    Input,
    /// A signal, by number.
    Signal(i32),
}

/// What keeps the console from running.
#[derive(Debug, thiserror::Error)]
pub enum ConsoleError {
    /// Standard output is no terminal.
    #[error("the console needs a terminal\nfor a pipe or a file there are `fipscope list` and `fipscope snapshot`")]
    NoTerminal,
    /// The terminal refused.
    #[error("the terminal could not be {operation}: {source}")]
    Terminal {
        /// What was to be done with it.
        operation: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// Drawing failed.
    #[error("the screen could not be drawn: {0}")]
    Draw(String),
    /// No thread or runtime could be started.
    #[error("the console could not be started: {0}")]
    Start(io::Error),
}

/// A console on some terminal.
pub struct Console<B: Backend> {
    terminal: Terminal<B>,
    state: State,
    worker: Worker,
    reach: Reach,
    changer: Changer,
    listener: Listener,
    rewind: Rewind,
    live: Option<Live>,
    begun: bool,
    clock: fn() -> Timestamp,
    clipboard: Box<dyn Write>,
    dirty: bool,
}

/// Runs the console on the process's terminal until the user leaves. The
/// terminal is as before afterwards, whatever happens. Must not be called
/// within an asynchronous runtime. With `live` it is told what changes, and the
/// source is asked where that fails.
pub fn run(source: Source, reach: Reach, live: Option<Live>, settings: Settings) -> Result<Ended, ConsoleError> {
    if !io::stdout().is_terminal() || !io::stdin().is_terminal() {
        return Err(ConsoleError::NoTerminal);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(ConsoleError::Start)?;
    let result = runtime.block_on(async {
        let mut signals = Signals::new().map_err(ConsoleError::Start)?;
        let _guard =
            Guard::enter(settings.mouse).map_err(|source| ConsoleError::Terminal { operation: "set up", source })?;
        let backend = CrosstermBackend::new(io::stdout());
        let console = Console::new(backend, source, settings, Timestamp::now, Box::new(io::stdout()))?;
        let mut console = console.reaching(reach).watching(live);
        // One reader for the life of the process: a second one could lose wake-ups.
        console.run(&mut EventStream::new(), signals.next()).await
    });
    // A reading that hangs must not keep the user waiting.
    runtime.shutdown_background();
    result
}

impl Settings {
    /// Defaults, without colour where the terminal or the user wants none.
    pub fn new(theme: Theme, keymap: Keymap) -> Self {
        Self { theme, keymap, refresh: None, mouse: true }
    }
}

impl Ended {
    /// The process's exit code.
    pub fn code(self) -> u8 {
        match self {
            Self::Quit | Self::Input => 0,
            Self::Signal(number) => u8::try_from(128 + number).unwrap_or(255),
        }
    }
}

impl<B: Backend> Console<B> {
    /// A console that will begin with a first reading.
    pub fn new(
        backend: B,
        source: Source,
        settings: Settings,
        clock: fn() -> Timestamp,
        clipboard: Box<dyn Write>,
    ) -> Result<Self, ConsoleError> {
        let terminal = Terminal::new(backend).map_err(|error| ConsoleError::Draw(error.to_string()))?;
        let size = terminal.size().map_err(|error| ConsoleError::Draw(error.to_string()))?;
        let mut state = State::new(size, clock());
        state.theme = settings.theme;
        state.keymap = settings.keymap;
        state.refresh = settings.refresh;
        let worker = Worker::start(source).map_err(ConsoleError::Start)?;
        let (reach, changer, listener) = (Reach::default(), Changer::new(None), Listener::default());
        let (rewind, live, begun, dirty) = (Rewind::default(), None, false, true);
        Ok(Self { terminal, state, worker, reach, changer, listener, rewind, live, begun, clock, clipboard, dirty })
    }

    /// Told what changes, instead of reading now and then.
    #[must_use]
    pub fn watching(mut self, live: Option<Live>) -> Self {
        self.live = live;
        self
    }

    /// With a kernel to ask, where what is read is this node.
    #[must_use]
    pub fn asking(self, asker: Option<Asker>) -> Self {
        self.reaching(Reach { asker, ..Reach::default() })
    }

    /// With all that there is to reach. Where there is a kernel to ask, what is
    /// read is this node.
    #[must_use]
    pub fn reaching(mut self, reach: Reach) -> Self {
        self.state.live = reach.asker.is_some();
        self.state.read_only = reach.site.as_ref().is_none_or(|site| site.read_only);
        self.state.lacking.clone_from(&reach.lacking);
        self.changer = Changer::new(reach.site.clone());
        self.reach = reach;
        self
    }

    /// Works until the user leaves, a signal comes, or the events end and
    /// nothing is under way any more. In the last case it can be called again
    /// with more events.
    pub async fn run<E, S>(&mut self, events: &mut E, signal: S) -> Result<Ended, ConsoleError>
    where
        E: Stream<Item = io::Result<Event>> + Unpin,
        S: Future<Output = i32>,
    {
        let mut signal = pin!(signal);
        if !std::mem::replace(&mut self.begun, true) && self.live.is_none() {
            self.worker.read();
        }
        let mut beat = self.state.beat();
        let mut ticks = clock(Instant::now(), beat);
        let mut open = true;
        loop {
            self.draw()?;
            if self.state.beat() != beat {
                beat = self.state.beat();
                ticks = clock(Instant::now() + beat, beat);
            }
            if !open && !self.is_busy() {
                return Ok(Ended::Input);
            }
            let mut quit = false;
            tokio::select! {
                biased;
                number = &mut signal => return Ok(Ended::Signal(number)),
                event = events.next(), if open => match event {
                    Some(event) => quit |= self.event(event)?,
                    None => open = false,
                },
                answer = self.worker.answer() => self.answer(answer)?,
                news = self.changer.next() => quit |= self.send(news)?,
                heard = self.listener.next() => quit |= self.send(heard)?,
                then = self.rewind.next() => self.answer(then)?,
                news = next(&mut self.live) => self.news(news)?,
                _ = ticks.tick() => quit |= self.send(Msg::Tick((self.clock)()))?,
            }
            // Whatever else is there already is taken in before the next drawing.
            for _ in 0..BATCH {
                if !open || quit {
                    break;
                }
                match at_hand(events).await {
                    Poll::Ready(Some(event)) => quit |= self.event(event)?,
                    Poll::Ready(None) => open = false,
                    Poll::Pending => break,
                }
            }
            if quit {
                return Ok(Ended::Quit);
            }
        }
    }

    fn is_busy(&self) -> bool {
        let under_way = self.worker.is_busy() || self.changer.is_busy() || self.listener.is_busy();
        under_way || self.rewind.is_busy() || self.live.as_ref().is_some_and(Live::is_busy)
    }

    /// The watched node's news; `None` where there will be no more. That it is
    /// still watched is drawn when the clock ticks.
    fn news(&mut self, news: Option<Msg>) -> Result<(), ConsoleError> {
        if matches!(news, None | Some(Msg::Unwatched(_))) {
            self.live = None;
        }
        if let Some(news @ (Msg::Watching(_) | Msg::Ages(_))) = news {
            update(&mut self.state, news);
            return Ok(());
        }
        self.answer(news.unwrap_or_else(|| Msg::Unwatched("the watcher is gone".to_owned())))
    }

    /// What it knows.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// What it draws on.
    pub fn backend(&self) -> &B {
        self.terminal.backend()
    }

    fn draw(&mut self) -> Result<(), ConsoleError> {
        if std::mem::take(&mut self.dirty) {
            let state = &self.state;
            self.terminal.draw(|frame| view(state, frame)).map_err(|error| ConsoleError::Draw(error.to_string()))?;
        }
        Ok(())
    }

    fn event(&mut self, event: io::Result<Event>) -> Result<bool, ConsoleError> {
        let event = event.map_err(|source| ConsoleError::Terminal { operation: "read", source })?;
        match event {
            Event::Key(key) => self.send(Msg::Key(key)),
            Event::Mouse(mouse) => self.send(Msg::Mouse(mouse)),
            Event::Paste(text) => self.send(Msg::Paste(text)),
            Event::Resize(width, height) => self.send(Msg::Resize(width, height)),
            Event::FocusGained | Event::FocusLost => Ok(false),
        }
    }

    fn answer(&mut self, answer: Msg) -> Result<(), ConsoleError> {
        self.send(Msg::Tick((self.clock)()))?;
        let is_other = matches!(answer, Msg::Node(_) | Msg::Live(_) | Msg::Then(_));
        let old = self.state.node.clone().filter(|_| is_other);
        self.send(answer)?;
        // Whatever is shown, what is heard flows through the node as it is.
        if let Some(node) = self.state.newest().filter(|_| is_other) {
            self.listener.follow(node);
        }
        self.worker.discard(old);
        Ok(())
    }

    /// Updates the state and carries out what it wants; true to leave.
    fn send(&mut self, msg: Msg) -> Result<bool, ConsoleError> {
        self.dirty = true;
        let mut quit = false;
        for effect in update(&mut self.state, msg) {
            quit |= effect == Effect::Quit;
            if let Some(answer) = self.carry_out(effect)? {
                quit |= self.send(answer)?;
            }
        }
        Ok(quit)
    }

    /// Begins what is wanted; gives the answer, where that is there at once.
    fn carry_out(&mut self, effect: Effect) -> Result<Option<Msg>, ConsoleError> {
        match effect {
            Effect::Quit => {}
            Effect::Reread => match &mut self.live {
                Some(live) => live.reread(),
                None => self.worker.read(),
            },
            Effect::Judge(still) => self.rewind.want(*still, self.reach.judge.as_ref()),
            Effect::AskRoutes(questions) => {
                if let Some(asker) = &self.reach.asker {
                    self.worker.ask(asker, questions);
                }
            }
            Effect::Probe => match (&self.reach.prober, &self.state.node) {
                (Some(prober), Some(node)) => self.worker.probe(prober, node.clone()),
                _ => return Ok(Some(Msg::Probed(Err("there is no wire to ask".to_owned())))),
            },
            Effect::Hold(answers) => match (&mut self.live, self.state.newest()) {
                (Some(live), _) => live.hold(answers),
                (None, Some(node)) => self.worker.judge(node.clone(), answers),
                (None, None) => {}
            },
            Effect::SendPacket(errand) => match (&self.reach.messenger, &self.state.node) {
                (Some(messenger), Some(node)) => self.worker.send(messenger, node.clone(), *errand),
                _ => return Ok(Some(Msg::Followed(Err("there is nowhere to send it from".to_owned())))),
            },
            Effect::AskTaken(question) => {
                let Some(finder) = &self.reach.finder else {
                    let answer = WireAnswer::NotAsked("there is no wire to ask".to_owned());
                    return Ok(Some(Msg::Taken(question, answer)));
                };
                self.worker.find(finder, question);
            }
            Effect::Listen => match (&self.reach.ears, &self.state.node) {
                (Some(ears), Some(node)) => self.listener.start(ears, node.clone()),
                _ => return Ok(Some(Msg::Heard(Err("there is nothing to listen to".to_owned())))),
            },
            Effect::StopListening => self.listener.stop(),
            Effect::Attend(attention) => self.listener.attend(attention),
            Effect::ReadTracked { namespaces, addresses } => match &self.reach.tracker {
                Some(tracker) => self.worker.track(tracker, namespaces, addresses),
                None => return Ok(Some(Msg::Tracked(Vec::new()))),
            },
            Effect::Acknowledge { node, id, revoke } => match &self.reach.keeper {
                Some(keeper) => self.worker.keep(keeper, node, id, revoke),
                None => return Ok(Some(Msg::Acknowledged(Err("there is nowhere to keep it".to_owned())))),
            },
            Effect::Redraw => {
                self.terminal.clear().map_err(|error| ConsoleError::Draw(error.to_string()))?;
            }
            effect @ (Effect::Apply(_) | Effect::Undo(_) | Effect::Complete(_) | Effect::ReadJournal) => {
                self.changer.begin(effect);
            }
            Effect::Save { name, text } => return Ok(Some(Msg::Saved(changer::save(&name, &text)))),
            Effect::Copy(text) => return Ok(Some(Msg::Copied(effects::copy(&mut self.clipboard, text)))),
        }
        Ok(None)
    }
}

/// The next news; never, where nobody watches.
async fn next(live: &mut Option<Live>) -> Option<Msg> {
    match live {
        Some(live) => live.next().await,
        None => std::future::pending().await,
    }
}

/// Ticks of one pace; those that were missed are not made up for.
fn clock(start: Instant, beat: Duration) -> Interval {
    let mut ticks = interval_at(start, beat);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    ticks
}

/// What the stream has already, without waiting. It is asked with the task's own
/// waker: crossterm's stream keeps the first one it is given until that fires,
/// and with one that wakes nobody a key would lie there until the clock ticks.
async fn at_hand<S: Stream + Unpin>(stream: &mut S) -> Poll<Option<S::Item>> {
    poll_fn(|context| Poll::Ready(stream.poll_next_unpin(context))).await
}
