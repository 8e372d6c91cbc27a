//! The nat tables that the agent leaves, as typed rules.

use std::net::{IpAddr, Ipv4Addr};

use ipnet::IpNet;

use super::build::RouterSpec;
use crate::net::Observed;
use crate::net::netfilter::{
    BaseChain, Chain, CtState, Hook, Match, NatFlags, NatRange, Netfilter, NfFamily, NfRule, Policy, RuleBody,
    RuleWords, Table, Target,
};
use crate::neutron::{AgentPrefix, Layout, POSTROUTING_BOTTOM, RouterPrefix};

/// The nat table of a router namespace.
pub(super) fn router_netfilter(spec: &RouterSpec) -> Netfilter {
    let rfp = RouterPrefix::of(&spec.id).rfp();
    let mut skeleton = Skeleton { random_fully: spec.layout == Layout::Pike, ..Skeleton::new() };
    for fip in &spec.fips {
        let iface = (spec.layout != Layout::Juno).then_some(rfp.as_str());
        skeleton.translate(fip.floating, fip.fixed, iface, spec.layout == Layout::Juno);
    }
    if !spec.fips.is_empty() {
        skeleton.guard(rfp.as_str(), spec.layout != Layout::Pike);
        skeleton.jump("snat", "float-snat");
    }
    skeleton.netfilter()
}

/// The tables of a fip namespace: nat with nothing in its chains, and raw.
pub(super) fn fip_netfilter() -> Netfilter {
    let mut skeleton = Skeleton::new();
    skeleton.jump("snat", "float-snat");
    let raw = untracked(&skeleton.prefix);
    let mut netfilter = skeleton.netfilter();
    if let Observed::Seen(tables) = &mut netfilter.nft {
        tables.push(raw);
    }
    netfilter
}

/// The raw table of a fip namespace: nothing is tracked there.
fn untracked(prefix: &AgentPrefix) -> Table {
    let own = prefix.chain("PREROUTING");
    let rule = |target| {
        let body = RuleBody::Words(RuleWords { matches: Vec::new(), target: Some(target) });
        vec![NfRule { handle: None, counters: None, body }]
    };
    let (kind, policy) = ("filter".to_owned(), Policy::Accept);
    let base = BaseChain { hook: Hook::Prerouting, priority: -300, kind, policy, device: None };
    let first = Chain { base: Some(base), rules: rule(Target::Jump(own.clone())), ..chain("PREROUTING") };
    let second = Chain { rules: rule(Target::Notrack), ..chain(&own) };
    let (family, name) = (NfFamily::Ip, "raw".to_owned());
    Table { family, name, dormant: false, chains: vec![first, second], others: Vec::new() }
}

/// The nat table of a namespace with a gateway port.
pub(super) fn gateway_netfilter(qg: &str, own: Ipv4Addr, fips: &[(Ipv4Addr, Ipv4Addr)]) -> Netfilter {
    let mut skeleton = Skeleton::new();
    skeleton.guard(qg, false);
    skeleton.jump("snat", "float-snat");
    for (floating, fixed) in fips {
        skeleton.translate(*floating, *fixed, None, true);
    }
    let out = Match::OutIface { name: qg.to_owned(), invert: false };
    skeleton.add("snat", vec![out], snat_to(own, true));
    skeleton.netfilter()
}

/// The agent's chains in a nat table.
struct Skeleton {
    prefix: AgentPrefix,
    chains: Vec<Chain>,
    /// SNAT rules are `--random-fully` (from 15.0.0).
    random_fully: bool,
}

