//! The lab, built for real: every layout in both packet filters, as root and as
//! an ordinary user; all three classes of traffic flow as they should, the
//! article's lines stand there, and nothing is left afterwards.
//!
//! A process of its own for each case: the lab moves its whole process.

#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test starts programs, says what it does and fails by panicking"
)]

mod across;
mod announced;
mod associate;
mod bare;
mod breaks;
mod case;
mod central;
mod change;
mod changing;
mod console;
mod elsewhere;
mod followed;
mod goals;
mod hearing;
mod homes;
mod killed;
#[path = "../common/known_flows.rs"]
mod known_flows;
mod lines;
mod listening;
mod locked;
#[path = "../common/private.rs"]
mod private;
mod privileges;
mod probing;
#[path = "../common/program.rs"]
mod program;
mod rings;
mod script;
mod stops;
mod switched;
#[path = "../common/console.rs"]
mod terminal;
mod traffic;
mod unstopped;
mod witness;

use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use case::{BACKENDS, LAYOUTS};

/// Cases at once for each processor: they wait most of the time.
const AT_ONCE: usize = 4;
/// The same of those that listen to traffic.
const LISTENING_AT_ONCE: usize = 2;

/// What makes so much traffic that some is lost: by itself.
const ALONE: &[&str] = &["losses"];

/// What is counted of traffic: among fewer others, so that nothing is lost.
const TRAFFIC: &[&str] = &[
    "across",
    "hearing",
    "followed",
    "elsewhere",
    "probing",
    "count juno",
    "count newton",
    "count pike",
    "count more",
    "stops juno nft",
    "stops newton nft",
    "stops pike nft",
    "stops pike legacy",
    "stops centralized nft",
    "stops centralized legacy",
    "listening",
    "held up",
    "rings",
    "changing",
    "among others",
];

/// What takes longest, by the beginning of its name.
const LONGEST: &[&str] =
    &["killed remove pair", "killed switch", "killed from nothing", "killed associate", "killed repair pair", "script"];

/// Nobody: an ordinary user on every system.
const NOBODY: u32 = 65_534;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if words.iter().any(|word| word == "--list") {
        return ExitCode::SUCCESS;
    }
    if let [inside, case] = words.as_slice()
        && inside == "--inside"
    {
        case::run(case);
        return ExitCode::SUCCESS;
    }
    if let [child, what, at] = words.as_slice()
        && child == "--child"
    {
        killed::child_of(what, at.parse().unwrap());
        return ExitCode::SUCCESS;
    }
    let filter = words.iter().find(|word| !word.starts_with('-')).map_or("", String::as_str);
    let before = node_of_the_host();
    let wanted = cases().into_iter().filter(|(case, user)| format!("{case} {user:?}").contains(filter));
    let (alone, wanted): (Vec<_>, Vec<_>) = wanted.partition(|(case, _)| ALONE.contains(&case.as_str()));
    let is_listening = |(case, _): &(String, User)| TRAFFIC.contains(&case.as_str());
    let (listening, mut others): (Vec<_>, Vec<_>) = wanted.into_iter().partition(is_listening);
    // The longest first, so that none is waited for at the end.
    others.sort_by_key(|(case, _)| LONGEST.iter().position(|begin| case.starts_with(begin)).unwrap_or(LONGEST.len()));
    let ran = alone.len() + listening.len() + others.len();
    let mut failed = alone.iter().filter(|(case, user)| !passes(case, *user)).count();
    failed += fail(&listening, LISTENING_AT_ONCE) + fail(&others, AT_ONCE);
    let after = node_of_the_host();
    if before != after {
        eprintln!("the lab left something behind:\n{before}\n---\n{after}");
        failed += 1;
    }
    println!("lab: {ran} cases, {failed} failed");
    ExitCode::from(u8::from(failed > 0))
}

