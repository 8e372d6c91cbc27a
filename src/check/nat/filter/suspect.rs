//! What in a namespace's packet filter could stop a floating IP's packets.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;

use super::super::place::tables;
use crate::check::Scene;
use crate::net::netfilter::{Chain, Match, NfFamily, NfRule, Policy, RuleBody, RuleWords, Table, Target};
use crate::net::{Netns, NetnsName};
use crate::neutron::{AgentPrefix, NamespaceKind, parse_namespace};

/// A reason to walk packets.
#[derive(Clone, Copy)]
pub(in crate::check) struct Suspect<'s> {
    /// The rule's words, for a packet that meets it; none for a policy, marks that
    /// differ, or a rule that was not understood.
    pub(in crate::check::nat) words: Option<&'s RuleWords>,
}

/// At most this many are followed in a namespace.
const MOST: usize = 64;

/// What was found in each namespace that was asked about: a fip namespace is
/// asked about once for each of its routers.
#[derive(Default)]
pub(in crate::check) struct Suspects<'s> {
    known: RefCell<HashMap<&'s NetnsName, Rc<[Suspect<'s>]>>>,
}

impl<'s> Suspects<'s> {
    /// Those of a namespace.
    pub(super) fn of(&self, scene: &Scene<'s>, name: &'s NetnsName) -> Rc<[Suspect<'s>]> {
        self.known.borrow_mut().entry(name).or_insert_with(|| suspects(scene, name).into()).clone()
    }
}

/// Everything in a namespace that could drop, reject, mark or leave untracked,
/// and is not as the agent lays it out.
fn suspects<'s>(scene: &Scene<'s>, name: &NetnsName) -> Vec<Suspect<'s>> {
    let Some(netns) = scene.netns(name) else { return Vec::new() };
    let Some(netfilter) = netns.netfilter.seen() else { return Vec::new() };
    let is_fip = matches!(parse_namespace(name), Some((NamespaceKind::Fip, _)));
    let mut found = Vec::new();
    let concerned = |table: &Table| matches!(table.family, NfFamily::Ip | NfFamily::Inet | NfFamily::Netdev);
    for (_, table) in tables(netfilter).filter(|(_, table)| concerned(table) && table.name != "nat") {
        let prefix = AgentPrefix::detect(table);
        for chain in &table.chains {
            let drops = chain.base.as_ref().is_some_and(|base| base.policy == Policy::Drop);
            found.extend(drops.then_some(Suspect { words: None }));
            let rules = chain.rules.iter().filter(|rule| stops(rule));
            let rules = rules.filter(|rule| !is_agents(table, prefix.as_ref(), chain, rule, is_fip));
            found.extend(rules.map(|rule| Suspect { words: rule.body.words() }));
        }
    }
    if !marks_agree(netns) {
        found.push(Suspect { words: None });
    }
    found.truncate(MOST);
    found
}

fn stops(rule: &NfRule) -> bool {
    use Target::{Connmark, Drop, Mark, Notrack, NotrackAlias, Other, Reject};
    match &rule.body {
        RuleBody::NotUnderstood(_) => true,
        RuleBody::Words(words) => matches!(
            words.target,
            Some(Drop | Reject(_) | Notrack | NotrackAlias | Mark { .. } | Connmark(_) | Other(_))
        ),
    }
}

/// Rules that the agent itself puts in, by table and chain
/// (`neutron/agent/l3/router_info.py`, `metadata/driver.py`, `dvr_fip_ns.py`).
fn is_agents(table: &Table, prefix: Option<&AgentPrefix>, chain: &Chain, rule: &NfRule, is_fip: bool) -> bool {
    let (Some(prefix), Some(words)) = (prefix, rule.body.words()) else { return false };
    let own = |name: &str| chain.name == prefix.chain(name);
    let is_bare = words.matches.iter().all(|one| matches!(one, Match::Comment(_)));
    match (table.name.as_str(), &words.target) {
        ("filter", Some(Target::Drop)) => (own("scope") && scope_mark(words).is_some()) || own("INPUT"),
        ("mangle", Some(Target::Mark { .. } | Target::Connmark(_))) => {
            chain.name.strip_prefix(prefix.as_str()).is_some_and(|rest| rest.starts_with('-'))
        }
        ("raw", Some(Target::Notrack | Target::NotrackAlias)) => is_fip && is_bare && own("PREROUTING"),
        _ => false,
    }
}

/// The mark that a scope's drop rule lets pass.
pub(super) fn scope_mark(words: &RuleWords) -> Option<u32> {
    words.matches.iter().find_map(|one| match one {
        Match::Mark { value, invert: true, .. } => Some(*value),
        _ => None,
    })
}

/// Every device marks what comes in with the one mark that every other lets out.
fn marks_agree(netns: &Netns) -> bool {
    let Some(netfilter) = netns.netfilter.seen() else { return true };
    let mut values = BTreeSet::new();
    let (mut marking, mut dropping) = (BTreeSet::new(), BTreeSet::new());
    for (_, table) in tables(netfilter).filter(|(_, table)| table.family == NfFamily::Ip) {
        let chains = table.chains.iter().filter(|chain| chain.name.ends_with("-scope"));
        for words in chains.flat_map(|chain| &chain.rules).filter_map(|rule| rule.body.words()) {
            match &words.target {
                Some(Target::Mark { value, .. }) => {
                    values.insert(*value);
                    marking.extend(words.in_iface());
                }
                Some(Target::Drop) => {
                    values.extend(scope_mark(words));
                    dropping.extend(words.matches.iter().find_map(|one| match one {
                        Match::OutIface { name, invert: false } => Some(name.as_str()),
                        _ => None,
                    }));
                }
                _ => {}
            }
        }
    }
    values.len() <= 1 && dropping.is_subset(&marking) && jumps_to_scope(netns, !dropping.is_empty())
}

/// The marking chain is reached from its built-in one.
fn jumps_to_scope(netns: &Netns, is_needed: bool) -> bool {
    let Some(netfilter) = netns.netfilter.seen().filter(|_| is_needed) else { return true };
    let mut mangle = tables(netfilter).filter(|(_, table)| table.name == "mangle" && table.family == NfFamily::Ip);
    mangle.any(|(_, table)| {
        let Some(prefix) = AgentPrefix::detect(table) else { return false };
        let jumps = |from: &str, to: &str| {
            let chain = table.chain(from);
            chain.is_some_and(|chain| chain.rules.iter().any(|rule| crate::neutron::plain_jump(rule) == Some(to)))
        };
        let own = prefix.chain("PREROUTING");
        jumps("PREROUTING", &own) && jumps(&own, &prefix.chain("scope"))
    })
}
