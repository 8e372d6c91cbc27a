//! A plan as a shell script that does the same.

use crate::net::printable;

use super::command::inside;
use super::{Action, AnnounceBy, Object, Place, Plan, Undo};

/// The agent's locks are the kernel's record locks (`fcntl`), of which `flock`
/// knows nothing.
const NO_LOCK: &str = "# The L3 agent locks a router's packet filter while it changes it; a shell cannot take that \
                       lock.\n# Run this while no agent is at work on the router.";

impl Plan {
    /// A script for a POSIX shell: what is to be done, a step after the other,
    /// ending with the first that fails. What is so already is left out. Every
    /// word from the node is quoted; what could end a comment is made printable.
    pub fn script(&self) -> String {
        let mut lines = vec!["#!/bin/sh".to_owned(), format!("# {}", printable(&self.intent, 300))];
        lines.extend(self.warnings.iter().map(|warning| format!("# {}", printable(warning, 500))));
        if self.to_do().any(|step| matches!(step.action, Action::Netfilter(_))) {
            lines.push(NO_LOCK.to_owned());
        }
        lines.push("set -eu".to_owned());
        for step in self.to_do() {
            lines.push(format!("\n# {}: {}", step.id, printable(&step.description, 500)));
            if let Undo::Nothing(why) = &step.undo {
                lines.push(format!("# Nothing takes this back: {why}"));
            }
            let command = step.command();
            lines.push(match &step.action {
                // That there was nothing to forget, or nobody who heard, is no failure.
                Action::Announce { by: AnnounceBy::Repeat, .. } => announced(&step.netns, &command),
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

/// `arping` takes no address that its namespace has not, unless the namespace
/// lets it: it does meanwhile. Only from Newton on does the agent leave it so.
fn announced(place: &Place, command: &str) -> String {
    let (sysctl, key) = (format!("{}sysctl", inside(place)), "net.ipv4.ip_nonlocal_bind");
    format!(
        "bind=$({sysctl} -n {key}) || bind=0\n{sysctl} -qw {key}=1 || :\n{{ {command}; }} || :\n\
         {sysctl} -qw {key}=\"$bind\" || :"
    )
}
