//! Floating IPs: the union of what rules, translation, routes and addresses
//! speak of, each fact with where it was seen.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::chain::View;
use super::host::HostFacts;
use super::index::Space;
use super::model::{Fact, FactSource, FipKind};
use super::nat::Nat;
use crate::net::{NetnsName, RulePriority, printable};
use crate::neutron::{DeviceKind, FIP_TABLE, is_fip_priority};

/// A floating IP before its chain is judged.
pub(super) struct Draft {
    /// The public address.
    pub(super) floating_ip: Option<IpAddr>,
    /// The instance's address.
    pub(super) fixed_ip: Option<IpAddr>,
    /// Where it is implemented.
    pub(super) kind: FipKind,
    /// The priority of the first rule for it.
    pub(super) rule_priority: Option<RulePriority>,
    /// What speaks of it.
    pub(super) facts: Vec<Fact>,
}

/// What is gathered of a router's floating IPs.
struct Gathered<'n> {
    host: &'n HostFacts,
    drafts: Vec<Draft>,
    /// Rules whose fixed IP nothing else spoke of, by fixed IP.
    rules: BTreeMap<IpAddr, Vec<(RulePriority, Fact)>>,
}

/// What speaks of one floating IP in one place.
#[derive(Default)]
struct Mention {
    dnat: Vec<(IpAddr, Fact)>,
    snat: Vec<(IpAddr, Fact)>,
    others: Vec<Fact>,
}

/// The floating IPs of a router.
pub(super) fn of_router(view: &View) -> Vec<Draft> {
    let router = view.router;
    let rules = fip_rules(view.qrouter, &router.qrouter);
    let mut gathered = Gathered { host: view.host, drafts: Vec::new(), rules };
    let here = if router.is_distributed() { FipKind::Distributed } else { FipKind::Legacy };
    gathered.add(here, distributed(view, here));
    if router.is_distributed() {
        gathered.add(FipKind::Centralized, gateway_mentions(view.snat, &router.snat));
    }
    gathered.finish()
}

impl Gathered<'_> {
    /// Makes a draft of each floating IP that was spoken of in one place, and
    /// gives it the rules for its fixed IP.
    fn add(&mut self, kind: FipKind, mentions: BTreeMap<IpAddr, Mention>) {
        for (floating_ip, mention) in mentions {
            let fixed: BTreeSet<IpAddr> = mention.dnat.iter().chain(&mention.snat).map(|(fixed, _)| *fixed).collect();
            let main = self.main_fixed(floating_ip, &mention, &fixed);
            // A second instance that is translated to the same address and has a
            // rule of its own stands for itself.
            let others = mention.snat.iter().map(|(fixed, _)| *fixed);
            let apart: BTreeSet<IpAddr> =
                others.filter(|fixed| Some(*fixed) != main && self.rules.contains_key(fixed)).collect();
            for fixed in &apart {
                let snat = mention.snat.iter().filter(|(source, _)| source == fixed);
                self.push(kind, Some(floating_ip), Some(*fixed), snat.map(|(_, fact)| fact.clone()).collect());
            }
            let kept = |(fixed, fact): (IpAddr, Fact)| (!apart.contains(&fixed)).then_some(fact);
            let snat: Vec<Fact> = mention.snat.into_iter().filter_map(kept).collect();
            let dnat = mention.dnat.into_iter().map(|(_, fact)| fact);
            let facts = dnat.chain(snat).chain(mention.others).collect();
            self.push(kind, Some(floating_ip), main, facts);
        }
    }

    /// The fixed IP of a floating IP: what the translation says; where its rules
    /// disagree the one that has a policy rule, else the DNAT's. Where nothing
    /// is left of the translation, the agent's file may join a floating IP that
    /// is routed here with a rule that stands here.
    fn main_fixed(&self, floating_ip: IpAddr, mention: &Mention, fixed: &BTreeSet<IpAddr>) -> Option<IpAddr> {
        if fixed.len() > 1
            && let Some(ruled) = fixed.iter().find(|fixed| self.rules.contains_key(fixed))
            && !mention.dnat.first().is_some_and(|(fixed, _)| self.rules.contains_key(fixed))
        {
            return Some(*ruled);
        }
        let told = mention.dnat.first().or(mention.snat.first()).map(|(fixed, _)| *fixed);
        told.or_else(|| {
            let priorities = self.host.priorities(floating_ip);
            let joined = |rules: &Vec<(RulePriority, Fact)>| rules.iter().any(|(p, _)| priorities.contains(p));
            self.rules.iter().find(|(_, rules)| joined(rules)).map(|(fixed, _)| *fixed)
        })
    }

    fn push(&mut self, kind: FipKind, floating_ip: Option<IpAddr>, fixed_ip: Option<IpAddr>, facts: Vec<Fact>) {
        self.drafts.push(Draft { floating_ip, fixed_ip, kind, rule_priority: None, facts });
    }

    /// Hands the rules out; those that nobody wants are floating IPs whose
    /// translation is gone.
    fn finish(mut self) -> Vec<Draft> {
        let mut wanted: BTreeMap<IpAddr, Vec<usize>> = BTreeMap::new();
        for (index, draft) in self.drafts.iter().enumerate() {
            if let Some(fixed) = draft.fixed_ip {
                wanted.entry(fixed).or_default().push(index);
            }
        }
        for (fixed, rules) in std::mem::take(&mut self.rules) {
            let Some(takers) = wanted.get(&fixed) else {
                self.push(FipKind::Distributed, None, Some(fixed), Vec::new());
                let index = self.drafts.len() - 1;
                self.give(index, &rules);
                continue;
            };
            // A stray rule beside a centralized floating IP belongs to it, unless
            // a distributed one has the same fixed IP.
            let distributed = takers.iter().filter(|index| self.drafts[**index].kind == FipKind::Distributed);
            let distributed: Vec<usize> = distributed.copied().collect();
            let takers = if distributed.is_empty() { takers } else { &distributed };
            for index in takers {
                self.give(*index, &rules);
            }
        }
        for draft in &mut self.drafts {
            let facts = priority_facts(self.host, draft);
            draft.facts.extend(facts);
        }
        self.drafts
    }

    fn give(&mut self, index: usize, rules: &[(RulePriority, Fact)]) {
        let draft = &mut self.drafts[index];
        draft.rule_priority = rules.iter().map(|(priority, _)| *priority).min();
        draft.facts.splice(0..0, rules.iter().map(|(_, fact)| fact.clone()));
    }
}

