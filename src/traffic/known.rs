//! What was made of a flow's packets at a device, remembered by what of their
//! headers decides: a packet of a known flow costs one look-up.

use std::collections::HashMap;
use std::collections::hash_map::{Entry, RandomState};
use std::hash::{BuildHasher, Hasher};

use super::parse::Heard;
use super::verdict::Verdict;
use crate::net::{Frame, Heading};

/// As many are remembered before all are forgotten: what a scanner sends is
/// bounded to some 6 MiB.
const MOST: usize = 28_000;

/// Verdicts by key; they hold for one snapshot of the node.
#[derive(Debug, Default)]
pub(super) struct Known(HashMap<Key, Verdict, Secret>);

/// All that a verdict depends on, as the packet and the device tell it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    addresses: u64,
    /// Ports, protocol, type of service, type and code of ICMP.
    kind: u64,
    /// Namespace and device.
    place: u64,
    flags: u64,
}

const OUT: u64 = 1;
const HAS_PORTS: u64 = 2;
const HAS_ICMP: u64 = 4;
const LAST_HOP: u64 = 8;
const ANSWERS: u64 = 16;

impl Known {
    /// What is known of such packets; `judge` finds it out for the first one.
    pub(super) fn get(&mut self, key: Key, judge: impl FnOnce() -> Option<Verdict>) -> Option<&mut Verdict> {
        if self.0.len() >= MOST {
            self.0.clear();
        }
        match self.0.entry(key) {
            Entry::Occupied(known) => Some(known.into_mut()),
            Entry::Vacant(free) => Some(free.insert(judge()?)),
        }
    }
}

impl Key {
    pub(super) fn of(frame: &Frame<'_>, heard: &Heard) -> Self {
        let packet = &heard.packet;
        let (kind, code) = packet.icmp.unwrap_or_default();
        let [sport, dport] = [packet.sport, packet.dport].map(|port| u64::from(port.unwrap_or_default()));
        let [proto, tos, kind, code] = [packet.proto, packet.tos, kind, code].map(u64::from);
        let flag = |holds: bool, flag: u64| if holds { flag } else { 0 };
        Self {
            addresses: u64::from(packet.src.to_bits()) << 32 | u64::from(packet.dst.to_bits()),
            kind: sport << 48 | dport << 32 | proto << 24 | tos << 16 | kind << 8 | code,
            place: u64::from(frame.namespace) << 32 | u64::from(frame.device),
            flags: flag(frame.heading == Heading::Out, OUT)
                | flag(packet.sport.is_some(), HAS_PORTS)
                | flag(packet.icmp.is_some(), HAS_ICMP)
                | flag(heard.ttl <= 1, LAST_HOP),
        }
    }

    /// The same packet, where it answers what the router sent under its own address.
    pub(super) fn answering(self) -> Self {
        Self { flags: self.flags | ANSWERS, ..self }
    }
}

/// Numbers that whoever sends packets does not know: nobody can choose headers
/// that all fall onto one place of the table.
#[derive(Clone, Debug)]
struct Secret {
    start: u64,
    factor: u64,
}

/// Multiplies and folds: a few cycles a word, where the standard library's
/// hasher, which resists more, takes dozens.
struct Folding {
    state: u64,
    factor: u64,
}

impl Default for Secret {
    fn default() -> Self {
        let [start, factor] = [0, 1].map(|number: u8| RandomState::new().hash_one(number));
        Self { start, factor: factor | 1 }
    }
}

impl BuildHasher for Secret {
    type Hasher = Folding;

    fn build_hasher(&self) -> Folding {
        Folding { state: self.start, factor: self.factor }
    }
}

impl Hasher for Folding {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64((*byte).into());
        }
    }

    #[expect(clippy::cast_possible_truncation, reason = "both halves are used")]
    fn write_u64(&mut self, word: u64) {
        let wide = u128::from(self.state ^ word) * u128::from(self.factor);
        self.state = wide as u64 ^ (wide >> 64) as u64;
    }

    fn finish(&self) -> u64 {
        self.state
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    /// Addresses and ports that count up must spread over the table's places and
    /// its marks, which are the lowest and the highest bits.
    #[test]
    fn neighbouring_headers_fall_apart() {
        let secret = Secret::default();
        let key = |number: u64| Key { addresses: number << 32, kind: number << 48, place: 3, flags: 1 };
        let hashes: Vec<u64> = (0..4096).map(|number| secret.hash_one(key(number))).collect();
        let lowest: HashSet<u64> = hashes.iter().map(|hash| hash & 0xfff).collect();
        let highest: HashSet<u64> = hashes.iter().map(|hash| hash >> 57).collect();
        // At random 63% of 4096 places are hit.
        assert!(lowest.len() > 2200 && highest.len() == 128, "{} {}", lowest.len(), highest.len());
    }
}
