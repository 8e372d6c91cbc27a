//! A plan as a shell script that does the same.

use crate::net::printable;

use super::{Action, Object, Plan, Undo};

impl Plan {
    /// A script for a POSIX shell: what is to be done, a step after the other,
    /// ending with the first that fails. What is so already is left out. Every
    /// word from the node is quoted; what could end a comment is made printable.
    pub fn script(&self) -> String {
        let mut script = format!("#!/bin/sh\n# {}\n", printable(&self.intent, 300));
        for warning in &self.warnings {
            script.push_str(&format!("# {}\n", printable(warning, 500)));
        }
        script.push_str("set -eu\n");
        for step in self.to_do() {
            script.push_str(&format!("\n# {}: {}\n", step.id, printable(&step.description, 500)));
            if let Undo::Nothing(why) = &step.undo {
                script.push_str(&format!("# Nothing takes this back: {why}\n"));
            }
            let command = step.command();
            script.push_str(&match &step.action {
                // That there was nothing to forget, or nobody who heard, is no failure.
                Action::Forget { .. } | Action::Announce { .. } => format!("{{ {command}; }} || :\n"),
                // A shell does not end where the first of two commands fails.
                Action::Add(Object::OvsPort(_)) => format!("{{ {command}; }} || exit 1\n"),
                _ => format!("{command}\n"),
            });
        }
        script
    }
}
