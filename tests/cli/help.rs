//! Help, completions and the man page; the README knows every command.

use unicode_width::UnicodeWidthStr;

use crate::*;

#[test]
fn help() {
    let short = run(["-h"]);
    assert_eq!(short.code, 0);
    insta::assert_snapshot!("short", short.out);
    for command in ["show", "check", "explain", "acknowledge", "trace", "repair", "undo", "journal", "snapshot", "lab"]
    {
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
        "repair",
        "undo",
        "journal",
        "trace",
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
fn commands_of_later_are_not_offered() {
    for command in ["associate", "remove", "traffic", "watch"] {
        let answer = run([command]);
        assert_eq!((answer.code, answer.out.as_str()), (2, ""), "{command}");
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
