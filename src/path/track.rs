//! Connection tracking, as far as one walk and its reply need it.

use std::collections::BTreeMap;

use super::packet::{Endpoint, Packet};
use crate::net::NetnsName;
use crate::net::netfilter::CtDirection;

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

impl Connection {
    /// What a first packet opens, before any translation.
    pub fn opened_by(packet: &Packet) -> Self {
        let original = Tuple::of(packet);
        Self { original, reply: original.turned(), mark: 0, src_nat: false, dst_nat: false, answered: false }
    }

    /// The known connection that a packet belongs to, and which way it goes
    /// (`nf_conntrack_find_get`). The kernel keeps ICMP types in the tuple, so a
    /// request never goes the way of the replies.
    pub fn find<'c>(known: &'c [Self], packet: &Packet) -> Option<(&'c Self, CtDirection)> {
        let tuple = Tuple::of(packet);
        let request = packet.icmp.is_none_or(|(kind, _)| is_icmp_request(kind));
        let reply = packet.icmp.is_none_or(|(kind, _)| !is_icmp_request(kind));
        known.iter().find_map(|connection| match connection {
            found if request && found.original == tuple => Some((found, CtDirection::Original)),
            found if reply && found.reply == tuple => Some((found, CtDirection::Reply)),
            _ => None,
        })
    }
}

/// Types of ICMP that open a connection (`nf_conntrack_proto_icmp.c: valid_new`):
/// echo, timestamp, information and address mask request.
pub(super) fn is_icmp_request(kind: u8) -> bool {
    matches!(kind, 8 | 13 | 15 | 17)
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
