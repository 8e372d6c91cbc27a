//! Where a floating IP's packets stop, in words: the hop, and why.

use super::known;
use crate::topology::{Direction, FloatingIp};
use crate::traffic::{FipId, FipTraffic, Health, Interval, StopsAt};
use crate::tui::judged::name;
use crate::tui::overview::FipId as Shown;
use crate::tui::state::Node;
use crate::tui::walk::{Asked, Ends, answer as told, walks};
use crate::tui::words::{Mark, count};

/// Neither the checks nor the walk say why.
const NOTHING: &str = "nothing is found to be wrong, and a packet that is walked goes on";

/// Silent instances of which it is looked whether something is found about them.
const MOST_ASKED: usize = 16;

/// What is to be said of a floating IP, by direction: outbound, inbound.
#[derive(Clone, Debug, PartialEq)]
pub struct Said {
    /// Of which one.
    pub id: FipId,
    /// Where its packets were missing when the reasons were looked for.
    pub stops: [Option<StopsAt>; 2],
    /// The reasons, where some are missing.
    pub why: [Option<String>; 2],
    /// The sentences, each with its mark; none where nothing was seen.
    pub told: [Option<(Mark, String)>; 2],
}

/// What is to be said of a floating IP. The walk is not asked again for a case
/// of which it was asked `before`.
pub(in crate::tui) fn said(node: &Node, pair: [&FipTraffic; 2], before: Option<&Said>) -> Said {
    let stops = pair.map(FipTraffic::trouble);
    let same = before.filter(|said| said.id == pair[0].id && said.stops == stops);
    let reasons = match same {
        Some(said) => said.why.clone(),
        None => pair.map(|fip| match fip.trouble() {
            Some(StopsAt::Hop(_)) => Some(because(node, &fip.id, fip.direction == Direction::Inbound)),
            _ => why(node, fip),
        }),
    };
    let [out, inward] = pair;
    let told = [sentence(out, inward, reasons[0].as_deref()), sentence(inward, out, reasons[1].as_deref())];
    Said { id: out.id.clone(), stops, why: reasons, told }
}

/// The screen's one question: does what comes in go on?
pub(in crate::tui) fn answer(node: &Node, interval: &Interval) -> (Mark, String) {
    let all = interval.floating_ips.as_slice();
    let with = all.chunks_exact(2).filter(|pair| pair.iter().any(|fip| fip.most() > 0)).count();
    let lost = |fip: &&FipTraffic| matches!(fip.stops_at, Some(StopsAt::Hop(_)));
    let mut losing: Vec<&FipTraffic> = all.iter().filter(lost).collect();
    losing.dedup_by_key(|fip| &fip.id);
    let silent: Vec<&FipTraffic> = all.iter().filter(|fip| fip.stops_at == Some(StopsAt::VmSilent)).collect();
    let few = all.iter().find(|fip| fip.trouble().is_some());
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
            let blamed =
                |fip: &&FipTraffic| known(&node.topology, &fip.id).is_some_and(|known| found(node, known).is_some());
            let part = if silent.iter().take(MOST_ASKED).any(blamed) { "" } else { "; this node did its part" };
            let text = format!("{number} of {of}: the instance does not answer ({}){part}", fip.id.floating_ip);
            (Mark::Degraded, text)
        }
        (None, None) if few.is_some() => {
            let told = few.and_then(|fip| Some(format!("{}: {}", fip.id.floating_ip, fip.told(fip, None)?.text)));
            (Mark::Degraded, told.unwrap_or_default())
        }
        (None, None) if interval.classes.iter().all(|count| count.packets == 0) => {
            (Mark::None, "Nothing flows through this node's routers".to_owned())
        }
        (None, None) if with == 0 => (Mark::None, "No floating IP has traffic now".to_owned()),
        (None, None) => (Mark::Ok, format!("{of}: what comes in goes on, hop by hop")),
    }
}

fn sentence(fip: &FipTraffic, other: &FipTraffic, why: Option<&str>) -> Option<(Mark, String)> {
    let told = fip.told(other, why)?;
    let mark = match told.health {
        Health::Stops => Mark::Broken,
        Health::VmSilent | Health::Few => Mark::Degraded,
        Health::NotVisible | Health::Lossy => Mark::Unknown,
        Health::OneWay => Mark::None,
        Health::Passes => Mark::Ok,
    };
    Some((mark, told.text))
}

/// Why packets of a floating IP are missing behind a place: what is found about it,
/// else what becomes of the packet that is walked. An instance that is silent needs
/// no reason on this node: `None` where there is none.
pub fn why(node: &Node, fip: &FipTraffic) -> Option<String> {
    match fip.trouble()? {
        StopsAt::Hop(_) => {
            let reason = reason(node, &fip.id, fip.direction == Direction::Inbound);
            Some(reason.unwrap_or_else(|| NOTHING.to_owned()))
        }
        // They came there: where a walk would stop is not the reason.
        StopsAt::VmSilent => found(node, known(&node.topology, &fip.id)?),
    }
}

/// Why packets of a floating IP stop, in words whatever is known.
pub(in crate::tui) fn because(node: &Node, id: &FipId, inbound: bool) -> String {
    reason(node, id, inbound).unwrap_or_else(|| format!("{NOTHING}: t shows its way"))
}

/// What is found about a floating IP, and what becomes of the packet that is walked.
fn reason(node: &Node, id: &FipId, inbound: bool) -> Option<String> {
    let Some(known) = known(&node.topology, id) else {
        return Some("the floating IP is not on this node any more".to_owned());
    };
    let found = found(node, known);
    let shown = Shown::from(known);
    let wanted = if inbound { None } else { shown.floating };
    let walked = walks(node, &Asked::new(Ends::Fip { id: shown, inbound })).ok();
    let walked = walked.map(|walks| told(&walks.forth, wanted)).filter(|(mark, _)| *mark < Mark::Ok);
    match (found, walked) {
        (Some(found), Some((_, walked))) => Some(format!("{found}; {walked}")),
        (Some(found), None) => Some(found),
        (None, Some((_, walked))) => Some(walked),
        (None, None) => None,
    }
}

/// The worst that is found about a floating IP.
fn found(node: &Node, known: &FloatingIp) -> Option<String> {
    node.judged.worst_of(&node.topology, known).map(name)
}
