//! The README says what is: its generated blocks are up to date, its commands
//! are those of the gate. `UPDATE_DOCS=1` writes the blocks.

#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test reads files and fails by panicking"
)]

use std::fs;
use std::path::{Path, PathBuf};

use fipscope::tui::keymap::Keymap;

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

#[test]
fn the_keys_are_those_of_the_table() {
    let readme = fs::read_to_string(path("README.md")).unwrap();
    let (begin, end) = ("<!-- begin keys -->\n", "<!-- end keys -->");
    let (before, rest) = readme.split_once(begin).expect("the README has a block of keys");
    let (block, after) = rest.split_once(end).expect("the block of keys ends");
    let keys = Keymap::default().markdown();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(path("README.md"), format!("{before}{begin}{keys}{end}{after}")).unwrap();
    } else {
        assert_eq!(block, keys, "run UPDATE_DOCS=1 cargo test --test readme");
    }
}

#[test]
fn its_test_command_is_the_gate_s() {
    let readme = fs::read_to_string(path("README.md")).unwrap();
    let gate = fs::read_to_string(path(".ci/run")).unwrap();
    let command = readme.lines().find(|line| line.starts_with("    .ci/install test && ")).unwrap().trim();
    for part in command.split(" && ").flat_map(|part| part.split(' ')) {
        assert!(gate.contains(part), "{part} of {command}");
    }
    for file in ["LICENSE", "CHANGELOG.md", "assets/config.sample.toml", "assets/schema", ".ci/install"] {
        assert!(
            path(file).exists() && readme.contains(file.trim_end_matches(".md")) || file == "CHANGELOG.md",
            "{file}"
        );
    }
}
