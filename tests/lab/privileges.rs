//! What a running command may still do: what it needs, and nothing else.

use std::fs;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use fipscope::lab::LabOptions;
use nix::fcntl::{FcntlArg, fcntl};

use crate::case::build;
use crate::program::PATH;

/// By their numbers (`linux/capability.h`): `DAC_READ_SEARCH`, `NET_ADMIN`,
/// `NET_RAW`, `SYS_PTRACE`, `SYS_ADMIN`.
const READING: u64 = 1 << 2 | 1 << 12 | 1 << 13 | 1 << 19 | 1 << 21;
/// And `DAC_OVERRIDE`.
const FILES: u64 = READING | 1 << 1;
/// And `CHOWN` and `FOWNER`.
const WRITING: u64 = FILES | 1 << 0 | 1 << 3;

const LONGEST: Duration = Duration::from_secs(20);

/// While each of them runs, the kernel says what it may.
pub(crate) fn kept() {
    let lab = build(&LabOptions::default());
    let whole = status(std::process::id(), "CapEff").unwrap();
    assert_eq!(whole & WRITING, WRITING, "{whole:x}: the lab itself may all");
    assert_ne!(whole, WRITING);
    let commands: [(&[&str], u64); 4] = [
        (&["show", "192.168.1.3", "--format", "json"], READING),
        (&["watch"], FILES),
        (&["traffic", "--duration", "60"], FILES),
        (&["associate", "192.168.1.4", "10.0.0.5", "--yes"], WRITING),
    ];
    for (words, expected) in commands {
        let mut command = Command::new(env!("CARGO_BIN_EXE_fipscope"));
        command.args(words).env_clear().env("PATH", PATH).env("XDG_STATE_HOME", lab.state_path());
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        // One that has more to say than goes in waits for its reader.
        fcntl(child.stdout.as_ref().unwrap(), FcntlArg::F_SETPIPE_SZ(4096)).unwrap();
        let begin = Instant::now();
        let mut seen = Vec::new();
        loop {
            let now = ["CapEff", "CapPrm", "CapBnd", "NoNewPrivs"].map(|name| status(child.id(), name));
            if now == [Some(expected), Some(expected), Some(expected), Some(1)] {
                break;
            }
            seen.push(now);
            seen.dedup();
            assert!(begin.elapsed() < LONGEST, "{words:?}: {expected:x} is wanted, not {seen:x?}");
            thread::sleep(Duration::from_millis(5));
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }
    println!("{} commands keep what they need", commands.len());
}

/// A line of what the kernel says of a process.
fn status(pid: u32, name: &str) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    u64::from_str_radix(line.trim(), 16).ok()
}
