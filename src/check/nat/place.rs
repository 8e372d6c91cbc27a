//! Rules of a namespace's packet filter by place: finding them, and the changes
//! that put one in or take one out.

use crate::net::netfilter::{Backend, Chain, Netfilter, NfFamily, NfRule, Table, parse_rule};
use crate::net::{Change, Netns, NetnsName, Object, RuleAt, TableAt, printable};
use crate::neutron::AgentPrefix;

/// A table of a namespace, with the agent's prefix where it has one.
pub(in crate::check) struct Place<'a> {
    pub(in crate::check) namespace: &'a NetnsName,
    pub(in crate::check) backend: Backend,
    pub(in crate::check) table: &'a Table,
}

impl<'a> Place<'a> {
    /// The IPv4 tables of that name, of both packet filters.
    pub(in crate::check) fn all(namespace: &'a NetnsName, netns: &'a Netns, table: &str) -> Vec<Self> {
        let Some(netfilter) = netns.netfilter.seen() else { return Vec::new() };
        let found = tables(netfilter).filter(|(_, known)| known.family == NfFamily::Ip && known.name == table);
        found.map(|(backend, table)| Self { namespace, backend, table }).collect()
    }

    /// The one that holds the agent's chains.
    pub(in crate::check) fn of_agent(namespace: &'a NetnsName, netns: &'a Netns, table: &str) -> Option<Self> {
        Self::all(namespace, netns, table).into_iter().find(|place| place.prefix().is_some())
    }

    /// The prefix of the agent's chains.
    pub(in crate::check) fn prefix(&self) -> Option<AgentPrefix> {
        AgentPrefix::detect(self.table)
    }

    /// The agent's chain of that name.
    pub(in crate::check) fn own_chain(&self, name: &str) -> Option<&'a Chain> {
        self.table.chain(&self.prefix()?.chain(name))
    }

    /// Takes the rule at a position out.
    pub(in crate::check) fn delete(&self, chain: &str, position: usize, rule: &NfRule) -> Change {
        Change::new(Some(self.namespace.clone()), Some(self.object(chain, position, rule)), None)
    }

    /// Puts a rule in.
    pub(in crate::check) fn insert(&self, chain: &str, position: usize, rule: &NfRule) -> Change {
        Change::new(Some(self.namespace.clone()), None, Some(self.object(chain, position, rule)))
    }

    /// Puts a rule in, given as `iptables-save` prints it: at a place of its
    /// chain, at the end where there is none so far down.
    pub(in crate::check) fn insert_line(&self, line: &str, position: usize) -> Option<Change> {
        let (chain, _) = parse_rule(line).ok()?;
        let length = self.table.chain(&chain)?.rules.len();
        self.insert_line_at(line, position.min(length))
    }

    /// The same, at a place that its chain has by then.
    pub(in crate::check) fn insert_line_at(&self, line: &str, position: usize) -> Option<Change> {
        let (chain, rule) = parse_rule(line).ok()?;
        self.table.chain(&chain)?;
        Some(self.insert(&chain, position, &rule))
    }

    /// Takes out every rule of a chain that is meant, from its end.
    pub(in crate::check) fn delete_all(&self, chain: &Chain, meant: impl Fn(&NfRule) -> bool) -> Vec<Change> {
        let rules = chain.rules.iter().enumerate().rev().filter(|(_, rule)| meant(rule));
        rules.map(|(at, rule)| self.delete(&chain.name, at, rule)).collect()
    }

    fn object(&self, chain: &str, position: usize, rule: &NfRule) -> Object {
        let at = TableAt { backend: self.backend, family: self.table.family, table: self.table.name.clone() };
        Object::NfRule(RuleAt { at, chain: chain.to_owned(), position }, Box::new(rule.clone()))
    }
}

/// Every table of both packet filters.
pub(super) fn tables(netfilter: &Netfilter) -> impl Iterator<Item = (Backend, &Table)> {
    let nft = netfilter.nft.seen().into_iter().flatten().map(|table| (Backend::Nft, table));
    let legacy = netfilter.legacy.seen().into_iter().flatten().map(|table| (Backend::Legacy, table));
    nft.chain(legacy).filter(|(_, table)| !table.dormant)
}

/// A rule as `iptables-save` prints it, safe for a terminal.
pub(super) fn line(chain: &str, rule: &NfRule) -> String {
    printable(&rule.line(chain, NfFamily::Ip).to_string(), 512)
}
