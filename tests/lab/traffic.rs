//! What is counted of traffic equals what was sent, exactly; and where a link is
//! broken, the hop is the right one.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::thread;
use std::time::Duration;

use fipscope::capture::Capture;
use fipscope::kernel::{ReadOptions, read_node};
use fipscope::lab::{Lab, LabOptions, outside};
use fipscope::net::{NetnsName, Snapshot};
use fipscope::netns::enter;
use fipscope::neutron::Layout;
use fipscope::path::{Class, Node};
use fipscope::topology::{Direction, Topology};
use fipscope::traffic::{Hop, Interval, Memory, Meter, StopsAt, Traffic};

use crate::breaks::{BREAKS, names};
use crate::case::{LAYOUTS, OUTSIDE, build, text};

const FIXED: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 4);
const FLOATING: Ipv4Addr = Ipv4Addr::new(192, 168, 1, 3);
const SECOND: Ipv4Addr = Ipv4Addr::new(192, 168, 1, 4);
const QR: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
const PLAIN: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 5);
const NEIGHBOUR: Ipv4Addr = Ipv4Addr::new(20, 0, 0, 6);
/// Nothing surfaces after this long.
const QUIET: Duration = Duration::from_millis(160);

/// A lab that is listened in.
struct Scene {
    lab: Lab,
    capture: Capture,
}

impl Scene {
    fn open(options: &LabOptions) -> Self {
        let lab = build(options);
        let names: Vec<NetnsName> = lab.netns_dir().list().unwrap().names;
        let of_agent =
            |name: &NetnsName| ["qrouter-", "fip-", "snat-"].iter().any(|kind| name.as_str().starts_with(kind));
        let names: Vec<NetnsName> = names.into_iter().filter(of_agent).collect();
        let capture = Capture::open(&lab.netns_dir(), &names).unwrap();
        assert!(capture.deaf().is_empty(), "{:?}", capture.deaf());
        Self { lab, capture }
    }

    fn snapshot(&self) -> Snapshot {
        let netns_dir = self.lab.netns_dir().path().to_owned();
        let state_path = Some(self.lab.state_path().to_owned());
        read_node(&ReadOptions { netns_dir, state_path, conntrack: false }).unwrap()
    }

    /// What is counted of what `send` sends.
    fn counted(&mut self, send: impl FnOnce(&Lab)) -> Interval {
        let snapshot = self.snapshot();
        let topology = Topology::of(&snapshot);
        let node = Node::of(&snapshot, &topology);
        let mut nothing = |_: &fipscope::net::Frame<'_>| {};
        thread::sleep(QUIET);
        self.capture.read(Duration::ZERO, &mut nothing).unwrap();
        let before = self.capture.lost();
        send(&self.lab);
        thread::sleep(QUIET);
        let mut traffic = Traffic::until(u64::MAX);
        let names = self.capture.names();
        let mut meter = Meter::new(&node, &snapshot, &topology, &names, &mut traffic, Memory::default());
        self.capture
            .read(Duration::ZERO, &mut |frame| {
                let _ = meter.count(&mut traffic, frame);
            })
            .unwrap();
        let lost = self.capture.lost() - before;
        traffic.close(1.0, lost, u64::MAX)
    }

    fn sh(&self, commands: &str) {
        for command in commands.split(" ; ") {
            let words: Vec<&str> = command.split_whitespace().collect();
            let said = text(&self.lab, "switch", words[0], &words[1..]);
            assert_eq!(said, "", "{command}");
        }
    }
}

fn vm(address: Ipv4Addr) -> NetnsName {
    NetnsName::new(format!("vm-{address}"))
}

fn inside<T: Send>(lab: &Lab, namespace: &NetnsName, f: impl FnOnce() -> T + Send) -> T {
    enter(&lab.netns_dir().open(namespace).unwrap(), f).unwrap()
}

/// Questions that are sent, and those of them that are answered.
fn ask(lab: &Lab, from: &NetnsName, to: &NetnsName, address: Ipv4Addr, number: u64) -> u64 {
    let bind = || UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
    let (server, client) = (inside(lab, to, bind), inside(lab, from, bind));
    for socket in [&server, &client] {
        socket.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
    }
    // An instance that is off has no way anywhere.
    if client.connect((address, server.local_addr().unwrap().port())).is_err() {
        return 0;
    }
    let mut buffer = [0; 64];
    (0..number)
        .filter(|_| {
            let _ = client.send(b"twelve bytes");
            let Ok((_, source)) = server.recv_from(&mut buffer) else { return false };
            server.send_to(b"twelve bytes", source).is_ok() && client.recv(&mut buffer).is_ok()
        })
        .count()
        .try_into()
        .unwrap()
}

