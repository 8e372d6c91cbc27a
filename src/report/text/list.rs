//! `fipscope list`: how many are broken, then external network by external
//! network its floating IPs, the broken ones first, then the routers.

use unicode_width::UnicodeWidthStr;

use super::{about, count, not_read, or_dash, other_kind, short_ids};
use crate::check::{Standing, states};
use crate::net::Snapshot;
use crate::report::Judged;
use crate::report::style::{Style, Tone, cut, fip_mark, fip_word, link_word};
use crate::report::table::{Cell, Column, Shrink, Table};
use crate::topology::{
    ChainLink, ExternalNetwork, FipKind, FipState, FloatingIp, LinkState, Router, RouterKind, Topology,
};

/// External networks, routers and floating IPs of the node.
pub fn list(snapshot: &Snapshot, topology: &Topology, judged: Judged<'_>, style: Style) -> String {
    let states = states(topology, judged.findings);
    let rows: Vec<Row<'_>> = topology.fips().zip(&states).collect();
    let node = cut(&style.plain(&snapshot.node), 40, style.ascii);
    let lead = format!("{}   ", style.ink(Tone::Strong, &node));
    let mut out = style.block(&lead, node.width() + 3, Tone::Plain, &about(snapshot));
    if let Some(text) = other_kind(topology, style) {
        out += &text;
        if topology.routers.is_empty() && topology.external_networks.is_empty() {
            return out + &not_read(topology.blind.iter(), style);
        }
    }
    out += &summary(&rows, style);
    let ids = short_ids(topology.routers.iter().map(|router| router.id.as_str()));
    for network in &topology.external_networks {
        out += &network_lines(network, style);
        let here = |row: &&Row<'_>| row.0.external_network.as_ref() == Some(&network.id);
        out += &floating_ips(rows.iter().filter(here).copied().collect(), ids, style);
    }
    let known = |fip: &FloatingIp| {
        topology.external_networks.iter().any(|network| fip.external_network.as_ref() == Some(&network.id))
    };
    let elsewhere: Vec<Row<'_>> = rows.iter().filter(|row| !known(row.0)).copied().collect();
    if !elsewhere.is_empty() {
        out += &style.heading("External network without a fip namespace on this node");
        out += &floating_ips(elsewhere, ids, style);
    }
    out += &routers(topology, ids, style);
    out + &not_read(topology.blind.iter(), style)
}

/// A floating IP and what it comes to.
type Row<'a> = (&'a FloatingIp, &'a Standing<'a>);

