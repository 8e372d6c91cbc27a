//! One floating IP: the answer, the way of its packets, the selected link's
//! evidence in the words of `ip` and `iptables-save`.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::finding::{Lines, VALUE, scrolled};
use super::pen::{Pen, lines};
use super::{diagram, empty, overview};
use crate::check::Finding;
use crate::net::printable;
use crate::topology::{ChainLink, Direction, FipState, FloatingIp, LinkState};
use crate::tui::chain::{Chain, ChainRow, Inside, Place, command, rows, worst};
use crate::tui::judged::{self, name};
use crate::tui::layout;
use crate::tui::live;
use crate::tui::state::{Node, State};
use crate::tui::theme::glyph;
use crate::tui::words::{Mark, direction_word, fault, kind_word, link_word, short, short_netns, state_text};

/// The columns of a link's title in the list.
const TITLE: u16 = 14;

pub(super) fn draw(state: &State, chain: &Chain, node: &Node, body: Rect, buffer: &mut Buffer) {
    let theme = &state.theme;
    let Some(fip) = chain.fip.find(&node.topology) else {
        let text = format!("{} is not on this node any more. Esc goes back.", chain.fip.label());
        empty::paragraph(theme, body, buffer, Some(Mark::None), &text, &[]);
        return;
    };
    let parts = layout::chain(chain, fip, body);
    title(state, node, fip, parts.title, buffer);
    let mark = Mark::from(fip.state);
    let mut pen = Pen::new(buffer, parts.answer);
    pen.write(" ", theme.text).mark(mark, theme).write(" ", theme.text);
    let worst = node.judged.worst_of(&node.topology, fip);
    if let Some(finding) = worst {
        pen.fit(&name(finding), mark.style(theme)).write("  ", theme.text);
    }
    pen.fit(&answer(fip, worst), mark.style(theme));
    let selected = chain.place(fip);
    diagram::draw(state, fip, selected, parts.diagram, buffer);
    let Some(place) = selected else { return };
    directions(state, fip, place.0, parts.directions, buffer);
    list(state, fip, place, parts.list, buffer);
    evidence(state, node, chain, (fip, place), parts.evidence, buffer);
}

fn title(state: &State, node: &Node, fip: &FloatingIp, area: Rect, buffer: &mut Buffer) {
    let theme = &state.theme;
    let address = |it: Option<std::net::IpAddr>| it.map_or_else(|| "?".to_owned(), |it| it.to_string());
    let mut pen = Pen::new(buffer, area);
    pen.write(" ", theme.text).fit(&address(fip.floating_ip), theme.name).write(" ⇄ ", theme.dim);
    pen.fit(&address(fip.fixed_ip), theme.name);
    let router = node.topology.router(&fip.router);
    let mut facts = vec![format!("router {}", short(&fip.router)), kind_word(fip.kind).to_owned()];
    facts.extend(fip.external_network.as_ref().map(|id| format!("network {}", short(id))));
    facts.extend(fip.rule_priority.map(|priority| format!("rule {priority}")));
    facts.extend(router.and_then(|router| router.layout).map(|layout| format!("layout {}", layout.word())));
    for fact in facts {
        if usize::from(pen.room()) > fact.len() + 3 {
            pen.write("   ", theme.text).write(&fact, theme.dim);
        }
    }
}

/// The screen's one question: where does it break?
fn answer(fip: &FloatingIp, finding: Option<&Finding>) -> String {
    let Some((direction, link)) = fault(fip) else {
        return match fip.state {
            FipState::Ok => "Every link holds, outbound and inbound".to_owned(),
            _ => finding.map_or_else(|| state_text(fip).1.to_owned(), |finding| printable(&finding.message, 300)),
        };
    };
    let place = short_netns(link.namespace.as_str());
    let (title, word, way) = (link.link.title(), link_word(link), direction_word(direction));
    match fip.state {
        FipState::Broken => {
            let other = match direction {
                Direction::Outbound => ("inbound", worst(&fip.inbound)),
                Direction::Inbound => ("outbound", worst(&fip.outbound)),
            };
            let rest = match other {
                (way, Mark::Broken) => format!("{way} breaks too"),
                (way, Mark::Unknown) => format!("{way} cannot be judged"),
                (way, _) => format!("{way} holds"),
            };
            format!("{title} {word} in {place}: {way} breaks there, {rest}")
        }
        FipState::Unknown => {
            let why = link.actual.as_ref().map(|why| format!(": {}", printable(why, 200))).unwrap_or_default();
            format!("No link is known to be wrong, but {title} in {place} cannot be judged{why}")
        }
        _ => format!("It works, but {title} is {word} in {place} ({way})"),
    }
}

