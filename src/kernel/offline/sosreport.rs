//! An unpacked sosreport.
//!
//! Older releases of sos put the outputs of all namespaces flat into one folder,
//! with IPv4 rules only; newer ones give each namespace a folder of its own,
//! with the rules of both families and its settings. Both ways are looked for
//! file by file, so that a release in between needs no knowing.

mod agent;
mod filter;
mod host;
mod netns;
mod when;

pub use host::allocation_file;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use super::OfflineError;
use super::folder::{Folder, Found};
use super::peers::{self, ToldNames};
use super::text::{Parsed, TableNames};
use crate::net::{NetnsName, Observed, Snapshot};

/// The folder that a report without its networking plugin lacks.
const NETWORKING: &str = "sos_commands/networking";

/// The most namespaces that are read. A network node has a few thousand.
const MOST_NAMESPACES: usize = 20_000;

/// Reads the report in this folder.
pub(super) fn read(path: &Path) -> Result<Snapshot, OfflineError> {
    let folder = Folder::open(path).map_err(|source| OfflineError::Io { path: path.to_owned(), source })?;
    let Observed::Seen(files) = folder.list(NETWORKING) else {
        return Err(OfflineError::NotAReport(path.to_owned()));
    };
    let (taken_at, clock) = when::taken_at(&folder);
    let mut snapshot = Snapshot::empty(host::name(&folder), taken_at);
    let release = folder.find(&names(&["version.txt"])).map(|found| found.text.trim().to_owned());
    snapshot.source = format!("sosreport ({}; {clock})", release.as_deref().unwrap_or("sos of an unknown release"));
    snapshot.netns_dir = String::from("/run/netns");

    let tables = folder.find(&names(&["etc/iproute2/rt_tables"]));
    let reader = netns::Reader {
        folder: &folder,
        tables: tables.map(|found| TableNames::read(&found.text)).unwrap_or_default(),
    };
    let mut told = ToldNames::new();
    let listed = listed_namespaces(&folder);
    let mut all: BTreeSet<NetnsName> = with_files(&folder, &files);
    match listed {
        Ok(listed) => all.extend(listed),
        Err(why) => snapshot.namespaces_unreadable = Some(why),
    }
    if all.len() > MOST_NAMESPACES {
        let why = format!("{} namespaces, of which the first {MOST_NAMESPACES} were read", all.len());
        snapshot.namespaces_unreadable = Some(why);
    }
    for name in all.into_iter().take(MOST_NAMESPACES) {
        let netns = reader.namespace(&name, &mut told);
        snapshot.namespaces.insert(name, netns.map(Arc::new));
    }
    snapshot.host = host::read(&reader, &mut told);
    peers::resolve(&mut snapshot, &told);
    Ok(snapshot)
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// What was found, parsed; what is not there or not understood is unreadable
/// and says so.
fn parsed<T>(found: Result<Found, String>, parse: impl FnOnce(&str) -> Parsed<T>) -> Observed<T> {
    match found.and_then(|found| parse(&found.text).map_err(|error| not_understood(&found.name, &error))) {
        Ok(value) => Observed::Seen(value),
        Err(why) => Observed::Unreadable(why),
    }
}

fn not_understood(file: &str, error: &impl std::fmt::Display) -> String {
    format!("{}: not understood: {error}", crate::net::printable(file, 200))
}

/// A file that is never empty where its command worked.
fn not_empty(found: Result<Found, String>) -> Result<Found, String> {
    let found = found?;
    if found.text.trim().is_empty() { Err(format!("{} is empty: its command failed", found.name)) } else { Ok(found) }
}

/// `ip netns`: a name on each line, some with a number behind.
fn listed_namespaces(folder: &Folder) -> Result<BTreeSet<NetnsName>, String> {
    let found = folder.find(&names(&["sos_commands/networking/ip_netns", "sos_commands/networking/ip_netns_list"]))?;
    let mut listed = BTreeSet::new();
    for (number, line) in found.text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let mut words = line.split_whitespace();
        let rest = |words: Vec<&str>| matches!(words[..], [] | ["(id:", _]);
        match words.next() {
            Some(name) if rest(words.collect()) => drop(listed.insert(NetnsName::from(name))),
            _ => {
                return Err(format!("{}: line {} is no namespace", found.name, number + 1));
            }
        }
    }
    Ok(listed)
}

/// The namespaces that have files of their own: the list may be missing, or
/// older than the files.
fn with_files(folder: &Folder, files: &[String]) -> BTreeSet<NetnsName> {
    let folders = folder.list(&format!("{NETWORKING}/namespaces"));
    let mut found: BTreeSet<NetnsName> =
        folders.seen().into_iter().flatten().map(|name| NetnsName::from(name.as_str())).collect();
    let rest = files.iter().filter_map(|file| file.strip_prefix("ip_netns_exec_"));
    found.extend(rest.filter_map(|rest| {
        let name = netns::ADDRESSES.iter().find_map(|ending| rest.strip_suffix(ending)?.strip_suffix('_'))?;
        Some(NetnsName::from(name))
    }));
    found
}
