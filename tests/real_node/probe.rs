//! What only the wire decides, on nodes of the real agent with instances and an
//! outside host: nothing where all is well, and each failure where it is made.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use fipscope::check::{Pick, questions};
use fipscope::topology::Topology;
use serde_json::Value;

use crate::faults::{LINK_WATCH, read};
use crate::inside::Node;

/// The node's external gateway, which is also the host outside.
const OUTSIDE: &str = "ext-public";
const OUTSIDE_DEVICE: &str = "xpublic";
/// Another host on the external network, and its device.
const STRANGER: &str = "xstranger";

/// What is wrong on that node before anything is broken: in S9 the agent leaves
/// a rule for its centralized floating IP.
fn known(node: &Node) -> &'static [&'static str] {
    if node.scenario == "S9" { &["DVR303"] } else { &[] }
}

/// A failure: its code, the commands that make it, and those that undo it.
struct Fault {
    code: &'static str,
    namespace: &'static str,
    break_it: Vec<String>,
    mend_it: Vec<String>,
}

/// Asks the wire on the nodes of two scenarios, and says what was not as it
/// should be.
pub(crate) fn asked(node: &Node, workdir: &Path, builder: &Path) -> Vec<String> {
    if !["S3", "S9"].contains(&node.scenario.as_str()) {
        return Vec::new();
    }
    if !instances(workdir, builder) {
        return vec!["instances and a host outside could not be made".to_owned()];
    }
    let mut wrong = Vec::new();
    let mut expect = |what: &str, wanted: &[&str]| {
        let found = roots(node);
        let mut all: Vec<&str> = found.iter().map(|(code, _)| code.as_str()).collect();
        all.dedup();
        let mut wanted: Vec<&str> = wanted.iter().chain(known(node)).copied().collect();
        wanted.sort_unstable();
        if all != wanted {
            wrong.push(format!("{what}: {found:?} is found, not {wanted:?}"));
        }
        found
    };
    expect("whole", &[]);
    let snapshot = read(node);
    let questions = questions(&snapshot, &Topology::of(&snapshot), &Pick::default(), None).len();
    assert!(questions > 5, "there are only {questions} questions to ask");
    let all = faults_of(node);
    for fault in &all {
        run(&fault.break_it);
        std::thread::sleep(LINK_WATCH);
        let found = expect(fault.code, &[fault.code]);
        let there = |(code, namespace): &(String, String)| code != fault.code || namespace.starts_with(fault.namespace);
        assert!(found.iter().all(there), "{}: {found:?}", fault.code);
        run(&fault.mend_it);
        std::thread::sleep(LINK_WATCH);
        expect(&format!("{} mended", fault.code), &[]);
    }
    println!("  {questions} questions asked on the wire of a whole node; {} failures found on it", all.len());
    wrong
}

/// Those that this node can have. What moves an address outside is made there;
/// what 710 finds (a port that is down), the node shows by itself.
fn faults_of(node: &Node) -> Vec<Fault> {
    let fault = |code, namespace, break_it: &[String], mend_it: &[String]| Fault {
        code,
        namespace,
        break_it: break_it.to_vec(),
        mend_it: mend_it.to_vec(),
    };
    let tag = Command::new("ovs-vsctl").args(["get", "port", OUTSIDE_DEVICE, "tag"]).output().unwrap().stdout;
    let tag = String::from_utf8(tag).unwrap().trim().to_owned();
    // A host of its own: the gateway would not hear one that has its own address.
    let answers = |code, namespace, address: &str| {
        let come = [
            format!("ip netns add {STRANGER}"),
            format!("ovs-vsctl add-port br-int {STRANGER} tag={tag} -- set interface {STRANGER} type=internal"),
            format!("ip link set {STRANGER} netns {STRANGER}"),
            format!("ip -n {STRANGER} link set {STRANGER} up"),
            format!("ip -n {STRANGER} addr add {address}/24 dev {STRANGER}"),
        ];
        let go = [format!("ovs-vsctl del-port br-int {STRANGER}"), format!("ip netns del {STRANGER}")];
        fault(code, namespace, &come, &go)
    };
    let device = |address: &str| {
        let output = ip(&["-n", &format!("vm-{address}"), "-o", "link"]);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let line = text.lines().find(|line| !line.contains(" lo:")).unwrap().to_owned();
        let words: Vec<&str> = line.split_whitespace().collect();
        let mac = words.iter().position(|word| *word == "link/ether").map(|at| words[at + 1].to_owned()).unwrap();
        (words[1].trim_end_matches(':').to_owned(), mac)
    };
    let (vm, mac) = device("10.0.0.4");
    let moved = |to: &str| format!("ip -n vm-10.0.0.4 link set {vm} address {to}");
    let silent =
        |value: u8| format!("ip netns exec {OUTSIDE} sysctl -qw net.ipv4.conf.{OUTSIDE_DEVICE}.arp_ignore={value}");
    let fg = address_of(node, |topology| {
        topology.external_networks[0].gateway_port.as_ref().unwrap().addresses[0].addr().to_string()
    });
    let mut all = vec![
        answers("DVR606", "fip-", &fg),
        answers("DVR607", "fip-", "192.168.1.3"),
        fault("DVR610", "fip-", &[silent(8)], &[silent(0)]),
        fault("DVR702", "qrouter-", &[moved("fa:16:3e:00:00:66")], &[moved(&mac)]),
    ];
    if node.scenario == "S9" {
        let qg = address_of(node, |topology| {
            let port = topology.routers.iter().find_map(|router| router.gateway_port.as_ref()).unwrap();
            port.addresses.iter().find(|net| net.prefix_len() < 32).unwrap().addr().to_string()
        });
        all.push(answers("DVR801", "snat-", &qg));
    }
    all
}

fn address_of(node: &Node, of: impl Fn(&Topology) -> String) -> String {
    of(&Topology::of(&read(node)))
}

/// Codes and namespaces of the root causes that are worse than a note, sorted.
fn roots(node: &Node) -> Vec<(String, String)> {
    let answer = node.fipscope_any(&["check", "--probe"]);
    let counts = |finding: &&Value| finding["because_of"].is_null() && finding["severity"] != "note";
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let findings = answer["findings"].as_array().unwrap().iter().filter(counts);
    let mut all: Vec<(String, String)> =
        findings.map(|finding| (text(&finding["code"]), text(&finding["namespace"]))).collect();
    all.sort();
    all
}

fn run(commands: &[String]) {
    for command in commands {
        let words: Vec<&str> = command.split(' ').collect();
        let output = Command::new(words[0]).args(&words[1..]).output().unwrap();
        assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

fn ip(words: &[&str]) -> Output {
    Command::new("ip").args(words).output().unwrap()
}

/// Puts instances and an outside host onto the bridge, where there are none yet.
pub(crate) fn instances(workdir: &Path, builder: &Path) -> bool {
    let stands = |one: fs::DirEntry| one.file_name().to_string_lossy().starts_with("vm-");
    if fs::read_dir("/run/netns").is_ok_and(|all| all.flatten().any(stands)) {
        return true;
    }
    inhabit(workdir, builder)
}

/// Puts those of a folder's `cloud.json` there, whether some stand or not.
pub(crate) fn inhabit(workdir: &Path, builder: &Path) -> bool {
    let script = builder.with_file_name("dataplane.py");
    Command::new("python3").arg(script).arg(workdir).output().is_ok_and(|output| output.status.success())
}
