//! The tracked connections of a floating IP: how many, which of them are from
//! another day, and the selected one in full.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::pen::{Pen, lines};
use super::{empty, overview};
use crate::net::netfilter::protocol_word;
use crate::net::{ConntrackEntry, ConntrackTuple, printable};
use crate::tui::layout;
use crate::tui::state::State;
use crate::tui::tracked::{TrackedRow, TrackedView};
use crate::tui::words::{Mark, count, short_netns, span};

/// Bits of `enum ip_conntrack_status` (`nf_conntrack_common.h`).
const STATUS: [(u32, &str); 6] = [
    (1 << 1, "answered"),
    (1 << 2, "assured"),
    (1 << 4, "SNAT"),
    (1 << 5, "DNAT"),
    (1 << 9, "dying"),
    (1 << 14, "offloaded"),
];

/// The column of the detail's values.
const VALUE: u16 = 14;

pub(super) fn draw(state: &State, view: &TrackedView, body: Rect, buffer: &mut Buffer) {
    let theme = &state.theme;
    if view.read.is_none() {
        return empty::paragraph(theme, body, buffer, None, "reading the connections…", &[]);
    }
    let parts = layout::findings(view.rows.len(), body);
    let (mark, text) = answer(view);
    let mut pen = Pen::new(buffer, parts.answer);
    pen.write(" ", theme.text).mark(mark, theme).write(" ", theme.text).fit(&text, mark.style(theme));
    for (line, (at, row)) in lines(parts.list).zip(view.rows.iter().enumerate().skip(view.list.offset)) {
        let mark = if row.outlived.is_some() { Mark::Degraded } else { Mark::Ok };
        let mut pen = Pen::new(buffer, line);
        pen.to(1).mark(mark, theme).write(" ", theme.text).cell(&counted(row), 9, theme.dim);
        pen.fit(&words(&row.entry), theme.text);
        if at == view.list.cursor {
            overview::select(state, line, buffer);
        }
    }
    if let Some(row) = view.current() {
        detail(state, row, parts.detail, buffer);
    }
}

/// The screen's one question: are there connections from another day?
fn answer(view: &TrackedView) -> (Mark, String) {
    let label = view.fip.label();
    let places = view.read.iter().flatten();
    let failed = places.clone().find_map(|place| Some((&place.namespace, place.entries.as_ref().err()?)));
    let left_out: usize = places.map(|place| place.left_out).sum();
    let more = if left_out > 0 { format!("; {left_out} more are not listed") } else { String::new() };
    let old = view.rows.iter().filter(|row| row.outlived.is_some()).count();
    let all = count(view.rows.len(), "tracked connection", "tracked connections");
    match (failed, old, view.rows.len()) {
        (Some((name, why)), ..) => {
            let name = short_netns(name.as_str());
            let why = printable(why.lines().next().unwrap_or_default(), 200);
            (Mark::Unknown, format!("The connections in {name} could not be read: {why}"))
        }
        (None, 1.., _) => {
            let text = format!("{old} of {all} of {label} translated as no new one would be (DVR406){more}");
            (Mark::Degraded, text)
        }
        (None, 0, 0) => (Mark::None, format!("No connection of {label} is tracked")),
        (None, 0, _) => (Mark::Ok, format!("{all} of {label}, none belongs to a former association{more}")),
    }
}

/// Packets, where the kernel counts them.
fn counted(row: &TrackedRow) -> String {
    row.packets().map_or_else(|| "–".to_owned(), |packets| format!("{packets} pkt"))
}

/// A connection in a line: its ends, what they become, when it ends.
pub(super) fn words(entry: &ConntrackEntry) -> String {
    let proto = entry.original.proto;
    let proto = protocol_word(proto).map_or_else(|| format!("protocol {proto}"), str::to_owned);
    let (original, reply) = (&entry.original, &entry.reply);
    let seen = |address, port, before: (std::net::IpAddr, Option<u16>), word| {
        if (address, port) == before { String::new() } else { format!(" {word} {}", end(address, port)) }
    };
    let source = seen(reply.dst, reply.dport, (original.src, original.sport), "as");
    let destination = seen(reply.src, reply.sport, (original.dst, original.dport), "to");
    let left = entry.timeout.map(|seconds| format!("  ends in {}", span(seconds.into()))).unwrap_or_default();
    format!("{proto} {}{source}{destination}{left}", tuple(original))
}

fn tuple(tuple: &ConntrackTuple) -> String {
    format!("{} → {}", end(tuple.src, tuple.sport), end(tuple.dst, tuple.dport))
}

fn end(address: std::net::IpAddr, port: Option<u16>) -> String {
    port.map_or_else(|| address.to_string(), |port| std::net::SocketAddr::new(address, port).to_string())
}

/// What became of a connection so far.
pub(super) fn status(entry: &ConntrackEntry) -> String {
    let status: Vec<&str> = STATUS.iter().filter(|(bit, _)| entry.status & bit != 0).map(|(_, word)| *word).collect();
    if status.is_empty() { "not answered".to_owned() } else { status.join(", ") }
}

fn detail(state: &State, row: &TrackedRow, area: Rect, buffer: &mut Buffer) {
    let theme = &state.theme;
    let entry = &row.entry;
    let numbers = |count: Option<(u64, u64)>| match count {
        Some((packets, bytes)) => format!("   {packets} packets, {bytes} bytes"),
        None => "   not counted: net.netfilter.nf_conntrack_acct is off".to_owned(),
    };
    let mut all = vec![
        ("in", printable(row.namespace.as_str(), 64)),
        ("original", format!("{}{}", tuple(&entry.original), numbers(entry.original_count))),
        ("reply", format!("{}{}", tuple(&entry.reply), numbers(entry.reply_count))),
        ("status", status(entry)),
    ];
    if let Some(seconds) = entry.timeout {
        all.push(("ends", format!("in {} without another packet", span(seconds.into()))));
    }
    let age = entry.started.map(|started| {
        let now = u128::try_from(state.now.as_nanosecond()).unwrap_or(0);
        let seconds = now.saturating_sub(started.into()) / 1_000_000_000;
        span(u64::try_from(seconds).unwrap_or(u64::MAX))
    });
    all.push(("age", age.unwrap_or_else(|| "not kept: net.netfilter.nf_conntrack_timestamp is off".to_owned())));
    if entry.zone != 0 || entry.mark != 0 {
        all.push(("zone, mark", format!("{}, {:#x}", entry.zone, entry.mark)));
    }
    let mut rows = lines(area);
    if let (Some((floating, fixed)), Some(row)) = (row.outlived, rows.next()) {
        let text = format!("DVR406: still translates {floating} to {fixed}, which no rule does today");
        let mut pen = Pen::new(buffer, row);
        pen.to(1).mark(Mark::Degraded, theme).write(" ", theme.text).fit(&text, theme.degraded);
    }
    for (row, (title, value)) in rows.zip(all) {
        Pen::new(buffer, row).to(1).write(title, theme.title).to(VALUE).fit(&value, theme.text);
    }
}
