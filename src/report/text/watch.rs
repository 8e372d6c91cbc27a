//! `fipscope watch`: a line for each change and for each finding that is raised
//! or cleared.

use jiff::Timestamp;

use super::or_dash;
use crate::check::Turn;
use crate::net::{Change, Snapshot};
use crate::report::message;
use crate::report::style::{Style, Tone, finding_mark};

/// What stands above: what is watched.
pub fn begin(snapshot: &Snapshot, findings: usize) -> String {
    let namespaces = super::count(snapshot.namespaces.len(), "namespace");
    let findings = if findings == 0 { "no findings".to_owned() } else { super::count(findings, "finding") };
    format!("watching {namespaces} of {}, {findings} now; times are UTC, Ctrl-C ends it", snapshot.node)
}

/// The line of a change.
pub fn change(at: Timestamp, change: &Change, style: Style) -> String {
    let tone = match (&change.before, &change.after) {
        (None, _) => Tone::Good,
        (_, None) => Tone::Bad,
        _ => Tone::Warning,
    };
    let message = message(change);
    let (sign, words) = message.split_once(' ').unwrap_or(("", &message));
    let place = change.netns.as_ref().map_or_else(|| "host".to_owned(), ToString::to_string);
    let (time, place) = (time(at, style), style.paint(Tone::Strong, &place));
    format!("{time} {} {place}: {}\n", style.paint(tone, sign), style.plain(words))
}

/// The line of a finding.
pub fn turn(at: Timestamp, turn: &Turn, style: Style) -> String {
    let finding = &turn.finding;
    let ((glyph, tone), word) =
        if turn.raised { (finding_mark(finding), "raised") } else { (("✓", Tone::Good), "cleared") };
    let subject = match (finding.floating_ip, finding.fixed_ip) {
        (None, None) => String::new(),
        (floating, fixed) => format!(" {} ⇄ {}", or_dash(floating), or_dash(fixed)),
    };
    let (time, glyph) = (time(at, style), style.paint(tone, glyph));
    let head = style.paint(tone, &format!("{word} {}", finding.code));
    format!("{time} {glyph} {head}{}: {}\n", style.plain(&subject), style.plain(&finding.message))
}

fn time(at: Timestamp, style: Style) -> String {
    style.paint(Tone::Faint, &at.strftime("%H:%M:%S%.3f").to_string())
}
