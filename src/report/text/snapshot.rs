//! `fipscope snapshot -o FILE`: what was written.

use super::count;
use crate::net::Snapshot;
use crate::report::style::{Style, Tone};
use crate::topology::Topology;

/// What a snapshot that was written to `file` holds.
pub fn written(snapshot: &Snapshot, topology: &Topology, file: &str, style: Style) -> String {
    let unreadable = snapshot.namespaces.values().filter(|netns| netns.unreadable().is_some()).count();
    let text = format!(
        "wrote {file}: {}, {}, {}",
        count(snapshot.namespaces.len(), "namespace"),
        count(topology.routers.len(), "router"),
        count(topology.floating_ips.len(), "floating IP"),
    );
    let mut out = style.marked(("✓", Tone::Good), &text);
    if unreadable > 0 {
        let text = format!("{} could not be read; the file says so and why", count(unreadable, "namespace"));
        out += &style.marked(("?", Tone::Unsure), &text);
    }
    out
}