impl Skeleton {
    fn new() -> Self {
        let prefix = AgentPrefix::new("neutron-l3-agent");
        let base = |name: &str, hook, priority| Chain {
            base: Some(BaseChain { hook, priority, kind: "nat".to_owned(), policy: Policy::Accept, device: None }),
            ..chain(name)
        };
        let mut chains = vec![
            base("PREROUTING", Hook::Prerouting, -100),
            base("INPUT", Hook::Input, 100),
            base("OUTPUT", Hook::Output, -100),
            base("POSTROUTING", Hook::Postrouting, 100),
        ];
        let own = ["OUTPUT", "POSTROUTING", "PREROUTING", "float-snat", "snat"];
        chains.extend(own.iter().map(|name| chain(&prefix.chain(name))));
        chains.push(chain(POSTROUTING_BOTTOM));
        let mut skeleton = Self { prefix, chains, random_fully: true };
        for name in ["PREROUTING", "OUTPUT", "POSTROUTING"] {
            let target = Target::Jump(skeleton.prefix.chain(name));
            skeleton.add_to(name, Vec::new(), target);
        }
        skeleton.add_to("POSTROUTING", Vec::new(), Target::Jump(POSTROUTING_BOTTOM.to_owned()));
        let comment = Match::Comment("Perform source NAT on outgoing traffic.".to_owned());
        let target = Target::Jump(skeleton.prefix.chain("snat"));
        skeleton.add_to(POSTROUTING_BOTTOM, vec![comment], target);
        skeleton
    }

    fn jump(&mut self, from: &str, to: &str) {
        let target = Target::Jump(self.prefix.chain(to));
        self.add(from, Vec::new(), target);
    }

    fn guard(&mut self, device: &str, with_input: bool) {
        let input = Match::InIface { name: device.to_owned(), invert: true };
        let mut matches: Vec<Match> = with_input.then_some(input).into_iter().collect();
        matches.push(Match::OutIface { name: device.to_owned(), invert: true });
        let module = "conntrack".to_owned();
        matches.push(Match::Ctstate { module, states: vec![CtState::Dnat], invert: true });
        self.add("POSTROUTING", matches, Target::Accept);
    }

    fn translate(&mut self, floating: Ipv4Addr, fixed: Ipv4Addr, iface: Option<&str>, output: bool) {
        let destination = || Match::Destination { net: IpNet::from(IpAddr::V4(floating)), invert: false };
        let mut matches = vec![destination()];
        matches.extend(iface.map(|name| Match::InIface { name: name.to_owned(), invert: false }));
        self.add("PREROUTING", matches, dnat_to(fixed));
        if output {
            self.add("OUTPUT", vec![destination()], dnat_to(fixed));
        }
        let source = Match::Source { net: IpNet::from(IpAddr::V4(fixed)), invert: false };
        self.add("float-snat", vec![source], snat_to(floating, self.random_fully));
    }

    fn add(&mut self, chain: &str, matches: Vec<Match>, target: Target) {
        let name = self.prefix.chain(chain);
        self.add_to(&name, matches, target);
    }

    fn add_to(&mut self, name: &str, matches: Vec<Match>, target: Target) {
        let body = RuleBody::Words(RuleWords { matches, target: Some(target) });
        if let Some(chain) = self.chains.iter_mut().find(|chain| chain.name == name) {
            chain.rules.push(NfRule { handle: None, counters: None, body });
        }
    }

    fn netfilter(self) -> Netfilter {
        let table = Table {
            family: NfFamily::Ip,
            name: "nat".to_owned(),
            dormant: false,
            chains: self.chains,
            others: Vec::new(),
        };
        Netfilter { nft: Observed::Seen(vec![table]), legacy: Observed::Absent, words_only: false }
    }
}

fn chain(name: &str) -> Chain {
    Chain { name: name.to_owned(), base: None, counters: None, rules: Vec::new() }
}

fn dnat_to(fixed: Ipv4Addr) -> Target {
    Target::Dnat { to: NatRange::single(fixed.into()), flags: NatFlags::default() }
}

fn snat_to(floating: Ipv4Addr, random_fully: bool) -> Target {
    let flags = NatFlags { random_fully, ..NatFlags::default() };
    Target::Snat { to: NatRange::single(floating.into()), flags }
}
