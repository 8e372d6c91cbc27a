//! One namespace as the kernel has it, one kind of object at a time.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::overview;
use super::pen::{Pen, lines};
use crate::net::{Netns, Observed, netfilter::Netfilter};
use crate::topology::ObjectKind;
use crate::tui::layout;
use crate::tui::live;
use crate::tui::namespace::{LineKind, Namespace, Tab};
use crate::tui::state::{Node, State};
use crate::tui::words::{Mark, count};

pub(super) fn draw(state: &State, shown: &Namespace, node: &Node, body: Rect, buffer: &mut Buffer) {
    let theme = &state.theme;
    let parts = layout::namespace(body);
    let mut pen = Pen::new(buffer, parts.title);
    pen.write(" ", theme.text).fit(&shown.name.to_string(), theme.name);
    if let Some(age) = live::age(state, Some(&shown.name), kind(shown.tab)) {
        pen.write("   ", theme.text).fit(&age, theme.heading);
    }
    if let Some(netns) = node.snapshot.netns(&shown.name) {
        pen.write("   ", theme.text).fit(&summary(netns), theme.dim);
    }
    for (tab, span) in tab_spans(parts.tabs) {
        let style = if tab == shown.tab { theme.selected } else { theme.dim };
        buffer.set_style(span.intersection(buffer.area), style);
        Pen::new(buffer, span).write(" ", style).fit(&tab_text(tab, parts.tabs.width), style);
    }
    let filter = &shown.view().filter;
    if !filter.is_empty() && shown.lines.is_empty() {
        let text = format!("No line holds {:?}. Esc takes the filter away.", crate::net::printable(filter, 64));
        super::empty::paragraph(theme, parts.list, buffer, Some(Mark::None), &text, &[]);
    }
    let list = shown.view().list;
    for (row, (at, line)) in lines(parts.list).zip(shown.lines.iter().enumerate().skip(list.offset)) {
        let mut pen = Pen::new(buffer, row);
        let text: String = line.text.chars().skip(shown.column).collect();
        match line.kind {
            LineKind::Heading => pen.write(" ─ ", theme.border).fit(&line.text, theme.heading),
            LineKind::Item => pen.to(2).fit(&text, theme.text),
            LineKind::Detail => pen.to(2).fit(&text, theme.dim),
            LineKind::Problem => pen.to(2).mark(Mark::Unknown, theme).write(" ", theme.text).fit(&text, theme.unknown),
            LineKind::Empty => pen.to(2).mark(Mark::None, theme).write(" ", theme.text).fit(&text, theme.dim),
        };
        if let Some(note) = &line.note {
            pen.write("   ", theme.text).fit(note, theme.heading);
        }
        if at == list.cursor && line.selectable() {
            overview::select(state, row, buffer);
        }
    }
}

/// What the lines of a kind are about.
fn kind(tab: Tab) -> ObjectKind {
    match tab {
        Tab::Links => ObjectKind::Link,
        Tab::Addresses => ObjectKind::Addr,
        Tab::Rules => ObjectKind::Rule,
        Tab::Routes => ObjectKind::Route,
        Tab::Netfilter => ObjectKind::Nat,
        Tab::Neighbours => ObjectKind::Neigh,
        Tab::Sysctls => ObjectKind::Sysctl,
    }
}

/// Where each kind's title stands; short forms where there is little room.
pub(in crate::tui) fn tab_spans(area: Rect) -> Vec<(Tab, Rect)> {
    let mut x = area.x;
    let mut spans = Vec::with_capacity(Tab::ALL.len());
    for tab in Tab::ALL {
        let width = u16::try_from(tab_text(tab, area.width).len() + 2).unwrap_or(u16::MAX);
        let span = Rect { x, width: width.min(area.right().saturating_sub(x)), ..area };
        x = x.saturating_add(width).min(area.right());
        spans.push((tab, span));
    }
    spans
}

fn tab_text(tab: Tab, width: u16) -> String {
    let number = tab.index() + 1;
    match width {
        80.. => format!("{number} {}", tab.title()),
        60.. => tab.title().to_owned(),
        44.. => tab.title().chars().take(4).collect(),
        _ => number.to_string(),
    }
}

fn summary(netns: &Netns) -> String {
    let part = |number: Option<usize>, one: &str, many: &str| match number {
        Some(number) => count(number, one, many),
        None => format!("? {many}"),
    };
    let rules = |netfilter: &Netfilter| {
        netfilter.tables().flat_map(|table| &table.chains).map(|chain| chain.rules.len()).sum::<usize>()
    };
    [
        part(number(&netns.links), "link", "links"),
        part(number(&netns.rules), "rule", "rules"),
        part(number(&netns.routes), "route", "routes"),
        part(netns.netfilter.seen().map(rules), "netfilter rule", "netfilter rules"),
    ]
    .join(", ")
}

fn number<T>(observed: &Observed<Vec<T>>) -> Option<usize> {
    match observed {
        Observed::Seen(all) => Some(all.len()),
        Observed::Absent => Some(0),
        Observed::Unreadable(_) => None,
    }
}
