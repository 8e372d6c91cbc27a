//! Known flows of each class through nodes that the real agent built: what is
//! counted per class, floating IP and hop equals what was sent.

use std::fmt::Debug;
use std::fs;
use std::net::Ipv4Addr;
use std::path::Path;

use fipscope::net::NetnsName;
use fipscope::netns::NetnsDir;
use fipscope::path::Class;
use fipscope::topology::Direction::{Inbound, Outbound};
use fipscope::topology::FipKind;
use fipscope::traffic::{Hop, Interval};
use serde_json::{Value, json};

use crate::inside::Node;
use crate::known_flows::{
    ASKED, Listening, PINGED, ask, bytes, classes, flood, hops, meet, ping, say, stream, unmerged, vm,
};
use crate::probe::inhabit;

/// The host behind the external gateway, as `dataplane.py` places it.
const FAR: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 1);
const QR: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);

/// Distributed, and its instance.
const FIRST: (Ipv4Addr, Ipv4Addr) = (Ipv4Addr::new(192, 168, 1, 3), Ipv4Addr::new(10, 0, 0, 4));
/// Another router's on the same external network.
const BESIDE: (Ipv4Addr, Ipv4Addr) = (Ipv4Addr::new(192, 168, 1, 33), Ipv4Addr::new(30, 0, 0, 4));
const CENTRALIZED: (Ipv4Addr, Ipv4Addr) = (Ipv4Addr::new(192, 168, 1, 9), Ipv4Addr::new(20, 0, 0, 9));
/// Without a floating IP, on the first router's second subnet.
const PLAIN: Ipv4Addr = Ipv4Addr::new(20, 0, 0, 6);

/// Sends through a node, and says what was not counted as it was sent.
pub(crate) fn counted(node: &Node, workdir: &Path, builder: &Path) -> Vec<String> {
    if !["S3", "S9"].contains(&node.scenario.as_str()) {
        return Vec::new();
    }
    assert!(inhabited(node, workdir, builder), "dataplane.py failed");
    let ears = Listening::open(NetnsDir::default(), node.state_path.clone());
    let mut sent = Sent { ears, far: NetnsName::from("ext-public"), wrong: Vec::new() };
    if node.scenario == "S3" {
        sent.distributed();
    } else {
        sent.centralized();
    }
    println!("  known flows through a node of the real agent: {} differences", sent.wrong.len());
    sent.wrong
}

/// Instances where Neutron was asked for some, and one without a floating IP.
fn inhabited(node: &Node, workdir: &Path, builder: &Path) -> bool {
    let folder = workdir.join("inhabited");
    let mut cloud = node.cloud.clone();
    let routers = cloud["routers"].as_object().unwrap();
    let ports = routers.values().flat_map(|router| router["_interfaces"].as_array().unwrap());
    let second = ports.clone().find(|port| port["fixed_ips"][0]["ip_address"] == "20.0.0.1").unwrap();
    let subnet = second["fixed_ips"][0]["subnet_id"].as_str().unwrap().to_owned();
    let port = json!({"mac_address": "fa:16:3e:00:20:06", "fixed_ips": [{"ip_address": PLAIN.to_string(), "subnet_id": subnet}]});
    match &mut cloud["subnet_ports"][&subnet] {
        Value::Array(there) => there.push(port),
        nothing => *nothing = json!([port]),
    }
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("cloud.json"), cloud.to_string()).unwrap();
    inhabit(&folder, builder)
}

struct Sent {
    ears: Listening,
    far: NetnsName,
    wrong: Vec<String>,
}

