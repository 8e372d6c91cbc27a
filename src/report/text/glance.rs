//! `fipscope show ROUTER`: the router's three classes of traffic with this node's
//! own devices, rules and addresses, and what the node costs the external network.

use super::numbers::Numbers;
use super::{about, count};
use crate::net::{Route, Snapshot};
use crate::path::{Cost, Glance, Stage, Way};
use crate::report::style::{Style, Tone, fip_mark};
use crate::report::table::{Cell, Column, Shrink, Table};
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
    for (name, value) in
        [("kind   ", format!("{kind}{layout}")), ("node   ", format!("{} · {}", snapshot.node, about(snapshot)))]
    {
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
            out += &way_line(way, numbers, style);
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
fn way_line(way: &Way, numbers: &Numbers, style: Style) -> String {
    let translated = way.stages.iter().find_map(|stage| stage.translated);
    let host = |net: ipnet::IpNet| match net.prefix_len() == net.max_prefix_len() {
        true => net.addr().to_string(),
        false => net.to_string(),
    };
    let of = way.of.map_or_else(|| "unknown".to_owned(), host);
    let becomes = translated.map(|(_, after)| format!(" → {after}")).unwrap_or_default();
    let decided = match way.stages.first() {
        Some(stage) => format!("in {}, {}", devices(stage), rule(stage, numbers)),
        None => "nothing is known of its way".to_owned(),
    };
    let (glyph, tone) = way.state.map_or(("·", Tone::Faint), fip_mark);
    let named = format!("{} {} ", style.paint(tone, glyph), style.paint(Tone::Strong, &format!("{of}{becomes}")));
    let taken = 3 + style.plain(&format!("{of}{becomes}")).chars().count();
    if taken > style.width / 2 {
        return format!("{}\n", named.trim_end()) + &style.block("    ", 4, Tone::Plain, &decided);
    }
    style.block(&named, taken, Tone::Plain, &decided)
}

/// The way of a whole group, from the first route on.
fn together(way: &Way, numbers: &Numbers, style: Style) -> String {
    let route = |stage: &Stage| stage.route.as_ref().map_or_else(|| "no route".to_owned(), Route::brief);
    let mut out = String::new();
    for (at, stage) in way.stages.iter().enumerate() {
        let text = match at {
            0 => format!("{}: {}", stage.namespace, route(stage)),
            _ => format!("{}: in {}, {}, {}", stage.namespace, devices(stage), rule(stage, numbers), route(stage)),
        };
        out += &style.block("    ", 4, Tone::Faint, &text);
    }
    if let Some(elsewhere) = way.elsewhere {
        out += &style.block("    ", 4, Tone::Faint, elsewhere);
    }
    out
}

fn devices(stage: &Stage) -> String {
    let names: Vec<&str> = stage.enters.iter().map(crate::net::IfName::as_str).collect();
    if names.is_empty() { "no device".to_owned() } else { names.join(" or ") }
}

fn rule(stage: &Stage, numbers: &Numbers) -> String {
    match &stage.rule {
        Some(rule) => match rule.table() {
            Some(table) => numbers.named(&format!("rule {} {} → table {table}", rule.priority, rule.selector())),
            None => format!("rule {rule}"),
        },
        None => "no rule".to_owned(),
    }
}

fn price(cost: &Cost, style: Style) -> String {
    let mut out = style.heading(&format!("What the node takes of external network {}", cost.external_network));
    let mut table = Table::new(vec![
        Column::new("", Shrink::Text(14)),
        Column::new("ADDRESSES", Shrink::Text(9)),
        Column::new("MACS", Shrink::Text(4)),
        Column::new("BECAUSE", Shrink::Text(20)),
    ]);
    let fips = count(cost.floating_ips, "floating IP");
    let mac = cost.mac.map(|mac| format!(" ({mac})")).unwrap_or_default();
    for (what, addresses, macs, why) in [
        ("with one fg", cost.addresses(), cost.macs(), format!("{}{mac} answers for {fips}", cost.device)),
        (
            "with a port per router",
            cost.addresses_with_a_port_per_router(),
            cost.macs_with_a_port_per_router(),
            format!("{} with an address each, {fips}", count(cost.routers, "router")),
        ),
    ] {
        table.row(vec![what.into(), addresses.to_string().into(), macs.to_string().into(), Cell::from(why)]);
    }
    out += &table.render(style);
    out
}
