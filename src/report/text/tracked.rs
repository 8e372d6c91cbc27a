//! The tracked connections of a floating IP, below its traffic.

use std::fmt::Write as _;

use super::{count, span};
use crate::net::netfilter::protocol_word;
use crate::net::{ConntrackEntry, ConntrackTuple};
use crate::report::style::{Style, Tone};
use crate::traffic::{Connection, Connections};

/// Connections that are listed; JSON has more.
const LISTED: usize = 8;

/// As they are at a time (nanoseconds since 1970).
pub(super) fn tracked(connections: &Connections, at: u64, style: Style) -> String {
    let number = connections.all.len() + connections.left_out;
    let old = connections.all.iter().filter(|one| one.outlived.is_some()).count();
    let old = if old > 0 { format!(", {old} translated as no new one would be (DVR406)") } else { String::new() };
    let mut out = style.block("", 0, Tone::Strong, &format!("{}{old}", count(number, "tracked connection")));
    for (name, why) in &connections.unreadable {
        out += &style.marked(("?", Tone::Unsure), &format!("those in {name} could not be read: {why}"));
    }
    for one in connections.all.iter().take(LISTED) {
        out += &match one.outlived {
            Some((floating, fixed)) => {
                let why = format!("{}: still {floating} to {fixed}, which no rule does today", words(one, at));
                style.marked(("!", Tone::Warning), &why)
            }
            None => style.block("  ", 2, Tone::Plain, &words(one, at)),
        };
    }
    if number > LISTED {
        out += &style.block("  ", 2, Tone::Faint, &format!("and {} more", number - LISTED));
    }
    out
}

/// Its ends, what they become, how much passed, how old it is and when it ends.
fn words(one: &Connection, at: u64) -> String {
    let entry = &one.entry;
    let proto = entry.original.proto;
    let proto = protocol_word(proto).map_or_else(|| format!("protocol {proto}"), str::to_owned);
    let [source, destination] = ends(&entry.original);
    let mut text = format!("{proto} {source} → {destination}{}", translated(entry));
    if let (Some((out, _)), Some((back, _))) = (entry.original_count, entry.reply_count) {
        let _ = write!(text, ", {out} packets and {back} back");
    }
    if let Some(age) = one.age(at) {
        let _ = write!(text, ", {} old", span(age));
    }
    if let Some(seconds) = entry.timeout {
        let _ = write!(text, ", ends in {}", span(seconds.into()));
    }
    text
}

/// What translation makes of the two ends.
fn translated(entry: &ConntrackEntry) -> String {
    let ([source, destination], [answers, asked]) = (ends(&entry.original), ends(&entry.reply));
    let source = if source == asked { String::new() } else { format!(" as {asked}") };
    let destination = if destination == answers { String::new() } else { format!(" to {answers}") };
    source + &destination
}

fn ends(tuple: &ConntrackTuple) -> [String; 2] {
    [(tuple.src, tuple.sport), (tuple.dst, tuple.dport)].map(|(address, port)| {
        port.map_or_else(|| address.to_string(), |port| std::net::SocketAddr::new(address, port).to_string())
    })
}
