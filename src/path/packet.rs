//! The packet that is walked.

use std::fmt;
use std::net::Ipv4Addr;

use crate::net::Mac;
use crate::net::netfilter::protocol_word;

/// Protocol numbers with ports or identifiers (IANA).
pub const ICMP: u8 = 1;
/// TCP.
pub const TCP: u8 = 6;
/// UDP.
pub const UDP: u8 = 17;

/// An IPv4 packet, as far as anything on its way looks at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Packet {
    /// Source address.
    pub src: Ipv4Addr,
    /// Destination address.
    pub dst: Ipv4Addr,
    /// Protocol number (IANA).
    pub proto: u8,
    /// Source port; for ICMP echo the identifier. `None`: the protocol has none,
    /// or the kernel chose one that cannot be foretold (`--random-fully`).
    pub sport: Option<u16>,
    /// Destination port; for ICMP echo the identifier.
    pub dport: Option<u16>,
    /// ICMP type and code.
    pub icmp: Option<(u8, u8)>,
    /// TCP flags byte (`0x02` SYN, `0x10` ACK).
    pub tcp_flags: u8,
    /// netfilter mark. Cleared where a packet changes namespace.
    pub mark: u32,
    /// Type-of-service byte.
    pub tos: u8,
    /// Length of the IP packet, in bytes.
    pub length: u32,
    /// Whether routers may not fragment it.
    pub dont_fragment: bool,
    /// Source hardware address, where it is known.
    pub src_mac: Option<Mac>,
}

/// An address and a port, as a translation changes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Endpoint {
    /// The address.
    pub address: Ipv4Addr,
    /// Port, or ICMP identifier; see [`Packet::sport`].
    pub port: Option<u16>,
}

impl Packet {
    /// A first packet of this protocol: TCP is a SYN, ICMP an echo request.
    pub fn first(src: Ipv4Addr, dst: Ipv4Addr, proto: u8) -> Self {
        Self {
            src,
            dst,
            proto,
            sport: None,
            dport: None,
            icmp: (proto == ICMP).then_some((8, 0)),
            tcp_flags: if proto == TCP { 0x02 } else { 0 },
            mark: 0,
            tos: 0,
            length: 84,
            dont_fragment: true,
            src_mac: None,
        }
    }

    /// The same packet with these ports.
    #[must_use]
    pub fn ports(self, sport: u16, dport: u16) -> Self {
        Self { sport: Some(sport), dport: Some(dport), ..self }
    }

    /// The answer to this packet: turned around, an echo request answered, a SYN
    /// acknowledged; without mark.
    #[must_use]
    pub fn answer(self) -> Self {
        Self {
            src: self.dst,
            dst: self.src,
            sport: self.dport,
            dport: self.sport,
            icmp: self.icmp.map(|(kind, code)| if kind == 8 { (0, code) } else { (kind, code) }),
            tcp_flags: if self.proto == TCP { 0x12 } else { 0 },
            mark: 0,
            src_mac: None,
            ..self
        }
    }

    /// Where it comes from.
    pub fn source(&self) -> Endpoint {
        Endpoint { address: self.src, port: self.sport }
    }

    /// Where it goes to.
    pub fn destination(&self) -> Endpoint {
        Endpoint { address: self.dst, port: self.dport }
    }
}

impl fmt::Display for Packet {
    /// `10.0.0.4:40000 → 198.51.100.7:443 tcp`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} → {} ", self.source(), self.destination())?;
        match protocol_word(self.proto) {
            Some(word) => f.write_str(word),
            None => write!(f, "protocol {}", self.proto),
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.address)?;
        match self.port {
            Some(port) => write!(f, ":{port}"),
            None => Ok(()),
        }
    }
}
