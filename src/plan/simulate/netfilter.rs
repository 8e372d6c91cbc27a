//! Edits of the packet filter.

use crate::net::netfilter::{Backend, Chain, NfFamily, NfRule, Table, parse_rule};
use crate::net::{Netns, Object as Thing, RuleAt, TableAt};

use super::super::{ChainEdit, TableEdit};
use super::{Effect, come, gone};

/// What one edit of a chain does.
pub(super) fn edit(netns: &Netns, table_edit: &TableEdit, edit: &ChainEdit) -> Option<Effect> {
    let at = TableAt { backend: table_edit.backend, family: NfFamily::Ip, table: table_edit.table.clone() };
    let table = table(netns, &at)?;
    match edit {
        ChainEdit::NewChain(name) => {
            let chain = Chain { name: name.clone(), base: None, counters: None, rules: Vec::new() };
            table.chain(name).is_none().then(|| come(Thing::Chain(at, Box::new(chain))))
        }
        ChainEdit::DropChain(name) => {
            let chain = table.chain(name).filter(|chain| chain.rules.is_empty() && chain.base.is_none())?;
            Some(gone(Thing::Chain(at, Box::new(chain.clone()))))
        }
        ChainEdit::Add { chain, at: place, rule } => {
            let length = table.chain(chain)?.rules.len();
            let position = place.map_or(length, |place| place.saturating_sub(1) as usize);
            let rule = parsed(chain, rule)?;
            let at = RuleAt { at, chain: chain.clone(), position };
            (position <= length).then(|| come(Thing::NfRule(at, Box::new(rule))))
        }
        ChainEdit::Delete { chain, rule, .. } => {
            let body = parsed(chain, rule)?.body;
            let rules = &table.chain(chain)?.rules;
            let (position, rule) = rules.iter().enumerate().find(|(_, rule)| rule.body == body)?;
            Some(gone(Thing::NfRule(RuleAt { at, chain: chain.clone(), position }, Box::new(rule.clone()))))
        }
    }
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

fn parsed(chain: &str, words: &str) -> Option<NfRule> {
    parse_rule(&format!("-A {chain} {words}")).ok().map(|(_, rule)| rule)
}
