//! How long it takes to read a node of 100 routers with 10 floating IPs each,
//! whole processes side by side in one run: our `snapshot`, the floor (the same
//! dumps, received and not decoded, on one thread), the shell (`ip -j`, `tc -j`,
//! `iptables-save`), and the console from its start to its first full screen.
//!
//! Builds the lab it needs by itself. `FIPSCOPE_BENCH_ROUNDS` says how often each
//! is timed (default 21), `FIPSCOPE_BENCH_SHELL=0` leaves the shell out.

#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    reason = "a benchmark starts programs, reads the clock and prints"
)]

use std::env;
use std::io::Read;
use std::os::fd::AsFd;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use fipscope::kernel::{ReadOptions, read_node};
use fipscope::net::{NetnsName, Snapshot};
use fipscope::netns::NetnsDir;
use netlink_sys::protocols::{NETLINK_NETFILTER, NETLINK_ROUTE};
use netlink_sys::{Socket, SocketAddr};
use nix::sched::{CloneFlags, setns};
use nix::sys::resource::{UsageWho, getrusage};
use portable_pty::{CommandBuilder, PtySize, native_pty_system};

const PROXY: [u8; 12] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 8, 0];

/// What is asked in each namespace: the message type and the header.
const ROUTE: [(u16, &[u8]); 7] = [
    (18, &[0; 16]), // RTM_GETLINK
    (22, &[0; 8]),  // RTM_GETADDR
    (34, &[0; 12]), // RTM_GETRULE, both families
    (26, &[0; 12]), // RTM_GETROUTE, both families, all tables
    (30, &[0; 12]), // RTM_GETNEIGH
    (30, &PROXY),
    (38, &[0; 20]), // RTM_GETQDISC
];
/// `NFT_MSG_GETTABLE`, `NFT_MSG_GETCHAIN`, `NFT_MSG_GETRULE`.
const NFTABLES: [(u16, &[u8]); 3] = [(0x0a01, &[0; 4]), (0x0a04, &[0; 4]), (0x0a07, &[0; 4])];

/// The floating IP in the last row of the lab's first screen.
const LAST_ROW: &[u8] = b"172.24.1.43";
const FIPSCOPE: &str = env!("CARGO_BIN_EXE_fipscope");

fn main() {
    let dir = NetnsDir::default();
    let this = env::current_exe().unwrap();
    if env::args().any(|word| word == "floor") {
        bare(&dir, &dir.list().unwrap().names);
    } else if env::var_os("FIPSCOPE_LAB").is_some() {
        compare(&dir, &this);
    } else {
        let words = ["lab", "--layout", "pike", "--routers", "100", "--fips", "10", "--"];
        let status = Command::new(FIPSCOPE).args(words).arg(this).status().unwrap();
        assert!(status.success(), "the lab could not be built");
    }
}

