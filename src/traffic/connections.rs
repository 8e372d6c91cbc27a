//! The tracked connections of a floating IP, with what today's rules make of them.

use std::net::IpAddr;

use crate::net::{ConntrackEntry, NetnsName};

/// The tracked connections of a floating IP, those that today's rules would not make
/// first, then those with the most packets.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Connections {
    /// As many as are told of.
    pub all: Vec<Connection>,
    /// How many more there are.
    pub left_out: usize,
    /// The namespaces whose connections could not be read, and why.
    pub unreadable: Vec<(NetnsName, String)>,
}

/// A tracked connection.
#[derive(Clone, Debug, PartialEq)]
pub struct Connection {
    /// Where it is tracked.
    pub namespace: NetnsName,
    /// As the kernel has it.
    pub entry: ConntrackEntry,
    /// The translation that it has and a new one would not get (DVR406): floating IP
    /// and fixed IP.
    pub outlived: Option<(IpAddr, IpAddr)>,
}

impl Connection {
    /// Packets of both directions; 0 where they are not counted.
    pub fn packets(&self) -> u64 {
        let packets = |count: Option<(u64, u64)>| count.map_or(0, |(packets, _)| packets);
        packets(self.entry.original_count).saturating_add(packets(self.entry.reply_count))
    }

    /// How many seconds it is old at a time (nanoseconds since 1970), where the kernel
    /// keeps that.
    pub fn age(&self, at: u64) -> Option<u64> {
        Some(at.saturating_sub(self.entry.started?) / 1_000_000_000)
    }
}
