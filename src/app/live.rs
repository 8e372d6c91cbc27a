//! The node as it changes, for the console: one thread watches, another judges,
//! and neither waits for the screen.

use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::Duration;

use tokio::sync::mpsc::{Receiver, Sender, channel};

use super::source::entered;
use super::witness;
use super::worker::safely;
use crate::check::{Judge, turns};
use crate::kernel::{Handle, Health, ReadOptions, Update, Watcher};
use crate::net::{Ages, changes};
use crate::topology::Keeper;
use crate::tui::{Live as News, Msg, Node, Watching};

/// The screen is told as often that the node is still watched.
const HEARTBEAT: Duration = Duration::from_secs(1);
/// Changes that wait for a screen that does not come, one by one; beyond that
/// only what they come to is kept.
const MOST_WAITING: usize = 20_000;

/// What is acknowledged on the node of a name, by identity.
pub type Accepted = Box<dyn Fn(&str) -> BTreeSet<String> + Send>;

/// What the console hears of the watched node.
pub struct Live {
    messages: Receiver<Msg>,
    reread: Box<dyn Fn() + Send>,
    /// A message is on its way.
    expected: bool,
}

impl Live {
    /// Messages from elsewhere; `reread` is called where the user wants the node
    /// read again, and a message has to follow.
    pub fn new(messages: Receiver<Msg>, reread: impl Fn() + Send + 'static) -> Self {
        Self { messages, reread: Box::new(reread), expected: true }
    }

    /// Watches this node, on two threads. They end when this is dropped.
    /// `accepted` gives what is acknowledged on the node of that name.
    pub fn start(options: ReadOptions, accepted: Accepted) -> io::Result<Self> {
        let desk = Arc::new(Desk::default());
        let (sender, messages) = channel(1);
        let (watched, judged, handle) = (desk.clone(), desk.clone(), desk.clone());
        let known = Known { netns_dir: options.netns_dir.clone(), ..Known::default() };
        thread::Builder::new().name("watcher".to_owned()).spawn(move || {
            let end = safely(|| watch(&options, &watched)).and_then(|end| end);
            watched.put(|desk| desk.ended = Some(end.err().unwrap_or_else(|| "it was stopped".to_owned())));
        })?;
        thread::Builder::new().name("judge".to_owned()).spawn(move || {
            let end = safely(|| judge(&judged, known, &accepted, &sender));
            judged.stop();
            if let Err(why) = end {
                let _ = sender.blocking_send(Msg::Unwatched(why));
            }
        })?;
        let reread = move || {
            if let Some(handle) = handle.handle.get() {
                handle.reread();
            }
        };
        Ok(Self { messages, reread: Box::new(reread), expected: true })
    }

    /// The next message; `None` where no more will come.
    pub async fn next(&mut self) -> Option<Msg> {
        let message = self.messages.recv().await;
        // The ages come beside what is awaited.
        self.expected &= matches!(message, Some(Msg::Ages(_)));
        message
    }

    /// The same for a thread, which waits.
    pub(super) fn wait(&mut self) -> Option<Msg> {
        self.messages.blocking_recv()
    }

    /// A message is there or on its way.
    pub(super) fn is_busy(&self) -> bool {
        self.expected || !self.messages.is_empty()
    }

    /// Has the node read again.
    pub(super) fn reread(&mut self) {
        (self.reread)();
        self.expected = true;
    }
}

/// Where the one thread puts what the other takes.
#[derive(Default)]
struct Desk {
    paper: Mutex<Paper>,
    news: Condvar,
    handle: OnceLock<Handle>,
}

#[derive(Default)]
struct Paper {
    update: Option<Update>,
    /// The changes were too many to keep: they have to be found anew.
    too_many: bool,
    health: Option<Health>,
    /// The ages, where they are others than before.
    ages: Option<Arc<Ages>>,
    ended: Option<String>,
}

