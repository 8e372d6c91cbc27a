//! `fipscope diff`: what changed between two snapshots, namespace by namespace.

use super::count;
use crate::net::{Change, Snapshot};
use crate::report::message;
use crate::report::style::{Style, Tone};

/// The changes that lead from one snapshot to the other, and how many were
/// left out because they happen where nobody changes anything.
pub fn diff(before: &Snapshot, after: &Snapshot, changes: &[Change], left_out: usize, style: Style) -> String {
    let moment =
        |snapshot: &Snapshot| format!("{} {}", snapshot.node, snapshot.taken_at.strftime("%Y-%m-%d %H:%M:%S UTC"));
    let title = format!("{} → {}", moment(before), moment(after));
    let mut out = style.block("", 0, Tone::Strong, &title);
    let number = if changes.is_empty() { "no difference".to_owned() } else { count(changes.len(), "change") };
    let noise = format!("; {} came, went or were confirmed", count(left_out, "learned neighbour"));
    let noise = if left_out == 0 { "" } else { &noise };
    out += &style.block("", 0, Tone::Plain, &format!("{number}{noise}"));
    let mut place = None;
    for change in changes {
        if place != Some(&change.netns) {
            out += &style.heading(&change.netns.as_ref().map_or_else(|| "host".to_owned(), ToString::to_string));
            place = Some(&change.netns);
        }
        let tone = match (&change.before, &change.after) {
            (None, _) => Tone::Good,
            (_, None) => Tone::Bad,
            _ => Tone::Warning,
        };
        let message = message(change);
        let (sign, words) = message.split_once(' ').unwrap_or(("", &message));
        out += &style.block(&format!("  {} ", style.paint(tone, sign)), 4, tone, words);
    }
    out
}
