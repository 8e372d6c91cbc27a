//! The node at a glance: the answer, then one row a floating IP.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Style};
use unicode_width::UnicodeWidthStr;

use super::pen::{Pen, lines};
use super::{banner, empty, traffic};
use crate::check::Finding;
use crate::net::printable;
use crate::topology::{ExternalNetwork, FipState, FloatingIp, NodeKind, Router, Topology};
use crate::tui::judged::name;
use crate::tui::layout;
use crate::tui::overview::{Heading, Row, Section, SortKey, Widths};
use crate::tui::state::{Node, State};
use crate::tui::words::{Mark, count, fault, router_word, short, short_netns, state_text};

/// Columns in front: the cursor's mark, the state's glyph, a blank.
const FRONT: u16 = 3;

pub(super) fn draw(state: &State, node: &Node, body: Rect, buffer: &mut Buffer) {
    let parts = layout::overview(body);
    let topology = &*node.topology;
    let mut pen = Pen::new(buffer, parts.answer);
    let (mark, text) = answer(state, node);
    pen.write(" ", state.theme.text).mark(mark, &state.theme).write(" ", state.theme.text);
    pen.fit(&text, mark.style(&state.theme));
    if empty::no_rows(state, node, parts.list, buffer) {
        return;
    }
    titles(state, parts.titles, buffer);
    let (plain, rates) = traffic::beside(state, parts.list);
    let columns = columns(plain, state.overview.widths);
    let list = &state.overview.list;
    for (at, row) in lines(parts.list).zip(list.offset..) {
        match state.overview.rows.get(row) {
            None => break,
            Some(Row::Heading(heading)) => section(state, topology, *heading, at, buffer),
            Some(content) => {
                item(state, node, content, &columns, at, buffer);
                if let Row::Fip(fip) = content {
                    let rates = Rect { y: at.y, height: 1, ..rates };
                    traffic::rates_of(state, topology.fip(*fip), rates, buffer);
                }
                if row == list.cursor {
                    select(state, at, buffer);
                }
            }
        }
    }
}

/// The columns that there is room for. What can be looked up one key away goes
/// first when there is not.
pub(in crate::tui) fn columns(area: Rect, widths: Widths) -> Vec<(SortKey, Rect)> {
    let mut all = vec![
        (SortKey::FloatingIp, widths.floating),
        (SortKey::FixedIp, widths.fixed),
        (SortKey::Router, if area.width >= 110 { 24 } else { 8 }),
        (SortKey::Rule, 13),
        (SortKey::State, 12),
    ];
    let need = |all: &[(SortKey, u16)]| FRONT + all.iter().map(|(_, width)| width + 2).sum::<u16>() - 2;
    for unneeded in [SortKey::Rule, SortKey::Router, SortKey::FixedIp] {
        if need(&all) > area.width {
            all.retain(|(key, _)| *key != unneeded);
        }
    }
    let mut x = area.x.saturating_add(FRONT).min(area.right());
    let mut placed = Vec::with_capacity(all.len());
    for (key, width) in all {
        let left = area.right() - x;
        let width = if key == SortKey::State { left } else { width.min(left) };
        placed.push((key, Rect { x, width, ..area }));
        x = (x + width).saturating_add(2).min(area.right());
    }
    placed
}

fn titles(state: &State, area: Rect, buffer: &mut Buffer) {
    let sort = state.overview.sort;
    let (plain, rates) = traffic::beside(state, area);
    traffic::rates_of(state, None, rates, buffer);
    for (key, column) in columns(plain, state.overview.widths) {
        let mut pen = Pen::new(buffer, column);
        if key == sort.key {
            pen.write(key.title(), state.theme.key).write(if sort.reverse { " ▼" } else { " ▲" }, state.theme.key);
        } else {
            pen.write(key.title(), state.theme.title);
        }
    }
}

