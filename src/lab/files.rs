//! The agent's allocation files, as it would leave them.

use std::fs;
use std::path::Path;

use crate::neutron::{PairEntry, PriorityEntry};

use super::Error;

/// Writes the files into the state path. Juno has no file of priorities.
pub(super) fn write(state_path: &Path, pairs: &[PairEntry], priorities: Option<&[PriorityEntry]>) -> Result<(), Error> {
    let shown = |path: &Path| path.display().to_string();
    fs::create_dir_all(state_path).map_err(Error::io("make", shown(state_path)))?;
    let file = |name: &str, text: String| {
        let path = state_path.join(name);
        fs::write(&path, text).map_err(Error::io("write", shown(&path)))
    };
    file("fip-linklocal-networks", lines(pairs))?;
    priorities.map_or(Ok(()), |priorities| file("fip-priorities", lines(priorities)))
}

/// The agent's configuration in a `/etc` of the lab's own: where its files are.
pub(super) fn configuration(state_path: &Path) -> Result<(), Error> {
    const FOLDER: &str = "/etc/neutron";
    const FILE: &str = "/etc/neutron/neutron.conf";
    fs::create_dir(FOLDER).map_err(Error::io("make", FOLDER))?;
    let text = format!("[DEFAULT]\nstate_path = {}\n", state_path.display());
    fs::write(FILE, text).map_err(Error::io("write", FILE))
}

fn lines<T: ToString>(entries: &[T]) -> String {
    entries.iter().map(|entry| entry.to_string() + "\n").collect()
}
