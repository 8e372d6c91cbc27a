//! Where a floating IP's packets stop, in words: the hop, and why.

use super::known;
use crate::topology::Direction;
use crate::traffic::{FipId, FipTraffic, Hop, Interval, StopsAt};
use crate::tui::judged::name;
use crate::tui::overview::FipId as Shown;
use crate::tui::state::Node;
use crate::tui::walk::{Asked, Ends, answer as told, walks};
use crate::tui::words::{Mark, count};

/// What is to be said of a floating IP, by direction: outbound, inbound.
#[derive(Clone, Debug, PartialEq)]
pub struct Said {
    /// Of which one.
    pub id: FipId,
    /// Where its packets stopped when the reasons were looked for.
    pub stops: [Option<StopsAt>; 2],
    /// The reasons, where they stop at a hop.
    pub why: [Option<String>; 2],
    /// The sentences, each with its mark; none where nothing was seen.
    pub told: [Option<(Mark, String)>; 2],
}

/// What is to be said of a floating IP. The walk is not asked again for a case
/// of which it was asked `before`.
pub(in crate::tui) fn said(node: &Node, pair: [&FipTraffic; 2], lossy: bool, before: Option<&Said>) -> Said {
    let stops = pair.map(|fip| fip.stops_at);
    let same = before.filter(|said| said.id == pair[0].id && said.stops == stops);
    let why = match same {
        Some(said) => said.why.clone(),
        None => pair.map(|fip| match fip.stops_at {
            Some(StopsAt::Hop(_)) => Some(because(node, &fip.id, fip.direction == Direction::Inbound)),
            Some(StopsAt::VmSilent) | None => None,
        }),
    };
    let [out, inward] = pair;
    let told = [sentence(out, inward, why[0].as_deref(), lossy), sentence(inward, out, why[1].as_deref(), lossy)];
    Said { id: out.id.clone(), stops, why, told }
}

/// The screen's one question: does what comes in go on?
pub(in crate::tui) fn answer(interval: &Interval) -> (Mark, String) {
    let all = interval.floating_ips.as_slice();
    let with = all.chunks_exact(2).filter(|pair| pair.iter().any(|fip| fip.most() > 0)).count();
    let lost = |fip: &&FipTraffic| matches!(fip.stops_at, Some(StopsAt::Hop(_)));
    let mut losing: Vec<&FipTraffic> = all.iter().filter(lost).collect();
    losing.dedup_by_key(|fip| &fip.id);
    let silent: Vec<&FipTraffic> = all.iter().filter(|fip| fip.stops_at == Some(StopsAt::VmSilent)).collect();
    let of = count(with, "floating IP with traffic", "floating IPs with traffic");
    match (losing.first(), silent.first()) {
        (Some(fip), _) => {
            let hop = fip.stops_at.map_or("", StopsAt::word);
            let verb = if losing.len() == 1 { "loses" } else { "lose" };
            let text = format!("{} of {of} {verb} packets here: {} after {hop}", losing.len(), fip.id.floating_ip);
            (Mark::Broken, text)
        }
        (None, Some(fip)) => {
            let number = silent.len();
            let text = format!(
                "{number} of {of}: the instance does not answer ({}); this node did its part",
                fip.id.floating_ip
            );
            (Mark::Degraded, text)
        }
        (None, None) if interval.classes.iter().all(|count| count.packets == 0) => {
            (Mark::None, "Nothing flows through this node's routers".to_owned())
        }
        (None, None) if with == 0 => (Mark::None, "No floating IP has traffic now".to_owned()),
        (None, None) => (Mark::Ok, format!("{of}: what comes in goes on, hop by hop")),
    }
}

/// The hops of a direction, in packet order.
fn way(fip: &FipTraffic) -> Vec<Hop> {
    let mut hops = Hop::chain(fip.id.kind).to_vec();
    if fip.direction == Direction::Inbound {
        hops.reverse();
    }
    hops
}

fn sentence(fip: &FipTraffic, other: &FipTraffic, why: Option<&str>, lossy: bool) -> Option<(Mark, String)> {
    let unseen: Vec<&str> =
        way(fip).into_iter().filter(|hop| fip.hops[*hop as usize].is_none()).map(Hop::word).collect();
    match fip.stops_at {
        Some(StopsAt::Hop(hop)) => Some((Mark::Broken, format!("after {}: {}", hop.word(), why.unwrap_or_default()))),
        Some(StopsAt::VmSilent) => {
            let text =
                "the instance does not answer: this node did its part; look at its security groups and at itself";
            Some((Mark::Degraded, text.to_owned()))
        }
        None if !unseen.is_empty() => Some((Mark::Unknown, format!("not visible here: {}", unseen.join(", ")))),
        None if fip.most() > 0 && lossy => {
            Some((Mark::Unknown, "counts are too low: packets were lost before they were seen".to_owned()))
        }
        None if fip.most() > 0 => Some((Mark::Ok, "every hop passes it on".to_owned())),
        None if other.most() > 0 => Some((Mark::None, "one-way: nothing of this direction was seen here".to_owned())),
        None => None,
    }
}

/// Why packets of a floating IP stop: what is found about it, else what becomes of
/// the packet that is walked.
pub(in crate::tui) fn because(node: &Node, id: &FipId, inbound: bool) -> String {
    let Some(known) = known(&node.topology, id) else {
        return "the floating IP is not on this node any more".to_owned();
    };
    let found = node.judged.worst_of(&node.topology, known).map(name);
    let shown = Shown::from(known);
    let wanted = if inbound { None } else { shown.floating };
    let walked = walks(node, &Asked::new(Ends::Fip { id: shown, inbound })).ok();
    let walked = walked.map(|walks| told(&walks.forth, wanted)).filter(|(mark, _)| *mark < Mark::Ok);
    match (found, walked) {
        (Some(found), Some((_, walked))) => format!("{found}; {walked}"),
        (Some(found), None) => found,
        (None, Some((_, walked))) => walked,
        (None, None) => "nothing is found to be wrong, and a packet that is walked goes on: t shows its way".to_owned(),
    }
}
