//! What the console reaches outside itself, as functions that are called on
//! threads of their own.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::super::listener::Ears;
use super::super::rewind::Judge;
use crate::exec::Site;
use crate::net::{ConntrackEntry, NetnsName, RouteAnswer, RouteQuestion, WireAnswer, WireQuestion};
use crate::traffic::Errand;
use crate::tui::{Followed, Node};

/// Where readings come from: this node, a file, the lab. It is called on a
/// thread of its own, once at the start and again for each refresh; the error
/// is for the user, its last line says what to try.
pub type Source = Arc<dyn Fn() -> Result<Node, String> + Send + Sync>;

/// Asks the kernel's own route lookups, one answer a question, in their order;
/// an error says why that one could not be asked. It is called on the thread of
/// the readings.
pub type Asker = Arc<dyn Fn(&[RouteQuestion]) -> Vec<Result<RouteAnswer, String>> + Send + Sync>;

/// Asks the wire, one answer a question, in their order. It takes seconds, and
/// is called on a thread of its own.
pub type Prober = Arc<dyn Fn(&[WireQuestion]) -> Vec<WireAnswer> + Send + Sync>;

/// Remembers for a node that a finding is acknowledged, or (`true`) no longer.
/// Gives all that are; the error is for the user.
pub type Keeper = Arc<dyn Fn(&str, &str, bool) -> Result<BTreeSet<String>, String> + Send + Sync>;

/// Reads a namespace's tracked connections, on the thread of the readings.
pub type Tracker = Arc<dyn Fn(&NetnsName) -> Result<Vec<ConntrackEntry>, String> + Send + Sync>;

/// Sends one packet, tells each time that it was seen once more, and gives all of
/// it at the end. It takes seconds, and is called on a thread of its own.
pub type Messenger =
    Arc<dyn Fn(&Node, &Errand, &mut dyn FnMut(Followed) -> bool) -> Result<Followed, String> + Send + Sync>;

/// What the console reaches besides readings; each where there is one.
#[derive(Clone, Default)]
pub struct Reach {
    /// The kernel's own lookups.
    pub asker: Option<Asker>,
    /// The wire.
    pub prober: Option<Prober>,
    /// The wire, for who has an address that is to be announced: somebody waits
    /// for that.
    pub finder: Option<Prober>,
    /// What is acknowledged.
    pub keeper: Option<Keeper>,
    /// Tracked connections.
    pub tracker: Option<Tracker>,
    /// What flows.
    pub ears: Option<Ears>,
    /// Packets of its own.
    pub messenger: Option<Messenger>,
    /// Judges moments of the past in place of the checks.
    pub judge: Option<Judge>,
    /// What the process would need to change the node, and has not.
    pub lacking: Vec<String>,
    /// The node, where it may be changed.
    pub site: Option<Site>,
}