fn compare(dir: &NetnsDir, this: &Path) {
    let rounds = env::var("FIPSCOPE_BENCH_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(21);
    let names = dir.list().unwrap().names;
    let snapshot = read_node(&ReadOptions::default()).unwrap();
    println!("{} namespaces, {}; whole processes, medians of {rounds}", names.len(), objects(&snapshot));
    let ours = median(rounds, || run(Command::new(FIPSCOPE).arg("snapshot")));
    let list = median(rounds, || run(Command::new(FIPSCOPE).arg("list")));
    let memory = getrusage(UsageWho::RUSAGE_CHILDREN).unwrap().max_rss();
    let floor = median(rounds, || run(Command::new(this).arg("floor")));
    let screen = median(rounds.div_ceil(3), first_screen);
    row("bare dumps, one thread, not decoded", floor, "");
    let times = |of: Duration, what: &str| format!("{:.2} x {what}", of.as_secs_f64() / floor.as_secs_f64());
    row("fipscope snapshot", ours, &times(ours, "bare"));
    row("fipscope list", list, &times(list, "bare"));
    let ratio = screen.as_secs_f64() / ours.as_secs_f64();
    row("fipscope, to the first full screen", screen, &format!("{ratio:.2} x snapshot"));
    if env::var("FIPSCOPE_BENCH_SHELL").is_ok_and(|choice| choice == "0") {
        println!("SKIPPED the shell");
    } else {
        let shell = time(|| shell(&names));
        let ratio = shell.as_secs_f64() / ours.as_secs_f64();
        row("ip -j, tc -j, iptables-save (once)", shell, &format!("{ratio:.0} x snapshot"));
    }
    println!("peak memory of our processes: {:.1} MiB", memory as f64 / 1024.0);
}

/// The console on a terminal of 50 rows, until the last row but the keys shows.
fn first_screen() {
    let size = PtySize { rows: 50, cols: 200, pixel_width: 0, pixel_height: 0 };
    let pair = native_pty_system().openpty(size).unwrap();
    let mut command = CommandBuilder::new(FIPSCOPE);
    command.env("TERM", "xterm-256color");
    let mut child = pair.slave.spawn_command(command).unwrap();
    drop(pair.slave);
    let (mut output, mut seen) = (pair.master.try_clone_reader().unwrap(), Vec::new());
    let mut buffer = vec![0; 65_536];
    while !seen.windows(LAST_ROW.len()).any(|bytes| bytes == LAST_ROW) {
        let count = output.read(&mut buffer).unwrap();
        assert!(count > 0, "the console ended: {}", String::from_utf8_lossy(&seen));
        seen.extend_from_slice(&buffer[..count]);
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

fn row(what: &str, took: Duration, beside: &str) {
    println!("{what:<38}{:>7.1} ms  {beside:>16}", took.as_secs_f64() * 1000.0);
}

fn objects(snapshot: &Snapshot) -> String {
    let seen = || snapshot.namespaces.values().filter_map(|netns| netns.seen());
    format!(
        "{} links, {} addresses, {} rules, {} routes, {} neighbours",
        seen().map(|netns| netns.links().len()).sum::<usize>(),
        seen().map(|netns| netns.addrs().len()).sum::<usize>(),
        seen().map(|netns| netns.rules().len()).sum::<usize>(),
        seen().map(|netns| netns.routes().len()).sum::<usize>(),
        seen().map(|netns| netns.neighs().len()).sum::<usize>(),
    )
}

fn time(f: impl FnOnce()) -> Duration {
    let start = Instant::now();
    f();
    start.elapsed()
}

fn median(rounds: usize, mut f: impl FnMut()) -> Duration {
    let mut times: Vec<Duration> = (0..rounds).map(|_| time(&mut f)).collect();
    times.sort();
    times[rounds / 2]
}

/// Every dump of every namespace, on one thread that then dies; the number of
/// messages.
fn bare(dir: &NetnsDir, names: &[NetnsName]) -> usize {
    let work = || {
        let mut buffer = vec![0; 65_536];
        let mut messages = 0;
        for name in names {
            let Ok(ns) = dir.open(name) else { continue };
            setns(ns.as_fd(), CloneFlags::CLONE_NEWNET).unwrap();
            for (protocol, requests) in [(NETLINK_ROUTE, &ROUTE[..]), (NETLINK_NETFILTER, &NFTABLES[..])] {
                let socket = Socket::new(protocol).unwrap();
                let _ = socket.set_netlink_get_strict_chk(true);
                for (kind, body) in requests {
                    messages += dump(&socket, *kind, body, &mut buffer);
                }
            }
        }
        messages
    };
    std::thread::scope(|scope| scope.spawn(work).join().unwrap())
}

/// One dump: send, receive until it is done, count.
fn dump(socket: &Socket, kind: u16, body: &[u8], buffer: &mut [u8]) -> usize {
    let mut request = u32::try_from(16 + body.len()).unwrap().to_ne_bytes().to_vec();
    request.extend(kind.to_ne_bytes());
    request.extend(0x301_u16.to_ne_bytes()); // NLM_F_REQUEST | NLM_F_DUMP
    request.extend([0; 8]);
    request.extend(body);
    socket.send_to(&request, &SocketAddr::new(0, 0), 0).unwrap();
    let mut messages = 0;
    loop {
        let length = socket.recv(&mut &mut *buffer, 0).unwrap();
        let mut rest = &buffer[..length];
        while let Some([l0, l1, l2, l3, k0, k1, ..]) = rest.first_chunk::<16>() {
            let kind = u16::from_ne_bytes([*k0, *k1]);
            if kind == 2 || kind == 3 {
                return messages; // NLMSG_ERROR, NLMSG_DONE
            }
            messages += 1;
            let length = usize::try_from(u32::from_ne_bytes([*l0, *l1, *l2, *l3])).unwrap();
            rest = rest.get(length.next_multiple_of(4)..).unwrap_or(&[]);
        }
    }
}

/// What a careful person types in each namespace to learn the same.
fn shell(names: &[NetnsName]) {
    let questions = [
        "-d -s link",
        "address",
        "-4 rule",
        "-6 rule",
        "-4 route show table all",
        "-6 route show table all",
        "neigh",
        "neigh show proxy",
    ];
    for name in names.iter().map(NetnsName::as_str) {
        for words in questions {
            run(Command::new("ip").args(["-n", name, "-j"]).args(words.split(' ')));
        }
        run(Command::new("tc").args(["-n", name, "-j", "qdisc"]));
        run(Command::new("ip").args(["netns", "exec", name, "iptables-save", "-c"]));
        run(Command::new("ip").args(["netns", "exec", name, "ip6tables-save", "-c"]));
    }
}

fn run(command: &mut Command) {
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    assert!(status.is_ok_and(|status| status.success()), "{command:?} failed");
}
