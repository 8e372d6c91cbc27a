//! `fipscope diff`: what changed between two snapshots, namespace by namespace.

use super::count;
use crate::net::{Change, Snapshot};
use crate::report::style::{Style, Tone};

/// The changes that lead from one snapshot to the other.
pub fn diff(before: &Snapshot, after: &Snapshot, changes: &[Change], style: Style) -> String {
    let moment =
        |snapshot: &Snapshot| format!("{} {}", snapshot.node, snapshot.taken_at.strftime("%Y-%m-%d %H:%M:%S UTC"));
    let title = format!("{} → {}", moment(before), moment(after));
    let mut out = style.block("", 0, Tone::Strong, &title);
    if changes.is_empty() {
        return out + "no difference\n";
    }
    out += &style.block("", 0, Tone::Plain, &count(changes.len(), "change"));
    let mut place = None;
    for change in changes {
        if place != Some(&change.netns) {
            out += &style.heading(&change.netns.to_string());
            place = Some(&change.netns);
        }
        let values = [("-", Tone::Bad, &change.before), ("+", Tone::Good, &change.after)];
        for (sign, tone, object) in values {
            if let Some(object) = object {
                out += &style.block(&format!("  {} ", style.ink(tone, sign)), 4, tone, &object.to_string());
            }
        }
    }
    out
}
