//! Floating IPs associated on a node that the real L3 agent built: by that
//! agent with its defaults, the first when it is at rest and the others one after
//! another, and by hand from the confirmed plan to the verified chain, in turns on
//! the same node. The promise: by hand at least fifty times as fast as by the
//! agent one after another.
//!
//! `cargo bench --bench associate` needs root and the node's builder
//! (`real-node/build_node.sh`, beside the project in `../shared` or where
//! `FIPSCOPE_REAL_NODE` says); it takes about four minutes.

#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    unreachable_pub,
    reason = "a measurement starts programs, reads the clock and prints"
)]

#[allow(dead_code, reason = "the measurement does not need all of it")]
#[path = "../../tests/real_node/agent.rs"]
mod agent;

use std::env;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use agent::{Agent, Home};
use fipscope::exec::{self, Order, Site};
use fipscope::kernel::{ReadOptions, read_node};
use fipscope::net::Snapshot;
use fipscope::netns::NetnsDir;
use fipscope::plan::journal::{Aim, Entry, Event, Outcome};
use fipscope::plan::{Associate, Neutron, Plan, Remove, associate, remove};
use fipscope::topology::Topology;

/// The program's own allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What is associated, one after another.
const PAIRS: [Pair; 4] = [
    ("192.168.1.4", "10.0.0.5"),
    ("192.168.1.5", "10.0.0.6"),
    ("192.168.1.6", "10.0.0.7"),
    ("192.168.1.7", "10.0.0.8"),
];
/// Of the agent; by hand it is done several times for each.
const ROUNDS: usize = 5;
const BY_HAND: usize = 2;
/// The agent announces what it associated for ten seconds, with the threads that
/// it needs for the next association.
const QUIET: Duration = Duration::from_secs(13);
const PROMISED: f64 = 50.0;

/// A floating IP and its fixed IP.
type Pair = (&'static str, &'static str);

fn main() {
    let args: Vec<String> = env::args().collect();
    if let Some(at) = args.iter().position(|word| word == "inside") {
        return measure(Path::new(&args[at + 1]));
    }
    let Some(builder) = builder() else {
        return println!("SKIPPED: real-node/build_node.sh is not beside the project");
    };
    if !nix::unistd::geteuid().is_root() {
        return println!("SKIPPED: building a node with the real agent needs root");
    }
    let workdir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("associate-{}", std::process::id()));
    let status = Command::new("timeout")
        .args(["--kill-after=5", "600"])
        .arg(builder)
        .args(["run", "--scenario", "S1", "--privsep-threads", "16", "--workdir"])
        .arg(&workdir)
        .arg("--then")
        .arg(env::current_exe().unwrap())
        .arg("inside")
        .arg(&workdir)
        .stdin(Stdio::null())
        .status();
    let _ = std::fs::remove_dir_all(&workdir);
    assert!(status.unwrap().success());
}

fn builder() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/real-node");
    let script = env::var_os("FIPSCOPE_REAL_NODE").map_or(beside, PathBuf::from).join("build_node.sh");
    script.is_file().then_some(script)
}

