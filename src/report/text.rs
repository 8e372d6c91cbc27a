//! Text for people.

mod diff;
mod list;
mod numbers;
mod show;
mod snapshot;

use std::net::IpAddr;

pub use diff::diff;
pub use list::list;
pub use show::show;
pub use snapshot::written;

use super::style::{Style, Tone};
use crate::net::Snapshot;
use crate::topology::{Blind, NodeKind, Topology};

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
    let text = match &topology.kind {
        NodeKind::L3 => return None,
        NodeKind::Ovn => {
            "This node runs ML2/OVN: its floating IPs are database rows and flows, not namespaces. \
             Look at `ovn-nbctl lr-nat-list ROUTER` and `ovs-ofctl dump-flows br-int`."
        }
        NodeKind::None => {
            "No namespace of the L3 agent stands here: no router has a port on this node, or the agent never ran. \
             `systemctl status neutron-l3-agent` and `ip netns` tell more; `fipscope lab` shows an example node."
        }
        NodeKind::Unknown(why) => {
            let text = format!("What stands on this node cannot be told: {why}");
            return Some(style.block("", 0, Tone::Unsure, &text));
        }
    };
    Some(style.block("", 0, Tone::Plain, text))
}

/// What could not be read, so that nobody takes it for absent.
fn not_read(blind: &[Blind], style: Style) -> String {
    if blind.is_empty() {
        return String::new();
    }
    let mut out = style.heading("Could not be read");
    for part in blind {
        let place = part.namespace.as_ref().map_or_else(|| "host".to_owned(), ToString::to_string);
        out += &style.marked(("?", Tone::Unsure), &format!("{place}: {}: {}", part.part, part.why));
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
