//! `fipscope traffic`: an interval as a few lines.

use super::count;
use super::tracked::tracked;
use crate::net::netfilter::protocol_word;
use crate::report::style::{Style, Tone};
use crate::report::table::{Cell, Column, Shrink, Table};
use crate::topology::Direction;
use crate::traffic::{FipTraffic, FlowTraffic, Health, Interval, StopsAt, short};

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
    let packets = |number: u64| count(usize::try_from(number).unwrap_or(usize::MAX), "packet");
    if interval.lost > 0 {
        let words = count(usize::try_from(interval.lost).unwrap_or(usize::MAX), "frame");
        out += &style.marked(("!", Tone::Warning), &format!("{words} lost before they were seen: counts are too low"));
    }
    if interval.unplaced > 0 {
        let words = packets(interval.unplaced);
        out += &style.marked(("?", Tone::Unsure), &format!("{words} of devices that were not there a moment ago"));
    }
    if interval.forgotten > 0 {
        let words = packets(interval.forgotten);
        out += &style.marked(("?", Tone::Unsure), &format!("{words} in no flow: more flows than can be told apart"));
    }
    let counted =
        |what: &str| style.block("", 0, Tone::Faint, &format!("{what}, packets in {:.1} s:", interval.seconds));
    for (what, told) in
        [("floating IPs by hop", floating_ips(&interval.floating_ips, style)), ("flows", flows(&interval.flows, style))]
    {
        if !told.is_empty() {
            out += &(counted(what) + &told);
        }
    }
    out + &interval.connections.as_ref().map_or_else(String::new, |all| tracked(all, interval.end, style))
}

/// Nothing is left of an interval that a filter narrowed.
pub fn nothing_wanted(style: Style) -> String {
    style.marked(("–", Tone::Faint), "nothing that flowed holds all words of the filter")
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
    let lost = |fip: &FipTraffic| match (fip.stops_at, fip.trouble()) {
        (Some(StopsAt::Hop(_)), _) => 0,
        (_, Some(StopsAt::Hop(_))) => 1,
        _ => 2,
    };
    pairs.sort_by_key(|pair| (pair.iter().map(lost).min(), std::cmp::Reverse(pair.iter().map(packets).sum::<u64>())));
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
    let told: Vec<[&FipTraffic; 2]> = pairs.iter().take(FIPS).flat_map(|pair| both(pair)).collect();
    for [fip, other] in &told {
        table.row(row(fip, fip.health(other)));
    }
    let mut out = table.render(style);
    for [fip, other] in told {
        out += &reason(fip, other, style);
    }
    if pairs.len() > FIPS {
        out += &style.block("", 0, Tone::Faint, &format!("and {} more", count(pairs.len() - FIPS, "floating IP")));
    }
    out
}

/// Each direction of a floating IP, with the other one.
fn both(pair: &[FipTraffic]) -> Vec<[&FipTraffic; 2]> {
    match pair {
        [out, inward] => vec![[out, inward], [inward, out]],
        alone => alone.iter().map(|fip| [fip, fip]).collect(),
    }
}

/// What is missing of a direction's packets, and why.
fn reason(fip: &FipTraffic, other: &FipTraffic, style: Style) -> String {
    let wanted = |health| fip.missing.is_some() || matches!(health, Health::Stops | Health::VmSilent);
    let told = fip.told(other, fip.reason.as_deref()).filter(|told| wanted(told.health));
    told.map_or_else(String::new, |told| {
        let way = if fip.direction == Direction::Outbound { "out" } else { "in" };
        style.block("  ", 2, Tone::Plain, &format!("{} {way} {}", fip.id.floating_ip, told.text))
    })
}

fn row(fip: &FipTraffic, health: Option<Health>) -> Vec<Cell> {
    let outbound = fip.direction == Direction::Outbound;
    let hops = fip.way();
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
    cells.push(match (health, fip.trouble(), fip.missing) {
        (None, ..) => Cell::new(Tone::Faint, "–"),
        (Some(Health::Passes), ..) => Cell::new(Tone::Good, "✓"),
        (Some(Health::OneWay), ..) => Cell::new(Tone::Faint, "– one-way"),
        (Some(Health::NotVisible), ..) => Cell::new(Tone::Unsure, "? not all visible"),
        (Some(Health::Lossy), ..) => Cell::new(Tone::Unsure, "? counts too low"),
        (Some(Health::VmSilent), ..) => Cell::new(Tone::Warning, "! the instance does not answer"),
        (Some(Health::Few), Some(stop), Some(few)) => {
            Cell::new(Tone::Warning, format!("! {} of {} after {}", few.packets, few.of, stop.word()))
        }
        (Some(Health::Few | Health::Stops), stop, _) => {
            Cell::new(Tone::Bad, format!("✗ after {}", stop.map_or("?", StopsAt::word)))
        }
    });
    cells
}

fn flows(all: &[FlowTraffic], style: Style) -> String {
    let mut out = String::new();
    for flow in all.iter().take(FLOWS) {
        let proto = protocol_word(flow.proto).map_or_else(|| format!("protocol {}", flow.proto), str::to_owned);
        let detail = flow.detail.map(|detail| format!(" ({})", detail.word())).unwrap_or_default();
        let translated = flow.translated.map(|end| format!(" as {end}")).unwrap_or_default();
        let stops = match flow.stops_at {
            Some(StopsAt::Hop(hop)) => format!("✗ after {}: ", hop.word()),
            Some(StopsAt::VmSilent) => "! no answer: ".to_owned(),
            None => String::new(),
        };
        let text =
            format!("{stops}{}{detail} {proto} {} → {}{translated}", flow.class.word(), flow.source, flow.destination);
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
