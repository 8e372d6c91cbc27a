//! Help, completions and the man page; the README knows every command.

use unicode_width::UnicodeWidthStr;

use crate::*;

#[test]
fn help() {
    let short = run(["-h"]);
    assert_eq!(short.code, 0);
    insta::assert_snapshot!("short", short.out);
    for command in [
        "show",
        "check",
        "explain",
        "acknowledge",
        "trace",
        "traffic",
        "watch",
        "associate",
        "remove",
        "repair",
        "undo",
        "journal",
        "snapshot",
        "lab",
    ] {
        insta::assert_snapshot!(command, run([command, "-h"]).out);
    }
}

#[test]
fn help_fits_eighty_columns() {
    for command in [
        "",
        "tui",
        "list",
        "show",
        "check",
        "explain",
        "acknowledge",
        "associate",
        "remove",
        "repair",
        "undo",
        "journal",
        "trace",
        "traffic",
        "watch",
        "snapshot",
        "diff",
        "lab",
        "completions",
        "man",
    ] {
        for help in ["-h", "--help"] {
            let text = run([command, help].into_iter().filter(|word| !word.is_empty())).out;
            let long = text.lines().find(|line| line.width() > 80);
            assert!(long.is_none() && text.contains("Usage: fipscope"), "{command}: {long:?}\n{text}");
        }
    }
}

#[test]
fn changes_are_refused_where_nobody_can_be_asked_or_nothing_may_be_written() {
    let state = folder("changes");
    let change = |words: &[&str]| answer(program().env("XDG_STATE_HOME", &state).args(words));
    for words in [&["associate", "192.168.1.4", "10.0.0.5"][..], &["remove", "192.168.1.3"]] {
        let unasked = change(words);
        assert_eq!((unasked.code, unasked.out.as_str()), (2, ""), "{words:?}");
        assert!(unasked.err.contains("--yes does not ask"), "{}", unasked.err);
        let read_only = change(&[words, &["--yes", "--read-only"]].concat());
        assert_eq!(read_only.code, 2, "{words:?}");
        assert!(read_only.err.contains("--read-only"), "{}", read_only.err);
    }
}

#[test]
fn completions_and_man_page() {
    for shell in ["bash", "zsh", "fish"] {
        let answer = run(["completions", shell]);
        assert!(answer.code == 0 && answer.out.contains("external-network"), "{shell}");
    }
    assert_eq!(run(["completions", "tcsh"]).code, 2);
    let page = run(["man"]).out;
    for heading in [
        "NAME",
        "OPTIONS",
        "COMMAND SHOW",
        "COMMAND CHECK",
        "COMMAND TRACE",
        "COMMAND TRAFFIC",
        "COMMAND LAB",
        "EXIT STATUS",
        "ENVIRONMENT",
        "FILES",
    ] {
        assert!(page.lines().any(|line| line.starts_with(".SH") && line.contains(heading)), "{heading}");
    }
}

#[test]
fn the_readme_knows_every_command_and_option() {
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let help = run(["-h"]).out;
    let (commands, options) = help.split_once("Global options:").unwrap();
    let commands = commands.split_once("Commands:").unwrap().1.split_once("Options:").unwrap().0;
    let names: Vec<&str> = commands.lines().filter_map(|line| line.strip_prefix("  ")?.split(' ').next()).collect();
    assert!(names.len() >= 8, "{names:?}");
    for name in names.iter().filter(|name| !["help", ""].contains(*name)) {
        assert!(readme.contains(&format!("`fipscope {name}")), "{name}");
    }
    let options = options.split_once("Examples:").unwrap().0;
    let options: Vec<&str> = options
        .split([' ', ',', '\n'])
        .filter(|word| word.starts_with("--"))
        .map(|word| word.trim_end_matches(['.', ')', ';']))
        .collect();
    assert!(options.contains(&"--from") && options.len() >= 9, "{options:?}");
    for option in options.iter().filter(|option| **option != "--verbose") {
        assert!(readme.contains(&format!("`{option}")), "{option}");
    }
}
