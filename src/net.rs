//! The nouns of a node, as plain data: what the kernel, Open vSwitch and the
//! L3 agent's files say, before anyone judges it.
//!
//! This room imports no other. It does no I/O, reads no clock and cannot fail;
//! only parsing returns a `Result`. Everything here serialises: a [`Snapshot`]
//! is a fixture, a bug report and the offline mode.

mod addr;
mod ages;
mod change;
mod conntrack;
mod frame;
mod host;
mod link;
mod lookup;
mod name;
mod neigh;
pub mod netfilter;
mod normal;
mod observed;
mod ovs;
mod reach;
mod record;
mod route;
mod rule;
mod snapshot;
mod wire;
mod word;

pub use addr::{Addr, AddrFlags};
pub use ages::{Age, Ages};
pub use change::{Change, Fact, FileName, Object, Part, RuleAt, TableAt, changes, host_changes, netns_changes};
pub use conntrack::{ConntrackEntry, ConntrackFill, ConntrackLevel, ConntrackTuple};
pub use frame::{Frame, Heading};
pub use host::{Agent, AllocationFile, Host, PathOrigin};
pub use link::{IFF_LOOPBACK, IFF_LOWER_UP, IFF_UP, Ipv4Conf, Link, LinkStats, OperState, Peer, Qdisc, TcFilter};
pub use lookup::{RouteAnswer, RouteFound, RouteQuestion, refusal};
pub use name::{Family, IfName, Mac, NetnsName, RulePriority, TableId, printable};
pub use neigh::{Neigh, NeighState};
pub use observed::Observed;
pub use ovs::{Ovs, OvsInterface, OvsPort};
pub use reach::{ReachAnswer, ReachBy, ReachQuestion};
pub use record::{RECORD_SCHEMA, Recorded, Recording};
pub use route::{NextHop, Route, RouteKind, protocol_name, scope_name};
pub use rule::{FwMark, Rule, RuleAction};
pub use snapshot::{Gap, Netns, SCHEMA, Snapshot, Sysctls};
pub use wire::{ArpQuestion, WireAnswer, WireAnswers, WireQuestion, WireReply};
pub(crate) use word::words;
