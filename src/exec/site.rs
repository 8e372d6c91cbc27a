//! The node that changes are made on, and where the journal of them is kept.

use std::path::PathBuf;

use crate::kernel::{ReadOptions, read_node};
use crate::net::Snapshot;
use crate::netns::NetnsDir;
use crate::plan::journal::Past;

use super::Error;
use super::journal::{history, latest, make_folder};
use super::lock::NodeLock;

/// A node, and what is allowed on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    /// The folder with the names of its namespaces.
    pub netns_dir: NetnsDir,
    /// The agent's state path, where the user says it.
    pub state_path: Option<PathBuf>,
    /// Where the journal and the lock are.
    pub folder: PathBuf,
    /// Nothing may be changed.
    pub read_only: bool,
}

impl Site {
    /// The right to change it, and the changes of the past.
    pub(super) fn enter(&self) -> Result<(NodeLock, Vec<Past>), Error> {
        let lock = self.lock()?;
        let past = history(&self.folder)?;
        Ok((lock, past))
    }

    /// The same with the last change alone: the only one that can lack an end,
    /// and the one with the highest number.
    pub(super) fn enter_latest(&self) -> Result<(NodeLock, Vec<Past>), Error> {
        let lock = self.lock()?;
        let past = latest(&self.folder)?;
        Ok((lock, past))
    }

    fn lock(&self) -> Result<NodeLock, Error> {
        if self.read_only {
            return Err(Error::ReadOnly);
        }
        make_folder(&self.folder)?;
        NodeLock::take(&self.folder)
    }

    /// How it is read.
    pub(super) fn options(&self) -> ReadOptions {
        ReadOptions {
            netns_dir: self.netns_dir.path().to_owned(),
            state_path: self.state_path.clone(),
            conntrack: false,
        }
    }

    /// The node as it is now.
    pub(super) fn read(&self) -> Result<Snapshot, Error> {
        read_node(&self.options()).map_err(|error| Error::Read(Box::new(error)))
    }
}
