//! The command line as plain data, so that whoever acts on it need not know
//! how it was parsed.

use std::ffi::OsString;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::time::Duration;

use super::change::{AssociateArgs, JournalArgs, RemoveArgs, RepairArgs, UndoArgs};
use crate::net::netfilter::{Backend, protocol_number};
use crate::neutron::Layout;

/// What was typed; `None` where nothing was.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LowArgs {
    /// What to do.
    pub command: Command,
    /// `--from`.
    pub from: Option<PathBuf>,
    /// `--netns-dir`.
    pub netns_dir: Option<PathBuf>,
    /// `--state-path`.
    pub state_path: Option<PathBuf>,
    /// `--read-only`.
    pub read_only: bool,
    /// `--format`.
    pub format: Option<Format>,
    /// `--color`.
    pub color: Option<ColorChoice>,
    /// How often `-v`.
    pub verbose: u8,
    /// `--log-file`.
    pub log_file: Option<PathBuf>,
    /// `--config`.
    pub config: Option<PathBuf>,
}

/// What to do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Command {
    /// The console.
    #[default]
    Console,
    /// External networks, routers and floating IPs.
    List,
    /// One floating IP's chain, or a router at a glance.
    Show(ShowArgs),
    /// All checks.
    Check(Box<CheckArgs>),
    /// What a code means; `None` is all codes.
    Explain(Option<String>),
    /// A finding is known and accepted, or no longer.
    Acknowledge {
        /// The finding's identity.
        finding: String,
        /// No longer.
        revoke: bool,
    },
    /// A packet's walk.
    Trace(Box<TraceArgs>),
    /// A floating IP is wired.
    Associate(Box<AssociateArgs>),
    /// A floating IP is taken away.
    Remove(Box<RemoveArgs>),
    /// What the checks found is mended.
    Repair(Box<RepairArgs>),
    /// A past change is taken back.
    Undo(UndoArgs),
    /// Past changes.
    Journal(JournalArgs),
    /// What flows, by class, floating IP and hop.
    Traffic(Box<TrafficArgs>),
    /// What changes, as it changes.
    Watch(WatchArgs),
    /// Everything read, as one document.
    Snapshot(SnapshotArgs),
    /// What changed between two snapshots.
    Diff {
        /// The earlier one.
        before: PathBuf,
        /// The later one.
        after: PathBuf,
    },
    /// The demonstration node.
    Lab(LabArgs),
}

/// Which floating IP, or which router.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShowArgs {
    /// What was asked for.
    pub what: Shown,
    /// The first characters of its router's id.
    pub router: Option<String>,
    /// The first characters of its external network's id.
    pub external_network: Option<String>,
}

/// What narrows `check`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CheckArgs {
    /// A floating IP or a fixed IP.
    pub floating_ip: Option<IpAddr>,
    /// The first characters of its router's id.
    pub router: Option<String>,
    /// The first characters of its external network's id.
    pub external_network: Option<String>,
    /// Codes, or beginnings of codes; empty is all.
    pub select: Vec<String>,
    /// Codes, or beginnings of codes.
    pub ignore: Vec<String>,
    /// Also ask the wire.
    pub probe: bool,
}

/// What `show` can show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shown {
    /// A floating IP, by floating or fixed IP.
    Address(IpAddr),
    /// A router, by the first characters of its id.
    Router(String),
}

/// Which packet is walked from where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceArgs {
    /// Source address.
    pub src: Ipv4Addr,
    /// Destination address.
    pub dst: Ipv4Addr,
    /// Protocol number (IANA).
    pub proto: u8,
    /// Source port.
    pub sport: Option<u16>,
    /// Destination port.
    pub dport: Option<u16>,
    /// Length in bytes.
    pub length: Option<u32>,
    /// The device that it comes in by.
    pub iif: Option<String>,
    /// Walk the answer as well.
    pub reply: bool,
    /// Ask the kernel at every hop.
    pub verify: bool,
    /// The first characters of the router's id.
    pub router: Option<String>,
    /// The first characters of the external network's id.
    pub external_network: Option<String>,
}

/// How traffic is watched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrafficArgs {
    /// For how long; `None` until it is interrupted.
    pub duration: Option<Duration>,
    /// How often it is told.
    pub interval: Duration,
    /// Only this floating IP, or the one of this fixed IP.
    pub floating_ip: Option<IpAddr>,
    /// The first characters of its router's id.
    pub router: Option<String>,
    /// The first characters of its external network's id.
    pub external_network: Option<String>,
    /// The capture file to write.
    pub write: Option<PathBuf>,
    /// Only what holds all of these words.
    pub filter: Option<String>,
    /// Send one packet and follow it instead.
    pub probe: Option<ProbeBy>,
    /// What that packet is sent to.
    pub to: ProbeTo,
}

/// The packet that is sent and followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProbeBy {
    /// An ICMP echo request.
    Echo,
    /// The first packet of a TCP connection to this port.
    Tcp(u16),
}

/// What it is sent to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ProbeTo {
    /// The floating IP, from where the outside comes in.
    #[default]
    Floating,
    /// The instance's own address, from its router.
    Fixed,
    /// The external gateway.
    Gateway,
}

/// TCP's protocol number (IANA).
pub const TCP: u8 = 6;
/// UDP's.
pub const UDP: u8 = 17;

/// The protocol that a word or a number means.
pub fn protocol(word: &str) -> Option<u8> {
    word.parse().ok().or_else(|| protocol_number(&word.to_lowercase()))
}

/// Where a snapshot goes and what it holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SnapshotArgs {
    /// The file; `None` is standard output.
    pub output: Option<PathBuf>,
    /// Tracked connections too.
    pub conntrack: bool,
}

/// What of the node's changes is told, and where it is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WatchArgs {
    /// A floating IP or a fixed IP.
    pub floating_ip: Option<IpAddr>,
    /// The first characters of its router's id.
    pub router: Option<String>,
    /// The first characters of its external network's id.
    pub external_network: Option<String>,
    /// The file of the recording.
    pub record: Option<PathBuf>,
}

/// What the demonstration node is like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabArgs {
    /// The layout of its routers.
    pub layout: Layout,
    /// How many routers.
    pub routers: u32,
    /// How many floating IPs for each router; `None` is what the layout's
    /// example has.
    pub fips: Option<u32>,
    /// Which packet filter holds its rules.
    pub backend: Backend,
    /// Whether traffic of the three classes flows.
    pub traffic: bool,
    /// The codes of what is to be broken in it, as typed; none of them asks what
    /// can be.
    pub broken: Option<Vec<String>>,
    /// What to run inside; empty is the console.
    pub command: Vec<OsString>,
}

/// Text for people or JSON for programs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// Text.
    #[default]
    Text,
    /// JSON.
    Json,
}

/// When to use colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ColorChoice {
    /// Where it goes to a terminal that has colours.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

macro_rules! words {
    ($name:ident: $expected:literal, $($variant:ident $word:literal),*) => {
        impl $name {
            /// The words that mean one, for a message.
            pub const EXPECTED: &'static str = $expected;

            /// The one that a word means.
            pub fn from_word(word: &str) -> Option<Self> {
                match word {
                    $($word => Some(Self::$variant),)*
                    _ => None,
                }
            }
        }
    };
}

words!(Format: "text or json", Text "text", Json "json");
words!(ColorChoice: "auto, always or never", Auto "auto", Always "always", Never "never");
