//! What the pages of the codes have for a shell is run as it stands, in labs of
//! the program's own; what is not says why.

use std::path::Path;
use std::process::{Command, Output};
use std::sync::Mutex;
use std::thread;

use fipscope::check::{Check, Severity, checks};
use fipscope::lab::LabOptions;
use fipscope::lab::faults::{Fault, faults};
use fipscope::neutron::Layout;

use crate::pages::found;

/// Blocks that no lab runs as they are written, by code, and why.
const ELSEWHERE: &[(u16, &str)] = &[
    (409, NAMES),
    (605, FORWARDING),
    (608, LISTENING),
    (609, LISTENING),
    (611, NEUTRON),
    (612, NEUTRON),
    (614, FORWARDING),
    (615, FORWARDING),
    (702, NAMES),
    (704, FORWARDING),
    (705, FORWARDING),
    (706, FORWARDING),
    (707, NEUTRON),
    (708, FORWARDING),
    (709, "it is typed inside a guest"),
    (801, NAMES),
    (802, NAMES),
    (807, NAMES),
    (808, NEUTRON),
    (810, NEUTRON),
];
const NAMES: &str = "it leaves names open, which are the reader's";
const FORWARDING: &str = "it asks the agents of layer 2 and Open vSwitch's flows, which no lab has";
const LISTENING: &str = "it waits for packets until it is ended";
const NEUTRON: &str = "it asks the Neutron API, which no lab has";

/// Labs at once: they sleep now and then.
const AT_ONCE: usize = 4;

/// A block of a page, and how it is run.
enum Example {
    /// It starts its own lab.
    Lab(String),
    /// It asks a node that has the failure.
    Asking(String),
    /// It brings the failure about.
    Commands(String),
    Elsewhere,
}

#[test]
fn what_a_page_has_for_a_shell_is_run_as_it_stands() {
    let lab = shell("fipscope lab --layout pike -- true");
    if !lab.status.success() {
        println!("SKIPPED the examples of the pages: {}", said(&lab));
        assert!(!is_required(), "{}", said(&lab));
        return;
    }
    let all: Vec<(&Check, Example)> =
        checks().flat_map(|check| blocks(check).into_iter().map(move |block| (check, kind(check, block)))).collect();
    let of = |is: fn(&Example) -> bool| all.iter().filter(|(_, example)| is(example)).count();
    let counts = (of(|one| matches!(one, Example::Lab(_))), of(|one| matches!(one, Example::Commands(_))));
    assert!(counts.0 >= 20 && counts.1 >= 50, "{counts:?}");
    let elsewhere: Vec<u16> =
        all.iter().filter(|(_, one)| matches!(one, Example::Elsewhere)).map(|(check, _)| check.code.0).collect();
    assert_eq!(elsewhere, ELSEWHERE.iter().map(|(code, _)| *code).collect::<Vec<_>>(), "not run, and why");
    let (next, wrong) = (Mutex::new(all.iter()), Mutex::new(Vec::new()));
    let take = || next.lock().unwrap().next();
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some((check, example)) = take() {
                    wrong.lock().unwrap().extend(run(check, example).err());
                }
            });
        }
    });
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// The blocks for a shell that a check's page has.
fn blocks(check: &Check) -> Vec<String> {
    let parts = check.page.split("```sh\n").skip(1);
    parts.map(|part| part.split_once("\n```").expect("it ends").0.to_owned()).collect()
}

fn kind(check: &Check, block: String) -> Example {
    let is_fault = |fault: &Fault| fault.commands(&options(fault)).join("\n") == block;
    if block.starts_with("fipscope lab ") {
        Example::Lab(block)
    } else if faults().any(|fault| fault.code == check.code.0 && is_fault(fault)) {
        Example::Commands(block)
    } else if ELSEWHERE.iter().any(|(code, _)| *code == check.code.0) {
        Example::Elsewhere
    } else {
        Example::Asking(block)
    }
}

fn options(fault: &Fault) -> LabOptions {
    LabOptions { layout: Layout::Pike, needs: fault.needs.to_vec(), ..LabOptions::default() }
}

/// Runs it; it says what the page says that it does.
fn run(check: &Check, example: &Example) -> Result<(), String> {
    let (line, output) = match example {
        Example::Elsewhere => return Ok(()),
        Example::Lab(line) => (line, shell(line)),
        Example::Commands(block) => {
            // The devices of a namespace go a while after its name: seconds, on a busy machine.
            let wait =
                "for i in $(seq 20); do sleep 1; fipscope check --select DVR106 | grep -q DVR106 || break; done\n";
            let pause = if block.contains("netns del") { wait } else { "" };
            let script = format!("set -e\n{block}\n{pause}exec fipscope check --select {}", check.code);
            (block, shell(&format!("fipscope lab --layout pike -- sh -c '{script}'")))
        }
        Example::Asking(block) => {
            (block, shell(&format!("fipscope lab --layout pike --break {} -- sh -c '{block}'", check.code)))
        }
    };
    let complaint = String::from_utf8_lossy(&output.stderr);
    if ["is not installed", "exec of "].iter().any(|lack| complaint.contains(lack)) {
        println!("SKIPPED {line}: {complaint}");
        return if is_required() { Err(complaint.into_owned()) } else { Ok(()) };
    }
    let is_asking = matches!(example, Example::Asking(_));
    if is_asking && complaint.is_empty() && !output.stdout.is_empty() {
        return Ok(());
    }
    if is_asking { Err(format!("{line}: {}", said(&output))) } else { shows(check, line, &output) }
}

/// The finding stands there with what is expected and what is found, and the exit
/// code is that of its severity.
fn shows(check: &Check, line: &str, output: &Output) -> Result<(), String> {
    let fault = faults().find(|fault| fault.code == check.code.0 && fault.since <= Layout::Pike).expect("it is known");
    let lines = found(check.code, &options(fault));
    let is_note = lines.first().is_some_and(|line| line.starts_with(Severity::Note.word()));
    let mut wanted = vec![format!("{} {}", check.code, check.name)];
    for told in lines.iter().filter(|_| !is_note) {
        let value = |word: &str| told.trim_start().strip_prefix(word).map(plain);
        wanted.extend(value("expected ").map(|value| format!("expected {value}")));
        wanted.extend(value("actual ").map(|value| format!("found {value}")));
    }
    let text = plain(&said(output));
    wanted.retain(|wanted| !text.contains(wanted.as_str()));
    let is_right = output.status.code() == Some(i32::from(!is_note));
    if wanted.is_empty() && is_right {
        return Ok(());
    }
    Err(format!("{line}: {:?}, without {wanted:?}: {text}", output.status.code()))
}

/// As one line with single blanks: a page is narrow.
fn plain(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A shell that knows the program that is tested.
fn shell(line: &str) -> Output {
    let program = Path::new(env!("CARGO_BIN_EXE_fipscope"));
    let path = format!("{}:{}", program.parent().unwrap().display(), std::env::var("PATH").unwrap());
    Command::new("sh").args(["-c", line]).env("PATH", path).output().unwrap()
}

fn is_required() -> bool {
    std::env::var("REQUIRE_NETNS").is_ok_and(|value| value == "1")
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}
