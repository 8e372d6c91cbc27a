//! What an operator acknowledged, kept between runs: one file for all nodes
//! that are looked at from here, a list of identities for each.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::fcntl::{Flock, FlockArg};
use serde::{Deserialize, Serialize};

use super::error::AppError;
use crate::config::Settings;

/// The file's name in the state folder.
const FILE: &str = "acknowledged.json";

/// Bytes of the file at most.
const LIMIT: u64 = 1 << 20;

/// What the file calls itself.
const SCHEMA: &str = "fipscope.acknowledged/1";

/// The file.
#[derive(Serialize, Deserialize)]
struct Kept {
    schema: String,
    /// Identities of findings by the node's name.
    nodes: BTreeMap<String, BTreeSet<String>>,
}

impl Default for Kept {
    fn default() -> Self {
        Self { schema: SCHEMA.to_owned(), nodes: BTreeMap::new() }
    }
}

/// The identities that are acknowledged on a node.
pub(super) fn load(settings: &Settings, node: &str) -> Result<BTreeSet<String>, AppError> {
    let Some(path) = path(settings) else { return Ok(BTreeSet::new()) };
    Ok(read(&path)?.nodes.remove(node).unwrap_or_default())
}

/// Acknowledges a finding on a node, or takes it back. Gives back the file.
pub(super) fn acknowledge(settings: &Settings, node: &str, id: &str, revoke: bool) -> Result<PathBuf, AppError> {
    if settings.read_only {
        return Err(AppError::Usage("--read-only: acknowledging writes to the state folder"));
    }
    change(settings, node, |ids| {
        if revoke {
            ids.remove(id);
        } else {
            ids.insert(id.to_owned());
        }
    })
}

/// Changes what is acknowledged on a node, whole or not at all, one writer at a
/// time. Gives back the file.
fn change(settings: &Settings, node: &str, change: impl FnOnce(&mut BTreeSet<String>)) -> Result<PathBuf, AppError> {
    let Some(path) = path(settings) else {
        return Err(AppError::Usage("there is nowhere to keep it: set XDG_STATE_HOME or HOME"));
    };
    let folder = path.parent().unwrap_or(Path::new("/"));
    let error = |what| {
        let path = folder.to_owned();
        move |error: io::Error| failed(what, &path, error.to_string())
    };
    DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(error("cannot make the state folder"))?;
    // Held until the new file is in place.
    let held = File::open(folder).map_err(error("cannot open the state folder"))?;
    let _held = Flock::lock(held, FlockArg::LockExclusive)
        .map_err(|(_, why)| failed("cannot lock the state folder", folder, why.to_string()))?;
    let mut kept = read(&path)?;
    let ids = kept.nodes.entry(node.to_owned()).or_default();
    change(ids);
    if ids.is_empty() {
        kept.nodes.remove(node);
    }
    let text = serde_json::to_string_pretty(&kept).map_err(|error| failed("cannot write", &path, error.to_string()))?;
    if text.len() as u64 >= LIMIT {
        return Err(failed("cannot write", &path, format!("it would be larger than {LIMIT} bytes")));
    }
    write(&path, &(text + "\n")).map_err(|error| failed("cannot write", &path, error.to_string()))?;
    Ok(path)
}

fn path(settings: &Settings) -> Option<PathBuf> {
    settings.state_dir.as_ref().map(|folder| folder.join(FILE))
}

fn read(path: &Path) -> Result<Kept, AppError> {
    let failed = |why: String| failed("cannot read what is acknowledged", path, why);
    // A pipe in its place must not hold us up.
    let opened = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path);
    let file = match opened {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Kept::default()),
        Err(error) => return Err(failed(error.to_string())),
    };
    if !file.metadata().is_ok_and(|about| about.is_file()) {
        return Err(failed("it is no file".to_owned()));
    }
    let mut text = String::new();
    let taken = file.take(LIMIT + 1).read_to_string(&mut text).map_err(|error| failed(error.to_string()))?;
    if taken as u64 > LIMIT {
        return Err(failed(format!("it is larger than {LIMIT} bytes")));
    }
    let kept: Kept = serde_json::from_str(&text).map_err(|error| failed(error.to_string()))?;
    if kept.schema == SCHEMA { Ok(kept) } else { Err(failed(format!("its schema is not {SCHEMA}"))) }
}

/// A temporary file beside it, for its owner alone, takes its place.
fn write(path: &Path, text: &str) -> io::Result<()> {
    let temporary = path.with_file_name(format!(".{FILE}.{}.tmp", std::process::id()));
    let written = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary).and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&temporary, path)
    });
    if written.is_err() {
        // Nothing was left behind, or it cannot be taken away either.
        let _ = fs::remove_file(&temporary);
    }
    written
}

fn failed(what: &'static str, path: &Path, why: String) -> AppError {
    let hint = "mend or move the file, or set XDG_STATE_HOME to another folder";
    AppError::Acknowledged { what, path: path.to_owned(), why, hint }
}
