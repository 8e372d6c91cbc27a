//! A namespace's translation rules as the agent lays them out: which chain leads
//! where, and what DNAT and SNAT say of which address.
//!
//! A rule that was not understood and comes before ours could do anything, so
//! whatever stands behind it is only as good as that.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

use super::obstacle::Obstacles;
use super::words::rule_line;
use crate::net::Observed;
use crate::net::netfilter::{Chain, CtState, Hook, Match, Netfilter, NfFamily, RuleBody, RuleWords, Table, Target};
use crate::neutron::{AgentPrefix, POSTROUTING_BOTTOM, plain_jump};

/// The translation rules of a namespace, of both backends together.
#[derive(Default)]
pub(super) struct Nat<'a> {
    /// The prefix of the agent's chains.
    pub(super) prefix: Option<AgentPrefix>,
    /// The jumps on the way in, as they should stand.
    pub(super) inbound: Vec<Jump>,
    /// The jumps on the way out, as they should stand.
    pub(super) outbound: Vec<Jump>,
    /// Why a rule that is not found on the way in may still be there.
    pub(super) inbound_doubt: Option<String>,
    /// The same for the way out.
    pub(super) outbound_doubt: Option<String>,
    dnat: BTreeMap<IpAddr, Vec<Translation<'a>>>,
    snat: BTreeMap<IpAddr, Vec<Translation<'a>>>,
    forwarded: BTreeMap<IpAddr, Vec<String>>,
    guards: HashMap<&'a str, String>,
}

/// One translation of one address into another.
#[derive(Clone)]
pub(super) struct Translation<'a> {
    /// The address that packets have.
    pub(super) from: IpAddr,
    /// The address that they get.
    pub(super) to: IpAddr,
    /// The input device that the rule asks for.
    pub(super) in_iface: Option<&'a str>,
    /// The rule that was not understood and comes first.
    pub(super) behind: Option<String>,
    /// The rule, as `iptables-save` prints it.
    pub(super) line: String,
}

/// A jump between chains.
#[derive(Clone)]
pub(super) struct Jump {
    /// The rule as it should stand.
    pub(super) wanted: String,
    /// The rule as it stands.
    pub(super) found: Option<String>,
}

impl<'a> Nat<'a> {
    /// Reads the tables; the error says why they could not be read.
    pub(super) fn of(netfilter: &'a Observed<Netfilter>) -> Result<Self, String> {
        let netfilter = match netfilter {
            Observed::Seen(netfilter) => netfilter,
            Observed::Absent => return Ok(Self::default()),
            Observed::Unreadable(why) => return Err(why.clone()),
        };
        let blind = netfilter.nft.unreadable().or(netfilter.legacy.unreadable());
        let tables: Vec<&Table> = netfilter.named(NfFamily::Ip, "nat").filter(|table| !table.dormant).collect();
        if let (Some(why), true) = (blind, tables.is_empty()) {
            return Err(why.to_owned());
        }
        let mut nat = Self {
            inbound_doubt: blind.map(str::to_owned),
            outbound_doubt: blind.map(str::to_owned),
            ..Self::default()
        };
        for table in &tables {
            nat.add(netfilter, table);
        }
        Ok(nat)
    }

    /// What becomes of packets to a floating IP, in the order of the rules.
    pub(super) fn dnat(&self, floating_ip: IpAddr) -> &[Translation<'a>] {
        self.dnat.get(&floating_ip).map_or(&[], Vec::as_slice)
    }

    /// What becomes of packets from a fixed IP, in the order of the rules.
    pub(super) fn snat(&self, fixed_ip: IpAddr) -> &[Translation<'a>] {
        self.snat.get(&fixed_ip).map_or(&[], Vec::as_slice)
    }

