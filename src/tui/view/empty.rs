//! What stands where there is nothing to list: why, and what to do.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::pen::{Pen, lines, wrap};
use crate::net::printable;
use crate::topology::NodeKind;
use crate::tui::state::{Node, State};
use crate::tui::theme::Theme;
use crate::tui::words::Mark;

/// The ways on that every empty screen offers.
const WAYS: [&str; 3] = [
    "sudo fipscope         reads this node with the rights that namespaces need",
    "fipscope lab          opens a demonstration node, no OpenStack and no root needed",
    "fipscope --from FILE  opens a snapshot or an unpacked sosreport",
];

/// Before the first reading came in, or when it failed.
pub(super) fn no_node(state: &State, area: Rect, buffer: &mut Buffer) {
    match &state.error {
        None => paragraph(&state.theme, area, buffer, None, "reading the node…", &[]),
        Some(why) => {
            let text = format!("The node could not be read: {}", why.replace('\n', ": "));
            paragraph(&state.theme, area, buffer, Some(Mark::Broken), &text, &WAYS);
        }
    }
}

/// A node that was read and has nothing to list. True where that is so.
pub(super) fn no_rows(state: &State, node: &Node, area: Rect, buffer: &mut Buffer) -> bool {
    if !state.overview.rows.is_empty() {
        return false;
    }
    let theme = &state.theme;
    if !state.overview.filter.trim().is_empty() {
        let text = format!("Nothing holds {:?}. Esc takes the filter away.", printable(&state.overview.filter, 64));
        paragraph(theme, area, buffer, Some(Mark::None), &text, &[]);
        return true;
    }
    match &node.topology.kind {
        NodeKind::L3 => paragraph(theme, area, buffer, Some(Mark::None), "There is nothing to list.", &WAYS),
        NodeKind::Ovn => {
            let text = "This node runs ML2/OVN: floating IPs are database rows and flows here, not namespaces. \
                        These show them:";
            let ways = [
                "ovn-nbctl --columns=type,external_ip,logical_ip find nat type=dnat_and_snat",
                "ovn-sbctl find port_binding type=patch",
                "ovs-ofctl dump-flows br-int | grep nat",
                "fipscope lab          opens a demonstration node with DVR",
            ];
            paragraph(theme, area, buffer, Some(Mark::None), text, &ways);
        }
        NodeKind::None => {
            let text = "No namespaces of Neutron's L3 agent stand here: this is no node with DVR, or the agent \
                        has no router to serve yet.";
            paragraph(theme, area, buffer, Some(Mark::None), text, &WAYS);
        }
        NodeKind::Unknown(why) => {
            let text = format!("The namespaces of this node could not be listed: {}", printable(why, 300));
            paragraph(theme, area, buffer, Some(Mark::Unknown), &text, &WAYS);
        }
    }
    true
}

/// A sentence with its mark, and commands below it.
pub(super) fn paragraph(
    theme: &Theme,
    area: Rect,
    buffer: &mut Buffer,
    mark: Option<Mark>,
    text: &str,
    commands: &[&str],
) {
    let indent = if area.width >= 40 { 3 } else { 1 };
    let top = if area.height >= 12 { 2 } else { u16::from(area.height >= 5) };
    let width = usize::from(area.width.saturating_sub(indent + 3)).min(76);
    let mut rows = lines(Rect { y: area.y + top, height: area.height - top, ..area });
    for (at, line) in wrap(text, width).iter().enumerate() {
        let Some(row) = rows.next() else { return };
        let mut pen = Pen::new(buffer, row);
        if let Some(mark) = mark.filter(|_| at == 0) {
            pen.to(indent).mark(mark, theme);
        }
        pen.to(indent + 2).fit(line, theme.text);
    }
    let _blank = rows.next();
    for (row, command) in rows.zip(commands) {
        Pen::new(buffer, row).to(indent + 2).fit(command, theme.key);
    }
}
