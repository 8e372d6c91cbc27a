//! What flows: the answer, the classes, the selected floating IP hop by hop,
//! then floating IPs and flows.

mod rates;
mod stops;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

pub(in crate::tui) use rates::beside;
pub(super) use rates::{header, rates, rates_of};

use super::pen::{Pen, lines};
use super::{empty, overview};
use crate::net::netfilter::protocol_word;
use crate::net::printable;
use crate::path::Class;
use crate::traffic::{FipTraffic, FlowTraffic, Interval, StopsAt, short};
use crate::tui::layout;
use crate::tui::state::{Node, State};
use crate::tui::theme::Theme;
use crate::tui::traffic::{Heard, Hearing, History, TrafficRow, TrafficView, answer, rate, reason};
use crate::tui::words::{Mark, count};

pub(super) fn draw(state: &State, view: &TrafficView, node: &Node, body: Rect, buffer: &mut Buffer) {
    let theme = &state.theme;
    let Some(hearing) = &state.hearing else {
        let text = "Nobody listens any more. T listens again, Esc goes back.";
        return empty::paragraph(theme, body, buffer, Some(Mark::None), text, &[]);
    };
    let Some(heard) = &view.shown else {
        let (mark, text) = match &hearing.failed {
            Some(why) => (Some(Mark::Broken), format!("Nothing can be heard: {}", reason(why))),
            None => (None, "listening… the first second is being counted".to_owned()),
        };
        return empty::paragraph(theme, body, buffer, mark, &text, &[]);
    };
    // What flows is of now, whatever is shown of the past.
    let node = state.newest().unwrap_or(node);
    let parts = layout::traffic(body);
    let (mark, text) = match &hearing.failed {
        Some(why) => (Mark::Broken, format!("Nothing is heard any more: {}", reason(why))),
        None => answer(node, &heard.interval),
    };
    let mut pen = Pen::new(buffer, parts.answer);
    pen.write(" ", theme.text).mark(mark, theme).write(" ", theme.text).fit(&text, mark.style(theme));
    counters(state, view, (hearing, heard), parts.heard, buffer);
    rates::classes(theme, view.past(hearing), &heard.interval, parts.classes, buffer);
    stops::draw(theme, view, node, parts.stops, buffer);
    list(state, view, (view.past(hearing), &heard.interval), parts.list, buffer);
}

/// How much is heard, and how well.
fn counters(state: &State, view: &TrafficView, (hearing, heard): (&Hearing, &Heard), area: Rect, buffer: &mut Buffer) {
    let theme = &state.theme;
    let interval = &heard.interval;
    let packets = interval.classes.iter().fold(0_u64, |sum, count| sum.saturating_add(count.packets));
    let mut pen = Pen::new(buffer, area);
    pen.write("   ", theme.text);
    if view.paused.is_some() {
        pen.write("paused", theme.prompt).write("   ", theme.text);
    } else if state.frozen.is_some() {
        pen.write("traffic of now", theme.prompt).write("   ", theme.text);
    }
    let lost = format!("{} lost before seen", hearing.lost);
    let style = if hearing.lost > 0 { theme.degraded } else { theme.dim };
    pen.write(&lost, style).write("   ", theme.text);
    let mut facts = vec![
        format!("{} packets/s", short(interval.rate(packets))),
        count(heard.flows, "flow", "flows"),
        count(heard.namespaces, "namespace", "namespaces"),
    ];
    if let Some(Ok(written)) = &heard.written {
        let full = if written.full { ", full" } else { "" };
        facts.insert(0, format!("writing: {} packets{full}", written.packets));
    }
    if interval.unplaced > 0 {
        facts.push(format!("{} at new devices", interval.unplaced));
    }
    for fact in facts {
        if usize::from(pen.room()) > fact.len() + 3 {
            pen.write(&fact, theme.dim).write("   ", theme.text);
        }
    }
    if let Some((name, why)) = heard.deaf.first() {
        let more = if heard.deaf.len() > 1 { format!(" and {} more", heard.deaf.len() - 1) } else { String::new() };
        let text = format!("not heard: {}{more} ({})", printable(name.as_str(), 24), reason(why));
        pen.mark(Mark::Unknown, theme).write(" ", theme.text).fit(&text, theme.unknown);
    }
}

fn list(state: &State, view: &TrafficView, (past, interval): (&History, &Interval), area: Rect, buffer: &mut Buffer) {
    let theme = &state.theme;
    for (line, (at, row)) in lines(area).zip(view.rows.iter().enumerate().skip(view.list.offset)) {
        match *row {
            TrafficRow::Fips(listed, quiet) => {
                let quiet = if quiet > 0 { format!("{quiet} without a packet so far") } else { String::new() };
                heading(theme, ("floating IPs", listed, &quiet), view, line, buffer);
            }
            TrafficRow::Flows(listed) => {
                let more = if interval.forgotten > 0 { "more than could be told apart" } else { "the largest first" };
                heading(theme, ("flows", listed, more), view, line, buffer);
            }
            TrafficRow::Fip(place) => {
                if let Some([out, inward]) =
                    interval.floating_ips.get(place..place + 2).and_then(|two| two.first_chunk())
                {
                    fip(theme, past, interval, [out, inward], line, buffer);
                }
            }
            TrafficRow::Flow(place) => {
                if let Some(told) = interval.flows.get(place) {
                    flow(theme, interval, told, line, buffer);
                }
            }
        }
        if at == view.list.cursor && matches!(row, TrafficRow::Fip(_) | TrafficRow::Flow(_)) {
            overview::select(state, line, buffer);
        }
    }
}

