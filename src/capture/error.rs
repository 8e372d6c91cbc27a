//! What can go wrong in capturing.

use std::io;

use crate::net::NetnsName;
use crate::netns::{self, hint};

/// What can go wrong in capturing.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The namespace could not be opened or entered.
    #[error(transparent)]
    Netns(#[from] netns::Error),
    /// No packet socket.
    #[error("cannot listen in the network namespace '{name}' ({operation}): {source}{}", hint(.source))]
    Socket {
        /// The namespace.
        name: NetnsName,
        /// The step that failed.
        operation: &'static str,
        /// Why.
        source: io::Error,
    },
    /// More namespaces than are listened in.
    #[error("{most} namespaces are listened in already; choose one floating IP")]
    TooMany {
        /// The bound.
        most: usize,
    },
    /// Waiting for packets failed.
    #[error("cannot wait for packets: {source}; try again")]
    Wait {
        /// Why.
        source: io::Error,
    },
}
