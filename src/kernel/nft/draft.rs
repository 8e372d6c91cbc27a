//! A rule while its expressions are read: what the registers hold, and what has
//! been said so far.

use super::wire::Malformed;
use crate::net::netfilter::{Counters, Match, NfFamily, RuleWords, Target};

/// Why iptables' words cannot say a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Strange(pub(super) String);

impl From<Malformed> for Strange {
    fn from(_: Malformed) -> Self {
        Self("attributes that are cut".to_owned())
    }
}

impl From<&str> for Strange {
    fn from(what: &str) -> Self {
        Self(what.to_owned())
    }
}

/// Where a value in a register comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// Bytes of the packet: `NFT_PAYLOAD_*` base and offset.
    Payload { base: u32, offset: u32 },
    /// `NFT_META_*`.
    Meta(u32),
    /// `NFT_CT_*`.
    Ct(u32),
    /// A constant, in `mask`.
    Immediate,
}

/// The longest value that we follow: an IPv6 address, a device name.
pub(super) const VALUE: usize = 16;

/// What a register holds: `(source & mask) ^ xor`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Register {
    pub(super) source: Source,
    pub(super) len: usize,
    /// The bits that count (or the constant itself).
    pub(super) mask: [u8; VALUE],
    pub(super) xor: [u8; VALUE],
    /// Whether a bitwise expression was applied.
    pub(super) masked: bool,
}

impl Register {
    pub(super) fn new(source: Source, len: usize) -> Self {
        Self { source, len, mask: [0xff; VALUE], xor: [0; VALUE], masked: false }
    }

    /// A constant.
    pub(super) fn immediate(data: &[u8]) -> Option<Self> {
        let mut register = Self::new(Source::Immediate, data.len());
        register.mask.get_mut(..data.len())?.copy_from_slice(data);
        Some(register)
    }

    /// The constant, where it is one.
    pub(super) fn constant(&self) -> Option<&[u8]> {
        if self.source == Source::Immediate { self.mask.get(..self.len) } else { None }
    }
}

/// The rule so far.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) family: NfFamily,
    /// Sixteen registers of four bytes (`enum nft_registers`).
    registers: [Option<Register>; 16],
    /// `-s`, `-d`, `-i`, `-o`, `-p`, `-f`: iptables prints them first, in this
    /// order, and has one of each.
    first: [Option<Match>; 6],
    /// `-m …`, in the order of the rule.
    pub(super) matches: Vec<Match>,
    /// The family of addresses, in a table of both.
    pub(super) layer3: Option<NfFamily>,
    /// The protocol, where the rule asks for exactly one.
    pub(super) layer4: Option<u8>,
    pub(super) target: Option<Target>,
    pub(super) counters: Option<Counters>,
}

/// Places in `Draft::first`.
pub(super) const SOURCE: usize = 0;
pub(super) const DESTINATION: usize = 1;
pub(super) const IN_IFACE: usize = 2;
pub(super) const OUT_IFACE: usize = 3;
pub(super) const PROTOCOL: usize = 4;
pub(super) const FRAGMENT: usize = 5;

impl Draft {
    pub(super) fn new(family: NfFamily) -> Self {
        let layer3 = matches!(family, NfFamily::Ip | NfFamily::Ip6).then_some(family);
        Self {
            family,
            registers: [const { None }; 16],
            first: [const { None }; 6],
            matches: Vec::new(),
            layer3,
            layer4: None,
            target: None,
            counters: None,
        }
    }

    /// Puts a value into a register; what it overwrites is gone.
    pub(super) fn store(&mut self, register: u32, value: Register) -> Result<(), Strange> {
        let at = slot(register)?;
        let words = value.len.div_ceil(4).max(1);
        for (index, held) in self.registers.iter_mut().enumerate() {
            let end = index + held.map_or(0, |held| held.len.div_ceil(4).max(1));
            if index < at + words && at < end {
                *held = None;
            }
        }
        self.registers[at] = Some(value);
        Ok(())
    }

    /// What a register holds.
    pub(super) fn load(&self, register: u32) -> Result<Register, Strange> {
        self.registers[slot(register)?].ok_or_else(|| "a value that we do not follow".into())
    }

    /// One of the conditions that iptables has once.
    pub(super) fn say_first(&mut self, place: usize, what: Match) -> Result<(), Strange> {
        match &self.first[place] {
            Some(said) if *said == what => Ok(()),
            Some(_) => Err("two conditions on the same field".into()),
            None => {
                self.first[place] = Some(what);
                Ok(())
            }
        }
    }

    /// The target; a rule of iptables has one, at its end.
    pub(super) fn aim(&mut self, target: Target) -> Result<(), Strange> {
        if self.target.is_some() {
            return Err("more than one action".into());
        }
        self.target = Some(target);
        Ok(())
    }

    /// The words, where they say all of it.
    pub(super) fn finish(mut self, comment: Option<String>) -> Result<(RuleWords, Option<Counters>), Strange> {
        let addresses = self.first[SOURCE].is_some() || self.first[DESTINATION].is_some();
        if self.family == NfFamily::Inet && self.layer3.is_some() && !addresses {
            return Err("a condition on the family alone".into());
        }
        let said = self.first.iter().flatten().count() + self.matches.len() + usize::from(comment.is_some());
        let mut matches = Vec::with_capacity(said);
        matches.extend(self.first.into_iter().flatten());
        matches.append(&mut self.matches);
        matches.extend(comment.map(Match::Comment));
        Ok((RuleWords { matches, target: self.target }, self.counters))
    }
}

/// The first of the four-byte registers that a number means: 1 to 4 are sixteen
/// bytes wide, 8 to 23 four.
fn slot(register: u32) -> Result<usize, Strange> {
    match register {
        1..=4 => Ok((register as usize - 1) * 4),
        8..=23 => Ok(register as usize - 8),
        _ => Err("a register that is new to us".into()),
    }
}
