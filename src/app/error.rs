//! Why a command came to nothing, and the exit code of each reason.

use std::io;
use std::path::PathBuf;

use super::exit::Exit;
use crate::config::ConfigError;

/// Why a command came to nothing.
#[derive(Debug, thiserror::Error)]
pub(super) enum AppError {
    /// The settings are wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The node or the file could not be read.
    #[error("{0}")]
    Read(Box<dyn std::error::Error + Send + Sync>),
    /// The lab could not be built or used.
    #[error(transparent)]
    Lab(#[from] crate::lab::Error),
    /// Namespaces stand here, but nobody let us in.
    #[error(
        "none of the {count} namespaces of this node could be entered: {why}\n\
             run it as root (sudo fipscope), look at an example (fipscope lab), or at a file (fipscope --from FILE)"
    )]
    NoEntry {
        /// How many there are.
        count: usize,
        /// Why the first could not be entered.
        why: String,
    },
    /// No floating IP of that address is here.
    #[error("no floating IP or fixed IP {address} on {node}\n{hint}")]
    NotFound {
        /// What was asked for.
        address: std::net::IpAddr,
        /// Where.
        node: String,
        /// What there is instead.
        hint: String,
        /// Parts of the node could not be read, so it may be here all the same.
        blind: bool,
    },
    /// Several floating IPs have that address.
    #[error("{address} is ambiguous, it could be\n{candidates}")]
    Ambiguous {
        /// What was asked for.
        address: std::net::IpAddr,
        /// A line for each, with the arguments that mean it.
        candidates: String,
    },
    /// A file could not be written.
    #[error("cannot {operation} {}: {source}", path.display())]
    Write {
        /// What was tried.
        operation: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The console could not run.
    #[error(transparent)]
    Console(#[from] super::console::ConsoleError),
    /// Standard output took no more.
    #[error("cannot write to standard output: {0}")]
    Output(io::Error),
}

impl AppError {
    /// The exit code that says so.
    pub(super) fn exit(&self) -> Exit {
        match self {
            Self::Config(_) | Self::Ambiguous { .. } => Exit::Usage,
            Self::Read(_) | Self::NoEntry { .. } | Self::NotFound { blind: true, .. } => Exit::CannotTell,
            Self::NotFound { blind: false, .. }
            | Self::Lab(_)
            | Self::Console(_)
            | Self::Write { .. }
            | Self::Output(_) => Exit::Found,
        }
    }
}
