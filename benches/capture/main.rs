//! A flood of small packets. What it costs to hear and to understand it, beside
//! tcpdump on the same device in the same run: packets seen, CPU a packet. The
//! promises: no more than `tcpdump -w`, a fifth of `tcpdump -n -q` at most. And
//! the console under 200,000 packets a second: 99 of 100 keys are on the screen
//! within 50 ms.
//!
//! `cargo bench --bench capture` measures both, `cargo bench --bench capture --
//! console` one. Builds the lab it needs by itself; the flood comes in at fg,
//! for the floating IP. `FIPSCOPE_BENCH_PACKETS` says how many packets each
//! listener is given (default 600,000), in each of `FIPSCOPE_BENCH_ROUNDS`
//! rounds (default 3, of which the medians are told). tcpdump gets the same snap
//! length and the same memory.

#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    unreachable_pub,
    reason = "a benchmark starts programs, reads the clock and prints"
)]

mod console;
mod flood;

use std::env;
use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use fipscope::capture::{Capture, SNAP};
use fipscope::kernel::{ReadOptions, read_node};
use fipscope::lab::{Lab, LabOptions};
use fipscope::net::NetnsName;
use fipscope::netns::spawn;
use fipscope::neutron::Layout;
use fipscope::path::Node;
use fipscope::topology::Topology;
use fipscope::traffic::{Memory, Meter, Traffic};
use flood::{Flood, Sent};
use nix::sys::resource::{Usage, UsageWho, getrusage};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

const FG: &str = "fg-b2b77eed-1b";

/// One listener's run.
#[derive(Clone, Copy)]
struct Run {
    seen: u64,
    cpu: Duration,
    took: Duration,
}

const PARTS: [(&str, fn()); 2] = [("listeners", listeners), ("console", console::keys)];

fn main() {
    let wanted = env::args().find_map(|word| PARTS.iter().find(|(name, _)| *name == word));
    if let Some((_, part)) = wanted {
        return part();
    }
    // Each in a process of its own: a sandbox is for life.
    for (name, _) in PARTS {
        let status = Command::new(env::current_exe().unwrap()).arg(name).status().unwrap();
        assert!(status.success(), "{name}");
    }
}

/// A lab, its fip namespace, and a flood for that.
fn stand() -> (Lab, NetnsName, Flood) {
    let lab = Lab::enter_and_build(&LabOptions { layout: Layout::Pike, ..LabOptions::default() }).unwrap();
    let names = lab.netns_dir().list().unwrap().names;
    let fip = names.into_iter().find(|name| name.as_str().starts_with("fip-")).unwrap();
    let flood = Flood::new(&lab, &fip);
    (lab, fip, flood)
}

fn listeners() {
    let number = |name: &str, usual| env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(usual);
    let (packets, rounds) = (number("FIPSCOPE_BENCH_PACKETS", 600_000), number("FIPSCOPE_BENCH_ROUNDS", 3));
    let (lab, fip, flood) = stand();
    let has_tcpdump = Command::new("tcpdump").arg("--version").output().is_ok();
    if !has_tcpdump {
        println!("SKIPPED the comparison with tcpdump: it is not installed");
    }
    let mut runs: [Vec<Run>; 4] = Default::default();
    for _ in 0..rounds {
        runs[0].push(ours(&lab, &fip, (&flood, packets), false));
        runs[1].push(ours(&lab, &fip, (&flood, packets), true));
        if has_tcpdump {
            runs[2].push(tcpdump(&lab, &fip, (&flood, packets), &["-w", "/dev/null"]));
            runs[3].push(tcpdump(&lab, &fip, (&flood, packets), &["-n", "-q"]));
        }
    }
    println!("{packets} packets of 12 bytes of UDP, unpaced; medians of {rounds} rounds");
    let titles = ["capture alone", "capture, class, hop and flow", "tcpdump -w /dev/null", "tcpdump -n -q > /dev/null"];
    let mut medians = Vec::new();
    for (title, runs) in titles.iter().zip(&mut runs).filter(|(_, runs)| !runs.is_empty()) {
        runs.sort_by(|one, other| one.each().total_cmp(&other.each()));
        let median = runs[runs.len() / 2];
        let rate = median.seen as f64 / median.took.as_secs_f64() / 1e3;
        let share = 100.0 * median.seen as f64 / packets as f64;
        let each = median.each();
        println!("{title:<30} {each:>7.0} ns of CPU a packet   {rate:>5.0} thousand a second   {share:>5.1} % seen");
        medians.push(median);
    }
    if let [_, whole, writes, prints] = medians[..] {
        let (of_writes, of_prints) = (whole.each() / writes.each(), prints.each() / whole.each());
        println!("with class, hop and flow: {of_writes:.2} of tcpdump -w, {of_prints:.0} times better than printing");
        let good = of_writes <= 1.0 && of_prints >= 5.0 && whole.seen >= writes.seen.max(prints.seen);
        assert!(cfg!(debug_assertions) || good, "level with -w, and five times better than printing");
    }
}