fn summary(rows: &[Row<'_>], style: Style) -> String {
    let all = rows.len();
    let states = [FipState::Broken, FipState::Degraded, FipState::Unknown, FipState::Ok];
    let parts: Vec<String> = states
        .into_iter()
        .filter_map(|state| {
            let number = rows.iter().filter(|row| row.1.state == state).count();
            let (glyph, tone) = fip_mark(state);
            (number > 0).then(|| style.paint(tone, &format!("{glyph} {number} {}", fip_word(state))))
        })
        .collect();
    format!("{}   {}\n", count(all, "floating IP"), parts.join("   ")).trim_end().to_owned() + "\n"
}

fn network_lines(network: &ExternalNetwork, style: Style) -> String {
    let mut out = style.heading(&format!("External network {}", network.id));
    let gateways: Vec<String> = network.gateways.iter().map(ToString::to_string).collect();
    let gateways =
        if gateways.is_empty() { "no gateway".to_owned() } else { format!("gateway {}", gateways.join(", ")) };
    out += &match &network.gateway_port {
        Some(port) => {
            let addresses: Vec<String> = port.addresses.iter().map(ToString::to_string).collect();
            let addresses = if addresses.is_empty() { "no address".to_owned() } else { addresses.join(", ") };
            let mark = if port.state == "up" { ("✓", Tone::Good) } else { ("✗", Tone::Bad) };
            style.marked(mark, &format!("{} {}, {addresses}, {gateways}", port.device, port.state))
        }
        None => style.marked(("?", Tone::Unsure), &format!("no agent gateway port (fg), {gateways}")),
    };
    out
}

fn floating_ips(mut rows: Vec<Row<'_>>, ids: usize, style: Style) -> String {
    if rows.is_empty() {
        return style.marked(("·", Tone::Faint), "no floating IP");
    }
    let urgency = |state| match state {
        FipState::Broken => 0,
        FipState::Degraded => 1,
        FipState::Unknown => 2,
        FipState::Ok => 3,
    };
    rows.sort_by_key(|row| urgency(row.1.state));
    let mut table = Table::new(vec![
        Column::new("", Shrink::Text(1)),
        Column::new("FLOATING IP", Shrink::Text(15)),
        Column::new("FIXED IP", Shrink::Text(15)),
        Column::new("ROUTER", Shrink::Id(ids)),
        Column::new("HOW", Shrink::Text(11)),
        Column::new("STATE", Shrink::Text(12)),
    ]);
    for (fip, standing) in rows {
        let (glyph, tone) = fip_mark(standing.state);
        table.row(vec![
            Cell::new(tone, glyph),
            or_dash(fip.floating_ip).into(),
            or_dash(fip.fixed_ip).into(),
            fip.router.as_str().into(),
            how(fip).into(),
            Cell::new(tone, verdict(fip, standing)),
        ]);
    }
    table.render(style)
}

fn how(fip: &FloatingIp) -> String {
    match (fip.kind, fip.rule_priority) {
        (FipKind::Centralized, _) => "centralized".to_owned(),
        (FipKind::Legacy, _) => "legacy".to_owned(),
        (FipKind::Distributed, Some(priority)) => format!("rule {priority}"),
        (FipKind::Distributed, None) => "no rule".to_owned(),
    }
}

/// The finding that makes the state what it is, else the state, and the first
/// link that makes it so.
fn verdict(fip: &FloatingIp, standing: &Standing<'_>) -> String {
    let word = fip_word(standing.state);
    match standing.worst() {
        Some(finding) if finding.is_fault() => return format!("{} {}", finding.code, finding.name),
        Some(finding) if finding.is_doubt() && standing.state == FipState::Unknown => {
            return format!("{word}: {} {}", finding.code, finding.name);
        }
        _ => {}
    }
    let guilty = |link: &&ChainLink| match standing.state {
        FipState::Ok => false,
        FipState::Broken => !link.advisory && matches!(link.state, LinkState::Missing | LinkState::Wrong),
        FipState::Degraded => matches!(link.state, LinkState::Missing | LinkState::Wrong),
        FipState::Unknown => link.state == LinkState::Unknown,
    };
    match fip.outbound.iter().chain(&fip.inbound).find(guilty) {
        Some(link) if link.state == LinkState::Unknown => format!("{word}: {}", link.link.title()),
        Some(link) => format!("{word}: {} {}", link.link.title(), link_word(link.state)),
        None => word.to_owned(),
    }
}

fn routers(topology: &Topology, ids: usize, style: Style) -> String {
    if topology.routers.is_empty() {
        return String::new();
    }
    let networks = short_ids(topology.external_networks.iter().map(|network| network.id.as_str()));
    let mut table = Table::new(vec![
        Column::new("ROUTER", Shrink::Id(ids)),
        Column::new("KIND", Shrink::Text(11)),
        Column::new("LAYOUT", Shrink::Text(6)),
        Column::new("NETWORK", Shrink::Id(networks)),
        Column::new("PAIR (RFP)", Shrink::Text(11)),
        Column::new("SUBNETS", Shrink::Text(13)),
    ]);
    for router in &topology.routers {
        let addresses = router.internal.iter().flat_map(|port| &port.addresses);
        let subnets: Vec<String> = addresses.map(ToString::to_string).collect();
        table.row(vec![
            router.id.as_str().into(),
            kind(router).into(),
            Cell::or_dash(router.layout.map(crate::neutron::Layout::word)),
            Cell::or_dash(router.external_network.as_deref()),
            Cell::or_dash(router.rtr_2_fip.as_ref().map(|end| match end.address {
                Some(address) => address.to_string(),
                None => "no address".to_owned(),
            })),
            Cell::or_dash((!subnets.is_empty()).then(|| subnets.join(", "))),
        ]);
    }
    style.heading("Routers") + &table.render(style)
}

fn kind(router: &Router) -> &'static str {
    match router.kind {
        RouterKind::Distributed => "distributed",
        RouterKind::DistributedHa => "distributed HA",
        RouterKind::Legacy => "legacy",
        RouterKind::LegacyHa => "legacy HA",
    }
}
