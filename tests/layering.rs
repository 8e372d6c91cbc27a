//! The rooms import only what the design lets them, files and functions keep
//! their size, and pure rooms stay pure.

#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test reads files and fails by panicking"
)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

const PURE: [&str; 9] = ["net", "neutron", "topology", "path", "check", "traffic", "plan", "tui", "report"];

/// Room → rooms that it may import.
fn allowed() -> BTreeMap<&'static str, Vec<&'static str>> {
    BTreeMap::from([
        ("net", vec![]),
        ("neutron", vec!["net"]),
        ("topology", vec!["net", "neutron"]),
        ("path", vec!["net", "neutron", "topology"]),
        ("check", vec!["net", "neutron", "topology", "path"]),
        ("traffic", vec!["net", "neutron", "topology", "path"]),
        ("plan", vec!["net", "neutron", "topology", "path", "check"]),
        ("netns", vec!["net"]),
        ("kernel", vec!["net", "neutron", "netns"]),
        ("capture", vec!["net", "netns"]),
        ("probe", vec!["net", "netns"]),
        ("exec", vec!["net", "neutron", "topology", "path", "check", "plan", "netns", "kernel", "probe"]),
        ("lab", vec!["net", "neutron", "topology", "path", "check", "plan", "netns", "kernel", "exec"]),
        ("tui", vec!["net", "neutron", "topology", "path", "check", "traffic", "plan"]),
        ("report", vec!["net", "neutron", "topology", "path", "check", "traffic", "plan"]),
        ("config", vec!["net", "neutron", "tui::keymap", "tui::theme"]),
        ("cli", vec!["config", "neutron"]),
        (
            "app",
            vec![
                "net", "neutron", "topology", "path", "check", "traffic", "plan", "netns", "kernel", "capture",
                "probe", "exec", "lab", "tui", "report", "config",
            ],
        ),
    ])
}

fn sources() -> Vec<(PathBuf, String)> {
    fn walk(dir: &Path, found: &mut Vec<(PathBuf, String)>) {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|ext| ext == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                found.push((path, text));
            }
        }
    }
    let mut found = Vec::new();
    for dir in ["src", "tests", "benches"] {
        walk(&Path::new(env!("CARGO_MANIFEST_DIR")).join(dir), &mut found);
    }
    found
}

fn room(path: &Path) -> Option<String> {
    let below = path.strip_prefix(Path::new(env!("CARGO_MANIFEST_DIR")).join("src")).ok()?;
    Some(below.iter().next()?.to_str()?.trim_end_matches(".rs").to_owned())
}

#[test]
fn rooms_import_only_what_they_may() {
    let allowed = allowed();
    let mut wrong = Vec::new();
    let mut edges = 0;
    for (path, text) in sources() {
        let Some(room) = room(&path).filter(|room| !["lib", "main"].contains(&room.as_str())) else { continue };
        let may = allowed.get(room.as_str()).unwrap_or_else(|| panic!("{room} is not a room of the design"));
        for import in text.split("crate::").skip(1) {
            let words: Vec<&str> =
                import.split(|c: char| !c.is_alphanumeric() && c != '_' && c != ':').take(1).collect();
            let target = words[0].trim_end_matches(':');
            let top = target.split("::").next().unwrap();
            edges += 1;
            let fine = top == room || may.iter().any(|m| target == *m || target.starts_with(&format!("{m}::")));
            if !fine && allowed.contains_key(top) {
                wrong.push(format!("{}: {room} may not import {target}", path.display()));
            }
        }
    }
    for (path, text) in sources() {
        let name = path.strip_prefix(env!("CARGO_MANIFEST_DIR")).unwrap().display().to_string();
        if name != "tests/layering.rs" && text.contains("use crate::{") {
            wrong.push(format!("{name}: write one `use crate::ROOM::…` a room, so that this test can read it"));
        }
    }
    assert!(edges > 2, "no imports found: the test reads the wrong place");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn pure_rooms_are_not_async_and_do_no_io() {
    let forbidden =
        ["async fn", ".await", "std::fs", "std::process", "std::thread", "tokio::", "std::net::Tcp", "nix::", "libc::"];
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        if room(&path).is_some_and(|room| PURE.contains(&room.as_str())) {
            let code = text.split("#[cfg(test)]").next().unwrap();
            for word in forbidden {
                if code.contains(word) {
                    wrong.push(format!("{}: {word}", path.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn unsafe_code_stands_in_named_places_only() {
    let places = ["src/netns", "src/capture/ring", "src/kernel/socket", "src/probe/socket"];
    for (path, text) in sources() {
        let name = path.strip_prefix(env!("CARGO_MANIFEST_DIR")).unwrap().display().to_string();
        let unsafe_here = text.lines().any(|line| line.contains("unsafe {") || line.contains("allow(unsafe_code"));
        if unsafe_here && name != "tests/layering.rs" {
            assert!(places.iter().any(|place| name.starts_with(place)), "{name} has unsafe code");
        }
    }
}

#[test]
fn files_stay_short() {
    let long: Vec<String> = sources()
        .into_iter()
        .filter(|(_, text)| text.lines().count() > 400)
        .map(|(path, text)| format!("{} has {} lines", path.display(), text.lines().count()))
        .collect();
    assert!(long.is_empty(), "{}", long.join("\n"));
}

#[test]
fn every_file_says_what_it_is_for() {
    for (path, text) in sources() {
        assert!(
            text.starts_with("//!") || text.starts_with("#!"),
            "{} does not begin with what it is for",
            path.display()
        );
    }
}
