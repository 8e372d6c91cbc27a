//! The exit codes: a promise to scripts.

use std::process::ExitCode;

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exit {
    /// Done, or healthy.
    Done,
    /// Broken or degraded, a difference, no such object, or an operation that
    /// failed and was rolled back.
    Found,
    /// Wrong usage.
    Usage,
    /// The node, or a part that the answer depends on, could not be read, and
    /// nothing was found.
    CannotTell,
    /// An operation failed, and some of it is left.
    Half,
    /// What a command ended with that ran in the lab.
    Other(i32),
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Done => 0,
            Exit::Found => 1,
            Exit::Usage => 2,
            Exit::CannotTell => 3,
            Exit::Half => 4,
            // No program ends with more than a byte.
            Exit::Other(code) => u8::try_from(code).unwrap_or(u8::MAX),
        })
    }
}
