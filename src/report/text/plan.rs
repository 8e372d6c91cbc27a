//! A plan, before it is carried out.

use super::count;
use crate::check::Finding;
use crate::plan::{AgentWill, Plan, Step, Undo};
use crate::report::style::{Style, Tone, finding_mark};
use crate::report::subject;

/// What it is for and what to know before, then each step with the command that
/// does the same, then what is so already.
pub fn plan(plan: &Plan, style: Style) -> String {
    let to_do = plan.to_do().count();
    let mut out = match (to_do, plan.steps.len()) {
        (0, 1..) => style.heading(&format!("{}: all of it is so already", plan.intent)),
        _ => style.heading(&format!("{}: {}", plan.intent, count(to_do, "step"))),
    };
    if to_do > 0 {
        let known = plan.case();
        for sentence in known.iter().chain(&plan.warnings) {
            out += &style.block("  ! ", 4, Tone::Warning, sentence);
        }
    }
    for step in plan.to_do() {
        out += &one(step, style);
    }
    let already: Vec<&Step> = plan.steps.iter().filter(|step| step.already).collect();
    if !already.is_empty() {
        out += &style.heading("Already so");
    }
    for step in already {
        out += &style.block("    ", 4, Tone::Plain, &format!("{}: {}", step.netns, step.description));
    }
    out
}

fn one(step: &Step, style: Style) -> String {
    let mut out = style.block(&format!("{:>3} ", step.id), 4, Tone::Plain, &step.description);
    for line in step.command().lines() {
        // Not wrapped, so that it can be copied.
        out.extend(["    ", &style.paint(Tone::Good, line), "\n"]);
    }
    match (&step.undo, step.undo_command()) {
        (Undo::Nothing(why), _) => {
            out += &style.block("    ", 4, Tone::Plain, &format!("nothing takes it back: {why}"));
        }
        (Undo::Action(_), command) => {
            let command = command.unwrap_or_default();
            for (at, line) in command.lines().enumerate() {
                let label = if at == 0 { "taken back by: " } else { "" };
                out.extend(["    ", label, line, "\n"]);
            }
        }
    }
    let is_lost = step.agent.is_some_and(|will| !matches!(will, AgentWill::Keep | AgentWill::NotApplicable));
    let tone = if is_lost { Tone::Warning } else { Tone::Plain };
    out + &style.block("    ", 4, tone, &format!("owner: {}", step.owner_and_agent()))
}

/// A root cause, what the L3 agent does about it, what will be done, and what is
/// to be done elsewhere.
pub fn cause(root: &Finding, plan_of: &Plan, elsewhere: &[String], style: Style) -> String {
    let about = subject(root).map(|about| format!("   {about}")).unwrap_or_default();
    let mut out = style.marked(finding_mark(root), &format!("{} {}{about}", root.code, root.name));
    out += &style.block("    ", 4, Tone::Strong, &root.message);
    out += &style.block("    ", 4, Tone::Plain, &format!("the L3 agent {}", root.agent.sentence()));
    if plan_of.to_do().next().is_none() {
        out += &style.block("    ", 4, Tone::Warning, "fipscope has no step that mends it; what does:");
        for sentence in elsewhere {
            out += &style.block("    - ", 6, Tone::Plain, sentence);
        }
        return out;
    }
    for sentence in elsewhere {
        out += &style.block("    ", 4, Tone::Warning, &format!("by hand: {sentence}"));
    }
    out + &plan(plan_of, style)
}
