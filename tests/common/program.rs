//! The program itself, started in a lab, and the node before and after it.

#![allow(dead_code, reason = "not every test needs all of it")]

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use fipscope::kernel::{ReadOptions, read_node};
use fipscope::lab::Lab;
use fipscope::net::{Snapshot, changes};

pub(crate) const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// Where the program keeps its journal.
pub(crate) const STATE: &str = "/run/fipscope-test";

const LONGEST_SETTLING: Duration = Duration::from_secs(5);

pub(crate) fn fipscope(lab: &Lab, words: &[&str]) -> Output {
    run(lab, env!("CARGO_BIN_EXE_fipscope"), words)
}

pub(crate) fn run(lab: &Lab, program: &str, words: &[&str]) -> Output {
    command(lab, program, words).output().unwrap()
}

/// The program with its state in another folder.
pub(crate) fn at_home(lab: &Lab, home: &Path, words: &[&str]) -> Output {
    command(lab, env!("CARGO_BIN_EXE_fipscope"), words).env("XDG_STATE_HOME", home).output().unwrap()
}

/// A program to be started in the lab, with nothing of our own environment.
pub(crate) fn command(lab: &Lab, program: &str, words: &[&str]) -> Command {
    let mut command = Command::new(program);
    // The program's own folder in there is what the tests call STATE.
    let home = Path::new(STATE).parent().unwrap().join("state-home");
    let link = home.join("fipscope");
    if !link.exists() {
        std::fs::create_dir_all(&home).unwrap();
        std::fs::create_dir_all(STATE).unwrap();
        std::os::unix::fs::symlink(STATE, &link).unwrap();
    }
    command.args(words).env_clear().env("PATH", PATH).env("LANG", "C.UTF-8").env("XDG_STATE_HOME", &home);
    if let Some(path) = lab.given_state_path() {
        command.env("FIPSCOPE_STATE_PATH", path);
    }
    command.stdin(Stdio::null());
    command
}

pub(crate) fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// The node, when its devices have settled.
pub(crate) fn quiet(lab: &Lab) -> Snapshot {
    let begin = Instant::now();
    loop {
        let netns_dir = lab.netns_dir().path().to_owned();
        let state_path = lab.given_state_path().map(Path::to_owned);
        let snapshot = read_node(&ReadOptions { netns_dir, state_path, conntrack: true }).unwrap();
        let addrs = || snapshot.places().flat_map(|(_, netns)| netns.addrs());
        // IPv6 takes a second or two to see that nobody else has an address.
        if !addrs().any(|addr| addr.flags.tentative) || begin.elapsed() > LONGEST_SETTLING {
            return snapshot;
        }
        thread::sleep(Duration::from_millis(100));
    }
}

/// What differs but for what comes and goes by itself.
pub(crate) fn differences(before: &Snapshot, after: &Snapshot) -> Vec<String> {
    if before.same_as(after) {
        return Vec::new();
    }
    let all = changes(&before.normalised(), &after.normalised());
    all.into_iter().filter(|change| !change.is_learning()).map(|change| change.to_string()).collect()
}

/// The same but for what comes and goes by itself.
pub(crate) fn same(before: &Snapshot, after: &Snapshot, how: &str) {
    let lasting = differences(before, after);
    assert!(lasting.is_empty(), "{how}: {lasting:#?}");
}
