//! Why a command came to nothing, and the exit code of each reason.

use std::io;
use std::path::PathBuf;

use super::exit::Exit;
use crate::config::ConfigError;
use crate::exec::Error as ExecError;
use crate::plan::Refused;

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
    /// Nothing was changed, or not as it was meant.
    #[error(transparent)]
    Exec(#[from] ExecError),
    /// What is wanted cannot be, or not from what is known.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// What the command does not need could not be given up.
    #[error("cannot give up privileges: {0}\nplease report it")]
    Privileges(String),
    /// The process may not change the node.
    #[error("this process may not change the node: it has no {}\nrun it as root: sudo fipscope", .0.join(", no "))]
    Lacking(Vec<String>),
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
    /// No external network of that id is here.
    #[error("no external network whose id begins with {prefix} on {node}\n{hint}")]
    NoNetwork {
        /// What was asked for.
        prefix: String,
        /// Where.
        node: String,
        /// What there is instead.
        hint: String,
        /// Parts of the node could not be read, so it may be here all the same.
        blind: bool,
    },
    /// No router of that id is here.
    #[error("no router whose id begins with {prefix} on {node}\n{hint}")]
    NoRouter {
        /// What was asked for.
        prefix: String,
        /// Where.
        node: String,
        /// What there is instead.
        hint: String,
        /// Parts of the node could not be read, so it may be here all the same.
        blind: bool,
    },
    /// Such a packet comes in nowhere.
    #[error("a packet from {src} to {dst} comes in nowhere on {node}\n{hint}")]
    Nowhere {
        /// The packet's source.
        src: std::net::Ipv4Addr,
        /// Its destination.
        dst: std::net::Ipv4Addr,
        /// Where.
        node: String,
        /// What there is instead.
        hint: String,
        /// Parts of the node could not be read, so it may come in all the same.
        blind: bool,
    },
    /// There is no such code.
    #[error("there is no finding {text:?}\n{hint}")]
    NoCode {
        /// What was asked for.
        text: String,
        /// What there is instead.
        hint: String,
    },
    /// No finding has that identity.
    #[error("no finding {id:?} {place}\n{hint}")]
    NoFinding {
        /// What was asked for.
        id: String,
        /// Where it is not.
        place: String,
        /// What there is instead.
        hint: String,
    },
    /// No change of the past is meant.
    #[error("there is no change {0} in the journal\n`fipscope journal` lists all")]
    NoChange(String),
    /// What was acknowledged could not be read or kept.
    #[error("{what}: {}: {why}\n{hint}", path.display())]
    Acknowledged {
        /// What was tried.
        what: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// Why not.
        why: String,
        /// What to try.
        hint: &'static str,
    },
    /// Nobody could listen.
    #[error(transparent)]
    Capture(#[from] crate::capture::Error),
    /// Signals could not be waited for.
    #[error("cannot wait for signals: {source}; try again")]
    Signals {
        /// Why.
        source: io::Error,
    },
    /// No thread could be started.
    #[error("cannot start a thread: {source}; try again")]
    Thread {
        /// Why.
        source: io::Error,
    },
    /// There is nowhere to listen.
    #[error(
        "no namespace of the L3 agent stands on {node}: there is nowhere to listen\ntry the example: fipscope lab --traffic -- fipscope traffic"
    )]
    Silent {
        /// The host's name.
        node: String,
    },
    /// What was typed does not go together.
    #[error("{0}")]
    Usage(&'static str),
    /// What was typed could mean several things.
    #[error("{what} is ambiguous, it could be\n{candidates}")]
    Ambiguous {
        /// What was asked for.
        what: String,
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
            Self::Exec(ExecError::Half { .. }) => Exit::Half,
            Self::Exec(ExecError::ReadOnly)
            | Self::Refused(
                Refused::Ipv6(_) | Refused::Ambiguous { .. } | Refused::Needs { .. } | Refused::Layout { .. },
            )
            | Self::Config(_)
            | Self::Usage(_)
            | Self::NoCode { .. }
            | Self::Ambiguous { .. } => Exit::Usage,
            Self::Read(_)
            | Self::Refused(Refused::Unreadable { .. })
            | Self::Exec(ExecError::Read(_))
            | Self::Capture(_)
            | Self::NoEntry { .. }
            | Self::NotFound { blind: true, .. }
            | Self::NoRouter { blind: true, .. }
            | Self::NoNetwork { blind: true, .. }
            | Self::Nowhere { blind: true, .. } => Exit::CannotTell,
            Self::NotFound { blind: false, .. }
            | Self::NoRouter { blind: false, .. }
            | Self::NoNetwork { blind: false, .. }
            | Self::Nowhere { blind: false, .. }
            | Self::NoFinding { .. }
            | Self::NoChange(_)
            | Self::Silent { .. }
            | Self::Signals { .. }
            | Self::Thread { .. }
            | Self::Acknowledged { .. }
            | Self::Refused(_)
            | Self::Exec(_)
            | Self::Privileges(_)
            | Self::Lacking(_)
            | Self::Lab(_)
            | Self::Console(_)
            | Self::Write { .. }
            | Self::Output(_) => Exit::Found,
        }
    }
}
