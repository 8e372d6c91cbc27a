//! A plan as a shell script that does the same.

use crate::net::printable;

use super::{Action, Object, Plan, Undo};

impl Plan {
    /// A script for a POSIX shell: what is to be done, a step after the other,
    /// ending with the first that fails. What is so already is left out. Every
    /// word from the node is quoted; what could end a comment is made printable.
    pub fn script(&self) -> String {
        let mut lines = vec!["#!/bin/sh".to_owned(), format!("# {}", printable(&self.intent, 300))];
        lines.extend(self.warnings.iter().map(|warning| format!("# {}", printable(warning, 500))));
        lines.push("set -eu".to_owned());
        for step in self.to_do() {
            lines.push(format!("\n# {}: {}", step.id, printable(&step.description, 500)));
            if let Undo::Nothing(why) = &step.undo {
                lines.push(format!("# Nothing takes this back: {why}"));
            }
            let command = step.command();
            lines.push(match &step.action {
                // That there was nothing to forget, or nobody who heard, is no failure.
                Action::Forget { .. } | Action::ForgetConnection { .. } | Action::Announce { .. } => {
                    format!("{{ {command}; }} || :")
                }
                Action::Probe { .. } => format!(
                    "if command -v arping > /dev/null; then {command}; else echo 'arping is not installed: nobody was \
                     asked' >&2; fi"
                ),
                // A shell does not end where the first of two commands fails.
                Action::Add(Object::OvsPort(_)) => format!("{{ {command}; }} || exit 1"),
                _ => command,
            });
        }
        lines.join("\n") + "\n"
    }
}
