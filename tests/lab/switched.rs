//! The agent gateway port as a port of Open vSwitch, which forwards in user
//! space: on the integration bridge with the tag that the network has there, with
//! a given one, and on the external bridge; taken back, and removed.

use fipscope::lab::{Lab, LabOptions, Need};
use fipscope::net::{Observed, OvsPort};
use serde_json::Value;

use crate::associate::{NETWORK, changed, clean, removed};
use crate::case::{build, of};
use crate::change::{read, site, valid};
use crate::program::{fipscope, quiet, run, said, same};

const QROUTER: &str = "qrouter-ef25020f-012c-41d6-a36e-f2f09cb8ea62";
const PORT: &str = "fg-b2b77eed-1b";
/// The tag that the lab gives the external network on the integration bridge.
const TAG: u16 = 2;

/// From nothing to a floating IP that answers, however fg is attached.
pub(crate) fn from_nothing(case: &str) {
    let (layout, backend) = of(case);
    let needs = vec![Need::Unplugged, Need::Switch];
    let lab = build(&LabOptions { layout, backend, needs, ..LabOptions::default() });
    let nothing = quiet(&lab);
    assert_eq!(port(&lab), None);
    // Who has no floating IP has a way out, through the switch.
    ping(&lab, "vm-20.0.0.4", "198.51.100.7");

    for (bridge, vlan, tag) in [("br-int", None, Some(TAG)), ("br-int", Some("2"), Some(TAG)), ("br-ex", None, None)] {
        let words = words(layout.word(), bridge, vlan);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let warned = warnings(&lab, &words);
        assert_eq!(warned.contains("VLAN 4095"), bridge == "br-int", "{warned}");
        associated(&lab, &words);
        let port = port(&lab).unwrap();
        assert_eq!((port.bridge.as_str(), port.tag), (bridge, tag));
        let interface = &port.interfaces[0];
        assert_eq!(interface.attached_mac.as_deref(), Some("fa:16:3e:cc:98:c8"));
        assert!(interface.kind == "internal" && interface.ofport > Some(0), "{interface:?}");
        changed(&lab, &["undo", "--yes", "--format", "json"]);
        same(&nothing, &quiet(&lab), bridge);
    }

    let words = words(layout.word(), "br-int", None);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    associated(&lab, &words);
    dead(&lab);
    removed(&lab);
    println!("attached four times, taken back and removed");
}

/// Associated, and answers from both sides. A switch in user space hands on what
/// leaves the checksum of UDP to the device, so outside cannot be asked for the
/// source: the router's connection tells as whom the instance was answered.
fn associated(lab: &Lab, words: &[&str]) {
    changed(lab, &[words, &["--yes", "--no-wait", "--format", "json"]].concat());
    ping(lab, "outside", "192.168.1.3");
    ping(lab, "vm-10.0.0.4", "198.51.100.7");
    let list = ["netns", "exec", QROUTER, "conntrack", "-L", "-p", "icmp", "-s", "10.0.0.4", "-d", "198.51.100.7"];
    let tracked = said(&run(lab, "ip", &list));
    assert!(tracked.contains("src=198.51.100.7 dst=192.168.1.3"), "{tracked}");
    clean(lab);
}

/// In the dead VLAN, where a running L2 agent would put it, it says so.
fn dead(lab: &Lab) {
    let tag =
        |tag: &str| assert!(run(lab, "ovs-vsctl", &["set", "port", PORT, &format!("tag={tag}")]).status.success());
    tag("4095");
    let check = fipscope(lab, &["check"]);
    assert!(check.status.code() == Some(1) && said(&check).contains("DVR604"), "{}", said(&check));
    let outside = ["netns", "exec", "outside", "ping", "-q", "-c", "1", "-W", "1", "192.168.1.3"];
    assert!(!run(lab, "ip", &outside).status.success(), "a port in the dead VLAN answers");
    tag("2");
    ping(lab, "outside", "192.168.1.3");
}

fn words(layout: &str, bridge: &str, vlan: Option<&str>) -> Vec<String> {
    let port = "--gateway-port-id b2b77eed-1b2c-4d5e-8f90-123456789abc --gateway-port-address 192.168.1.23/24 \
                --gateway-port-mac fa:16:3e:cc:98:c8 --gateway 192.168.1.1";
    let whole = format!(
        "associate 192.168.1.3 10.0.0.4 --layout {layout} --external-network {NETWORK} {port} --bridge {bridge}{}",
        vlan.map(|tag| format!(" --vlan {tag}")).unwrap_or_default()
    );
    whole.split_whitespace().map(str::to_owned).collect()
}

/// What is said before anything is done.
fn warnings(lab: &Lab, words: &[&str]) -> String {
    let shown = fipscope(lab, &[words, &["--dry-run", "--format", "json"]].concat());
    assert_eq!(shown.status.code(), Some(0), "{}", said(&shown));
    let plan: Value = serde_json::from_slice(&shown.stdout).unwrap();
    valid("plan", &plan);
    plan["warnings"].to_string()
}

fn port(lab: &Lab) -> Option<OvsPort> {
    match read(&site(lab)).host.ovs {
        Observed::Seen(ovs) => ovs.port(PORT).cloned(),
        other => panic!("{other:?}"),
    }
}

fn ping(lab: &Lab, from: &str, to: &str) {
    let words = ["netns", "exec", from, "ping", "-q", "-c", "1", "-W", "3", to];
    assert!(run(lab, "ip", &words).status.success(), "{from} → {to}");
}