/// The two directions, each in its half, the chosen one bright.
fn directions(state: &State, fip: &FloatingIp, chosen: Direction, area: Rect, buffer: &mut Buffer) {
    let theme = &state.theme;
    Pen::new(buffer, area).write(" ", theme.border).fill("─", 1, theme.border);
    let half = area.width / 2;
    for (direction, arrow, x) in [(Direction::Outbound, glyph::OUT, 0), (Direction::Inbound, glyph::IN, half)] {
        let links = fip.links(direction);
        let mark = worst(links);
        let style = if direction == chosen { theme.key } else { theme.dim };
        let mut pen = Pen::new(buffer, Rect { x: area.x + x, width: half, ..area });
        pen.write(" ─ ", theme.border).write(arrow, style).write(" ", style).write(direction_word(direction), style);
        pen.write(" ", style).mark(mark, theme).write(" ", style);
        let first = links.iter().find(|link| Mark::from(*link) == mark).filter(|_| mark < Mark::Ok);
        if let Some(link) = first {
            pen.fit(&format!("{} {} ", link.link.title(), link_word(link)), mark.style(theme));
        }
    }
}

fn list(state: &State, fip: &FloatingIp, (direction, at): Place, area: Rect, buffer: &mut Buffer) {
    let theme = &state.theme;
    let all = rows(fip.links(direction));
    let cursor = all.iter().position(|row| matches!(row, ChainRow::Link { at: other, .. } if *other == at));
    let offset = layout::centred(cursor.unwrap_or(0), usize::from(area.height), all.len());
    for (row, content) in lines(area).zip(&all[offset..]) {
        let mut pen = Pen::new(buffer, row);
        match content {
            ChainRow::Namespace(name) => {
                pen.write("  ╭ ", theme.border).fit(&name.to_string(), theme.heading);
            }
            ChainRow::Link { at: this, link, inside } => {
                let side = match inside {
                    Inside::Nothing => " ",
                    Inside::Middle => "│",
                    Inside::Last => "╰",
                };
                let mark = Mark::from(*link);
                let style = if mark == Mark::Ok { theme.text } else { mark.style(theme) };
                pen.write("  ", theme.text).write(side, theme.border).write(" ", theme.text).mark(mark, theme);
                pen.write(" ", theme.text).cell(link.link.title(), TITLE, style).write(" ", theme.text);
                pen.fit(&told(link), if mark == Mark::Ok { theme.text } else { style });
                if *this == at {
                    overview::select(state, row, buffer);
                }
            }
        }
    }
}

/// What the list says of a link.
fn told(link: &ChainLink) -> String {
    let or = |text: &Option<String>, other: &str| text.as_deref().map_or(other.to_owned(), |text| printable(text, 300));
    match link.state {
        LinkState::Ok => or(&link.actual, &or(&link.expected, "")),
        LinkState::Missing => format!("missing: {}", or(&link.expected, link.link.title())),
        LinkState::Wrong => format!("wrong: {}", or(&link.actual, "")),
        LinkState::Unknown => format!("cannot tell: {}", or(&link.actual, "")),
        LinkState::NotApplicable => "not in this layout".to_owned(),
    }
}

fn evidence(
    state: &State,
    node: &Node,
    chain: &Chain,
    (fip, (direction, at)): (&FloatingIp, Place),
    area: Rect,
    buffer: &mut Buffer,
) {
    let theme = &state.theme;
    let link = &fip.links(direction)[at];
    let mark = Mark::from(link);
    let Some(first) = lines(area).next() else { return };
    let mut pen = Pen::new(buffer, first);
    pen.write(" ", theme.text).mark(mark, theme).write(" ", theme.text);
    pen.fit(link.link.title(), if mark == Mark::Ok { theme.key } else { mark.style(theme) });
    pen.write("  ", theme.text).fit(link.link.about(), theme.dim);
    if let Some(age) = live::age(state, Some(&link.namespace), link.object.kind) {
        pen.write("  ", theme.text).fit(&age, theme.heading);
    }
    let width = usize::from(area.width.saturating_sub(VALUE));
    let mut told = Lines::new(width);
    let finding = node.judged.of_link(fip, link);
    if let Some(finding) = finding {
        told.say("finding", &format!("{}: {}", name(finding), finding.message), judged::mark(finding).style(theme));
    }
    if let Some(finding) = finding.filter(|finding| finding.expected.is_some() || finding.actual.is_some()) {
        told.values(theme, finding);
    } else {
        if let Some(expected) = link.expected.as_ref().filter(|expected| link.actual.as_ref() != Some(*expected)) {
            told.say("expected", expected, theme.text);
        }
        if let Some(actual) = &link.actual {
            told.say(if mark == Mark::Unknown { "unknown" } else { "found" }, actual, mark.style(theme));
        }
    }
    if let Some(end) = chain.end(direction).filter(|_| finding.is_some() || mark == Mark::Broken) {
        told.say("so", end, theme.text);
    }
    if let Some(finding) = finding {
        told.outlook(theme, node, finding);
    }
    told.say("look with", &command(link), theme.key);
    // What was found already says a single line.
    for line in link.evidence.iter().filter(|line| link.evidence.len() > 1 || link.actual.as_ref() != Some(*line)) {
        told.say("", line, theme.text);
    }
    scrolled(&told.all, chain.scroll, theme, area, buffer);
}
