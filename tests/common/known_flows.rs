//! Flows of which it is known how many packets they have, and what is counted
//! of them.

#![allow(dead_code, reason = "not every test needs all of it")]

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use fipscope::capture::Capture;
use fipscope::kernel::{ReadOptions, read_node};
use fipscope::net::{NetnsName, Snapshot};
use fipscope::netns::{NetnsDir, enter, spawn};
use fipscope::path::{Class, Node};
use fipscope::topology::{Direction, Topology};
use fipscope::traffic::{FipTraffic, Hop, Interval, Memory, Meter, RouterTraffic, StopsAt, Traffic};

/// Of a question and of its answer, each with the headers of IPv4 and UDP.
pub(crate) const ASKED: u64 = 12 + 28;
/// Of an echo and its answer: 56 bytes, as `ping` sends them, and headers.
pub(crate) const PINGED: u64 = 56 + 28;

/// Nothing surfaces after this long.
const QUIET: Duration = Duration::from_millis(160);

/// A node that is listened in.
pub(crate) struct Listening {
    pub(crate) dir: NetnsDir,
    state_path: PathBuf,
    capture: Capture,
    /// Frames of the last count into which the kernel had merged several packets.
    pub(crate) merged: u64,
}

impl Listening {
    /// In every namespace of the agent's.
    pub(crate) fn open(dir: NetnsDir, state_path: PathBuf) -> Self {
        let names: Vec<NetnsName> = dir.list().unwrap().names;
        let of_agent =
            |name: &NetnsName| ["qrouter-", "fip-", "snat-"].iter().any(|kind| name.as_str().starts_with(kind));
        let names: Vec<NetnsName> = names.into_iter().filter(of_agent).collect();
        let capture = Capture::open(&dir, &names).unwrap();
        assert!(capture.deaf().is_empty(), "{:?}", capture.deaf());
        Self { dir, state_path, capture, merged: 0 }
    }

    /// From here on in these of them alone.
    pub(crate) fn listen_in(&mut self, wanted: impl Fn(&NetnsName) -> bool) {
        let names: Vec<NetnsName> = self.capture.names().into_iter().flatten().filter(wanted).collect();
        self.capture.follow(&names);
    }

    pub(crate) fn snapshot(&self) -> Snapshot {
        let netns_dir = self.dir.path().to_owned();
        read_node(&ReadOptions { netns_dir, state_path: Some(self.state_path.clone()), conntrack: false }).unwrap()
    }

    /// What is counted of what `send` sends.
    pub(crate) fn counted(&mut self, send: impl FnOnce(&NetnsDir)) -> Interval {
        let snapshot = self.snapshot();
        let topology = Topology::of(&snapshot);
        let node = Node::of(&snapshot, &topology);
        let mut nothing = |_: &fipscope::net::Frame<'_>| {};
        thread::sleep(QUIET);
        self.capture.read(Duration::ZERO, &mut nothing).unwrap();
        let before = self.capture.lost();
        send(&self.dir);
        thread::sleep(QUIET);
        let mut traffic = Traffic::until(u64::MAX);
        let names = self.capture.names();
        let mut meter = Meter::new(&node, &snapshot, &topology, &names, &mut traffic, Memory::default());
        let mut merged = 0;
        self.capture
            .read(Duration::ZERO, &mut |frame| {
                merged += u64::from(frame.segment > 0);
                let _ = meter.count(&mut traffic, frame);
            })
            .unwrap();
        self.merged = merged;
        let lost = self.capture.lost() - before;
        traffic.close(1.0, lost, u64::MAX)
    }
}

/// The namespace of an instance.
pub(crate) fn vm(address: Ipv4Addr) -> NetnsName {
    NetnsName::new(format!("vm-{address}"))
}

