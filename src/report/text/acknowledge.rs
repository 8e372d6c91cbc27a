//! `fipscope acknowledge`, and what a clean floating IP's packets do.

use crate::path::{Kernel, Outcome, Walk};
use crate::report::style::{Style, Tone};

/// What was accepted, or is no longer, and where that is kept.
pub fn acknowledged(id: &str, revoke: bool, file: &str, style: Style) -> String {
    let word = if revoke { "no longer acknowledged" } else { "acknowledged" };
    style.marked(("✓", Tone::Good), &format!("{word}: {id}"))
        + &style.block("  ", 2, Tone::Faint, &format!("kept in {file}"))
}

/// That a packet out and one in pass, and what the kernel says to it; `None`
/// where they do not.
pub fn passes(out: &Walk, into: &Walk) -> Option<String> {
    let device = |walk: &Walk| Some(walk.hops.last()?.oif.as_ref()?.to_string());
    let went_well = |walk: &Walk| matches!(walk.outcome, Outcome::Delivered | Outcome::LeavesNode);
    if !went_well(out) || !went_well(into) {
        return None;
    }
    let kernel: Vec<&Kernel> = [out, into].into_iter().flat_map(|walk| &walk.hops).map(|hop| &hop.kernel).collect();
    let asked = kernel.iter().filter(|kernel| ***kernel != Kernel::NotAsked).count();
    let agrees = kernel.iter().filter(|kernel| ***kernel == Kernel::Agrees).count();
    let kernel = match (asked, agrees) {
        (0, _) => String::new(),
        (asked, agrees) if asked == agrees => format!("; the kernel's own lookups agree, {agrees} of {asked}"),
        (asked, agrees) => {
            format!("; but the kernel's own lookups agree in {agrees} of {asked} only: see fipscope trace --verify")
        }
    };
    Some(format!(
        "A packet from {} leaves by {} as {}, one to {} leaves by {} for {}{kernel}.",
        out.sent.src,
        device(out)?,
        out.arrived.src,
        into.sent.dst,
        device(into)?,
        into.arrived.dst,
    ))
}
