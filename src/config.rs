//! What was typed, the environment and the file, made into settings.
//!
//! An option of the command line wins over the environment (`FIPSCOPE_*`), that
//! over the configuration file, that over the default. [`LowArgs`] is what was
//! typed, nothing more; [`Settings`] is what holds.

mod change;
mod environment;
mod file;
mod near;
mod settings;
mod typed;

pub use crate::net::Mac;
pub use crate::net::netfilter::Backend;
pub use change::{AnnounceArg, AssociateArgs, Consent, GatewayPortArgs, JournalArgs, RemoveArgs, RepairArgs, UndoArgs};
pub use environment::Environment;
pub use file::FileSettings;
pub use settings::Settings;
pub use typed::{
    CheckArgs, ColorChoice, Command, Format, LabArgs, LowArgs, ProbeBy, ProbeTo, ShowArgs, Shown, SnapshotArgs, TCP,
    TraceArgs, TrafficArgs, UDP, WatchArgs, protocol,
};

use std::path::PathBuf;

/// Why no settings came about. The user mends these, so each says where.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file could not be read.
    #[error("cannot read the configuration file {}: {source}\nname another with --config, or make it readable", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is no configuration file of anyone.
    #[error("the configuration file {} is larger than {limit} bytes", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The limit.
        limit: u64,
    },
    /// The file says something that cannot be meant.
    #[error("{}:{line}: {what}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong, with what would be right.
        what: String,
    },
    /// A variable of the environment has a value that cannot be meant.
    #[error("the environment variable {name} is {value:?}; it can be {expected}")]
    Variable {
        /// The variable.
        name: &'static str,
        /// Its value.
        value: String,
        /// What it can be.
        expected: &'static str,
    },
}
