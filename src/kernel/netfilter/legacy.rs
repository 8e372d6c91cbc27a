//! Legacy tables, through `iptables-legacy-save`: the kernel has no other way out
//! than a structure per architecture and release.
//!
//! Always the plain command, never with `-t`: that would create the table and its
//! hooks in the namespace that we look at.

use std::fs;
use std::io::{self, Read};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use crate::net::Observed;
use crate::net::netfilter::{NfFamily, Table, parse_save};

/// How long the command may take, and how much it may print.
const TIME: Duration = Duration::from_secs(10);
const OUTPUT: u64 = 64 << 20;

/// Where the command stands when the search path of an ordinary user does not have
/// it, and its name where there is only the legacy backend.
const PLACES: [&str; 4] = ["", "/usr/sbin/", "/sbin/", "/usr/local/sbin/"];

/// Tables of both families. Absent where the namespace has none.
pub(super) fn read() -> Observed<Vec<Table>> {
    let families = [
        (NfFamily::Ip, "/proc/thread-self/net/ip_tables_names", ["iptables-legacy-save", "iptables-save"]),
        (NfFamily::Ip6, "/proc/thread-self/net/ip6_tables_names", ["ip6tables-legacy-save", "ip6tables-save"]),
    ];
    let mut tables = Vec::new();
    for (family, names, tools) in families {
        match has_tables(names).and_then(|some| if some { save(family, tools) } else { Ok(Vec::new()) }) {
            Ok(mut found) => tables.append(&mut found),
            Err(why) => return Observed::Unreadable(why),
        }
    }
    if tables.is_empty() { Observed::Absent } else { Observed::Seen(tables) }
}

/// Whether the kernel lists legacy tables. A kernel without them has no such file.
fn has_tables(names: &str) -> Result<bool, String> {
    match fs::read(names) {
        Ok(list) => Ok(!list.is_empty()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(format!("reading {names} failed: {error}; run as root (sudo)")),
    }
}

fn save(family: NfFamily, tools: [&str; 2]) -> Result<Vec<Table>, String> {
    let [legacy, plain] = tools;
    let mut child = PLACES
        .iter()
        .flat_map(|place| [legacy, plain].map(|tool| format!("{place}{tool}")))
        .find_map(|tool| start(&tool))
        .ok_or_else(|| format!("legacy tables stand here, but {legacy} is not installed; install iptables"))?
        .map_err(|error| format!("starting {legacy} failed: {error}"))?;
    let outcome = output(&mut child);
    // Whatever happened, no child stays behind.
    let killed = child.kill();
    let status = child.wait();
    let text = outcome.map_err(|why| format!("{legacy} {why}"))?;
    if killed.is_err() || status.is_err() {
        return Err(format!("{legacy} could not be waited for"));
    }
    let text = String::from_utf8_lossy(&text);
    if text.lines().take(1).any(|line| line.contains("nf_tables")) {
        return Err(format!("legacy tables stand here, but {legacy} is not installed; install iptables"));
    }
    let tables = parse_save(&text, family).map_err(|error| format!("{legacy}: {error}"))?;
    if tables.is_empty() {
        return Err(format!("{legacy} says nothing of the legacy tables that stand here; run it by hand as root"));
    }
    Ok(tables)
}

/// Starts the tool in this thread's namespace; `None` where it is not installed.
fn start(tool: &str) -> Option<io::Result<Child>> {
    let mut command = Command::new(tool);
    command.arg("-c").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    match command.spawn() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        outcome => Some(outcome),
    }
}

/// All that the child prints, within bounds. A thread reads, so that a command
/// that hangs costs us the time and no more: it is killed, which ends the thread.
fn output(child: &mut Child) -> Result<Vec<u8>, String> {
    let Some(pipe) = child.stdout.take() else { return Err("has no output".to_owned()) };
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut text = Vec::new();
        let outcome = pipe.take(OUTPUT + 1).read_to_end(&mut text);
        // Nobody listens any more after the time is over.
        let _ = sender.send(outcome.map(|_| text));
    });
    match receiver.recv_timeout(TIME) {
        Ok(Ok(text)) if text.len() as u64 <= OUTPUT => Ok(text),
        Ok(Ok(_)) => Err("printed more than 64 MiB".to_owned()),
        Ok(Err(error)) => Err(format!("could not be read: {error}")),
        Err(_) => Err(format!("took longer than {} s; try it by hand", TIME.as_secs())),
    }
}
