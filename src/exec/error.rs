//! Why a step could not be done, and what became of the others.

use std::fmt;
use std::io;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use crate::net::{IfName, printable};
use crate::netns;
use crate::plan::{Place, Step};

/// A plan that was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A step failed; what had been done before it has been taken back.
    #[error("{failed}\nEverything that was done before it has been taken back.")]
    RolledBack {
        /// The step.
        failed: Box<StepError>,
    },
    /// A step failed, and some of what had been done before it is still there.
    #[error("{failed}\nNot everything could be taken back:{}\nTake back the rest by hand.", list(.left))]
    Half {
        /// The step.
        failed: Box<StepError>,
        /// The steps whose undoing failed, the last one first.
        left: Vec<StepError>,
    },
    /// Nothing is to be written.
    #[error(
        "--read-only: nothing is changed on this node\nleave it out, or unset FIPSCOPE_READ_ONLY and read_only of the configuration file"
    )]
    ReadOnly,
    /// Somebody else changes this node at the moment.
    #[error("this node is being changed by {holder}\nwait until that is done, and try again")]
    Busy {
        /// Who.
        holder: String,
    },
    /// An earlier change has no end.
    #[error(
        "change {id} was left unfinished: {intent}\n\
         take it back with `fipscope undo {id}`, or do the rest with `fipscope journal --complete {id}`"
    )]
    Unfinished {
        /// Its number.
        id: u64,
        /// What it was for.
        intent: String,
    },
    /// An earlier change has no end, and is in another journal.
    #[error(
        "change {id} of {} was left unfinished: {}\n\
         settle it there first: XDG_STATE_HOME={} fipscope undo {id}",
        printable(&folder.to_string_lossy(), 200), printable(.intent, 300), home(.folder)
    )]
    UnfinishedElsewhere {
        /// Its number there.
        id: u64,
        /// What it was for.
        intent: String,
        /// Where its journal is.
        folder: PathBuf,
    },
    /// The node's lock.
    #[error("cannot lock this node against others who change it: {}: {source}\nrun it as root", path.display())]
    Lock {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The agent may change the packet filter at the same time.
    #[error(
        "the L3 agent's locks on the packet filter are not found, so nothing was done: {why}\n\
         say where its state is with --state-path (its locks are in the folder lock there), or stop it"
    )]
    NoAgentLock {
        /// Why not.
        why: String,
    },
    /// The node is not as the plan has it.
    #[error("the node changed since the plan was shown, nothing was done:{}\ntry again: the plan will be another one", lines(.what))]
    Changed {
        /// In what.
        what: Vec<String>,
    },
    /// The node could not be read.
    #[error("the node cannot be read, nothing was done: {0}")]
    Read(Box<dyn std::error::Error + Send + Sync>),
    /// The state folder, or a file in it.
    #[error("cannot {what} {}: {source}\nmend or move it, or set XDG_STATE_HOME to another folder", path.display())]
    State {
        /// What was tried.
        what: &'static str,
        /// With what.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A change of the past that this cannot be done to.
    #[error("change {id} {why}")]
    NoSuchChange {
        /// Its number.
        id: u64,
        /// Why not, and what to do instead.
        why: String,
    },
}

/// One step that failed.
#[derive(Debug, thiserror::Error)]
#[error("step {id} in {netns} failed: {description}: {cause}")]
pub struct StepError {
    /// Its number in the plan.
    pub id: u32,
    /// Where it happened.
    pub netns: Place,
    /// What it was good for.
    pub description: String,
    /// Why it failed.
    #[source]
    pub cause: Cause,
}

/// Why one operation failed.
#[derive(Debug, thiserror::Error)]
pub enum Cause {
    /// The kernel refused it.
    #[error("{}", kernel(*.errno, .text.as_deref()))]
    Kernel {
        /// The error number, positive.
        errno: i32,
        /// What the kernel says beyond the number (`NLMSGERR_ATTR_MSG`).
        text: Option<String>,
    },
    /// The namespace could not be opened, entered, made or taken away.
    #[error(transparent)]
    Netns(#[from] netns::Error),
    /// There is no device of that name.
    #[error("there is no device {0}")]
    NoDevice(IfName),
    /// A file or a socket failed.
    #[error("{what}: {source}")]
    Io {
        /// Which.
        what: String,
        /// Why.
        source: io::Error,
    },
    /// A program that is needed is not installed.
    #[error("{}", not_installed(.0))]
    NoProgram(&'static str),
    /// A program refused its input.
    #[error("{program}: {output}")]
    Program {
        /// Its name.
        program: &'static str,
        /// What it said, made printable.
        output: String,
    },
    /// Something that a plan can name but that we do not write.
    #[error("{0} cannot be written by this program")]
    NotSupported(String),
    /// Nothing takes it back.
    #[error("{0}")]
    NoWayBack(&'static str),
    /// The neighbourhood could not be told.
    #[error("{0}")]
    Announce(String),
    /// Somebody outside answered for an address.
    #[error("{address} is in use on the external network: {by} answers for it")]
    Taken {
        /// The address.
        address: Ipv4Addr,
        /// Hardware addresses, with commas.
        by: String,
    },
    /// The agent holds its lock on the namespace's packet filter.
    #[error("the L3 agent is busy with this namespace: it holds {}", path.display())]
    AgentBusy {
        /// Its lock.
        path: PathBuf,
    },
    /// Under the lock, the table is not what the plan saw.
    #[error("the table {0} was changed by somebody else meanwhile")]
    TableChanged(String),
    /// The line is in the file already, or is not.
    #[error("{}: {what}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: &'static str,
    },
}

impl Error {
    /// True where the node is as it was before.
    pub fn is_rolled_back(&self) -> bool {
        matches!(self, Self::RolledBack { .. })
    }
}

impl StepError {
    pub(super) fn new(step: &Step, cause: Cause) -> Self {
        Self { id: step.id, netns: step.netns.clone(), description: step.description.clone(), cause }
    }
}

impl Cause {
    pub(super) fn io(what: impl fmt::Display) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { what: what.to_string(), source }
    }
}

/// `XDG_STATE_HOME` of that state folder.
fn home(folder: &Path) -> String {
    printable(&folder.parent().unwrap_or(folder).to_string_lossy(), 200)
}

fn not_installed(program: &str) -> String {
    let package = if program == "ovs-vsctl" { "openvswitch-switch" } else { "iptables" };
    format!("{program} is not installed; on Debian and Ubuntu: sudo apt install {package}")
}

fn kernel(errno: i32, text: Option<&str>) -> String {
    let error = io::Error::from_raw_os_error(errno);
    let hint = if errno == libc::EPERM { "; try: sudo" } else { "" };
    match text {
        Some(text) => format!("{error}: {}{hint}", printable(text, 200)),
        None => format!("{error}{hint}"),
    }
}

fn lines(what: &[String]) -> String {
    what.iter().fold(String::new(), |lines, line| lines + "\n  " + &printable(line, 400))
}

fn list(left: &[StepError]) -> String {
    left.iter().fold(String::new(), |list, error| list + "\n  " + &error.to_string())
}
