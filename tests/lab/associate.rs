//! From a node that has nothing of the external network to a floating IP that
//! answers, and back again, by the program alone.

use std::net::IpAddr;

use fipscope::lab::{Lab, LabOptions, Need};
use fipscope::net::Snapshot;
use fipscope::neutron::Layout;
use serde_json::Value;

use crate::case::{OUTSIDE, SNAT, build, of, udp, works};
use crate::change::valid;
use crate::program::{fipscope, quiet, run, said, same};

pub(crate) const NETWORK: &str = "cef4f7b4-c344-4904-a847-a9960f58fb20";
const QROUTER: &str = "qrouter-ef25020f-012c-41d6-a36e-f2f09cb8ea62";
const FG: [&str; 10] = [
    "--gateway-port-id",
    "b2b77eed-1b2c-4d5e-8f90-123456789abc",
    "--gateway-port-address",
    "192.168.1.23/24",
    "--gateway-port-mac",
    "fa:16:3e:cc:98:c8",
    "--gateway",
    "192.168.1.1",
    "--bridge",
    "br-ex",
];
/// In the later layouts it goes with the router's pair.
const GATEWAY: [&str; 2] = ["--gateway", "192.168.1.1"];

/// Wired from nothing, taken back; wired and removed; wired and removed where
/// the rest of it stands already.
pub(crate) fn from_nothing(case: &str) {
    let (layout, backend) = of(case);
    let lab = build(&LabOptions { layout, backend, needs: vec![Need::Unplugged], ..LabOptions::default() });
    let nothing = quiet(&lab);
    assert!(nothing.namespaces.keys().all(|name| !name.as_str().starts_with("fip-")));
    let wanted = ["associate", "192.168.1.3", "10.0.0.4", "--layout", layout.word()];
    let whole: Vec<&str> = wanted.into_iter().chain(["--external-network", NETWORK]).chain(FG).collect();

    guessed(&lab, layout.word(), &whole);

    // What is missing is asked for.
    for words in [&wanted[..], &whole[..whole.len() - 2]] {
        let missing = fipscope(&lab, &[words, &["--yes"]].concat());
        assert_eq!(missing.status.code(), Some(2), "{}", said(&missing));
    }
    let shown = fipscope(&lab, &[&whole[..], &["--dry-run", "--format", "json"]].concat());
    assert_eq!(shown.status.code(), Some(0), "{}", said(&shown));
    let plan: Value = serde_json::from_slice(&shown.stdout).unwrap();
    valid("plan", &plan);
    assert!(plan["steps"].to_string().contains("whether anybody has 192.168.1.3"), "{plan:#}");
    same(&nothing, &quiet(&lab), "only shown");
    taken(&lab, &whole, "192.168.1.3", &nothing);

    associated(&lab, &whole);
    changed(&lab, &["undo", "--yes", "--format", "json"]);
    same(&nothing, &quiet(&lab), "taken back");

    associated(&lab, &whole);
    let again = fipscope(&lab, &[&whole[..], &["--yes"]].concat());
    assert!(again.status.success() && said(&again).contains("so already"), "{}", said(&again));
    removed(&lab);
    let rest = quiet(&lab);
    in_use_elsewhere(&lab, &rest);
    associated(&lab, &[&wanted[..], &GATEWAY].concat());
    another(&lab);
    removed(&lab);
    same(&rest, &quiet(&lab), "removed");
    println!("wired three times, taken back and removed");
}

/// Where nobody says the layout, the router's own marks tell it, and that is said.
fn guessed(lab: &Lab, layout: &str, whole: &[&str]) {
    let silent = [&whole[..3], &whole[5..], &["--dry-run", "--format", "json"]].concat();
    assert!(!silent.contains(&"--layout"));
    let shown = fipscope(lab, &silent);
    assert_eq!(shown.status.code(), Some(0), "{}", said(&shown));
    let plan: Value = serde_json::from_slice(&shown.stdout).unwrap();
    let told = format!("its marks tell {layout}. --layout says otherwise");
    assert!(plan["warnings"].to_string().contains(&told), "{plan:#}");
}

/// The second one of a router is done as the first was: its pair tells the layout.
fn another(lab: &Lab) {
    changed(lab, &["associate", "192.168.1.4", "10.0.0.5", "--yes", "--no-wait", "--format", "json"]);
    let ping = ["netns", "exec", "outside", "ping", "-q", "-c", "1", "-W", "3", "192.168.1.4"];
    assert!(run(lab, "ip", &ping).status.success());
    let check = fipscope(lab, &["check", "--ignore", "DVR406"]);
    assert_eq!(check.status.code(), Some(0), "{}", said(&check));
    changed(lab, &["remove", "192.168.1.4", "--yes", "--format", "json"]);
}

