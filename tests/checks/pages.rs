//! The pages of the codes say how to bring each failure about: with the very
//! commands that break the lab, or, where these alone do not tell it, with the
//! lab's own option and what is found then.
//! `UPDATE_DOCS=1 cargo test --test checks pages` writes that part anew.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use fipscope::check::{Code, DecidedBy, check, checks};
use fipscope::lab::LabOptions;
use fipscope::lab::faults::{Fault, faults, named};
use fipscope::neutron::Layout;

const SECTION: &str = "## What it looks like\n";
const NEXT: &str = "\n## How to repair";
/// What begins the part of the section that stands as it is told here.
const COMMANDS: &str = "To bring it about in a lab (`fipscope lab --layout pike`):\n";
const OPTION: &str = "To see it in a lab:\n";

/// What is found of each fault in a lab, word for word.
const FOUND: &str = include_str!("../check_lab/expected.txt");

#[test]
fn each_failure_that_the_lab_knows_is_brought_about_as_its_page_says() {
    let mut known = 0;
    for one in checks() {
        let Some(fault) = usual(one.code) else { continue };
        known += 1;
        let file = file(one.code);
        let page = std::fs::read_to_string(&file).unwrap();
        let wanted = with_lesson(&page, &lesson(one.code, fault));
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::write(&file, &wanted).unwrap();
        } else {
            assert!(page == wanted, "{} is not up to date: UPDATE_DOCS=1 cargo test --test checks pages", one.code);
        }
    }
    assert!(known > 75, "{known}");
}

fn file(code: Code) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("assets/codes/{code}.md"))
}

/// The fault that `lab --break` takes for a code in Pike's layout.
fn usual(code: Code) -> Option<&'static Fault> {
    faults().find(|fault| fault.code == code.0 && fault.since <= Layout::Pike)
}

fn options(fault: &Fault) -> LabOptions {
    LabOptions { layout: Layout::Pike, needs: fault.needs.to_vec(), ..LabOptions::default() }
}

/// The commands alone do not tell it: the node has to be another first, they are
/// none, they would need quotes in a shell, or only an answer on the wire decides.
fn is_by_option(fault: &Fault) -> bool {
    let commands = fault.commands(&options(fault));
    let is_wire = check(Code(fault.code)).is_some_and(|check| matches!(check.decided_by, DecidedBy::Wire(_)));
    let is_plain = |command: &String| !command.contains(['{', '"', ';', '>', '(', '$']);
    is_wire || fault.is_prepared() || !fault.needs.is_empty() || commands.is_empty() || !commands.iter().all(is_plain)
}

fn lesson(code: Code, fault: &Fault) -> String {
    let options = options(fault);
    if !is_by_option(fault) {
        return format!("{COMMANDS}\n```sh\n{}\n```\n", fault.commands(&options).join("\n"));
    }
    let line = format!("fipscope lab --layout pike --break {code}");
    if check(code).is_some_and(|check| matches!(check.decided_by, DecidedBy::Wire(_))) {
        return format!("{OPTION}\n```sh\n{line} -- fipscope check --probe --select {code}\n```\n");
    }
    let mut text =
        format!("{OPTION}\n```sh\n{line} -- fipscope check --select {code}\n```\n\nIt shows {code}:\n\n```text\n");
    for found in found(code, &options) {
        let _ = writeln!(text, "{found}");
    }
    text + "```\n"
}

/// The findings as the lab's test has them, names in place, without the lines that
/// only say that no floating IP is meant.
pub(crate) fn found(code: Code, options: &LabOptions) -> Vec<String> {
    let is_it = |head: &str| {
        let mut words = head.split_whitespace();
        words.next() == Some(code.to_string().as_str()) && {
            let layouts: Vec<&str> = words.collect();
            layouts.is_empty() || layouts.contains(&"pike")
        }
    };
    let mut blocks = FOUND.split("\n\n").filter_map(|block| block.trim().split_once('\n'));
    let (_, body) = blocks.find(|(head, _)| is_it(head)).unwrap_or_else(|| panic!("nothing is expected of {code}"));
    let named = named(body, options);
    named.lines().filter(|line| *line != "  of - -").map(|line| line.trim_end().to_owned()).collect()
}

/// The page with this as the end of its section.
fn with_lesson(page: &str, lesson: &str) -> String {
    let (head, rest) = page.split_once(SECTION).unwrap();
    let (body, tail) = rest.split_once(NEXT).unwrap();
    let own = [COMMANDS, OPTION].into_iter().filter_map(|lead| body.find(lead)).min().unwrap_or(body.len());
    format!("{head}{SECTION}{}\n\n{lesson}{NEXT}{tail}", body[..own].trim_end())
}
