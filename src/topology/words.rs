//! A translation rule in the words of `iptables-save`, for evidence.

use std::fmt::Write as _;

use ipnet::IpNet;

use crate::net::netfilter::{CtState, Match, NatFlags, NatRange, NfRule, Port, PortMatch, RuleBody, RuleWords, Target};
use crate::net::printable;

/// The longest text from outside that goes into a line.
const LIMIT: usize = 256;

/// `-A CHAIN …`, as `iptables-save` prints it.
pub(super) fn rule_line(chain: &str, rule: &NfRule) -> String {
    let chain = printable(chain, 64);
    match &rule.body {
        RuleBody::Words(words) => format!("-A {chain}{}", spec(words)),
        RuleBody::NotUnderstood(text) => format!("-A {chain} (not understood: {})", printable(text, LIMIT)),
    }
}

fn spec(words: &RuleWords) -> String {
    let mut line = String::new();
    for condition in &words.matches {
        line.push_str(&match_words(condition));
    }
    if let Some(target) = &words.target {
        line.push_str(&target_words(target));
    }
    line
}

fn match_words(condition: &Match) -> String {
    match condition {
        Match::Source { net, invert } => format!("{} -s {}", not(*invert), host_net(*net)),
        Match::Destination { net, invert } => format!("{} -d {}", not(*invert), host_net(*net)),
        Match::InIface { name, invert } => format!("{} -i {}", not(*invert), printable(name, 32)),
        Match::OutIface { name, invert } => format!("{} -o {}", not(*invert), printable(name, 32)),
        Match::Protocol { number, invert } => format!("{} -p {}", not(*invert), protocol(*number)),
        Match::Fragment { invert } => format!("{} -f", not(*invert)),
        Match::Ports { module, sport, dport, .. } => {
            let side = |name: &str, port: &Option<PortMatch>| {
                port.map_or(String::new(), |port| format!("{} --{name} {}", not(port.invert), ports(port.port, ':')))
            };
            format!(" -m {}{}{}", printable(module, 32), side("sport", sport), side("dport", dport))
        }
        Match::Mark { value, mask, invert } => format!(" -m mark{} --mark {}", not(*invert), mark(*value, *mask)),
        Match::Connmark { value, mask, invert } => {
            format!(" -m connmark{} --mark {}", not(*invert), mark(*value, *mask))
        }
        Match::Ctstate { module, states, invert } => {
            let option = if module == "state" { "state" } else { "ctstate" };
            let states: Vec<&str> = states.iter().map(|state| state_word(*state)).collect();
            format!(" -m {}{} --{option} {}", printable(module, 32), not(*invert), states.join(","))
        }
        Match::Comment(text) => format!(" -m comment --comment \"{}\"", printable(text, LIMIT)),
        Match::Other(words) => format!(" {}", printable(words, LIMIT)),
        other => format!(" ({})", printable(&format!("{other:?}"), LIMIT)),
    }
}

fn target_words(target: &Target) -> String {
    match target {
        Target::Accept => " -j ACCEPT".to_owned(),
        Target::Drop => " -j DROP".to_owned(),
        Target::Return => " -j RETURN".to_owned(),
        Target::Jump(chain) => format!(" -j {}", printable(chain, 64)),
        Target::Goto(chain) => format!(" -g {}", printable(chain, 64)),
        Target::Dnat { to, flags } => format!(" -j DNAT --to-destination {}{}", range(to), flag_words(*flags)),
        Target::Snat { to, flags } => format!(" -j SNAT --to-source {}{}", range(to), flag_words(*flags)),
        Target::Redirect { ports: to, flags } => {
            let to = to.map_or(String::new(), |to| format!(" --to-ports {}", ports(to, '-')));
            format!(" -j REDIRECT{to}{}", flag_words(*flags))
        }
        Target::Masquerade { ports: to, flags } => {
            let to = to.map_or(String::new(), |to| format!(" --to-ports {}", ports(to, '-')));
            format!(" -j MASQUERADE{to}{}", flag_words(*flags))
        }
        Target::Mark { value, mask } => format!(" -j MARK --set-xmark {value:#x}/{mask:#x}"),
        Target::Notrack => " -j CT --notrack".to_owned(),
        Target::Reject(with) => format!(" -j REJECT --reject-with {}", printable(with, 64)),
        Target::Other(words) => format!(" -j {}", printable(words, LIMIT)),
        Target::Connmark(operation) => format!(" -j CONNMARK ({operation:?})"),
    }
}

fn not(invert: bool) -> &'static str {
    if invert { " !" } else { "" }
}

fn host_net(net: IpNet) -> String {
    net.trunc().to_string()
}

fn protocol(number: u8) -> String {
    match number {
        1 => "icmp".to_owned(),
        6 => "tcp".to_owned(),
        17 => "udp".to_owned(),
        other => other.to_string(),
    }
}

fn ports(port: Port, between: char) -> String {
    if port.from == port.to { port.from.to_string() } else { format!("{}{between}{}", port.from, port.to) }
}

fn mark(value: u32, mask: u32) -> String {
    if mask == u32::MAX { format!("{value:#x}") } else { format!("{value:#x}/{mask:#x}") }
}

fn state_word(state: CtState) -> &'static str {
    match state {
        CtState::Invalid => "INVALID",
        CtState::New => "NEW",
        CtState::Established => "ESTABLISHED",
        CtState::Related => "RELATED",
        CtState::Untracked => "UNTRACKED",
        CtState::Snat => "SNAT",
        CtState::Dnat => "DNAT",
    }
}

fn range(to: &NatRange) -> String {
    let mut text = match to.addrs {
        Some((first, last)) if first == last => first.to_string(),
        Some((first, last)) => format!("{first}-{last}"),
        None => String::new(),
    };
    if let Some(port) = to.ports {
        let _ = write!(text, ":{}", ports(port, '-'));
    }
    text
}

fn flag_words(flags: NatFlags) -> String {
    let words =
        [(flags.random, " --random"), (flags.random_fully, " --random-fully"), (flags.persistent, " --persistent")];
    words.iter().filter(|(set, _)| *set).map(|(_, word)| *word).collect()
}
