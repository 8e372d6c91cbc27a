//! What it costs to hear and to understand a flood of small packets, beside
//! tcpdump on the same device in the same run: packets seen, CPU a packet.
//!
//! Builds the lab it needs by itself; the flood comes in at fg, for the floating
//! IP. `FIPSCOPE_BENCH_PACKETS` says how many packets each is given (default
//! 600,000), in each of `FIPSCOPE_BENCH_ROUNDS` rounds (default 3, of which the
//! medians are told). tcpdump gets the same snap length and the same memory.

#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    reason = "a benchmark starts programs, reads the clock and prints"
)]

use std::io::{BufRead, BufReader, IoSlice, Read};
use std::net::{Ipv4Addr, UdpSocket};
use std::os::fd::AsRawFd;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use fipscope::capture::{Capture, SNAP};
use fipscope::kernel::{ReadOptions, read_node};
use fipscope::lab::{Lab, LabOptions};
use fipscope::net::NetnsName;
use fipscope::netns::{enter, spawn};
use fipscope::neutron::Layout;
use fipscope::path::Node;
use fipscope::topology::Topology;
use fipscope::traffic::{Memory, Meter, Traffic};
use nix::sys::resource::{Usage, UsageWho, getrusage};
use nix::sys::signal::{Signal, kill};
use nix::sys::socket::{MsgFlags, MultiHeaders, SockaddrIn, sendmmsg};
use nix::unistd::Pid;

const FLOATING: Ipv4Addr = Ipv4Addr::new(192, 168, 1, 3);
const FG: &str = "fg-b2b77eed-1b";
const AT_ONCE: usize = 64;

/// One listener's run.
#[derive(Clone, Copy)]
struct Run {
    seen: u64,
    cpu: Duration,
    took: Duration,
}

fn main() {
    let number = |name: &str, usual| std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(usual);
    let (packets, rounds) = (number("FIPSCOPE_BENCH_PACKETS", 600_000), number("FIPSCOPE_BENCH_ROUNDS", 3));
    let lab = Lab::enter_and_build(&LabOptions { layout: Layout::Pike, ..LabOptions::default() }).unwrap();
    let names = lab.netns_dir().list().unwrap().names;
    let fip = names.iter().find(|name| name.as_str().starts_with("fip-")).unwrap();
    meet(&lab, fip);
    let has_tcpdump = Command::new("tcpdump").arg("--version").output().is_ok();
    if !has_tcpdump {
        println!("SKIPPED the comparison with tcpdump: it is not installed");
    }
    let mut runs: [Vec<Run>; 4] = Default::default();
    for _ in 0..rounds {
        runs[0].push(ours(&lab, fip, packets, false));
        runs[1].push(ours(&lab, fip, packets, true));
        if has_tcpdump {
            runs[2].push(tcpdump(&lab, fip, packets, &["-w", "/dev/null"]));
            runs[3].push(tcpdump(&lab, fip, packets, &["-n", "-q"]));
        }
    }
    println!("{packets} packets of 12 bytes of UDP, unpaced; medians of {rounds} rounds");
    let titles = ["capture alone", "capture, class, hop and flow", "tcpdump -w /dev/null", "tcpdump -n -q > /dev/null"];
    for (title, runs) in titles.iter().zip(&mut runs).filter(|(_, runs)| !runs.is_empty()) {
        runs.sort_by_key(|run| run.cpu.as_nanos() / u128::from(run.seen.max(1)));
        let Run { seen, cpu, took } = runs[runs.len() / 2];
        let each = cpu.as_nanos() as f64 / seen.max(1) as f64;
        let rate = seen as f64 / took.as_secs_f64() / 1e3;
        let share = 100.0 * seen as f64 / packets as f64;
        println!("{title:<30} {each:>7.0} ns of CPU a packet   {rate:>5.0} thousand a second   {share:>5.1} % seen");
    }
}

/// The gateway learns whose floating IP it is; then nothing is forwarded any
/// more, so that the kernel's own work is small.
fn meet(lab: &Lab, fip: &NetnsName) {
    let run = |namespace: &str, words: &[&str]| {
        let ns = lab.netns_dir().open(&NetnsName::from(namespace)).unwrap();
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).stdout(Stdio::piped());
        let output = spawn(&ns, &mut command).unwrap().wait_with_output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    run("gateway", &["ping", "-q", "-c", "3", "-i", "0.3", "192.168.1.3"]);
    let known = run("gateway", &["ip", "neigh", "show", "192.168.1.3"]);
    let mac = known.split(' ').skip_while(|word| *word != "lladdr").nth(1).expect("the gateway knows fg");
    run("gateway", &["ip", "neigh", "replace", "192.168.1.3", "lladdr", mac, "dev", "eth0", "nud", "permanent"]);
    run(fip.as_str(), &["sysctl", "-qw", "net.ipv4.ip_forward=0"]);
}

/// Sends so many packets from the gateway to the floating IP; how long it took.
fn flood(lab: &Lab, packets: u64) -> Duration {
    let ns = lab.netns_dir().open(&NetnsName::from("gateway")).unwrap();
    let socket = || {
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
        socket.connect((FLOATING, 7)).unwrap();
        socket
    };
    let sockets: Vec<UdpSocket> = enter(&ns, || (0..8).map(|_| socket()).collect()).unwrap();
    let mut headers = MultiHeaders::<SockaddrIn>::preallocate(AT_ONCE, None);
    let slices = [[IoSlice::new(b"twelve bytes")]; AT_ONCE];
    let addresses = [None; AT_ONCE];
    let begin = Instant::now();
    let mut sent = 0;
    for socket in sockets.iter().cycle() {
        let flags = MsgFlags::empty();
        // What the kernel refuses (its own ICMP errors come back here) is tried again.
        if let Ok(done) = sendmmsg(socket.as_raw_fd(), &mut headers, &slices, addresses, [], flags) {
            sent += done.count() as u64;
        }
        if sent >= packets {
            break;
        }
    }
    begin.elapsed()
}

fn ours(lab: &Lab, fip: &NetnsName, packets: u64, understand: bool) -> Run {
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
        let took = flood(lab, packets);
        thread::sleep(Duration::from_millis(400));
        over.store(true, Ordering::Relaxed);
        let (seen, cpu) = listener.join().unwrap();
        (seen, cpu, took)
    });
    Run { seen: seen.min(packets), cpu, took }
}

fn tcpdump(lab: &Lab, fip: &NetnsName, packets: u64, how: &[&str]) -> Run {
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
    let took = flood(lab, packets);
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
