//! Walks against the wire: in labs of all layouts and both packet filters, whole
//! and broken, what the engine says of a packet equals what sniffers in each
//! namespace see of it: every device that it passes, its addresses there, and
//! what becomes of it; the same for the answer.
//!
//! A process of its own for each lab: the lab moves its whole process.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test starts programs, opens sockets, says what it does and fails by panicking"
)]

mod arp;
mod compare;
mod faults;
mod flows;
mod inside;
mod packet;
#[path = "../common/private.rs"]
mod private;
mod real;
mod stage;

use std::env;
use std::process::{Child, Command, ExitCode, Output, Stdio};

/// Printed last, with the number of flows compared.
const DONE: &str = "flows compared: ";
/// Fewer comparisons than this prove nothing.
const FEWEST: usize = 500;

fn main() -> ExitCode {
    let words: Vec<String> = env::args().skip(1).collect();
    if words.iter().any(|word| word == "--list") {
        return ExitCode::SUCCESS;
    }
    if let [inside, layout, backend] = words.as_slice()
        && inside == "--inside"
    {
        return inside::run(layout, backend);
    }
    if let [real, tools, workdir] = words.as_slice()
        && real == "--real"
    {
        return real::run(tools, workdir);
    }
    let filter = words.iter().find(|word| !word.starts_with('-')).map_or("", String::as_str);
    let cases = ["juno", "newton", "pike"].into_iter().flat_map(|layout| [(layout, "nft"), (layout, "legacy")]);
    let cases = cases.filter(|(layout, backend)| format!("{layout} {backend}").contains(filter));
    let (mut compared, mut failed, mut skipped) = (0, 0, 0);
    // All at once: a lab mostly waits for answers that do not come.
    let mut running: Vec<_> =
        cases.map(|(layout, backend)| (format!("{layout} {backend}"), start(layout, backend))).collect();
    running.extend(real_nodes(filter));
    for (case, child) in running {
        let output = child.wait_with_output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        if output.status.code() == Some(private::SKIPPED) {
            eprintln!("SKIPPED walks in a lab ({case}): {text}");
            skipped += 1;
            continue;
        }
        let flows = count(&output, &text);
        println!("== {case} {}\n{text}", if flows.is_some() { "ok" } else { "FAILED" });
        eprint!("{}", String::from_utf8_lossy(&output.stderr));
        compared += flows.unwrap_or(0);
        failed += usize::from(flows.is_none());
    }
    println!("walks against the wire: {compared} flows compared, {failed} labs failed, {skipped} skipped");
    let enough = compared >= FEWEST || skipped > 0;
    let required = skipped > 0 && private::is_required();
    if failed == 0 && enough && !required { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Nodes of the real agent, where they can be built.
fn real_nodes(filter: &str) -> Vec<(String, Child)> {
    let wanted = real::scenarios().into_iter().filter(|scenario| format!("real {scenario}").contains(filter));
    let (Some(builder), true) = (real::builder(), nix::unistd::geteuid().is_root()) else {
        eprintln!("SKIPPED walks on nodes of the real L3 agent: they need root and real-node/build_node.sh");
        assert!(env::var_os("REQUIRE_REAL_NODE").is_none(), "REQUIRE_REAL_NODE is set");
        return Vec::new();
    };
    wanted.map(|scenario| (format!("real {scenario}"), real::start(&builder, &scenario))).collect()
}

fn start(layout: &str, backend: &str) -> Child {
    Command::new(env::current_exe().unwrap())
        .args(["--inside", layout, backend])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// How many flows were compared, where all went well.
fn count(output: &Output, text: &str) -> Option<usize> {
    let last = text.lines().last()?;
    output.status.success().then(|| last.strip_prefix(DONE)?.parse().ok()).flatten()
}
