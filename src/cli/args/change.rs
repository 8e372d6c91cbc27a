//! `fipscope repair`, `undo` and `journal`: what is changed, and whether it is
//! asked about.

use std::net::IpAddr;

use clap::Args;

use super::check::code;
use crate::config::{Consent, JournalArgs, RepairArgs, UndoArgs};

pub(super) const REPAIR: &str = "\
Examples:
  fipscope repair 192.168.1.3                 what concerns one floating IP
  fipscope repair --all --dry-run             what would be done, nothing more
  fipscope repair --all --select DVR3 --yes   one family of codes, unasked

The plan is shown first. Each root cause is mended by itself; then the node is
read and judged again, packets are walked, and the kernel is asked: where it did
not help, or something new is wrong, all of it is taken back. What was done is
in the journal; `fipscope undo` takes it back.

Exit codes: 0 mended, or nothing to mend, 1 something is left, or was taken
back, 2 wrong usage, 3 could not read, 4 could not be taken back completely.";

pub(super) const UNDO: &str = "\
Examples:
  fipscope undo        the last change
  fipscope undo 3      change 3 of the journal

A change that was done is taken back if the node still is as it left it. Of one
that was left unfinished, whatever there is of it is taken back.";

pub(super) const JOURNAL: &str = "\
Examples:
  fipscope journal                   all changes
  fipscope journal --complete 4      do the rest of one that was left unfinished
  fipscope journal --settle 4        it was taken care of by hand

The journal of root is /var/lib/fipscope/journal.jsonl, that of others is in
$XDG_STATE_HOME/fipscope or ~/.local/state/fipscope.";

/// Whether it is asked about.
#[derive(Debug, Args)]
pub(super) struct Ask {
    /// Show the plan and stop
    #[arg(long)]
    dry_run: bool,
    /// Do not ask
    #[arg(long)]
    yes: bool,
}

/// What is to be mended.
#[derive(Debug, Args)]
pub(in crate::cli) struct Repair {
    /// What concerns these floating IPs (or those of these fixed IPs)
    #[arg(value_name = "ADDRESS")]
    addresses: Vec<IpAddr>,
    /// These findings, as `fipscope check --format json` names them
    #[arg(long, value_name = "ID")]
    finding: Vec<String>,
    /// Everything that `fipscope check` finds
    #[arg(long, conflicts_with_all = ["addresses", "finding"])]
    all: bool,
    /// Only these codes, or beginnings of codes (DVR301, DVR3)
    #[arg(long, value_name = "CODES", value_delimiter = ',', value_parser = code)]
    select: Vec<String>,
    /// The router, where an address is ambiguous (its id, or the first characters)
    #[arg(long, value_name = "ID")]
    router: Option<String>,
    /// The external network, where an address is ambiguous (its id, or the first characters)
    #[arg(long, value_name = "ID")]
    external_network: Option<String>,
    #[command(flatten)]
    ask: Ask,
}

/// Which change.
#[derive(Debug, Args)]
pub(in crate::cli) struct Undo {
    /// The change's number in the journal; the last one where none is given
    #[arg(value_name = "ID")]
    id: Option<u64>,
    #[command(flatten)]
    ask: Ask,
}

/// What is to be done about the journal.
#[derive(Debug, Args)]
pub(in crate::cli) struct Journal {
    /// Do the rest of a change that was left unfinished
    #[arg(long, value_name = "ID")]
    complete: Option<u64>,
    /// Take a change that was left unfinished for settled: somebody saw to it
    #[arg(long, value_name = "ID", conflicts_with = "complete")]
    settle: Option<u64>,
}

impl From<Ask> for Consent {
    fn from(Ask { dry_run, yes }: Ask) -> Self {
        Self { dry_run, yes }
    }
}

impl From<Repair> for RepairArgs {
    fn from(typed: Repair) -> Self {
        let Repair { addresses, finding, all, select, router, external_network, ask } = typed;
        Self { addresses, findings: finding, all, select, router, external_network, consent: ask.into() }
    }
}

impl From<Undo> for UndoArgs {
    fn from(Undo { id, ask }: Undo) -> Self {
        Self { id, consent: ask.into() }
    }
}

impl From<Journal> for JournalArgs {
    fn from(Journal { complete, settle }: Journal) -> Self {
        Self { complete, settle }
    }
}
