//! Connection tracking: entries, and how full the table is.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};

/// One direction of a connection.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ConntrackTuple {
    /// Source address.
    pub src: IpAddr,
    /// Destination address.
    pub dst: IpAddr,
    /// IP protocol number.
    pub proto: u8,
    /// Source port, or the ICMP id.
    #[serde(default)]
    pub sport: Option<u16>,
    /// Destination port, or the ICMP id again (as `conntrack` counts it).
    #[serde(default)]
    pub dport: Option<u16>,
}

impl fmt::Display for ConntrackTuple {
    /// `protocol 6 10.0.0.4:33000 → 198.51.100.7:80`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let end = |address: IpAddr, port: Option<u16>| match (address, port) {
            (address, Some(port)) => SocketAddr::new(address, port).to_string(),
            (address, None) => address.to_string(),
        };
        write!(f, "protocol {} {} → {}", self.proto, end(self.src, self.sport), end(self.dst, self.dport))
    }
}

/// One tracked connection (`nf_conntrack_netlink.c`).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ConntrackEntry {
    /// As the first packet came in.
    pub original: ConntrackTuple,
    /// As a reply looks, before it is translated back.
    pub reply: ConntrackTuple,
    /// `IPS_*` bits of `nf_conntrack_common.h`.
    pub status: u32,
    /// The connection's mark.
    #[serde(default)]
    pub mark: u32,
    /// The zone.
    #[serde(default)]
    pub zone: u16,
    /// Seconds until it is forgotten.
    #[serde(default)]
    pub timeout: Option<u32>,
    /// The kernel's id for it.
    #[serde(default)]
    pub id: Option<u32>,
    /// When it was first seen, in nanoseconds since 1970 (UTC); only with
    /// `net.netfilter.nf_conntrack_timestamp` on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started: Option<u64>,
    /// Packets and bytes, original direction; only with accounting on.
    #[serde(default)]
    pub original_count: Option<(u64, u64)>,
    /// Packets and bytes, reply direction; only with accounting on.
    #[serde(default)]
    pub reply_count: Option<(u64, u64)>,
}

/// How full a namespace's connection tracking table is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConntrackFill {
    /// Entries now.
    pub count: u64,
    /// The limit.
    pub max: u64,
}