    /// Every DNAT of the agent's, by floating IP.
    pub(super) fn all_dnat(&self) -> impl Iterator<Item = &Translation<'a>> {
        self.dnat.values().flatten()
    }

    /// Every SNAT of the agent's for a single address, by fixed IP.
    pub(super) fn all_snat(&self) -> impl Iterator<Item = &Translation<'a>> {
        self.snat.values().flatten()
    }

    /// Port forwardings to an address, as lines.
    pub(super) fn forwarded(&self, floating_ip: IpAddr) -> &[String] {
        self.forwarded.get(&floating_ip).map_or(&[], Vec::as_slice)
    }

    /// The guard that keeps traffic out of the translation unless it leaves
    /// through that device.
    pub(super) fn guard(&self, device: &str) -> Option<&str> {
        self.guards.get(device).map(String::as_str)
    }

    /// Every guard, where there are some for other devices.
    pub(super) fn other_guards(&self, device: &str) -> Vec<&str> {
        let mut lines: Vec<&str> =
            self.guards.iter().filter(|(dev, _)| **dev != device).map(|(_, line)| line.as_str()).collect();
        lines.sort_unstable();
        lines
    }

    fn add(&mut self, netfilter: &'a Netfilter, table: &'a Table) {
        let chains: HashMap<&str, &Chain> = table.chains.iter().map(|chain| (chain.name.as_str(), chain)).collect();
        let mut obstacles = Obstacles::of(&chains);
        let Some(prefix) = AgentPrefix::detect(table) else {
            for (hook, doubt) in
                [(Hook::Prerouting, &mut self.inbound_doubt), (Hook::Postrouting, &mut self.outbound_doubt)]
            {
                *doubt = doubt.take().or_else(|| obstacles.in_hook(table, hook));
            }
            return;
        };
        let before_in = foreign_obstacle(netfilter, table, Hook::Prerouting);
        let before_out = foreign_obstacle(netfilter, table, Hook::Postrouting);
        let agent = |name: &str| prefix.chain(name);
        let inbound = vec![("PREROUTING".to_owned(), agent("PREROUTING"))];
        let outbound = vec![
            ("POSTROUTING".to_owned(), agent("POSTROUTING")),
            ("POSTROUTING".to_owned(), POSTROUTING_BOTTOM.to_owned()),
            (POSTROUTING_BOTTOM.to_owned(), agent("snat")),
            (agent("snat"), agent("float-snat")),
        ];
        let before_in = before_in.or_else(|| obstacles.on_the_way(&inbound));
        let before_out = before_out.or_else(|| obstacles.on_the_way(&outbound[1..]));
        merge(&mut self.inbound, jumps(&chains, &inbound));
        merge(&mut self.outbound, jumps(&chains, &outbound));
        self.inbound_doubt =
            self.inbound_doubt.take().or_else(|| before_in.clone()).or_else(|| obstacles.anywhere_in(&inbound[0].1));
        self.outbound_doubt =
            self.outbound_doubt.take().or_else(|| before_out.clone()).or_else(|| obstacles.anywhere_in(&outbound[3].1));

        let dnat = translations(&chains, &inbound[0].1, before_in.as_ref(), dnat_of);
        let snat = translations(&chains, &outbound[3].1, before_out.as_ref(), snat_of);
        for hit in dnat {
            self.dnat.entry(hit.from).or_default().push(hit);
        }
        for hit in snat {
            self.snat.entry(hit.from).or_default().push(hit);
        }
        self.add_guards(&chains, &outbound[0].1);
        self.add_forwarded(table, &prefix);
        self.prefix = self.prefix.take().or(Some(prefix));
    }

    fn add_guards(&mut self, chains: &HashMap<&str, &'a Chain>, name: &str) {
        let Some(chain) = chains.get(name) else { return };
        for rule in &chain.rules {
            if let Some(device) = rule.body.words().and_then(guard_device) {
                self.guards.entry(device).or_insert_with(|| rule_line(&chain.name, rule));
            }
        }
    }

    /// Port forwardings stand in chains of their own, `…-pf-<id>` (from Rocky).
    fn add_forwarded(&mut self, table: &Table, prefix: &AgentPrefix) {
        let own = format!("{prefix}-pf-");
        for chain in table.chains.iter().filter(|chain| chain.name.starts_with(&own)) {
            for rule in &chain.rules {
                let words = rule.body.words().filter(|words| matches!(words.target, Some(Target::Dnat { .. })));
                if let Some(address) = words.and_then(RuleWords::destination) {
                    self.forwarded.entry(address).or_default().push(rule_line(&chain.name, rule));
                }
            }
        }
    }
}

/// Where both backends hold the agent's chains, a jump of either counts.
fn merge(known: &mut Vec<Jump>, new: Vec<Jump>) {
    if known.is_empty() {
        *known = new;
        return;
    }
    for (jump, other) in known.iter_mut().zip(new) {
        jump.found = jump.found.take().or(other.found);
    }
}

