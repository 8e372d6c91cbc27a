//! Edits of the packet filter.

use crate::net::netfilter::{Backend, BaseChain, Chain, Hook, NfFamily, NfRule, Policy, Table, parse_rule};
use crate::net::{Netns, Object as Thing, Observed, RuleAt, TableAt};

use super::super::{ChainEdit, TableEdit};
use super::{Effect, come, gone};

/// What one edit of a chain does. A table comes with the first edit of it, and
/// a chain of the kernel's own with the first rule in it, as `iptables-restore`
/// has it.
pub(super) fn edit(netns: &Netns, table_edit: &TableEdit, edit: &ChainEdit) -> Vec<Effect> {
    let Some(netfilter) = netns.netfilter.seen() else { return Vec::new() };
    let part = match table_edit.backend {
        Backend::Nft => &netfilter.nft,
        Backend::Legacy => &netfilter.legacy,
    };
    let tables = match part {
        Observed::Seen(tables) => tables.as_slice(),
        Observed::Absent => &[],
        Observed::Unreadable(_) => return Vec::new(),
    };
    let is = |table: &&Table| table.family == NfFamily::Ip && table.name == table_edit.table;
    let at = TableAt { backend: table_edit.backend, family: NfFamily::Ip, table: table_edit.table.clone() };
    if let Some(table) = tables.iter().find(is) {
        return within(table, at, edit).unwrap_or_default();
    }
    let (family, name) = (NfFamily::Ip, table_edit.table.clone());
    let empty = Table { family, name, dormant: false, chains: Vec::new(), others: Vec::new() };
    let mut effects = within(&empty, at, edit).unwrap_or_default();
    if !effects.is_empty() {
        effects.insert(0, come(Thing::Table(table_edit.backend, Box::new(empty))));
    }
    effects
}

fn within(table: &Table, at: TableAt, edit: &ChainEdit) -> Option<Vec<Effect>> {
    match edit {
        ChainEdit::NewChain(name) => {
            let chain = Chain { name: name.clone(), base: None, counters: None, rules: Vec::new() };
            table.chain(name).is_none().then(|| vec![come(Thing::Chain(at, Box::new(chain)))])
        }
        ChainEdit::DropChain(name) => {
            let chain = table.chain(name).filter(|chain| chain.rules.is_empty() && chain.base.is_none())?;
            Some(vec![gone(Thing::Chain(at, Box::new(chain.clone())))])
        }
        ChainEdit::Add { chain, at: place, rule } => {
            let mut effects = Vec::new();
            let there = table.chain(chain);
            if there.is_none() {
                effects.push(come(Thing::Chain(at.clone(), Box::new(built_in(&table.name, chain)?))));
            }
            let length = there.map_or(0, |there| there.rules.len());
            let position = place.map_or(length, |place| place.saturating_sub(1) as usize);
            let rule = parsed(chain, rule)?;
            let at = RuleAt { at, chain: chain.clone(), position };
            effects.push(come(Thing::NfRule(at, Box::new(rule))));
            (position <= length).then_some(effects)
        }
        ChainEdit::Delete { chain, rule, .. } => {
            let body = parsed(chain, rule)?.body;
            let rules = &table.chain(chain)?.rules;
            let (position, rule) = rules.iter().enumerate().find(|(_, rule)| rule.body == body)?;
            Some(vec![gone(Thing::NfRule(RuleAt { at, chain: chain.clone(), position }, Box::new(rule.clone())))])
        }
    }
}

/// A chain of the kernel's own, as iptables makes it (`xtables_ipv4` of
/// `iptables/nft.c`).
fn built_in(table: &str, chain: &str) -> Option<Chain> {
    let (hook, late) = match chain {
        "PREROUTING" => (Hook::Prerouting, false),
        "INPUT" => (Hook::Input, true),
        "FORWARD" => (Hook::Forward, false),
        "OUTPUT" => (Hook::Output, false),
        "POSTROUTING" => (Hook::Postrouting, true),
        _ => return None,
    };
    let (priority, kind) = match table {
        "raw" => (-300, "filter"),
        "mangle" => (-150, if chain == "OUTPUT" { "route" } else { "filter" }),
        "nat" => (if late { 100 } else { -100 }, "nat"),
        "filter" => (0, "filter"),
        _ => return None,
    };
    let base = BaseChain { hook, priority, kind: kind.to_owned(), policy: Policy::Accept, device: None };
    Some(Chain { name: chain.to_owned(), base: Some(base), counters: None, rules: Vec::new() })
}

/// A chain of a namespace.
pub(in super::super) fn chain<'n>(netns: &'n Netns, at: &TableAt, name: &str) -> Option<&'n Chain> {
    table(netns, at)?.chain(name)
}

fn table<'n>(netns: &'n Netns, at: &TableAt) -> Option<&'n Table> {
    let netfilter = netns.netfilter.seen()?;
    let tables = match at.backend {
        Backend::Nft => netfilter.nft.seen()?,
        Backend::Legacy => netfilter.legacy.seen()?,
    };
    tables.iter().find(|table| table.family == at.family && table.name == at.table)
}

pub(in super::super) fn parsed(chain: &str, words: &str) -> Option<NfRule> {
    parse_rule(&format!("-A {chain} {words}")).ok().map(|(_, rule)| rule)
}
