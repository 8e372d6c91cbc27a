//! One packet to a far host, and what came back.

use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

use super::NetnsName;

/// A packet that asks for an answer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ReachQuestion {
    /// The namespace that sends it.
    pub namespace: NetnsName,
    /// Its source, an address of that namespace; `None` leaves the choice to the
    /// kernel.
    pub source: Option<Ipv4Addr>,
    /// Where to.
    pub destination: Ipv4Addr,
    /// What it is.
    pub by: ReachBy,
    /// The identifier of an echo, the source port of a SYN: by it the packet is
    /// known where it passes. 0 leaves the choice of a port to the kernel.
    pub ident: u16,
}

/// What asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReachBy {
    /// An ICMP echo request (RFC 792).
    Echo,
    /// The first packet of a TCP connection to this port. Where it is accepted,
    /// the connection is reset at once.
    Syn(u16),
}

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReachAnswer {
    /// An answer: an echo, or an accepted connection.
    Answered {
        /// Microseconds from the packet to it.
        rtt: u64,
    },
    /// The host is there, and nobody listens on that port.
    Refused {
        /// Microseconds from the packet to it.
        rtt: u64,
    },
    /// Somebody on the way said that it goes no further.
    Unreachable {
        /// Who; `None` where the kernel does not tell, or is it itself.
        from: Option<Ipv4Addr>,
    },
    /// Nothing, in the time that there was.
    Silent,
    /// It could not be sent, with the reason.
    NotSent(String),
}
