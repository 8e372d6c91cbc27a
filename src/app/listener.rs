//! Listens for the console, on a thread of its own, and only while that wants
//! to hear.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use tokio::sync::mpsc::{Receiver, channel};

use super::worker::broken;
use crate::tui::{Attention, Heard, Msg, Node};

/// Listens until the console wants no more, and hands over what was heard, an
/// interval at a time; that says whether to go on. It is called on a thread of
/// its own; the error is for the user.
pub type Ears = Arc<dyn Fn(&Desk, &mut dyn FnMut(Heard) -> bool) -> Result<(), String> + Send + Sync>;

/// Intervals that wait for a screen that does not come; what comes then is left out.
const WAITING: usize = 8;

/// What the listening thread asks the console.
pub struct Desk {
    over: Arc<AtomicBool>,
    node: Mutex<Node>,
    attention: Mutex<Attention>,
}

/// Who listens for the console.
#[derive(Default)]
pub(super) struct Listener {
    running: Option<Running>,
}

struct Running {
    desk: Arc<Desk>,
    news: Receiver<Msg>,
    /// The first message is still to come.
    expected: bool,
}

impl Desk {
    /// The node as it was read last.
    pub fn node(&self) -> Node {
        self.lock().clone()
    }

    /// What else is wanted of the listening.
    pub fn attention(&self) -> Attention {
        self.attention.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Becomes true when nobody wants to hear any more.
    pub fn over(&self) -> &Arc<AtomicBool> {
        &self.over
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Node> {
        // Whoever panicked with it in hand has left it whole: it is replaced at once.
        self.node.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Listener {
    /// Begins to listen on a node.
    pub(super) fn start(&mut self, ears: &Ears, node: Node) {
        self.stop();
        let desk = Arc::new(Desk { over: Arc::default(), node: Mutex::new(node), attention: Mutex::default() });
        let (sender, news) = channel(WAITING);
        let (ears, own) = (ears.clone(), desk.clone());
        let failed = sender.clone();
        let work = move || {
            // A screen that is held up misses intervals, and holds nobody up. What was lost
            // in them is told with the next one.
            let mut untold = 0_u64;
            let mut tell = |mut heard: Heard| {
                let lost = heard.interval.lost.saturating_add(untold);
                heard.interval.lost = lost;
                let told = sender.try_send(Msg::Heard(Ok(Box::new(heard)))).is_ok();
                untold = if told { 0 } else { lost };
                !sender.is_closed()
            };
            let end = catch_unwind(AssertUnwindSafe(|| ears(&own, &mut tell)));
            if let Err(why) = end.unwrap_or_else(|panic| Err(broken(panic.as_ref()))) {
                let _ = sender.blocking_send(Msg::Heard(Err(why)));
            }
        };
        if let Err(error) = thread::Builder::new().name("listener".to_owned()).spawn(work) {
            let _ = failed.try_send(Msg::Heard(Err(format!("no thread could be started: {error}"))));
        }
        self.running = Some(Running { desk, news, expected: true });
    }

    /// The node was read again, or has changed.
    pub(super) fn follow(&self, node: &Node) {
        if let Some(running) = &self.running {
            *running.desk.lock() = node.clone();
        }
    }

    /// Something else is wanted of the listening.
    pub(super) fn attend(&self, attention: Attention) {
        if let Some(running) = &self.running {
            *running.desk.attention.lock().unwrap_or_else(PoisonError::into_inner) = attention;
        }
    }

    /// Listens no more.
    pub(super) fn stop(&mut self) {
        if let Some(running) = self.running.take() {
            running.desk.over.store(true, Ordering::Relaxed);
        }
    }

    /// The next message; never, where nobody listens.
    pub(super) async fn next(&mut self) -> Msg {
        let Some(running) = &mut self.running else { return std::future::pending().await };
        let message = running.news.recv().await;
        running.expected = false;
        if matches!(message, None | Some(Msg::Heard(Err(_)))) {
            self.stop();
        }
        message.unwrap_or_else(|| Msg::Heard(Err("nobody listens any more: T listens again".to_owned())))
    }

    /// A message is there or on its way.
    pub(super) fn is_busy(&self) -> bool {
        self.running.as_ref().is_some_and(|running| running.expected || !running.news.is_empty())
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.stop();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;
    use crate::net::Snapshot;
    use crate::traffic::Interval;

    #[test]
    fn what_was_lost_in_missed_intervals_is_told_later() {
        let (go, wait) = mpsc::channel::<()>();
        let (full, filled) = mpsc::channel::<()>();
        let wait = Mutex::new(wait);
        let ears: Ears = Arc::new(move |_, tell| {
            let lossy = || Heard { interval: Interval { lost: 1, ..Interval::default() }, ..Heard::default() };
            for _ in 0..WAITING + 5 {
                tell(lossy());
            }
            full.send(()).unwrap();
            wait.lock().unwrap().recv().unwrap();
            tell(lossy());
            Ok(())
        });
        let mut listener = Listener::default();
        listener.start(&ears, Node::of(Snapshot::empty("n", jiff::Timestamp::UNIX_EPOCH)));
        filled.recv().unwrap();
        let news = &mut listener.running.as_mut().unwrap().news;
        let mut lost = |go_on: bool| {
            if go_on {
                go.send(()).unwrap();
            }
            match news.blocking_recv() {
                Some(Msg::Heard(Ok(heard))) => heard.interval.lost,
                other => panic!("{other:?}"),
            }
        };
        let before: u64 = (0..WAITING).map(|_| lost(false)).sum();
        assert_eq!((before, lost(true)), (WAITING as u64, 6));
    }
}
