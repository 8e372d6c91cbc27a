//! Watching a node of 100 routers with 10 floating IPs each: the time from a
//! change in the kernel to the screen while traffic flows, stage by stage; what
//! it costs where nothing happens; memory under churn; and a thousand
//! namespaces. The promises: 99 of 100 changes under 100 ms, under 1% of a
//! core, no growth.
//!
//! `cargo bench --bench live` measures all of it, `cargo bench --bench live --
//! latency` one part, `-- latency 100` by so many changes. Churn lasts ten minutes where it is asked for by name, and
//! one where all is measured.

#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    unreachable_pub,
    reason = "a measurement starts programs, reads the clock and prints"
)]

mod console;
mod dice;
mod meter;

use std::env;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use console::Console;
use dice::Dice;
use fipscope::exec::Writer;
use fipscope::lab::{Lab, LabOptions};
use fipscope::neutron::Layout;
use meter::{Load, Stages, memory};
use nix::sys::resource::{Resource, getrlimit};

/// The program's own allocator: copies of the node are made of small pieces.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const PARTS: [(&str, fn()); 4] = [("idle", idle), ("latency", latency), ("churn", churn), ("thousand", thousand)];
const CHANGES: usize = 1000;
/// They are told quarter by quarter, as others may work on the machine, too; all
/// of them count.
const RUNS: usize = 4;
const IDLE: Duration = Duration::from_secs(60);
const CHURN: Duration = Duration::from_secs(600);
const SHORT_CHURN: Duration = Duration::from_secs(60);
/// A node of a thousand namespaces is idle when nothing was told for so long; so
/// often it is waited for.
const QUIET: Duration = Duration::from_secs(20);
const SETTLING: usize = 15;
/// Says that all is measured.
const ALL: &str = "all";

fn main() {
    let wanted = env::args().find_map(|word| PARTS.iter().find(|(name, _)| *name == word));
    if let Some((_, part)) = wanted {
        return part();
    }
    // Each in a process of its own: a sandbox is for life.
    for (name, _) in PARTS {
        let status = Command::new(env::current_exe().unwrap()).args([name, ALL]).status().unwrap();
        assert!(status.success(), "{name}");
    }
}

/// A lab and a console that has its first screen.
fn stand(routers: u32, fips: u32, traffic: bool) -> (Console, Lab) {
    let options = LabOptions { layout: Layout::Pike, routers, fips, traffic, ..LabOptions::default() };
    let lab = Lab::enter_and_build(&options).unwrap();
    let began = Instant::now();
    let console = Console::open(&lab);
    println!("{routers} x {fips}: first screen after {:.0?}", began.elapsed());
    (console, lab)
}

fn idle() {
    let (mut console, _lab) = stand(100, 10, false);
    // What the lab's own making leaves behind (neighbours that grow old) settles.
    console.show_for(Duration::from_secs(10));
    let before = Load::now();
    let told = console.show_for(IDLE);
    let load = before.until_now();
    println!("idle, 100 x 10: {load}");
    println!("  {told} updates; {:?}", console.state.watching.unwrap());
    assert!(cfg!(debug_assertions) || load.share() < 0.01, "under 1% of a core");
}

fn latency() {
    let stages = Stages::install();
    let (mut console, lab) = stand(100, 10, true);
    let mut writer = Writer::new(lab.netns_dir());
    let mut dice = Dice::new(7);
    let mut all: Vec<Duration> = Vec::new();
    let load = Load::now();
    let at = |times: &[Duration], percent: usize| times[(times.len() - 1) * percent / 100].as_secs_f64() * 1e3;
    let print = |times: &[Duration]| {
        let [half, most, nearly, longest] = [50, 90, 99, 100].map(|percent| at(times, percent));
        println!("  p50 {half:.1}  p90 {most:.1}  p99 {nearly:.1}  max {longest:.1}");
    };
    let changes = env::args().find_map(|word| word.parse().ok()).unwrap_or(CHANGES);
    println!("from a change in the kernel to the screen, 100 x 10 with traffic, {changes} changes (milliseconds)");
    for _ in 0..RUNS {
        let mut times = Vec::with_capacity(changes / RUNS);
        for _ in 0..changes / RUNS / 2 {
            let (place, there, back) = dice.change(&console.node().snapshot);
            for action in [there, back] {
                sleep(dice.pause());
                console.show_what_is_there();
                // What it takes to make the change counts: rules are made by a program.
                let began = Instant::now();
                writer.perform(&place, &action).unwrap_or_else(|cause| panic!("{action:?}: {cause}"));
                console.show_until_told(place.name());
                times.push(began.elapsed());
                stages.end(began);
            }
        }
        all.extend(&times);
        times.sort();
        print(&times);
        stages.print();
    }
    all.sort();
    println!("  all of them:");
    print(&all);
    println!("  {}", load.until_now());
    println!("  {:?}", console.state.watching.unwrap());
    assert!(cfg!(debug_assertions) || at(&all, 99) < 100.0, "99 of 100 are to take less than 100 ms");
}

fn churn() {
    let (mut console, lab) = stand(100, 10, true);
    let mut writer = Writer::new(lab.netns_dir());
    let mut dice = Dice::new(11);
    let length = if env::args().any(|word| word == ALL) { SHORT_CHURN } else { CHURN };
    let (mut changes, mut levels) = (0_u32, Vec::new());
    let began = Instant::now();
    let load = Load::now();
    while began.elapsed() < length {
        let (place, there, back) = dice.change(&console.node().snapshot);
        for action in [there, back] {
            writer.perform(&place, &action).unwrap_or_else(|cause| panic!("{action:?}: {cause}"));
            changes += 1;
        }
        console.show_for(Duration::from_millis(50));
        if began.elapsed() > length / 6 * u32::try_from(levels.len() + 1).unwrap() {
            levels.push(memory());
        }
    }
    let mebibytes: Vec<String> = levels.iter().map(|bytes| format!("{}", bytes >> 20)).collect();
    println!("churn, 100 x 10: {changes} changes in {:.0?}, {}", began.elapsed(), load.until_now());
    println!("  memory every {:.0?}: {} MiB", length / 6, mebibytes.join(", "));
    let (first, last) = (levels[0], *levels.last().unwrap());
    assert!(last < first + first / 10 + (4 << 20), "memory grows under churn");
}

fn thousand() {
    // The article's router, and what stands around the node, have some of their own.
    let (mut console, lab) = stand(990, 1, false);
    let names = lab.netns_dir().list().unwrap().names.len();
    // So many ports that learn of one another take a while to come to rest.
    let quiet = (0..SETTLING).any(|_| console.show_for(QUIET) == 0);
    let before = Load::now();
    let told = console.show_for(Duration::from_secs(60));
    let load = before.until_now();
    let descriptors = std::fs::read_dir("/proc/self/fd").unwrap().count();
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    println!("{names} namespaces, {}: {load}", if quiet { "idle" } else { "never quite idle" });
    println!("  {descriptors} descriptors (it may have {soft} of {hard}), {} MiB, {told} updates", memory() >> 20);
    println!("  {:?}", console.state.watching.unwrap());
    assert!(names >= 1000, "a thousand at least");
    assert_eq!(console.state.watching.map(|watching| watching.deaf), Some(0), "every one is listened to");
}
