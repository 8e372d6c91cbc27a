//! The node as it changes: what comes in instead of readings while it is watched.

use jiff::Timestamp;

use super::state::{Node, State};
use super::words::{ago, span};
use crate::check::Turn;
use crate::net::{Change, NetnsName, printable};
use crate::topology::ObjectKind;

/// The node changed.
#[derive(Clone, Debug, PartialEq)]
pub struct Live {
    /// When the first of the changes was heard of.
    pub at: Timestamp,
    /// The changes that lead here from the node before.
    pub changes: Vec<Change>,
    /// The findings that they raised and cleared.
    pub turns: Vec<Turn>,
    /// The node as it is now.
    pub node: Node,
    /// How well it is watched.
    pub watching: Watching,
}

/// How well the node is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Watching {
    /// When everything that was announced had been taken in.
    pub at: Timestamp,
    /// The age of what the kernel does not announce, in seconds, where it is oldest.
    pub oldest: u64,
    /// Namespaces that nothing is heard from: they are only read in turn.
    pub deaf: usize,
    /// How often announcements were lost, and read again.
    pub overruns: u64,
}

impl Watching {
    /// How old the picture is: `live 0.1s`, and what is older.
    pub(super) fn words(&self, now: Timestamp) -> String {
        let age = now.duration_since(self.at);
        let age = match u64::try_from(age.as_secs()) {
            Ok(seconds) if seconds >= 10 => span(seconds),
            Ok(seconds) => format!("{seconds}.{}s", age.subsec_millis().max(0) / 100),
            Err(_) => "0.0s".to_owned(),
        };
        let deaf = if self.deaf == 0 { String::new() } else { format!(", {} only in turn", self.deaf) };
        let polled = if self.oldest < 10 { String::new() } else { format!(", polled {}", span(self.oldest)) };
        format!("live {age}{deaf}{polled}")
    }
}

/// How old what is shown of such objects is, where it is read in turn: the kernel
/// does not say that they changed, or says nothing at all there.
pub(super) fn age(state: &State, namespace: Option<&NetnsName>, kind: ObjectKind) -> Option<String> {
    let (node, ages) = (state.node.as_ref()?, &state.ages);
    if state.watching.is_none() || state.frozen.is_some() {
        return None;
    }
    if matches!(kind, ObjectKind::File | ObjectKind::OvsPort) {
        return Some(format!("read {}", ago(ages.host, state.now)));
    }
    let age = ages.of(namespace)?;
    let read = format!("read {}", ago(age.at, state.now));
    let netns = node.snapshot.netns_at(namespace);
    let is_polled = match kind {
        ObjectKind::Sysctl => true,
        ObjectKind::Nat | ObjectKind::Filter => {
            netns.and_then(|netns| netns.netfilter.seen()).is_some_and(|netfilter| !netfilter.legacy.is_absent())
        }
        ObjectKind::Neigh => netns.is_some_and(|netns| netns.neighs().iter().any(|neigh| neigh.proxy)),
        _ => false,
    };
    match &age.deaf {
        Some(why) => Some(format!("nothing is heard from here, {read}: {}", printable(why, 200))),
        None => is_polled.then_some(read),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_age_is_told_with_what_is_older() {
        let at = Timestamp::UNIX_EPOCH;
        let after = |millis| at + jiff::SignedDuration::from_millis(millis);
        let mut watching = Watching { at, oldest: 3, deaf: 0, overruns: 0 };
        assert_eq!(watching.words(after(130)), "live 0.1s");
        assert_eq!(watching.words(after(-5)), "live 0.0s");
        assert_eq!(watching.words(after(61_000)), "live 1min");
        (watching.oldest, watching.deaf) = (25, 2);
        assert_eq!(watching.words(after(0)), "live 0.0s, 2 only in turn, polled 25s");
    }
}
