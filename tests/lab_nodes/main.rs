//! Labs of each layout and backend, as root and as an ordinary user: what
//! `list`, `show` and the snapshot say equals what the kernel has.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test starts programs and fails by panicking"
)]

#[path = "../real_node/kernel.rs"]
mod kernel;

use std::env;
use std::process::{Command, ExitCode};

use serde_json::{Value, json};

const FIPSCOPE: &str = env!("CARGO_BIN_EXE_fipscope");
/// Printed last, so that a run that never came this far cannot pass.
const DONE: &str = "all comparisons done";
/// What starts a program as a user who is nobody in particular.
const ORDINARY: [&str; 4] = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];

fn main() -> ExitCode {
    let args: Vec<String> = env::args().collect();
    if let [_, word, layout] = args.as_slice()
        && word == "inside"
    {
        return inside(layout);
    }
    let root = nix::unistd::geteuid().is_root();
    let probe = Command::new(FIPSCOPE).args(["lab", "--", "true"]).output().unwrap();
    if !probe.status.success() {
        eprintln!("SKIPPED labs: {}", String::from_utf8_lossy(&probe.stderr));
        return if env::var_os("REQUIRE_NETNS").is_some() { ExitCode::FAILURE } else { ExitCode::SUCCESS };
    }
    let (mut passed, mut failed) = (0, 0);
    for layout in ["juno", "newton", "pike"] {
        for backend in ["nft", "legacy"] {
            for ordinary in [false, true].into_iter().filter(|ordinary| root || !ordinary) {
                let good = case(layout, backend, ordinary);
                *(if good { &mut passed } else { &mut failed }) += 1;
            }
        }
    }
    println!("{passed} passed, {failed} failed");
    if failed == 0 && passed > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn case(layout: &str, backend: &str, ordinary: bool) -> bool {
    let words: &[&str] = if ordinary { &ORDINARY } else { &["env"] };
    let output = Command::new(words[0])
        .args(&words[1..])
        .args([FIPSCOPE, "lab", "--layout", layout, "--backend", backend, "--routers", "3", "--fips", "2", "--"])
        .arg(env::current_exe().unwrap())
        .args(["inside", layout])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let good = output.status.success() && text.contains(DONE);
    println!(
        "== {layout} {backend}{} {}",
        if ordinary { " ordinary user" } else { "" },
        if good { "ok" } else { "FAILED" }
    );
    if !good {
        println!("{text}{}", String::from_utf8_lossy(&output.stderr));
    }
    good
}

fn inside(layout: &str) -> ExitCode {
    let mut wrong = kernel::agrees(|| fipscope(&["snapshot"]));
    let list = fipscope(&["list"]);
    let fips = list["floating_ips"].as_array().unwrap();
    let article = json!({"floating_ip": "192.168.1.3", "fixed_ip": "10.0.0.4",
        "router": "ef25020f-012c-41d6-a36e-f2f09cb8ea62", "external_network": "cef4f7b4-c344-4904-a847-a9960f58fb20",
        "kind": "distributed", "state": "ok", "codes": []});
    let is_article = |fip: &&Value| article.as_object().unwrap().iter().all(|(key, value)| fip[key] == *value);
    if fips.len() != 6 || fips.iter().filter(is_article).count() != 1 {
        wrong.push(format!("floating IPs: {fips:?}"));
    }
    wrong.extend(fips.iter().filter(|fip| fip["state"] != "ok").map(|fip| format!("not ok: {fip}")));
    for router in list["routers"].as_array().unwrap() {
        if router["layout"] != layout || router["kind"] != "distributed" {
            wrong.push(format!("router: {router}"));
        }
    }
    for fip in fips {
        let shown = fipscope(&["show", fip["floating_ip"].as_str().unwrap()]);
        for link in ["outbound", "inbound"].iter().flat_map(|way| shown[way].as_array().unwrap()) {
            if !["ok", "not-applicable"].contains(&link["state"].as_str().unwrap()) {
                wrong.push(format!("link: {link}"));
            }
        }
    }
    for line in &wrong {
        println!("  {line}");
    }
    println!("{DONE}");
    if wrong.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn fipscope(args: &[&str]) -> Value {
    let output = Command::new(FIPSCOPE).args(["--format", "json"]).args(args).output().unwrap();
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}
