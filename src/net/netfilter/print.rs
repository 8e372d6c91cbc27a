//! Prints rules and tables exactly as `iptables-save` 1.8.9 does.

use std::fmt;
use std::fmt::Write;
use std::net::IpAddr;

use ipnet::IpNet;

use super::words::{CT_STATES, TCP_FLAGS, icmp_words, protocol_word, write_value};
use super::{
    BaseChain, Chain, ConnmarkOp, Counters, CtDirection, CtState, Match, NatFlags, NatRange, NfFamily, NfRule, Policy,
    Port, PortMatch, RuleBody, RuleWords, Table, Target,
};

/// A rule as a line of `iptables-save`; made by [`NfRule::line`].
#[derive(Clone, Copy, Debug)]
pub struct RuleLine<'a> {
    chain: &'a str,
    family: NfFamily,
    rule: &'a NfRule,
    counted: bool,
}

/// What a rule says, from the first match on; made by [`RuleWords::text`].
#[derive(Clone, Copy, Debug)]
pub struct RuleText<'a> {
    family: NfFamily,
    words: &'a RuleWords,
}

impl NfRule {
    /// `-A CHAIN -s … -j …`, without counters. What was not understood becomes a
    /// comment line that names the chain. Names from outside are printed as they
    /// are: make the line [`printable`](crate::net::printable) for a terminal.
    pub fn line<'a>(&'a self, chain: &'a str, family: NfFamily) -> RuleLine<'a> {
        RuleLine { chain, family, rule: self, counted: false }
    }
}

impl RuleLine<'_> {
    /// The same with `[packets:bytes] ` before it, where the rule has counters.
    #[must_use]
    pub fn counted(self) -> Self {
        Self { counted: true, ..self }
    }
}

impl RuleWords {
    /// The matches and the target: `-s 10.0.0.4/32 -j ACCEPT`.
    pub fn text(&self, family: NfFamily) -> RuleText<'_> {
        RuleText { family, words: self }
    }
}

impl Chain {
    /// `:INPUT ACCEPT [0:0]`, or `:CHAIN - [0:0]` for one without a policy.
    pub fn declaration(&self) -> String {
        let policy = match &self.base {
            Some(BaseChain { policy: Policy::Accept, .. }) => "ACCEPT",
            Some(BaseChain { policy: Policy::Drop, .. }) => "DROP",
            None => "-",
        };
        format!(":{} {policy} {}", self.name, self.counters.unwrap_or_default())
    }
}

impl Table {
    /// The whole table as `iptables-save -c` prints it, `*name` to `COMMIT`.
    /// Rules without counters have none in front. What iptables has no words for
    /// stands there as comment lines.
    pub fn save_text(&self) -> String {
        let mut out = format!("*{}\n", self.name);
        for chain in &self.chains {
            out.push_str(&chain.declaration());
            out.push('\n');
        }
        for other in &self.others {
            // Writing into a String cannot fail.
            let _ = writeln!(out, "# {}", one_line(other));
        }
        for chain in &self.chains {
            for rule in &chain.rules {
                let _ = writeln!(out, "{}", rule.line(&chain.name, self.family).counted());
            }
        }
        out.push_str("COMMIT\n");
        out
    }
}

impl fmt::Display for Counters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}:{}]", self.packets, self.bytes)
    }
}

impl fmt::Display for RuleLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.rule.body {
            RuleBody::NotUnderstood(seen) => write!(f, "# -A {}, not understood: {}", self.chain, one_line(seen)),
            RuleBody::Words(words) => {
                if let Some(counters) = self.rule.counters.filter(|_| self.counted) {
                    write!(f, "{counters} ")?;
                }
                write!(f, "-A {}", self.chain)?;
                write_words(f, words, self.family)
            }
        }
    }
}

impl fmt::Display for RuleText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        write_words(&mut text, self.words, self.family)?;
        f.write_str(text.trim_start())
    }
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.from == self.to { write!(f, "{}", self.from) } else { write!(f, "{}:{}", self.from, self.to) }
    }
}

/// One line of it: a comment must not spill into the next line.
fn one_line(text: &str) -> String {
    text.replace(['\n', '\r'], " ")
}

fn write_words(out: &mut impl Write, words: &RuleWords, family: NfFamily) -> fmt::Result {
    let mut before = None;
    for each in &words.matches {
        out.write_char(' ')?;
        write_match(out, each, before, family)?;
        before = Some(each);
    }
    if let Some(target) = &words.target {
        out.write_char(' ')?;
        write_target(out, target)?;
    }
    Ok(())
}

