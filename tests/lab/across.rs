//! Links that break while flows go over them, heard by the program itself: what it
//! knows of these flows is from before, and still it names the hop.

use std::io::{BufRead, BufReader, Lines};
use std::process::{ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use fipscope::kernel::{ReadOptions, read_node};
use fipscope::lab::LabOptions;
use fipscope::net::netfilter::Backend;
use fipscope::neutron::Layout;
use serde_json::Value;

use crate::breaks::{BREAKS, PIKE, carry_out, names};
use crate::case::build;

/// What breaks, and where the flows that were there before stop, out and in.
/// Translation holds for them, as connection tracking remembers it: without DNAT
/// only new ones would be lost.
const ACROSS: [(&str, Option<&str>, Option<&str>); 8] = [
    ("no forwarding in the router", Some("qr"), Some("rfp")),
    ("a rule drops what is for the instance", None, Some("rfp")),
    ("no forwarding in the fip namespace", Some("fpr"), Some("fg")),
    ("no route to the floating IP", None, Some("fg")),
    ("no rule for the router's table", Some("fpr"), None),
    ("no way out of table 16", Some("qr"), None),
    ("the router's port on the subnet is down", None, Some("rfp")),
    ("DNAT missing", None, None),
];

/// Longer than the program goes without reading the node.
const LONGEST: Duration = Duration::from_secs(20);
/// Intervals that must say the same before it is believed.
const IN_TURN: usize = 2;

pub(crate) fn breaks() {
    let lab = build(&LabOptions { layout: Layout::Pike, traffic: true, ..LabOptions::default() });
    let read = ReadOptions {
        netns_dir: lab.netns_dir().path().to_owned(),
        state_path: Some(lab.state_path().to_owned()),
        conntrack: false,
    };
    let names = names(&read_node(&read).unwrap(), Layout::Pike, Backend::Nft);
    let run = |commands: &str| carry_out(&lab.netns_dir(), &names, commands);
    let mut program = Command::new(env!("CARGO_BIN_EXE_fipscope"));
    program.args(["traffic", "--format", "json", "--interval", "0.5"]).env("FIPSCOPE_STATE_PATH", lab.state_path());
    let mut child = program.env_remove("FIPSCOPE_FROM").stdout(Stdio::piped()).spawn().unwrap();
    let mut told = BufReader::new(child.stdout.take().unwrap()).lines();
    until(&mut told, "all is well", (None, None));
    for (what, out, inward) in ACROSS {
        let (_, break_it, mend_it, ..) = BREAKS.iter().chain(PIKE).find(|(name, ..)| *name == what).unwrap();
        run(break_it);
        until(&mut told, what, (out, inward));
        run(mend_it);
        until(&mut told, &format!("mended: {what}"), (None, None));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    println!("{} links broken under flows", ACROSS.len());
}

/// Reads on until two intervals in turn say that flows stop there.
fn until(told: &mut Lines<BufReader<ChildStdout>>, what: &str, expected: (Option<&str>, Option<&str>)) {
    let (begin, mut in_turn) = (Instant::now(), 0);
    while in_turn < IN_TURN {
        let line: Value = serde_json::from_str(&told.next().expect("it goes on").unwrap()).unwrap();
        let [out, inward] = ["out", "in"].map(|way| stops(&line, way));
        // Where nothing stops, something passes.
        let is_so = (out.as_deref(), inward.as_deref()) == expected && (expected != (None, None) || passes(&line));
        in_turn = if is_so { in_turn + 1 } else { 0 };
        assert!(begin.elapsed() < LONGEST, "{what}: {}", line["floating_ips"]);
    }
}

fn stops(line: &Value, way: &str) -> Option<String> {
    fip(line, way)["stops_at"].as_str().map(str::to_owned)
}

/// Packets were seen at every hop, both ways.
fn passes(line: &Value) -> bool {
    let seen = |way, hop| fip(line, way)["points"][hop]["packets"].as_u64().unwrap() > 0;
    ["out", "in"].into_iter().all(|way| ["qr", "rfp", "fpr", "fg"].into_iter().all(|hop| seen(way, hop)))
}

fn fip<'a>(line: &'a Value, way: &str) -> &'a Value {
    let fips = line["floating_ips"].as_array().unwrap();
    fips.iter().find(|fip| fip["floating_ip"] == "192.168.1.3" && fip["direction"] == way).unwrap()
}
