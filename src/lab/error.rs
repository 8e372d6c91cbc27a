//! Why there is no lab.

use std::io;

use crate::check::Code;
use crate::exec;
use crate::netns;

/// Why the lab could not be built or used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No sandbox, or no way into one of its namespaces.
    #[error(transparent)]
    Netns(#[from] netns::Error),
    /// The program that writes the packet filter is missing.
    #[error("the lab needs {0}, which is not installed.\nOn Debian and Ubuntu: sudo apt install iptables")]
    NoIptables(&'static str),
    /// A part of the node needs Open vSwitch's database.
    #[error(
        "this part of the lab needs Open vSwitch, and {0} is not installed.\n\
         On Debian and Ubuntu: sudo apt install openvswitch-switch util-linux"
    )]
    NoOpenVswitch(String),
    /// The devices of Open vSwitch's own ports cannot be made.
    #[error(
        "the lab's Open vSwitch makes its devices with /dev/net/tun, and that cannot be opened: {source}{}",
        way_to_tun(.source)
    )]
    NoTun {
        /// Why.
        source: io::Error,
    },
    /// More than the lab's addresses are good for.
    #[error("{0}")]
    TooMany(String),
    /// The node could not be built.
    #[error("the lab could not be built: {source}{}", hint(.source))]
    Build {
        /// The step that failed, and what became of the others.
        #[from]
        source: exec::Error,
    },
    /// A code that the lab cannot bring about.
    #[error("{0}")]
    CannotBreak(String),
    /// A command that was to break the lab failed.
    #[error("the lab could not be broken as {code} has it: {command}: {why}")]
    Fault {
        /// The code.
        code: Code,
        /// The command.
        command: String,
        /// What it said.
        why: String,
    },
    /// A file or a socket of the lab's.
    #[error("the lab cannot {doing} {what}: {source}")]
    Io {
        /// What was tried.
        doing: &'static str,
        /// With what.
        what: String,
        /// Why it failed.
        source: io::Error,
    },
    /// The command of `fipscope lab -- COMMAND` could not be started.
    #[error("cannot start {program}: {source}")]
    Command {
        /// The command.
        program: String,
        /// Why.
        source: io::Error,
    },
}

impl Error {
    pub(super) fn io(doing: &'static str, what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        move |source| Self::Io { doing, what, source }
    }
}

/// Only root may open it where the system keeps it to itself.
fn way_to_tun(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::PermissionDenied => "\nRun it as root (sudo).",
        _ => "\nLoad the driver: sudo modprobe tun",
    }
}

/// What to try, for what fails on kernels without a part that the lab needs.
fn hint(error: &exec::Error) -> &'static str {
    let (exec::Error::RolledBack { failed } | exec::Error::Half { failed, .. }) = error else { return "" };
    match &failed.cause {
        exec::Cause::Kernel { errno: libc::EOPNOTSUPP, .. } => {
            "\nThe kernel has no veth or bridge devices; load them: sudo modprobe -a veth bridge"
        }
        exec::Cause::Program { program: "iptables-legacy-restore", .. } => {
            "\nThe kernel may have no ip_tables; try --backend nft, or: sudo modprobe -a iptable_nat iptable_raw"
        }
        exec::Cause::Program { .. } => {
            "\nThe kernel may lack a part of nf_tables; try: sudo modprobe -a nf_tables nft_compat nf_nat xt_conntrack"
        }
        _ => "",
    }
}
