//! What runs inside one lab.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::process::{Command, ExitCode};
use std::thread;
use std::time::Duration;

use fipscope::kernel::{ReadOptions, read_node};
use fipscope::lab::{Error, Lab, LabOptions, Vm, outside};
use fipscope::net::netfilter::Backend;
use fipscope::net::{Change, NeighState, NetnsName, Object, Snapshot, changes};
use fipscope::netns;
use fipscope::neutron::Layout;
use fipscope::path::Node;
use fipscope::topology::Topology;

use crate::compare::{Judgement, judge};
use crate::faults::FAULTS;
use crate::flows::{self, Flow, GATEWAYS, Kind, STALE, kinds};
use crate::stage::{Event, Stage};
use crate::{DONE, SKIPPED};

/// The longest delay of a proxy's answer (`proxy_delay` of 80 hundredths).
const PROXY_DELAY: Duration = Duration::from_millis(900);

/// So many differences of one state are shown.
const SHOWN: usize = 3;

/// A lab with its sockets.
pub(crate) struct Scene {
    pub(crate) lab: Lab,
    pub(crate) layout: Layout,
    pub(crate) backend: Backend,
    stage: Stage,
    kinds: Vec<Kind>,
    sent: u32,
}

pub(crate) fn run(layout: &str, backend: &str) -> ExitCode {
    let layout = [Layout::Juno, Layout::Newton, Layout::Pike].into_iter().find(|known| known.word() == layout).unwrap();
    let backend = [Backend::Nft, Backend::Legacy].into_iter().find(|known| known.word() == backend).unwrap();
    let lab = match Lab::enter_and_build(&LabOptions { layout, backend, fips: 2, more: true, ..LabOptions::default() })
    {
        Ok(lab) => lab,
        Err(error @ (Error::Netns(netns::Error::Sandbox { .. }) | Error::NoIptables(_))) => {
            println!("{error}");
            return ExitCode::from(u8::try_from(SKIPPED).unwrap());
        }
        Err(error) => panic!("{error}"),
    };
    let mut scene = Scene::open(lab, layout, backend);
    let first = snapshot(&scene.lab);
    scene.keep(&first);
    let whole = snapshot(&scene.lab);
    let mut tally = Tally::default();
    scene.compare("whole", &mut tally);
    let only = std::env::var("FIPSCOPE_FAULT").ok();
    scene.narrow();
    let concerned = FAULTS.iter().filter(|fault| fault.concerns(&scene)).collect::<Vec<_>>();
    for fault in
        concerned.into_iter().filter(|fault| only.as_ref().is_none_or(|only| fault.name.contains(only.as_str())))
    {
        scene.make(fault, &whole);
        scene.compare(fault.name, &mut tally);
        scene.unmake(fault, &whole);
        if fault.forgets {
            scene.warm_up();
        }
        for change in left_behind(&whole, &snapshot(&scene.lab)) {
            println!("{} is not undone: {change:?}", fault.name);
            tally.differ += 1;
        }
    }
    println!("{} could not be told, {} differ", tally.unknown, tally.differ);
    println!("{DONE}{}", tally.equal + tally.differ);
    if tally.differ == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// How many comparisons went how.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    equal: usize,
    unknown: usize,
    not_asked: usize,
    silent: usize,
    differ: usize,
}

/// What is not as it was; what the kernel learns by itself may be.
fn left_behind(before: &Snapshot, after: &Snapshot) -> Vec<Change> {
    let learned = |object: &Object| matches!(object, Object::Neigh(neigh) if neigh.state != NeighState::Permanent);
    let all = changes(&before.normalised(), &after.normalised());
    all.into_iter().filter(|change| !change.before.iter().chain(&change.after).all(learned)).collect()
}

impl Scene {
    fn open(lab: Lab, layout: Layout, backend: Backend) -> Self {
        let mut hosts: Vec<NetnsName> = lab.vms().iter().map(|vm: &Vm| vm.namespace.clone()).collect();
        hosts.extend([outside(), NetnsName::from("gateway")]);
        let first = snapshot(&lab);
        let stage = Stage::open(&lab.netns_dir(), &first, &hosts);
        let mut scene = Self { lab, layout, backend, stage, kinds: Vec::new(), sent: 0 };
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
        let gateway = NetnsName::from("gateway");
        for (_, _, address) in flows::addresses(first).iter().filter(|(_, device, _)| flows::is_external(device)) {
            self.inside(&gateway, &format!("ping -c 1 -W 0.01 -q {address} >/dev/null || true"));
        }
        for vm in self.lab.vms() {
            let Some(floating) = vm.floating_ip else { continue };
            self.inside(&gateway, &format!("ping -c 1 -W 0.01 -q {floating} >/dev/null || true"));
        }
        self.inside(&gateway, "ping -c 1 -W 0.01 -q 192.168.1.244 >/dev/null || true");
        thread::sleep(PROXY_DELAY);
        self.pin(&gateway);
        self.kinds = kinds(&snapshot(&self.lab), self.lab.vms(), &outside());
        self.warm_up();
    }

    /// Sends everything once, so that every neighbour is asked for.
    pub(crate) fn warm_up(&mut self) {
        let flows = self.flows();
        let _ = self.send(&flows);
        thread::sleep(PROXY_DELAY);
    }

    /// The gateway's neighbours become permanent, and it sends what is for
    /// nobody to fg: such packets reach the node while an upstream cache is old.
    fn pin(&self, gateway: &NetnsName) {
        let snapshot = snapshot(&self.lab);
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
        let fg = IpAddr::V4("192.168.1.23".parse().unwrap());
        let (mac, _) = known.get(&fg).expect("the gateway knows fg");
        lines.push(format!("ip neigh replace {STALE} lladdr {mac} dev {} nud permanent", GATEWAYS[0].0));
        self.inside(gateway, &lines.join("\n"));
    }

    /// Only the flows that have to do with the article's router from now on.
    fn narrow(&mut self) {
        self.kinds.retain(Kind::concerns_the_article);
    }

    /// Sends every packet once and compares what was seen with what the engine
    /// says of the node as it is.
    fn compare(&mut self, state: &str, tally: &mut Tally) {
        let snapshot = snapshot(&self.lab);
        let topology = Topology::of(&snapshot);
        let node = Node::of(&snapshot, &topology);
        let flows = self.flows();
        let events = self.send(&flows);
        let mut told = Tally::default();
        for flow in &flows {
            let events = events.get(&flow.number).map_or(&[][..], Vec::as_slice);
            match judge(&node, flow, events) {
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
        if told.differ > 0 {
            println!("{state}: {told:?}");
        }
        tally.equal += told.equal;
        tally.unknown += told.unknown;
        tally.differ += told.differ;
    }

    /// The flows, with numbers that none had before.
    pub(crate) fn flows(&mut self) -> Vec<Flow> {
        let first = self.sent;
        self.sent += u32::try_from(self.kinds.len()).unwrap();
        self.kinds.iter().zip(first..).map(|(kind, number)| kind.numbered(number)).collect()
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
        let ns = self.lab.netns_dir().open(namespace).unwrap();
        let mut command = Command::new("sh");
        command.args(["-ec", script]);
        let status = netns::spawn(&ns, &mut command).unwrap().wait().unwrap();
        assert!(status.success(), "{namespace}: {script}");
    }
}

/// The node as it is now.
pub(crate) fn snapshot(lab: &Lab) -> Snapshot {
    let state_path = Some(lab.state_path().to_owned());
    let netns_dir = lab.netns_dir().path().to_owned();
    read_node(&ReadOptions { netns_dir, state_path, conntrack: false }).unwrap()
}
