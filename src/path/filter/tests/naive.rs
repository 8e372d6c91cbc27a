//! The compiled chains against a plain reading of the same rules, one after the
//! other, on random rule sets.

use std::net::IpAddr;

use proptest::prelude::*;

use super::*;
use crate::net::netfilter::{Chain, ConnmarkOp, CtState, Match, Policy, RuleBody, RuleWords, Table, Target};

const CHAINS: [&str; 4] = ["FORWARD", "one", "two", "three"];
const HOSTS: [&str; 6] = ["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5", "10.0.0.6"];

fn cases() -> ProptestConfig {
    #[allow(clippy::disallowed_methods, reason = "a test may be told how long to run")]
    let cases = std::env::var("FIPSCOPE_FUZZ_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(500);
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

/// What became of a packet, without the words.
#[derive(Debug, PartialEq)]
enum Plain {
    Pass(u32, u32),
    Drop,
    Reject,
    Unknown,
}

struct Naive<'a> {
    table: &'a Table,
    at: Crossing<'a>,
    packet: Packet,
    connmark: u32,
}

enum End {
    Return,
    Accept,
    Stop(Plain),
}

impl Naive<'_> {
    fn run(mut self) -> Plain {
        let chain = self.table.chain("FORWARD").unwrap();
        match self.chain(chain) {
            End::Return if chain.base.as_ref().unwrap().policy == Policy::Drop => Plain::Drop,
            End::Return | End::Accept => Plain::Pass(self.packet.mark, self.connmark),
            End::Stop(plain) => plain,
        }
    }

    fn chain(&mut self, chain: &Chain) -> End {
        for rule in &chain.rules {
            let RuleBody::Words(words) = &rule.body else { return End::Stop(Plain::Unknown) };
            if words.target.is_none() || matches!(&words.target, Some(Target::Other(log)) if log.starts_with("LOG")) {
                continue;
            }
            // Jumps lead to later chains only, so this comes to an end.
            if let Some(Target::Jump(name)) = &words.target
                && self.idle(name)
            {
                continue;
            }
            let held: Vec<Option<bool>> = words.matches.iter().map(|each| self.holds(each)).collect();
            if held.contains(&Some(false)) {
                continue;
            }
            if held.contains(&None) {
                return End::Stop(Plain::Unknown);
            }
            if let Some(end) = self.act(words) {
                return end;
            }
        }
        End::Return
    }

    fn act(&mut self, words: &RuleWords) -> Option<End> {
        match words.target.as_ref()? {
            Target::Accept => Some(End::Accept),
            Target::Return => Some(End::Return),
            Target::Drop => Some(End::Stop(Plain::Drop)),
            Target::Reject(_) => Some(End::Stop(Plain::Reject)),
            Target::Jump(name) => match self.chain(self.table.chain(name).unwrap()) {
                End::Return => None,
                end => Some(end),
            },
            Target::Goto(name) => Some(self.chain(self.table.chain(name).unwrap())),
            Target::Mark { value, mask } => {
                self.packet.mark = (self.packet.mark & !mask) ^ value;
                None
            }
            Target::Connmark(ConnmarkOp::Save { nfmask, ctmask }) => {
                self.connmark = (self.connmark & !ctmask) ^ (self.packet.mark & nfmask);
                None
            }
            other => panic!("{other:?}"),
        }
    }

    fn idle(&self, name: &str) -> bool {
        self.table.chain(name).unwrap().rules.iter().all(|rule| match &rule.body.words().unwrap().target {
            None => true,
            Some(Target::Jump(next)) => self.idle(next),
            Some(Target::Other(log)) => log.starts_with("LOG"),
            Some(_) => false,
        })
    }

    fn holds(&self, each: &Match) -> Option<bool> {
        let device = |name: &str, found: &str| match name.strip_suffix('+') {
            Some(start) => found.starts_with(start),
            None => found == name,
        };
        let (found, invert) = match each {
            Match::Source { net, invert } => (net.contains(&IpAddr::V4(self.packet.src)), invert),
            Match::Destination { net, invert } => (net.contains(&IpAddr::V4(self.packet.dst)), invert),
            Match::InIface { name, invert } => (device(name, self.at.iif), invert),
            Match::OutIface { name, invert } => (device(name, self.at.oif), invert),
            Match::Protocol { number, invert } => (self.packet.proto == *number, invert),
            Match::Mark { value, mask, invert } => (self.packet.mark & mask == *value, invert),
            Match::Connmark { value, mask, invert } => (self.connmark & mask == *value, invert),
            Match::Ctstate { states, invert, .. } => (states.contains(&CtState::New), invert),
            Match::Other(_) => return None,
            other => panic!("{other:?}"),
        };
        Some(found != *invert)
    }
}

fn words(words: &'static [&'static str]) -> impl Strategy<Value = &'static str> + Clone {
    prop::sample::select(words)
}

