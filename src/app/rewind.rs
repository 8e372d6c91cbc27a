//! Judges moments of the past on a thread of its own. Whoever steps quickly waits
//! for the newest wanted moment only, and the last few need not be judged again.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::worker::safely;
use crate::check::judge;
use crate::topology::Keeper;
use crate::tui::{Msg, Node, Still, Then};

/// Moments that stay judged.
const KEPT: usize = 8;

/// Makes a node of a moment, and judges it. Takes its time: it is called on a
/// thread of its own.
pub type Judge = Arc<dyn Fn(&Still) -> Node + Send + Sync>;

/// The way to the thread, which begins with the first moment that is wanted.
#[derive(Default)]
pub(super) struct Rewind {
    running: Option<Running>,
    /// The moment that is waited for.
    wanted: Option<Still>,
}

struct Running {
    jobs: Sender<Still>,
    judged: UnboundedReceiver<Then>,
}

impl Rewind {
    /// Wants a moment judged, and none that was wanted before. `judge` takes the
    /// place of the checks.
    pub(super) fn want(&mut self, still: Still, judge: Option<&Judge>) {
        if self.running.is_none() {
            self.running = start(judge.cloned()).inspect_err(|error| tracing::error!(%error, "no thread")).ok();
        }
        if let Some(running) = &self.running {
            // A thread that is gone answers through the closed channel.
            let _ = running.jobs.send(still.clone());
        }
        self.wanted = Some(still);
    }

    /// A moment is waited for.
    pub(super) fn is_busy(&self) -> bool {
        self.wanted.is_some()
    }

    /// The moment that is wanted; never, where none is.
    pub(super) async fn next(&mut self) -> Msg {
        let Some(wanted) = self.wanted.clone() else { return std::future::pending().await };
        let then = loop {
            let judged = match &mut self.running {
                Some(running) => running.judged.recv().await,
                None => None,
            };
            match judged {
                Some(then) if then.still.is_same(&wanted) => break then,
                Some(_) => {}
                None => {
                    let why = "nobody can judge it\nstart the console again".to_owned();
                    break Then { still: wanted, node: Err(why) };
                }
            }
        };
        self.wanted = None;
        Msg::Then(Box::new(then))
    }
}

fn start(judge: Option<Judge>) -> io::Result<Running> {
    let (jobs, wanted) = channel();
    let (sender, judged) = unbounded_channel();
    thread::Builder::new().name("rewinder".to_owned()).spawn(move || work(judge.as_ref(), &wanted, &sender))?;
    Ok(Running { jobs, judged })
}

fn work(own: Option<&Judge>, wanted: &Receiver<Still>, judged: &UnboundedSender<Then>) {
    let (mut kept, mut keeper): (VecDeque<(Still, Node)>, _) = (VecDeque::new(), Keeper::default());
    while let Ok(first) = wanted.recv() {
        let still = wanted.try_iter().last().unwrap_or(first);
        let known = kept.iter().find(|(known, _)| known.is_same(&still)).map(|(_, node)| node.clone());
        let is_known = known.is_some();
        let node = match (known, own) {
            (Some(node), _) => Ok(node),
            (None, Some(own)) => safely(|| own(&still)),
            (None, None) => safely(|| of(&still, &mut keeper)),
        };
        if let (false, Ok(node)) = (is_known, &node) {
            if kept.len() >= KEPT {
                kept.pop_front();
            }
            kept.push_back((still.clone(), node.clone()));
        }
        if judged.send(Then { still, node }).is_err() {
            return;
        }
    }
}

fn of(still: &Still, keeper: &mut Keeper) -> Node {
    let snapshot = still.snapshot();
    let topology = keeper.read(&snapshot);
    let findings = judge(&snapshot, &topology);
    Node::new(snapshot, topology).with(findings)
}
