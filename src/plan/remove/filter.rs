//! The rules of the packet filter that speak of an association, as deletions.

use std::net::IpAddr;

use crate::net::netfilter::{Backend, Chain, Match, NfFamily, NfRule, RuleBody, RuleWords, Table, Target};
use crate::net::{IfName, Netns};
use crate::neutron::{AgentPrefix, Layout, plain_jump};

use super::super::associate::Site;
use super::super::{ChainEdit, TableEdit};

/// What the rules are about.
pub(super) struct Association<'a> {
    pub(super) floating: IpAddr,
    pub(super) fixed: Option<IpAddr>,
    /// The router's end of the pair.
    pub(super) rfp: &'a IfName,
    /// It is the router's last: the guard goes, too.
    pub(super) is_last: bool,
}

/// One edit for each table that has such rules.
pub(super) fn deletions(site: &Site<'_>, of: &Association<'_>) -> Vec<TableEdit> {
    each_table(site.inner, |table, prefix, chain, rule| match (table.name.as_str(), &rule.body) {
        ("nat", RuleBody::Words(words)) => {
            translates(words, of) || of.is_last && frames(site, prefix, chain, rule, of.rfp)
        }
        ("mangle", RuleBody::Words(words)) => marks(prefix, chain, words, of),
        _ => false,
    })
}

/// The same for a floating IP of a gateway port, which shares nothing with
/// others; the chains of port forwardings are not its own.
pub(super) fn on_gateway(netns: &Netns, floating: IpAddr, fixed: Option<IpAddr>) -> Vec<TableEdit> {
    let none = IfName::from("");
    let of = Association { floating, fixed, rfp: &none, is_last: false };
    each_table(netns, |table, prefix, chain, rule| match (table.name.as_str(), &rule.body) {
        ("nat", RuleBody::Words(words)) => {
            let own = ["PREROUTING", "OUTPUT", "float-snat"].iter().any(|name| chain.name == prefix.chain(name));
            own && translates(words, &of)
        }
        ("mangle", RuleBody::Words(words)) => marks(prefix, chain, words, &of),
        _ => false,
    })
}

/// The marks and drops of address scopes that hang on a device.
pub(super) fn scopes(site: &Site<'_>, dev: &IfName) -> Vec<TableEdit> {
    each_table(site.inner, |_, prefix, chain, rule| {
        let names = |m: &Match| match m {
            Match::InIface { name, .. } | Match::OutIface { name, .. } => name == dev.as_str(),
            _ => false,
        };
        chain.name == prefix.chain("scope") && rule.body.words().is_some_and(|words| words.matches.iter().any(names))
    })
}

/// Deletions of the rules of the agent's chains that are meant: within a chain
/// the last one first, so that each can go back to its place.
fn each_table(netns: &Netns, is_meant: impl Fn(&Table, &AgentPrefix, &Chain, &NfRule) -> bool) -> Vec<TableEdit> {
    let Some(netfilter) = netns.netfilter.seen() else { return Vec::new() };
    let mut edits = Vec::new();
    for (backend, tables) in [(Backend::Nft, &netfilter.nft), (Backend::Legacy, &netfilter.legacy)] {
        let tables: &[Table] = tables.seen().map_or(&[], Vec::as_slice);
        let ours = |table: &&Table| table.family == NfFamily::Ip;
        let nat = tables.iter().filter(ours).find(|table| table.name == "nat");
        let Some(prefix) = nat.and_then(AgentPrefix::detect) else { continue };
        for table in tables.iter().filter(ours) {
            let mut edit = TableEdit::new(backend, table.name.clone());
            for chain in table.chains.iter().filter(|chain| chain.name.starts_with(prefix.as_str())) {
                let rules = chain.rules.iter().enumerate().rev();
                let meant = rules.filter(|(_, rule)| is_meant(table, &prefix, chain, rule));
                edit.edits.extend(meant.filter_map(|(at, rule)| deletion(chain, at, rule)));
            }
            edits.extend((!edit.edits.is_empty()).then_some(edit));
        }
    }
    edits
}

fn deletion(chain: &Chain, at: usize, rule: &NfRule) -> Option<ChainEdit> {
    let words = rule.body.words()?.text(NfFamily::Ip).to_string();
    Some(ChainEdit::Delete { chain: chain.name.clone(), at: u32::try_from(at).ok()?.checked_add(1), rule: words })
}

/// DNAT of the floating IP, or SNAT to it.
fn translates(words: &RuleWords, of: &Association<'_>) -> bool {
    match &words.target {
        Some(Target::Dnat { .. }) => words.destination() == Some(of.floating),
        Some(Target::Snat { to, .. }) => to.addr() == Some(of.floating) && words.source().is_some(),
        _ => false,
    }
}

/// The guard, or (but in Juno's layout) the jump to `float-snat`.
fn frames(site: &Site<'_>, prefix: &AgentPrefix, chain: &Chain, rule: &NfRule, rfp: &IfName) -> bool {
    let is_guard = chain.name == prefix.chain("POSTROUTING")
        && rule.body.words().is_some_and(|words| {
            let leaves = |m: &Match| matches!(m, Match::OutIface { name, invert: true } if name == rfp.as_str());
            words.target == Some(Target::Accept) && words.matches.iter().any(leaves)
        });
    let leads_on = chain.name == prefix.chain("snat") && plain_jump(rule) == Some(&prefix.chain("float-snat"));
    is_guard || leads_on && site.router.layout != Some(Layout::Juno)
}

/// What address scopes add for it.
fn marks(prefix: &AgentPrefix, chain: &Chain, words: &RuleWords, of: &Association<'_>) -> bool {
    let saves = || matches!(&words.target, Some(Target::Jump(to)) if *to == prefix.chain("float-snat"));
    chain.name == prefix.chain("floatingip") && words.destination() == Some(of.floating)
        || chain.name == prefix.chain("FORWARD") && of.fixed.is_some() && words.source() == of.fixed && saves()
}
