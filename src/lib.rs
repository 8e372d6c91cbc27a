//! fipscope: a console for floating IPs on OpenStack nodes with distributed
//! virtual routing (DVR).
//!
//! What the rooms are for, and which may import which, is checked by
//! `tests/layering.rs`. Facts flow one way: the kernel of the node, a
//! [`net::Snapshot`], a [`topology::Topology`], the screen.
//!
//! | room | what it is for |
//! | --- | --- |
//! | [`net`] | nouns as plain data; the [`net::Snapshot`] of a node |
//! | [`neutron`] | the L3 agent's names, numbers, chains and files |
//! | [`topology`] | a snapshot read as a DVR node, and each floating IP's chain |
//! | [`path`] | what this node would do with a packet |
//! | [`check`] | what is broken, why, and what mends it |
//! | [`plan`] | ordered steps as data |
//! | [`netns`] | entering and making namespaces |
//! | [`kernel`] | reading the node |
//! | [`probe`] | questions on the wire, and announcements |
//! | [`exec`] | writing to it |
//! | [`lab`] | the demonstration node |
//! | [`tui`] | the console as a function |
//! | [`report`] | text and JSON |
//! | [`config`], [`cli`] | settings, and the command line |
//! | [`app`] | wiring |

#[allow(clippy::disallowed_methods, reason = "wires sockets, clock and screen together")]
pub mod app;
pub mod check;
pub mod cli;
#[allow(clippy::disallowed_methods, reason = "reads the environment and the configuration file")]
pub mod config;
#[allow(clippy::disallowed_methods, reason = "writes to the node")]
pub mod exec;
#[allow(clippy::disallowed_methods, reason = "reads the node")]
pub mod kernel;
#[allow(clippy::disallowed_methods, reason = "builds namespaces and starts programs in them")]
pub mod lab;
pub mod net;
#[allow(clippy::disallowed_methods, reason = "opens, enters and mounts namespaces")]
pub mod netns;
pub mod neutron;
pub mod path;
pub mod plan;
#[allow(clippy::disallowed_methods, reason = "asks the wire, and waits for answers")]
pub mod probe;
pub mod report;
pub mod topology;
pub mod tui;
