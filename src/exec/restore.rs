//! Changes of the packet filter, by the program that the agent uses too: it
//! takes a table as a whole or not at all.

use std::io::Write;
use std::process::Stdio;

use crate::plan::TableEdit;

use super::Cause;
use super::program::{command, outcome};

/// How long to wait for another writer's lock, in seconds.
const LOCK_WAIT: &str = "5";

/// Carries out an edit in the calling thread's namespace.
pub(super) fn restore(edit: &TableEdit) -> Result<(), Cause> {
    let name = edit.backend.restore_program();
    let mut child =
        command(name)?.args(["-n", "-w", LOCK_WAIT]).stdin(Stdio::piped()).spawn().map_err(Cause::io(name))?;
    // The program reads all of its input before it says anything longer than a
    // pipe holds, so writing first cannot block for ever.
    let written = child.stdin.take().map_or(Ok(()), |mut input| input.write_all(edit.restore_text().as_bytes()));
    let output = child.wait_with_output().map_err(Cause::io(name))?;
    outcome(name, &output)?;
    written.map_err(Cause::io(name))
}