/// Writes one match; `before` is the one before it, because options of the same
/// module share its `-m`.
pub(super) fn write_match(out: &mut impl Write, each: &Match, before: Option<&Match>, family: NfFamily) -> fmt::Result {
    match each {
        Match::Source { net, invert } => write_net(out, "-s", *net, *invert),
        Match::Destination { net, invert } => write_net(out, "-d", *net, *invert),
        Match::InIface { name, invert } => write!(out, "{}-i {name}", not(*invert)),
        Match::OutIface { name, invert } => write!(out, "{}-o {name}", not(*invert)),
        Match::Protocol { number, invert } => match protocol_word(*number) {
            Some(word) => write!(out, "{}-p {word}", not(*invert)),
            None => write!(out, "{}-p {number}", not(*invert)),
        },
        Match::Fragment { invert } => write!(out, "{}-f", not(*invert)),
        Match::Ports { module, sport, dport, tcp_flags } => {
            write!(out, "-m {module}")?;
            write_ports(out, "sport", sport.as_ref())?;
            write_ports(out, "dport", dport.as_ref())?;
            tcp_flags.map_or(Ok(()), |flags| write_tcp_flags(out, flags))
        }
        Match::Multiport { side, ports, invert } => {
            write!(out, "-m multiport {}--{side} ", not(*invert))?;
            write_list(out, ports)
        }
        Match::Icmp { kind, codes, invert } => write_icmp(out, *kind, *codes, *invert, family),
        Match::Mark { value, mask, invert } => {
            write!(out, "-m mark {}--mark ", not(*invert))?;
            write_mark(out, *value, *mask)
        }
        Match::Connmark { value, mask, invert } => {
            write!(out, "-m connmark {}--mark ", not(*invert))?;
            write_mark(out, *value, *mask)
        }
        Match::Ctstate { module, states, invert } => {
            let option = if module == "state" { "state" } else { "ctstate" };
            write!(out, "-m {module} {}--{option} ", not(*invert))?;
            write_list(out, &states.iter().map(|state| state.word()).collect::<Vec<_>>())
        }
        Match::Ctdir { direction } => {
            let shared = matches!(before, Some(Match::Ctstate { module, .. }) if module == "conntrack");
            let word = if *direction == CtDirection::Original { "ORIGINAL" } else { "REPLY" };
            write!(out, "{}--ctdir {word}", if shared { "" } else { "-m conntrack " })
        }
        Match::MacSource { mac, invert } => write!(out, "-m mac {}--mac-source {mac}", not(*invert)),
        Match::Comment(text) => {
            out.write_str("-m comment --comment ")?;
            write_value(out, text)
        }
        Match::Other(words) => out.write_str(words),
    }
}

/// Writes a target with its `-j` or `-g`.
pub(super) fn write_target(out: &mut impl Write, target: &Target) -> fmt::Result {
    match target {
        Target::Accept => out.write_str("-j ACCEPT"),
        Target::Drop => out.write_str("-j DROP"),
        Target::Return => out.write_str("-j RETURN"),
        Target::Jump(chain) => write!(out, "-j {chain}"),
        Target::Goto(chain) => write!(out, "-g {chain}"),
        Target::Dnat { to, flags } => write_nat(out, "DNAT --to-destination ", to, *flags),
        Target::Snat { to, flags } => write_nat(out, "SNAT --to-source ", to, *flags),
        Target::Redirect { ports, flags } => write_nat_ports(out, "REDIRECT", *ports, *flags),
        Target::Masquerade { ports, flags } => write_nat_ports(out, "MASQUERADE", *ports, *flags),
        Target::Mark { value, mask } => write!(out, "-j MARK --set-xmark {value:#x}/{mask:#x}"),
        Target::Connmark(ConnmarkOp::Set { value, mask }) => {
            write!(out, "-j CONNMARK --set-xmark {value:#x}/{mask:#x}")
        }
        Target::Connmark(ConnmarkOp::Save { nfmask, ctmask }) => {
            write!(out, "-j CONNMARK --save-mark --nfmask {nfmask:#x} --ctmask {ctmask:#x}")
        }
        Target::Connmark(ConnmarkOp::Restore { nfmask, ctmask }) => {
            write!(out, "-j CONNMARK --restore-mark --nfmask {nfmask:#x} --ctmask {ctmask:#x}")
        }
        Target::Notrack => out.write_str("-j CT --notrack"),
        Target::NotrackAlias => out.write_str("-j NOTRACK"),
        Target::Reject(with) => write!(out, "-j REJECT --reject-with {with}"),
        Target::Other(words) => write!(out, "-j {words}"),
    }
}

