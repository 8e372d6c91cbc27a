//! Answers to what a router sent under its own address: without the connection,
//! they look as if they were for the router itself.

use std::collections::HashSet;

use crate::path::{Endpoint, ICMP, Packet, TCP};

/// Conversations of a generation; two generations are kept.
const MOST: usize = 1 << 15;
const RESET: u8 = 0x04;
const ECHO: u8 = 8;

/// What left by gateway ports, under a router's own address.
#[derive(Debug, Default)]
pub(super) struct Answers {
    young: HashSet<Key>,
    old: HashSet<Key>,
}

/// Namespace, protocol, source and destination as the packet left.
type Key = (u32, u8, Endpoint, Endpoint);

impl Answers {
    /// A packet leaves by a gateway port. What the router says by itself there,
    /// refusals and answers to echoes, begins no conversation.
    pub(super) fn leaves(&mut self, namespace: u32, packet: &Packet) {
        let refuses = packet.proto == TCP && packet.tcp_flags & RESET != 0;
        let answers = packet.proto == ICMP && packet.icmp.is_none_or(|(kind, _)| kind != ECHO);
        if refuses || answers {
            return;
        }
        if self.young.len() >= MOST {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert((namespace, packet.proto, packet.source(), packet.destination()));
    }

    /// Whether a packet that comes in there answers one that left.
    pub(super) fn is_one(&self, namespace: u32, packet: &Packet) -> bool {
        let key = (namespace, packet.proto, packet.destination(), packet.source());
        let asks = packet.proto == ICMP && packet.icmp.is_some_and(|(kind, _)| kind == ECHO);
        !asks && (self.young.contains(&key) || self.old.contains(&key))
    }
}
