//! The node that changes are made on, and where the journal of them is kept.

use std::path::{Path, PathBuf};

use crate::kernel::{ReadOptions, read_node};
use crate::net::Snapshot;
use crate::netns::NetnsDir;
use crate::plan::journal::{Aim, Past};

use super::Error;
use super::journal::{history, latest, make_folder};
use super::lock::{FOLDER, NodeLock};
use super::scope::tells_connections;

/// A node, and what is allowed on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    /// The folder with the names of its namespaces.
    pub netns_dir: NetnsDir,
    /// The agent's state path, where the user says it.
    pub state_path: Option<PathBuf>,
    /// Where the journal is.
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
        let mut lock = NodeLock::take(Path::new(FOLDER))?;
        let own = |other: &PathBuf| other.canonicalize().ok() == self.folder.canonicalize().ok();
        if let Some(other) = lock.journal().filter(|other| !own(other)) {
            let past = latest(&other)?;
            if let Some(past) = past.iter().find(|past| !past.is_settled()) {
                let (id, intent) = (past.id, past.intent.clone());
                return Err(Error::UnfinishedElsewhere { id, intent, folder: other });
            }
        }
        lock.sign(&self.folder);
        Ok(lock)
    }

    /// How it is read.
    pub(super) fn options(&self) -> ReadOptions {
        ReadOptions {
            netns_dir: self.netns_dir.path().to_owned(),
            state_path: self.state_path.clone(),
            conntrack: false,
        }
    }

    /// The node as it is now, as far as it takes to tell that something came to
    /// what it is for.
    pub(super) fn read_for(&self, aim: &Aim) -> Result<Snapshot, Error> {
        let options = ReadOptions { conntrack: tells_connections(aim), ..self.options() };
        read_node(&options).map_err(|error| Error::Read(Box::new(error)))
    }

    /// The node as it is now.
    pub(super) fn read(&self) -> Result<Snapshot, Error> {
        self.read_for(&Aim::default())
    }
}
