//! Nodes built by the real L3 agent: what `list`, `show` and the snapshot say
//! equals what the kernel has and what Neutron was asked for.
//!
//! The builder (`real-node/build_node.sh`) stands beside the project or where
//! `FIPSCOPE_REAL_NODE` says. Each scenario is built once, in a sandbox of its
//! own; inside it this program runs again and does every comparison. Where
//! there is no builder the run says so loudly, and fails if `REQUIRE_REAL_NODE`
//! is set. `FIPSCOPE_SCENARIOS=S1,S9` narrows it; `UPDATE_FIXTURES=1` writes
//! the snapshots into `tests/fixtures/real-node`.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test reads files, starts programs and fails by panicking"
)]

mod agent;
mod associate;
mod busy;
mod cases;
#[path = "../common/console.rs"]
mod console;
mod expect;
#[allow(dead_code, reason = "what writes blocks anew is the lab's test's")]
#[path = "../check_lab/expected.rs"]
mod expected;
mod faults;
mod hands;
mod inside;
mod kernel;
#[path = "../common/known_flows.rs"]
mod known_flows;
mod probe;
#[path = "../common/real_findings.rs"]
mod real_findings;
mod traffic;
mod watch;

use std::collections::VecDeque;
use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::Mutex;
use std::thread;

/// Those first on whose nodes most is done, so that none is waited for at the end.
const SCENARIOS: [&str; 12] = ["S1", "S9", "S3", "S2", "S5", "S6", "S8", "S10", "S11", "S12", "S13", "S15"];
/// How many nodes are built at once: a build waits more than it computes.
const AT_ONCE: usize = 3;

fn main() -> ExitCode {
    let args: Vec<String> = env::args().collect();
    if let [_, word, scenario, workdir] = args.as_slice()
        && word == "inside"
    {
        return inside::run(scenario, Path::new(workdir));
    }
    let Some(builder) = builder() else { return skip("real-node/build_node.sh is not beside the project") };
    if !nix::unistd::geteuid().is_root() {
        return skip("building a node with the real agent needs root");
    }
    let wanted = env::var("FIPSCOPE_SCENARIOS").ok();
    let queue: VecDeque<&str> =
        SCENARIOS.into_iter().filter(|s| wanted.as_ref().is_none_or(|w| w.split(',').any(|x| x == *s))).collect();
    let (queue, failed) = (Mutex::new(queue), Mutex::new(Vec::new()));
    let total = queue.lock().unwrap().len();
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(scenario) = { queue.lock().unwrap().pop_front() } {
                    let (good, text) = build_and_compare(&builder, scenario);
                    println!("== {scenario} {}\n{text}", if good { "ok" } else { "FAILED" });
                    if !good {
                        failed.lock().unwrap().push(scenario);
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap();
    println!("{} passed, {} failed", total - failed.len(), failed.len());
    if failed.is_empty() && total > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn skip(why: &str) -> ExitCode {
    eprintln!("SKIPPED nodes of the real L3 agent: {why}");
    if env::var_os("REQUIRE_REAL_NODE").is_some() { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

pub(crate) fn builder() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/real-node");
    let dir = env::var_os("FIPSCOPE_REAL_NODE").map_or(beside, PathBuf::from);
    let script = dir.join("build_node.sh");
    script.is_file().then_some(script)
}

fn build_and_compare(builder: &Path, scenario: &str) -> (bool, String) {
    let workdir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("real-node-{scenario}-{}", std::process::id()));
    let output = Command::new("timeout")
        .args(["--kill-after=5", "600"])
        .arg(builder)
        .args(["run", "--scenario", scenario, "--privsep-threads", "16", "--workdir"])
        .arg(&workdir)
        .arg("--then")
        .arg(env::current_exe().unwrap())
        .args(["inside", scenario])
        .arg(&workdir)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    text.extend(errors.lines().filter(|line| !line.contains("eventlet")).map(|line| format!("{line}\n")));
    let _ = std::fs::remove_dir_all(&workdir);
    (output.status.success() && text.contains(inside::DONE), text)
}
