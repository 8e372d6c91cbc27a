//! Enters the sandbox as the program does, as root and as an ordinary user, and
//! reads connections, folders and namespaces there that are not to be read;
//! watches a node there through storms of changes.

#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    unreachable_pub,
    reason = "a test starts programs and fails by panicking"
)]

mod alone;
mod files;
mod live;
mod polled;
#[path = "../common/private.rs"]
mod private;
mod room;
mod storm;

use std::env;
use std::fs;
use std::net::UdpSocket;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use fipscope::kernel::{ReadOptions, read_node};
use fipscope::net::{ConntrackEntry, NetnsName, PathOrigin, Snapshot};
use fipscope::netns::{NetnsDir, enter};

/// An id that owns nothing.
const NOBODY: u32 = 65_534;

fn main() {
    match env::args().nth(1).as_deref() {
        Some("inside") => inside(),
        Some("stranger") => read_as_a_stranger(),
        Some("live") => live::inside(),
        Some("room") => room::inside(),
        _ => {
            run("inside", None);
            run("live", None);
            run("room", None);
            if nix::unistd::getuid().is_root() {
                run("inside", Some(NOBODY));
                run("live", Some(NOBODY));
            }
            println!("test sandbox ... ok");
        }
    }
}

/// Starts this program again, in the part named.
fn run(part: &str, user: Option<u32>) {
    let mut command = Command::new(env::current_exe().unwrap());
    command.arg(part).current_dir("/");
    if let Some(user) = user {
        command.uid(user).gid(user);
    }
    match command.status() {
        Ok(status) if status.code() == Some(private::SKIPPED) => {
            assert!(!private::is_required(), "no sandbox here, but REQUIRE_NETNS is set");
        }
        Ok(status) => assert!(status.success(), "{part} as {user:?} failed"),
        Err(error) => println!("SKIPPED {part} as user {user:?}: it may not run this test's program: {error}"),
    }
}

fn inside() {
    let root = nix::unistd::getuid().is_root();
    let Ok(sandbox) = private::sandbox("sandbox") else { std::process::exit(private::SKIPPED) };
    assert_eq!(sandbox.is_rootless(), !root);
    let (dir, name) = (sandbox.netns_dir(), NetnsName::from("made"));
    assert!(dir.list().unwrap().names.is_empty());
    dir.create(&name).unwrap();
    if connections_are_read(&dir, &name) {
        connections_are_counted(&dir, &name);
    }
    a_folder_that_is_none_is_told();
    // In a sandbox nothing of the host's agent may show.
    let snapshot = read_node(&ReadOptions::default()).unwrap();
    assert!(snapshot.host.agent.seen().is_none() && !snapshot.host.ovn_controller);
    assert!(snapshot.host.ovs.is_absent());
    the_agent_is_found();
    if root {
        run("stranger", Some(NOBODY));
    }
    dir.delete(&name).unwrap();
    assert!(read_node(&ReadOptions::default()).unwrap().namespaces.is_empty());
}

/// Whether connections are tracked there.
fn connections_are_read(dir: &NetnsDir, name: &NetnsName) -> bool {
    let ns = dir.open(name).unwrap();
    let tracked = enter(&ns, || {
        let script = "ip link set lo up && iptables -A OUTPUT -m conntrack --ctstate NEW -j ACCEPT";
        Command::new("sh").args(["-c", script]).status().is_ok_and(|status| status.success())
    });
    if !tracked.unwrap() {
        println!("SKIPPED connections: no ip or iptables here");
        return false;
    }
    enter(&ns, || {
        let socket = UdpSocket::bind("127.0.0.1:4000").unwrap();
        socket.send_to(b"x", "127.0.0.1:5000").unwrap();
    })
    .unwrap();
    let snapshot = read_node(&ReadOptions { conntrack: true, ..ReadOptions::default() }).unwrap();
    let netns = snapshot.netns(name).unwrap();
    let entry = udp_from(&snapshot, name, 4000);
    assert_eq!((entry.original.sport, entry.original.dport), (Some(4000), Some(5000)));
    assert_eq!((entry.reply.sport, entry.reply.dport), (Some(5000), Some(4000)));
    assert!(entry.timeout.is_some() && entry.id.is_some());
    assert_eq!((entry.started, entry.original_count, entry.reply_count), (None, None, None));
    assert!(netns.conntrack_fill.seen().unwrap().count >= 1);
    assert_eq!(snapshot.netns(name).unwrap().sysctl("net.netfilter.nf_conntrack_acct").map(|on| on > 1), Some(false));
    true
}