/// The measurement itself, on the node.
fn measure(workdir: &Path) {
    let home = Home { workdir, builder: &builder().unwrap() };
    let hand = Hand { workdir, state_path: workdir.join("neutron") };
    // With the threads that it has where nobody gave it more.
    let mut agent = Agent::start(home, "neutron-l3-agent", 0);
    agent.says("start");
    let (mut at_rest, mut following, mut ours, mut stages) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        sleep(QUIET);
        for (at, (floating_ip, fixed_ip)) in PAIRS.into_iter().enumerate() {
            agent.says(&format!("add {floating_ip} {fixed_ip}"));
            let took = agent.says("update");
            if at == 0 { at_rest.push(took) } else { following.push(took) }
        }
        for (floating_ip, _) in PAIRS {
            agent.says(&format!("drop {floating_ip}"));
        }
        sleep(QUIET);
        agent.says("update");
        for _ in 0..BY_HAND {
            for pair in PAIRS {
                let (took, marks) = hand.associate(pair);
                ours.push(took);
                stages.push(marks);
            }
            for (floating_ip, _) in PAIRS {
                hand.remove(floating_ip);
            }
        }
    }
    let our_median = told("by hand", &mut ours);
    for (at, (name, _)) in stages[0].iter().enumerate() {
        let mut all: Vec<Duration> = stages.iter().map(|marks| marks[at].1).collect();
        println!("  {:>9.2?}  {name}", median(&mut all));
    }
    let times = |theirs: Duration| theirs.as_secs_f64() / our_median.as_secs_f64();
    let at_rest = times(told("by the agent at rest", &mut at_rest));
    let following = times(told("by the agent, one after another", &mut following));
    println!(
        "by hand, at the median, {following:.0} times as fast as one after another, {at_rest:.0} times as at rest"
    );
    assert!(cfg!(debug_assertions) || following.min(at_rest) >= PROMISED, "at least {PROMISED} times is promised");
}

/// Says what was measured, and gives the median.
fn told(who: &str, times: &mut [Duration]) -> Duration {
    let median = median(times);
    println!("{who}: median {median:.2?} of {}, {:.2?} to {:.2?}", times.len(), times[0], times[times.len() - 1]);
    median
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort();
    times[times.len() / 2]
}

struct Hand<'w> {
    workdir: &'w Path,
    state_path: PathBuf,
}

/// What was done, and how long that took.
type Marks = Vec<(String, Duration)>;

impl Hand<'_> {
    fn read(&self) -> Snapshot {
        let state_path = Some(self.state_path.clone());
        read_node(&ReadOptions { netns_dir: "/run/netns".into(), state_path, conntrack: false }).unwrap()
    }

    fn associate(&self, (floating_ip, fixed_ip): Pair) -> (Duration, Marks) {
        let floating_ip: IpAddr = floating_ip.parse().unwrap();
        let wanted = Associate::new(floating_ip, fixed_ip.parse().unwrap());
        let seen = self.read();
        let plan = associate(&seen, &Topology::of(&seen), &wanted).unwrap();
        self.carry_out(&plan, &seen, vec![floating_ip])
    }

    fn remove(&self, floating_ip: &str) {
        let seen = self.read();
        let wanted = Remove { neutron: Some(Neutron::HasNot), ..Remove::new(floating_ip.parse().unwrap()) };
        let plan = remove(&seen, &Topology::of(&seen), &wanted).unwrap();
        self.carry_out(&plan, &seen, Vec::new());
    }

    fn carry_out(&self, plan: &Plan, seen: &Snapshot, deliver: Vec<IpAddr>) -> (Duration, Marks) {
        let site = Site {
            netns_dir: NetnsDir::new("/run/netns"),
            state_path: Some(self.state_path.clone()),
            folder: self.workdir.join("state"),
            read_only: false,
        };
        let aim = Aim { gone: Vec::new(), deliver };
        let mut marks = Vec::new();
        let began = Instant::now();
        let mut last = began;
        let mut told = |entry: &Entry| {
            let what = match entry {
                Entry::Begin(_) => "locked, read, foreseen, begun".to_owned(),
                Entry::Step { step, event: Event::Done, .. } => plan
                    .steps
                    .iter()
                    .find(|one| one.id == *step)
                    .map_or_else(String::new, |one| one.description.clone()),
                Entry::End { .. } => "read again and verified".to_owned(),
                Entry::Step { .. } => return,
            };
            marks.push((what, last.elapsed()));
            last = Instant::now();
        };
        let carried = exec::change(&Order { plan, seen, aim: &aim }, &site, &mut told).unwrap();
        let took = began.elapsed();
        assert_eq!((carried.outcome(), carried.verified), (Outcome::Done, true), "{carried:?}");
        (took, marks)
    }
}