impl Sent {
    /// Two routers with floating IPs that share the fip namespace; their snat
    /// namespace is on another node.
    fn distributed(&mut self) {
        let (first, beside, plain, far) = (vm(FIRST.1), vm(BESIDE.1), vm(PLAIN), self.far.clone());
        let dir = self.ears.dir.clone();
        self.meet([FIRST, BESIDE]);
        meet(&dir, &first, &plain, PLAIN);
        meet(&dir, &first, &beside, BESIDE.0);
        let interval = self.ears.counted(|dir| {
            assert_eq!(ask(dir, &first, &plain, PLAIN, 41), 41, "east-west");
            assert_eq!(ask(dir, &first, &far, FAR, 42), 42, "out");
            assert_eq!(ask(dir, &far, &first, FIRST.0, 43), 43, "in");
            assert_eq!(ask(dir, &beside, &far, FAR, 44), 44, "out, the other router");
            assert_eq!(ask(dir, &far, &beside, BESIDE.0, 45), 45, "in, the other router");
            ping(dir, &first, QR, 46);
            ping(dir, &far, FIRST.0, 47);
            // One way here: answers go from the network node's snat namespace to the instance.
            flood(dir, &plain, FAR, 48);
        });
        self.equal("classes", &classes(&interval), &[2 * 41, 48, 2 * (42 + 43 + 44 + 45 + 47), 2 * 46, 0]);
        let udp = [2 * 41, 48, 2 * (42 + 43 + 44 + 45), 0, 0].map(|packets| packets * ASKED);
        let pings = [0, 0, 2 * 47, 2 * 46, 0].map(|packets| packets * PINGED);
        self.equal("bytes", &bytes(&interval), &std::array::from_fn(|class| udp[class] + pings[class]));
        let beside_alone = 2 * (44 + 45);
        let others = interval.routers.iter().filter(|router| router.classes[Class::EastWest as usize].packets == 0);
        let others: Vec<u64> = others.map(|router| router.classes[Class::Fip as usize].packets).collect();
        self.equal("floating IP packets of the other router", &others, &vec![beside_alone]);
        self.equal("routers", &interval.routers.len(), &2);
        self.equal("lost, unplaced", &(interval.lost, interval.unplaced), &(0, 0));
        self.each_hop(&interval, FIRST.0, [42 + 43 + 47; 2], FipKind::Distributed);
        self.each_hop(&interval, BESIDE.0, [44 + 45; 2], FipKind::Distributed);

        let interval =
            self.ears.counted(|dir| assert_eq!(ask(dir, &first, &beside, BESIDE.0, 20), 20, "turned at fpr"));
        self.equal("classes, turned", &classes(&interval), &[0, 0, 40, 0, 0]);
        for (floating, way) in [(FIRST.0, Outbound), (BESIDE.0, Inbound), (BESIDE.0, Outbound), (FIRST.0, Inbound)] {
            self.equal("turned", &hops(&interval, floating, way), &(vec![20, 20, 20, 0], None));
        }

        self.both_ways_of_sending(&[&first, &plain, &far], &mut Self::distributed_streams);
    }

    /// TCP as the devices are set, though these of a switch in user space merge little,
    /// and where nobody merges any segment.
    fn both_ways_of_sending(&mut self, ends: &[&NetnsName], streams: &mut dyn FnMut(&mut Self)) {
        streams(self);
        unmerged(&self.ears.dir, ends);
        streams(self);
        self.equal("frames of merged segments", &self.ears.merged.clone(), &0);
    }

    fn distributed_streams(&mut self) {
        let (first, plain, far) = (vm(FIRST.1), vm(PLAIN), self.far.clone());
        let mut all = [(0, 0); 3];
        let interval = self.ears.counted(|dir| {
            all = [
                stream(dir, &first, &far, FAR, 300_000),
                stream(dir, &far, &first, FIRST.0, 200_000),
                stream(dir, &first, &plain, PLAIN, 100_000),
            ];
        });
        let [out, inward, east_west] = all;
        self.each_hop(&interval, FIRST.0, [out.0 + inward.1, out.1 + inward.0], FipKind::Distributed);
        let fip = out.0 + out.1 + inward.0 + inward.1;
        self.equal("classes, TCP", &classes(&interval), &[east_west.0 + east_west.1, 0, fip, 0, 0]);
    }

