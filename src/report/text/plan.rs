//! A plan, before it is carried out.

use super::count;
use crate::check::Finding;
use crate::plan::Plan;
use crate::report::style::{Style, Tone, finding_mark};
use crate::report::subject;

/// What it is for, then each step with the command that does the same.
pub fn plan(plan: &Plan, style: Style) -> String {
    let mut out = style.heading(&format!("{}: {}", plan.intent, count(plan.steps.len(), "step")));
    for step in &plan.steps {
        out += &style.block(&format!("{:>3} ", step.id), 4, Tone::Plain, &step.description);
        for line in step.command().lines() {
            // Not wrapped, so that it can be copied.
            out += &format!("    {}\n", style.paint(Tone::Good, line));
        }
    }
    out
}

/// A root cause, what the L3 agent does about it, and what will be done.
pub fn cause(root: &Finding, plan_of: &Plan, by_hand: &[String], style: Style) -> String {
    let about = subject(root).map(|about| format!("   {about}")).unwrap_or_default();
    let mut out = style.marked(finding_mark(root), &format!("{} {}{about}", root.code, root.name));
    out += &style.block("    ", 4, Tone::Strong, &root.message);
    out += &style.block("    ", 4, Tone::Plain, &format!("the L3 agent {}", root.agent.sentence()));
    for sentence in by_hand {
        out += &style.block("    ", 4, Tone::Warning, &format!("by hand: {sentence}"));
    }
    if !plan_of.steps.is_empty() {
        out += &plan(plan_of, style);
    }
    out
}
