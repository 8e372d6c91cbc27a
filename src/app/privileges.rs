//! What the process may still do once it has begun: only what its command
//! needs. Its children cannot do more either, and gain nothing by set-user-id
//! programs.
//!
//! To be called before other threads exist: they inherit it.

use caps::{CapSet, Capability, CapsHashSet};

use super::error::AppError;
use crate::config::{Command, JournalArgs, Settings};

/// What a command needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Needs {
    /// All that it was given: the lab makes a sandbox, and runs what it is told.
    Everything,
    /// To read the node.
    Reading,
    /// To read the node and write a file of the operator's.
    Files,
    /// To change the node.
    Writing,
}

impl Needs {
    /// Those of a command with these settings.
    pub(super) fn of(command: &Command, settings: &Settings) -> Self {
        match command {
            Command::Lab(_) => Self::Everything,
            Command::Snapshot(_) | Command::Traffic(_) | Command::Watch(_) => Self::Files,
            _ if settings.read_only => Self::Reading,
            Command::Console | Command::Associate(_) | Command::Remove(_) | Command::Repair(_) | Command::Undo(_) => {
                Self::Writing
            }
            Command::Journal(what) if *what != JournalArgs::default() => Self::Writing,
            Command::Acknowledge { .. } => Self::Files,
            _ => Self::Reading,
        }
    }

    /// To enter namespaces and ask their packet filter (`SYS_ADMIN`, `NET_ADMIN`;
    /// `NET_RAW` for legacy tables), to read the agent's files, which may be in a
    /// container (`DAC_READ_SEARCH`, `SYS_PTRACE`). A file in the operator's own
    /// folder is not root's (`DAC_OVERRIDE`), and one of the agent's keeps its
    /// owner (`CHOWN`, `FOWNER`).
    fn capabilities(self) -> Option<Vec<Capability>> {
        use Capability::{
            CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_FOWNER, CAP_NET_ADMIN, CAP_NET_RAW, CAP_SYS_ADMIN,
            CAP_SYS_PTRACE,
        };
        let mut needed = vec![CAP_SYS_ADMIN, CAP_NET_ADMIN, CAP_NET_RAW, CAP_DAC_READ_SEARCH, CAP_SYS_PTRACE];
        match self {
            Self::Everything => return None,
            Self::Reading => {}
            Self::Files => needed.push(CAP_DAC_OVERRIDE),
            Self::Writing => needed.extend([CAP_DAC_OVERRIDE, CAP_CHOWN, CAP_FOWNER]),
        }
        Some(needed)
    }
}

/// What a process needs to change the node and this one has not, by the names in
/// `capabilities(7)`; nothing where that cannot be told.
pub(super) fn lacking() -> Vec<String> {
    use Capability::{CAP_DAC_OVERRIDE, CAP_NET_ADMIN, CAP_NET_RAW, CAP_SYS_ADMIN};
    let Ok(has) = caps::read(None, CapSet::Effective) else { return Vec::new() };
    let needed = [CAP_SYS_ADMIN, CAP_NET_ADMIN, CAP_NET_RAW, CAP_DAC_OVERRIDE];
    needed.iter().filter(|one| !has.contains(one)).map(ToString::to_string).collect()
}

/// Gives up everything else, for good.
pub(super) fn keep(needs: Needs) -> Result<(), AppError> {
    let Some(needed) = needs.capabilities() else { return Ok(()) };
    let failed = |error: &dyn std::fmt::Display| AppError::Privileges(error.to_string());
    nix::sys::prctl::set_no_new_privs().map_err(|errno| failed(&errno))?;
    let needed: CapsHashSet = needed.into_iter().collect();
    let has = |set| caps::read(None, set).map_err(|error| failed(&error));
    // First what children of root are given; that takes a capability itself.
    if has(CapSet::Effective)?.contains(&Capability::CAP_SETPCAP) {
        let others: Vec<Capability> = has(CapSet::Bounding)?.difference(&needed).copied().collect();
        for other in others {
            caps::drop(None, CapSet::Bounding, other).map_err(|error| failed(&error))?;
        }
    }
    let permitted = has(CapSet::Permitted)?;
    let kept: CapsHashSet = permitted.intersection(&needed).copied().collect();
    for set in [CapSet::Effective, CapSet::Permitted] {
        caps::set(None, set, &kept).map_err(|error| failed(&error))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::process::Command as Program;
    use std::thread;

    use super::*;

    /// A child's own account of what it may do: permitted, effective, bounding.
    fn of_a_child(needs: Needs) -> (Vec<u64>, bool) {
        // What a thread gives up is its own.
        let thread = thread::spawn(move || {
            keep(needs).unwrap();
            Program::new("cat").arg("/proc/self/status").output().unwrap()
        });
        let status = String::from_utf8(thread.join().unwrap().stdout).unwrap();
        let value = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim().to_owned();
        let sets = ["CapPrm:", "CapEff:", "CapBnd:"].map(|name| u64::from_str_radix(&value(name), 16).unwrap());
        (sets.to_vec(), value("NoNewPrivs:") == "1")
    }

    #[test]
    fn children_have_no_more_than_the_command_needs() {
        let is_root = nix::unistd::geteuid().is_root();
        for needs in [Needs::Reading, Needs::Files, Needs::Writing] {
            let needed = needs.capabilities().unwrap().iter().fold(0, |bits, one| bits | one.bitmask());
            let (sets, no_new) = of_a_child(needs);
            assert!(no_new, "{needs:?}");
            for (set, bits) in ["permitted", "effective", "bounding"].iter().zip(sets) {
                // Who cannot do anything cannot give up what its children are bound to.
                if is_root || *set != "bounding" {
                    assert_eq!(bits & !needed, 0, "{needs:?} {set} {bits:x}");
                }
            }
        }
        let before = caps::read(None, CapSet::Permitted).unwrap();
        let (sets, no_new) = of_a_child(Needs::Everything);
        assert!(!no_new || sets[0] == 0 || before.is_empty());
    }

    #[test]
    fn reading_needs_less_than_writing() {
        let of = |needs: Needs| needs.capabilities().unwrap();
        assert!(of(Needs::Reading).len() < of(Needs::Files).len() && of(Needs::Files).len() < of(Needs::Writing).len());
        assert!(!of(Needs::Reading).contains(&Capability::CAP_DAC_OVERRIDE));
    }
}
