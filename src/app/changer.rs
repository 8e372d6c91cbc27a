//! Carries changes out for the console, on a thread of their own: the screen
//! goes on, and a change that has begun comes to its end whatever the screen does.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::thread::{self, JoinHandle};

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::bulk;
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
        self.expected += 1;
        if effect == Effect::ReadJournal {
            // Whoever leaves does not wait for it.
            let work = move |site: &Site, sender: &UnboundedSender<Msg>| {
                let _ = sender.send(Msg::Busy(exec::holder()));
                let _ = sender.send(Msg::Journal(exec::history(site).map_err(|error| error.to_string())));
            };
            return drop(self.spawn("journal", site, work, |why| Msg::Journal(Err(why))));
        }
        let work = move |site: &Site, sender: &UnboundedSender<Msg>| {
            // Nobody listens any more: the change goes on all the same.
            let mut told = |entry: &Entry| drop(sender.send(Msg::Told(entry.clone())));
            let over = match effect {
                Effect::Apply(order) if !order.each.roots.is_empty() => {
                    caught(|| bulk::mend(&order.each, site, sender)).and_then(|over| over)
                }
                Effect::Apply(order) => safely(|| apply(&order, site, &mut told)),
                Effect::Undo(id) => safely(|| exec::undo(id, site, &mut told)),
                Effect::Complete(id) => safely(|| exec::complete(id, site, &mut told)),
                _ => Err("this is no change".to_owned()),
            };
            announce(&over, site, sender);
            let _ = sender.send(Msg::Over(over));
        };
        self.running = self.spawn("changer", site, work, |why| Msg::Over(Err(why)));
    }

    fn spawn(
        &self,
        name: &str,
        site: Site,
        work: impl FnOnce(&Site, &UnboundedSender<Msg>) + Send + 'static,
        failed: fn(String) -> Msg,
    ) -> Option<JoinHandle<()>> {
        let sender = self.sender.clone();
        match thread::Builder::new().name(name.to_owned()).spawn(move || work(&site, &sender)) {
            Ok(handle) => Some(handle),
            Err(error) => {
                let _ = self.sender.send(failed(format!("no thread could be started: {error}")));
                None
            }
        }
    }

    /// The next message; never, where nothing is under way.
    pub(super) async fn next(&mut self) -> Msg {
        match self.news.recv().await {
            Some(message) => {
                if matches!(message, Msg::Over(_) | Msg::Journal(_)) {
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

/// Sends the later rounds of the announcement, on a thread of their own: nobody
/// waits for them, and another change may come between.
fn announce(over: &Result<Over, String>, site: &Site, sender: &UnboundedSender<Msg>) {
    let Ok(Over { past, .. }) = over else { return };
    let (past, site, told) = (past.clone(), site.clone(), sender.clone());
    let work = move || {
        let rounds = exec::announce_again(&past, &site, &mut |round| drop(told.send(Msg::Announced(Ok(round)))));
        if let Err(error) = rounds {
            let _ = told.send(Msg::Announced(Err(error.to_string())));
        }
    };
    if let Err(error) = thread::Builder::new().name("announcer".to_owned()).spawn(work) {
        let _ = sender.send(Msg::Announced(Err(format!("the address is announced no more: {error}"))));
    }
}

fn apply(order: &Order, site: &Site, told: &mut dyn FnMut(&Entry)) -> Result<Carried, Error> {
    exec::change(&exec::Order { plan: &order.plan, seen: &order.seen, aim: &order.aim }, site, told)
}

/// What became of it, or how it failed.
fn safely(work: impl FnOnce() -> Result<Carried, Error>) -> Result<Over, String> {
    caught(work)?.map(carried_over).map_err(|error| error.to_string())
}

fn caught<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|panic| broken(panic.as_ref()))
}

/// A change that is over, for the screen.
pub(super) fn carried_over(carried: Carried) -> Over {
    let Carried { past, verified, failure } = carried;
    Over { past, verified, failure }
}

/// Writes a new file into the current folder, for its owner alone, who may run a
/// script; gives its path back, or says why not.
pub(super) fn save(name: &str, text: &str) -> Result<String, String> {
    save_in(&std::env::current_dir().unwrap_or_default(), name, text)
}

fn save_in(folder: &Path, name: &str, text: &str) -> Result<String, String> {
    let mode = if Path::new(name).extension() == Some("sh".as_ref()) { 0o700 } else { 0o600 };
    let write = |path: &Path| -> io::Result<()> {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
        file.write_all(text.as_bytes())
    };
    let path = folder.join(name);
    match write(&path) {
        Ok(()) => Ok(path.display().to_string()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            Err(format!("{} is there already: move it away first", path.display()))
        }
        Err(error) => Err(format!("{} was not written: {error}", path.display())),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    #[test]
    fn a_script_may_be_run_and_a_text_may_not() {
        let folder = std::env::temp_dir().join(format!("fipscope-saved-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        for (name, mode) in [("plan.sh", 0o700), ("events.txt", 0o600)] {
            let path = save_in(&folder, name, "x").unwrap();
            assert_eq!(std::fs::metadata(path).unwrap().mode() & 0o777, mode, "{name}");
        }
        std::fs::remove_dir_all(folder).unwrap();
    }
}