impl Run {
    /// CPU a packet, in nanoseconds.
    fn each(self) -> f64 {
        self.cpu.as_nanos() as f64 / self.seen.max(1) as f64
    }
}

fn ours(lab: &Lab, fip: &NetnsName, (flood, packets): (&Flood, u64), understand: bool) -> Run {
    let options = ReadOptions { netns_dir: lab.netns_dir().path().to_owned(), ..ReadOptions::default() };
    let snapshot = read_node(&options).unwrap();
    let topology = Topology::of(&snapshot);
    let node = Node::of(&snapshot, &topology);
    let mut capture = Capture::open(&lab.netns_dir(), std::slice::from_ref(fip)).unwrap();
    let names = capture.names();
    let over = AtomicBool::new(false);
    let (seen, cpu, took) = thread::scope(|scope| {
        let listener = scope.spawn(|| {
            let mut traffic = Traffic::until(u64::MAX);
            let mut meter = Meter::new(&node, &snapshot, &topology, &names, &mut traffic, Memory::default());
            let (mut seen, begin) = (0_u64, usage(UsageWho::RUSAGE_THREAD));
            while !over.load(Ordering::Relaxed) {
                let mut each = |frame: &fipscope::net::Frame<'_>| {
                    let counted = !understand || meter.count(&mut traffic, frame).is_some();
                    // What the namespace itself says about the flood is not the flood.
                    seen += u64::from(counted && frame.heading == fipscope::net::Heading::In);
                };
                capture.read(Duration::from_millis(50), &mut each).unwrap();
            }
            (seen, usage(UsageWho::RUSAGE_THREAD).saturating_sub(begin))
        });
        let Sent { took, .. } = flood.pour(packets, None);
        thread::sleep(Duration::from_millis(400));
        over.store(true, Ordering::Relaxed);
        let (seen, cpu) = listener.join().unwrap();
        (seen, cpu, took)
    });
    Run { seen: seen.min(packets), cpu, took }
}

fn tcpdump(lab: &Lab, fip: &NetnsName, (flood, packets): (&Flood, u64), how: &[&str]) -> Run {
    let ns = lab.netns_dir().open(fip).unwrap();
    let mut command = Command::new("tcpdump");
    command.args(["-Z", "root", "-i", FG, "-s", &SNAP.to_string(), "-B", "16384"]).args(how).arg("udp port 7");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let before = usage(UsageWho::RUSAGE_CHILDREN);
    let mut child = spawn(&ns, &mut command).unwrap();
    let mut said = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains("listening on") {
        line.clear();
        assert!(said.read_line(&mut line).unwrap() > 0, "tcpdump does not listen");
    }
    let Sent { took, .. } = flood.pour(packets, None);
    thread::sleep(Duration::from_millis(1200));
    kill(Pid::from_raw(child.id().try_into().unwrap()), Signal::SIGINT).unwrap();
    let mut rest = String::new();
    said.read_to_string(&mut rest).unwrap();
    child.wait().unwrap();
    let captured = rest.lines().find_map(|line| line.strip_suffix(" packets captured")).expect(&rest);
    let cpu = usage(UsageWho::RUSAGE_CHILDREN).saturating_sub(before);
    Run { seen: captured.parse().unwrap(), cpu, took }
}

fn usage(who: UsageWho) -> Duration {
    let usage: Usage = getrusage(who).unwrap();
    let of = |time: nix::sys::time::TimeVal| {
        Duration::from_micros(u64::try_from(time.tv_sec() * 1_000_000 + time.tv_usec()).unwrap())
    };
    of(usage.user_time()) + of(usage.system_time())
}
