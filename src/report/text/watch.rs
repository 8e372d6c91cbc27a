//! `fipscope watch`: a line for each change and for each finding that is raised
//! or cleared.

use jiff::Timestamp;

use crate::check::Turn;
use crate::net::{Change, Snapshot};
use crate::report::style::{Style, Tone, finding_mark};

/// What stands above: what is watched.
pub fn begin(snapshot: &Snapshot, findings: usize) -> String {
    format!("watching {}, {} now; times are UTC, Ctrl-C ends it", place(snapshot), count(findings))
}

/// What stands above: what was recorded, and until when.
pub fn begin_recording(snapshot: &Snapshot, until: Timestamp, findings: usize) -> String {
    let time = |at: Timestamp| at.strftime("%Y-%m-%d %H:%M:%S");
    let (from, until) = (time(snapshot.taken_at), time(until));
    format!("a recording of {} from {from} to {until} UTC, {} at first", place(snapshot), count(findings))
}

/// The line of a change.
pub fn change(at: Timestamp, change: &Change, style: Style) -> String {
    let tone = match (&change.before, &change.after) {
        (None, _) => Tone::Good,
        (_, None) => Tone::Bad,
        _ => Tone::Warning,
    };
    let (time, place) = (time(at, style), style.paint(Tone::Strong, &change.place()));
    format!("{time} {} {place}: {}\n", style.paint(tone, change.sign()), style.plain(&change.words()))
}

/// The line of a finding.
pub fn turn(at: Timestamp, turn: &Turn, style: Style) -> String {
    let finding = &turn.finding;
    let (glyph, tone) = if turn.raised { finding_mark(finding) } else { ("✓", Tone::Good) };
    let (time, glyph) = (time(at, style), style.paint(tone, glyph));
    let (head, rest) = turn.words();
    format!("{time} {glyph} {}{}\n", style.paint(tone, &head), style.plain(&rest))
}

fn place(snapshot: &Snapshot) -> String {
    format!("{} of {}", super::count(snapshot.namespaces.len(), "namespace"), snapshot.node)
}

fn count(findings: usize) -> String {
    if findings == 0 { "no findings".to_owned() } else { super::count(findings, "finding") }
}

fn time(at: Timestamp, style: Style) -> String {
    style.paint(Tone::Faint, &at.strftime("%H:%M:%S%.3f").to_string())
}
