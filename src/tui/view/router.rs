//! One router at a glance: its three classes drawn through their namespaces,
//! every way of them, the selected one step by step, and what the node costs
//! the external network.

mod picture;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::pen::{Pen, lines, wrap};
use super::{empty, overview};
use crate::net::{IfName, Rule, printable};
use crate::path::{Cost, Glance, Stage, Way};
use crate::tui::layout;
use crate::tui::namespace::table_meaning;
use crate::tui::router::{Band, RouterView, WayRow};
use crate::tui::state::{Node, State};
use crate::tui::theme::Theme;
use crate::tui::words::{Mark, count, router_word, short, short_netns};

/// The column of the evidence's values.
const VALUE: u16 = 14;
/// Columns of the last minute, one an interval.
const MINUTE: usize = 30;

pub(super) fn draw(state: &State, view: &RouterView, node: &Node, body: Rect, buffer: &mut Buffer) {
    let theme = &state.theme;
    let Some(glance) = &view.glance else {
        let text = format!("Router {} is not on this node any more. Esc goes back.", short(&view.id));
        return empty::paragraph(theme, body, buffer, Some(Mark::None), &text, &[]);
    };
    let parts = layout::router(view, body);
    title(theme, glance, parts.title, buffer);
    for (row, line) in lines(parts.cost).zip(cost(glance, parts.cost.width)) {
        Pen::new(buffer, row).write(" ", theme.text).fit(&line, theme.text);
    }
    picture::draw(theme, view, parts.picture, buffer);
    picture::rates(state, view, parts.picture, buffer);
    list(state, view, glance, parts.list, buffer);
    if let Some((band, at)) = view.current()
        && let Some(way) = band.ways(glance).get(at)
    {
        evidence(theme, node, band, way, parts.evidence, buffer);
    }
}

/// The style of a class; its name always stands beside it.
pub(super) fn style(theme: &Theme, band: Band) -> Style {
    match band {
        Band::EastWest => theme.east_west,
        Band::Snat => theme.snat,
        Band::Fip => theme.fip,
    }
}

/// What the node takes of the external network, in as many lines as there are.
pub(in crate::tui) fn cost(glance: &Glance, width: u16) -> Vec<String> {
    let text = glance.cost.as_ref().map_or_else(|| "No port of an external network stands here".to_owned(), price);
    wrap(&text, usize::from(width.saturating_sub(2)))
}

fn title(theme: &Theme, glance: &Glance, area: Rect, buffer: &mut Buffer) {
    let mut pen = Pen::new(buffer, area);
    pen.write(" router ", theme.dim).fit(&printable(&glance.router, 40), theme.name);
    let layout = glance.layout.map(|layout| format!("layout {}", layout.word()));
    let network = glance.cost.as_ref().map(|cost| format!("network {}", short(&cost.external_network)));
    for fact in [Some(router_word(glance.kind).to_owned()), layout, network].into_iter().flatten() {
        if usize::from(pen.room()) > fact.len() + 3 {
            pen.write("   ", theme.text).write(&fact, theme.dim);
        }
    }
}

fn price(cost: &Cost) -> String {
    let took = |addresses: usize, macs: usize| {
        format!("{} and {}", count(addresses, "address", "addresses"), count(macs, "MAC", "MACs"))
    };
    let with = took(cost.addresses_with_a_port_per_router(), cost.macs_with_a_port_per_router());
    let each = match cost.routers {
        0 | 1 => "a port per router".to_owned(),
        many => format!("a port for each of its {many} routers"),
    };
    format!(
        "The node takes {} of its external network: {} for {}, and {}; {each} would take {with}",
        took(cost.addresses(), cost.macs()),
        if cost.own.is_empty() { "no address".to_owned() } else { cost.own[0].to_string() },
        printable(cost.device.as_str(), 16),
        count(cost.floating_ips, "floating IP", "floating IPs"),
    )
}