/// Runs cases beside one another, so many for each processor; how many failed.
fn fail(cases: &[(String, User)], at_once: usize) -> usize {
    let (next, failed) = (Mutex::new(cases.iter()), AtomicUsize::new(0));
    let take = || next.lock().unwrap().next();
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) * at_once {
            scope.spawn(|| {
                while let Some((case, user)) = take() {
                    failed.fetch_add(usize::from(!passes(case, *user)), Ordering::Relaxed);
                }
            });
        }
    });
    failed.into_inner()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum User {
    Caller,
    Nobody,
}

fn cases() -> Vec<(String, User)> {
    let root = nix::unistd::getuid().is_root();
    let mut cases = Vec::new();
    for user in [User::Caller, User::Nobody] {
        if user == User::Nobody && !root {
            continue;
        }
        for layout in LAYOUTS {
            for backend in BACKENDS {
                cases.push((format!("{} {}", layout.word(), backend.word()), user));
            }
        }
        for special in ["scale nft", "scale legacy", "hundred", "traffic", "command", "unwind"] {
            cases.push((special.to_owned(), user));
        }
        for &special in ALONE.iter().chain(TRAFFIC) {
            if user == User::Caller || special == "count pike" {
                cases.push((special.to_owned(), user));
            }
        }
    }
    // Once is enough of what takes longer: with fewer rights there is more to go wrong.
    let user = if root { User::Nobody } else { User::Caller };
    let mended = change::MENDED.iter().map(|(name, ..)| *name);
    let changed = mended
        .chain(killed::KILLED)
        .chain(script::SCRIPTS)
        .chain(central::CASES)
        .chain(announced::CASES)
        .chain(goals::GOALS);
    let changed = changed.chain([
        "busy",
        "refused",
        "refusals",
        "several",
        "script names",
        "console",
        "console bulk",
        "locked",
        "held flow",
        "two homes",
        "privileges",
    ]);
    cases.push(("witness".to_owned(), user));
    cases.extend(changed.map(|case| (case.to_owned(), user)));
    for layout in LAYOUTS {
        cases.extend(BACKENDS.map(|backend| (format!("wired {} {}", layout.word(), backend.word()), user)));
        // Ports of a switch are devices that some systems let only root make.
        let switched =
            |backend: fipscope::net::netfilter::Backend| format!("switched {} {}", layout.word(), backend.word());
        cases.extend(BACKENDS.map(|backend| (switched(backend), User::Caller)));
    }
    cases.extend([killed::SWITCHED, script::SWITCHED].map(|case| (case.to_owned(), User::Caller)));
    cases.extend(BACKENDS.map(|backend| (format!("bare {}", backend.word()), user)));
    cases
}

/// Runs a case in a process of its own. A system that forbids the sandbox is
/// said loudly, and is a failure where `REQUIRE_NETNS=1`.
fn passes(case: &str, user: User) -> bool {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--inside", case]).current_dir("/");
    if user == User::Nobody {
        command.uid(NOBODY).gid(NOBODY);
    }
    let begun = Instant::now();
    let output = command.output().unwrap();
    let took = begun.elapsed().as_secs_f32();
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    match output.status.code() {
        Some(0) => {
            println!("ok      {case} ({user:?}) {took:.1} s  {}", said.trim().replace('\n', "; "));
            true
        }
        Some(private::SKIPPED | private::LACKING) => {
            println!("SKIPPED {case} ({user:?}): {}", said.trim());
            !private::is_required()
        }
        _ => {
            println!("FAILED  {case} ({user:?}):\n{said}");
            false
        }
    }
}

/// Names, mounts and devices outside: what a lab must leave alone.
fn node_of_the_host() -> String {
    let names = std::fs::read_dir("/run/netns").map_or(0, Iterator::count);
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    let devices = std::fs::read_to_string("/proc/self/net/dev").unwrap();
    let devices: Vec<&str> = devices.lines().filter_map(|line| line.split_once(':')).map(|(name, _)| name).collect();
    format!("{names} names, devices {devices:?}, mounts {}", mounts.lines().count())
}