/// The screen's one question: do the floating IPs of this node work?
fn answer(state: &State, node: &Node) -> (Mark, String) {
    let topology = &*node.topology;
    let tally = state.overview.tally;
    let all = tally.total();
    let first = |state: FipState| {
        let at = topology.floating_ips.iter().position(|fip| fip.state == state)?;
        let fip = &topology.floating_ips[at];
        let address = fip.floating_ip.or(fip.fixed_ip).map_or_else(|| "?".to_owned(), |it| it.to_string());
        let found = node.judged.worst(at).map(name);
        let (link, word) = state_text(fip);
        Some(format!("{address}, {}", found.unwrap_or_else(|| [link, word].join(" ").trim().to_owned())))
    };
    let of = |number: usize, state: FipState, one: &str, many: &str| {
        let first = first(state).unwrap_or_default();
        let verb = if number == 1 { one } else { many };
        let lead = if number == 1 { "" } else { "first " };
        format!("{number} of {} {verb}: {lead}{first}", count(all, "floating IP", "floating IPs"))
    };
    let blind = topology.blind.len();
    if all == 0 {
        return match (&topology.kind, blind) {
            (NodeKind::Unknown(_), _) => (Mark::Unknown, "The namespaces of this node could not be listed".to_owned()),
            (NodeKind::L3, 1..) => {
                let parts = count(blind, "part", "parts");
                (Mark::Unknown, format!("No floating IP was seen, but {parts} of the node could not be read: try sudo"))
            }
            (NodeKind::Ovn, _) => (Mark::None, "ML2/OVN: no floating IPs in namespaces".to_owned()),
            (NodeKind::None, _) => (Mark::None, "Nothing of Neutron's routing stands here".to_owned()),
            (NodeKind::L3, 0) => (Mark::None, "No floating IPs on this node".to_owned()),
        };
    }
    if tally.broken > 0 {
        return (Mark::Broken, of(tally.broken, FipState::Broken, "is broken", "are broken"));
    }
    if tally.degraded > 0 {
        let text = of(tally.degraded, FipState::Degraded, "works with a fault", "work with a fault");
        return (Mark::Degraded, text);
    }
    if tally.unknown > 0 {
        return (Mark::Unknown, of(tally.unknown, FipState::Unknown, "cannot be judged", "cannot be judged"));
    }
    let every = if all == 1 { "The one floating IP holds".to_owned() } else { format!("All {all} floating IPs hold") };
    let but = if blind > 0 { format!("; {} could not be read", count(blind, "part", "parts")) } else { String::new() };
    (Mark::Ok, format!("{every}, link by link{but}"))
}

/// A group's name, what is to be said of it, and at the end how it fares.
fn section(state: &State, topology: &Topology, heading: Heading, area: Rect, buffer: &mut Buffer) {
    let theme = &state.theme;
    let mut parts: Vec<(String, Style)> = Vec::new();
    match heading.section {
        Section::Blind => parts.push(("could not be read".to_owned(), theme.unknown)),
        Section::Network(at) => {
            if let Some(network) = topology.external_networks.get(at) {
                let word = if area.width >= 100 { "network" } else { "net" };
                parts.push((format!("{word} {}", short(&network.id)), theme.heading));
                parts.extend(gateway(state, network));
            }
        }
        Section::NoNetwork => parts.push(("distributed, no fip namespace here".to_owned(), theme.heading)),
        Section::Centralized => parts.push(("centralized, in the snat namespace".to_owned(), theme.heading)),
        Section::Legacy => parts.push(("legacy routers".to_owned(), theme.heading)),
        Section::Routers => parts.push(("routers without floating IPs".to_owned(), theme.heading)),
    }
    let said: usize = parts.iter().map(|(text, _)| text.width() + 2).sum();
    let tail = if heading.tally.total() > 0 { banner::tally_width(heading.tally) } else { 0 };
    let tail = if said + 3 + usize::from(tail) <= usize::from(area.width) { tail } else { 0 };
    let mut pen = Pen::new(buffer, Rect { width: area.width - tail, ..area });
    pen.write(" ─ ", theme.border);
    for (at, (text, style)) in parts.iter().enumerate() {
        pen.write(if at == 0 { "" } else { "  " }, theme.text).fit(text, *style);
    }
    pen.write(" ", theme.border).fill("─", 1, theme.border);
    if tail > 0 {
        let mut pen = Pen::new(buffer, Rect { x: area.right() - tail, width: tail, ..area });
        banner::tally(state, heading.tally, &mut pen);
    }
}

fn gateway(state: &State, network: &ExternalNetwork) -> Vec<(String, Style)> {
    let theme = &state.theme;
    let Some(port) = &network.gateway_port else {
        return vec![(format!("{} no fg port", Mark::Broken.glyph()), theme.broken)];
    };
    let mut parts = vec![(port.device.to_string(), theme.text)];
    if port.state != "up" {
        parts.push((format!("{} {}", Mark::Broken.glyph(), port.state), theme.broken));
    }
    let mut addresses: Vec<String> = port.addresses.iter().map(ToString::to_string).collect();
    let gateways: Vec<String> = network.gateways.iter().map(ToString::to_string).collect();
    if !gateways.is_empty() {
        addresses.push(format!("→ {}", gateways.join(" ")));
    }
    parts.push((addresses.join(" "), theme.text));
    parts
}

