//! What hides in the traffic: `fipscope traffic` where the node changes while it
//! listens is understood by the node as it is, in the midst of an interval too; and
//! what a few flows lose is told among others that pass.

use std::io::{BufRead, BufReader, Read};
use std::net::Ipv4Addr;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use fipscope::lab::{LabOptions, outside};
use fipscope::net::netfilter::Backend;
use fipscope::neutron::Layout;
use fipscope::topology::Direction;
use fipscope::traffic::{FipTraffic, Hop, Missing, StopsAt};
use serde_json::Value;

use crate::case::{OUTSIDE, build};
use crate::known_flows::{Listening, ask, flood, hops, meet, say, vm};

const FIXED: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 4);
const FLOATING: Ipv4Addr = Ipv4Addr::new(192, 168, 1, 3);
const ROUTER: &str = "qrouter-ef25020f-012c-41d6-a36e-f2f09cb8ea62";
/// Long enough for the node to be read again, beyond the delay of the capture.
const SETTLED: Duration = Duration::from_millis(600);

/// A floating IP's rule goes in the midst of an interval: what came before it was
/// the floating IP's, what comes after it goes by the snat namespace, once.
pub(crate) fn rule_goes() {
    let lab = build(&LabOptions { layout: Layout::Pike, ..LabOptions::default() });
    let (dir, with, far) = (lab.netns_dir(), vm(FIXED), outside());
    let there = |number| assert_eq!(ask(&dir, &with, &far, OUTSIDE, number), number);
    meet(&dir, &with, &far, OUTSIDE);
    let mut command = Command::new(env!("CARGO_BIN_EXE_fipscope"));
    command.args(["traffic", "--format", "json", "--duration", "7", "--interval", "3.5"]);
    command.env("FIPSCOPE_STATE_PATH", lab.state_path()).env_remove("FIPSCOPE_FROM");
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    // The first interval tells that it listens; the second has all that follows.
    stdout.read_line(&mut String::new()).unwrap();
    there(30);
    thread::sleep(SETTLED);
    assert_eq!(say(&dir, ROUTER, "ip", &["rule", "del", "from", &FIXED.to_string(), "lookup", "16"]), "");
    thread::sleep(SETTLED);
    meet(&dir, &with, &far, OUTSIDE);
    there(40);
    let mut rest = String::new();
    stdout.read_to_string(&mut rest).unwrap();
    assert!(child.wait().unwrap().success());
    let line: Value = serde_json::from_str(rest.trim()).unwrap();
    let class = |name: &str| line["classes"][name]["packets"].as_u64().unwrap();
    assert_eq!((class("fip"), line["lost"].as_u64()), (60, Some(0)), "{line}");
    let snat = class("snat");
    // What found its neighbours first counts as well: an odd question may not have been answered.
    assert!((80..=84).contains(&snat), "{snat} of 80 to 84 packets: {line}");
    let sum: u64 = ["east-west", "snat", "fip", "local", "none"].map(class).iter().sum();
    assert_eq!(sum, 60 + snat, "{line}");
}

/// What a few flows lose is told, though the others pass.
pub(crate) fn among_others() {
    let lab = build(&LabOptions { layout: Layout::Pike, backend: Backend::Nft, ..LabOptions::default() });
    let mut node = Listening::open(lab.netns_dir(), lab.state_path().to_owned());
    let (with, far) = (vm(FIXED), outside());
    let dir = node.dir.clone();
    meet(&dir, &far, &with, FLOATING);
    meet(&dir, &with, &far, OUTSIDE);
    let sh = |program: &str, words: &str| {
        let words: Vec<&str> = words.split(' ').collect();
        assert_eq!(say(&dir, ROUTER, program, &words), "", "{words:?}");
    };
    // Both sides ask; what comes for the instance goes to another hardware address.
    let snapshot = node.snapshot();
    let addrs = snapshot.netns(&ROUTER.into()).unwrap().addrs();
    let own = addrs.iter().find(|addr| addr.address.addr() == std::net::IpAddr::from([10, 0, 0, 1])).unwrap();
    sh("ip", &format!("neigh replace {FIXED} lladdr 02:00:00:00:00:99 dev {} nud permanent", own.dev));
    let interval = node.counted(|dir| {
        assert_eq!(ask(dir, &far, &with, FLOATING, 5), 0);
        assert_eq!(ask(dir, &with, &far, OUTSIDE, 5), 0);
    });
    assert_eq!(hops(&interval, FLOATING, Direction::Outbound), (vec![5; 4], None));
    assert_eq!(hops(&interval, FLOATING, Direction::Inbound), (vec![10; 4], Some("vm-silent")));
    sh("ip", &format!("neigh del {FIXED} dev {}", own.dev));
    meet(&dir, &far, &with, FLOATING);
    // A rule of the router's drops what goes to one port: less than a tenth.
    sh("iptables-nft", "-w 5 -I FORWARD -p udp --dport 7 -j DROP");
    let interval = node.counted(|dir| {
        flood(dir, &far, FLOATING, 4);
        assert_eq!(ask(dir, &far, &with, FLOATING, 56), 56);
    });
    let inward = |fip: &&FipTraffic| fip.id.floating_ip == FLOATING && fip.direction == Direction::Inbound;
    let inward = interval.floating_ips.iter().find(inward).unwrap();
    assert_eq!(inward.stops_at, None);
    assert_eq!(inward.missing, Some(Missing { after: StopsAt::Hop(Hop::Rfp), packets: 4, of: 60, flows: 1 }));
    let dead: Vec<_> = interval.flows.iter().filter(|flow| flow.stops_at.is_some()).collect();
    assert!(dead.len() == 1 && dead[0].destination.port == Some(7), "{dead:?}");
}
