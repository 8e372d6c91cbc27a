//! A walk in a sentence.

use crate::net::printable;
use crate::path::{Class, Kernel, Outcome, Verdict, Walk};
use crate::tui::words::{Mark, short_netns};

/// What became of the packet.
pub(in crate::tui) fn answer(walk: &Walk) -> (Mark, String) {
    let last = walk.hops.last();
    let place = last.map_or_else(String::new, |hop| short_netns(hop.namespace.as_str()));
    let device = last.and_then(|hop| hop.oif.as_ref()).map_or("?", |device| device.as_str());
    let device = printable(device, 24);
    let source = if walk.arrived.src == walk.sent.src {
        String::new()
    } else {
        format!(", with the source address {}", walk.arrived.src)
    };
    let reason = || walk.stop.as_ref().map_or_else(|| "no reason is known".to_owned(), |s| printable(&s.reason, 300));
    let stopped_in = match &walk.stop {
        Some(stop) => short_netns(stop.namespace.as_str()),
        None => place.clone(),
    };
    match walk.outcome {
        Outcome::Delivered if last.is_some_and(|hop| hop.verdict == Verdict::Deliver) => {
            (Mark::Ok, format!("Taken in by {place} itself"))
        }
        Outcome::Delivered => (Mark::Ok, format!("Delivered to {} by {device}{source}", walk.arrived.dst)),
        Outcome::LeavesNode => {
            let to = last.and_then(|hop| hop.neighbour.as_ref());
            let to = to.map(|neighbour| format!(" to {}", neighbour.address)).unwrap_or_default();
            (Mark::Ok, format!("Leaves the node by {device}{to}{source}"))
        }
        Outcome::Dropped => (Mark::Broken, format!("Stops in {stopped_in}: {}", reason())),
        Outcome::Unknown => (Mark::Unknown, format!("Cannot be told from here, in {stopped_in}: {}", reason())),
    }
}

/// The class in words, with its finer point.
pub(in crate::tui) fn class(walk: &Walk) -> String {
    let word = match walk.class {
        Class::None => "no class",
        other => other.word(),
    };
    match walk.detail {
        Some(detail) => format!("class {word}, {}", detail.word()),
        None if walk.class == Class::None => word.to_owned(),
        None => format!("class {word}"),
    }
}

/// How far the kernel's own lookups agree, in words. `live`: there is a kernel
/// to ask.
pub(in crate::tui) fn agreement(walk: &Walk, live: bool, asking: bool) -> (Mark, String) {
    let asked = walk.hops.iter().filter(|hop| hop.question.is_some());
    let count = |wanted: fn(&Kernel) -> bool| asked.clone().filter(|hop| wanted(&hop.kernel)).count();
    let all = asked.clone().count();
    let agrees = count(|kernel| *kernel == Kernel::Agrees);
    let differs = count(|kernel| matches!(kernel, Kernel::Differs(_)));
    let failed = count(|kernel| matches!(kernel, Kernel::Failed(_)));
    match () {
        () if all == 0 => (Mark::None, "nothing to ask the kernel".to_owned()),
        () if differs > 0 => (Mark::Broken, format!("kernel differs {differs}/{all}")),
        () if agrees == all => (Mark::Ok, format!("kernel agrees {agrees}/{all}")),
        () if asking => (Mark::None, "asking the kernel…".to_owned()),
        () if failed > 0 => (Mark::Unknown, format!("kernel not reached {failed}/{all}")),
        () if !live => (Mark::None, "kernel not asked (offline)".to_owned()),
        () => (Mark::None, format!("kernel asked {agrees}/{all}")),
    }
}
