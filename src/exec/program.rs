//! Other programs: found where the system has them, started without a shell.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::net::printable;

use super::Cause;

/// Where system programs lie; an ordinary user's `PATH` often lacks them.
const FOLDERS: [&str; 6] = ["/usr/sbin", "/sbin", "/usr/local/sbin", "/usr/bin", "/bin", "/usr/local/bin"];

/// Finds a system program.
pub fn find_program(name: &str) -> Option<PathBuf> {
    FOLDERS.iter().map(|folder| Path::new(folder).join(name)).find(|path| path.is_file())
}

/// A command that starts the program, nothing on its standard input or output.
pub(super) fn command(name: &'static str) -> Result<Command, Cause> {
    let mut command = Command::new(find_program(name).ok_or(Cause::NoProgram(name))?);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    Ok(command)
}

/// Nothing where the program was content, else what it said.
pub(super) fn outcome(name: &'static str, output: &Output) -> Result<(), Cause> {
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let said: Vec<&str> = said.lines().map(str::trim).filter(|line| !line.is_empty()).take(4).collect();
    Err(Cause::Program { program: name, output: printable(&said.join("; "), 400) })
}
