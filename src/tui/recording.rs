//! A recording in the console: the timeline of a node that is elsewhere, or was.

use jiff::Timestamp;

use super::state::{Node, State};
use super::timeline::Timeline;
use super::words::count;
use crate::check::Turn;
use crate::net::printable;

/// A recording, as the console takes it in.
#[derive(Clone, Debug, PartialEq)]
pub struct Replay {
    /// All that changed.
    pub timeline: Timeline,
    /// The node as it was at last.
    pub node: Node,
    /// What is missing from it.
    pub remark: Option<String>,
}

/// What some of its moments did to the findings.
#[derive(Clone, Debug, PartialEq)]
pub struct Turned {
    /// Those that did something, by number.
    pub turns: Vec<(u64, Vec<Turn>)>,
    /// It is known of all moments before this one.
    pub until: u64,
}

/// What is shown is a recording.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recording {
    /// What is missing from it, printable.
    pub remark: Option<String>,
    /// What the moments before this one did to the findings is known.
    pub judged: u64,
}

impl Recording {
    /// Nothing is known yet of what it did to the findings.
    pub(super) fn new(remark: Option<&str>) -> Self {
        Self { remark: remark.map(|remark| printable(remark, 200)), judged: 0 }
    }

    /// How far the findings are known, in percent, where that is not to its end.
    pub(super) fn known(&self, timeline: &Timeline) -> Option<u64> {
        let end = timeline.end_position();
        (self.judged < end).then(|| (self.judged * 100).checked_div(end).unwrap_or(100))
    }
}

/// The moment that is shown, for the header: `recording 12:00:01.2 UTC`, with
/// the day where it is not today. In falling length: the first that fits is told.
pub(super) fn moment(state: &State, at: Timestamp) -> [String; 4] {
    let day = |at: Timestamp| at.strftime("%Y-%m-%d").to_string();
    let date = if day(at) == day(state.now) { String::new() } else { day(at) + " " };
    let time = at.strftime("%H:%M:%S%.1f").to_string();
    [
        format!("recording {date}{time} UTC"),
        format!("recording {time} UTC"),
        format!("{time} UTC"),
        at.strftime("%H:%M:%S").to_string(),
    ]
}

/// What it is and where one stands in it, in falling importance: what does not
/// fit is left out.
pub(super) fn parts(state: &State, recording: &Recording) -> Vec<String> {
    let timeline = &state.timeline;
    let number = |told: u64| count(usize::try_from(told).unwrap_or(usize::MAX), "change", "changes");
    let (place, keys) = if let Some(frozen) = &state.frozen {
        let out = if state.above.len() <= frozen.depth { "Esc or L" } else { "L" };
        let at = frozen.at.strftime("%H:%M:%S%.1f");
        let left = number(timeline.told_since(frozen.position));
        (format!("as of {at} UTC, {left} before its end"), [format!("; {out} goes there"), ", [ and ] step".into()])
    } else {
        let all = number(timeline.told_since(0));
        (format!("the end of a recording of {all}"), ["; [ steps back".into(), ", e lists them".into()])
    };
    let remark = recording.remark.as_ref().map(|remark| format!("; {remark}"));
    let progress = recording.known(timeline).map(|percent| format!("; findings known up to {percent}%"));
    [place].into_iter().chain(remark).chain(keys).chain(progress).collect()
}
