//! What a rule says: its matches one by one, then its target.

use std::net::IpAddr;

use ipnet::IpNet;

use super::matches::module_match;
use super::target::parse_target;
use super::word::{Word, verbatim};
use crate::net::netfilter::print::{write_match, write_target};
use crate::net::netfilter::words::protocol_number;
use crate::net::netfilter::{Match, NfFamily, RuleWords, Target};

/// Options that begin the next part of a rule.
const PARTS: [&str; 11] = ["-m", "-j", "-g", "-s", "-d", "-i", "-o", "-p", "-f", "--match", "--jump"];

/// Reads the words after `-A CHAIN`. What is not modelled is kept word for word.
pub(super) fn parse_words(line: &str, words: &[Word<'_>]) -> RuleWords {
    let mut rule = RuleWords::default();
    let mut rest = words;
    while let Some(first) = rest.first() {
        if ["-j", "--jump", "-g", "--goto"].iter().any(|option| first.is(option)) && rest.len() > 1 {
            rule.target = Some(checked_target(line, rest));
            break;
        }
        let taken = part_len(rest);
        let (part, after) = rest.split_at(taken);
        rest = after;
        match typed(part) {
            Some(typed) if prints_as(&typed, rule.matches.last(), verbatim(line, part)) => rule.matches.extend(typed),
            _ => rule.matches.push(Match::Other(verbatim(line, part).to_owned())),
        }
    }
    rule
}

/// How many words belong to the part that begins here.
fn part_len(words: &[Word<'_>]) -> usize {
    let option = words.iter().position(|word| !word.is("!")).unwrap_or(words.len() - 1);
    let mut len = option + 1;
    while len < words.len() {
        let word = &words[len];
        let begins = |word: &Word<'_>| PARTS.iter().any(|part| word.is(part)) || word.is("--goto");
        if begins(word) || (word.is("!") && words.get(len + 1).is_none_or(begins)) {
            // The value of an option may look like one: `--comment -j`.
            let value = words[len - 1].is("--comment") && !word.is("!");
            if !value {
                break;
            }
        }
        len += 1;
    }
    len
}

fn typed(part: &[Word<'_>]) -> Option<Vec<Match>> {
    let invert = part.first()?.is("!");
    let words = &part[usize::from(invert)..];
    let (option, values) = words.split_first()?;
    if option.quoted {
        return None;
    }
    let one = match values {
        [value] => Some(value.text.as_ref()),
        _ => None,
    };
    let single = match (option.text.as_ref(), one) {
        ("-s", Some(value)) => Match::Source { net: net(value)?, invert },
        ("-d", Some(value)) => Match::Destination { net: net(value)?, invert },
        ("-i", Some(value)) => Match::InIface { name: value.to_owned(), invert },
        ("-o", Some(value)) => Match::OutIface { name: value.to_owned(), invert },
        ("-p", Some(value)) => Match::Protocol { number: protocol_number(value)?, invert },
        ("-f", None) if values.is_empty() => Match::Fragment { invert },
        ("-m" | "--match", _) if !invert => return module_match(values.first()?.text.as_ref(), &values[1..]),
        _ => return None,
    };
    Some(vec![single])
}

fn net(text: &str) -> Option<IpNet> {
    text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
}

/// Whether the typed form says what the text says: a form that prints otherwise
/// has lost something. Only spellings may differ: of a protocol (`-p 47`), of a
/// host (`-s 10.0.0.4`), of a MAC address.
fn prints_as(typed: &[Match], before: Option<&Match>, text: &str) -> bool {
    if matches!(typed, [Match::Protocol { .. } | Match::Source { .. } | Match::Destination { .. }]) {
        return true;
    }
    let family = if text.contains("--icmpv6-type") { NfFamily::Ip6 } else { NfFamily::Ip };
    let mut printed = String::new();
    let mut before = before;
    for each in typed {
        if !printed.is_empty() {
            printed.push(' ');
        }
        if write_match(&mut printed, each, before, family).is_err() {
            return false;
        }
        before = Some(each);
    }
    if matches!(typed, [Match::MacSource { .. }]) { printed.eq_ignore_ascii_case(text) } else { printed == text }
}

fn checked_target(line: &str, words: &[Word<'_>]) -> Target {
    let text = verbatim(line, words);
    let typed = parse_target(words);
    let mut printed = String::new();
    match typed {
        Some(target) if write_target(&mut printed, &target).is_ok() && printed == text => target,
        _ => Target::Other(verbatim(line, &words[1..]).to_owned()),
    }
}
