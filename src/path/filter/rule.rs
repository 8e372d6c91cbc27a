//! One rule, compiled.

use std::collections::HashMap;
use std::net::IpAddr;

use super::condition::{Condition, conditions};
use crate::net::netfilter::{ConnmarkOp, NatFlags, NatRange, NfRule, Port, RuleBody, Target};
use crate::path::model::NatKind;

/// A rule.
pub(super) struct Rule<'s> {
    /// As it was read.
    pub(super) source: &'s NfRule,
    /// What must hold.
    pub(super) conditions: Box<[Condition<'s>]>,
    /// What happens then.
    pub(super) act: Act,
}

/// What a rule does.
#[derive(Clone, Copy, Debug)]
pub(super) enum Act {
    /// Nothing that a packet's way depends on.
    Nothing,
    Accept,
    Drop,
    Return,
    Reject,
    /// To the chain of this number, and back.
    Jump(u32),
    /// To the chain of this number, and not back.
    Goto(u32),
    Translate(NatKind, Range),
    Mark {
        value: u32,
        mask: u32,
    },
    Connmark(ConnmarkOp),
    Notrack,
    /// Nobody knows.
    Unknown,
}

/// `struct nf_nat_range2`.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Range {
    /// The addresses, first and last; `None` keeps the address.
    pub(super) addresses: Option<(u32, u32)>,
    /// The ports, first and last.
    pub(super) ports: Option<Port>,
    /// `--random` or `--random-fully`.
    pub(super) random: bool,
    /// `--persistent`.
    pub(super) persistent: bool,
}

/// Targets that let the packet go on as it is, or change nothing that a walk
/// looks at.
const PASSED_OVER: [&str; 14] = [
    "AUDIT",
    "CHECKSUM",
    "CLASSIFY",
    "CONNSECMARK",
    "IDLETIMER",
    "LED",
    "LOG",
    "NFLOG",
    "RATEEST",
    "SECMARK",
    "TCPMSS",
    "TCPOPTSTRIP",
    "TRACE",
    "ULOG",
];

impl<'s> Rule<'s> {
    /// Compiles a rule; `chains` are the chains of its table, by name.
    pub(super) fn of(source: &'s NfRule, chains: &HashMap<&str, u32>) -> Self {
        match &source.body {
            RuleBody::NotUnderstood(_) => {
                Self { source, conditions: Box::new([Condition::Unknown]), act: Act::Unknown }
            }
            RuleBody::Words(words) => Self {
                source,
                conditions: conditions(&words.matches),
                act: words.target.as_ref().map_or(Act::Nothing, |target| Act::of(target, chains)),
            },
        }
    }

    /// The one source address that it asks for.
    pub(super) fn source_host(&self) -> Option<u32> {
        self.conditions.iter().find_map(|each| match each {
            Condition::Source(net) => net.host(),
            _ => None,
        })
    }

    /// The one destination address that it asks for.
    pub(super) fn destination_host(&self) -> Option<u32> {
        self.conditions.iter().find_map(|each| match each {
            Condition::Destination(net) => net.host(),
            _ => None,
        })
    }
}

impl Act {
    fn of(target: &Target, chains: &HashMap<&str, u32>) -> Self {
        let chain = |name: &String| chains.get(name.as_str()).copied();
        match target {
            Target::Accept => Self::Accept,
            Target::Drop => Self::Drop,
            Target::Return => Self::Return,
            Target::Reject(_) => Self::Reject,
            Target::Jump(name) => chain(name).map_or(Self::Unknown, Self::Jump),
            Target::Goto(name) => chain(name).map_or(Self::Unknown, Self::Goto),
            Target::Dnat { to, flags } => translate(NatKind::Dnat, to, *flags),
            Target::Snat { to, flags } => translate(NatKind::Snat, to, *flags),
            Target::Redirect { ports, flags } => {
                translate(NatKind::Redirect, &NatRange { addrs: None, ports: *ports }, *flags)
            }
            Target::Masquerade { ports, flags } => {
                translate(NatKind::Masquerade, &NatRange { addrs: None, ports: *ports }, *flags)
            }
            Target::Mark { value, mask } => Self::Mark { value: *value, mask: *mask },
            Target::Connmark(op) => Self::Connmark(*op),
            Target::Notrack | Target::NotrackAlias => Self::Notrack,
            Target::Other(words) => {
                let name = words.split_ascii_whitespace().next().unwrap_or_default();
                if PASSED_OVER.contains(&name) { Self::Nothing } else { Self::Unknown }
            }
        }
    }
}

fn translate(kind: NatKind, to: &NatRange, flags: NatFlags) -> Act {
    let addresses = match to.addrs {
        None => None,
        Some((IpAddr::V4(first), IpAddr::V4(last))) => Some((first.to_bits(), last.to_bits())),
        Some(_) => return Act::Unknown,
    };
    let random = flags.random || flags.random_fully;
    Act::Translate(kind, Range { addresses, ports: to.ports, random, persistent: flags.persistent })
}