/// What a program says inside a namespace.
pub(crate) fn say(dir: &NetnsDir, namespace: &str, program: &str, arguments: &[&str]) -> String {
    let ns = dir.open(&NetnsName::from(namespace)).unwrap();
    let path = format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default());
    let mut command = Command::new(program);
    command.args(arguments).env("PATH", path).stdout(Stdio::piped()).stderr(Stdio::piped());
    let output = spawn(&ns, &mut command).unwrap().wait_with_output().unwrap();
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn inside<T: Send>(dir: &NetnsDir, namespace: &NetnsName, f: impl FnOnce() -> T + Send) -> T {
    enter(&dir.open(namespace).unwrap(), f).unwrap()
}

/// Questions that are sent, and those of them that are answered.
pub(crate) fn ask(dir: &NetnsDir, from: &NetnsName, to: &NetnsName, address: Ipv4Addr, number: u64) -> u64 {
    let bind = || UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
    // Where the address is its own, the answer comes from it.
    let (server, client) =
        (inside(dir, to, || UdpSocket::bind((address, 0)).unwrap_or_else(|_| bind())), inside(dir, from, bind));
    // Where the last one was answered this one will be, however busy the machine is.
    let wait = |answered| {
        let patience = Duration::from_millis(if answered { 1000 } else { 40 });
        for socket in [&server, &client] {
            socket.set_read_timeout(Some(patience)).unwrap();
        }
        answered
    };
    // Who asks once tries again; of more the first one may have to wait for the machine as well.
    wait(number > 1);
    // An instance that is off has no way anywhere.
    if client.connect((address, server.local_addr().unwrap().port())).is_err() {
        return 0;
    }
    let mut buffer = [0; 64];
    (0..number)
        .filter(|_| {
            let _ = client.send(b"twelve bytes");
            let Ok((_, source)) = server.recv_from(&mut buffer) else { return wait(false) };
            wait(server.send_to(b"twelve bytes", source).is_ok() && client.recv(&mut buffer).is_ok())
        })
        .count()
        .try_into()
        .unwrap()
}

/// Asks until it is answered: neighbours have to be found first, and proxies of
/// older layouts take their time.
pub(crate) fn meet(dir: &NetnsDir, from: &NetnsName, to: &NetnsName, address: Ipv4Addr) {
    let met = (0..250).any(|_| ask(dir, from, to, address, 1) == 1);
    assert!(met, "{from} does not reach {address}");
}

/// Sends so many packets as fast as it can, and waits for nothing.
pub(crate) fn flood(dir: &NetnsDir, from: &NetnsName, address: Ipv4Addr, number: u64) {
    let socket = inside(dir, from, || UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap());
    socket.connect((address, 7)).unwrap();
    for _ in 0..number {
        while socket.send(b"twelve bytes").is_err() {}
    }
}

/// Echoes, all of which come back, one after the other: of several at once `ping` waits
/// for the last ones no longer than twice as long as for the others. One flow, by its identifier.
pub(crate) fn ping(dir: &NetnsDir, from: &NetnsName, to: Ipv4Addr, number: u64) {
    let script = format!("for i in $(seq {number}); do ping -q -e {number} -c 1 -W 5 {to} || exit 1; done");
    let said = say(dir, from.as_str(), "sh", &["-c", &script]);
    assert_eq!(said.matches(" 1 received").count() as u64, number, "{said}");
}

/// Sends so many bytes to a listener and back; gives the segments that each side
/// sent, as its kernel counts them.
pub(crate) fn stream(dir: &NetnsDir, from: &NetnsName, to: &NetnsName, address: Ipv4Addr, bytes: usize) -> (u64, u64) {
    let before = [from, to].map(|namespace| segments(dir, namespace));
    let listener = inside(dir, to, || TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap());
    let port = listener.local_addr().unwrap().port();
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut all = Vec::new();
        stream.read_to_end(&mut all).unwrap();
        stream.write_all(&all).unwrap();
        all.len()
    });
    let connect = || TcpStream::connect_timeout(&SocketAddr::from((address, port)), Duration::from_secs(5)).unwrap();
    let mut client = inside(dir, from, connect);
    client.write_all(&vec![7; bytes]).unwrap();
    client.shutdown(std::net::Shutdown::Write).unwrap();
    let mut back = Vec::new();
    client.read_to_end(&mut back).unwrap();
    assert_eq!((server.join().unwrap(), back.len()), (bytes, bytes));
    drop(client);
    // Acknowledgements come late.
    let mut after = [0; 2];
    loop {
        let now = [from, to].map(|namespace| segments(dir, namespace));
        if now == after {
            break;
        }
        after = now;
        thread::sleep(Duration::from_millis(100));
    }
    (after[0] - before[0], after[1] - before[1])
}

