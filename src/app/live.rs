//! The node as it changes, for the console: one thread watches, another judges,
//! and neither waits for the screen.

use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::mpsc::{Receiver, Sender, channel};

use super::source::entered;
use super::witness;
use super::worker::safely;
use crate::check::{Judge, judge_with, turns};
use crate::kernel::{Handle, Health, ReadOptions, Update, Watcher};
use crate::net::{Ages, WireAnswers, changes};
use crate::topology::Keeper;
use crate::tui::{Live as News, Msg, Node, Watching};

/// The screen is told as often that the node is still watched.
const HEARTBEAT: Duration = Duration::from_secs(1);
/// Changes that wait for a screen that does not come, one by one; beyond that
/// only what they come to is kept.
const MOST_WAITING: usize = 20_000;

/// For so long what the wire answered is held against a node that changes.
const ANSWERS_HOLD: Duration = Duration::from_secs(60);

/// What is acknowledged on the node of a name, by identity.
pub type Accepted = Box<dyn Fn(&str) -> BTreeSet<String> + Send>;

/// What the console hears of the watched node.
pub struct Live {
    messages: Receiver<Msg>,
    reread: Box<dyn Fn() + Send>,
    /// Where there is somebody who judges.
    desk: Option<Arc<Desk>>,
    /// A message is on its way.
    expected: bool,
}

impl Live {
    /// Messages from elsewhere; `reread` is called where the user wants the node
    /// read again, and a message has to follow.
    pub fn new(messages: Receiver<Msg>, reread: impl Fn() + Send + 'static) -> Self {
        Self { messages, reread: Box::new(reread), desk: None, expected: true }
    }

