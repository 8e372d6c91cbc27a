//! A recording, played: moment by moment for `fipscope watch`, and for the console
//! on a thread of its own, which has the whole timeline at once and hears later
//! what the changes did to the findings.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel as jobs};
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::mpsc::{Sender, channel};

use super::live::{Accepted, Live};
use super::worker::safely;
use crate::check::{Judge, Turn, turns};
use crate::kernel::load_recording;
use crate::net::{Recorded, Snapshot};
use crate::topology::Keeper;
use crate::tui::{Live as News, Msg, Node, Replay, Timeline, Turned, Watching};

/// The console hears as often what more of the findings is known.
const PACE: Duration = Duration::from_millis(300);

/// Plays the moments of a recording, one after the other.
pub(super) struct Player<Lines> {
    node: Node,
    keeper: Keeper,
    judge: Judge,
    lines: Lines,
}

impl<Lines: Iterator<Item = Recorded>> Player<Lines> {
    /// Stands before the first of the lines.
    pub(super) fn new(first: Snapshot, lines: Lines) -> Self {
        Self { node: Node::of(first), keeper: Keeper::default(), judge: Judge::default(), lines }
    }

    /// The node at first; nothing changed.
    pub(super) fn first(&self) -> News {
        news(self.node.snapshot.taken_at, Vec::new(), Vec::new(), self.node.clone())
    }
}

impl<Lines: Iterator<Item = Recorded>> Iterator for Player<Lines> {
    type Item = News;

    fn next(&mut self) -> Option<News> {
        let line = self.lines.next()?;
        let at = line.began();
        let mut snapshot = (*self.node.snapshot).clone();
        snapshot.apply(&line.changes);
        snapshot.taken_at = line.at;
        let snapshot = Arc::new(snapshot);
        let topology = self.keeper.read(&snapshot);
        let findings = self.judge.read(&snapshot, &topology);
        let node = Node::new(snapshot, topology).with(findings);
        let turned = turns(&self.node.judged.findings, &node.judged.findings);
        self.node = node.clone();
        Some(news(at, line.changes, turned, node))
    }
}

/// Has the console show a file: a recording moment by moment, anything else as a
/// node that stands still. Both are read again when it asks.
pub(super) fn start(path: PathBuf, accepted: Accepted) -> io::Result<Live> {
    let (sender, messages) = channel(1);
    let (again, wanted) = jobs();
    let work = move || {
        loop {
            let shown = safely(|| show(&path, &accepted, &sender, &wanted));
            let told = shown.unwrap_or_else(|why| tell(&sender, Msg::Node(Err(why))));
            match told {
                Told::Gone => return,
                Told::All if wanted.recv().is_err() => return,
                Told::All | Told::Again => {}
            }
        }
    };
    thread::Builder::new().name("player".to_owned()).spawn(work)?;
    Ok(Live::new(messages, move || {
        let _ = again.send(());
    }))
}

/// How it went.
enum Told {
    All,
    /// It is to be read again before it was told to its end.
    Again,
    /// The console is gone.
    Gone,
}

fn show(path: &Path, accepted: &Accepted, sender: &Sender<Msg>, wanted: &Receiver<()>) -> Told {
    let recording = match load_recording(path) {
        Ok(recording) => recording,
        Err(error) => return tell(sender, Msg::Node(Err(error.to_string()))),
    };
    if recording.is_still() {
        let node = Node::of(recording.first);
        let known = accepted(&node.snapshot.node);
        return tell(sender, Msg::Node(Ok(node.accepting(known))));
    }
    let first = Arc::new(recording.first);
    let timeline = Timeline::replay(&first, recording.lines);
    let node = Node::of(timeline.newest().unwrap_or(&first).clone());
    let known = accepted(&node.snapshot.node);
    let replay = Replay { timeline: timeline.clone(), node: node.accepting(known), remark: recording.remark };
    match tell(sender, Msg::Replay(Ok(Box::new(replay)))) {
        Told::All => judge_all(&timeline, first, sender, wanted),
        other => other,
    }
}

/// Finds what every moment did to the findings, and tells it in good portions.
fn judge_all(timeline: &Timeline, first: Arc<Snapshot>, sender: &Sender<Msg>, wanted: &Receiver<()>) -> Told {
    let (mut snapshot, mut keeper, mut judge) = (first, Keeper::default(), Judge::default());
    let mut before = judge.read(&snapshot, &keeper.read(&snapshot));
    let (mut found, mut last): (Vec<(u64, Vec<Turn>)>, _) = (Vec::new(), Instant::now());
    for moment in timeline.moments() {
        let node = Arc::make_mut(&mut snapshot);
        node.apply(&moment.changes);
        node.taken_at = moment.taken_at;
        let after = judge.read(&snapshot, &keeper.read(&snapshot));
        let turned = turns(&before, &after);
        before = after;
        if !turned.is_empty() {
            found.push((moment.number, turned));
        }
        if wanted.try_recv().is_ok() {
            return Told::Again;
        }
        let until = moment.number + 1;
        if last.elapsed() >= PACE || until == timeline.end_position() {
            last = Instant::now();
            let turned = Turned { turns: std::mem::take(&mut found), until };
            if let Told::Gone = tell(sender, Msg::Turned(turned)) {
                return Told::Gone;
            }
        }
    }
    Told::All
}

fn tell(sender: &Sender<Msg>, message: Msg) -> Told {
    if sender.blocking_send(message).is_ok() { Told::All } else { Told::Gone }
}

/// What the watcher would have told.
fn news(at: jiff::Timestamp, changes: Vec<crate::net::Change>, turns: Vec<Turn>, node: Node) -> News {
    let watching = Watching { at: node.snapshot.taken_at, oldest: 0, deaf: 0, overruns: 0 };
    News { at, changes, turns, node, watching }
}