/// What the kernel keeps of a connection where it is told to: packets and bytes of
/// either direction, and since when.
fn connections_are_counted(dir: &NetnsDir, name: &NetnsName) {
    let ns = dir.open(name).unwrap();
    let keep = "sysctl -qw net.netfilter.nf_conntrack_acct=1 net.netfilter.nf_conntrack_timestamp=1";
    assert!(enter(&ns, || Command::new("sh").args(["-c", keep]).status().unwrap().success()).unwrap());
    let now = || u64::try_from(jiff::Timestamp::now().as_nanosecond()).unwrap();
    let before = now();
    enter(&ns, || {
        let (asking, answering) =
            (UdpSocket::bind("127.0.0.1:4001").unwrap(), UdpSocket::bind("127.0.0.1:5001").unwrap());
        for _ in 0..3 {
            asking.send_to(b"question", "127.0.0.1:5001").unwrap();
        }
        answering.send_to(b"answer", "127.0.0.1:4001").unwrap();
    })
    .unwrap();
    let after = now();
    let snapshot = read_node(&ReadOptions { conntrack: true, ..ReadOptions::default() }).unwrap();
    let entry = udp_from(&snapshot, name, 4001);
    // Each with 20 bytes of IP's header and 8 of UDP's.
    assert_eq!((entry.original_count, entry.reply_count), (Some((3, 3 * 36)), Some((1, 34))));
    assert!(entry.started.is_some_and(|started| (before..=after).contains(&started)), "{before} {entry:?} {after}");
}

/// The UDP connection from a port.
fn udp_from<'a>(snapshot: &'a Snapshot, name: &NetnsName, port: u16) -> &'a ConntrackEntry {
    let entries = snapshot.netns(name).unwrap().conntrack.as_ref().unwrap().seen().unwrap();
    entries.iter().find(|entry| (entry.original.proto, entry.original.sport) == (17, Some(port))).unwrap()
}

/// A process with an agent's command line stands in for the agent.
fn the_agent_is_found() {
    fs::create_dir("/run/state").unwrap();
    fs::write("/run/state/fip-priorities", "192.168.1.3,53123\n").unwrap();
    let text = "[DEFAULT]\nstate_path = /run/state\nagent_mode = dvr\nhost = compute-1\n\
                [oslo_concurrency]\nlock_path = $state_path/lock\n";
    fs::write("/run/neutron.conf", text).unwrap();
    let mut command = Command::new("sh");
    command.arg0("neutron-l3-agent").args(["-c", "read line", "--config-file", "neutron.conf", "--config-file=gone"]);
    let mut agent = command.current_dir("/run").stdin(Stdio::piped()).spawn().unwrap();
    // A process that was just started has no command line for a moment (`exec_mmap` wakes its parent before).
    while fs::read(format!("/proc/{}/cmdline", agent.id())).unwrap().is_empty() {
        std::thread::yield_now();
    }
    let host = read_node(&ReadOptions::default()).unwrap().host;
    drop(agent.stdin.take());
    agent.wait().unwrap();
    let found = host.agent.seen().unwrap();
    assert_eq!((found.pid, found.mode.as_deref(), found.host.as_deref()), (agent.id(), Some("dvr"), Some("compute-1")));
    assert!(found.uptime.is_some_and(|seconds| seconds < 60) && !found.containerised);
    assert_eq!(found.config_files, [Path::new("/run/neutron.conf")]);
    assert!(found.unreadable[0].contains("/run/gone"), "{:?}", found.unreadable);
    assert_eq!((host.path_origin, host.lock_path), (PathOrigin::Agent, Some("/run/state/lock".into())));
    assert_eq!(host.priority_file.seen().unwrap().lines, ["192.168.1.3,53123"]);
    assert!(host.link_local_file.is_absent());
}

fn a_folder_that_is_none_is_told() {
    let given = Some("/nonexistent/state".into());
    let options = ReadOptions { netns_dir: "/proc/version".into(), state_path: given.clone(), conntrack: false };
    let snapshot = read_node(&options).unwrap();
    assert!(snapshot.namespaces_unreadable.unwrap().contains("cannot list /proc/version"));
    assert!(snapshot.host.netns.seen().unwrap().links.seen().is_some());
    assert_eq!((snapshot.host.path_origin, snapshot.host.state_path), (PathOrigin::Given, given));
    assert!(snapshot.host.priority_file.is_absent());
}

/// An ordinary user sees that there is a namespace, and why not what is in it.
fn read_as_a_stranger() {
    let snapshot = read_node(&ReadOptions::default()).unwrap();
    let why = snapshot.namespaces[&NetnsName::from("made")].unreadable().unwrap();
    assert!(why.contains("try: sudo"), "{why}");
    assert!(!snapshot.host.netns.seen().unwrap().links().is_empty());
}
