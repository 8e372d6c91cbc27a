//! Carries changes out for the console, on a thread of their own: the screen
//! goes on, and a change that has begun comes to its end whatever the screen does.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread::{self, JoinHandle};

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::worker::broken;
use crate::exec::{self, Carried, Error, Site};
use crate::plan::journal::Entry;
use crate::tui::{Effect, Msg, Order, Over};

/// Who changes the node for the console.
pub(super) struct Changer {
    site: Option<Site>,
    sender: UnboundedSender<Msg>,
    news: UnboundedReceiver<Msg>,
    /// Messages that are still to come at the least.
    expected: usize,
    /// The change under way; it is waited for at the end.
    running: Option<JoinHandle<()>>,
}

impl Changer {
    /// For that node; without one nothing is changed.
    pub(super) fn new(site: Option<Site>) -> Self {
        let (sender, news) = unbounded_channel();
        Self { site, sender, news, expected: 0, running: None }
    }

    /// Begins what an effect asks for.
    pub(super) fn begin(&mut self, effect: Effect) {
        let Some(site) = self.site.clone() else { return };
        let sender = self.sender.clone();
        let spawned = thread::Builder::new().name("changer".to_owned()).spawn(move || {
            // Nobody listens any more: the change goes on all the same.
            let told = sender.clone();
            let mut told = move |entry: &Entry| drop(told.send(Msg::Told(entry.clone())));
            let message = match effect {
                Effect::Apply(order) => Msg::Over(safely(|| apply(&order, &site, &mut told))),
                Effect::Undo(id) => Msg::Over(safely(|| exec::undo(id, &site, &mut told))),
                Effect::Complete(id) => Msg::Over(safely(|| exec::complete(id, &site, &mut told))),
                _ => Msg::Journal(exec::history(&site).map_err(|error| error.to_string())),
            };
            let _ = sender.send(message);
        });
        match spawned {
            Ok(handle) => self.running = Some(handle),
            Err(error) => drop(self.sender.send(Msg::Over(Err(format!("no thread could be started: {error}"))))),
        }
        self.expected += 1;
    }

    /// The next message; never, where nothing is under way.
    pub(super) async fn next(&mut self) -> Msg {
        match self.news.recv().await {
            Some(message) => {
                if !matches!(message, Msg::Told(_)) {
                    self.expected = self.expected.saturating_sub(1);
                }
                message
            }
            None => std::future::pending().await,
        }
    }

    /// Something is under way.
    pub(super) fn is_busy(&self) -> bool {
        self.expected > 0
    }
}

impl Drop for Changer {
    /// Who leaves in the middle of a change waits for its end: it takes seconds
    /// at the most, and a change without an end is worse.
    fn drop(&mut self) {
        if let Some(running) = self.running.take() {
            let _ = running.join();
        }
    }
}

fn apply(order: &Order, site: &Site, told: &mut dyn FnMut(&Entry)) -> Result<Carried, Error> {
    exec::change(&exec::Order { plan: &order.plan, seen: &order.seen, aim: &order.aim }, site, told)
}

/// What became of it, or how it failed.
fn safely(work: impl FnOnce() -> Result<Carried, Error>) -> Result<Over, String> {
    let carried = catch_unwind(AssertUnwindSafe(work)).map_err(|panic| broken(panic.as_ref()))?;
    let Carried { past, verified, failure } = carried.map_err(|error| error.to_string())?;
    Ok(Over { past, verified, failure })
}

/// Writes a new file into the current folder, for its owner alone; gives its
/// path back, or says why not.
pub(super) fn save(name: &str, text: &str) -> Result<String, String> {
    let write = |path: &std::path::Path| -> io::Result<()> {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o700).open(path)?;
        file.write_all(text.as_bytes())
    };
    let path = std::env::current_dir().unwrap_or_default().join(name);
    match write(&path) {
        Ok(()) => Ok(path.display().to_string()),
        Err(error) => Err(format!("{} was not written: {error}", path.display())),
    }
}