/// Associated, and answers from both sides; nothing is found wrong.
pub(crate) fn associated(lab: &Lab, words: &[&str]) {
    changed(lab, &[words, &["--yes", "--no-wait", "--format", "json"]].concat());
    works(lab, words[1], words[2]);
    clean(lab);
}

/// Nothing is found wrong.
pub(crate) fn clean(lab: &Lab) {
    let check = fipscope(lab, &["check"]);
    assert_eq!(check.status.code(), Some(0), "{}", said(&check));
    let shown = fipscope(lab, &["show", "192.168.1.3"]);
    assert_eq!(shown.status.code(), Some(0), "{}", said(&shown));
}

/// The last one of its router: the pair goes along.
pub(crate) fn removed(lab: &Lab) {
    let unknown = fipscope(lab, &["remove", "192.168.1.99", "--yes"]);
    assert_eq!(unknown.status.code(), Some(1), "{}", said(&unknown));
    changed(lab, &["remove", "192.168.1.3", "--with-pair", "--yes", "--format", "json"]);
    let left = said(&run(lab, "ip", &["netns", "exec", &fip(), "ip", "-o", "route", "show", "table", "all"]));
    assert!(!left.contains("192.168.1.3 ") && !left.contains("fpr-"), "{left}");
}

/// Somebody outside has the address: nothing is done.
fn in_use_elsewhere(lab: &Lab, before: &Snapshot) {
    taken(lab, &[&["associate", "192.168.1.77", "10.0.0.4"][..], &GATEWAY].concat(), "192.168.1.77", before);
}

/// The gateway has the address: the program says so, and nothing is left of it.
fn taken(lab: &Lab, words: &[&str], address: &str, before: &Snapshot) {
    let cidr = format!("{address}/24");
    let address = |what| ["netns", "exec", "gateway", "ip", "addr", what, &cidr, "dev", "eth0"];
    assert!(run(lab, "ip", &address("add")).status.success());
    let refused = fipscope(lab, &[words, &["--yes"]].concat());
    assert_eq!(refused.status.code(), Some(1), "{}", said(&refused));
    assert!(said(&refused).contains("in use on the external network"), "{}", said(&refused));
    assert!(run(lab, "ip", &address("del")).status.success());
    same(before, &quiet(lab), "refused");
}

/// A flow that was there before, and had another way out, goes on as the floating
/// IP: what was tracked of it is forgotten.
pub(crate) fn held_flow() {
    let lab = build(&LabOptions { layout: Layout::Pike, ..LabOptions::default() });
    let (server, client) = (udp(&lab, "outside", 4000), udp(&lab, "vm-10.0.0.5", 0));
    client.connect((OUTSIDE, 4000)).unwrap();
    let source = || {
        client.send(b"question").unwrap();
        let (_, source) = server.recv_from(&mut [0; 16]).unwrap();
        server.send_to(b"answer", source).unwrap();
        assert_eq!(client.recv(&mut [0; 16]).unwrap(), 6);
        source.ip()
    };
    let port = client.local_addr().unwrap().port();
    let tracked = || {
        let node = quiet(&lab);
        let (_, router) = node.seen().find(|(name, _)| name.as_str() == QROUTER).unwrap();
        let all = router
            .conntrack
            .as_ref()
            .unwrap()
            .seen()
            .unwrap()
            .iter()
            .filter(|entry| entry.original.sport == Some(port));
        all.map(|entry| entry.reply.dst).collect::<Vec<_>>()
    };
    let fixed: IpAddr = [10, 0, 0, 5].into();
    assert_eq!((source(), tracked()), (SNAT.into(), vec![fixed]), "before");
    let words = ["associate", "192.168.1.4", "10.0.0.5", "--yes", "--no-wait", "--format", "json"];
    changed(&lab, &words);
    assert_eq!(tracked(), [] as [IpAddr; 0], "forgotten");
    let floating: IpAddr = [192, 168, 1, 4].into();
    assert_eq!((source(), tracked()), (floating, vec![floating]), "after");
    let check = fipscope(&lab, &["check"]);
    assert_eq!(check.status.code(), Some(0), "{}", said(&check));
    println!("left as the floating IP");
}

fn fip() -> String {
    format!("fip-{NETWORK}")
}

/// A change that is done and verified.
pub(crate) fn changed(lab: &Lab, words: &[&str]) {
    let output = fipscope(lab, words);
    assert_eq!(output.status.code(), Some(0), "{words:?}: {}", said(&output));
    let result: Value = serde_json::from_slice(&output.stdout).unwrap();
    valid("result", &result);
    assert!(result["applied"] == true && result["verified"] == true, "{words:?}: {result:#}");
}
