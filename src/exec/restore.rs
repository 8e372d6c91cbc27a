//! Changes of the packet filter, by the program that the agent uses too: it
//! takes a table as a whole or not at all.

use std::io::{self, Write};
use std::process::{Child, ChildStdin, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::net::netfilter::Backend;
use crate::plan::TableEdit;

use super::Cause;
use super::lock::{TablesLock, tables_lock};
use super::program::{command, outcome};

/// How long to wait for another writer's lock, in seconds.
const LOCK_WAIT: u64 = 5;
/// A program that has not opened the lock's file by then takes no lock:
/// `iptables-restore` does since 1.6.2.
const NO_LOCK: Duration = Duration::from_millis(500);
const PAUSE: Duration = Duration::from_micros(200);

/// A restore program that waits for its input. It takes no lock before a table's
/// first line, and changes nothing before the last one; where the input ends
/// before that, it leaves the table alone (`iptables/iptables-restore.c`).
pub(super) struct Waiting {
    name: &'static str,
    child: Option<Child>,
    input: Option<ChildStdin>,
    /// It has the table's first line.
    is_begun: bool,
}

impl Waiting {
    /// Starts it in the calling thread's namespace.
    pub(super) fn start(backend: Backend) -> Result<Self, Cause> {
        let name = backend.restore_program();
        let wait = LOCK_WAIT.to_string();
        let mut child =
            command(name)?.args(["-n", "-w", &wait]).stdin(Stdio::piped()).spawn().map_err(Cause::io(name))?;
        let input = child.stdin.take();
        Ok(Self { name, child: Some(child), input, is_begun: false })
    }

    /// Has it begin with the table and waits until it has the lock on all legacy
    /// tables of this node (`/run/xtables.lock`). It keeps that until it has
    /// changed the table, or ends: whoever honours the lock changes nothing
    /// between. A program that takes no lock is not waited for.
    pub(super) fn hold(&mut self, edit: &TableEdit) -> Result<(), Cause> {
        self.is_begun = true;
        // Where it ended already, it says why when it is asked for its outcome.
        let _ = self.write(first_line(&edit.restore_text()));
        let Some(child) = &mut self.child else { return Ok(()) };
        let begin = Instant::now();
        loop {
            match tables_lock(child.id()) {
                TablesLock::Wanted if begin.elapsed() < Duration::from_secs(LOCK_WAIT + 1) => {}
                TablesLock::None if begin.elapsed() < NO_LOCK => {}
                TablesLock::Held | TablesLock::Wanted | TablesLock::None => return Ok(()),
            }
            if child.try_wait().map_err(Cause::io(self.name))?.is_some() {
                return self.end();
            }
            thread::sleep(PAUSE);
        }
    }

    /// Has it carry out the edit.
    pub(super) fn restore(mut self, edit: &TableEdit) -> Result<(), Cause> {
        let text = edit.restore_text();
        let begun = if self.is_begun { first_line(&text).len() } else { 0 };
        // The program reads all of its input before it says anything longer than a
        // pipe holds, so writing first cannot block for ever.
        let written = self.write(text.get(begun..).unwrap_or_default());
        self.end()?;
        written.map_err(Cause::io(self.name))
    }

    fn write(&mut self, text: &str) -> io::Result<()> {
        self.input.as_mut().map_or(Ok(()), |input| input.write_all(text.as_bytes()))
    }

    /// The end of its input, and what came of it.
    fn end(&mut self) -> Result<(), Cause> {
        self.input = None;
        let Some(child) = self.child.take() else { return Ok(()) };
        outcome(self.name, &child.wait_with_output().map_err(Cause::io(self.name))?)
    }
}

impl Drop for Waiting {
    /// It is not needed any more, and has done nothing.
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn first_line(text: &str) -> &str {
    text.split_inclusive('\n').next().unwrap_or_default()
}