impl Desk {
    fn put(&self, change: impl FnOnce(&mut Paper)) {
        change(&mut self.lock());
        self.news.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, Paper> {
        // Whoever panicked with it in hand has left it whole: each change is one assignment.
        self.paper.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for news, and takes them.
    fn take(&self) -> Paper {
        let quiet = |paper: &mut Paper| paper.update.is_none() && paper.health.is_none() && paper.ended.is_none();
        let mut paper = self.news.wait_while(self.lock(), quiet).unwrap_or_else(PoisonError::into_inner);
        // The end is told after the last update.
        let ended = if paper.update.is_some() { paper.ended.take() } else { None };
        std::mem::replace(&mut *paper, Paper { ended, ..Paper::default() })
    }

    fn stop(&self) {
        if let Some(handle) = self.handle.get() {
            handle.stop();
        }
    }
}

impl Paper {
    /// Adds an update to one that nobody took yet.
    fn add(&mut self, mut update: Update) {
        if let Some(old) = self.update.take() {
            let mut changes = old.changes;
            self.too_many |= changes.len() + update.changes.len() > MOST_WAITING;
            if self.too_many {
                changes.clear();
            } else {
                changes.append(&mut update.changes);
            }
            update = Update { at: old.at, changes, ..update };
        }
        self.health = None;
        self.update = Some(update);
    }
}

fn watch(options: &ReadOptions, desk: &Desk) -> Result<(), String> {
    let mut watcher = Watcher::start(options).map_err(|error| error.to_string())?;
    let handle = desk.handle.get_or_init(|| watcher.handle());
    let (mut is_first, mut told) = (true, Arc::default());
    while !handle.is_stopped() {
        let Some(update) = watcher.next(HEARTBEAT).map_err(|error| error.to_string())? else {
            let (health, ages) = (watcher.health(), watcher.ages());
            let ages = other(&mut told, ages);
            desk.put(|desk| (desk.health, desk.ages) = (Some(health), ages.or(desk.ages.take())));
            continue;
        };
        if std::mem::take(&mut is_first) {
            entered(&update.snapshot).map_err(|error| error.to_string())?;
        }
        let ages = other(&mut told, watcher.ages());
        desk.put(|desk| {
            desk.add(update);
            desk.ages = ages.or(desk.ages.take());
        });
    }
    Ok(())
}

/// The ages, where they are not those that were told.
fn other(told: &mut Arc<Ages>, ages: Arc<Ages>) -> Option<Arc<Ages>> {
    let is_told = Arc::ptr_eq(told, &ages);
    *told = ages.clone();
    (!is_told).then_some(ages)
}

/// Judges what comes, and tells the screen, until there is none any more.
fn judge(desk: &Desk, mut known: Known, accepted: &Accepted, sender: &Sender<Msg>) {
    loop {
        let paper = desk.take();
        if let Some(ages) = paper.ages
            && sender.blocking_send(Msg::Ages(ages)).is_err()
        {
            return;
        }
        let message = match (paper.update, paper.health, paper.ended) {
            (Some(update), ..) => Msg::Live(Box::new(known.news(update, paper.too_many, accepted))),
            (None, _, Some(why)) => {
                let _ = sender.blocking_send(Msg::Unwatched(why));
                return;
            }
            (None, Some(health), None) => Msg::Watching(watching(&health)),
            (None, None, None) => continue,
        };
        if sender.blocking_send(message).is_err() {
            return;
        }
    }
}

/// What is kept from one update to the next.
#[derive(Default)]
struct Known {
    netns_dir: PathBuf,
    keeper: Keeper,
    judge: Judge,
    last: Option<Node>,
}

impl Known {
    fn news(&mut self, update: Update, too_many: bool, accepted: &Accepted) -> News {
        tracing::trace!(stage = "taken");
        let topology = self.keeper.read(&update.snapshot);
        tracing::trace!(stage = "understood");
        let mut findings = self.judge.read(&update.snapshot, &topology);
        witness::prove(&self.netns_dir, &update.snapshot, &topology, &mut findings);
        tracing::trace!(stage = "judged");
        let mut node = Node::new(update.snapshot, topology).with(findings);
        if self.last.is_none() {
            // The screen keeps it from then on.
            let ids = accepted(&node.snapshot.node);
            node = node.accepting(ids);
        }
        let before = self.last.replace(node.clone());
        let turned = before.as_ref().map_or_else(Vec::new, |old| turns(&old.judged.findings, &node.judged.findings));
        let found = match &before {
            Some(old) if too_many => changes(&old.snapshot, &node.snapshot),
            _ => update.changes,
        };
        tracing::trace!(stage = "sorted");
        News { at: update.at, changes: found, turns: turned, node, watching: watching(&update.health) }
    }
}

fn watching(health: &Health) -> Watching {
    Watching { at: health.at, oldest: health.oldest.as_secs(), deaf: health.deaf, overruns: health.overruns }
}