/// Asks until it is answered: neighbours have to be found first, and proxies of
/// older layouts take their time.
fn meet(lab: &Lab, from: &NetnsName, to: &NetnsName, address: Ipv4Addr) {
    let met = (0..250).any(|_| ask(lab, from, to, address, 1) == 1);
    assert!(met, "{from} does not reach {address}");
}

/// Echoes, all of which come back.
fn ping(lab: &Lab, from: &NetnsName, to: Ipv4Addr, number: u64) {
    let said = text(lab, from.as_str(), "ping", &["-q", "-i", "0.002", "-c", &number.to_string(), &to.to_string()]);
    assert!(said.contains(&format!("{number} received")), "{said}");
}

/// Sends so many bytes to a listener and back; gives the segments that each side
/// sent, as its kernel counts them.
fn stream(lab: &Lab, from: &NetnsName, to: &NetnsName, address: Ipv4Addr, bytes: usize) -> (u64, u64) {
    let before = [from, to].map(|namespace| segments(lab, namespace));
    let listener = inside(lab, to, || TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap());
    let port = listener.local_addr().unwrap().port();
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut all = Vec::new();
        stream.read_to_end(&mut all).unwrap();
        stream.write_all(&all).unwrap();
        all.len()
    });
    let connect = || TcpStream::connect_timeout(&SocketAddr::from((address, port)), Duration::from_secs(5)).unwrap();
    let mut client = inside(lab, from, connect);
    client.write_all(&vec![7; bytes]).unwrap();
    client.shutdown(std::net::Shutdown::Write).unwrap();
    let mut back = Vec::new();
    client.read_to_end(&mut back).unwrap();
    assert_eq!((server.join().unwrap(), back.len()), (bytes, bytes));
    drop(client);
    thread::sleep(Duration::from_millis(50));
    let after = [from, to].map(|namespace| segments(lab, namespace));
    (after[0] - before[0], after[1] - before[1])
}

/// `OutSegs` of `/proc/net/snmp`.
fn segments(lab: &Lab, namespace: &NetnsName) -> u64 {
    let text = inside(lab, namespace, || std::fs::read_to_string("/proc/thread-self/net/snmp").unwrap());
    let mut lines = text.lines().filter(|line| line.starts_with("Tcp:"));
    let (names, values) = (lines.next().unwrap(), lines.next().unwrap());
    let at = names.split(' ').position(|name| name == "OutSegs").unwrap();
    values.split(' ').nth(at).unwrap().parse().unwrap()
}

fn hops(interval: &Interval, floating: Ipv4Addr, direction: Direction) -> ([u64; 4], Option<&'static str>) {
    let found = |fip: &&fipscope::traffic::FipTraffic| fip.id.floating_ip == floating && fip.direction == direction;
    let fip = interval.floating_ips.iter().find(found).unwrap();
    let at = |hop: Hop| fip.hops[hop as usize].unwrap().packets;
    ([Hop::Qr, Hop::Rfp, Hop::Fpr, Hop::Fg].map(at), fip.stops_at.map(StopsAt::word))
}

fn classes(interval: &Interval) -> [u64; 5] {
    [Class::EastWest, Class::Snat, Class::Fip, Class::Local, Class::None].map(|class| interval.class(class).packets)
}

