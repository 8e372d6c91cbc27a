//! One flow, and one packet of our own: what is to be said of it, its way station
//! by station, and its last packets.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::pen::{Pen, lines, wrap};
use super::tracked;
use super::traffic::{class_style, class_word, flow_words};
use crate::net::netfilter::protocol_word;
use crate::net::{Heading, ReachBy, printable};
use crate::path::Packet;
use crate::traffic::{Aim, Count, Errand, FlowTraffic, Glimpse, Stations, Way, short};
use crate::tui::errand::ErrandView;
use crate::tui::flow::FlowView;
use crate::tui::state::State;
use crate::tui::theme::Theme;
use crate::tui::words::{Mark, short_netns};

/// The column of values behind their titles.
const VALUE: u16 = 14;
/// Columns of a station's name, and of its namespace.
const NAME: u16 = 18;
const WHERE: u16 = 24;

/// What a line holds.
enum Line {
    Blank,
    /// A sentence with its mark.
    Said(Mark, String),
    /// A title and its value.
    Fact(&'static str, String),
    Heading(String),
    /// A station: its place in the way, and whether packets vanish there.
    Station(usize),
    Glimpse(usize),
    Dim(String),
}

/// How many lines the screen of a flow has.
pub(in crate::tui) fn lines_of(view: &FlowView) -> usize {
    all(view).len()
}

pub(super) fn draw(state: &State, view: &FlowView, body: Rect, buffer: &mut Buffer) {
    let theme = &state.theme;
    let mut rows = lines(body);
    if let (Some(first), Some(flow)) = (rows.next(), view.flow()) {
        let mut pen = Pen::new(buffer, first);
        pen.to(1).write(class_word(flow.class), class_style(theme, flow.class)).write("  ", theme.text);
        pen.fit(&flow_words(flow), theme.name);
    }
    let lasting = view.heard.as_ref().and_then(|heard| heard.trail.as_ref());
    let width = usize::from(body.width.saturating_sub(4));
    for line in all(view).iter().skip(view.scroll) {
        match line {
            Line::Said(mark, text) => {
                if !said(theme, *mark, text, width, &mut rows, buffer) {
                    return;
                }
            }
            other => {
                let Some(row) = rows.next() else { return };
                one(theme, other, &view.stations, row, buffer);
                if let (Line::Glimpse(at), Some(glimpse)) = (other, lasting.map(|trail| &trail.last)) {
                    glimpse.get(*at).into_iter().for_each(|glimpse| passed(theme, glimpse, row, buffer));
                }
            }
        }
    }
}

/// The whole screen but its title.
fn all(view: &FlowView) -> Vec<Line> {
    let mut all = vec![Line::Said(view.said.0, view.said.1.clone()), Line::Blank];
    let interval = view.heard.as_ref().map(|heard| &heard.interval);
    for (title, flow) in ["forth", "back"].into_iter().zip(&view.flows) {
        let rate = |flow: &FlowTraffic| {
            let rate = |number| interval.map_or(0.0, |interval| interval.rate(number));
            let (packets, bits) = (rate(flow.count.packets), rate(flow.count.bytes.saturating_mul(8)));
            let now = if view.now { "" } else { ", not now" };
            format!("{}: {} packets/s, {} bit/s{now}", flow_words(flow), short(packets), short(bits))
        };
        let none = || "nothing was counted coming in here".to_owned();
        all.push(Line::Fact(title, flow.as_ref().map_or_else(none, rate)));
    }
    all.push(Line::Fact("under", under(view)));
    let mut tracked = view.entries().peekable();
    if tracked.peek().is_none() {
        all.push(Line::Fact("connection", "none is tracked, or it is not known yet".to_owned()));
    }
    for (name, entry) in tracked {
        let text = format!("{}  in {}", tracked::words(entry), short_netns(name.as_str()));
        all.push(Line::Fact("connection", text));
        all.push(Line::Fact("", tracked::status(entry)));
    }
    all.push(Line::Blank);
    all.push(Line::Heading("packets since it is looked for; judged are the last 3 s".to_owned()));
    all.extend((0..view.stations.all.len()).map(Line::Station));
    all.push(Line::Blank);
    let last = view.heard.as_ref().and_then(|heard| heard.trail.as_ref()).map_or(0, |trail| trail.last.len());
    all.push(Line::Heading("its last packets, the newest first".to_owned()));
    if last == 0 {
        all.push(Line::Dim("none yet".to_owned()));
    }
    all.extend((0..last).rev().map(Line::Glimpse));
    all
}

/// Under which pairs of addresses it goes.
fn under(view: &FlowView) -> String {
    let pairs: Vec<String> = view.conversation.pairs.iter().map(|[a, b]| format!("{a} → {b}")).collect();
    pairs.join(", ")
}

pub(super) fn errand(state: &State, view: &ErrandView, body: Rect, buffer: &mut Buffer) {
    let theme = &state.theme;
    let mut rows = lines(body);
    let width = usize::from(body.width.saturating_sub(4));
    let Some(first) = rows.next() else { return };
    let title = format!("One packet about {}, followed", view.fip.label());
    Pen::new(buffer, first).to(1).fit(&title, theme.name);
    let (mark, text) = match (&view.sent, view.under_way) {
        (Some(Err(why)), _) => {
            (Mark::Unknown, format!("It was not sent: {}", printable(&why.replace('\n', ": "), 400)))
        }
        (Some(Ok(_)), _) => view.said.clone(),
        (None, true) => (Mark::None, "on its way…".to_owned()),
        (None, false) if view.offers.is_empty() => {
            (Mark::Unknown, "No namespace of this node could send one about it".to_owned())
        }
        (None, false) => (Mark::None, "Nothing is sent yet: Enter sends the one that is chosen, once".to_owned()),
    };
    if !said(theme, mark, &text, width, &mut rows, buffer) {
        return;
    }
    let _blank = rows.next();
    for (at, errand) in view.offers.iter().enumerate() {
        let Some(row) = rows.next() else { return };
        let chosen = at == view.list.cursor;
        Pen::new(buffer, row).to(3).fit(&offer(errand), if chosen { theme.text } else { theme.dim });
        if chosen {
            super::overview::select(state, row, buffer);
        }
    }
    if let Some(Ok(followed)) = &view.sent {
        let _blank = rows.next();
        let heading = Line::Heading(format!("the packet: {}", packet(&followed.errand.packet())));
        let lost = (followed.lost > 0)
            .then(|| Line::Dim(format!("{} packets were lost before they were seen", followed.lost)));
        let stations = (0..view.stations.all.len()).map(Line::Station);
        for line in std::iter::once(heading).chain(stations).chain(lost) {
            let Some(row) = rows.next() else { return };
            one(theme, &line, &view.stations, row, buffer);
        }
        let _blank = rows.next();
        for (glimpse, row) in followed.trail.last.iter().zip(rows) {
            passed(theme, glimpse, row, buffer);
        }
    }
}

/// A packet that can be sent, in words.
fn offer(errand: &Errand) -> String {
    let question = &errand.question;
    let what = match question.by {
        ReachBy::Echo => "ICMP echo".to_owned(),
        ReachBy::Syn(port) => format!("TCP SYN to port {port}"),
    };
    let tries = match errand.aim {
        Aim::Floating => "the way in, and the answer's way back",
        Aim::Fixed => "the last leg: the router to the instance",
        Aim::Gateway => "the first leg: this node to the gateway",
    };
    let source = question.source.map(|address| format!(" as {address}")).unwrap_or_default();
    let from = short_netns(question.namespace.as_str());
    format!("{what:<20} to {:<15} from {from}{source}: {tries}", question.destination.to_string())
}

/// A sentence with its mark, as many lines as it takes; false where there is no room.
fn said(
    theme: &Theme,
    mark: Mark,
    text: &str,
    width: usize,
    rows: &mut impl Iterator<Item = Rect>,
    buffer: &mut Buffer,
) -> bool {
    for (at, line) in wrap(text, width).iter().enumerate() {
        let Some(row) = rows.next() else { return false };
        let mut pen = Pen::new(buffer, row);
        if at == 0 {
            pen.to(1).mark(mark, theme);
        }
        pen.to(3).fit(line, mark.style(theme));
    }
    true
}

fn one(theme: &Theme, line: &Line, stations: &Stations, row: Rect, buffer: &mut Buffer) {
    let mut pen = Pen::new(buffer, row);
    match line {
        Line::Blank | Line::Said(..) | Line::Glimpse(_) => {}
        Line::Fact(title, value) => {
            pen.to(1).write(title, theme.title).to(VALUE).fit(&printable(value, 400), theme.text);
        }
        Line::Heading(text) => {
            pen.write(" ─ ", theme.border).fit(text, theme.heading);
        }
        Line::Dim(text) => {
            pen.to(3).fit(text, theme.dim);
        }
        Line::Station(at) => station(theme, stations, *at, &mut pen),
    }
}

/// A station: its counts forth and back, and whether packets vanish behind it.
fn station(theme: &Theme, stations: &Stations, at: usize, pen: &mut Pen) {
    let Some(station) = stations.all.get(at) else { return };
    let style = if station.expected[0] { theme.text } else { theme.dim };
    pen.to(3).cell(&printable(&station.name, 24), NAME, style);
    let heading = match station.heading {
        Some(Heading::In) => "in",
        Some(Heading::Out) => "out",
        None => "",
    };
    pen.cell(heading, 5, theme.dim);
    if pen.room() > WHERE + 24 {
        let place = station.namespace.as_ref().map(|name| short_netns(name.as_str())).unwrap_or_default();
        pen.cell(&printable(&place, 32), WHERE, theme.dim);
    }
    let number = |count: Option<Count>| count.map_or_else(|| "?".to_owned(), |count| short_count(count.packets));
    for (way, word) in ["forth", "back"].into_iter().enumerate() {
        let loss = stations.losses[way].filter(|loss| loss.after == at);
        let mark = loss.map(|loss| if loss.is_sure { Mark::Broken } else { Mark::Unknown });
        let style = mark.map_or(style, |mark| mark.style(theme));
        let none = station.expected[0] && !station.expected[way];
        let shown = if none { "–".to_owned() } else { number(station.counts[way]) };
        pen.write(&format!("{word:>6} {shown:>6}"), style).write(" ", theme.text);
        match mark {
            Some(mark) => pen.mark(mark, theme),
            None => pen.write(" ", theme.text),
        };
    }
    if station.counts[0].is_none() {
        pen.write("  ", theme.text).fit("not visible here", theme.unknown);
    } else if !station.expected[0] {
        pen.write("  ", theme.text).fit("passed here, too", theme.dim);
    }
}

/// Packets: all digits as long as that is short.
fn short_count(packets: u64) -> String {
    if packets < 100_000 { packets.to_string() } else { short(packets_as_rate(packets)) }
}

#[expect(clippy::cast_precision_loss, reason = "it is rounded anyway")]
fn packets_as_rate(packets: u64) -> f64 {
    packets as f64
}

/// A packet as it passed somewhere.
fn passed(theme: &Theme, glimpse: &Glimpse, row: Rect, buffer: &mut Buffer) {
    let at = jiff::Timestamp::from_nanosecond(glimpse.time.into()).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    let heading = if glimpse.at.heading == Heading::In { "in" } else { "out" };
    let way = if glimpse.way == Way::Forth { "forth" } else { "back" };
    let mut pen = Pen::new(buffer, row);
    pen.to(3).write(&at.strftime("%H:%M:%S%.6f").to_string(), theme.dim).write("  ", theme.text);
    pen.cell(&printable(glimpse.at.device.as_str(), 24), NAME, theme.text)
        .write(&format!("{heading:<4}{way:<6}"), theme.dim);
    let merged =
        if glimpse.count.packets > 1 { format!(", {} segments", glimpse.count.packets) } else { String::new() };
    pen.fit(&format!("{}, {} bytes{merged}", packet(&glimpse.packet), glimpse.count.bytes), theme.text);
}

/// A packet in words: `tcp 10.0.0.4:40000 → 198.51.100.7:443 SYN`.
fn packet(packet: &Packet) -> String {
    let proto = protocol_word(packet.proto).map_or_else(|| format!("protocol {}", packet.proto), str::to_owned);
    let what = match packet.icmp {
        Some((8, _)) => " echo request".to_owned(),
        Some((0, _)) => " echo reply".to_owned(),
        Some((kind, code)) => format!(" type {kind} code {code}"),
        None => flags(packet),
    };
    format!("{proto} {} → {}{what}", packet.source(), packet.destination())
}

/// A TCP segment's flags (RFC 9293, 3.1), those that begin and end connections.
fn flags(packet: &Packet) -> String {
    let named = [(0x02, " SYN"), (0x10, " ACK"), (0x01, " FIN"), (0x04, " RST")];
    let is_tcp = packet.proto == crate::path::TCP;
    named.into_iter().filter(|(bit, _)| is_tcp && packet.tcp_flags & bit != 0).map(|(_, word)| word).collect()
}
