//! Tables, made fit to be asked once per packet.

use std::collections::HashMap;

use super::rule::{Act, Rule};
use super::{ChainAt, Filter, LINE};
use crate::net::netfilter::{BaseChain, Hook, Netfilter, NfFamily, Policy, Table};
use crate::net::{IfName, Observed, printable};

/// `NF_IP_PRI_CONNTRACK`, `NF_IP_PRI_NAT_DST`, `NF_IP_PRI_NAT_SRC`
/// (`linux/netfilter_ipv4.h`).
const TRACKING: i32 = -200;
const NAT_DESTINATION: i32 = -100;
const NAT_SOURCE: i32 = 100;
/// Rules in a row that ask for one address each are looked up by it from this
/// many on.
const RUN: usize = 4;
/// Chains are not looked into deeper than this to see whether they do anything.
const DEPTH: usize = 16;

/// A chain.
pub(super) struct Chain<'s> {
    pub(super) name: &'s str,
    pub(super) table: &'s str,
    pub(super) family: NfFamily,
    /// Every rule, in order.
    pub(super) rules: Vec<Rule<'s>>,
    /// What is to be asked, in order: rules that do nothing are left out.
    pub(super) steps: Vec<Step>,
}

/// A part of a chain.
pub(super) enum Step {
    /// The rule at this place.
    Rule(u32),
    /// Rules in a row that ask for one source address each.
    BySource(HashMap<u32, Vec<u32>>),
    /// The same, by destination.
    ByDestination(HashMap<u32, Vec<u32>>),
}

/// What stands in the way of a packet in one hook, in order.
pub(super) enum Stage {
    /// A base chain that filters.
    Chain(Base),
    /// Connection tracking.
    Track,
    /// Translation: the kernel asks all nat chains of a hook at one priority
    /// (`nf_nat_core.c: nf_nat_register_fn`), in the order of theirs.
    Translate(Vec<Base>),
}

/// A base chain.
pub(super) struct Base {
    pub(super) at: ChainAt,
    pub(super) drops: bool,
    /// The device that it is bound to.
    pub(super) device: Option<IfName>,
    /// Why nobody can tell what it does.
    pub(super) obstacle: Option<String>,
    priority: i32,
}

/// The stages of every hook.
#[derive(Default)]
pub(super) struct Hooks {
    stages: [Vec<Stage>; 7],
    /// Whether any nat chain stands here: with the first one, the kernel begins
    /// to look after the tuples of all connections.
    pub(super) translates: bool,
    /// Something that could stand anywhere.
    pub(super) obstacle: Option<String>,
}

impl Hooks {
    /// The stages of a hook; `None` for a hook that is new to us.
    pub(super) fn stages(&self, hook: Hook) -> Option<&[Stage]> {
        self.stages.get(number(hook)?).map(Vec::as_slice)
    }
}

/// Compiles the tables of a namespace.
pub(super) fn filter(netfilter: &Observed<Netfilter>) -> Filter<'_> {
    let mut filter = Filter { chains: Vec::new(), hooks: Hooks::default(), blind: None, partial: false };
    let mut bases: [Vec<Base>; 7] = Default::default();
    let mut nat: [Vec<Base>; 7] = Default::default();
    match netfilter {
        Observed::Absent => {}
        Observed::Unreadable(why) => filter.blind = Some(blind(why)),
        Observed::Seen(netfilter) => {
            filter.partial = netfilter.words_only;
            filter.blind = netfilter.nft.unreadable().or(netfilter.legacy.unreadable()).map(blind);
            for table in netfilter.tables().filter(|table| !table.dormant) {
                add_table(&mut filter, table, &mut bases, &mut nat);
            }
        }
    }
    filter.hooks.translates = nat.iter().any(|nat| !nat.is_empty());
    for (at, (bases, nat)) in bases.into_iter().zip(nat).enumerate() {
        filter.hooks.stages[at] = stages(at, bases, nat);
    }
    filter
}

fn blind(why: &str) -> String {
    format!("the packet filter could not be read: {}", printable(why, LINE))
}

fn number(hook: Hook) -> Option<usize> {
    Some(match hook {
        Hook::Ingress => 0,
        Hook::Prerouting => 1,
        Hook::Input => 2,
        Hook::Forward => 3,
        Hook::Output => 4,
        Hook::Postrouting => 5,
        Hook::Egress => 6,
        Hook::Other(_) => return None,
    })
}

/// Tracking and translation have their places among the chains, whose order of
/// priority is stable.
fn stages(hook: usize, mut bases: Vec<Base>, mut nat: Vec<Base>) -> Vec<Stage> {
    bases.sort_by_key(|base| base.priority);
    nat.sort_by_key(|base| base.priority);
    let mut fixed = Vec::new();
    if hook == 1 || hook == 4 {
        fixed.push((TRACKING, Stage::Track));
        fixed.push((NAT_DESTINATION, Stage::Translate(nat)));
    } else if hook == 2 || hook == 5 {
        fixed.push((NAT_SOURCE, Stage::Translate(nat)));
    }
    let mut out: Vec<(i32, Stage)> = bases.into_iter().map(|base| (base.priority, Stage::Chain(base))).collect();
    for (priority, stage) in fixed {
        let at = out.partition_point(|(other, _)| *other < priority);
        out.insert(at, (priority, stage));
    }
    out.into_iter().map(|(_, stage)| stage).collect()
}

