//! Where the traffic screen's parts stand.

use ratatui::layout::Rect;

use super::take;

/// Rows of the classes: a line of titles, then one a class.
pub(in crate::tui) const CLASSES: u16 = 6;

/// Rows of the selected floating IP: its name, the hops, out, in, two sentences.
const STOPS: u16 = 6;

/// It has as many more for its sentences, where there is room for them.
const MORE: u16 = 3;

/// From this width on the two stand beside each other.
const WIDE: u16 = 112;

/// The traffic screen's parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::tui) struct TrafficParts {
    /// The answer: does what comes in go on?
    pub answer: Rect,
    /// How much is heard, and how well.
    pub heard: Rect,
    /// The classes.
    pub classes: Rect,
    /// The selected floating IP, hop by hop.
    pub stops: Rect,
    /// Floating IPs and flows.
    pub list: Rect,
}

/// The traffic screen's parts within a body. The list keeps a third of it; the
/// selected floating IP goes before the classes where there is room for one.
pub(in crate::tui) fn traffic(body: Rect) -> TrafficParts {
    let mut rest = body;
    let answer = take(&mut rest, u16::from(body.height >= 4));
    let heard = take(&mut rest, u16::from(body.height >= 6));
    let _blank = take(&mut rest, u16::from(body.height >= 22));
    let stops = STOPS + (body.height / 2).saturating_sub(STOPS + 8).min(MORE);
    if body.width >= WIDE {
        let rows = if body.height >= 14 { CLASSES.max(stops) } else { 0 };
        let both = take(&mut rest, rows);
        let _blank = take(&mut rest, u16::from(rows > 0));
        let left = body.width / 2 - 6;
        let classes = Rect { width: left, height: CLASSES.min(both.height), ..both };
        let stops = Rect { x: both.x + left, width: both.width - left, ..both };
        return TrafficParts { answer, heard, classes, stops, list: rest };
    }
    let classes = take(&mut rest, if body.height >= 16 { CLASSES } else { 0 });
    let wanted = match rest.height {
        10.. => stops,
        7..10 => 4,
        _ => 0,
    };
    let stops = take(&mut rest, wanted);
    TrafficParts { answer, heard, classes, stops, list: rest }
}
