//! Packet filter and translation rules, of whichever backend holds them.
//!
//! What iptables' words can say is typed ([`RuleWords`]) and prints as
//! `iptables-save` prints it. Everything else is [`RuleBody::NotUnderstood`]:
//! kept, with the hook of its chain, so that nobody mistakes it for nothing.

mod parse;
mod print;
mod rule;
mod table;
mod words;

pub use parse::{SaveTextError, SaveTextFault, parse_rule, parse_save};
pub use print::{RuleLine, RuleText};
pub use rule::{
    ConnmarkOp, CtDirection, CtState, Match, NatFlags, NatRange, Port, PortMatch, RuleBody, RuleWords, Target,
};
pub use table::{Backend, BaseChain, Chain, Counters, Hook, Netfilter, NfFamily, NfRule, Policy, Table};
pub use words::{CT_STATES, protocol_number, protocol_word, quoted};