fn add_table<'s>(filter: &mut Filter<'s>, table: &'s Table, bases: &mut [Vec<Base>; 7], nat: &mut [Vec<Base>; 7]) {
    if !matches!(table.family, NfFamily::Ip | NfFamily::Inet | NfFamily::Netdev) {
        return;
    }
    let obstacle = table.others.first().map(|other| {
        let (other, name) = (printable(other, LINE), printable(&table.name, LINE));
        format!("table {} {name} holds what is not understood: {other}", table.family.word())
    });
    if table.chains.is_empty() && filter.partial {
        // A text that cannot show the chains: they may hook anywhere.
        filter.hooks.obstacle = filter.hooks.obstacle.take().or(obstacle);
        return;
    }
    // A netlink dump and a text are bounded far below 2^32 chains and rules.
    let index = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    let first = filter.chains.len();
    let names: HashMap<&str, u32> =
        table.chains.iter().enumerate().map(|(at, chain)| (chain.name.as_str(), index(first + at))).collect();
    for chain in &table.chains {
        let rules: Vec<Rule<'s>> = chain.rules.iter().map(|rule| Rule::of(rule, &names)).collect();
        let at = ChainAt(index(filter.chains.len()));
        filter.chains.push(Chain { name: &chain.name, table: &table.name, family: table.family, rules, steps: vec![] });
        let Some(base) = &chain.base else { continue };
        let Some(hook) = number(base.hook) else {
            let why = format!("chain {} stands at a hook that is not understood", printable(&chain.name, LINE));
            filter.hooks.obstacle.get_or_insert(why);
            continue;
        };
        let translates = base.kind == "nat" && matches!(hook, 1 | 2 | 4 | 5);
        (if translates { &mut *nat } else { &mut *bases })[hook].push(base_of(at, base, obstacle.clone()));
    }
    steps(&mut filter.chains[first..], first);
}

fn base_of(at: ChainAt, base: &BaseChain, obstacle: Option<String>) -> Base {
    let drops = base.policy == Policy::Drop;
    Base { at, drops, device: base.device.clone(), obstacle, priority: base.priority }
}

/// Lays out the chains of one table, the first of which has this number.
fn steps(chains: &mut [Chain<'_>], first: usize) {
    let mut idle = Idle { first, known: vec![None; chains.len()] };
    let plans: Vec<Vec<Step>> = (0..chains.len()).map(|at| layout(&chains[at].rules, chains, &mut idle)).collect();
    for (chain, steps) in chains.iter_mut().zip(plans) {
        chain.steps = steps;
    }
}

fn layout(rules: &[Rule<'_>], chains: &[Chain<'_>], idle: &mut Idle) -> Vec<Step> {
    let busy: Vec<u32> =
        (0..).zip(rules).filter(|(_, rule)| !idle.rule(rule.act, chains, 0)).map(|(at, _)| at).collect();
    let mut steps = Vec::new();
    let mut rest = busy.as_slice();
    while let Some(&next) = rest.first() {
        let (sources, destinations) = (run(rules, rest, Rule::source_host), run(rules, rest, Rule::destination_host));
        let longest = sources.len().max(destinations.len());
        if longest < RUN {
            steps.push(Step::Rule(next));
            rest = &rest[1..];
            continue;
        }
        rest = &rest[longest..];
        steps.push(if sources.len() == longest {
            Step::BySource(by_address(&sources))
        } else {
            Step::ByDestination(by_address(&destinations))
        });
    }
    steps
}

/// The rules in a row, from the first of these on, that ask for one address each.
fn run<'r, 's>(rules: &'r [Rule<'s>], at: &[u32], host: impl Fn(&'r Rule<'s>) -> Option<u32>) -> Vec<(u32, u32)> {
    at.iter().map_while(|at| Some((host(rules.get(*at as usize)?)?, *at))).collect()
}

fn by_address(hosts: &[(u32, u32)]) -> HashMap<u32, Vec<u32>> {
    let mut index: HashMap<u32, Vec<u32>> = HashMap::with_capacity(hosts.len());
    for (host, rule) in hosts {
        index.entry(*host).or_default().push(*rule);
    }
    index
}

/// Which chains do nothing, whatever the packet: a jump there can be left out.
struct Idle {
    first: usize,
    known: Vec<Option<bool>>,
}

impl Idle {
    fn rule(&mut self, act: Act, chains: &[Chain<'_>], depth: usize) -> bool {
        match act {
            Act::Nothing => true,
            Act::Jump(to) => self.chain(to as usize - self.first, chains, depth),
            _ => false,
        }
    }

    fn chain(&mut self, at: usize, chains: &[Chain<'_>], depth: usize) -> bool {
        if let Some(known) = self.known[at] {
            return known;
        }
        if depth == DEPTH {
            return false;
        }
        // While it is looked into, a chain that leads back to itself is not idle.
        self.known[at] = Some(false);
        let idle = chains[at].rules.iter().all(|rule| self.rule(rule.act, chains, depth + 1));
        self.known[at] = Some(idle);
        idle
    }
}
