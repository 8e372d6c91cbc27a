//! What is wrong with the node: root causes, what follows under them, and the
//! selected one in full.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::finding::{Told, VALUE, scrolled, told};
use super::pen::{Pen, lines};
use super::{empty, overview};
use crate::check::{Confidence, Finding};
use crate::net::printable;
use crate::tui::findings::{FindingRow, FindingsView};
use crate::tui::judged::{Counts, mark, name, subject};
use crate::tui::layout;
use crate::tui::live;
use crate::tui::state::{Node, State};
use crate::tui::theme::Theme;
use crate::tui::words::{Mark, count};

pub(super) fn draw(state: &State, view: &FindingsView, node: &Node, body: Rect, buffer: &mut Buffer) {
    let theme = &state.theme;
    let parts = layout::findings(view.rows.len(), body);
    let (worst, mut text) = answer(node);
    if state.probing {
        text.push_str("; the wire is being asked");
    } else if !node.answers.is_empty() {
        text.push_str("; the wire was asked");
    }
    let mut pen = Pen::new(buffer, parts.answer);
    pen.write(" ", theme.text).mark(worst, theme).write(" ", theme.text).fit(&text, worst.style(theme));
    if view.rows.is_empty() {
        let rest = Rect { height: parts.list.height + parts.detail.height, ..parts.list };
        return nothing(theme, view, node, rest, buffer);
    }
    for (row, (at, content)) in lines(parts.list).zip(view.rows.iter().enumerate().skip(view.list.offset)) {
        let Some(finding) = node.judged.findings.get(content.at()) else { continue };
        item(theme, *content, finding, row, buffer);
        if view.marked.contains(&finding.id) {
            Pen::new(buffer, row).to(2).write("*", theme.key);
        }
        if at == view.list.cursor {
            overview::select(state, row, buffer);
        }
    }
    if let Some(row) = view.current() {
        detail(state, node, view, row, parts.detail, buffer);
    }
}

/// The selected finding's lines; the update scrolls by how many there are.
pub(in crate::tui) fn detail_lines(theme: &Theme, node: &Node, row: FindingRow, area: Rect) -> Vec<Told> {
    told(theme, node, row.at(), usize::from(area.width.saturating_sub(VALUE + 1)))
}

/// The screen's one question: what is wrong here?
fn answer(node: &Node) -> (Mark, String) {
    let Counts { errors, warnings, unknown, notes, acknowledged } = node.judged.counts;
    let bare = node.judged.nameless.len();
    let known = [
        (errors, "error", "errors"),
        (warnings, "warning", "warnings"),
        (bare, "broken chain without a code", "broken chains without a code"),
        (unknown, "could not be judged", "could not be judged"),
        (notes, "note", "notes"),
        (acknowledged, "acknowledged", "acknowledged"),
    ];
    let said: Vec<String> =
        known.iter().filter(|(number, ..)| *number > 0).map(|(number, one, many)| count(*number, one, many)).collect();
    let roots = errors + warnings + unknown + notes + acknowledged;
    let follow = node.judged.findings.len().saturating_sub(roots);
    let more = if follow == 0 { String::new() } else { format!("; {follow} more follow from them") };
    let mark = match (errors + bare, warnings, unknown) {
        (1.., ..) => Mark::Broken,
        (0, 1.., _) => Mark::Degraded,
        (0, 0, 1..) => Mark::Unknown,
        (0, 0, 0) => Mark::Ok,
    };
    match mark {
        Mark::Ok if said.is_empty() => (Mark::Ok, "Nothing is wrong with this node".to_owned()),
        Mark::Ok => (Mark::Ok, format!("Nothing is wrong with this node; {}{more}", said.join(", "))),
        mark => (mark, format!("{}{more}", said.join(", "))),
    }
}

fn nothing(theme: &Theme, view: &FindingsView, node: &Node, area: Rect, buffer: &mut Buffer) {
    let bare = &node.judged.nameless;
    if let ([first, rest @ ..], true) = (&bare[..], node.judged.findings.is_empty()) {
        let more = if rest.is_empty() { String::new() } else { format!(" {} more do not hold.", rest.len()) };
        let text = format!("{}.{more} The overview leads to each chain.", printable(first, 600));
        return empty::paragraph(theme, area, buffer, Some(Mark::Broken), &text, &[]);
    }
    if view.filter.is_empty() || node.judged.findings.is_empty() {
        let text = "The checks found nothing. If a floating IP does not answer all the same, this node did its part: \
                    look at security groups, port security, and the guest.";
        empty::paragraph(theme, area, buffer, Some(Mark::Ok), text, &[]);
    } else {
        let text = format!("No finding holds {:?}. Esc takes the filter away.", printable(&view.filter, 64));
        empty::paragraph(theme, area, buffer, Some(Mark::None), &text, &[]);
    }
}

fn item(theme: &Theme, row: FindingRow, finding: &Finding, area: Rect, buffer: &mut Buffer) {
    let mark = mark(finding);
    let style = if mark == Mark::None { theme.text } else { mark.style(theme) };
    let mut pen = Pen::new(buffer, area);
    let wide = area.width >= 90;
    match row {
        FindingRow::Root { follow, unfolded, accepted, .. } => {
            let (mark, style) = if accepted { (Mark::None, theme.dim) } else { (mark, style) };
            pen.to(1).mark(mark, theme).write(" ", theme.text);
            if wide {
                pen.cell(&name(finding), 40, style);
            } else {
                pen.fit(&finding.code.to_string(), style);
            }
            pen.write("  ", theme.text).cell(&subject(finding), if wide { 17 } else { 15 }, theme.text);
            pen.write("  ", theme.text);
            if accepted {
                pen.write("acknowledged  ", theme.dim);
            }
            let sign = if unfolded { "▾" } else { "▸" };
            if follow > 0 {
                pen.write(&format!("{sign} {follow} follow  "), theme.dim);
            }
        }
        FindingRow::Follower { last, .. } => {
            pen.to(3).write(if last { "╰ " } else { "├ " }, theme.border).mark(mark, theme).write(" ", theme.text);
            if wide {
                pen.cell(&name(finding), 36, style);
            } else {
                pen.fit(&finding.code.to_string(), style);
            }
            pen.write("  ", theme.text).cell(&subject(finding), if wide { 17 } else { 15 }, theme.text);
            pen.write("  ", theme.text);
        }
    }
    let text = if wide { finding.message.clone() } else { format!("{}: {}", finding.name, finding.message) };
    pen.fit(&printable(&text, 300), theme.text);
}

fn detail(state: &State, node: &Node, view: &FindingsView, row: FindingRow, area: Rect, buffer: &mut Buffer) {
    let theme = &state.theme;
    let Some(finding) = node.judged.findings.get(row.at()) else { return };
    let mark = mark(finding);
    let Some(first) = lines(area).next() else { return };
    let style = if mark == Mark::None { theme.key } else { mark.style(theme) };
    let mut pen = Pen::new(buffer, first);
    pen.write(" ", theme.text).mark(mark, theme).write(" ", theme.text).fit(&name(finding), style);
    let known = match finding.confidence {
        Confidence::Unknown => "could not be judged".to_owned(),
        known => format!("{}, {}", finding.severity.word(), known.word()),
    };
    pen.write("  ", theme.text).fit(&known, theme.dim);
    if let Some(age) = live::age(state, finding.namespace.as_ref(), finding.object.kind) {
        pen.write("  ", theme.text).fit(&age, theme.heading);
    }
    let all = detail_lines(theme, node, row, area);
    scrolled(&all, view.scroll, theme, area, buffer);
}
