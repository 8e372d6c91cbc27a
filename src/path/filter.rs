//! What netfilter does with an IPv4 packet in one namespace: the tables of both
//! backends, connection tracking and translation, hook by hook.
//!
//! A [`Filter`] is compiled once per namespace and then asked per packet. It
//! never guesses: where the outcome hangs on something that was not understood,
//! not read, or chosen by the kernel at random, the answer is
//! [`Fate::CannotTell`].
//!
//! Two tables of the same priority (iptables-nft's and iptables-legacy's) are
//! asked in the order `nf_tables`, `ip_tables`; the kernel's own order is that
//! of their registration, which nobody can read.

mod bind;
mod compile;
mod condition;
mod hash;
mod passing;
mod rule;
mod run;
#[cfg(test)]
mod tests;

use std::net::Ipv4Addr;

use super::model::{MarkChange, Translation};
use crate::net::netfilter::{Hook, Netfilter};
use crate::net::{Observed, printable};
use compile::{Chain, Hooks};

pub(in crate::path) use passing::{Event, Passing};

/// The most characters of a rule that a reason repeats.
const LINE: usize = 512;

/// The packet filter of one namespace.
pub(super) struct Filter<'s> {
    chains: Vec<Chain<'s>>,
    hooks: Hooks,
    blind: Option<String>,
    partial: bool,
}

/// Where a packet passes a hook.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Crossing<'a> {
    /// Input device; empty where there is none (a packet of the namespace itself).
    pub(super) iif: &'a str,
    /// Output device; empty before routing and for what is delivered.
    pub(super) oif: &'a str,
    /// Where `REDIRECT` leads before routing: the first address of the input
    /// device. On the way out it is always 127.0.0.1.
    pub(super) redirect_to: Option<Ipv4Addr>,
    /// The address that `MASQUERADE` takes: that of the output device, in the
    /// scope of the next hop.
    pub(super) masquerade_as: Option<Ipv4Addr>,
}

/// What a hook makes of a packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It goes on.
    Pass,
    /// Silently dropped.
    Drop(Cause),
    /// Dropped, and the sender is told.
    Reject(Cause),
    /// It hangs on something that cannot be known from here: a sentence without a
    /// full stop, printable.
    CannotTell(String),
}

/// What dropped a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// A rule.
    Rule(RuleAt),
    /// The policy of a base chain.
    Policy(ChainAt),
    /// A rule that translates to the address of a device which has none.
    NoAddress(RuleAt),
}

/// A chain of a [`Filter`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct ChainAt(u32);

/// A rule of a [`Filter`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct RuleAt {
    chain: ChainAt,
    position: u32,
}

impl<'s> Filter<'s> {
    /// Compiles the tables of a namespace.
    pub(super) fn of(netfilter: &'s Observed<Netfilter>) -> Self {
        compile::filter(netfilter)
    }

    /// Passes one hook. `known` are the connections of this namespace that
    /// earlier packets opened.
    pub(super) fn pass(
        &self,
        hook: Hook,
        at: &Crossing<'_>,
        passing: &mut Passing,
        known: &[super::Connection],
    ) -> Fate {
        match &self.blind {
            Some(why) => Fate::CannotTell(why.clone()),
            None => run::pass(self, hook, at, passing, known),
        }
    }

    /// A rule as `iptables-save` prints it, safe for a terminal.
    pub(super) fn line(&self, at: RuleAt) -> String {
        let Some(chain) = self.chain(at.chain) else { return String::new() };
        let Some(rule) = chain.rules.get(at.position as usize) else { return String::new() };
        printable(&rule.source.line(chain.name, chain.family).to_string(), LINE)
    }

    /// Why a packet was dropped: a sentence without a full stop.
    pub(super) fn reason(&self, cause: Cause) -> String {
        match cause {
            Cause::Rule(at) => format!("{} (table {})", self.line(at), self.table(at.chain)),
            Cause::Policy(at) => {
                let chain = self.chain(at).map_or("", |chain| chain.name);
                format!("the policy of chain {} (table {}) is DROP", printable(chain, LINE), self.table(at))
            }
            Cause::NoAddress(at) => {
                format!("the device has no address to translate to: {} (table {})", self.line(at), self.table(at.chain))
            }
        }
    }

    /// What happened to a packet so far, in the words of a hop.
    pub(super) fn told(&self, events: &[Event]) -> (Vec<MarkChange>, Vec<Translation>) {
        let (mut marks, mut translations) = (Vec::new(), Vec::new());
        for event in events {
            match *event {
                Event::Mark { before, after, rule } => {
                    marks.push(MarkChange { before, after, rule: self.line(rule) });
                }
                Event::Translation { kind, before, after, rule } => {
                    translations.push(Translation { kind, before, after, rule: rule.map(|rule| self.line(rule)) });
                }
            }
        }
        (marks, translations)
    }

    fn chain(&self, at: ChainAt) -> Option<&Chain<'s>> {
        self.chains.get(at.0 as usize)
    }

    fn table(&self, at: ChainAt) -> String {
        self.chain(at).map_or_else(String::new, |chain| printable(chain.table, LINE))
    }

    fn cannot_tell(&self, at: RuleAt, why: &str) -> Fate {
        let line = self.line(at);
        let line = line.strip_prefix("# ").unwrap_or(&line);
        Fate::CannotTell(format!("{why}: {line} (table {})", self.table(at.chain)))
    }
}
