//! What the registry promises.

use std::collections::BTreeSet;
use std::path::Path;

use fipscope::check::{Applicability, Code, check, checks};
use fipscope::topology::scenario::{FIP, QROUTER, Scenario};

use super::common::{FIXTURES, edit, fixture, healthy, judge};

/// How many codes the catalogue has in each family.
const FAMILIES: [u16; 9] = [9, 12, 13, 15, 13, 16, 10, 10, 13];

/// The codes that what is read of the node decides.
#[rustfmt::skip]
const READ: [u16; 83] = [
    101, 102, 103, 104, 106, 107, 108, 109,
    201, 202, 203, 204, 205, 206, 207, 208, 209, 210, 211, 212,
    301, 302, 303, 304, 305, 306, 307, 308, 309, 310, 311, 312, 313,
    401, 402, 403, 404, 405, 406, 407, 408, 409, 410, 411, 412, 413, 414, 415,
    501, 502, 503, 504, 505, 506, 507, 508, 509, 510, 511, 512, 513,
    601, 602, 603, 604, 613, 616,
    701, 703, 707, 710,
    803, 804, 805, 806, 807, 809,
    901, 902, 903, 904, 910, 911,
];

/// Those that an answer on the wire decides.
const WIRE: [u16; 5] = [606, 607, 610, 702, 801];

/// Those that take OpenFlow tables, the Neutron API or another node.
#[rustfmt::skip]
const ELSEWHERE: [u16; 23] = [
    105,
    605, 608, 609, 611, 612, 614, 615,
    704, 705, 706, 708, 709,
    802, 808, 810,
    905, 906, 907, 908, 909, 912, 913,
];

const HEADINGS: [&str; 6] = [
    "## What it checks",
    "## Why it breaks traffic",
    "## What it looks like",
    "## How to repair",
    "## What the L3 agent does",
    "## Where this comes from",
];

#[test]
fn codes_are_unique_and_ascend() {
    let codes: Vec<u16> = checks().map(|check| check.code.0).collect();
    assert!(codes.windows(2).all(|pair| pair[0] < pair[1]), "{codes:?}");
}

#[test]
fn codes_are_those_of_the_catalogue() {
    for one in checks() {
        let last = FAMILIES[usize::from(one.code.family()) - 1];
        assert!((1..=last).contains(&(one.code.0 % 100)), "{}", one.code);
        assert_eq!(check(one.code).unwrap().code, one.code);
    }
    assert!(check(Code(999)).is_none());
}

#[test]
fn every_code_is_there_and_decided_by_what_can_decide_it() {
    for (word, wanted) in [("snapshot", &READ[..]), ("wire", &WIRE), ("elsewhere", &ELSEWHERE)] {
        let of: Vec<u16> = checks().filter(|one| one.decided_by.word() == word).map(|one| one.code.0).collect();
        assert_eq!(of, wanted, "{word}");
    }
}

#[test]
fn names_say_the_defect_in_kebab_case() {
    let mut seen = BTreeSet::new();
    for one in checks() {
        let words: Vec<&str> = one.name.split('-').collect();
        let plain =
            |word: &&str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        assert!(words.iter().all(plain), "{} {}", one.code, one.name);
        for word in ["fix", "should", "must", "disallow"] {
            assert!(!words.contains(&word), "{} {}", one.code, one.name);
        }
        assert!(seen.insert(one.name), "{} twice", one.name);
        assert!(!one.title.is_empty() && !one.title.ends_with('.'), "{}", one.code);
    }
}

#[test]
fn pages_have_their_headings_in_order() {
    for one in checks() {
        let mut lines = one.page.lines();
        assert_eq!(lines.next(), Some(format!("# {} {}", one.code, one.name).as_str()));
        let headings: Vec<&str> = one.page.lines().filter(|line| line.starts_with("## ")).collect();
        assert_eq!(headings, HEADINGS, "{}", one.code);
        assert_eq!(one.page.matches("```").count() % 2, 0, "{}", one.code);
        for part in one.page.split("\n## ").skip(1) {
            let text = part.split_once('\n').map_or("", |(_, text)| text);
            assert!(text.trim().len() > 20, "{}: {part}", one.code);
        }
        if one.decided_by.is_read() {
            assert!(one.page.contains("```sh\n"), "{} does not say how to provoke it", one.code);
        }
    }
}

