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

/// How near a connection tracking table is to its limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ConntrackLevel {
    /// There is room, or no limit is known.
    Room,
    /// Nine entries of ten are taken.
    Scarce,
    /// All are taken: the kernel drops what would begin a connection
    /// (`nf_conntrack: table full, dropping packet`).
    Full,
}

impl ConntrackFill {
    /// What the counts come to. Entries come and go all the time; it is this that
    /// changes when something happens.
    pub fn level(&self) -> ConntrackLevel {
        match self.count {
            _ if self.max == 0 => ConntrackLevel::Room,
            count if count >= self.max => ConntrackLevel::Full,
            count if count >= self.scarce() => ConntrackLevel::Scarce,
            _ => ConntrackLevel::Room,
        }
    }

    /// The least count of this level, which stands for all of them.
    #[must_use]
    pub fn settled(&self) -> Self {
        let count = match self.level() {
            ConntrackLevel::Room => 0,
            ConntrackLevel::Scarce => self.scarce(),
            ConntrackLevel::Full => self.max,
        };
        Self { count, ..*self }
    }

    /// What a watcher takes it for, after the reading before: as long as it is not
    /// clearly below the least count of that one's level, it is as it was. A table at
    /// its limit hovers there, and would be told with every reading.
    #[must_use]
    pub fn steadied(self, before: &Self) -> Self {
        let is_near = self.count.saturating_add(self.max / 50) >= before.settled().count;
        if self.max == before.max && self.level() < before.level() && is_near { *before } else { self }
    }

    /// Nine tenths of the limit, rounded up.
    pub fn scarce(&self) -> u64 {
        self.max - self.max / 10
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_scarce_from_nine_tenths_on() {
        let level = |count, max| ConntrackFill { count, max }.level();
        let cases = [
            ((899, 1000), ConntrackLevel::Room),
            ((900, 1000), ConntrackLevel::Scarce),
            ((999, 1000), ConntrackLevel::Scarce),
            ((1000, 1000), ConntrackLevel::Full),
            ((13, 15), ConntrackLevel::Room),
            ((14, 15), ConntrackLevel::Scarce),
            ((0, 1), ConntrackLevel::Room),
            ((1, 1), ConntrackLevel::Full),
            ((7, 0), ConntrackLevel::Room),
            ((u64::MAX - 1, u64::MAX), ConntrackLevel::Scarce),
            ((u64::MAX / 2, u64::MAX), ConntrackLevel::Room),
        ];
        for ((count, max), wanted) in cases {
            assert_eq!(level(count, max), wanted, "{count} of {max}");
            let settled = ConntrackFill { count, max }.settled();
            assert_eq!(settled.level(), wanted, "{settled:?}");
            assert!(settled.count <= count);
        }
    }

    #[test]
    fn a_table_that_hovers_at_a_limit_stays_at_its_level() {
        let fill = |count| ConntrackFill { count, max: 1000 };
        let cases = [
            (1000, 980, 1000),
            (1000, 979, 979),
            (1000, 100, 100),
            (999, 1000, 1000),
            (950, 880, 950),
            (950, 879, 879),
            (950, 930, 930),
            (879, 899, 899),
            (879, 900, 900),
        ];
        for (before, now, wanted) in cases {
            assert_eq!(fill(now).steadied(&fill(before)), fill(wanted), "{before}, then {now}");
        }
        let lower = ConntrackFill { count: 1000, max: 1000 };
        assert_eq!(ConntrackFill { count: 990, max: 2000 }.steadied(&lower).count, 990, "the limit was raised");
        assert_eq!(ConntrackFill { count: 0, max: 0 }.steadied(&ConntrackFill { count: 0, max: 0 }).count, 0);
    }
}
