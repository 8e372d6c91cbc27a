//! The modules of `-m` that we model.

use super::word::Word;
use crate::net::netfilter::words::{CT_STATES, TCP_FLAGS};
use crate::net::netfilter::{CtDirection, CtState, Match, Port, PortMatch};

/// What `-m MODULE OPTIONS…` says, where we model all of it.
pub(super) fn module_match(module: &str, words: &[Word<'_>]) -> Option<Vec<Match>> {
    let options = options(words)?;
    let one = match options.as_slice() {
        [(invert, name, values)] => match values.as_slice() {
            [value] => Some((*invert, *name, *value)),
            _ => None,
        },
        _ => None,
    };
    let single = match (module, one) {
        ("tcp" | "udp" | "udplite" | "sctp" | "dccp", _) => ports(module, &options)?,
        ("multiport", Some((invert, "--sports" | "--dports" | "--ports", list))) => Match::Multiport {
            side: one?.1.trim_start_matches('-').to_owned(),
            ports: list.split(',').map(port).collect::<Option<_>>()?,
            invert,
        },
        ("icmp", Some((invert, "--icmp-type", value))) => icmp(value, invert)?,
        ("icmp6", Some((invert, "--icmpv6-type", value))) if value != "any" => icmp(value, invert)?,
        ("mark", Some((invert, "--mark", value))) => {
            let (value, mask) = mark(value)?;
            Match::Mark { value, mask, invert }
        }
        ("connmark", Some((invert, "--mark", value))) => {
            let (value, mask) = mark(value)?;
            Match::Connmark { value, mask, invert }
        }
        ("conntrack", _) => return conntrack(&options),
        ("state", Some((invert, "--state", value))) => ctstate(module, value, invert)?,
        ("mac", Some((invert, "--mac-source", value))) => {
            Match::MacSource { mac: value.to_ascii_lowercase().parse().ok()?, invert }
        }
        ("comment", Some((false, "--comment", value))) => Match::Comment(value.to_owned()),
        _ => return None,
    };
    Some(vec![single])
}

/// `0x1/0xff`, `0x1`.
pub(super) fn mark(text: &str) -> Option<(u32, u32)> {
    let (value, mask) = text.split_once('/').unwrap_or((text, "0xffffffff"));
    Some((hex(value)?, hex(mask)?))
}

/// `0x1f`.
pub(super) fn hex(text: &str) -> Option<u32> {
    u32::from_str_radix(text.strip_prefix("0x")?, 16).ok()
}

/// An option of a module: negated or not, its name, its values.
type ModuleOption<'a> = (bool, &'a str, Vec<&'a str>);

fn options<'a>(words: &'a [Word<'_>]) -> Option<Vec<ModuleOption<'a>>> {
    let mut options: Vec<ModuleOption<'a>> = Vec::new();
    let mut invert = false;
    for word in words {
        let value_expected = options.last().is_some_and(|(_, _, values)| values.is_empty());
        if word.is("!") && !invert {
            invert = true;
        } else if word.text.starts_with("--") && !word.quoted && (invert || !value_expected) {
            options.push((std::mem::take(&mut invert), word.text.as_ref(), Vec::new()));
        } else if invert {
            return None;
        } else {
            options.last_mut()?.2.push(word.text.as_ref());
        }
    }
    (!invert).then_some(options)
}

fn ports(module: &str, options: &[ModuleOption<'_>]) -> Option<Match> {
    let (mut sport, mut dport, mut tcp_flags) = (None, None, None);
    for (invert, name, values) in options {
        match (*name, values.as_slice()) {
            ("--sport", [value]) if sport.is_none() => sport = Some(PortMatch { port: port(value)?, invert: *invert }),
            ("--dport", [value]) if dport.is_none() => dport = Some(PortMatch { port: port(value)?, invert: *invert }),
            ("--tcp-flags", [mask, comp]) if module == "tcp" && tcp_flags.is_none() => {
                tcp_flags = Some((flags(mask)?, flags(comp)?, *invert));
            }
            _ => return None,
        }
    }
    Some(Match::Ports { module: module.to_owned(), sport, dport, tcp_flags })
}

fn port(text: &str) -> Option<Port> {
    let (from, to) = text.split_once(':').unwrap_or((text, text));
    Some(Port { from: from.parse().ok()?, to: to.parse().ok()? })
}

fn flags(text: &str) -> Option<u8> {
    if text == "NONE" {
        return Some(0);
    }
    text.split(',')
        .try_fold(0, |bits, name| TCP_FLAGS.iter().position(|flag| *flag == name).map(|bit| bits | (1 << bit)))
}

fn icmp(text: &str, invert: bool) -> Option<Match> {
    if text == "any" {
        return Some(Match::Icmp { kind: 255, codes: (0, 255), invert });
    }
    let (kind, codes) = match text.split_once('/') {
        Some((kind, code)) => (kind, (code.parse().ok()?, code.parse().ok()?)),
        None => (text, (0, 255)),
    };
    Some(Match::Icmp { kind: kind.parse().ok()?, codes, invert })
}

fn conntrack(options: &[ModuleOption<'_>]) -> Option<Vec<Match>> {
    let mut matches = Vec::new();
    for (invert, name, values) in options {
        matches.push(match (*name, values.as_slice()) {
            ("--ctstate", [value]) => ctstate("conntrack", value, *invert)?,
            ("--ctdir", ["ORIGINAL"]) if !invert => Match::Ctdir { direction: CtDirection::Original },
            ("--ctdir", ["REPLY"]) if !invert => Match::Ctdir { direction: CtDirection::Reply },
            _ => return None,
        });
    }
    (!matches.is_empty()).then_some(matches)
}

fn ctstate(module: &str, text: &str, invert: bool) -> Option<Match> {
    let state = |word: &str| -> Option<CtState> {
        CT_STATES.iter().find(|(_, name, _)| *name == word).map(|(state, ..)| *state)
    };
    let states = text.split(',').map(state).collect::<Option<_>>()?;
    Some(Match::Ctstate { module: module.to_owned(), states, invert })
}