#[test]
fn every_page_has_a_code_and_every_code_its_own_page() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/codes");
    let mut left: BTreeSet<String> = checks().map(|one| format!("{}.md", one.code)).collect();
    let Ok(files) = std::fs::read_dir(&dir) else {
        assert!(left.is_empty(), "no pages");
        return;
    };
    for file in files {
        let name = file.unwrap().file_name().into_string().unwrap();
        assert!(left.remove(&name), "{name} is no code's page");
        let page = std::fs::read_to_string(dir.join(&name)).unwrap();
        let code: Code = name.trim_end_matches(".md").parse().unwrap();
        assert_eq!(page, check(code).unwrap().page, "{name}");
    }
    assert!(left.is_empty(), "no page: {left:?}");
}

#[test]
fn findings_have_identities_and_mends_name_objects() {
    let mut nodes: Vec<(String, _)> = healthy().into_iter().map(|(name, node)| (name.to_owned(), node)).collect();
    nodes.extend(FIXTURES.map(|name| (name.to_owned(), fixture(name))));
    for at in 0..nodes.len() {
        for (what, broken) in broken(&nodes[at].1) {
            nodes.push((format!("{} {what}", nodes[at].0), broken));
        }
    }
    for (name, node) in &nodes {
        let findings = judge(node);
        let ids: BTreeSet<_> = findings.iter().map(|one| (&one.id, one.floating_ip)).collect();
        assert_eq!(ids.len(), findings.len(), "{name}");
        for one in &findings {
            let check = check(one.code).unwrap();
            assert_eq!((check.name, one.severity >= check.severity), (one.name, true), "{name}: {one:?}");
            assert!(!one.object.key.is_empty() && !one.message.is_empty(), "{name}: {one:?}");
            assert!(!one.message.ends_with('.'), "{name}: {one:?}");
            for change in &one.mend {
                assert!(change.object().is_some() && change.before != change.after, "{name}: {one:?}");
            }
            let may = matches!(one.applicability, Applicability::Safe | Applicability::NeedsConsent);
            // An association half done is completed by what mends its parts.
            assert!(!may || !one.mend.is_empty() || one.code.0 == 405, "{name}: {one:?}");
            if let Some(cause) = &one.because_of {
                let root = findings.iter().find(|root| root.id == *cause).unwrap_or_else(|| panic!("{name}: {one:?}"));
                assert_eq!(root.because_of, None, "{name}: {one:?}");
            }
        }
        assert!(findings == judge(node), "{name}: not the same twice");
    }
}

type Cut = fn(&mut fipscope::net::Netns);

/// The node with each of its namespaces gone, unreadable, and without each of its parts.
fn broken(node: &fipscope::net::Snapshot) -> Vec<(String, fipscope::net::Snapshot)> {
    let mut all = Vec::new();
    for name in node.namespaces.keys() {
        let of = |word: &str, scenario: Scenario| (format!("{word} {name}"), scenario.snapshot);
        let scenario = || Scenario { snapshot: node.clone() };
        all.push(of("without", scenario().without_namespace(name.as_str())));
        all.push(of("blind for", scenario().unreadable(name.as_str())));
        let parts: [(&str, Cut); 5] = [
            ("no links in", |netns| netns.links = fipscope::net::Observed::Seen(Vec::new())),
            ("no addresses in", |netns| netns.addrs = fipscope::net::Observed::Seen(Vec::new())),
            ("no rules in", |netns| netns.rules = fipscope::net::Observed::Seen(Vec::new())),
            ("no routes in", |netns| netns.routes = fipscope::net::Observed::Seen(Vec::new())),
            ("no neighbours in", |netns| netns.neighs = fipscope::net::Observed::Seen(Vec::new())),
        ];
        for (word, change) in parts {
            let mut snapshot = node.clone();
            if snapshot.netns(name).is_some() {
                edit(&mut snapshot, name.as_str(), change);
            }
            all.push((format!("{word} {name}"), snapshot));
        }
    }
    all
}

#[test]
fn a_node_without_anything_is_healthy() {
    assert_eq!(judge(&Scenario::empty().snapshot), []);
    let blind = Scenario::article(fipscope::neutron::Layout::Pike).unreadable(QROUTER).unreadable(FIP);
    for one in judge(&blind.snapshot) {
        let known = one.why_unknown.is_none() && ![Code(107), Code(108)].contains(&one.code);
        assert!(!known, "found without having read anything: {one:?}");
    }
}