impl CtState {
    /// The word of `--ctstate`.
    pub fn word(self) -> &'static str {
        CT_STATES.iter().find(|(state, ..)| *state == self).map_or("", |(_, word, _)| word)
    }
}

fn not(invert: bool) -> &'static str {
    if invert { "! " } else { "" }
}

fn write_net(out: &mut impl Write, option: &str, net: IpNet, invert: bool) -> fmt::Result {
    write!(out, "{}{option} {net}", not(invert))
}

fn write_ports(out: &mut impl Write, option: &str, ports: Option<&PortMatch>) -> fmt::Result {
    ports.map_or(Ok(()), |ports| write!(out, " {}--{option} {}", not(ports.invert), ports.port))
}

fn write_tcp_flags(out: &mut impl Write, (mask, comp, invert): (u8, u8, bool)) -> fmt::Result {
    write!(out, " {}--tcp-flags", not(invert))?;
    for bits in [mask, comp] {
        let set = TCP_FLAGS.iter().enumerate().filter(|(bit, _)| bits & (1 << bit) != 0);
        let names: Vec<_> = set.map(|(_, name)| *name).collect();
        out.write_char(' ')?;
        write_list(out, if names.is_empty() { &["NONE"] } else { &names })?;
    }
    Ok(())
}

fn write_icmp(out: &mut impl Write, kind: u8, codes: (u8, u8), invert: bool, family: NfFamily) -> fmt::Result {
    let (module, option) = icmp_words(family);
    write!(out, "-m {module} {}{option} ", not(invert))?;
    match (kind, codes) {
        (255, _) if family != NfFamily::Ip6 => out.write_str("any"),
        (_, (0, 255)) => write!(out, "{kind}"),
        (_, (from, to)) if from == to => write!(out, "{kind}/{from}"),
        (_, (from, to)) => write!(out, "{kind}/{from}-{to}"),
    }
}

fn write_mark(out: &mut impl Write, value: u32, mask: u32) -> fmt::Result {
    if mask == u32::MAX { write!(out, "{value:#x}") } else { write!(out, "{value:#x}/{mask:#x}") }
}

fn write_list<T: fmt::Display>(out: &mut impl Write, items: &[T]) -> fmt::Result {
    for (index, item) in items.iter().enumerate() {
        write!(out, "{}{item}", if index == 0 { "" } else { "," })?;
    }
    Ok(())
}

fn write_nat(out: &mut impl Write, option: &str, to: &NatRange, flags: NatFlags) -> fmt::Result {
    write!(out, "-j {option}")?;
    if let Some((first, last)) = to.addrs {
        let bracketed = to.ports.is_some() && matches!(first, IpAddr::V6(_));
        out.write_str(if bracketed { "[" } else { "" })?;
        write!(out, "{first}")?;
        if first != last {
            write!(out, "-{last}")?;
        }
        out.write_str(if bracketed { "]" } else { "" })?;
    }
    if let Some(ports) = to.ports {
        out.write_char(':')?;
        write_dashed(out, ports)?;
    }
    write_nat_flags(out, flags)
}

fn write_nat_ports(out: &mut impl Write, target: &str, ports: Option<Port>, flags: NatFlags) -> fmt::Result {
    write!(out, "-j {target}")?;
    if let Some(ports) = ports {
        out.write_str(" --to-ports ")?;
        write_dashed(out, ports)?;
    }
    write_nat_flags(out, flags)
}

fn write_dashed(out: &mut impl Write, port: Port) -> fmt::Result {
    if port.from == port.to { write!(out, "{}", port.from) } else { write!(out, "{}-{}", port.from, port.to) }
}

fn write_nat_flags(out: &mut impl Write, flags: NatFlags) -> fmt::Result {
    let words =
        [(flags.random, " --random"), (flags.random_fully, " --random-fully"), (flags.persistent, " --persistent")];
    words.iter().filter(|(set, _)| *set).try_for_each(|(_, word)| out.write_str(word))
}