/// Of `/proc/net/snmp`: what was sent (RFC 4022 leaves out what was sent again),
/// and what was sent again.
fn segments(dir: &NetnsDir, namespace: &NetnsName) -> u64 {
    let text = inside(dir, namespace, || std::fs::read_to_string("/proc/thread-self/net/snmp").unwrap());
    let mut lines = text.lines().filter(|line| line.starts_with("Tcp:"));
    let (names, values) = (lines.next().unwrap(), lines.next().unwrap());
    let value = |wanted| {
        let at = names.split(' ').position(|name| name == wanted).unwrap();
        values.split(' ').nth(at).unwrap().parse::<u64>().unwrap()
    };
    value("OutSegs") + value("RetransSegs")
}

/// What each hop of a floating IP counted, in the order of its way out, and
/// where packets are said to stop.
pub(crate) fn hops(interval: &Interval, floating: Ipv4Addr, way: Direction) -> (Vec<u64>, Option<&'static str>) {
    let found = |fip: &&FipTraffic| fip.id.floating_ip == floating && fip.direction == way;
    let fip = interval.floating_ips.iter().find(found).unwrap();
    let at = |hop: &Hop| Some(fip.hops[*hop as usize]?.packets);
    (Hop::chain(fip.id.kind).iter().filter_map(at).collect(), fip.stops_at.map(StopsAt::word))
}

/// Packets by class: east-west, SNAT, floating IP, local, none.
pub(crate) fn classes(interval: &Interval) -> [u64; 5] {
    [Class::EastWest, Class::Snat, Class::Fip, Class::Local, Class::None].map(|class| interval.class(class).packets)
}

/// Bytes from the IPv4 header on, by class.
pub(crate) fn bytes(interval: &Interval) -> [u64; 5] {
    [Class::EastWest, Class::Snat, Class::Fip, Class::Local, Class::None].map(|class| interval.class(class).bytes)
}

/// Packets and bytes of each router by class; `None` is what belongs to none.
pub(crate) fn routers(interval: &Interval) -> BTreeMap<Option<String>, [(u64, u64); 5]> {
    let of = |router: &RouterTraffic| router.classes.map(|count| (count.packets, count.bytes));
    interval.routers.iter().map(|router| (router.router.clone(), of(router))).collect()
}

/// Bytes that each hop of a floating IP counted, in the order of its way out.
pub(crate) fn hop_bytes(interval: &Interval, floating: Ipv4Addr, way: Direction) -> Vec<u64> {
    let fip = interval.floating_ips.iter().find(|fip| fip.id.floating_ip == floating && fip.direction == way).unwrap();
    Hop::chain(fip.id.kind).iter().filter_map(|hop| Some(fip.hops[*hop as usize]?.bytes)).collect()
}

/// From here on these send one segment at a time: nobody merges any.
pub(crate) fn unmerged(dir: &NetnsDir, namespaces: &[&NetnsName]) {
    for namespace in namespaces {
        let devices = say(dir, namespace.as_str(), "ip", &["-o", "link"]);
        let names = devices.lines().filter_map(|line| line.split(": ").nth(1)?.split('@').next());
        for device in names.filter(|name| *name != "lo") {
            let set = ["link", "set", device, "gso_max_segs", "1"];
            assert_eq!(say(dir, namespace.as_str(), "ip", &set), "", "{namespace}: {device}");
        }
    }
}
