//! The selected floating IP's packets at each hop, both ways, with the hop after
//! which they vanish and the reason.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::super::pen::{Pen, lines, wrap};
use super::{class_style, class_word, flow_words};
use crate::path::Class;
use crate::topology::Direction;
use crate::traffic::{FipTraffic, FlowTraffic, Hop, Interval, StopsAt, short};
use crate::tui::state::Node;
use crate::tui::theme::{Theme, glyph};
use crate::tui::traffic::TrafficView;
use crate::tui::words::Mark;

/// The columns of a direction's word, and of a hop.
const WORD: u16 = 8;
const HOP: u16 = 9;

pub(super) fn draw(theme: &Theme, view: &TrafficView, node: &Node, area: Rect, buffer: &mut Buffer) {
    let Some(heard) = &view.shown else { return };
    let mut rows = lines(area);
    let Some(first) = rows.next() else { return };
    match (view.flow(), view.fip()) {
        (Some(flow), None) => alone(theme, flow, &heard.interval, area, buffer),
        (flow, Some([out, inward])) => {
            title(theme, (flow, &heard.interval), out, node, first, buffer);
            if let Some(row) = rows.next() {
                heads(theme, out, row, buffer);
            }
            for fip in [out, inward] {
                let Some(row) = rows.next() else { return };
                hops(theme, fip, &out.way(), &heard.interval, row, buffer);
            }
            sentences(theme, view, rows, buffer);
        }
        (None, None) => {
            let mut pen = Pen::new(buffer, first);
            pen.to(1).fit("no floating IP is selected", theme.dim);
        }
    }
}

/// What is to be said of the two ways; one that goes well only where there is room.
fn sentences(theme: &Theme, view: &TrafficView, rows: impl Iterator<Item = Rect>, buffer: &mut Buffer) {
    let Some(said) = &view.said else { return };
    let mut told: Vec<(Mark, String)> = Vec::new();
    for (way, sentence) in [("out", &said.told[0]), ("in", &said.told[1])] {
        told.extend(sentence.iter().map(|(mark, text)| (*mark, format!("{way} {text}"))));
    }
    told.sort_by_key(|(mark, _)| *mark);
    let rows: Vec<Rect> = rows.collect();
    let width = rows.first().map_or(0, |row| usize::from(row.width.saturating_sub(4)));
    let mut rows = rows.iter();
    for ((mark, _), lines) in told.iter().zip(shared(&told, width, rows.len())) {
        for (at, line) in lines.iter().enumerate() {
            let Some(row) = rows.next() else { return };
            let mut pen = Pen::new(buffer, *row);
            if at == 0 {
                pen.to(1).mark(*mark, theme);
            }
            pen.to(3).fit(line, mark.style(theme));
        }
    }
}

/// The lines of sentences in so many rows: each has one as long as there are any, what one
/// does not need the first ones have, and what goes well has the rest. What is cut says so.
fn shared(told: &[(Mark, String)], width: usize, rows: usize) -> Vec<Vec<String>> {
    let mut left = rows;
    let mut all: Vec<Vec<String>> = Vec::new();
    for (at, (_, text)) in told.iter().enumerate() {
        let after = told[at + 1..].iter().filter(|(mark, _)| *mark != Mark::Ok).count();
        let mut lines = wrap(text, width);
        let room = left - after.min(left.saturating_sub(1));
        if lines.len() > room {
            lines.truncate(room);
            if let Some(last) = lines.last_mut() {
                let kept = wrap(last, width.saturating_sub(2)).into_iter().next().unwrap_or_default();
                *last = format!("{kept} …");
            }
        }
        left -= lines.len();
        all.push(lines);
    }
    all
}

fn title(
    theme: &Theme,
    (flow, interval): (Option<&FlowTraffic>, &Interval),
    fip: &FipTraffic,
    node: &Node,
    row: Rect,
    buffer: &mut Buffer,
) {
    let mut pen = Pen::new(buffer, row);
    pen.to(1).write(&fip.id.floating_ip.to_string(), theme.name);
    if let Some(fixed) = fip.id.fixed_ip {
        pen.write(" ⇄ ", theme.dim).write(&fixed.to_string(), theme.name);
    }
    if let Some(flow) = flow {
        // The numbers below are of all its packets.
        let rate = short(interval.rate(flow.count.packets));
        pen.write("  ", theme.text).fit(&format!("{rate}/s of it {}", flow_words(flow)), theme.dim);
        return;
    }
    let known = crate::tui::traffic::known(&node.topology, &fip.id);
    let router = format!("  router {}", crate::tui::words::short(&fip.id.router));
    pen.fit(&router, theme.dim);
    if known.is_none() {
        pen.fit("  not on this node any more", theme.unknown);
    }
}

