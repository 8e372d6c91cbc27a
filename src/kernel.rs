//! Reads the node: netlink dumps, netfilter, sysctls, Open vSwitch, the
//! agent's files; the same from a snapshot file or a sosreport.
//!
//! Reading is synchronous: a namespace takes well under a millisecond, and a
//! socket has to be opened on a thread that is in the namespace anyway.

mod addr;
mod attr;
mod conntrack;
mod host;
mod link;
mod lookup;
mod namespace;
mod neigh;
pub mod netfilter;
mod nft;
pub mod offline;
mod peer;
mod route;
mod rule;
mod socket;
mod sysctl;
mod tc;
mod watch;

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use socket::Socket;

use crate::net::{ConntrackEntry, ConntrackTuple, Host, IfName, Netns, NetnsName, Observed, Snapshot};
pub(crate) use host::read_whole;
pub use lookup::ask_routes;
pub use offline::{LARGEST_SNAPSHOT, OfflineError, load, load_recording};
pub use watch::{Handle, Health, Update, Watcher};

use crate::netns::{Error as NetnsError, NetnsDir, enter, enter_each, hint};

/// What to read, and from where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadOptions {
    /// The folder that namespaces have their names in.
    pub netns_dir: PathBuf,
    /// The agent's state path, where the user says it (`--state-path`).
    pub state_path: Option<PathBuf>,
    /// Read the tracked connections too; there may be a million.
    pub conntrack: bool,
}

impl Default for ReadOptions {
    fn default() -> Self {
        Self { netns_dir: PathBuf::from("/run/netns"), state_path: None, conntrack: false }
    }
}

/// What can go wrong in asking the kernel. Each names what was asked for; which
/// namespace, the place in the snapshot tells.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No netlink socket.
    #[error("cannot open a netlink socket: {source}{}", hint(.source))]
    Socket {
        /// Why.
        source: io::Error,
    },
    /// The kernel refused.
    #[error("the kernel did not give its {what}: {source}{}", hint(.source))]
    Refused {
        /// What was asked for.
        what: &'static str,
        /// Why.
        source: io::Error,
    },
    /// The objects changed during every attempt.
    #[error("the {what} changed during each of {attempts} readings; try again")]
    Restless {
        /// What was asked for.
        what: &'static str,
        /// How often we asked.
        attempts: usize,
    },
    /// An answer of a form that is new to us.
    #[error("the kernel's answer about its {what} has a form that is not understood")]
    Malformed {
        /// What was asked for.
        what: &'static str,
    },
    /// A question names a device that is not there.
    #[error("there is no device '{device}' here; it may have gone meanwhile: read the node again")]
    NoDevice {
        /// The device.
        device: IfName,
    },
    /// No question could be asked in the namespace.
    #[error("the kernel could not be asked for routes: {why}")]
    NotAsked {
        /// The error that stopped them all.
        why: String,
    },
    /// The node cannot be watched.
    #[error("cannot {what} to watch the node: {source}{}", hint(.source))]
    Watch {
        /// What was tried.
        what: &'static str,
        /// Why it failed.
        source: io::Error,
    },
    /// Neither the named namespaces nor our own could be read.
    #[error("nothing of this node can be read\n{folder}\n{own}")]
    Nothing {
        /// Why the folder could not be listed.
        folder: String,
        /// Why our own namespace could not be read.
        own: String,
    },
}

/// Reads the whole node. What could not be read says so in its place; the
/// reading fails only where there is nothing to say at all.
pub fn read_node(options: &ReadOptions) -> Result<Snapshot, Error> {
    let mut snapshot = Snapshot::empty(host::name(), jiff::Timestamp::now());
    "kernel".clone_into(&mut snapshot.source);
    snapshot.netns_dir = options.netns_dir.to_string_lossy().into_owned();
    let dir = NetnsDir::new(&options.netns_dir);
    let names = dir.list().map_or_else(
        |error| {
            snapshot.namespaces_unreadable = Some(error.to_string());
            Vec::new()
        },
        |listing| listing.names,
    );
    let here = || (namespace::read_here(options.conntrack), host::read(options));
    let (found, (own, host)) = enter_each(&dir, &names, |_| namespace::read_here(options.conntrack), here);
    if let (Some(folder), Some(why)) = (&snapshot.namespaces_unreadable, own.links.unreadable()) {
        return Err(Error::Nothing { folder: folder.clone(), own: why.to_owned() });
    }
    snapshot.host = host;
    snapshot.host.netns = Observed::Seen(own.into());
    for (name, found) in names.into_iter().zip(found) {
        if let Some(found) = outcome(found) {
            snapshot.namespaces.insert(name, found.map(Arc::new));
        }
    }
    peer::resolve(&mut snapshot, &dir);
    Ok(snapshot)
}

