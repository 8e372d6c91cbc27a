//! A floating IP associated on a node that the real L3 agent built: by that
//! agent, and by hand from the confirmed plan to the verified chain, in turns on
//! the same node. The promise: by hand at least fifty times faster.
//!
//! `cargo bench --bench associate` needs root and the node's builder
//! (`real-node/build_node.sh`, beside the project in `../shared` or where
//! `FIPSCOPE_REAL_NODE` says); it takes about three minutes.

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

const FLOATING_IP: &str = "192.168.1.4";
const FIXED_IP: &str = "10.0.0.5";
/// Of the agent; by hand it is done several times for each.
const ROUNDS: usize = 5;
const BY_HAND: usize = 5;
/// The agent announces what it associated for ten seconds, with the threads that
/// it needs for the next association.
const QUIET: Duration = Duration::from_secs(13);
const PROMISED: f64 = 50.0;

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
        .args(["--kill-after=5", "500"])
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
    let (mut agents, mut ours, mut stages) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        sleep(QUIET);
        agent.says(&format!("add {FLOATING_IP} {FIXED_IP}"));
        agents.push(agent.says("update"));
        agent.says(&format!("drop {FLOATING_IP}"));
        sleep(QUIET);
        agent.says("update");
        for _ in 0..BY_HAND {
            let (took, marks) = hand.associate();
            ours.push(took);
            stages.push(marks);
            hand.remove();
        }
    }
    let (agents_median, our_median) = (median(&mut agents), median(&mut ours));
    let times = |theirs: Duration, ours: Duration| theirs.as_secs_f64() / ours.as_secs_f64();
    println!("associated by the agent: median {agents_median:.2?} of {agents:.2?}");
    println!("associated by hand:      median {our_median:.2?} of {:.2?} to {:.2?}", ours[0], ours[ours.len() - 1]);
    for (at, (name, _)) in stages[0].iter().enumerate() {
        let mut all: Vec<Duration> = stages.iter().map(|marks| marks[at].1).collect();
        println!("  {:>9.2?}  {name}", median(&mut all));
    }
    let (usually, at_best) = (times(agents_median, our_median), times(agents[0], ours[0]));
    println!("by hand {usually:.0} times faster at the median, {at_best:.0} times at the quickest of each");
    // Who computes suffers more from others at work on the machine than who waits: the quickest count.
    assert!(cfg!(debug_assertions) || at_best >= PROMISED, "at least {PROMISED} times is promised");
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

    fn associate(&self) -> (Duration, Marks) {
        let floating_ip: IpAddr = FLOATING_IP.parse().unwrap();
        let wanted = Associate::new(floating_ip, FIXED_IP.parse().unwrap());
        let seen = self.read();
        let plan = associate(&seen, &Topology::of(&seen), &wanted).unwrap();
        self.carry_out(&plan, &seen, vec![floating_ip])
    }

    fn remove(&self) {
        let seen = self.read();
        let wanted = Remove { neutron: Some(Neutron::HasNot), ..Remove::new(FLOATING_IP.parse().unwrap()) };
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