    /// Watches this node, on two threads. They end when this is dropped.
    /// `accepted` gives what is acknowledged on the node of that name.
    pub fn start(options: ReadOptions, accepted: Accepted) -> io::Result<Self> {
        let desk = Arc::new(Desk::default());
        let (sender, messages) = channel(1);
        let (watched, judged, handle, own) = (desk.clone(), desk.clone(), desk.clone(), Some(desk));
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
        Ok(Self { messages, reread: Box::new(reread), desk: own, expected: true })
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

    /// Has the node judged by what the wire answered, as it is and for a while as
    /// it changes.
    pub(super) fn hold(&mut self, answers: Arc<WireAnswers>) {
        if let Some(desk) = &self.desk {
            desk.put(|paper| paper.answers = Some(answers));
            self.expected = true;
        }
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
    /// What the wire answered since.
    answers: Option<Arc<WireAnswers>>,
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
        let quiet = |paper: &mut Paper| {
            paper.update.is_none() && paper.health.is_none() && paper.answers.is_none() && paper.ended.is_none()
        };
        let mut paper = self.news.wait_while(self.lock(), quiet).unwrap_or_else(PoisonError::into_inner);
        // The end is told after all that there is to judge.
        let goes_on = paper.update.is_some() || paper.answers.is_some();
        let ended = if goes_on { paper.ended.take() } else { None };
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
        let again = paper.answers.and_then(|answers| known.hold(answers));
        let message = match (paper.update, again, paper.health, paper.ended) {
            (Some(update), ..) => Msg::Live(Box::new(known.news(update, paper.too_many, accepted))),
            (None, Some(again), ..) => Msg::Live(Box::new(again)),
            (None, None, _, Some(why)) => {
                let _ = sender.blocking_send(Msg::Unwatched(why));
                return;
            }
            (None, None, Some(health), None) => Msg::Watching(watching(&health)),
            (None, None, None, None) => continue,
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
    /// What was told last, judged by nothing but the node, without its changes.
    last: Option<News>,
    /// What the wire answered, and when.
    held: Option<(Arc<WireAnswers>, Instant)>,
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
        let (at, watching) = (update.at, watching(&update.health));
        let told = News { at, changes: Vec::new(), turns: Vec::new(), node: node.clone(), watching };
        let before = self.last.replace(told);
        let turned =
            before.as_ref().map_or_else(Vec::new, |old| turns(&old.node.judged.findings, &node.judged.findings));
        let found = match &before {
            Some(old) if too_many => changes(&old.node.snapshot, &node.snapshot),
            _ => update.changes,
        };
        tracing::trace!(stage = "sorted");
        News { at, changes: found, turns: turned, node: self.by_the_wire(node), watching }
    }

    /// The same node once more, by what the wire answered; nothing changed there.
    fn hold(&mut self, answers: Arc<WireAnswers>) -> Option<News> {
        self.held = Some((answers, Instant::now()));
        let last = self.last.clone()?;
        Some(News { node: self.by_the_wire(last.node.clone()), ..last })
    }

    /// Judged by what the wire answered, too, while that holds.
    fn by_the_wire(&mut self, node: Node) -> Node {
        self.held = self.held.take().filter(|(_, since)| since.elapsed() < ANSWERS_HOLD);
        let Some((answers, _)) = &self.held else { return node };
        let topology = self.keeper.read(&node.snapshot);
        let mut findings = judge_with(&node.snapshot, &topology, answers);
        witness::prove(&self.netns_dir, &node.snapshot, &topology, &mut findings);
        Node { answers: answers.clone(), ..Node::new(node.snapshot, topology) }.with(findings)
    }
}

fn watching(health: &Health) -> Watching {
    Watching { at: health.at, oldest: health.oldest.as_secs(), deaf: health.deaf, overruns: health.overruns }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::check::{Pick, questions};
    use crate::net::{Mac, Snapshot, WireAnswer, WireReply};
    use crate::neutron::Layout;
    use crate::topology::scenario::Scenario;

    fn update(snapshot: &Arc<Snapshot>) -> Update {
        let at = Timestamp::UNIX_EPOCH;
        let health = Health { at, watched: 1, deaf: 0, why_deaf: None, overruns: 0, oldest: Duration::ZERO };
        Update { at, changes: Vec::new(), snapshot: snapshot.clone(), health }
    }

    /// Other hosts answer for everything.
    fn answers(node: &Node) -> Arc<WireAnswers> {
        let asked = questions(&node.snapshot, &node.topology, &Pick::default(), None);
        let reply = WireReply { mac: Mac([2, 0, 0, 0, 0, 0x66]), rtt: 210 };
        Arc::new(asked.into_iter().map(|question| (question, WireAnswer::Answered(vec![reply]))).collect())
    }

    fn is_told(node: &Node) -> bool {
        node.judged.findings.iter().any(|finding| finding.code.0 == 607)
    }

    #[test]
    fn what_the_wire_answered_holds_for_what_comes_in_the_next_minute() {
        let accepted: Accepted = Box::new(|_| BTreeSet::new());
        let first = Arc::new(Scenario::article(Layout::Pike).snapshot);
        let mut known = Known::default();
        let told = known.news(update(&first), false, &accepted);
        assert!(!is_told(&told.node));
        let answers = answers(&told.node);
        let again = known.hold(answers.clone()).unwrap();
        assert!(is_told(&again.node) && Arc::ptr_eq(&again.node.snapshot, &first));
        assert_eq!((again.changes.len(), again.turns.len()), (0, 0));
        let mut second = (*first).clone();
        second.host.priority_file = crate::net::Observed::Absent;
        let second = Arc::new(second);
        let news = known.news(update(&second), false, &accepted);
        assert!(is_told(&news.node) && Arc::ptr_eq(&news.node.answers, &answers));
        // What the change did, and not what somebody asked.
        let codes: Vec<u16> = news.turns.iter().map(|turn| turn.finding.code.0).collect();
        assert!(codes.contains(&901) && !codes.contains(&607), "{codes:?}");
        let since = Instant::now().checked_sub(ANSWERS_HOLD).unwrap();
        known.held = Some((answers, since));
        let news = known.news(update(&first), false, &accepted);
        assert!(!is_told(&news.node) && news.node.answers.is_empty() && known.held.is_none());
    }
}
