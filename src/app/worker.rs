//! Reads the node, and asks its kernel, on a thread of its own: both enter
//! namespaces and may take their time, and the screen must go on.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::console::{Asker, Source};
use crate::net::RouteQuestion;
use crate::tui::{Msg, Node};

/// What the thread is to do.
enum Job {
    Read,
    Ask(Asker, Vec<RouteQuestion>),
    /// Lets go of a reading that is over.
    Discard(Node),
}

/// A thread that reads and asks when told. It ends with its owner; a reading
/// that is under way then is left to itself.
pub(super) struct Worker {
    jobs: Sender<Job>,
    answers: UnboundedReceiver<Msg>,
    pending: usize,
}

impl Worker {
    pub(super) fn start(source: Source) -> io::Result<Self> {
        let (jobs, given) = channel();
        let (answer, answers) = unbounded_channel();
        thread::Builder::new().name("reader".to_owned()).spawn(move || work(&source, &given, &answer))?;
        Ok(Self { jobs, answers, pending: 0 })
    }

    /// Wants a reading.
    pub(super) fn read(&mut self) {
        self.give(Job::Read);
    }

    /// Wants the kernel's answers.
    pub(super) fn ask(&mut self, asker: &Asker, questions: Vec<RouteQuestion>) {
        self.give(Job::Ask(asker.clone(), questions));
    }

    /// Lets go of a reading that is over: a large one takes its time.
    pub(super) fn discard(&self, node: Option<Node>) {
        if let Some(node) = node {
            let _ = self.jobs.send(Job::Discard(node));
        }
    }

    /// A reading or a question is under way.
    pub(super) fn is_busy(&self) -> bool {
        self.pending > 0
    }

    /// The next answer; never, where nothing was asked for.
    pub(super) async fn answer(&mut self) -> Msg {
        if self.pending == 0 {
            return std::future::pending().await;
        }
        let answer = self.answers.recv().await;
        self.pending -= 1;
        answer.unwrap_or_else(|| Msg::Node(Err("the reader is gone\nstart the console again".to_owned())))
    }

    fn give(&mut self, job: Job) {
        // A thread that is gone answers through the closed channel.
        let _ = self.jobs.send(job);
        self.pending += 1;
    }
}

fn work(source: &Source, jobs: &Receiver<Job>, answers: &UnboundedSender<Msg>) {
    while let Ok(job) = jobs.recv() {
        let answer = match job {
            Job::Discard(node) => {
                drop(node);
                continue;
            }
            Job::Read => Msg::Node(safely(|| source()).and_then(|node| node)),
            Job::Ask(asker, questions) => {
                let answers = safely(|| asker(&questions));
                let answers = answers.unwrap_or_else(|why| vec![Err(why); questions.len()]);
                Msg::Routes(questions.into_iter().zip(answers).collect())
            }
        };
        if answers.send(answer).is_err() {
            return;
        }
    }
}

/// What it gives, or how it failed.
fn safely<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|panic| broken(panic.as_ref()))
}

pub(super) fn broken(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    format!("the reader failed ({})\nplease report it with a snapshot", text.unwrap_or("no reason given"))
}
