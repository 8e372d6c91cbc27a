//! What is to be found of each fault: the blocks of `expected.txt`.
//!
//! A block begins with the code (`DVR805/2` for the second fault of a code) and,
//! where they differ, the layouts that it is of; the findings follow as they are
//! told here, with the lab's names in braces.

use fipscope::check::Finding;
use fipscope::lab::LabOptions;
use fipscope::lab::faults::{named, names};

const EXPECTED: &str = include_str!("expected.txt");

/// The findings of a fault, as they are to be, with the lab's names in place.
pub(crate) fn of(title: &str, options: &LabOptions) -> Option<String> {
    let is_it = |head: &str| {
        let mut words = head.split_whitespace();
        let is_code = words.next() == Some(title);
        let layouts: Vec<&str> = words.collect();
        is_code && (layouts.is_empty() || layouts.contains(&options.layout.word()))
    };
    let blocks = EXPECTED.split("\n\n").filter_map(|block| block.trim().split_once('\n'));
    let mut fitting = blocks.filter(|(head, _)| is_it(head));
    let found = fitting.next().map(|(_, body)| plain(&named(body, options)));
    assert!(fitting.next().is_none(), "{title} has two blocks");
    found
}

/// A name may stand for nothing: single blanks between words.
fn plain(text: &str) -> String {
    let line = |line: &str| {
        let indent = if line.starts_with(' ') { "  " } else { "" };
        indent.to_owned() + &line.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

/// A text with the lab's names in braces, as `expected.txt` has them.
pub(crate) fn in_braces(text: &str, options: &LabOptions) -> String {
    let mut all = names(options);
    // What is short stands in other words too; of two in one another the longer one is meant.
    all.retain(|(_, value)| value.len() >= 8 && !value.contains(' '));
    all.sort_by_key(|(_, value)| std::cmp::Reverse(value.len()));
    all.iter().fold(text.to_owned(), |text, (name, value)| text.replace(value, name))
}

/// Findings in words, sorted.
pub(crate) fn told(findings: &[&Finding]) -> String {
    let mut all: Vec<String> = findings.iter().map(|finding| tell(finding)).collect();
    all.sort();
    all.join("\n")
}

fn tell(finding: &Finding) -> String {
    let or = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
    let kind = serde_json::to_value(finding.object.kind).unwrap();
    format!(
        "{} {} {} {}\n  of {} {}\n  expected {}\n  actual {}",
        finding.severity.word(),
        or(finding.namespace.as_ref().map(ToString::to_string)),
        kind.as_str().unwrap(),
        finding.object.key,
        or(finding.floating_ip.map(|address| address.to_string())),
        or(finding.fixed_ip.map(|address| address.to_string())),
        or(finding.expected.clone()),
        or(finding.actual.clone()),
    )
}