/// Every class, each with numbers of its own: classes, floating IPs, hops, flows.
pub(crate) fn counts(layout: &str) {
    let layout = LAYOUTS.into_iter().find(|known| known.word() == layout).unwrap();
    let mut scene = Scene::open(&LabOptions { layout, fips: 2, ..LabOptions::default() });
    let (with, plain, other, far) = (vm(FIXED), vm(PLAIN), vm(NEIGHBOUR), outside());
    let every = |lab: &Lab, number: u64| {
        assert_eq!(ask(lab, &with, &other, NEIGHBOUR, number + 1), number + 1, "east-west");
        assert_eq!(ask(lab, &plain, &far, OUTSIDE, number + 2), number + 2, "SNAT");
        assert_eq!(ask(lab, &with, &far, OUTSIDE, number + 3), number + 3, "floating IP, out");
        assert_eq!(ask(lab, &far, &with, FLOATING, number + 4), number + 4, "floating IP, in");
        assert_eq!(ask(lab, &far, &other, SECOND, number + 5), number + 5, "the other floating IP, in");
        ping(lab, &with, QR, number + 6);
    };
    for (from, to, address) in [
        (&with, &other, NEIGHBOUR),
        (&plain, &far, OUTSIDE),
        (&with, &far, OUTSIDE),
        (&far, &with, FLOATING),
        (&far, &other, SECOND),
    ] {
        meet(&scene.lab, from, to, address);
    }

    let interval = scene.counted(|lab| every(lab, 40));
    assert_eq!((interval.lost, interval.unplaced, interval.forgotten), (0, 0, 0));
    assert_eq!(classes(&interval), [2 * 41, 2 * 42, 2 * (43 + 44 + 45), 2 * 46, 0]);
    let (out, inward) = (Direction::Outbound, Direction::Inbound);
    assert_eq!(hops(&interval, FLOATING, out), ([87; 4], None));
    assert_eq!(hops(&interval, FLOATING, inward), ([87; 4], None));
    assert_eq!(hops(&interval, SECOND, out), ([45; 4], None));
    assert_eq!(hops(&interval, SECOND, inward), ([45; 4], None));
    // Two directions each; the translation of a floating IP is known.
    assert_eq!(interval.flows.len(), 12);
    let out_flow =
        interval.flows.iter().find(|flow| flow.source.address == FIXED && flow.destination.address == OUTSIDE);
    assert_eq!(out_flow.unwrap().translated.unwrap().address, FLOATING);

    let interval = scene.counted(|lab| {
        ping(lab, &with, NEIGHBOUR, 11);
        ping(lab, &plain, OUTSIDE, 12);
        ping(lab, &with, OUTSIDE, 13);
        ping(lab, &far, FLOATING, 14);
    });
    assert_eq!(classes(&interval), [22, 24, 2 * (13 + 14), 0, 0]);
    assert_eq!(hops(&interval, FLOATING, out), ([27; 4], None));
    assert_eq!(hops(&interval, FLOATING, inward), ([27; 4], None));
    tcp(&mut scene);
    turned(&mut scene, layout);
    elsewhere(&mut scene);
}

/// TCP with the kernel's merging as it is: segments, not frames.
fn tcp(scene: &mut Scene) {
    let (with, plain, other, far) = (vm(FIXED), vm(PLAIN), vm(NEIGHBOUR), outside());
    let mut sent = ((0, 0), (0, 0), (0, 0));
    let interval = scene.counted(|lab| {
        sent = (
            stream(lab, &with, &far, OUTSIDE, 300_000),
            stream(lab, &with, &other, NEIGHBOUR, 200_000),
            stream(lab, &plain, &far, OUTSIDE, 100_000),
        );
    });
    let (fip, east_west, snat) = sent;
    assert_eq!(interval.lost, 0);
    assert_eq!(hops(&interval, FLOATING, Direction::Outbound), ([fip.0; 4], None));
    assert_eq!(hops(&interval, FLOATING, Direction::Inbound), ([fip.1; 4], None));
    assert_eq!(classes(&interval), [east_west.0 + east_west.1, snat.0 + snat.1, fip.0 + fip.1, 0, 0]);
    assert!(fip.0 > 200, "300,000 bytes are more than {} segments", fip.0);
}

/// From one floating IP's instance to another floating IP of this node.
fn turned(scene: &mut Scene, layout: Layout) {
    let (with, other) = (vm(FIXED), vm(NEIGHBOUR));
    let interval = scene.counted(|lab| assert_eq!(ask(lab, &with, &other, SECOND, 20), 20));
    let (out, inward) = (Direction::Outbound, Direction::Inbound);
    if layout == Layout::Juno {
        // It is translated where it enters, and turns around in the router.
        assert_eq!(classes(&interval)[..2], [40, 0]);
        return;
    }
    for (floating, direction) in [(FLOATING, out), (SECOND, inward), (SECOND, out), (FLOATING, inward)] {
        assert_eq!(hops(&interval, floating, direction), ([20, 20, 20, 0], None), "{floating} {direction:?}");
    }
    assert_eq!(classes(&interval), [0, 0, 40, 0, 0]);
}