fn rule_match() -> impl Strategy<Value = String> {
    let not = prop_oneof![3 => Just(""), 1 => Just("! ")];
    let host = (0..HOSTS.len()).prop_map(|at| HOSTS[at]);
    prop_oneof![
        4 => host.clone().prop_map(|host| format!("-s {host}/32")),
        4 => host.clone().prop_map(|host| format!("-d {host}/32")),
        1 => (not.clone(), host.clone()).prop_map(|(not, host)| format!("{not}-s {host}/32")),
        1 => (not.clone(), 28..32_u8).prop_map(|(not, len)| format!("{not}-d 10.0.0.0/{len}")),
        1 => (not.clone(), words(&["a", "b", "a+", "+"])).prop_map(|(not, device)| format!("{not}-i {device}")),
        1 => (not.clone(), words(&["a", "b", "b+"])).prop_map(|(not, device)| format!("{not}-o {device}")),
        1 => (not.clone(), words(&["tcp", "udp"])).prop_map(|(not, proto)| format!("{not}-p {proto}")),
        1 => (not.clone(), 0..4_u32).prop_map(|(not, mark)| format!("-m mark {not}--mark {mark:#x}/0x3")),
        1 => (not.clone(), 0..4_u32).prop_map(|(not, mark)| format!("-m connmark {not}--mark {mark:#x}/0x3")),
        1 => (not, words(&["NEW", "ESTABLISHED"])).prop_map(|(not, state)| format!("-m conntrack {not}--ctstate {state}")),
        1 => Just("-m set --match-set blocked src".to_owned()),
    ]
}

/// The target of a rule in that chain: jumps and gotos lead onward.
fn target(chain: usize) -> impl Strategy<Value = String> {
    let onward = (chain + 1..=CHAINS.len()).prop_map(|next| CHAINS.get(next).copied());
    prop_oneof![
        2 => Just("-j ACCEPT".to_owned()),
        2 => Just("-j DROP".to_owned()),
        1 => Just("-j RETURN".to_owned()),
        1 => Just("-j REJECT --reject-with icmp-port-unreachable".to_owned()),
        1 => Just("-j LOG".to_owned()),
        1 => Just(String::new()),
        2 => (0..4_u32).prop_map(|mark| format!("-j MARK --set-xmark {mark:#x}/0x3")),
        1 => Just("-j CONNMARK --save-mark --nfmask 0x3 --ctmask 0x3".to_owned()),
        2 => onward.clone().prop_map(|next| next.map_or(String::new(), |next| format!("-j {next}"))),
        1 => onward.prop_map(|next| next.map_or(String::new(), |next| format!("-g {next}"))),
    ]
}

fn rule() -> impl Strategy<Value = String> {
    (0..CHAINS.len()).prop_flat_map(|chain| {
        (proptest::collection::vec(rule_match(), 0..3), target(chain))
            .prop_map(move |(matches, target)| format!("-A {} {} {target}\n", CHAINS[chain], matches.join(" ")))
    })
}

/// Rules in a row that ask for one address each, on the same side or not.
fn block() -> impl Strategy<Value = String> {
    let one = |side: &'static str, chain: usize| {
        let more = prop_oneof![2 => Just(String::new()), 1 => rule_match()];
        (0..HOSTS.len(), more, target(chain)).prop_map(move |(host, more, target)| {
            format!("-A {} {side} {}/32 {more} {target}\n", CHAINS[chain], HOSTS[host])
        })
    };
    (0..CHAINS.len(), any::<bool>()).prop_flat_map(move |(chain, source)| {
        let (side, other) = if source { ("-s", "-d") } else { ("-d", "-s") };
        proptest::collection::vec(prop_oneof![8 => one(side, chain), 1 => one(other, chain)], 4..12)
            .prop_map(|rules| rules.concat())
    })
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn compiled_chains_do_what_the_rules_say(
        rules in proptest::collection::vec(prop_oneof![4 => rule(), 1 => block()], 0..25),
        policy in words(&["ACCEPT", "DROP"]),
        (src, dst) in (0..HOSTS.len(), 0..HOSTS.len()),
        is_tcp in any::<bool>(),
        (iif, oif) in (words(&["a", "b", "ab"]), words(&["a", "b", "ba"])),
        mark in 0..4_u32,
    ) {
        let text = format!("*filter\n:FORWARD {policy}\n:one -\n:two -\n:three -\n{}COMMIT\n", rules.concat());
        let netfilter = tables(&text);
        let Observed::Seen(Netfilter { nft: Observed::Seen(seen), .. }) = &netfilter else { panic!() };
        let packet = if is_tcp { tcp(HOSTS[src], HOSTS[dst]) } else { udp(HOSTS[src], HOSTS[dst]) };
        let packet = Packet { mark, ..packet };
        let at = Crossing { iif, oif, ..Crossing::default() };
        let mut passing = Passing::new(packet);
        let filter = Filter::of(&netfilter);
        prop_assert_eq!(filter.pass(Hook::Prerouting, &at, &mut passing, &[]), Fate::Pass);
        let found = match filter.pass(Hook::Forward, &at, &mut passing, &[]) {
            Fate::Pass => Plain::Pass(passing.packet.mark, passing.connection.as_ref().unwrap().mark),
            Fate::Drop(_) => Plain::Drop,
            Fate::Reject(_) => Plain::Reject,
            Fate::CannotTell(_) => Plain::Unknown,
        };
        prop_assert_eq!(found, Naive { table: &seen[0], at, packet, connmark: 0 }.run(), "{}", text);
    }
}