    /// A distributed and a centralized floating IP, and the router's snat namespace.
    fn centralized(&mut self) {
        let (first, central, plain, far) = (vm(FIRST.1), vm(CENTRALIZED.1), vm(PLAIN), self.far.clone());
        // The agent leaves a rule for the centralized floating IP, which diverts its instance.
        let router = format!("qrouter-{}", "ef25020f-012c-41d6-a36e-f2f09cb8ea62");
        let fixed = CENTRALIZED.1.to_string();
        say(&self.ears.dir, &router, "ip", &["rule", "del", "from", &fixed, "lookup", "16"]);
        self.meet([FIRST, CENTRALIZED]);
        meet(&self.ears.dir, &plain, &far, FAR);
        let interval = self.ears.counted(|dir| {
            assert_eq!(ask(dir, &plain, &far, FAR, 41), 41, "SNAT");
            assert_eq!(ask(dir, &first, &far, FAR, 42), 42, "out");
            assert_eq!(ask(dir, &far, &first, FIRST.0, 43), 43, "in");
            assert_eq!(ask(dir, &central, &far, FAR, 44), 44, "out, centralized");
            assert_eq!(ask(dir, &far, &central, CENTRALIZED.0, 45), 45, "in, centralized");
            ping(dir, &plain, FAR, 46);
            ping(dir, &far, CENTRALIZED.0, 47);
        });
        self.equal("classes", &classes(&interval), &[0, 2 * (41 + 46), 2 * (42 + 43 + 44 + 45 + 47), 0, 0]);
        let udp = [0, 2 * 41, 2 * (42 + 43 + 44 + 45), 0, 0].map(|packets| packets * ASKED);
        let pings = [0, 2 * 46, 2 * 47, 0, 0].map(|packets| packets * PINGED);
        self.equal("bytes", &bytes(&interval), &std::array::from_fn(|class| udp[class] + pings[class]));
        self.equal("lost, unplaced", &(interval.lost, interval.unplaced), &(0, 0));
        self.each_hop(&interval, FIRST.0, [42 + 43; 2], FipKind::Distributed);
        self.each_hop(&interval, CENTRALIZED.0, [44 + 45 + 47; 2], FipKind::Centralized);

        self.both_ways_of_sending(&[&central, &plain, &far], &mut Self::centralized_streams);
    }

    fn centralized_streams(&mut self) {
        let (central, plain, far) = (vm(CENTRALIZED.1), vm(PLAIN), self.far.clone());
        let mut all = [(0, 0); 3];
        let interval = self.ears.counted(|dir| {
            all = [
                stream(dir, &central, &far, FAR, 300_000),
                stream(dir, &far, &central, CENTRALIZED.0, 200_000),
                stream(dir, &plain, &far, FAR, 100_000),
            ];
        });
        let [out, inward, snat] = all;
        self.each_hop(&interval, CENTRALIZED.0, [out.0 + inward.1, out.1 + inward.0], FipKind::Centralized);
        let fip = out.0 + out.1 + inward.0 + inward.1;
        self.equal("classes, TCP", &classes(&interval), &[0, snat.0 + snat.1, fip, 0, 0]);
    }

    /// Both ends of floating IPs find each other, both ways.
    fn meet(&self, all: [(Ipv4Addr, Ipv4Addr); 2]) {
        for (floating, fixed) in all {
            meet(&self.ears.dir, &self.far, &vm(fixed), floating);
            meet(&self.ears.dir, &vm(fixed), &self.far, FAR);
        }
    }

    /// Every hop saw all of it, outbound and inbound.
    fn each_hop(&mut self, interval: &Interval, floating: Ipv4Addr, expected: [u64; 2], kind: FipKind) {
        for (way, number) in [Outbound, Inbound].into_iter().zip(expected) {
            self.equal(
                &format!("{floating} {way:?}"),
                &hops(interval, floating, way),
                &(vec![number; Hop::way(kind, way).len()], None),
            );
        }
    }

    fn equal<T: PartialEq + Debug>(&mut self, what: &str, counted: &T, sent: &T) {
        if counted != sent {
            self.wrong.push(format!("{what}: counted {counted:?}, sent {sent:?}"));
        }
    }
}
