//! A question to the kernel's own route lookup, and its answer.

use std::fmt;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::{IfName, NetnsName, RouteKind, TableId};

/// What a packet is asked about: the fields that the kernel's lookup sees
/// (`net/ipv4/route.c: inet_rtm_getroute`). Translation is not among them:
/// addresses are those after DNAT, before SNAT.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RouteQuestion {
    /// Where the lookup is made; `None` is the namespace of the process.
    pub namespace: Option<NetnsName>,
    /// Source address; `None` leaves the choice to the kernel.
    pub src: Option<IpAddr>,
    /// Destination address.
    pub dst: IpAddr,
    /// Input device; `None` asks for a packet that the namespace itself sends.
    pub iif: Option<IfName>,
    /// The packet's mark (`SO_MARK`, netfilter).
    pub mark: u32,
    /// Type-of-service byte.
    pub tos: u8,
}

/// What the kernel would do.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RouteAnswer {
    /// There is a route.
    Found(RouteFound),
    /// The lookup failed with this errno (positive).
    Refused(i32),
}

/// The route that a lookup came to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RouteFound {
    /// Unicast, local, broadcast, multicast.
    pub kind: RouteKind,
    /// The table that the route stands in.
    pub table: TableId,
    /// Output device; a local delivery names the loopback device or none.
    pub dev: Option<IfName>,
    /// Gateway; `None` where the destination is on the link.
    pub via: Option<IpAddr>,
}

impl RouteAnswer {
    /// Whether two answers to one question come to the same, with what differs
    /// by the kernel's version or history and cannot be read left out: an
    /// `rp_filter` refuses with `EXDEV` or (from Linux 6.13) with `EINVAL`; the
    /// tables `local` and `main` are one trie, which calls itself `main`, until
    /// a namespace gets its first rule (`net/ipv4/fib_trie.c`).
    pub fn agrees(&self, other: &Self) -> bool {
        let is_shared = |table| table == TableId::LOCAL || table == TableId::MAIN;
        match (self, other) {
            (Self::Found(one), Self::Found(other)) => {
                let same_table = one.table == other.table || (is_shared(one.table) && is_shared(other.table));
                (one.kind, &one.dev, one.via) == (other.kind, &other.dev, other.via) && same_table
            }
            (Self::Refused(18 | 22), Self::Refused(18 | 22)) => true,
            _ => self == other,
        }
    }
}

impl fmt::Display for RouteQuestion {
    /// The words of `ip route get` that ask it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ip")?;
        if let Some(namespace) = &self.namespace {
            write!(f, " -n {namespace}")?;
        }
        write!(f, " route get {}", self.dst)?;
        if let Some(src) = self.src {
            write!(f, " from {src}")?;
        }
        if let Some(iif) = &self.iif {
            write!(f, " iif {iif}")?;
        }
        if self.mark != 0 {
            write!(f, " mark {:#x}", self.mark)?;
        }
        if self.tos != 0 {
            write!(f, " tos {:#x}", self.tos)?;
        }
        Ok(())
    }
}

impl fmt::Display for RouteAnswer {
    /// `via 10.0.0.1 dev eth0 table main`, or the error in the kernel's words.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Found(found) => found.fmt(f),
            Self::Refused(errno) => f.write_str(refusal(*errno)),
        }
    }
}

impl fmt::Display for RouteFound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.kind != RouteKind::Unicast {
            write!(f, "{} ", self.kind.word())?;
        }
        if let Some(via) = self.via {
            write!(f, "via {via} ")?;
        }
        if let Some(dev) = &self.dev {
            write!(f, "dev {dev} ")?;
        }
        write!(f, "table {}", self.table)
    }
}

/// The meaning of an errno of the route lookup (`ip_route_input_slow`,
/// `fib_props` in `net/ipv4/fib_semantics.c`).
pub fn refusal(errno: i32) -> &'static str {
    match errno {
        13 => "prohibited (EACCES)",
        18 => "source refused by rp_filter (EXDEV)",
        22 => "refused: a blackhole, rp_filter or an impossible address (EINVAL)",
        101 => "no route (ENETUNREACH)",
        113 => "unreachable: no such host, or forwarding is off (EHOSTUNREACH)",
        _ => "refused",
    }
}
