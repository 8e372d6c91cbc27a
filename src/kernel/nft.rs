//! Reads `nf_tables` of the current thread's network namespace through its own
//! netlink family.
//!
//! Text of `iptables-save` is silent about native tables, sets and expressions;
//! the kernel is not. What iptables' words can say becomes typed rules, anything
//! else is kept as not understood.

mod draft;
mod dump;
mod field;
#[cfg(test)]
mod fuzz;
mod native;
mod rule;
mod tables;
mod wire;
mod xt;

use std::io;

use crate::net::Observed;
use crate::net::netfilter::Table;
use dump::{DumpError, Dumper};
use tables::Collector;

/// `NFT_MSG_*`, those that ask.
const GET_TABLE: u8 = 1;
const GET_CHAIN: u8 = 4;
const GET_RULE: u8 = 7;
const GET_SET: u8 = 10;
const GET_GENERATION: u8 = 16;
const GET_OBJECT: u8 = 19;
const GET_FLOWTABLE: u8 = 23;

/// `NFTA_GEN_ID`.
const GENERATION_ID: u16 = 1;

/// How often we start again when the rules change under us.
const ATTEMPTS: u32 = 20;

/// All tables of all families, base chains first in each. Absent where the kernel
/// has no `nf_tables`.
pub(super) fn read() -> Observed<Vec<Table>> {
    match read_tables() {
        Ok(tables) => Observed::Seen(tables),
        Err(DumpError::Os(error)) => refused(&error),
        Err(DumpError::Interrupted) => {
            Observed::Unreadable("the rules of nf_tables change faster than they can be read; try again".to_owned())
        }
        Err(DumpError::Malformed) => {
            Observed::Unreadable("the kernel's answer about nf_tables is not understood; please report this".to_owned())
        }
        Err(DumpError::TooMuch) => Observed::Unreadable(
            "nf_tables holds more than 1 000 000 objects; look with \"nft list tables\"".to_owned(),
        ),
    }
}

fn refused(error: &io::Error) -> Observed<Vec<Table>> {
    match error.raw_os_error() {
        Some(libc::EPERM | libc::EACCES) => Observed::Unreadable(
            "the kernel shows nf_tables only to CAP_NET_ADMIN in this namespace; run as root (sudo)".to_owned(),
        ),
        // No nfnetlink, or nfnetlink without nf_tables.
        Some(libc::EPROTONOSUPPORT | libc::EAFNOSUPPORT | libc::EOPNOTSUPP | libc::EINVAL | libc::ENOENT) => {
            Observed::Absent
        }
        _ => Observed::Unreadable(format!("reading nf_tables failed: {error}; try \"nft list ruleset\"")),
    }
}

fn read_tables() -> Result<Vec<Table>, DumpError> {
    let mut dumper = Dumper::open()?;
    let mut outcome = Err(DumpError::Interrupted);
    for _ in 0..ATTEMPTS {
        outcome = attempt(&mut dumper);
        match outcome {
            // A dump that stopped half-way may leave answers in the queue.
            Err(DumpError::Interrupted) => dumper = Dumper::open()?,
            _ => return outcome,
        }
    }
    outcome
}

/// One reading, good only if no change was committed meanwhile: every commit
/// takes a new generation.
fn attempt(dumper: &mut Dumper) -> Result<Vec<Table>, DumpError> {
    let before = generation(dumper)?;
    let mut found = Collector::default();
    dumper.dump(GET_TABLE, |family, body| found.table(family, body))?;
    if found.is_empty() {
        return Ok(Vec::new());
    }
    dumper.dump(GET_CHAIN, |family, body| found.chain(family, body))?;
    dumper.dump(GET_RULE, |family, body| found.rule(family, body))?;
    dumper.dump(GET_SET, |family, body| found.set(family, body))?;
    older_kernels_lack(dumper.dump(GET_OBJECT, |family, body| found.object(family, body)))?;
    older_kernels_lack(dumper.dump(GET_FLOWTABLE, |family, body| found.flowtable(family, body)))?;
    if generation(dumper)? == before { Ok(found.finish()) } else { Err(DumpError::Interrupted) }
}

/// The generation of the rules; a kernel before 3.18 has none, and there the
/// kernel's own mark of an interrupted dump must do.
fn generation(dumper: &mut Dumper) -> Result<Option<u32>, DumpError> {
    match dumper.ask_u32(GET_GENERATION, GENERATION_ID) {
        Err(DumpError::Os(error)) if is_unknown_question(&error) => Ok(None),
        other => other.map(Some),
    }
}

/// Objects came with Linux 4.10, flow tables with 4.16: a kernel that does not
/// know the question has none.
fn older_kernels_lack(outcome: Result<(), DumpError>) -> Result<(), DumpError> {
    match outcome {
        Err(DumpError::Os(error)) if is_unknown_question(&error) => Ok(()),
        other => other,
    }
}

fn is_unknown_question(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EINVAL | libc::EOPNOTSUPP))
}
