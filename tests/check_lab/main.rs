//! Each code that the lab can break, in a running lab of its own: it is found
//! as the root cause, its repair takes it away and brings nothing new, simulated
//! first and then with the commands as they are printed.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test starts programs, says what it does and fails by panicking"
)]

mod inside;
mod wire;

use std::env;
use std::process::{Command, ExitCode};

use fipscope::check::Code;
use fipscope::lab::faults::FAULTS;
use fipscope::neutron::Layout;

/// The exit code of a lab that this system does not let stand.
const SKIPPED: i32 = 77;
/// The exit code where the lab was broken, but no check can tell.
const UNDECIDED: i32 = 78;

/// Where the checks do not say yet what they are to say, and what they say. Told
/// on each run; one that comes right has to leave this list.
const OPEN: &[(&str, u16, &str)] = &[
    ("juno", 201, "without the pair the layout is not known, and 510 and 901 expect what Juno never had"),
    ("juno", 202, "without the pair the layout is not known, and 510 expects what Juno never had"),
    ("juno", 301, "407 stands beside it, as a cause of its own"),
    ("juno", 302, "407 stands beside it, as a cause of its own"),
    ("newton", 301, "407 stands beside it, as a cause of its own"),
    ("newton", 302, "407 stands beside it, as a cause of its own"),
    ("newton", 505, "504 expects Pike's rule where main has lost its default route"),
    ("newton", 601, "504 expects Pike's rule where main has lost its default route"),
    ("newton", 602, "504 expects Pike's rule where main has lost its default route"),
    ("newton", 616, "504 expects Pike's rule where main has lost its default route"),
    ("newton", 804, "411 stands beside it in the snat namespace"),
    ("juno", 701, "it is not found"),
    ("newton", 701, "it is not found"),
    ("pike", 701, "it is not found"),
];

fn main() -> ExitCode {
    let words: Vec<String> = env::args().skip(1).collect();
    if words.iter().any(|word| word == "--list") {
        return ExitCode::SUCCESS;
    }
    if let [inside, layout, code] = words.as_slice()
        && inside == "--inside"
    {
        return inside::run(layout, code.parse().unwrap());
    }
    let filter = words.iter().find(|word| !word.starts_with('-')).map_or("", String::as_str);
    let (mut ran, mut mended, mut failed, mut open, mut skipped) = (0, 0, 0, 0, 0);
    for layout in [Layout::Juno, Layout::Newton, Layout::Pike] {
        let codes = FAULTS.iter().filter(|fault| fault.since <= layout).map(|fault| fault.code);
        for code in std::iter::once(inside::WHOLE).chain(codes) {
            let name = if code == inside::WHOLE { "whole".to_owned() } else { Code(code).to_string() };
            let case = format!("{} {name}", layout.word());
            if !case.contains(filter) {
                continue;
            }
            let is_it = |(word, known, _): &&(&str, u16, &str)| (*word, *known) == (layout.word(), code);
            let known = OPEN.iter().find(is_it).map(|(_, _, why)| *why);
            let mut command = Command::new(env::current_exe().unwrap());
            let output = command.args(["--inside", layout.word(), &code.to_string()]).output().unwrap();
            let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
            ran += 1;
            match output.status.code() {
                Some(0) if known.is_some() => {
                    println!("FAILED  {case} has come right: take it out of the list of what is open");
                    failed += 1;
                }
                Some(0) => {
                    println!("ok      {case}  {}", said.trim());
                    mended += u32::from(said.contains(inside::MENDED));
                }
                Some(UNDECIDED) => println!("SKIPPED {case}: broken, but no check decides it from a snapshot"),
                Some(SKIPPED) => {
                    println!("SKIPPED {case}: {}", said.trim());
                    skipped += 1;
                }
                Some(_) if known.is_some() => {
                    println!("OPEN    {case}: {}", known.unwrap_or_default());
                    open += 1;
                }
                _ => {
                    println!("FAILED  {case}\n{}", said.trim());
                    failed += 1;
                }
            }
        }
    }
    println!("check_lab: {ran} labs broken, {mended} mended, {open} open, {failed} failed, {skipped} skipped");
    let required = skipped > 0 && env::var_os("REQUIRE_NETNS").is_some();
    ExitCode::from(u8::from(failed > 0 || required))
}
