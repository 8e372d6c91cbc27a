//! What decided at a station: the packet as it is there, rules and their
//! meaning, translation, marks, and the kernel's own answer.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::super::pen::{Pen, lines, wrap};
use crate::check::{Finding, blocked_by};
use crate::net::printable;
use crate::path::{Hop, Kernel, Stop, Walk};
use crate::topology::FloatingIp;
use crate::tui::judged::{mark, name};
use crate::tui::namespace::{rule_meaning, table_meaning};
use crate::tui::state::{Node, State};
use crate::tui::walk::{Ends, Stage, Station, Walking};
use crate::tui::words::{Mark, object_word};

/// The column of the values.
const VALUE: u16 = 14;

/// Labelled lines, as they are collected.
struct Lines {
    width: usize,
    all: Vec<(&'static str, String, Style)>,
}

impl Lines {
    fn say(&mut self, label: &'static str, text: &str, style: Style) {
        for (at, line) in wrap(&printable(text, 1024), self.width).into_iter().enumerate() {
            self.all.push((if at == 0 { label } else { "" }, line, style));
        }
    }
}

pub(super) fn draw(
    state: &State,
    walking: &Walking,
    walk: &Walk,
    all: &[Station],
    node: &Node,
    area: Rect,
    buffer: &mut Buffer,
) {
    let theme = &state.theme;
    let Some(station) = all.get(walking.step) else { return };
    let hop = station.hop.and_then(|at| walk.hops.get(at));
    let mut rows = lines(area);
    let Some(first) = rows.next() else { return };
    let mut pen = Pen::new(buffer, first);
    pen.write(" ", theme.text).mark(station.mark, theme).write(" ", theme.text);
    let style = if station.mark == Mark::Ok { theme.key } else { station.mark.style(theme) };
    pen.write(station.stage.word(walk, station.hop), style).write("  ", theme.text);
    // Why it stops is told in full below.
    if station.stage != Stage::Stop {
        pen.fit(&station.told, theme.text);
    }
    let mut out = Lines { width: usize::from(area.width.saturating_sub(VALUE)), all: Vec::new() };
    if station.stage == Stage::Stop
        && let Some(stop) = hop.and_then(|hop| hop.stop.as_ref()).or(walk.stop.as_ref())
    {
        stopped(state, stop, blocked_by(&node.topology, &node.judged.findings, walk), &mut out);
    }
    out.say("packet", &packet(station), theme.text);
    if let Some(hop) = hop {
        of_hop(state, station, hop, node, &mut out);
    }
    let height = usize::from(area.height.saturating_sub(1));
    let scroll = walking.scroll.min(out.all.len().saturating_sub(height));
    for (row, (label, text, style)) in rows.zip(&out.all[scroll..]) {
        Pen::new(buffer, row).to(3).write(label, theme.title).to(VALUE).write(text, *style);
    }
}

fn packet(station: &Station) -> String {
    let packet = &station.packet;
    let mark = if packet.mark == 0 { String::new() } else { format!(", mark {:#x}", packet.mark) };
    format!("{packet}, {} bytes{mark}", packet.length)
}

fn of_hop(state: &State, station: &Station, hop: &Hop, node: &Node, out: &mut Lines) {
    let theme = &state.theme;
    match station.stage {
        Stage::In => {
            for change in &hop.marks {
                let text = format!("{:#x} → {:#x}  {}", change.before, change.after, change.rule);
                out.say("mark", &text, theme.text);
            }
        }
        Stage::Translate(at) => {
            if let Some(translation) = hop.translations.get(at) {
                out.say("before", &translation.before.to_string(), theme.text);
                out.say("after", &translation.after.to_string(), theme.text);
                let rule = translation.rule.as_deref();
                out.say("by", rule.unwrap_or("the connection, which an earlier packet opened"), theme.text);
            }
        }
        Stage::Rule | Stage::Route => {
            if let Some(decided) = &hop.decided {
                let meaning = match station.stage {
                    Stage::Rule => rule_meaning(&node.topology, &hop.namespace, &decided.rule),
                    _ => table_meaning(&node.topology, &hop.namespace, decided.table),
                };
                if let Some(meaning) = meaning {
                    out.say("means", &meaning, theme.heading);
                }
            }
            kernel(state, hop, out);
        }
        Stage::Stop => kernel(state, hop, out),
        Stage::Out | Stage::Sent | Stage::Deliver | Stage::Arrived => {}
    }
}

fn kernel(state: &State, hop: &Hop, out: &mut Lines) {
    let Some(question) = &hop.question else { return };
    let theme = &state.theme;
    let here = || hop.answer.as_ref().map_or_else(|| "nothing".to_owned(), ToString::to_string);
    match &hop.kernel {
        Kernel::Agrees => out.say("kernel", &format!("agrees: {}", here()), theme.ok),
        Kernel::Differs(answer) => {
            out.say("kernel", &format!("says {answer}"), theme.broken);
            out.say("here", &here(), theme.text);
        }
        Kernel::Failed(why) => out.say("kernel", &format!("could not be asked: {why}"), theme.unknown),
        Kernel::NotAsked if state.is_now() => out.say("kernel", "not asked yet", theme.dim),
        Kernel::NotAsked if state.live => out.say("kernel", "not asked (this is the past)", theme.dim),
        Kernel::NotAsked => out.say("kernel", "not asked (offline)", theme.dim),
    }
    out.say("ask with", &question.to_string(), theme.key);
}

/// The floating IP that is watched.
pub(super) fn fip_of<'n>(walking: &Walking, node: &'n Node) -> Option<&'n FloatingIp> {
    match &walking.asked.ends {
        Ends::Fip { id, .. } => id.find(&node.topology),
        Ends::Addresses { .. } => None,
    }
}

fn stopped(state: &State, stop: &Stop, finding: Option<&Finding>, out: &mut Lines) {
    if let Some(finding) = finding {
        let text = format!("{}: {}", name(finding), finding.message);
        out.say("finding", &text, mark(finding).style(&state.theme));
    }
    out.say("why", &stop.reason, state.theme.broken);
    out.say("in", stop.namespace.as_str(), state.theme.text);
    if let Some(object) = &stop.object {
        out.say("object", &format!("{} {}", object_word(object.kind), object.key), state.theme.text);
    }
}
