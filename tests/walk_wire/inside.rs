//! What runs inside one lab.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::thread;
use std::time::Duration;

use fipscope::kernel::{ReadOptions, read_node};
use fipscope::lab::{LabOptions, Vm, outside};
use fipscope::net::netfilter::Backend;
use fipscope::net::{Change, NeighState, NetnsName, Object, Snapshot, changes};
use fipscope::netns::{self, NetnsDir};
use fipscope::neutron::Layout;
use fipscope::path::Node;
use fipscope::topology::Topology;

use super::{DONE, private};
use crate::arp;
use crate::compare::{Judgement, judge};
use crate::faults::{FAULTS, Fault};
use crate::flows::{self, Flow, Kind, STALE, kinds};
use crate::stage::{Event, Stage};

/// The longest delay of a proxy's answer (`proxy_delay` of 80 hundredths).
const PROXY_DELAY: Duration = Duration::from_millis(900);

/// An ordinary user may not have the system's programs in its own.
pub(crate) const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// So many differences of one state are shown.
const SHOWN: usize = 3;

/// Where a node stands, with its instances.
pub(crate) struct Place {
    pub(crate) netns_dir: NetnsDir,
    pub(crate) state_path: PathBuf,
    pub(crate) vms: Vec<Vm>,
}

/// A node with its sockets.
pub(crate) struct Scene {
    pub(crate) place: Place,
    pub(crate) layout: Layout,
    pub(crate) backend: Backend,
    pub(crate) stage: Stage,
    /// What makes the gateway's neighbours permanent.
    pub(crate) pins: String,
    /// How long a proxy's answer may take.
    pub(crate) proxy_delay: Duration,
    kinds: Vec<Kind>,
    sent: u32,
}

pub(crate) fn run(layout: &str, backend: &str) -> ExitCode {
    let layout = [Layout::Juno, Layout::Newton, Layout::Pike].into_iter().find(|known| known.word() == layout).unwrap();
    let backend = [Backend::Nft, Backend::Legacy].into_iter().find(|known| known.word() == backend).unwrap();
    let lab = private::lab(&LabOptions { layout, backend, fips: 2, more: true, ..LabOptions::default() });
    let place = Place { netns_dir: lab.netns_dir(), state_path: lab.state_path().to_owned(), vms: lab.vms().to_vec() };
    let mut scene = Scene::open(place, layout, backend);
    let tally = scene.run_faults();
    report(&tally)
}

/// Says how it went; the last line is the one that counts.
pub(crate) fn report(tally: &Tally) -> ExitCode {
    println!("{tally}");
    println!("{DONE}{}", tally.compared());
    if tally.differ == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// How many comparisons went how.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    equal: usize,
    unknown: usize,
    not_asked: usize,
    silent: usize,
    differ: usize,
}

/// What is not as it was; what the kernel learns or makes up by itself may be.
fn left_behind(before: &Snapshot, after: &Snapshot) -> Vec<Change> {
    let own = |object: &Object| match object {
        Object::Neigh(neigh) => neigh.state != NeighState::Permanent,
        Object::Addr(addr) => addr.address.addr().is_ipv6(),
        Object::Route(route) => route.dst.addr().is_ipv6(),
        _ => false,
    };
    let all = changes(before, after);
    all.into_iter().filter(|change| !change.before.iter().chain(&change.after).all(own)).collect()
}

impl Tally {
    fn compared(&self) -> usize {
        self.equal + self.silent + self.differ
    }

    fn add(&mut self, other: Self) {
        self.equal += other.equal;
        self.unknown += other.unknown;
        self.not_asked += other.not_asked;
        self.silent += other.silent;
        self.differ += other.differ;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { equal, unknown, not_asked, silent, differ } = self;
        write!(f, "{equal} equal, {silent} but for a message that the kernel held back, {differ} differ; ")?;
        write!(f, "{unknown} cannot be told, {not_asked} would not be sent")
    }
}

