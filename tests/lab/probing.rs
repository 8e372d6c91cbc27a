//! `fipscope traffic --probe`: one packet, followed to where a broken link stops
//! it; and what connection tracking makes of flows.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output};

use fipscope::kernel::{ReadOptions, read_node};
use fipscope::lab::{Lab, LabOptions};
use fipscope::net::NetnsName;
use fipscope::net::netfilter::Backend;
use fipscope::netns::enter;
use fipscope::neutron::Layout;
use serde_json::{Value, json};

use crate::breaks::{BREAKS, CENTRALIZED, carry_out, names};
use crate::case::build;
use crate::unstopped::CENTRALIZED_UNSTOPPED;

/// What becomes of an echo or a SYN from the fip namespace while a link is broken, and the
/// kind of device after which it, or its answer, goes astray.
const PROBED: [(&str, &[&str], Option<&str>); 8] = [
    ("floating-IP rule missing", &["answer-stops", "astray"], Some("qr-")),
    ("no forwarding in the router", &["stops"], Some("rfp-")),
    ("the router has another hardware address for fpr", &["answer-stops"], Some("rfp-")),
    ("the fip namespace has another hardware address for rfp", &["stops"], Some("fpr-")),
    ("no default route of the router's table", &["answered"], None),
    // It is asked for by ARP outside, and never sent; who waits longer hears of that.
    ("no route to the floating IP", &["unseen", "unreachable"], None),
    ("a rule drops what is for the instance", &["stops"], Some("rfp-")),
    ("the instance is off", &["unanswered"], None),
];

pub(crate) fn program() {
    let lab = build(&LabOptions { layout: Layout::Pike, traffic: true, more: true, ..LabOptions::default() });
    healthy(&lab);
    translated(&lab);
    let read = ReadOptions {
        netns_dir: lab.netns_dir().path().to_owned(),
        state_path: Some(lab.state_path().to_owned()),
        conntrack: false,
    };
    let vm = lab.netns_dir().open(&NetnsName::from("vm-10.0.0.4")).unwrap();
    let listener = enter(&vm, || TcpListener::bind("0.0.0.0:8080").unwrap()).unwrap();
    let names = names(&read_node(&read).unwrap(), Layout::Pike, Backend::Nft);
    let run = |commands: &str| carry_out(&lab.netns_dir(), &names, commands);
    for (what, results, stops) in PROBED {
        let (_, break_it, mend_it, ..) = BREAKS.iter().find(|(name, ..)| *name == what).unwrap();
        run(break_it);
        for packet in ["echo", "tcp:8080"] {
            becomes((what, results, stops), probe(&lab, &["--probe", packet]));
        }
        run(mend_it);
    }
    drop(listener);
    healthy(&lab);
    centralized(&lab, &run);
}

/// The result is one of these, and it is told where the packet or its answer stops.
fn becomes((what, results, stops): (&str, &[&str], Option<&str>), (code, told): (i32, Value)) {
    let result = told["result"].as_str().unwrap();
    assert!(results.contains(&result), "{what}: {told:#}");
    assert_eq!(code, i32::from(result != "answered"), "{what}");
    match stops {
        Some(kind) => assert!(told["stops_at"].as_str().unwrap().starts_with(kind), "{what}: {told:#}"),
        None => assert!(told["stops_at"].is_null(), "{what}: {told:#}"),
    }
}

/// Every station sees the packet once, and its answer once.
fn healthy(lab: &Lab) {
    // The first answer may wait for a neighbour to be found.
    let _ = probe(lab, &["--probe", "echo"]);
    let (code, told) = probe(lab, &["--probe", "echo"]);
    assert_eq!((code, told["result"].as_str()), (0, Some("answered")), "{told:#}");
    let stations: Vec<(&str, u64, u64)> = told["stations"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| {
            let packets = |way: &str| one[way]["packets"].as_u64().unwrap();
            (one["name"].as_str().unwrap().split('-').next().unwrap(), packets("forth"), packets("back"))
        })
        .collect();
    assert_eq!(stations, [("fpr", 1, 1), ("rfp", 1, 1), ("qr", 1, 1)], "{told:#}");
    for to in ["fixed", "gateway"] {
        let (code, told) = probe(lab, &["--probe", "echo", "--to", to]);
        assert_eq!((code, told["result"].as_str()), (0, Some("answered")), "{told:#}");
    }
    // Nobody listens, then somebody does.
    let (code, told) = probe(lab, &["--probe", "tcp:8080"]);
    assert_eq!((code, told["result"].as_str()), (0, Some("refused")), "{told:#}");
    let vm = lab.netns_dir().open(&NetnsName::from("vm-10.0.0.4")).unwrap();
    let _listener = enter(&vm, || TcpListener::bind("0.0.0.0:8080").unwrap()).unwrap();
    let (code, told) = probe(lab, &["--probe", "tcp:8080"]);
    assert_eq!((code, told["result"].as_str(), told["port"].as_u64()), (0, Some("answered"), Some(8080)), "{told:#}");
}

