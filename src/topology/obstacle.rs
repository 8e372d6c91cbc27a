//! Rules that were not understood, and how far behind them we cannot see.

use std::collections::HashMap;

use super::words::rule_line;
use crate::net::netfilter::{Chain, Hook, NfRule, RuleBody, RuleWords, Table, Target};
use crate::neutron::plain_jump;

/// Jumps deeper than this are not followed; the kernel itself stops at 16.
const DEPTH: usize = 16;

/// The first rule of each chain that was not understood, jumps followed.
pub(super) struct Obstacles<'a, 'm> {
    chains: &'m HashMap<&'a str, &'a Chain>,
    known: HashMap<&'a str, Option<String>>,
}

impl<'a, 'm> Obstacles<'a, 'm> {
    /// Over the chains of one table.
    pub(super) fn of(chains: &'m HashMap<&'a str, &'a Chain>) -> Self {
        Self { chains, known: HashMap::new() }
    }

    /// What a packet may meet in a hook.
    pub(super) fn in_hook(&mut self, table: &'a Table, hook: Hook) -> Option<String> {
        let bases = table.chains.iter().filter(|chain| chain.base.as_ref().is_some_and(|base| base.hook == hook));
        bases.into_iter().find_map(|chain| self.first(&chain.name, 0))
    }

    /// What a packet may meet in a chain.
    pub(super) fn anywhere_in(&mut self, chain: &str) -> Option<String> {
        let name = self.chains.get_key_value(chain).map(|(name, _)| *name)?;
        self.first(name, 0)
    }

    /// What a packet may meet before it gets to the end of a way: in each chain,
    /// the rules before the jump to the next.
    pub(super) fn on_the_way(&mut self, way: &[(String, String)]) -> Option<String> {
        way.iter().find_map(|(from, to)| {
            let chain = *self.chains.get(from.as_str())?;
            let before = chain.rules.iter().take_while(|rule| plain_jump(rule) != Some(to));
            before.into_iter().find_map(|rule| self.of_rule(chain, rule, 0))
        })
    }

    fn first(&mut self, name: &'a str, depth: usize) -> Option<String> {
        if let Some(known) = self.known.get(name) {
            return known.clone();
        }
        if depth > DEPTH {
            return Some(format!("chains nested more than {DEPTH} deep"));
        }
        // A chain that leads back to itself adds nothing new.
        self.known.insert(name, None);
        let chain = *self.chains.get(name)?;
        let found = chain.rules.iter().find_map(|rule| self.of_rule(chain, rule, depth));
        self.known.insert(name, found.clone());
        found
    }

    fn of_rule(&mut self, chain: &'a Chain, rule: &'a NfRule, depth: usize) -> Option<String> {
        match &rule.body {
            RuleBody::NotUnderstood(_) => Some(rule_line(&chain.name, rule)),
            RuleBody::Words(RuleWords { target: Some(Target::Jump(to) | Target::Goto(to)), .. }) => {
                self.first(to, depth + 1)
            }
            RuleBody::Words(_) => None,
        }
    }
}
