//! Changes of the packet filter, by the program that the agent uses too: it
//! takes a table as a whole or not at all.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::net::printable;
use crate::plan::TableEdit;

use super::Cause;

/// Where system programs lie; an ordinary user's `PATH` often lacks them.
const FOLDERS: [&str; 6] = ["/usr/sbin", "/sbin", "/usr/local/sbin", "/usr/bin", "/bin", "/usr/local/bin"];
/// How long to wait for another writer's lock, in seconds.
const LOCK_WAIT: &str = "5";

/// Finds a system program.
pub fn find_program(name: &str) -> Option<PathBuf> {
    FOLDERS.iter().map(|folder| Path::new(folder).join(name)).find(|path| path.is_file())
}

/// Carries out an edit in the calling thread's namespace.
pub(super) fn restore(edit: &TableEdit) -> Result<(), Cause> {
    let name = edit.backend.restore_program();
    let program = find_program(name).ok_or(Cause::NoProgram(name))?;
    let mut child = Command::new(program)
        .args(["-n", "-w", LOCK_WAIT])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(Cause::io(name))?;
    // The program reads all of its input before it says anything longer than a
    // pipe holds, so writing first cannot block for ever.
    let written = child.stdin.take().map_or(Ok(()), |mut input| input.write_all(edit.restore_text().as_bytes()));
    let output = child.wait_with_output().map_err(Cause::io(name))?;
    if output.status.success() {
        return written.map_err(Cause::io(name));
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let said: Vec<&str> = said.lines().map(str::trim).filter(|line| !line.is_empty()).take(4).collect();
    Err(Cause::Program { program: name, output: printable(&said.join("; "), 400) })
}
