//! Reads the node, and asks its kernel, on a thread of its own: both enter
//! namespaces and may take their time, and the screen must go on.

use std::io;
use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::console::{Asker, Keeper, Messenger, Prober, Source, Tracker};
use crate::check::{Pick, questions};
use crate::net::{NetnsName, RouteQuestion, WireAnswer, WireAnswers, WireQuestion};
use crate::traffic::Errand;
use crate::tui::{Msg, Node, Tracked};

/// Connections of a namespace that are told of.
const CONNECTIONS: usize = 10_000;

/// What the thread is to do.
enum Job {
    Read,
    Ask(Asker, Vec<RouteQuestion>),
    /// Asks the wire about a reading.
    Probe(Prober, Node),
    /// Judges a reading by what the wire said about another.
    Judge(Node, Arc<WireAnswers>),
    /// Sends one packet and follows it.
    Send(Messenger, Node, Errand),
    /// Asks the wire who has an address.
    Find(Prober, WireQuestion),
    /// Remembers an acknowledgement: node, finding, and whether it is taken back.
    Keep(Keeper, [String; 2], bool),
    /// Reads the tracked connections of namespaces that have one of these addresses.
    Track(Tracker, Vec<NetnsName>, Vec<IpAddr>),
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

    /// Wants the wire's answers to what a reading leaves open.
    pub(super) fn probe(&mut self, prober: &Prober, node: Node) {
        self.give(Job::Probe(prober.clone(), node));
    }

    /// Wants a reading judged by the wire's answers to another.
    pub(super) fn judge(&mut self, node: Node, answers: Arc<WireAnswers>) {
        self.give(Job::Judge(node, answers));
    }

    /// Wants one packet sent and followed.
    pub(super) fn send(&mut self, messenger: &Messenger, node: Node, errand: Errand) {
        self.give(Job::Send(messenger.clone(), node, errand));
    }

    /// Wants to know who has an address.
    pub(super) fn find(&mut self, finder: &Prober, question: WireQuestion) {
        self.give(Job::Find(finder.clone(), question));
    }

    /// Wants an acknowledgement remembered, or forgotten.
    pub(super) fn keep(&mut self, keeper: &Keeper, node: String, id: String, revoke: bool) {
        self.give(Job::Keep(keeper.clone(), [node, id], revoke));
    }

    /// Wants the tracked connections of namespaces that have one of these addresses.
    pub(super) fn track(&mut self, tracker: &Tracker, namespaces: Vec<NetnsName>, addresses: Vec<IpAddr>) {
        self.give(Job::Track(tracker.clone(), namespaces, addresses));
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
        // A packet that is followed tells several times how far it came.
        let on_its_way = matches!(&answer, Some(Msg::Followed(Ok(followed))) if followed.answer.is_none());
        self.pending -= usize::from(!on_its_way);
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
            Job::Probe(prober, node) => match probe(prober, node, answers.clone()) {
                Ok(()) => continue,
                Err(error) => Msg::Probed(Err(format!("the wire was not asked: {error}"))),
            },
            Job::Judge(node, answers) => Msg::Probed(safely(|| node.probed(answers))),
            Job::Send(messenger, node, errand) => match send(messenger, node, errand, answers.clone()) {
                Ok(()) => continue,
                Err(error) => Msg::Followed(Err(format!("nothing was sent: {error}"))),
            },
            Job::Find(finder, question) => match find(finder, question.clone(), answers.clone()) {
                Ok(()) => continue,
                Err(error) => Msg::Taken(question, WireAnswer::NotAsked(error.to_string())),
            },
            Job::Keep(keeper, [node, id], revoke) => {
                Msg::Acknowledged(safely(|| keeper(&node, &id, revoke)).and_then(|kept| kept))
            }
            Job::Track(tracker, namespaces, addresses) => {
                let read = |namespace| track(&tracker, namespace, &addresses);
                Msg::Tracked(namespaces.into_iter().map(read).collect())
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

/// Asks the wire on a thread of its own: silence takes seconds, and readings go
/// on meanwhile.
fn probe(prober: Prober, node: Node, answers: UnboundedSender<Msg>) -> io::Result<()> {
    let ask = move || {
        let questions = questions(&node.snapshot, &node.topology, &Pick::default(), None);
        let said = prober(&questions);
        node.probed(Arc::new(questions.into_iter().zip(said).collect()))
    };
    let work = move || drop(answers.send(Msg::Probed(safely(ask))));
    thread::Builder::new().name("prober".to_owned()).spawn(work).map(drop)
}

/// Sends one packet and follows it on a thread of its own: its answer may take
/// seconds.
fn send(messenger: Messenger, node: Node, errand: Errand, answers: UnboundedSender<Msg>) -> io::Result<()> {
    let told = answers.clone();
    let mut tell = move |followed| told.send(Msg::Followed(Ok(Box::new(followed)))).is_ok();
    let work = move || {
        let followed = safely(|| messenger(&node, &errand, &mut tell)).and_then(|followed| followed);
        drop(answers.send(Msg::Followed(followed.map(Box::new))));
    };
    thread::Builder::new().name("follower".to_owned()).spawn(work).map(drop)
}

/// Asks who has an address, on a thread of its own.
fn find(finder: Prober, question: WireQuestion, answers: UnboundedSender<Msg>) -> io::Result<()> {
    let asked = question.clone();
    let ask = move || {
        let said = safely(|| finder(std::slice::from_ref(&asked)).pop());
        said.map_or_else(WireAnswer::NotAsked, |said| said.unwrap_or(WireAnswer::Silent))
    };
    let work = move || drop(answers.send(Msg::Taken(question, ask())));
    thread::Builder::new().name("finder".to_owned()).spawn(work).map(drop)
}

/// A namespace's connections with one of these addresses, as many as a screen can
/// hold.
fn track(tracker: &Tracker, namespace: NetnsName, addresses: &[IpAddr]) -> Tracked {
    let mut left_out = 0;
    let entries = safely(|| tracker(&namespace)).and_then(|entries| entries).map(|mut entries| {
        entries.retain(|entry| {
            let ends = [entry.original.src, entry.original.dst, entry.reply.src, entry.reply.dst];
            ends.iter().any(|end| addresses.contains(end))
        });
        left_out = entries.len().saturating_sub(CONNECTIONS);
        entries.truncate(CONNECTIONS);
        entries.shrink_to_fit();
        entries
    });
    Tracked { namespace, entries, left_out }
}

/// What it gives, or how it failed.
pub(super) fn safely<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|panic| broken(panic.as_ref()))
}

pub(super) fn broken(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    format!("the reader failed ({})\nplease report it with a snapshot", text.unwrap_or("no reason given"))
}
