//! `fipscope traffic` where the node changes while it listens: what is counted is
//! understood by the node as it is, in the midst of an interval too.

use std::io::{BufRead, BufReader, Read};
use std::net::Ipv4Addr;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use fipscope::lab::{LabOptions, outside};
use fipscope::neutron::Layout;
use serde_json::Value;

use crate::case::{OUTSIDE, build};
use crate::known_flows::{ask, meet, say, vm};

const FIXED: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 4);
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
