//! Network namespaces: find, open, enter, create, delete; run something inside.
//!
//! A thread that has changed its namespace must die in it: everything here that
//! enters does so on a thread of its own, which is gone when the call returns.
//! A pooled thread would carry the namespace into whatever runs on it next.

mod dir;
mod enter;
mod sandbox;

use std::io;
use std::path::PathBuf;

use crate::net::{NetnsName, printable};

pub use dir::{Listing, NetnsDir};
pub use enter::{current, enter, enter_each, spawn};
pub use sandbox::Sandbox;

/// What can go wrong with a namespace.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The folder of namespaces could not be listed.
    #[error("cannot list {}: {source}{}", shown(.dir), hint(.source))]
    List {
        /// The folder.
        dir: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A name that cannot be a file name in the folder.
    #[error("'{0}' cannot be the name of a network namespace: it has to be a file name")]
    Name(NetnsName),
    /// There is no namespace of that name, or it vanished.
    #[error("there is no network namespace '{0}'")]
    Gone(NetnsName),
    /// The file is there, but no namespace is mounted on it.
    #[error("'{0}' is not a network namespace: nothing is mounted on the file yet, or nothing is any more")]
    NotMounted(NetnsName),
    /// The namespace's file could not be opened.
    #[error("cannot open the network namespace '{name}': {source}{}", hint(.source))]
    Open {
        /// The namespace.
        name: NetnsName,
        /// Why.
        source: io::Error,
    },
    /// The thread could not change into the namespace.
    #[error("cannot enter the network namespace: {source}{}", hint(.source))]
    Enter {
        /// Why.
        source: io::Error,
    },
    /// The namespace could not be made.
    #[error("cannot create the network namespace '{name}' ({operation}): {source}{}", hint(.source))]
    Create {
        /// The namespace.
        name: NetnsName,
        /// The step that failed.
        operation: &'static str,
        /// Why.
        source: io::Error,
    },
    /// The namespace could not be taken away.
    #[error("cannot delete the network namespace '{name}' ({operation}): {source}{}", hint(.source))]
    Delete {
        /// The namespace.
        name: NetnsName,
        /// The step that failed.
        operation: &'static str,
        /// Why.
        source: io::Error,
    },
    /// A program could not be started inside.
    #[error("cannot start {program} in the network namespace: {source}")]
    Spawn {
        /// The program.
        program: String,
        /// Why.
        source: io::Error,
    },
    /// The system has no thread left for us.
    #[error("cannot start a thread: {0}")]
    Thread(io::Error),
    /// The private sandbox could not be made.
    #[error("cannot make a private sandbox ({operation}): {source}\n{way_out}")]
    Sandbox {
        /// The step that failed.
        operation: &'static str,
        /// Why.
        source: io::Error,
        /// What to do about it.
        way_out: String,
    },
}

/// What to try, where a permission is missing.
pub(crate) fn hint(source: &io::Error) -> &'static str {
    if source.kind() == io::ErrorKind::PermissionDenied { "; try: sudo" } else { "" }
}

fn shown(path: &std::path::Path) -> String {
    printable(&path.to_string_lossy(), 255)
}