/// What leaves under the router's address is told with that address and port, and
/// so are its answers.
fn translated(lab: &Lab) {
    let output = run(lab, &["--format", "json", "--duration", "1", "--filter", "snat :50007"]);
    let line: Value = serde_json::from_slice(&output.stdout).unwrap();
    let flows = line["flows"].as_array().unwrap();
    assert!(!flows.is_empty() && flows.iter().all(|flow| flow["class"] == "snat"), "{line:#}");
    for flow in flows {
        let (source, translated) = (flow["source"].as_str().unwrap(), flow["translated"].as_str().unwrap_or_default());
        let expected =
            if source.starts_with("198.51.100.7") { ["10.0.0.5:", "20.0.0.4:"] } else { ["192.168.1.21:"; 2] };
        assert!(expected.iter().any(|start| translated.starts_with(start)), "{flow:#}");
    }
    assert!(line["floating_ips"].as_array().unwrap().is_empty(), "{line:#}");
}

/// A floating IP of the snat namespace, asked from there as the router: all that
/// can be seen on the way is the port on the subnet.
fn centralized(lab: &Lab, run: &impl Fn(&str)) {
    const FLOATING: &str = "192.168.1.244";
    let _ = probe_of(lab, FLOATING, &["--probe", "echo"]);
    for words in ["--probe echo", "--probe echo --to fixed", "--probe echo --to gateway"] {
        let words: Vec<&str> = words.split(' ').collect();
        let (code, told) = probe_of(lab, FLOATING, &words);
        assert_eq!((code, told["result"].as_str()), (0, Some("answered")), "{told:#}");
        // An instance answers through the router, which the packet itself has not to pass.
        let mut expected = told["stations"].as_array().unwrap().iter().filter(|one| one["expected"] == true);
        let (Some(port), None) = (expected.next(), expected.next()) else { panic!("{told:#}") };
        assert_eq!((&port["forth"]["packets"], &port["back"]["packets"]), (&json!(1), &json!(1)), "{told:#}");
    }
    for (what, results, stops) in [
        ("the snat namespace has another hardware address for the instance", &["unanswered"][..], None),
        // It goes outside then, and the external gateway knows no way.
        ("the snat namespace's port on the subnet is down", &["unreachable"], None),
        // Where the namespace forgot its hardware address meanwhile, nothing is sent to it, and
        // who waits longer hears of that.
        ("the instance is off", &["unanswered", "unseen", "unreachable"], None),
    ] {
        let broken = CENTRALIZED.iter().map(|(name, break_it, mend_it, ..)| (*name, *break_it, *mend_it));
        let unstopped = CENTRALIZED_UNSTOPPED.iter().map(|link| (link.what, link.break_it, link.mend_it));
        let (_, break_it, mend_it) = broken.chain(unstopped).find(|(name, ..)| *name == what).unwrap();
        run(break_it);
        for packet in ["echo", "tcp:8080"] {
            becomes((what, results, stops), probe_of(lab, FLOATING, &["--probe", packet]));
        }
        run(mend_it);
    }
    let (code, told) = probe_of(lab, FLOATING, &["--probe", "tcp:8080"]);
    assert_eq!((code, told["result"].as_str()), (0, Some("refused")), "{told:#}");
}

fn probe(lab: &Lab, words: &[&str]) -> (i32, Value) {
    probe_of(lab, "192.168.1.3", words)
}

fn probe_of(lab: &Lab, floating: &str, words: &[&str]) -> (i32, Value) {
    let all = [&["--format", "json", "--floating-ip", floating], words].concat();
    let output = run(lab, &all);
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let value: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {said}"));
    let schema = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/schema/fipscope.probe.1.json");
    let schema: Value = serde_json::from_str(&fs::read_to_string(schema).unwrap()).unwrap();
    let validator = jsonschema::draft202012::options().should_validate_formats(true).build(&schema).unwrap();
    let errors: Vec<String> = validator.iter_errors(&value).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{}\n{value:#}", errors.join("\n"));
    (output.status.code().unwrap(), value)
}

fn run(lab: &Lab, words: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fipscope"));
    command.arg("traffic").args(words).env("FIPSCOPE_STATE_PATH", lab.state_path()).env_remove("FIPSCOPE_FROM");
    command.output().unwrap()
}