impl Scene {
    /// Compares the whole lab, and then under each fault.
    fn run_faults(&mut self) -> Tally {
        let first = snapshot(&self.place);
        self.keep(&first);
        let whole = snapshot(&self.place);
        let normal = whole.normalised();
        let mut tally = Tally::default();
        tally.add(self.compare("whole", true, true));
        self.kinds.retain(Kind::concerns_the_article);
        let only = std::env::var("FIPSCOPE_FAULT").ok();
        let wanted = |fault: &&Fault| only.as_ref().is_none_or(|only| fault.name.contains(only.as_str()));
        for fault in FAULTS.iter().filter(wanted) {
            if !fault.concerns(self) {
                continue;
            }
            self.make(fault, &whole);
            tally.add(self.compare(fault.name, fault.arp, fault.is_about_length()));
            self.unmake(fault, &whole);
            if fault.forgets {
                self.warm_up();
            }
            for change in left_behind(&normal, &snapshot(&self.place).normalised()) {
                println!("{} is not undone: {change:?}", fault.name);
                tally.differ += 1;
            }
        }
        tally
    }

    pub(crate) fn open(place: Place, layout: Layout, backend: Backend) -> Self {
        let mut hosts: Vec<NetnsName> = place.vms.iter().map(|vm: &Vm| vm.namespace.clone()).collect();
        hosts.extend([outside(), NetnsName::from("gateway")]);
        let first = snapshot(&place);
        let stage = Stage::open(&place.netns_dir, &first, &hosts);
        let mut scene = Self {
            place,
            layout,
            backend,
            stage,
            pins: String::new(),
            proxy_delay: PROXY_DELAY,
            kinds: Vec::new(),
            sent: 0,
        };
        scene.settle(&hosts, &first);
        scene
    }

    /// Everybody gets to know everybody, and what stands around the node stays
    /// as it is from then on.
    fn settle(&mut self, hosts: &[NetnsName], first: &Snapshot) {
        for host in hosts {
            for setting in ["accept_redirects", "send_redirects", "secure_redirects"] {
                self.inside(host, &format!("sysctl -qw net.ipv4.conf.all.{setting}=0"));
            }
        }
        for (name, _) in first.namespaces.iter().filter(|(name, _)| crate::stage::is_of_the_node(name)) {
            self.inside(name, "sysctl -qw net.ipv4.icmp_ratemask=0");
        }
        self.hurry(first);
        let gateway = NetnsName::from("gateway");
        for (_, _, address) in flows::addresses(first).iter().filter(|(_, device, _)| flows::is_external(device)) {
            self.inside(&gateway, &format!("ping -c 1 -W 0.01 -q {address} >/dev/null || true"));
        }
        for floating in flows::floating(&self.place.vms) {
            self.inside(&gateway, &format!("ping -c 1 -W 0.01 -q {floating} >/dev/null || true"));
        }
        thread::sleep(self.proxy_delay);
        self.pin(&gateway);
        self.kinds = kinds(&snapshot(&self.place), &self.place.vms, &outside());
        self.warm_up();
    }

    /// Lets proxies answer at once, where this user may say so: `proxy_delay` is
    /// not what is tested here.
    fn hurry(&mut self, first: &Snapshot) {
        let mut ports = flows::addresses(first).into_iter().filter(|(_, device, _)| device.as_str().starts_with("fg-"));
        let set = |(namespace, device, _): (NetnsName, _, _)| {
            self.attempt(&namespace, &format!("sysctl -qw net.ipv4.neigh.{device}.proxy_delay=0"))
        };
        if ports.all(set) {
            self.proxy_delay = Duration::from_millis(50);
        }
    }

    /// Sends everything once, so that every neighbour is asked for.
    pub(crate) fn warm_up(&mut self) {
        let flows = self.flows(false);
        let _ = self.send(&flows);
        thread::sleep(self.proxy_delay);
    }

