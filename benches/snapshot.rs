//! How long a snapshot takes, beside two others on the same namespaces in the
//! same run: the floor (the same dumps, received and not decoded, on one
//! thread) and the shell (`ip -j`, `tc -j`, `iptables-save`).
//!
//! Needs a node to read: start it where namespaces are, such as in the lab.
//! `FIPSCOPE_BENCH_NETNS_DIR` names the folder (default `/run/netns`),
//! `FIPSCOPE_BENCH_ROUNDS` how often each is timed (default 21),
//! `FIPSCOPE_BENCH_SHELL=0` leaves the shell out.

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
use std::os::fd::AsFd;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use fipscope::kernel::{ReadOptions, read_node};
use fipscope::net::{NetnsName, Snapshot};
use fipscope::netns::NetnsDir;
use netlink_sys::protocols::{NETLINK_NETFILTER, NETLINK_ROUTE};
use netlink_sys::{Socket, SocketAddr};
use nix::sched::{CloneFlags, setns};

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

fn main() {
    let dir = NetnsDir::new(env::var("FIPSCOPE_BENCH_NETNS_DIR").unwrap_or_else(|_| "/run/netns".to_owned()));
    let rounds = env::var("FIPSCOPE_BENCH_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(21);
    let names = dir.list().unwrap().names;
    if names.is_empty() {
        println!("SKIPPED snapshot: no network namespace in {}; run it inside a lab", dir.path().display());
        return;
    }
    let options = ReadOptions { netns_dir: dir.path().to_owned(), ..ReadOptions::default() };
    let snapshot = read_node(&options).unwrap();
    let ours = median(rounds, || drop(read_node(&options).unwrap()));
    let memory = peak_memory();
    let mut messages = 0;
    let floor = median(rounds, || messages = bare(&dir, &names));
    println!("{} namespaces, {}; medians of {rounds}", names.len(), objects(&snapshot));
    println!("{:<38}{:>10}{:>12}", "", "time", "ratio");
    row("bare dumps, one thread", floor, &format!("{messages} messages"));
    row("snapshot", ours, &format!("{:.2} x bare", ours.as_secs_f64() / floor.as_secs_f64()));
    if env::var("FIPSCOPE_BENCH_SHELL").is_ok_and(|choice| choice == "0") {
    } else if dir == NetnsDir::default() {
        let shell = time(|| shell(&names));
        let ratio = shell.as_secs_f64() / ours.as_secs_f64();
        row("ip -j, tc -j, iptables-save (once)", shell, &format!("{ratio:.0} x snapshot"));
    } else {
        println!("SKIPPED the shell: ip knows no other folder than /run/netns");
    }
    println!("peak memory after the snapshots: {:.1} MiB", memory as f64 / 1024.0);
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

/// The most memory that the process has had resident, in KiB.
fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}
