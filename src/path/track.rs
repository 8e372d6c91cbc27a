//! Connection tracking, as far as one walk and its reply need it.

use std::collections::BTreeMap;

use super::packet::{Endpoint, Packet};
use crate::net::NetnsName;

/// One direction of a connection, as a namespace sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Tuple {
    /// Source; its port is the ICMP identifier of an echo.
    pub src: Endpoint,
    /// Destination.
    pub dst: Endpoint,
    /// Protocol number (IANA).
    pub proto: u8,
}

/// A tracked connection (`struct nf_conn`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connection {
    /// As its first packet came in, before translation.
    pub original: Tuple,
    /// As its answer will come in: the translated packet, turned around.
    pub reply: Tuple,
    /// The connection's mark.
    pub mark: u32,
    /// Its source was translated (`IPS_SRC_NAT`).
    pub src_nat: bool,
    /// Its destination was translated (`IPS_DST_NAT`).
    pub dst_nat: bool,
    /// An answer has been seen.
    pub answered: bool,
}

/// The connections that a walk opened, by namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Connections {
    known: BTreeMap<NetnsName, Vec<Connection>>,
}

impl Tuple {
    /// The tuple of a packet as it is now.
    pub fn of(packet: &Packet) -> Self {
        Self { src: packet.source(), dst: packet.destination(), proto: packet.proto }
    }

    /// The same, turned around.
    #[must_use]
    pub fn turned(self) -> Self {
        Self { src: self.dst, dst: self.src, proto: self.proto }
    }
}

impl Connections {
    /// The connections of a namespace.
    pub fn of(&self, namespace: &NetnsName) -> &[Connection] {
        self.known.get(namespace).map_or(&[], Vec::as_slice)
    }

    /// Remembers a connection whose first packet passed.
    pub fn confirm(&mut self, namespace: &NetnsName, connection: Connection) {
        let known = self.known.entry(namespace.clone()).or_default();
        match known.iter_mut().find(|known| known.original == connection.original) {
            Some(found) => *found = connection,
            None => known.push(connection),
        }
    }
}
