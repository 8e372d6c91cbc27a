//! `fipscope traffic`: an interval as a few lines.

use super::count;
use crate::net::netfilter::protocol_word;
use crate::report::style::{Style, Tone};
use crate::report::table::{Cell, Column, Shrink, Table};
use crate::topology::{Direction, FipKind};
use crate::traffic::{FipTraffic, FlowTraffic, Hop, Interval, StopsAt, short};

/// Floating IPs and flows of an interval; JSON has more.
const FIPS: usize = 16;
const FLOWS: usize = 8;

/// What an interval comes to. Floating IPs without a packet are left out, unless
/// there is only the one that was asked for.
pub fn traffic(interval: &Interval, style: Style) -> String {
    let at = jiff::Timestamp::from_nanosecond(interval.end.into()).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    let head = format!("{} UTC   {:.1} s", at.strftime("%H:%M:%S"), interval.seconds);
    let mut out = style.heading(&head);
    out += &classes(interval, style);
    if interval.lost > 0 {
        let words = count(usize::try_from(interval.lost).unwrap_or(usize::MAX), "packet");
        out += &style.marked(("!", Tone::Warning), &format!("{words} lost before they were seen: counts are too low"));
    }
    if interval.unplaced > 0 {
        let words = count(usize::try_from(interval.unplaced).unwrap_or(usize::MAX), "packet");
        out += &style.marked(("?", Tone::Unsure), &format!("{words} of devices that were not there a moment ago"));
    }
    out + &floating_ips(&interval.floating_ips, style) + &flows(&interval.flows, style)
}

fn classes(interval: &Interval, style: Style) -> String {
    let titles = ["", "EAST-WEST", "SNAT", "FIP", "LOCAL", "NONE"];
    let mut table = Table::new(titles.map(|title| Column::new(title, Shrink::Text(4))).into());
    let row = |title: &str, numbers: [u64; 5]| {
        let cells = numbers.map(|number| Cell::from(short(interval.rate(number))));
        std::iter::once(Cell::new(Tone::Faint, title)).chain(cells).collect()
    };
    table.row(row("packets/s", interval.classes.map(|count| count.packets)));
    table.row(row("bits/s", interval.classes.map(|count| count.bytes * 8)));
    table.render(style)
}

fn floating_ips(all: &[FipTraffic], style: Style) -> String {
    let seen = |pair: &&[FipTraffic]| all.len() == 2 || pair.iter().any(|fip| packets(fip) > 0);
    let mut pairs: Vec<&[FipTraffic]> = all.chunks(2).filter(seen).collect();
    if pairs.is_empty() {
        return String::new();
    }
    let is_lost = |pair: &[FipTraffic]| pair.iter().any(|fip| matches!(fip.stops_at, Some(StopsAt::Hop(_))));
    pairs.sort_by_key(|pair| (!is_lost(pair), std::cmp::Reverse(pair.iter().map(packets).sum::<u64>())));
    let text = |title| Column::new(title, Shrink::Text(4));
    let mut table = Table::new(vec![
        text("FLOATING IP"),
        text("WAY"),
        text("1ST HOP"),
        text("2ND"),
        text("3RD"),
        text("4TH"),
        text("STOPS"),
    ]);
    for fip in pairs.iter().take(FIPS).flat_map(|pair| pair.iter()) {
        table.row(row(fip));
    }
    let mut out = table.render(style);
    if pairs.len() > FIPS {
        out += &style.block("", 0, Tone::Faint, &format!("and {} more", count(pairs.len() - FIPS, "floating IP")));
    }
    out
}

fn row(fip: &FipTraffic) -> Vec<Cell> {
    let outbound = fip.direction == Direction::Outbound;
    let mut hops = Hop::chain(fip.id.kind).to_vec();
    if !outbound {
        hops.reverse();
    }
    let mut cells = vec![fip.id.floating_ip.to_string().into(), Cell::from(if outbound { "out" } else { "in" })];
    for at in 0..4 {
        cells.push(match hops.get(at) {
            Some(hop) => match fip.hops[*hop as usize] {
                Some(count) => format!("{} {}", hop.word(), count.packets).into(),
                None => Cell::new(Tone::Unsure, format!("{} ?", hop.word())),
            },
            None => Cell::from(""),
        });
    }
    cells.push(match fip.stops_at {
        None if packets(fip) == 0 => Cell::new(Tone::Faint, "–"),
        None => Cell::new(Tone::Good, "✓"),
        Some(StopsAt::VmSilent) => Cell::new(Tone::Warning, "! the instance does not answer"),
        Some(StopsAt::Hop(hop)) => Cell::new(Tone::Bad, format!("✗ after {}{}", hop.word(), elsewhere(fip, hop))),
    });
    cells
}

/// Where the walk tells why.
fn elsewhere(fip: &FipTraffic, hop: Hop) -> &'static str {
    match (fip.id.kind, fip.direction, hop) {
        (FipKind::Distributed, Direction::Outbound, Hop::Qr) => ": not out through rfp",
        _ => "",
    }
}

fn flows(all: &[FlowTraffic], style: Style) -> String {
    let mut out = String::new();
    for flow in all.iter().take(FLOWS) {
        let proto = protocol_word(flow.proto).map_or_else(|| format!("protocol {}", flow.proto), str::to_owned);
        let detail = flow.detail.map(|detail| format!(" ({})", detail.word())).unwrap_or_default();
        let translated = flow.translated.map(|end| format!(" as {end}")).unwrap_or_default();
        let text = format!("{}{detail} {proto} {} → {}{translated}", flow.class.word(), flow.source, flow.destination);
        let packets = format!("{:>7}  ", flow.count.packets);
        out += &style.block(&packets, packets.len(), Tone::Plain, &text);
    }
    if all.len() > FLOWS {
        out += &style.block("         ", 9, Tone::Faint, &format!("and {}", count(all.len() - FLOWS, "smaller flow")));
    }
    out
}

fn packets(fip: &FipTraffic) -> u64 {
    fip.hops.iter().flatten().map(|count| count.packets).max().unwrap_or(0)
}
