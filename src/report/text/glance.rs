//! `fipscope show ROUTER`: the router's three classes of traffic with this node's
//! own devices, rules and addresses, and what the node costs the external network.

use super::numbers::Numbers;
use super::{about, count};
use crate::net::{IfName, Snapshot};
use crate::path::{Cost, Glance, Stage, Way};
use crate::report::style::{Style, Tone, fip_mark};
use crate::topology::{RouterKind, Topology};

/// Ways of one class that are listed; more would hide the others.
const MOST: usize = 40;

/// One router at a glance.
pub fn glance(snapshot: &Snapshot, topology: &Topology, glance: &Glance, style: Style) -> String {
    let numbers = Numbers::of(topology);
    let kind = match glance.kind {
        RouterKind::Distributed => "distributed",
        RouterKind::DistributedHa => "distributed HA",
        RouterKind::Legacy => "legacy",
        RouterKind::LegacyHa => "legacy HA",
    };
    let layout = glance.layout.map(|layout| format!(", layout {}", layout.word())).unwrap_or_default();
    let mut out = style.block("", 0, Tone::Strong, &format!("Router {}", glance.router));
    let node = format!("{} · {}", snapshot.node, about(snapshot));
    for (name, value) in [("kind   ", format!("{kind}{layout}")), ("node   ", node)] {
        out += &style.block(&format!("{} ", style.paint(Tone::Faint, name)), 8, Tone::Plain, &value);
    }
    let classes = [
        ("East-west: to another subnet of the router, addresses stay", &glance.east_west),
        ("SNAT: out with the router's address", &glance.snat),
        ("Floating IP: out with the instance's own public address", &glance.fip),
    ];
    for (title, ways) in classes {
        out += &style.heading(title);
        out += &class(ways, &numbers, style);
    }
    out + &glance.cost.as_ref().map(|cost| price(cost, style)).unwrap_or_default()
}

fn class(ways: &[Way], numbers: &Numbers, style: Style) -> String {
    if ways.is_empty() {
        return style.marked(("·", Tone::Faint), "none");
    }
    let mut out = String::new();
    for group in groups(&ways[..ways.len().min(MOST)]) {
        for way in &group {
            out += &way_line(way, style);
        }
        if let Some(first) = group.first() {
            out += &together(first, numbers, style);
        }
    }
    if ways.len() > MOST {
        out += &style.marked(("·", Tone::Faint), &format!("and {} more", ways.len() - MOST));
    }
    out
}

/// Ways that go on together once their rule has decided, in the order of each
/// group's first.
fn groups(ways: &[Way]) -> Vec<Vec<&Way>> {
    let tail = |way: &Way| {
        let (first, rest) = way.stages.split_first().map_or((None, &[][..]), |(first, rest)| (Some(first), rest));
        let rest: Vec<Stage> = rest.iter().map(|stage| Stage { translated: None, ..stage.clone() }).collect();
        (first.map(|first| (first.namespace.clone(), first.route.clone())), rest, way.elsewhere)
    };
    let mut groups: Vec<(_, Vec<&Way>)> = Vec::new();
    for way in ways {
        let tail = tail(way);
        match groups.iter_mut().find(|(known, _)| *known == tail) {
            Some((_, group)) => group.push(way),
            None => groups.push((tail, vec![way])),
        }
    }
    groups.into_iter().map(|(_, group)| group).collect()
}

/// Whose it is, what it becomes, by which device it comes in, what decides.
fn way_line(way: &Way, style: Style) -> String {
    let translated = way.stages.iter().find_map(|stage| stage.translated);
    let whole = |net: ipnet::IpNet| net.prefix_len() == net.max_prefix_len();
    let host = |net: ipnet::IpNet| if whole(net) { net.addr().to_string() } else { net.to_string() };
    let of = way.of.map_or_else(|| "unknown".to_owned(), host);
    let becomes = translated.map(|(_, after)| format!(" → {after}")).unwrap_or_default();
    let decided = match way.stages.first() {
        Some(stage) => format!("in {}, {}", devices(stage), rule(stage)),
        None => "nothing is known of its way".to_owned(),
    };
    let (glyph, tone) = way.state.map_or(("·", Tone::Faint), fip_mark);
    let head = style.plain(&format!("{of}{becomes}"));
    let lead = format!("{} {}  ", style.paint(tone, glyph), style.paint(Tone::Strong, &head));
    style.block(&lead, 4 + head.chars().count(), Tone::Plain, &decided)
}

/// The way of a whole group, from the first route on.
fn together(way: &Way, numbers: &Numbers, style: Style) -> String {
    let mut out = String::new();
    for (at, stage) in way.stages.iter().enumerate() {
        let kind = stage.namespace.as_str().split('-').next().unwrap_or_default();
        let mut lead = style.paint(Tone::Faint, &format!("    {kind:<8}"));
        if at > 0 {
            let text = numbers.named(&format!("in {}, {}", devices(stage), rule(stage)));
            out += &style.block(&lead, 12, Tone::Plain, &text);
            lead = " ".repeat(12);
        }
        let (tone, route) = match &stage.route {
            Some(route) => (Tone::Plain, route.brief()),
            None => (Tone::Bad, "no route".to_owned()),
        };
        out += &style.block(&lead, 12, tone, &route);
    }
    if let Some(elsewhere) = way.elsewhere {
        out += &style.block("    ", 4, Tone::Faint, elsewhere);
    }
    out
}

fn devices(stage: &Stage) -> String {
    let names: Vec<&str> = stage.enters.iter().map(IfName::as_str).collect();
    if names.is_empty() { "no device".to_owned() } else { names.join(" or ") }
}

/// The rule by its number; its selector is what stands before it.
fn rule(stage: &Stage) -> String {
    match stage.rule.as_ref().map(|rule| (rule.priority, rule.table())) {
        Some((priority, Some(table))) => format!("rule {priority} → table {table}"),
        Some((priority, None)) => format!("rule {priority}"),
        None => "no rule".to_owned(),
    }
}

fn price(cost: &Cost, style: Style) -> String {
    let fips = count(cost.floating_ips, "floating IP");
    let own: Vec<String> = cost.own.iter().map(ToString::to_string).collect();
    let own = if own.is_empty() { "no address".to_owned() } else { own.join(", ") };
    let mac = cost.mac.map(|mac| format!(" at {mac}")).unwrap_or_default();
    let spent = |addresses: usize, macs: usize| {
        let addresses = if addresses == 1 { "1 address".to_owned() } else { format!("{addresses} addresses") };
        format!("{addresses} and {}", count(macs, "MAC"))
    };
    let now = format!("{}: {}{mac} with {own}, and {fips}", spent(cost.addresses(), cost.macs()), cost.device);
    let then = format!(
        "{}: for {} and {fips}",
        spent(cost.addresses_with_a_port_per_router(), cost.macs_with_a_port_per_router()),
        count(cost.routers, "router"),
    );
    let mut out = style.heading(&format!("What the node takes of external network {}", cost.external_network));
    for (title, text) in [("as it is", now), ("with a port for each router", then)] {
        out += &style.block(&style.paint(Tone::Faint, &format!("  {title:<29}")), 31, Tone::Plain, &text);
    }
    out
}
