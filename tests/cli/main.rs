//! The built program from the outside: answers, exit codes, what goes where.

#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test starts programs and fails by panicking"
)]

mod answers;
mod check;
mod files;
mod help;
mod lab;
mod settings;
mod trace;
mod watch;

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use fipscope::net::Snapshot;
use fipscope::neutron::Layout;
use fipscope::topology::scenario::{FIP, NETWORK, QROUTER, ROUTER, Scenario};

/// The program, with nothing of this process's environment but where it is.
fn program() -> Command {
    program_at(Path::new(env!("CARGO_BIN_EXE_fipscope")))
}

fn program_at(path: &Path) -> Command {
    let mut command = Command::new(path);
    command
        .env_clear()
        .env("HOME", "/nowhere")
        .env("XDG_STATE_HOME", "/nowhere")
        .env("LANG", "C.UTF-8")
        .stdin(Stdio::null());
    command
}

struct Answer {
    code: i32,
    out: String,
    err: String,
}

fn answer(command: &mut Command) -> Answer {
    let Output { status, stdout, stderr } = command.output().unwrap();
    Answer {
        code: status.code().unwrap(),
        out: String::from_utf8(stdout).unwrap(),
        err: String::from_utf8(stderr).unwrap(),
    }
}

fn run<S: AsRef<OsStr>>(words: impl IntoIterator<Item = S>) -> Answer {
    answer(program().args(words))
}

/// A folder of the test's own, empty at its start.
fn folder(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("cli").join(name);
    let _ = fs::remove_dir_all(&path);
    fs::create_dir_all(&path).unwrap();
    path
}

fn save(snapshot: &Snapshot, folder: &Path, name: &str) -> String {
    let path = folder.join(name);
    fs::write(&path, serde_json::to_string(snapshot).unwrap()).unwrap();
    path.to_str().unwrap().to_owned()
}

fn healthy() -> Snapshot {
    Scenario::article(Layout::Juno).snapshot
}

fn broken() -> Snapshot {
    Scenario::article(Layout::Juno).without_rule(QROUTER, "lookup 16").snapshot
}

fn empty() -> Snapshot {
    Scenario::empty().snapshot
}