/// Rules `from FIXED lookup 16` in the agent's range.
fn fip_rules(space: &Space, name: &NetnsName) -> BTreeMap<IpAddr, Vec<(RulePriority, Fact)>> {
    let mut rules: BTreeMap<IpAddr, Vec<(RulePriority, Fact)>> = BTreeMap::new();
    for rule in space.all_rules() {
        let Some(source) = rule.from.filter(|net| net.prefix_len() == net.max_prefix_len()) else { continue };
        if rule.table() == Some(FIP_TABLE) && is_fip_priority(rule.priority) {
            let fact = fact(FactSource::Rule, name, &rule.to_string());
            rules.entry(source.addr()).or_default().push((rule.priority, fact));
        }
    }
    rules
}

/// What the router namespace and the fip namespace say of floating IPs.
fn distributed(view: &View, kind: FipKind) -> BTreeMap<IpAddr, Mention> {
    let (router, qrouter) = (view.router, view.qrouter);
    if kind == FipKind::Legacy {
        return gateway_mentions(qrouter, &router.qrouter);
    }
    let mut mentions = BTreeMap::new();
    if let Ok(nat) = qrouter.nat() {
        add_translations(&mut mentions, nat, &router.qrouter);
    }
    let rfp = router.prefix.rfp();
    if let Ok(addrs) = qrouter.addrs(rfp.as_str()) {
        for addr in addrs.filter(|addr| addr.address.prefix_len() == 32) {
            let mention: &mut Mention = mentions.entry(addr.address.addr()).or_default();
            mention.others.push(fact(FactSource::Address, &router.qrouter, &addr.to_string()));
        }
    }
    if let Some(fpr) = &router.pair.fpr {
        for route in view.fip.host_routes(fpr.name.as_str()) {
            let mention: &mut Mention = mentions.entry(route.dst.addr()).or_default();
            mention.others.push(fact(FactSource::Route, &router.fip, &route.to_string()));
        }
    }
    mentions
}

/// The lines of the agent's file that speak of a floating IP.
fn priority_facts(host: &HostFacts, draft: &Draft) -> Vec<Fact> {
    let line = |address: IpAddr, priority: RulePriority| Fact {
        source: FactSource::PriorityFile,
        namespace: None,
        text: format!("{address},{priority}"),
    };
    match (draft.floating_ip, draft.rule_priority) {
        (Some(address), _) => host.priorities(address).iter().map(|priority| line(address, *priority)).collect(),
        (None, Some(priority)) => host.addresses(priority).iter().map(|address| line(*address, priority)).collect(),
        (None, None) => Vec::new(),
    }
}

/// What a namespace with a `qg-` device says of floating IPs. An address alone
/// counts where it is a /32: the router's own has its subnet's length.
fn gateway_mentions(space: &Space, name: &NetnsName) -> BTreeMap<IpAddr, Mention> {
    let mut mentions = BTreeMap::new();
    let nat = space.nat().ok();
    if let Some(nat) = nat {
        add_translations(&mut mentions, nat, name);
    }
    for link in space.devices(DeviceKind::RouterGateway) {
        let Ok(addrs) = space.addrs(link.name.as_str()) else { continue };
        for addr in addrs.filter(|addr| addr.address.prefix_len() == 32) {
            let mention: &mut Mention = mentions.entry(addr.address.addr()).or_default();
            mention.others.push(fact(FactSource::Address, name, &addr.to_string()));
            let forwarded = nat.map_or(&[][..], |nat| nat.forwarded(addr.address.addr())).iter();
            mention.others.extend(forwarded.map(|line| fact(FactSource::Dnat, name, line)));
        }
    }
    mentions
}

fn add_translations(mentions: &mut BTreeMap<IpAddr, Mention>, nat: &Nat, name: &NetnsName) {
    for hit in nat.all_dnat() {
        let mention = mentions.entry(hit.from).or_default();
        mention.dnat.push((hit.to, fact(FactSource::Dnat, name, &hit.line)));
    }
    for hit in nat.all_snat() {
        let mention = mentions.entry(hit.to).or_default();
        mention.snat.push((hit.from, fact(FactSource::Snat, name, &hit.line)));
    }
}

fn fact(source: FactSource, namespace: &NetnsName, text: &str) -> Fact {
    Fact { source, namespace: Some(namespace.clone()), text: printable(text, 512) }
}
