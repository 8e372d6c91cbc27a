//! The README says what is: its commands are those of the gate, what it names
//! is there.

#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test reads files and fails by panicking"
)]

use std::fs;
use std::path::{Path, PathBuf};

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
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