fn list(state: &State, view: &RouterView, glance: &Glance, area: Rect, buffer: &mut Buffer) {
    let theme = &state.theme;
    for (line, (at, row)) in lines(area).zip(view.rows.iter().enumerate().skip(view.list.offset)) {
        let mut pen = Pen::new(buffer, line);
        match *row {
            WayRow::Heading(band) => {
                let ways = band.ways(glance).len();
                pen.write(" ─ ", theme.border).write(band.title(), style(theme, band));
                pen.write(&format!(" {ways}"), theme.dim).write("  ", theme.text);
                if let Some(([packets, bits], past)) = super::traffic::rates(state, &view.id, band, MINUTE) {
                    pen.write(&format!("{packets} packets/s  {bits} bit/s  "), theme.text);
                    pen.write(&past, style(theme, band)).write("  ", theme.text);
                }
                pen.fit(band.about(), theme.dim);
            }
            WayRow::Empty(band) => {
                pen.to(2).mark(Mark::None, theme).write(" ", theme.text).fit(band.none(), theme.dim);
            }
            WayRow::Way(band, index) => {
                let way = &band.ways(glance)[index];
                let mark = way.state.map_or(Mark::None, Mark::from);
                pen.to(2).mark(mark, theme).write(" ", theme.text).cell(&whose(way), 26, theme.text);
                pen.write(" ", theme.text).fit(&told(way), theme.text);
            }
        }
        if at == view.list.cursor && matches!(row, WayRow::Way(..)) {
            overview::select(state, line, buffer);
        }
    }
}

/// Whose way it is, and what its source becomes.
fn whose(way: &Way) -> String {
    let host = |net: ipnet::IpNet| {
        if net.prefix_len() == net.max_prefix_len() { net.addr().to_string() } else { net.to_string() }
    };
    let of = way.of.map_or_else(|| "unknown".to_owned(), host);
    match way.stages.iter().find_map(|stage| stage.translated) {
        Some((_, after)) => format!("{of} → {after}"),
        None => of,
    }
}

/// The way in one line: a namespace's device, rule and route after another.
fn told(way: &Way) -> String {
    let each = |stage: &Stage| {
        let rule = stage.rule.as_ref().map_or_else(|| "no rule".to_owned(), |rule| format!("rule {}", rule.priority));
        let out = stage.leaves().map_or_else(|| "no route".to_owned(), |device| format!("out by {device}"));
        let to = stage.to().map(|to| format!(" to {to}")).unwrap_or_default();
        printable(&format!("in by {}, {rule}, {out}{to}", devices(stage)), 200)
    };
    let stages: Vec<String> = way.stages.iter().map(each).collect();
    let mut text = stages.join("; ");
    if let Some(elsewhere) = way.elsewhere {
        text.push_str("; ");
        text.push_str(elsewhere);
    }
    text
}

fn devices(stage: &Stage) -> String {
    let names: Vec<&str> = stage.enters.iter().map(IfName::as_str).collect();
    if names.is_empty() { "no device".to_owned() } else { names.join(" or ") }
}

/// The selected way, namespace by namespace.
fn evidence(theme: &Theme, node: &Node, band: Band, way: &Way, area: Rect, buffer: &mut Buffer) {
    let mut rows = lines(area);
    let Some(first) = rows.next() else { return };
    let mut pen = Pen::new(buffer, first);
    pen.write(" ", theme.text).mark(way.state.map_or(Mark::None, Mark::from), theme).write(" ", theme.text);
    pen.write(band.title(), style(theme, band)).write("  ", theme.text).fit(&whose(way), theme.key);
    let mut all: Vec<(&str, String, Style)> = Vec::new();
    for stage in &way.stages {
        all.push(("in", format!("{}  by {}", short_netns(stage.namespace.as_str()), devices(stage)), theme.heading));
        let rule = stage.rule.as_ref().map_or_else(|| "none stands".to_owned(), ToString::to_string);
        all.push(("rule", rule, if stage.rule.is_some() { theme.text } else { theme.broken }));
        let route = stage.route.as_ref().map_or_else(|| "none stands".to_owned(), ToString::to_string);
        let meaning = stage.rule.as_ref().and_then(Rule::table);
        let meaning = meaning.and_then(|table| table_meaning(&node.topology, &stage.namespace, table));
        let meaning = meaning.map(|text| format!("   ({text})")).unwrap_or_default();
        let style = if stage.route.is_some() { theme.text } else { theme.broken };
        all.push(("route", format!("{route}{meaning}"), style));
        if let Some((_, after)) = stage.translated {
            all.push(("becomes", after.to_string(), theme.packet));
        }
    }
    all.extend(way.elsewhere.map(|text| ("then", text.to_owned(), theme.dim)));
    for (row, (label, text, style)) in rows.zip(all) {
        Pen::new(buffer, row).to(3).write(label, theme.title).to(VALUE).fit(&printable(&text, 300), style);
    }
}
