//! `fipscope traffic --probe`: one packet, sent and followed.

use super::Reading;
use crate::app::error::AppError;
use crate::app::exit::Exit;
use crate::app::follow;
use crate::app::output::{print, style};
use crate::config::{Format, ProbeBy, ProbeTo, Settings, TrafficArgs};
use crate::net::{ReachAnswer, ReachBy};
use crate::netns::NetnsDir;
use crate::path::{Node, Outcome};
use crate::report::{self, Probed};
use crate::traffic::{Aim, Errand, Fate};

/// Sends what was asked for, once, and tells how far it came.
pub(super) fn probe(asked: &TrafficArgs, by: ProbeBy, settings: &Settings) -> Result<Exit, AppError> {
    let reading = Reading::first(asked, settings)?;
    let (snapshot, topology) = (&reading.node.snapshot, &reading.node.topology);
    let by = match by {
        ProbeBy::Echo => ReachBy::Echo,
        ProbeBy::Tcp(port) => ReachBy::Syn(port),
    };
    let aim = match asked.to {
        ProbeTo::Floating => Aim::Floating,
        ProbeTo::Fixed => Aim::Fixed,
        ProbeTo::Gateway => Aim::Gateway,
    };
    let fip = reading.only.as_ref().ok_or(AppError::Usage("--probe needs --floating-ip"))?;
    let errand = Errand::of(topology, fip, aim, by).ok_or(AppError::Usage(
        "no namespace of this node could send that packet: its port or address is not there; fipscope show tells which",
    ))?;
    let dir = NetnsDir::new(&settings.netns_dir);
    let followed = follow::follow(&dir, (snapshot, topology), &errand, &mut |_| true)?;
    let stations = followed.stations();
    let answer = followed.answer.as_ref().unwrap_or(&ReachAnswer::Silent);
    let fate = Fate::of(answer, &stations);
    let node = Node::of(snapshot, topology);
    let reason = match fate {
        Fate::Stops(_) | Fate::Unreachable(_) | Fate::Unseen => Some(reason(&node, &reading, &followed.errand, false)),
        Fate::AnswerStops(_) | Fate::Astray(..) => Some(reason(&node, &reading, &followed.errand, true)),
        _ => None,
    };
    let Some(std::net::IpAddr::V4(floating_ip)) = fip.floating_ip else {
        return Err(AppError::Usage("--probe is about IPv4"));
    };
    let probed = Probed {
        floating_ip,
        errand: &followed.errand,
        stations: &stations,
        fate: &fate,
        reason: reason.as_deref(),
        lost: followed.lost,
    };
    print(&match settings.format {
        Format::Text => report::text::probe(&probed, style(settings)),
        Format::Json => report::json::probe(&snapshot.node, jiff::Timestamp::now(), &probed),
    })?;
    Ok(match fate {
        fate if fate.is_good() => Exit::Done,
        Fate::NotSent(_) | Fate::Unclear => Exit::CannotTell,
        _ => Exit::Found,
    })
}

/// Why it goes no further: the worst that is found about the floating IP, and what
/// stops such a packet where it is walked.
fn reason(node: &Node<'_>, reading: &Reading, errand: &Errand, back: bool) -> String {
    let forth = errand.walk(node);
    let walk = if back { node.reply(&forth).unwrap_or(forth) } else { forth };
    let is_good = matches!(walk.outcome, Outcome::Delivered | Outcome::LeavesNode);
    let walked = walk.stop.filter(|_| !is_good).map(|stop| stop.reason);
    let found = reading.node.judged.findings.iter().filter(|finding| {
        let fip = reading.only.as_ref();
        fip.is_some_and(|fip| finding.floating_ip == fip.floating_ip) && finding.because_of.is_none()
    });
    let found =
        found.min_by_key(|finding| finding.severity).map(|finding| format!("{} {}", finding.code, finding.message));
    match (found, walked) {
        (Some(found), Some(walked)) => format!("{found}; {walked}"),
        (Some(one), None) | (None, Some(one)) => one,
        (None, None) => "nothing is found to be wrong, and such a packet goes on where it is walked".to_owned(),
    }
}
