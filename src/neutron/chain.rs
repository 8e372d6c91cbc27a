//! The agent's chains (`neutron/agent/linux/iptables_manager.py`).

use std::collections::BTreeMap;
use std::fmt;

use crate::net::netfilter::{Match, NfRule, RuleWords, Table, Target};

/// The chain that all agents' `snat` chains hang on; it carries no prefix.
pub const POSTROUTING_BOTTOM: &str = "neutron-postrouting-bottom";

/// The chain that all agents' `local` chains hang on; it carries no prefix.
pub const FILTER_TOP: &str = "neutron-filter-top";

/// A wrapped chain's own name is cut to this many characters.
const CHAIN_NAME_LENGTH: usize = 11;

/// The chains that the agent wraps: a built-in chain jumps to its namesake.
const WRAPPED: [&str; 5] = ["PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"];

/// What the agent puts before the names of its chains: its own program's name,
/// cut to 16 characters (`neutron-l3-agent`, `neutron-vpn-agen`).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AgentPrefix(String);

impl AgentPrefix {
    /// Takes a prefix, without the hyphen.
    pub fn new(prefix: impl Into<String>) -> Self {
        Self(prefix.into())
    }

    /// Finds the prefix in a table: what the built-in chains' jumps to their
    /// namesakes have in common. Where every jump is gone, the chains' own
    /// names tell. Of several agents the one that has a `float-snat` chain wins.
    pub fn detect(table: &Table) -> Option<Self> {
        let mut votes: BTreeMap<&str, usize> = BTreeMap::new();
        for chain in &table.chains {
            let jumps = chain.rules.iter().filter(|_| WRAPPED.contains(&chain.name.as_str())).filter_map(plain_jump);
            for target in jumps {
                if let Some(prefix) = target.strip_suffix(chain.name.as_str()).and_then(|p| p.strip_suffix('-')) {
                    *votes.entry(prefix).or_default() += 2;
                }
            }
            // A chain's name alone counts less than a jump to it.
            for suffix in ["-float-snat", "-PREROUTING", "-POSTROUTING"] {
                if let Some(prefix) = chain.name.strip_suffix(suffix).filter(|prefix| !prefix.is_empty()) {
                    *votes.entry(prefix).or_default() += if suffix == "-float-snat" { 100 } else { 1 };
                }
            }
        }
        votes.into_iter().max_by_key(|(_, votes)| *votes).map(|(prefix, _)| Self::new(prefix))
    }

    /// The agent's chain of that name.
    pub fn chain(&self, name: &str) -> String {
        let cut: String = name.chars().take(CHAIN_NAME_LENGTH).collect();
        format!("{}-{cut}", self.0)
    }

    /// The prefix, without the hyphen.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AgentPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&crate::net::printable(&self.0, 32))
    }
}

/// The chain that a rule sends every packet to, whatever the packet.
pub fn plain_jump(rule: &NfRule) -> Option<&str> {
    match rule.body.words()? {
        RuleWords { matches, target: Some(Target::Jump(chain)) } => {
            matches.iter().all(|m| matches!(m, Match::Comment(_))).then_some(chain)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::netfilter::{Chain, NfFamily, RuleBody};

    fn chain(name: &str, jumps: &[&str]) -> Chain {
        let rule = |jump: &&str| NfRule {
            handle: None,
            counters: None,
            body: RuleBody::Words(RuleWords { matches: Vec::new(), target: Some(Target::Jump((*jump).to_owned())) }),
        };
        Chain { name: name.to_owned(), base: None, counters: None, rules: jumps.iter().map(rule).collect() }
    }

    fn table(chains: Vec<Chain>) -> Table {
        Table { family: NfFamily::Ip, name: "nat".to_owned(), dormant: false, chains, others: Vec::new() }
    }

    #[test]
    fn the_prefix_is_read_from_the_jumps() {
        for agent in ["neutron-l3-agent", "neutron-vpn-agen"] {
            let table = table(vec![
                chain("PREROUTING", &[&format!("{agent}-PREROUTING")]),
                chain("POSTROUTING", &[&format!("{agent}-POSTROUTING"), POSTROUTING_BOTTOM]),
            ]);
            assert_eq!(AgentPrefix::detect(&table), Some(AgentPrefix::new(agent)));
        }
    }

    #[test]
    fn without_jumps_the_names_tell_and_float_snat_decides() {
        let table = table(vec![
            chain("PREROUTING", &["other-PREROUTING"]),
            chain("neutron-l3-agent-PREROUTING", &[]),
            chain("neutron-l3-agent-float-snat", &[]),
        ]);
        assert_eq!(AgentPrefix::detect(&table), Some(AgentPrefix::new("neutron-l3-agent")));
    }

    #[test]
    fn a_table_without_agent_has_no_prefix() {
        assert_eq!(AgentPrefix::detect(&table(vec![chain("PREROUTING", &["DOCKER"])])), None);
        assert_eq!(AgentPrefix::detect(&table(Vec::new())), None);
    }

    #[test]
    fn chain_names_fit_iptables() {
        let prefix = AgentPrefix::new("neutron-l3-agent");
        assert_eq!(prefix.chain("POSTROUTING").len(), 28, "the longest that iptables takes");
        assert_eq!(prefix.chain("float-snat"), "neutron-l3-agent-float-snat");
    }
}
