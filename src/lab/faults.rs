//! What breaks the lab: for each code, the commands that bring it about.
//!
//! They are run as they stand, without a shell, with names in place of words in
//! braces (`names`). One that begins with the word of a layout and a colon is for
//! that layout alone.

mod agents;
mod files;
mod fip;
mod names;
mod nat;
mod neighbours;
mod outside;
mod pair;
mod policy;
mod snat;
mod stranger;

use std::fmt::Write;
use std::process::Command;

use crate::check::{self, Code, DecidedBy};
use crate::exec::find_program;
use crate::neutron::Layout;

pub use names::names;

use super::needs::Need;
use super::{Error, LabOptions};

/// How one code is brought about.
#[derive(Clone, Copy, Debug)]
pub struct Fault {
    /// The code.
    pub code: u16,
    /// The earliest layout in which it can be.
    pub since: Layout,
    /// What has to stand beside the article's node.
    pub needs: &'static [Need],
    /// Makes the node one that can have it, and is whole.
    prepare: &'static [&'static str],
    /// Breaks it.
    commands: &'static [&'static str],
}

/// The families, by the first digit of their codes.
static FAMILIES: [&[Fault]; 9] = [
    agents::FAULTS,
    pair::FAULTS,
    policy::FAULTS,
    nat::FAULTS,
    fip::FAULTS,
    outside::FAULTS,
    neighbours::FAULTS,
    snat::FAULTS,
    files::FAULTS,
];

/// Codes that a snapshot decides and no lab can have, and why.
pub static UNBREAKABLE: &[(u16, &str)] = &[(
    409,
    "the limit of tracked connections (nf_conntrack_max) is the whole host's: no namespace may set it, and to reach it would take the \
     host's memory",
)];

/// All of them, in code order. Where a code has two, the first that the layout
/// can have is the usual one.
pub fn faults() -> impl Iterator<Item = &'static Fault> {
    FAMILIES.iter().flat_map(|family| family.iter())
}

/// The fault of a code, where this layout can have it.
pub(super) fn find(code: Code, layout: Layout) -> Result<&'static Fault, Error> {
    let mut known = faults().filter(|fault| fault.code == code.0).peekable();
    let since = known.peek().map(|fault| fault.since.word());
    if let Some(fault) = known.find(|fault| fault.since <= layout) {
        return Ok(fault);
    }
    Err(Error::CannotBreak(match since {
        Some(since) => {
            format!("{code} cannot be broken in the layout {}; it can from {since} on: --layout {since}", layout.word())
        }
        None => format!("the lab cannot break {code}: {}.\n{}", why_not(code), list()),
    }))
}

/// What can be broken, a line each.
pub fn list() -> String {
    let mut text = "It can break:".to_owned();
    let mut last = 0;
    for fault in faults().filter(|fault| std::mem::replace(&mut last, fault.code) != fault.code) {
        let code = Code(fault.code);
        let name = check::check(code).map_or("", |check| check.name);
        let _ = write!(text, "\n  {code}  {name}");
        let since = faults().filter(|other| other.code == fault.code).map(|other| other.since).min();
        if let Some(since) = since.filter(|since| *since > Layout::Juno) {
            let _ = write!(text, "  (from --layout {} on)", since.word());
        }
    }
    text
}

fn why_not(code: Code) -> &'static str {
    if let Some((_, why)) = UNBREAKABLE.iter().find(|(known, _)| *known == code.0) {
        return why;
    }
    match check::check(code).map(|check| check.decided_by) {
        None => "there is no such code",
        Some(DecidedBy::Elsewhere) => "no node knows of itself that it has this",
        Some(_) => "it does not know how",
    }
}

const fn fault(code: u16, commands: &'static [&'static str]) -> Fault {
    Fault { code, since: Layout::Juno, needs: &[], prepare: &[], commands }
}

impl Fault {
    /// The earliest layout that can have it.
    const fn since(mut self, layout: Layout) -> Self {
        self.since = layout;
        self
    }

    const fn needs(mut self, needs: &'static [Need]) -> Self {
        self.needs = needs;
        self
    }

