//! One packet on its way: the answer, the way with the packet on it, every
//! station in words, and what decided at the one that it has come to.

mod evidence;
mod picture;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::pen::{Pen, lines};
use super::{empty, overview};
use crate::check::blocked_by;
use crate::path::{Kernel, Walk};
use crate::tui::judged::name;
use crate::tui::layout;
use crate::tui::state::{Node, State};
use crate::tui::walk::{Row, Stage, Station, Walking, agreement, answer, class, rows, stations};
use crate::tui::words::Mark;

/// The columns of a station's word in the list.
const WORD: u16 = 10;

pub(super) fn draw(state: &State, walking: &Walking, node: &Node, body: Rect, buffer: &mut Buffer) {
    let theme = &state.theme;
    let walk = match (&walking.walks, walking.walk()) {
        (_, Some(walk)) => walk,
        (Err(why), None) => {
            let text = format!("There is no walk to watch: {why}. Esc goes back.");
            return empty::paragraph(theme, body, buffer, Some(Mark::None), &text, &[]);
        }
        (Ok(_), None) => return,
    };
    let all = stations(walk);
    let parts = layout::walk(walking, walk, &all, body);
    title(state, walking, walk, parts.title, buffer);
    let (mark, text) = answer(walk, walking.wanted());
    let mut pen = Pen::new(buffer, parts.answer);
    pen.write(" ", theme.text).mark(mark, theme).write(" ", theme.text);
    let worst = evidence::fip_of(walking, node).and_then(|fip| node.judged.worst_of(&node.topology, fip));
    let finding = match &walk.stop {
        Some(_) => blocked_by(&node.topology, &node.judged.findings, walk),
        None => worst.filter(|_| mark < Mark::Ok),
    };
    if let Some(finding) = finding {
        pen.fit(&name(finding), mark.style(theme)).write("  ", theme.text);
    }
    pen.fit(&text, mark.style(theme));
    picture::draw(state, walking, walk, &all, parts.picture, buffer);
    list(state, walking, walk, &all, parts.list, buffer);
    evidence::draw(state, walking, walk, &all, node, parts.evidence, buffer);
}

/// Which packet, its class, and whether the kernel agrees.
fn title(state: &State, walking: &Walking, walk: &Walk, area: Rect, buffer: &mut Buffer) {
    let theme = &state.theme;
    let mut pen = Pen::new(buffer, area);
    pen.write(" ", theme.text).fit(&walk.sent.to_string(), theme.name);
    let (mark, kernel) = agreement(walk, state.is_now(), walking.asking);
    let mut facts = vec![(None, class(walk)), (Some(mark), kernel)];
    if walking.back {
        facts.push((None, "the way back".to_owned()));
    }
    if let Some(more) = walking.walks.as_ref().ok().map(|walks| walks.entrances.len()).filter(|count| *count > 1) {
        let at = walking.asked.entrance.min(more - 1) + 1;
        facts.push((None, format!("entrance {at} of {more}")));
    }
    for (mark, fact) in facts {
        let mark = mark.filter(|mark| *mark != Mark::None);
        if usize::from(pen.room()) < fact.chars().count() + 3 + if mark.is_some() { 2 } else { 0 } {
            continue;
        }
        pen.write("   ", theme.text);
        if let Some(mark) = mark {
            pen.mark(mark, theme).write(" ", theme.text);
        }
        pen.write(&fact, mark.map_or(theme.dim, |mark| mark.style(theme)));
    }
}

fn list(state: &State, walking: &Walking, walk: &Walk, all: &[Station], area: Rect, buffer: &mut Buffer) {
    let theme = &state.theme;
    let rows = rows(all);
    let cursor = rows.iter().position(|row| matches!(row, Row::Station { at, .. } if *at == walking.step));
    let offset = layout::centred(cursor.unwrap_or(0), usize::from(area.height), rows.len());
    for (line, row) in lines(area).zip(&rows[offset..]) {
        let mut pen = Pen::new(buffer, line);
        match row {
            Row::Namespace(hop) => {
                let name = walk.hops.get(*hop).map_or_else(String::new, |hop| hop.namespace.to_string());
                pen.write("  ╭ ", theme.border).fit(&name, theme.heading);
            }
            Row::Station { at, side } => {
                let station = &all[*at];
                let reached = *at <= walking.step;
                let mark = if reached { station.mark } else { Mark::None };
                let plain = if reached { theme.text } else { theme.dim };
                let style = if reached && mark != Mark::Ok { mark.style(theme) } else { plain };
                pen.write("  ", theme.text).write(side, theme.border).write(" ", theme.text).mark(mark, theme);
                pen.write(" ", theme.text).cell(station.stage.word(walk, station.hop), WORD, style);
                pen.write(" ", theme.text).fit(&station.told, style);
                kernel(state, walk, station, &mut pen);
                if *at == walking.step {
                    overview::select(state, line, buffer);
                }
            }
        }
    }
}

/// The kernel's word on a lookup, behind the route.
fn kernel(state: &State, walk: &Walk, station: &Station, pen: &mut Pen) {
    let Some(hop) = station.hop.and_then(|at| walk.hops.get(at)).filter(|_| station.stage == Stage::Route) else {
        return;
    };
    let (mark, text) = match &hop.kernel {
        Kernel::Agrees => (Mark::Ok, "kernel agrees"),
        Kernel::Differs(_) => (Mark::Broken, "kernel differs"),
        Kernel::Failed(_) => (Mark::Unknown, "kernel not reached"),
        Kernel::NotAsked => return,
    };
    if usize::from(pen.room()) > text.len() + 5 {
        pen.write("   ", state.theme.text).mark(mark, &state.theme).write(" ", state.theme.text);
        pen.write(text, mark.style(&state.theme));
    }
}

/// What the header calls the screen.
pub(super) fn place(walking: &Walking) -> String {
    let label = walking.asked.label();
    if walking.back { format!("{label}, back") } else { label }
}
