//! The flood: from the gateway to the floating IP.

use std::io::IoSlice;
use std::net::{Ipv4Addr, UdpSocket};
use std::os::fd::AsRawFd;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use fipscope::lab::Lab;
use fipscope::net::NetnsName;
use fipscope::netns::{enter, spawn};
use nix::sys::socket::{MsgFlags, MultiHeaders, SockaddrIn, sendmmsg};

const FLOATING: Ipv4Addr = Ipv4Addr::new(192, 168, 1, 3);
const AT_ONCE: usize = 64;

/// The gateway learns whose floating IP it is; then nothing is forwarded any
/// more, so that the kernel's own work is small.
pub fn meet(lab: &Lab, fip: &NetnsName) {
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

/// Sends so many packets, no more than so many a second where that is said; how
/// long it took.
pub fn flood(lab: &Lab, packets: u64, rate: Option<u64>) -> Duration {
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
        let due = rate.map_or(Duration::ZERO, |rate| Duration::from_micros(sent * 1_000_000 / rate));
        thread::sleep(due.saturating_sub(begin.elapsed()));
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