/// What rightly does not pass here, or one way alone, is no loss.
fn elsewhere(scene: &mut Scene) {
    let (with, plain, other, far) = (vm(FIXED), vm(PLAIN), vm(NEIGHBOUR), outside());
    // Inside a subnet no router is asked.
    let interval = scene.counted(|lab| assert_eq!(ask(lab, &with, &plain, PLAIN, 9), 9));
    assert_eq!((classes(&interval), interval.flows.len()), ([0; 5], 0));
    // East-west whose answers another node routes.
    let interval = scene.counted(|lab| send(lab, &with, NEIGHBOUR, 9));
    assert_eq!((classes(&interval), interval.flows.len()), ([9, 0, 0, 0, 0], 1));
    assert!(interval.floating_ips.iter().all(|fip| fip.stops_at.is_none()), "{:?}", interval.floating_ips);
    assert_eq!(ask(&scene.lab, &with, &other, NEIGHBOUR, 1), 1);
    // SNAT whose snat namespace stands on another node: its answers never enter the router.
    let names: Vec<NetnsName> = scene.capture.names().into_iter().flatten().collect();
    let here: Vec<NetnsName> = names.iter().filter(|name| !name.as_str().starts_with("snat-")).cloned().collect();
    scene.capture.follow(&here);
    let interval = scene.counted(|lab| assert_eq!(ask(lab, &plain, &far, OUTSIDE, 9), 9));
    assert_eq!(classes(&interval), [0, 9, 0, 0, 0]);
    let [flow] = interval.flows.as_slice() else { panic!("{:?}", interval.flows) };
    assert_eq!((flow.class, flow.source.address, flow.count.packets), (Class::Snat, PLAIN, 9));
    assert!(interval.floating_ips.iter().all(|fip| fip.stops_at.is_none()), "{:?}", interval.floating_ips);
    scene.capture.follow(&names);
}

/// Datagrams to a port where nobody is; what refuses them is not let out.
fn send(lab: &Lab, from: &NetnsName, to: Ipv4Addr, number: u64) {
    let silent = |verb| format!("iptables-nft -w 5 {verb} OUTPUT -p icmp --icmp-type port-unreachable -j DROP");
    let run = |verb| {
        let words = silent(verb);
        let words: Vec<&str> = words.split(' ').collect();
        assert_eq!(text(lab, vm(to).as_str(), words[0], &words[1..]), "");
    };
    run("-A");
    let socket = inside(lab, from, || UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap());
    for _ in 0..number {
        assert_eq!(socket.send_to(b"twelve bytes", (to, 9)).unwrap(), 12);
    }
    thread::sleep(Duration::from_millis(20));
    run("-D");
}

/// Each link broken in turn, while packets come from both sides.
pub(crate) fn stops(layout: &str) {
    let layout = LAYOUTS.into_iter().find(|known| known.word() == layout).unwrap();
    let mut scene = Scene::open(&LabOptions { layout, ..LabOptions::default() });
    let names = names(&scene.snapshot(), layout);
    let resolved = |text: &str| names.iter().fold(text.to_owned(), |text, (name, value)| text.replace(name, value));
    let (with, far) = (vm(FIXED), outside());
    meet(&scene.lab, &far, &with, FLOATING);
    meet(&scene.lab, &with, &far, OUTSIDE);
    // The gateway asks nobody again while a link is broken.
    let mac = text(&scene.lab, "gateway", "ip", &["neigh", "show", "192.168.1.3"]);
    let mac = mac.split(' ').skip_while(|word| *word != "lladdr").nth(1).unwrap().to_owned();
    scene.sh(&format!("ip -n gateway neigh replace 192.168.1.3 lladdr {mac} dev eth0 nud permanent"));
    let both = |lab: &Lab| (ask(lab, &far, &with, FLOATING, 5), ask(lab, &with, &far, OUTSIDE, 5));
    for (what, break_it, mend_it, out, inward) in BREAKS {
        scene.sh(&resolved(break_it));
        let interval = scene.counted(|lab| {
            let _ = both(lab);
        });
        for (direction, expected) in [(Direction::Inbound, inward), (Direction::Outbound, out)] {
            let (counts, stop) = hops(&interval, FLOATING, direction);
            assert_eq!(stop, *expected, "{what}, {direction:?}: {counts:?}");
        }
        scene.sh(&resolved(mend_it));
        meet(&scene.lab, &far, &with, FLOATING);
    }
    let interval = scene.counted(|lab| assert_eq!(both(lab), (5, 5)));
    for direction in [Direction::Inbound, Direction::Outbound] {
        assert_eq!(hops(&interval, FLOATING, direction), ([10; 4], None), "mended, {direction:?}");
    }
}