fn item(state: &State, node: &Node, row: &Row, columns: &[(SortKey, Rect)], area: Rect, buffer: &mut Buffer) {
    let topology = &*node.topology;
    let column = |(key, column): &(SortKey, Rect)| (*key, Rect { y: area.y, height: 1, ..*column });
    match *row {
        Row::Heading(_) => {}
        Row::Fip(at) => {
            let Some(fip) = topology.floating_ips.get(at) else { return };
            Pen::new(buffer, area).to(1).mark(Mark::from(fip.state), &state.theme);
            for (key, area) in columns.iter().map(column) {
                let found = node.judged.worst(at);
                fip_cell(state, topology, (fip, found), key, &mut Pen::new(buffer, area));
            }
        }
        Row::Router(at) => {
            let Some(router) = topology.routers.get(at) else { return };
            Pen::new(buffer, area).to(1).mark(Mark::None, &state.theme);
            let narrow = !columns.iter().any(|(key, _)| *key == SortKey::Router);
            for (key, area) in columns.iter().map(column) {
                let mut pen = Pen::new(buffer, area);
                match key {
                    SortKey::Router => router_cell(state, &router.id, Some(router), &mut pen),
                    SortKey::FloatingIp if narrow => router_cell(state, &router.id, Some(router), &mut pen),
                    SortKey::State => {
                        pen.fit("no floating IPs", state.theme.dim);
                    }
                    _ => {
                        pen.write("–", state.theme.dim);
                    }
                }
            }
        }
        Row::Blind(at) => {
            let Some(blind) = topology.blind.get(at) else { return };
            let place = blind.namespace.as_ref().map_or("host".to_owned(), |name| short_netns(name.as_str()));
            let mut pen = Pen::new(buffer, area);
            pen.to(1).mark(Mark::Unknown, &state.theme).to(FRONT).fit(&place, state.theme.text);
            pen.write("  ", state.theme.text);
            let text = format!("{}: {}", printable(&blind.part, 40), printable(&blind.why, 200));
            pen.fit(&text, state.theme.unknown);
        }
    }
}

fn fip_cell(
    state: &State,
    topology: &Topology,
    (fip, found): (&FloatingIp, Option<&Finding>),
    key: SortKey,
    pen: &mut Pen,
) {
    let theme = &state.theme;
    match key {
        SortKey::FloatingIp | SortKey::FixedIp => {
            let address = if key == SortKey::FloatingIp { fip.floating_ip } else { fip.fixed_ip };
            match address {
                Some(address) => pen.fit(&address.to_string(), theme.text),
                None => pen.write("–", theme.dim),
            };
        }
        SortKey::Router => router_cell(state, &fip.router, topology.router(&fip.router), pen),
        SortKey::Rule => {
            match fip.rule_priority {
                Some(priority) => pen.fit(&format!("{priority} → 16"), theme.text),
                None => pen.write("–", theme.dim),
            };
        }
        SortKey::State => {
            let mark = Mark::from(fip.state);
            if let Some(finding) = found {
                pen.fit(&name(finding), mark.style(theme));
                if pen.room() > 24 {
                    pen.write("  ", theme.text).fit(&printable(&finding.message, 200), theme.dim);
                }
                return;
            }
            let (link, word) = state_text(fip);
            let text = if link.is_empty() { word.to_owned() } else { format!("{link} {word}") };
            pen.fit(&text, mark.style(theme));
            if let Some((_, link)) = fault(fip)
                && let Some(found) = &link.actual
                && pen.room() > 24
            {
                pen.write("  ", theme.text).fit(&printable(found, 200), theme.dim);
            }
        }
    }
}

/// The short id; with room, how it routes.
fn router_cell(state: &State, id: &str, router: Option<&Router>, pen: &mut Pen) {
    pen.fit(&short(id), state.theme.text);
    if let Some(router) = router.filter(|_| pen.room() > 14) {
        pen.write("  ", state.theme.text).fit(router_word(router.kind), state.theme.dim);
    }
}

/// Shows the cursor; what carries a state keeps its colour.
pub(super) fn select(state: &State, area: Rect, buffer: &mut Buffer) {
    let selected = state.theme.selected;
    let around = Style { fg: None, ..selected };
    let quiet = [Some(Color::Reset), state.theme.dim.fg, state.theme.border.fg];
    for position in area.intersection(buffer.area).positions() {
        let cell = &mut buffer[position];
        let plain = quiet.contains(&Some(cell.fg));
        cell.set_style(if plain { selected } else { around });
    }
    Pen::new(buffer, area).write(crate::tui::theme::glyph::MARKER, state.theme.name);
}
