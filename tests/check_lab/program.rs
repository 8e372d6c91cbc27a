//! The program mends what was broken, and takes that back: the fault is there
//! again as it was.

use std::thread;
use std::time::{Duration, Instant};

use fipscope::check::{Finding, judge};
use fipscope::lab::Lab;
use fipscope::net::Snapshot;
use fipscope::topology::Topology;
use serde_json::Value;

use crate::node::{differences, fipscope, quiet, said};

/// Codes whose findings are of tracked connections: once forgotten they do not
/// come back.
pub(crate) const TRACKED: [u16; 1] = [406];
/// The kernel's link watch tells the other end of a pair once a second.
const LONGEST_WATCH: Duration = Duration::from_secs(5);

/// Mends these roots with the program; gives how many changes it made of it. How
/// they are named goes round: all, each by its identity, by the floating IP.
pub(crate) fn repair(lab: &Lab, roots: &[&Finding], number: usize) -> usize {
    let addresses: Option<Vec<String>> = roots.iter().map(|root| Some(root.floating_ip?.to_string())).collect();
    // A note has to be named.
    let is_note = !roots.iter().all(|root| root.is_fault());
    let mut words = match (number % 3, addresses) {
        (way, _) if way == 1 || is_note => {
            roots.iter().flat_map(|root| ["--finding".to_owned(), root.id.clone()]).collect()
        }
        (2, Some(mut addresses)) => {
            addresses.sort();
            addresses.dedup();
            addresses
        }
        _ => vec!["--all".to_owned()],
    };
    words.insert(0, "repair".to_owned());
    words.extend(["--yes", "--format", "json"].map(str::to_owned));
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let mended = fipscope(lab, &words);
    assert_eq!(mended.status.code(), Some(0), "{words:?}: {}", said(&mended));
    let lines = String::from_utf8(mended.stdout).unwrap();
    let results: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let is_done = |one: &Value| one["applied"] == true && one["verified"] == true && one["rolled_back"] == false;
    assert!(!results.is_empty() && results.iter().all(is_done), "{lines}");
    let check = fipscope(lab, &["check"]);
    assert_eq!(check.status.code(), Some(0), "after the repair: {}", said(&check));
    results.len()
}

/// Takes back so many changes: the node is as it was before them, and so is what
/// is found.
pub(crate) fn undo(lab: &Lab, changes: usize, before: &Snapshot) {
    for _ in 0..changes {
        let undone = fipscope(lab, &["undo", "--yes"]);
        assert_eq!(undone.status.code(), Some(0), "{}", said(&undone));
    }
    let begin = Instant::now();
    let after = loop {
        let after = quiet(lab);
        if differences(before, &after).is_empty() || begin.elapsed() > LONGEST_WATCH {
            break after;
        }
        thread::sleep(Duration::from_millis(100));
    };
    let lasting = differences(before, &after);
    assert!(lasting.is_empty(), "taken back, but not all of it: {lasting:#?}");
    assert_eq!(told(&after), told(before), "taken back, and otherwise found");
}

/// Where no steps mend it, the program says so, and what else does; it changes
/// nothing.
pub(crate) fn helpless(lab: &Lab, roots: &[&Finding]) {
    let before = quiet(lab);
    let told = fipscope(lab, &["repair", "--all", "--yes"]);
    let text = said(&told);
    assert_eq!(told.status.code(), Some(i32::from(roots.iter().any(|root| root.is_fault()))), "{text}");
    for root in roots.iter().filter(|root| root.is_fault()) {
        assert!(text.contains(&format!("{} {} is still there", root.code, root.name)), "{text}");
        assert!(text.contains("no step that mends it; what does:\n    - "), "{text}");
    }
    let lasting = differences(&before, &quiet(lab));
    assert!(lasting.is_empty(), "nothing was to be changed: {lasting:#?}");
}

/// What is found, word for word.
fn told(node: &Snapshot) -> Vec<String> {
    let found = judge(node, &Topology::of(node)).into_iter();
    let lasting = found.filter(|finding| !TRACKED.contains(&finding.code.0));
    lasting.map(|one| format!("{} {:?} {} {:?}", one.id, one.severity, one.message, one.because_of)).collect()
}