fn jumps(chains: &HashMap<&str, &Chain>, wanted: &[(String, String)]) -> Vec<Jump> {
    let find = |from: &str, to: &str| {
        let chain = chains.get(from)?;
        chain.rules.iter().find(|rule| plain_jump(rule) == Some(to)).map(|rule| rule_line(from, rule))
    };
    wanted.iter().map(|(from, to)| Jump { wanted: format!("-A {from} -j {to}"), found: find(from, to) }).collect()
}

/// Something not understood that the same hook asks before this table.
fn foreign_obstacle(netfilter: &Netfilter, ours: &Table, hook: Hook) -> Option<String> {
    let priority = |table: &Table| {
        table
            .chains
            .iter()
            .filter_map(|chain| chain.base.as_ref())
            .filter(|base| base.hook == hook)
            .map(|b| b.priority)
            .min()
    };
    let limit = priority(ours).unwrap_or(i32::MAX);
    let others = netfilter.tables().filter(|table| {
        matches!(table.family, NfFamily::Ip | NfFamily::Inet)
            && !table.dormant
            && !(table.family == ours.family && table.name == ours.name)
    });
    for table in others {
        let nat = table.chains.iter().any(|chain| {
            chain.base.as_ref().is_some_and(|base| base.hook == hook && base.kind == "nat" && base.priority <= limit)
        });
        if nat {
            let chains = table.chains.iter().map(|chain| (chain.name.as_str(), chain)).collect();
            if let Some(found) = Obstacles::of(&chains).in_hook(table, hook) {
                return Some(found);
            }
        }
    }
    None
}

fn translations<'a>(
    chains: &HashMap<&str, &'a Chain>,
    name: &str,
    before: Option<&String>,
    read: impl Fn(&'a RuleWords) -> Option<(IpAddr, IpAddr)>,
) -> Vec<Translation<'a>> {
    let Some(chain) = chains.get(name) else { return Vec::new() };
    let mut behind = before.cloned();
    let mut found = Vec::new();
    for rule in &chain.rules {
        match &rule.body {
            RuleBody::Words(words) => found.extend(read(words).map(|(from, to)| Translation {
                from,
                to,
                in_iface: words.in_iface(),
                behind: behind.clone(),
                line: rule_line(&chain.name, rule),
            })),
            RuleBody::NotUnderstood(_) => behind = behind.or_else(|| Some(rule_line(&chain.name, rule))),
        }
    }
    found
}

/// A DNAT of a whole address; one that asks for ports is something else.
fn dnat_of(words: &RuleWords) -> Option<(IpAddr, IpAddr)> {
    match words.target.as_ref()? {
        Target::Dnat { to, .. } if whole_address(words) && to.ports.is_none() => {
            Some((words.destination()?, to.addr()?))
        }
        _ => None,
    }
}

fn snat_of(words: &RuleWords) -> Option<(IpAddr, IpAddr)> {
    match words.target.as_ref()? {
        Target::Snat { to, .. } if whole_address(words) => Some((words.source()?, to.addr()?)),
        _ => None,
    }
}

fn whole_address(words: &RuleWords) -> bool {
    words.matches.iter().all(|condition| {
        matches!(
            condition,
            Match::Source { .. }
                | Match::Destination { .. }
                | Match::InIface { .. }
                | Match::OutIface { .. }
                | Match::Comment(_)
        )
    })
}

/// The device of a guard: `! -o DEV -m conntrack ! --ctstate DNAT -j ACCEPT`
/// (from 14.0.3), with `! -i DEV` before it in older releases.
fn guard_device(words: &RuleWords) -> Option<&str> {
    if !matches!(words.target, Some(Target::Accept)) {
        return None;
    }
    let mut device = None;
    let mut not_translated = false;
    for condition in &words.matches {
        match condition {
            Match::OutIface { name, invert: true } => device = Some(name.as_str()),
            Match::Ctstate { states, invert: true, .. } => not_translated = states[..] == [CtState::Dnat],
            Match::InIface { invert: true, .. } | Match::Comment(_) => {}
            _ => return None,
        }
    }
    device.filter(|_| not_translated)
}
