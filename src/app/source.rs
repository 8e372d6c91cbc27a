//! Where a command gets what it works on: this node or a file; and the rooms
//! that take over the terminal.

use std::path::Path;

use super::error::AppError;
use super::exit::Exit;
use crate::config::{LabArgs, Settings};
use crate::kernel::offline;
use crate::net::{Observed, Snapshot};
use crate::topology::{NodeKind, Topology};

/// The node, or the file that stands for it.
pub(super) fn snapshot(settings: &Settings, _conntrack: bool) -> Result<Snapshot, AppError> {
    match &settings.from {
        Some(path) => load(path),
        None => entered(read_node()?),
    }
}

/// A snapshot from a file or an unpacked sosreport.
pub(super) fn load(path: &Path) -> Result<Snapshot, AppError> {
    offline::load(path).map_err(|error| AppError::Read(Box::new(error)))
}

/// What the snapshot comes to.
pub(super) fn topology(snapshot: &Snapshot) -> Topology {
    Topology {
        node: snapshot.node.clone(),
        kind: NodeKind::None,
        external_networks: Vec::new(),
        routers: Vec::new(),
        floating_ips: Vec::new(),
        blind: Vec::new(),
    }
}

/// The console.
pub(super) fn console(_settings: &Settings) -> Result<Exit, AppError> {
    Err(AppError::Read("the console is not built yet".into()))
}

/// The lab.
pub(super) fn lab(_lab: &LabArgs, _settings: &Settings) -> Result<Exit, AppError> {
    Err(AppError::Read("the lab is not built yet".into()))
}

fn read_node() -> Result<Snapshot, AppError> {
    Err(AppError::Read("reading this node is not built yet".into()))
}

/// The snapshot, unless every namespace of it kept us out.
fn entered(snapshot: Snapshot) -> Result<Snapshot, AppError> {
    let mut reasons = snapshot.namespaces.values().map(Observed::unreadable);
    match (snapshot.namespaces.len(), reasons.next().flatten()) {
        (count, Some(why)) if reasons.all(|why| why.is_some()) => Err(AppError::NoEntry { count, why: why.to_owned() }),
        _ => Ok(snapshot),
    }
}
