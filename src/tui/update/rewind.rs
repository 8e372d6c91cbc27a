//! How the picture is frozen, and goes back and forth change by change. A moment
//! is judged elsewhere; until that is done the screens show what they showed.

use super::{renew, timeline};
use crate::net::printable;
use crate::tui::message::{Effect, Then};
use crate::tui::state::{Coming, Frozen, State};

/// Shows the node one change earlier or later than it is shown, or will be.
pub(super) fn step(state: &mut State, back: bool) -> Vec<Effect> {
    let timeline = &state.timeline;
    let here = place(state).unwrap_or(timeline.end_position());
    let to = if back { timeline.back(here) } else { timeline.forward(here) };
    match to {
        Some(position) => show(state, position),
        None if back => {
            state.notice = Some(match (&state.recording, timeline.forgotten()) {
                (Some(_), _) => "the recording begins here".to_owned(),
                (None, 0) => "nothing changed before, as far as this console knows".to_owned(),
                (None, _) => "what changed before is not remembered any more".to_owned(),
            });
            Vec::new()
        }
        None if place(state).is_some() => thaw(state),
        None => {
            state.notice = Some(end(state));
            Vec::new()
        }
    }
}

/// Holds the picture as it is, or lets it go on.
pub(super) fn freeze(state: &mut State) -> Vec<Effect> {
    if place(state).is_some() {
        return thaw(state);
    }
    if state.recording.is_some() {
        state.notice = Some(end(state));
        return Vec::new();
    }
    let position = state.timeline.end_position();
    if let (Some(live), Some(at)) = (state.newest().cloned(), state.timeline.time_at(position)) {
        state.frozen = Some(Frozen { position, at, depth: state.above.len(), live: live.clone() });
        let effects = renew(state, live);
        timeline::reach(state, position);
        return effects;
    }
    Vec::new()
}

/// Shows the node at a position; where nothing was told since, that is now.
pub(super) fn show(state: &mut State, position: u64) -> Vec<Effect> {
    if state.timeline.forward(position).is_none() {
        let effects = thaw(state);
        state.notice = Some(end(state));
        return effects;
    }
    let (Some(still), Some(at)) = (state.timeline.still(position), state.timeline.time_at(position)) else {
        state.notice = Some("that change is not remembered any more".to_owned());
        return Vec::new();
    };
    timeline::reach(state, position);
    let frozen = state.frozen.as_ref();
    if frozen.is_some_and(|frozen| frozen.position == position) {
        state.coming = None;
        return Vec::new();
    }
    let depth = frozen.map(|frozen| frozen.depth).or(state.coming.as_ref().map(|coming| coming.depth));
    state.coming = Some(Coming { still: still.clone(), at, depth: depth.unwrap_or(state.above.len()) });
    vec![Effect::Judge(Box::new(still))]
}

/// A moment was judged: it is shown, unless another one is wanted by now.
pub(super) fn judged(state: &mut State, then: Then) -> Vec<Effect> {
    let Some(coming) = state.coming.take_if(|coming| coming.still.is_same(&then.still)) else { return Vec::new() };
    let node = match (then.node, state.newest().cloned()) {
        (Ok(node), Some(live)) => {
            let node = node.accepting(live.judged.acknowledged().clone());
            let Coming { still, at, depth } = coming;
            state.frozen = Some(Frozen { position: still.position, at, depth, live });
            node
        }
        (result, _) => {
            let why = result.err().unwrap_or_default();
            let lines: Vec<&str> = why.lines().collect();
            state.notice = Some(printable(&lines.join("; "), 300));
            return Vec::new();
        }
    };
    renew(state, node)
}

/// The step back that leads out of the past, not to another screen.
pub(super) fn leads_out(state: &State) -> bool {
    let depth = state.frozen.as_ref().map(|frozen| frozen.depth).or(state.coming.as_ref().map(|it| it.depth));
    state.help.is_none() && depth.is_some_and(|depth| state.above.len() <= depth)
}

/// Shows the node as it is now, and as it will be.
pub(super) fn thaw(state: &mut State) -> Vec<Effect> {
    state.coming = None;
    match state.frozen.take() {
        Some(frozen) => renew(state, frozen.live),
        None => Vec::new(),
    }
}

/// The position that the screens show, or will as soon as it is judged; none where
/// they show the node as it is.
fn place(state: &State) -> Option<u64> {
    let coming = state.coming.as_ref().map(|coming| coming.still.position);
    coming.or(state.frozen.as_ref().map(|frozen| frozen.position))
}

/// What stands at the last position.
fn end(state: &State) -> String {
    let words = if state.recording.is_some() { "the recording ends here" } else { "this is the node as it is now" };
    words.to_owned()
}