    /// The gateway's neighbours become permanent, and it sends what is for
    /// nobody to fg: such packets reach the node while an upstream cache is old.
    fn pin(&mut self, gateway: &NetnsName) {
        let snapshot = snapshot(&self.place);
        let known: BTreeMap<IpAddr, _> = snapshot
            .netns(gateway)
            .unwrap()
            .neighs()
            .iter()
            .filter_map(|neigh| Some((neigh.address, (neigh.mac?, neigh.dev.clone()))))
            .collect();
        let mut lines: Vec<String> = known
            .iter()
            .filter(|(address, _)| address.is_ipv4())
            .map(|(address, (mac, dev))| format!("ip neigh replace {address} lladdr {mac} dev {dev} nud permanent"))
            .collect();
        let ports = flows::addresses(&snapshot).into_iter().filter(|(_, device, _)| device.as_str().starts_with("fg-"));
        let mut known_fg = ports.filter_map(|(_, _, address)| {
            (address.octets()[0] == 192).then(|| known.get(&IpAddr::V4(address))).flatten()
        });
        let (mac, dev) = known_fg.next().expect("the gateway knows fg");
        lines.push(format!("ip neigh replace {STALE} lladdr {mac} dev {dev} nud permanent"));
        self.pins = lines.join("\n");
        self.inside(gateway, &self.pins);
    }

    /// Sends every packet once and compares what was seen with what the engine
    /// says of the node as it is.
    pub(crate) fn compare(&mut self, state: &str, with_arp: bool, with_long: bool) -> Tally {
        let snapshot = snapshot(&self.place);
        let topology = Topology::of(&snapshot);
        let node = Node::of(&snapshot, &topology);
        let flows = self.flows(with_long);
        let events = self.send(&flows);
        let floating: BTreeSet<Ipv4Addr> = flows::floating(&self.place.vms).collect();
        let mut told = Tally::default();
        for flow in &flows {
            let events = events.get(&flow.number).map_or(&[][..], Vec::as_slice);
            match judge(&node, flow, events, &floating) {
                Judgement::Equal => told.equal += 1,
                Judgement::Silent(_) => told.silent += 1,
                Judgement::NotAsked => told.not_asked += 1,
                Judgement::CannotTell(why) => {
                    told.unknown += 1;
                    if told.unknown <= SHOWN {
                        println!("{state}: {}: cannot tell: {why}", flow.packet);
                    }
                }
                Judgement::Differs(text) => {
                    told.differ += 1;
                    println!("{state}: {text}");
                }
            }
        }
        if with_arp {
            let (wrong, asked) = arp::compare(self, &snapshot, &node);
            told.equal += asked - wrong.len().min(asked);
            told.differ += wrong.len();
            for line in &wrong {
                println!("{state}: {line}");
            }
        }
        if told.differ > 0 {
            println!("{state}: {told:?}");
        }
        told
    }

    /// The flows, with numbers that none had before.
    pub(crate) fn flows(&mut self, with_long: bool) -> Vec<Flow> {
        let first = self.sent;
        self.sent += u32::try_from(self.kinds.len()).unwrap();
        let kinds = self.kinds.iter().filter(|kind| with_long || !kind.is_long());
        kinds.zip(first..).map(|(kind, number)| kind.numbered(number)).collect()
    }

    /// What was seen of each.
    pub(crate) fn send(&self, flows: &[Flow]) -> BTreeMap<u32, Vec<Event>> {
        let packets: Vec<_> = flows.iter().map(|flow| (flow.number, &flow.from, flow.packet)).collect();
        let mut seen: BTreeMap<u32, Vec<Event>> = BTreeMap::new();
        for event in self.stage.send(&packets) {
            seen.entry(event.seen.flow).or_default().push(event);
        }
        seen
    }

    /// Runs a script inside a namespace; it has to succeed.
    pub(crate) fn inside(&self, namespace: &NetnsName, script: &str) {
        assert!(self.attempt(namespace, script), "{namespace}: {script}");
    }

    fn attempt(&self, namespace: &NetnsName, script: &str) -> bool {
        let ns = self.place.netns_dir.open(namespace).unwrap();
        let mut command = Command::new("sh");
        command.args(["-ec", script]).env("PATH", PATH);
        netns::spawn(&ns, &mut command).unwrap().wait().unwrap().success()
    }
}

/// The node as it is now.
pub(crate) fn snapshot(place: &Place) -> Snapshot {
    let state_path = Some(place.state_path.clone());
    let netns_dir = place.netns_dir.path().to_owned();
    read_node(&ReadOptions { netns_dir, state_path, conntrack: false }).unwrap()
}
