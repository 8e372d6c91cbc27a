//! Nothing that comes from outside makes the readers of files panic: arbitrary
//! text, and real text with damage done to it.
//!
//! `FIPSCOPE_FUZZ_CASES` says how many cases each test tries. What fails is kept
//! in `tests/fuzz_offline.proptest-regressions` and tried first from then on.

#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test reads files and fails by panicking"
)]

use std::path::Path;
use std::sync::LazyLock;

use fipscope::kernel::offline::text::{TableNames, addr, conntrack, link, neigh, ovs, route, rule, sysctl};
use fipscope::kernel::offline::{allocation_file, snapshot};
use fipscope::net::{Family, IfName};
use proptest::prelude::*;
use proptest::test_runner::Config;

fn cases() -> Config {
    let cases = std::env::var("FIPSCOPE_FUZZ_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(2_000);
    Config { cases, max_shrink_iters: 10_000, ..Config::default() }
}

/// Every line of the project's own reports, and a small snapshot.
static LINES: LazyLock<Vec<String>> = LazyLock::new(|| {
    fn walk(folder: &Path, lines: &mut Vec<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, lines);
            } else {
                lines.extend(std::fs::read_to_string(path).unwrap().lines().map(str::to_owned));
            }
        }
    }
    let mut lines = Vec::new();
    walk(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/sosreport"), &mut lines);
    lines.sort();
    lines.dedup();
    lines
});

const SNAPSHOT: &str = r#"{"schema":"fipscope.snapshot/1","node":"n","taken_at":"2026-11-22T18:22:23Z","namespaces":
{"q":{"seen":{"links":{"seen":[{"index":1,"name":"lo","mtu":1,"flags":9,"state":"up","mac":"00:00:00:00:00:00"}]},
"addrs":{"seen":[{"dev":"lo","address":"127.0.0.1/8","scope":254}]},"rules":{"seen":[{"family":"v4","priority":0,
"action":{"lookup":255}}]},"routes":{"seen":[{"table":254,"dst":"10.0.0.0/8","kind":"unicast"}]},"neighs":"absent",
"netfilter":{"unreadable":"x"},"sysctls":{"net.ipv4.ip_forward":{"seen":1}}}}},"host":{"ovs":{"seen":{"ports":[]}}}}"#;

/// One wound of a text.
#[derive(Clone, Debug)]
enum Wound {
    Cut(prop::sample::Index),
    Drop(prop::sample::Index, usize),
    Put(prop::sample::Index, String),
    Double(prop::sample::Index, usize),
}

fn wound() -> impl Strategy<Value = Wound> {
    let words = prop::sample::select(vec![
        "\n",
        " ",
        "\t",
        "via",
        "dev",
        "nexthop",
        "[",
        "{",
        "\"",
        "\\",
        "}",
        ":",
        "=",
        "@",
        "/",
        "0x",
        "4294967296",
        "-1",
        "src=",
        "inet6",
        "fe80::1",
        "\u{0}",
        "é",
        "table",
        "<",
        ">",
        "link/",
        "RX:",
        "null",
        "1e999",
        "\\u0000",
        "used",
    ]);
    prop_oneof![
        any::<prop::sample::Index>().prop_map(Wound::Cut),
        (any::<prop::sample::Index>(), 1..9_usize).prop_map(|(at, count)| Wound::Drop(at, count)),
        (any::<prop::sample::Index>(), words).prop_map(|(at, word)| Wound::Put(at, word.to_owned())),
        (any::<prop::sample::Index>(), 1..30_usize).prop_map(|(at, count)| Wound::Double(at, count)),
    ]
}

fn wounded(text: &str, wounds: &[Wound]) -> String {
    let mut chars: Vec<char> = text.chars().collect();
    for wound in wounds {
        let place = |at: &prop::sample::Index| if chars.is_empty() { 0 } else { at.index(chars.len()) };
        match wound {
            Wound::Cut(at) => chars.truncate(place(at)),
            Wound::Drop(at, count) => {
                let at = place(at);
                chars.drain(at..(at + count).min(chars.len()));
            }
            Wound::Put(at, word) => {
                let at = place(at);
                chars.splice(at..at, word.chars());
            }
            Wound::Double(at, count) => {
                let at = place(at);
                let copy: Vec<char> = chars[at..(at + count).min(chars.len())].to_vec();
                chars.splice(at..at, copy);
            }
        }
    }
    chars.into_iter().collect()
}

/// A few real lines, wounded; or anything.
fn text() -> impl Strategy<Value = String> {
    let lines = prop::collection::vec(any::<prop::sample::Index>(), 1..4);
    let real = (lines, prop::collection::vec(wound(), 0..4)).prop_map(|(lines, wounds)| {
        let text: Vec<&str> = lines.iter().map(|at| LINES[at.index(LINES.len())].as_str()).collect();
        wounded(&text.join("\n"), &wounds)
    });
    prop_oneof![4 => real, 1 => "\\PC{0,40}", 1 => "[ -~\n\t]{0,60}"]
}

/// Runs every parser; what they print of an error must be one printable line.
fn parse_everything(text: &str) {
    let tables = TableNames::read(text);
    let errors = [
        rule::rules(text, Family::V4, &tables).err(),
        rule::rules(text, Family::V6, &tables).err(),
        route::routes(text, &tables).err(),
        neigh::neighs(text).err(),
        link::links(text).err(),
        addr::addrs(text).err(),
        conntrack::entries(text).err(),
        ovs::show(text).err(),
        ovs::list(text).err(),
    ];
    for error in errors.into_iter().flatten() {
        let words = error.to_string();
        assert!(!words.contains('\n') && words.chars().count() < 400, "{words:?}");
    }
    let _ = ovs::map(text);
    let _ = sysctl::settings(text).ipv4_conf(&IfName::from("lo"));
    let file = allocation_file(text, Path::new("/var/lib/neutron/fip-priorities"));
    assert!(file.lines.len() <= text.lines().count());
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn text_of_reports(text in text()) {
        parse_everything(&text);
    }

    #[test]
    fn snapshots(wounds in prop::collection::vec(wound(), 1..5)) {
        if let Err(error) = snapshot(wounded(SNAPSHOT, &wounds).as_bytes(), Path::new("x.json")) {
            prop_assert!(error.to_string().lines().count() <= 2);
        }
    }

    #[test]
    fn arbitrary_bytes_as_snapshots(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
        prop_assert!(snapshot(&bytes, Path::new("x.json")).is_err());
    }
}

#[test]
fn the_unwounded_snapshot_is_one() {
    snapshot(SNAPSHOT.as_bytes(), Path::new("x.json")).unwrap();
    assert!(LINES.len() > 300);
}