/// The hops' names, in the order of outbound packets.
fn heads(theme: &Theme, fip: &FipTraffic, row: Rect, buffer: &mut Buffer) {
    let mut pen = Pen::new(buffer, row);
    pen.to(1).write("pkt/s", theme.title);
    for (at, hop) in (0..).zip(fip.way()) {
        pen.to(WORD + at * HOP).write(&format!("{:>6}", hop.word()), theme.title);
    }
}

/// `chain` are the hops' columns.
fn hops(theme: &Theme, fip: &FipTraffic, chain: &[Hop], interval: &Interval, row: Rect, buffer: &mut Buffer) {
    let outbound = fip.direction == Direction::Outbound;
    let mut pen = Pen::new(buffer, row);
    let (word, arrow) = if outbound { ("out", glyph::OUT) } else { ("in", glyph::IN) };
    pen.to(1).cell(word, 4, theme.text).write(arrow, theme.dim);
    let stop = match fip.stops_at {
        Some(StopsAt::Hop(hop)) => chain.iter().position(|other| *other == hop),
        Some(StopsAt::VmSilent) | None => None,
    };
    let way = fip.way();
    for (at, hop) in chain.iter().enumerate().filter(|(_, hop)| way.contains(hop)) {
        let column = u16::try_from(at).unwrap_or(u16::MAX).saturating_mul(HOP).saturating_add(WORD);
        let beyond = stop.is_some_and(|stop| if outbound { at > stop } else { at < stop });
        let style = match stop {
            Some(stop) if stop == at => theme.broken,
            Some(_) if beyond => theme.dim,
            _ => theme.text,
        };
        let number =
            fip.hops[*hop as usize].map_or_else(|| "?".to_owned(), |count| short(interval.rate(count.packets)));
        pen.to(column).write(&format!("{number:>6}"), style);
        if stop == Some(at) {
            pen.write(" ", theme.text).mark(Mark::Broken, theme);
        }
    }
    let seen = fip.hops.iter().flatten().any(|count| count.packets > 0);
    let mark = match fip.stops_at {
        Some(StopsAt::Hop(_)) => return,
        Some(StopsAt::VmSilent) => Mark::Degraded,
        None if fip.trouble().is_some() => Mark::Degraded,
        None if seen => Mark::Ok,
        None => Mark::None,
    };
    let end = u16::try_from(chain.len()).unwrap_or(4).saturating_mul(HOP).saturating_add(WORD);
    pen.to(end).write("  ", theme.text).mark(mark, theme);
}

/// A flow that belongs to no floating IP of this node.
fn alone(theme: &Theme, flow: &FlowTraffic, interval: &Interval, area: Rect, buffer: &mut Buffer) {
    let mut rows = lines(area);
    let Some(first) = rows.next() else { return };
    let mut pen = Pen::new(buffer, first);
    pen.to(1).write(class_word(flow.class), class_style(theme, flow.class)).write("  ", theme.text);
    pen.fit(&flow_words(flow), theme.name);
    if let Some(row) = rows.next() {
        let bits = short(interval.rate(flow.count.bytes.saturating_mul(8)));
        let text = format!("{} packets/s, {bits} bit/s", short(interval.rate(flow.count.packets)));
        Pen::new(buffer, row).to(1).fit(&text, theme.text);
    }
    for (row, line) in rows.zip(wrap(about(flow.class), usize::from(area.width.saturating_sub(2)))) {
        Pen::new(buffer, row).to(1).fit(&line, theme.dim);
    }
}

/// What of a class's flows can be seen here.
fn about(class: Class) -> &'static str {
    match class {
        Class::EastWest => {
            "One direction. Answers from an instance on another node enter its subnet there: they do not pass this \
             node's router. What stays within a subnet never enters a router at all."
        }
        Class::Snat => {
            "One direction. Where the snat namespace is on another node, answers go from there straight to the \
             instance: they do not pass this node's router."
        }
        Class::Fip => "One direction, of a floating IP that is not on this node.",
        Class::Local => "To or from a namespace itself: its own addresses, or metadata.",
        Class::None => "Nothing routes it: Enter walks such a packet and shows what stops it.",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_sentence_has_a_line_and_what_is_cut_says_so() {
        let shared = |other, rows| {
            let told = [(Mark::Broken, "one two three four".to_owned()), (other, "five six".to_owned())];
            shared(&told, 9, rows).into_iter().map(|lines| lines.join("|")).collect::<Vec<_>>()
        };
        let told = |rows| shared(Mark::Broken, rows);
        assert_eq!(told(9), ["one two|three|four", "five six"]);
        assert_eq!(told(4), ["one two|three|four", "five six"]);
        assert_eq!(told(3), ["one two|three …", "five six"]);
        assert_eq!(told(2), ["one two …", "five six"]);
        assert_eq!(told(1), ["one two …", ""]);
        assert_eq!(told(0), ["", ""]);
        assert_eq!(shared(Mark::Ok, 3), ["one two|three|four", ""]);
    }
}