    const fn prepare(mut self, commands: &'static [&'static str]) -> Self {
        self.prepare = commands;
        self
    }

    /// Its commands in a lab, names resolved, as a shell would take them.
    pub fn commands(&self, options: &LabOptions) -> Vec<String> {
        self.commands.iter().filter_map(|command| resolved(command, options)).collect()
    }

    /// Whether the node has to be made one that can have it.
    pub fn is_prepared(&self) -> bool {
        !self.prepare.is_empty()
    }

    /// Makes the lab that this process is in one that can have it, and is whole.
    pub fn prepare_lab(&self, options: &LabOptions) -> Result<(), Error> {
        self.run(self.prepare, options)
    }

    /// Breaks the lab that this process is in.
    pub fn break_lab(&self, options: &LabOptions) -> Result<(), Error> {
        self.run(self.commands, options)
    }

    fn run(&self, commands: &[&str], options: &LabOptions) -> Result<(), Error> {
        for command in commands.iter().filter_map(|command| resolved(command, options)) {
            run(&command).map_err(|why| Error::Fault { code: Code(self.code), command, why })?;
        }
        Ok(())
    }
}

/// A text with the lab's names in it: `{R}` and so on.
pub fn named(text: &str, options: &LabOptions) -> String {
    names(options).iter().fold(text.to_owned(), |text, (name, value)| text.replace(name, value))
}

/// A command with names in it; `None` where it is another layout's.
fn resolved(command: &str, options: &LabOptions) -> Option<String> {
    let other = [Layout::Juno, Layout::Newton, Layout::Pike].into_iter().filter(|layout| *layout != options.layout);
    if other.into_iter().any(|layout| command.starts_with(&format!("{}:", layout.word()))) {
        return None;
    }
    let own = format!("{}:", options.layout.word());
    let text = named(command.strip_prefix(&own).unwrap_or(command), options);
    Some(text.split_whitespace().collect::<Vec<_>>().join(" "))
}

fn run(command: &str) -> Result<(), String> {
    let mut words = command.split(' ');
    let name = words.next().unwrap_or_default();
    let program = find_program(name).ok_or_else(|| format!("{name} is not installed"))?;
    // `ip netns exec` looks its program up itself.
    let path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    let output = Command::new(program).args(words).env("PATH", path).output().map_err(|error| error.to_string())?;
    if output.status.success() {
        return Ok(());
    }
    Err(crate::net::printable(String::from_utf8_lossy(&output.stderr).trim(), 300))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_snapshot_decides_can_be_broken() {
        let snapshot = check::checks().filter(|check| check.decided_by.is_read());
        let can = |code: Code| faults().any(|fault| fault.code == code.0);
        let cannot: Vec<u16> = snapshot.map(|check| check.code).filter(|code| !can(*code)).map(|code| code.0).collect();
        assert_eq!(cannot, UNBREAKABLE.iter().map(|(code, _)| *code).collect::<Vec<_>>());
    }

    #[test]
    fn they_stand_in_order_and_every_name_is_known() {
        let all: Vec<u16> = faults().map(|fault| fault.code).collect();
        assert!(all.is_sorted(), "{all:?}");
        for layout in [Layout::Juno, Layout::Newton, Layout::Pike] {
            let options = LabOptions { layout, ..LabOptions::default() };
            for fault in faults().filter(|fault| fault.since <= layout) {
                for command in fault.prepare.iter().chain(fault.commands).filter_map(|one| resolved(one, &options)) {
                    let left = command.replace("awk BEGIN{", "").replace("-exec {}", "");
                    assert!(!left.contains('{'), "{command}");
                }
            }
        }
    }

    #[test]
    fn what_cannot_be_broken_says_why() {
        let why = |code, layout| find(Code(code), layout).unwrap_err().to_string();
        assert!(why(409, Layout::Pike).contains("whole host's"));
        assert!(why(105, Layout::Pike).contains("no node knows"));
        let unknown = why(999, Layout::Pike);
        assert!(unknown.contains("no such code") && unknown.contains("\n  DVR301  floating-ip-rule-missing\n"));
        assert!(unknown.contains("(from --layout pike on)"), "{unknown}");
        assert!(why(504, Layout::Juno).contains("--layout pike"));
        assert_eq!(find(Code(805), Layout::Juno).unwrap().needs, [Need::Legacy]);
    }
}