fn heading(
    theme: &Theme,
    (title, listed, more): (&str, usize, &str),
    view: &TrafficView,
    line: Rect,
    buffer: &mut Buffer,
) {
    let mut pen = Pen::new(buffer, line);
    pen.write(" ─ ", theme.border).write(title, theme.heading).write(&format!(" {listed}"), theme.dim);
    pen.write("  ", theme.text).fit(more, theme.dim);
    if !view.filter.is_empty() {
        let text = format!("only {:?}", printable(&view.filter, 64));
        pen.write(if more.is_empty() { "" } else { "  " }, theme.text).fit(&text, theme.prompt);
    }
}

fn fip(
    theme: &Theme,
    history: &History,
    interval: &Interval,
    [out, inward]: [&FipTraffic; 2],
    line: Rect,
    buffer: &mut Buffer,
) {
    let (mark, word) = verdict(out, inward);
    let mut pen = Pen::new(buffer, line);
    pen.to(1).mark(mark, theme).write(" ", theme.text);
    pen.cell(&out.id.floating_ip.to_string(), 15, theme.text).write(" ", theme.text);
    if line.width >= 72 {
        let fixed = out.id.fixed_ip.map_or_else(|| "–".to_owned(), |fixed| fixed.to_string());
        pen.cell(&fixed, 15, theme.dim).write(" ", theme.text);
    }
    let past = match line.width {
        132.. => Some(16),
        100.. => Some(8),
        _ => None,
    };
    for (word, fip) in [("in", inward), ("out", out)] {
        pen.write(&format!("{word:>4} {:>5}/s", short(rate(interval, fip))), theme.text);
        if let Some(width) = past {
            let past = rates::spark(&history.fip(&fip.id, Some(fip.direction)), width);
            pen.write(&format!(" {past:>width$}"), theme.fip);
        }
    }
    pen.write("  ", theme.text).fit(&word, mark.style(theme));
}

/// What a floating IP's traffic comes to, in a few words.
fn verdict(out: &FipTraffic, inward: &FipTraffic) -> (Mark, String) {
    let stop = |fip: &FipTraffic, way: &str| match fip.stops_at {
        Some(StopsAt::Hop(hop)) => Some(format!("{way} stops after {}", hop.word())),
        Some(StopsAt::VmSilent) | None => None,
    };
    let stops: Vec<String> = [stop(out, "out"), stop(inward, "in")].into_iter().flatten().collect();
    if !stops.is_empty() {
        return (Mark::Broken, stops.join(", "));
    }
    if [out, inward].iter().any(|fip| fip.stops_at == Some(StopsAt::VmSilent)) {
        return (Mark::Degraded, "the instance does not answer".to_owned());
    }
    for fip in [out, inward] {
        if let (Some(StopsAt::Hop(hop)), Some(few)) = (fip.trouble(), fip.missing) {
            return (Mark::Degraded, format!("{} of {} lost after {}", few.packets, few.of, hop.word()));
        }
    }
    let silent = |fip: &FipTraffic| fip.hops.iter().flatten().all(|count| count.packets == 0);
    match (silent(out), silent(inward)) {
        (true, true) => (Mark::None, "nothing now".to_owned()),
        (false, true) => (Mark::None, "one-way: out".to_owned()),
        (true, false) => (Mark::None, "one-way: in".to_owned()),
        (false, false) => (Mark::Ok, "passes".to_owned()),
    }
}

fn flow(theme: &Theme, interval: &Interval, flow: &FlowTraffic, line: Rect, buffer: &mut Buffer) {
    let mut pen = Pen::new(buffer, line);
    pen.to(3).write(&format!("{:>5}/s ", short(interval.rate(flow.count.packets))), theme.text);
    pen.cell(class_word(flow.class), 10, class_style(theme, flow.class));
    if let Some(stop) = flow.stops_at {
        let (mark, text) = match stop {
            StopsAt::Hop(hop) => (Mark::Broken, format!(" after {}  ", hop.word())),
            StopsAt::VmSilent => (Mark::Degraded, " no answer  ".to_owned()),
        };
        pen.mark(mark, theme).write(&text, mark.style(theme));
    }
    pen.fit(&flow_words(flow), theme.text);
}

/// A flow in words, without its class.
pub(super) fn flow_words(flow: &FlowTraffic) -> String {
    let proto = protocol_word(flow.proto).map_or_else(|| format!("protocol {}", flow.proto), str::to_owned);
    let translated = flow.translated.map(|end| format!(" as {end}")).unwrap_or_default();
    let detail = flow.detail.map(|detail| format!(" ({})", detail.word())).unwrap_or_default();
    format!("{proto} {} → {}{translated}{detail}", flow.source, flow.destination)
}

pub(super) fn class_word(class: Class) -> &'static str {
    match class {
        Class::None => "no class",
        class => class.word(),
    }
}

pub(super) fn class_style(theme: &Theme, class: Class) -> Style {
    match class {
        Class::EastWest => theme.east_west,
        Class::Snat => theme.snat,
        Class::Fip => theme.fip,
        Class::Local => theme.text,
        Class::None => theme.unknown,
    }
}