/// What of the host's side is read again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostPart {
    /// Nothing.
    None,
    /// Whether the agent runs, and its allocation files. Of an agent that is still
    /// the same process all else stays as it was.
    Agent,
    /// All of it, the host's own namespace too.
    All,
}

/// Reads a part of the node again, in an earlier reading's place: these
/// namespaces, of which those that are gone leave it, and of the host's side what
/// is wanted. Everything else stays as it was.
pub fn read_again(before: &Snapshot, names: &BTreeSet<NetnsName>, part: HostPart, options: &ReadOptions) -> Snapshot {
    let mut snapshot = before.clone();
    snapshot.taken_at = jiff::Timestamp::now();
    let dir = NetnsDir::new(&options.netns_dir);
    let names: Vec<NetnsName> = names.iter().cloned().collect();
    let now = snapshot.taken_at;
    let here = || match part {
        HostPart::None => None,
        HostPart::Agent => Some(host::again(&before.host, before.taken_at.duration_until(now), options)),
        HostPart::All => {
            let own = namespace::read_here(options.conntrack);
            Some(Host { netns: Observed::Seen(own.into()), ..host::read(options) })
        }
    };
    let (found, here) = enter_each(&dir, &names, |_| namespace::read_here(options.conntrack), here);
    if let Some(host) = here {
        snapshot.host = host;
    }
    for (name, found) in names.into_iter().zip(found) {
        match outcome(found) {
            Some(found) => snapshot.namespaces.insert(name, found.map(Arc::new)),
            None => snapshot.namespaces.remove(&name),
        };
    }
    peer::resolve(&mut snapshot, &dir);
    snapshot
}

/// Reads one namespace again. Absent where it is gone. The other ends of its
/// pairs stay open: they need the other namespaces too.
pub fn read_netns(dir: &Path, name: &NetnsName) -> Observed<Netns> {
    let found = NetnsDir::new(dir).open(name).and_then(|ns| enter(&ns, || namespace::read_here(false)));
    outcome(found).unwrap_or(Observed::Absent)
}

/// The tracked connections of one namespace. Absent where it is gone.
pub fn read_conntrack(dir: &NetnsDir, name: &NetnsName) -> Observed<Vec<ConntrackEntry>> {
    let read = || Socket::netfilter().and_then(|mut socket| conntrack::dump_conntrack(&mut socket));
    match dir.open(name).and_then(|ns| enter(&ns, read)) {
        Ok(Ok(entries)) => Observed::Seen(entries),
        Ok(Err(error)) => Observed::Unreadable(error.to_string()),
        Err(NetnsError::Gone(_)) => Observed::Absent,
        Err(error) => Observed::Unreadable(error.to_string()),
    }
}

/// The tracked connections of one namespace that have these directions, the
/// original's or the reply's, in their order; each costs the kernel one look.
/// Absent where the namespace is gone.
pub fn find_conntrack(
    dir: &NetnsDir,
    name: &NetnsName,
    wanted: &[ConntrackTuple],
) -> Observed<Vec<Option<ConntrackEntry>>> {
    let read = || {
        let mut socket = Socket::netfilter()?;
        wanted.iter().map(|tuple| conntrack::find_conntrack(&mut socket, tuple)).collect::<Result<Vec<_>, _>>()
    };
    match dir.open(name).and_then(|ns| enter(&ns, read)) {
        Ok(Ok(entries)) => Observed::Seen(entries),
        Ok(Err(error)) => Observed::Unreadable(error.to_string()),
        Err(NetnsError::Gone(_)) => Observed::Absent,
        Err(error) => Observed::Unreadable(error.to_string()),
    }
}

/// `None` for a namespace that vanished while we were on our way to it.
fn outcome(found: Result<Netns, NetnsError>) -> Option<Observed<Netns>> {
    match found {
        Ok(netns) => Some(Observed::Seen(netns)),
        Err(NetnsError::Gone(_)) => None,
        Err(error) => Some(Observed::Unreadable(error.to_string())),
    }
}
