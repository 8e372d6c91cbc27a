//! Reads the node on a thread of its own: reading enters namespaces and may
//! take its time, and the screen must go on.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::console::Source;
use crate::tui::Node;

type Answer = Result<Node, String>;

/// A thread that reads when asked. It ends with its owner; a reading that is
/// under way then is left to itself.
pub(super) struct Worker {
    ask: Sender<Option<Node>>,
    answers: UnboundedReceiver<Answer>,
    pending: usize,
}

impl Worker {
    pub(super) fn start(source: Source) -> io::Result<Self> {
        let (ask, asked) = channel();
        let (answer, answers) = unbounded_channel();
        thread::Builder::new().name("reader".to_owned()).spawn(move || work(&source, &asked, &answer))?;
        Ok(Self { ask, answers, pending: 0 })
    }

    /// Wants a reading.
    pub(super) fn ask(&mut self) {
        // A thread that is gone answers through the closed channel.
        let _ = self.ask.send(None);
        self.pending += 1;
    }

    /// Lets go of a reading that is over: a large one takes its time.
    pub(super) fn discard(&self, node: Option<Node>) {
        if node.is_some() {
            let _ = self.ask.send(node);
        }
    }

    /// A reading is under way.
    pub(super) fn is_busy(&self) -> bool {
        self.pending > 0
    }

    /// The next reading; never, where none was asked for.
    pub(super) async fn answer(&mut self) -> Answer {
        if self.pending == 0 {
            return std::future::pending().await;
        }
        let answer = self.answers.recv().await;
        self.pending -= 1;
        answer.unwrap_or_else(|| Err("the reader is gone\nstart the console again".to_owned()))
    }
}

fn work(source: &Source, asked: &Receiver<Option<Node>>, answers: &UnboundedSender<Answer>) {
    while let Ok(over) = asked.recv() {
        if over.is_some() {
            continue;
        }
        let answer = catch_unwind(AssertUnwindSafe(|| source())).unwrap_or_else(|panic| Err(broken(panic.as_ref())));
        if answers.send(answer).is_err() {
            return;
        }
    }
}

fn broken(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    format!("the reader failed ({})\nplease report it with a snapshot", text.unwrap_or("no reason given"))
}
