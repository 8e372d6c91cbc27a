//! What was made of a flow's packets at a device, remembered by what of their
//! headers decides: a packet of a known flow costs one look-up.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hash, Hasher};

use super::parse::Heard;
use super::tally::Place;
use super::verdict::Verdict;
use crate::net::{Frame, Heading};

/// As many are remembered before all are forgotten: what a scanner sends is
/// bounded to some 3 MiB.
const MOST: usize = 28_000;

/// Verdicts, and where their packets were counted last; they hold for one snapshot
/// of the node.
#[derive(Debug, Default)]
pub(super) struct Known {
    all: Vec<(Verdict, Place)>,
    /// Where they stand.
    places: HashMap<Key, u32, Secret>,
}

/// All that a verdict depends on, as the packet and the device tell it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Key {
    addresses: u64,
    /// Ports, protocol, type of service, type and code of ICMP.
    kind: u64,
    /// Namespace, device, flags. As each namespace has a socket, 26 bits suffice for its number.
    place: u64,
}

const OUT: u64 = 1;
const HAS_PORTS: u64 = 2;
const HAS_ICMP: u64 = 4;
const LAST_HOP: u64 = 8;
const ANSWERS: u64 = 16;
const FRESH: u64 = 32;
const FLAGS: u32 = 6;

impl Known {
    /// What is known of such packets; `judge` finds it out for the first one.
    #[inline]
    pub(super) fn get(&mut self, key: Key, judge: impl FnOnce() -> Option<Verdict>) -> Option<&mut (Verdict, Place)> {
        let place = match self.places.get(&key) {
            Some(place) => *place,
            None => self.add(key, judge()?),
        };
        self.all.get_mut(place as usize)
    }

    #[cold]
    fn add(&mut self, key: Key, verdict: Verdict) -> u32 {
        if self.all.len() >= MOST {
            self.all.clear();
            self.places.clear();
        }
        let place = u32::try_from(self.all.len()).unwrap_or(u32::MAX);
        self.all.push((verdict, Place::default()));
        self.places.insert(key, place);
        place
    }
}

impl Key {
    #[inline]
    pub(super) fn of(frame: &Frame<'_>, heard: &Heard) -> Self {
        let packet = &heard.packet;
        let icmp = packet.icmp.map_or(0, |(kind, code)| u64::from(u16::from_be_bytes([kind, code])));
        let port = |port: Option<u16>| u64::from(port.unwrap_or_default());
        let flag = |holds: bool, flag: u64| if holds { flag } else { 0 };
        let flags = flag(frame.heading == Heading::Out, OUT)
            | flag(packet.sport.is_some(), HAS_PORTS)
            | flag(packet.icmp.is_some(), HAS_ICMP)
            | flag(heard.ttl <= 1, LAST_HOP)
            | flag(heard.is_fresh(), FRESH);
        Self {
            addresses: u64::from(packet.src.to_bits()) << 32 | u64::from(packet.dst.to_bits()),
            kind: port(packet.sport) << 48
                | port(packet.dport) << 32
                | u64::from(packet.proto) << 24
                | u64::from(packet.tos) << 16
                | icmp,
            place: (u64::from(frame.namespace) << 32 | u64::from(frame.device)) << FLAGS | flags,
        }
    }

    /// The same packet, where it answers what the router sent under its own address.
    pub(super) fn answering(self) -> Self {
        Self { place: self.place | ANSWERS, ..self }
    }
}

impl Hash for Key {
    /// Two multiplications.
    #[inline]
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        hasher.write_u128(u128::from(self.addresses) << 64 | u128::from(self.kind));
        hasher.write_u64(self.place);
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

    #[inline]
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

    #[inline]
    fn write_u64(&mut self, word: u64) {
        self.state = fold(self.state ^ word, self.factor);
    }

    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "both halves are used")]
    fn write_u128(&mut self, words: u128) {
        self.state = fold(self.state ^ words as u64, self.factor ^ (words >> 64) as u64);
    }

    #[inline]
    fn finish(&self) -> u64 {
        self.state
    }
}

#[expect(clippy::cast_possible_truncation, reason = "both halves are used")]
fn fold(one: u64, other: u64) -> u64 {
    let wide = u128::from(one) * u128::from(other);
    wide as u64 ^ (wide >> 64) as u64
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
        let key = |number: u64| Key { addresses: number << 32, kind: number << 48, place: 3 };
        let hashes: Vec<u64> = (0..4096).map(|number| secret.hash_one(key(number))).collect();
        let lowest: HashSet<u64> = hashes.iter().map(|hash| hash & 0xfff).collect();
        let highest: HashSet<u64> = hashes.iter().map(|hash| hash >> 57).collect();
        // At random 63% of 4096 places are hit.
        assert!(lowest.len() > 2200 && highest.len() == 128, "{} {}", lowest.len(), highest.len());
    }
}
