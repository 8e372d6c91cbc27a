//! What was changed, and what was changed in the past.

use super::count;
use crate::plan::journal::{Outcome, Past, State, StepState};
use crate::report::json::Result;
use crate::report::style::{Style, Tone};

/// What became of one change, step by step.
pub fn result(result: Result<'_>, style: Style) -> String {
    let past = result.past;
    let (mark, what) = match past.outcome {
        Some(Outcome::Done) if result.verified => (("✓", Tone::Good), "done and verified"),
        Some(Outcome::Done) => (("!", Tone::Warning), "done, but not verified"),
        Some(Outcome::Undone) => (("✓", Tone::Good), "taken back"),
        Some(Outcome::Settled) => (("·", Tone::Faint), "taken for settled"),
        Some(Outcome::RolledBack) => (("✗", Tone::Bad), "failed, and all of it was taken back"),
        Some(Outcome::Half) | None => (("✗", Tone::Bad), "failed, and could not be taken back completely"),
    };
    let mut out = style.marked(mark, &format!("{}: {what} (change {})", past.intent, past.id));
    for step in &past.steps {
        let (glyph, tone) = step_mark(step.state);
        let lead = format!("  {} ", style.paint(tone, glyph));
        let place = step.planned.place.to_string();
        out += &style.block(
            &lead,
            4,
            Tone::Plain,
            &format!("{} in {place}: {}", step.planned.description, step.state.word()),
        );
        if let Some(why) = step.error.as_deref().filter(|why| !why.is_empty()) {
            out += &style.block("      ", 6, Tone::Plain, why);
        }
    }
    for line in result.failure.unwrap_or_default().lines() {
        out += &style.block("    ", 4, Tone::Strong, line.trim());
    }
    out
}

/// The changes of the past, the last one first.
pub fn journal(all: &[Past], style: Style) -> String {
    if all.is_empty() {
        return style.block("", 0, Tone::Plain, "Nothing was changed yet.");
    }
    let mut out = String::new();
    for past in all.iter().rev() {
        let mark = match past.state {
            State::Done => ("✓", Tone::Good),
            State::Undone => ("·", Tone::Faint),
            State::Unfinished => ("!", Tone::Warning),
            State::Failed => ("✗", Tone::Bad),
        };
        let at = past.at.strftime("%Y-%m-%d %H:%M:%S UTC");
        let by = past.undone_by.map(|by| format!(" by change {by}")).unwrap_or_default();
        let steps = count(past.steps.len(), "step");
        out += &style.marked(mark, &format!("{}  {at}  {}{by}  {steps}", past.id, past.state.word()));
        out += &style.block("    ", 4, Tone::Plain, &past.intent);
        if past.state == State::Unfinished {
            let ways = format!("fipscope undo {0}, or fipscope journal --complete {0}", past.id);
            out += &style.block("    ", 4, Tone::Strong, &ways);
        }
    }
    out
}

fn step_mark(state: StepState) -> (&'static str, Tone) {
    match state {
        StepState::Done => ("✓", Tone::Good),
        StepState::Skipped | StepState::Planned | StepState::Undone => ("·", Tone::Faint),
        StepState::Doing | StepState::Undoing => ("?", Tone::Unsure),
        StepState::Failed => ("✗", Tone::Bad),
    }
}
