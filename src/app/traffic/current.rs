//! The node as it is at this moment: `fipscope traffic` has it watched while it
//! listens.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use crate::app::error::AppError;
use crate::app::live::Live;
use crate::app::output::note;
use crate::app::source;
use crate::config::Settings;
use crate::tui::{Msg, Node};

/// What is known of the node by now; nothing before the first reading, and where
/// nobody watches any more.
pub(super) struct Current(Arc<Mutex<Option<Node>>>);

impl Current {
    /// Has the node watched, on threads that live as long as the program.
    pub(super) fn watch(settings: &Settings) -> Result<Self, AppError> {
        let failed = |source| AppError::Thread { source };
        let nothing = Box::new(|_: &str| BTreeSet::new());
        let mut live = Live::start(source::options(settings, false), nothing).map_err(failed)?;
        let current = Self(Arc::default());
        let known = current.0.clone();
        let work = move || {
            while let Some(message) = live.wait() {
                match message {
                    Msg::Live(news) => put(&known, Some(news.node)),
                    Msg::Unwatched(why) => {
                        note(&format!("fipscope: the node is not watched any more, only read now and then: {why}"));
                        break;
                    }
                    _ => {}
                }
            }
            put(&known, None);
        };
        thread::Builder::new().name("follower".to_owned()).spawn(work).map_err(failed)?;
        Ok(current)
    }

    /// The node, where it is watched.
    pub(super) fn node(&self) -> Option<Node> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether the node is another than that one by now.
    pub(super) fn is_other(&self, than: &Node) -> bool {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.as_ref().is_some_and(|node| !Arc::ptr_eq(&node.snapshot, &than.snapshot))
    }
}

fn put(known: &Mutex<Option<Node>>, node: Option<Node>) {
    // Whoever panicked with it in hand has left it whole: it is replaced at once.
    let before = std::mem::replace(&mut *known.lock().unwrap_or_else(PoisonError::into_inner), node);
    // A large one takes its time: not while somebody waits for the lock.
    drop(before);
}
