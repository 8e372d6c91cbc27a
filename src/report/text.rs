//! Text for people.

mod acknowledge;
mod check;
mod diff;
mod explain;
mod glance;
mod list;
mod numbers;
mod plan;
mod probe;
mod result;
mod show;
mod snapshot;
mod trace;
mod tracked;
mod traffic;
pub mod watch;

use std::collections::BTreeMap;
use std::net::IpAddr;

pub use acknowledge::{acknowledged, passes};
pub use check::check;
pub use diff::diff;
pub use explain::{codes, explain};
pub use glance::glance;
pub use list::list;
pub use plan::{cause, plan};
pub use probe::probe;
pub use result::{journal, result};
pub use show::show;
pub use snapshot::written;
pub use trace::trace;
pub use traffic::{nothing_wanted, traffic};

use super::style::{Style, Tone};
use crate::net::{NetnsName, Snapshot};
use crate::topology::{Blind, NodeKind, Topology};

/// Lines about what could not be read; more would hide what was.
const MOST: usize = 10;

/// How many characters of these ids tell each from the others: eight, or more
/// where two begin alike.
pub(super) fn short_ids<'a>(ids: impl Iterator<Item = &'a str>) -> usize {
    let mut ids: Vec<&str> = ids.collect();
    ids.sort_unstable();
    ids.dedup();
    let alike = |pair: &[&str]| pair[0].chars().zip(pair[1].chars()).take_while(|(a, b)| a == b).count();
    ids.windows(2).map(|pair| alike(pair) + 1).max().unwrap_or(0).max(8)
}

/// `one thing`, `2 things`.
fn count(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

fn or_dash(address: Option<IpAddr>) -> String {
    address.map_or_else(|| "–".to_owned(), |address| address.to_string())
}

/// The node's agent, and how old the picture is.
fn about(snapshot: &Snapshot) -> String {
    let mut parts = Vec::new();
    match snapshot.host.agent.seen() {
        Some(agent) => {
            let mode = agent.mode.as_deref().unwrap_or("of unknown mode");
            let up = agent.uptime.map(|seconds| format!(", up {}", span(seconds))).unwrap_or_default();
            parts.push(format!("L3 agent {mode}{up}"));
        }
        None if snapshot.host.agent.is_absent() => parts.push("no L3 agent runs".to_owned()),
        None => parts.push("L3 agent not readable".to_owned()),
    }
    parts.push(format!("read {}", snapshot.taken_at.strftime("%Y-%m-%d %H:%M:%S UTC")));
    if !snapshot.source.is_empty() {
        parts.push(format!("from {}", snapshot.source));
    }
    parts.join(" · ")
}

/// What this node is, where it is not a node of the L3 agent.
fn other_kind(topology: &Topology, style: Style) -> Option<String> {
    let advice = style.block("", 0, Tone::Plain, topology.kind.advice()?);
    Some(match &topology.kind {
        NodeKind::Unknown(why) => style.marked(("?", Tone::Unsure), why) + &advice,
        _ => advice,
    })
}

/// What could not be read, so that nobody takes it for absent: first what could
/// hide a floating IP. Parts of one place with one reason are one line.
fn not_read<'a>(blind: impl Iterator<Item = &'a Blind>, style: Style) -> String {
    let mut groups: BTreeMap<(bool, Option<&NetnsName>, &str), Vec<&str>> = BTreeMap::new();
    for part in blind {
        groups.entry((!part.hides_floating_ips(), part.namespace.as_ref(), &part.why)).or_default().push(&part.part);
    }
    if groups.is_empty() {
        return String::new();
    }
    let mut out = style.heading("Could not be read");
    for ((_, place, why), parts) in groups.iter().take(MOST) {
        let place = place.map_or_else(|| "host".to_owned(), ToString::to_string);
        let named = parts.iter().take(3).copied().collect::<Vec<_>>().join(", ");
        let more = if parts.len() > 3 { format!(" and {} more", parts.len() - 3) } else { String::new() };
        out += &style.marked(("?", Tone::Unsure), &format!("{place}: {named}{more}: {why}"));
    }
    if groups.len() > MOST {
        out += &style.marked(("?", Tone::Unsure), &format!("and {} more of this kind", groups.len() - MOST));
    }
    out
}

fn span(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m", seconds / 60),
        3600..86400 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_cut_where_they_still_differ() {
        assert_eq!(short_ids([].into_iter()), 8);
        assert_eq!(short_ids(["ef25020f-012c", "b047c241-1111"].into_iter()), 8);
        assert_eq!(short_ids(["ef25020f-012c", "ef25020f-0199", "ef25020f-012c"].into_iter()), 12);
    }

    #[test]
    fn spans_have_one_unit() {
        assert_eq!([59, 60, 7200, 200_000].map(span), ["59s", "1m", "2h", "2d"]);
    }
}
