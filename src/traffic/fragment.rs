//! The ports of later fragments, which only a packet's first one has.

use std::collections::HashMap;
use std::net::Ipv4Addr;

use super::parse::{Fragment, Heard};

/// Packets that are remembered before all are forgotten.
const MOST: usize = 1024;

/// Ports by what all fragments of a packet have in common (RFC 791, 3.2).
#[derive(Debug, Default)]
pub(super) struct Fragments(HashMap<Key, (Option<u16>, Option<u16>)>);

/// Namespace, addresses, protocol and identification.
type Key = (u32, Ipv4Addr, Ipv4Addr, u8, u16);

impl Fragments {
    /// Gives a later fragment the ports of the first, where that came before.
    pub(super) fn complete(&mut self, namespace: u32, heard: &mut Heard) {
        let Some(Fragment { id, is_first }) = heard.fragment else { return };
        let packet = &mut heard.packet;
        let key = (namespace, packet.src, packet.dst, packet.proto, id);
        if is_first {
            if self.0.len() >= MOST {
                self.0.clear();
            }
            self.0.insert(key, (packet.sport, packet.dport));
        } else if let Some((sport, dport)) = self.0.get(&key) {
            (packet.sport, packet.dport) = (*sport, *dport);
        }
    }
}
