//! The command line as typed (clap).
//!
//! Help, completions and the man page are made from the same definition. What
//! comes out is plain data ([`LowArgs`]), or text that answers by itself.

mod args;
mod man;

use std::ffi::OsString;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser};

use self::args::{Cli, Command};
use crate::config::LowArgs;

/// What a command line comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Typed {
    /// Something to run.
    Run(LowArgs),
    /// Text that the command line makes of itself: completions, the man page.
    Print(String),
}

/// Parses a command line, the program's name first. The error is clap's own: it
/// knows whether it is help (standard output, 0) or wrong usage (2).
pub fn parse(words: impl IntoIterator<Item = OsString>) -> Result<Typed, clap::Error> {
    let mut cli = Cli::try_parse_from(words)?;
    let globals = std::mem::take(&mut cli.globals);
    let Some(command) = cli.command else { return Ok(Typed::Run(globals.with(crate::config::Command::Console))) };
    if let Command::Trace(trace) = &command
        && let Some(fault) = trace.fault()
    {
        return Err(Cli::command().error(ErrorKind::ArgumentConflict, fault));
    }
    let offline = match &command {
        Command::Completions { shell } => {
            let mut text = Vec::new();
            clap_complete::generate(*shell, &mut Cli::command(), "fipscope", &mut text);
            return Ok(Typed::Print(String::from_utf8_lossy(&text).into_owned()));
        }
        Command::Man => return Ok(Typed::Print(man::page(&Cli::command()))),
        Command::Diff { .. } => Some("diff compares the two files that it is given"),
        Command::Traffic(_) => Some("traffic listens on this node"),
        Command::Lab(_) => Some("the lab builds a node of its own"),
        Command::Associate(_) | Command::Remove(_) | Command::Repair(_) | Command::Undo(_) | Command::Journal(_) => {
            Some("it changes this node, and a file cannot be changed")
        }
        Command::Watch(watch) if watch.is_recorded() => Some("--record keeps what changes on this node"),
        _ => None,
    };
    match offline {
        Some(why) if globals.from.is_some() => {
            Err(Cli::command()
                .error(ErrorKind::ArgumentConflict, format!("--from does not go with this command: {why}")))
        }
        _ => Ok(Typed::Run(globals.with(command.into()))),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn run(line: &str) -> Result<Typed, clap::Error> {
        parse(line.split(' ').map(OsString::from))
    }

    #[test]
    fn clap_finds_no_fault() {
        Cli::command().debug_assert();
    }

    #[test]
    fn no_command_reuses_a_global_option() {
        fn walk(command: &clap::Command, globals: &BTreeSet<String>, seen: &mut usize) {
            for sub in command.get_subcommands() {
                *seen += 1;
                for argument in sub.get_arguments() {
                    for name in names(argument) {
                        assert!(!globals.contains(&name), "{} {name}", sub.get_name());
                    }
                }
                walk(sub, globals, seen);
            }
        }
        fn names(argument: &clap::Arg) -> Vec<String> {
            let long =
                argument.get_long_and_visible_aliases().unwrap_or_default().into_iter().map(|n| format!("--{n}"));
            let short = argument.get_short_and_visible_aliases().unwrap_or_default();
            long.chain(short.into_iter().map(|n| format!("-{n}"))).collect()
        }
        let cli = Cli::command();
        let globals: BTreeSet<String> = cli.get_arguments().flat_map(names).collect();
        let mut seen = 0;
        walk(&cli, &globals, &mut seen);
        assert!(globals.contains("--from") && globals.contains("-v") && seen >= 8, "{globals:?} {seen}");
    }

    #[test]
    fn global_options_stand_before_and_behind_the_command() {
        for line in ["fipscope --format json list", "fipscope list --format json"] {
            let Ok(Typed::Run(low)) = run(line) else { panic!("{line}") };
            assert_eq!((low.command, low.format), (crate::config::Command::List, Some(crate::config::Format::Json)));
        }
    }

    #[test]
    fn wrong_usage_is_exit_code_two() {
        for line in [
            "fipscope bananas",
            "fipscope show",
            "fipscope check --floating-ip 10.0.0",
            "fipscope check --select DVR3011",
            "fipscope check --ignore bananas",
            "fipscope acknowledge",
            "fipscope associate 192.168.1.4",
            "fipscope associate 192.168.1.4 10.0.0.5 --gateway-port-id x",
            "fipscope associate 192.168.1.4 10.0.0.5 --bridge a/b",
            "fipscope associate 192.168.1.4 10.0.0.5 --vlan 4095",
            "fipscope --from x associate 192.168.1.4 10.0.0.5",
            "fipscope remove",
            "fipscope remove 192.168.1.4 --neutron perhaps",
            "fipscope repair bananas",
            "fipscope repair 10.0.0.4 --all",
            "fipscope undo last",
            "fipscope journal --complete 1 --settle 2",
            "fipscope --from x repair --all",
            "fipscope show 10.0.0",
            "fipscope show router1",
            "fipscope trace --src 10.0.0.4",
            "fipscope trace --src 10.0.0.4 --dst 2001:db8::1",
            "fipscope trace --src 10.0.0.4 --dst 10.0.0.5 --proto ip",
            "fipscope trace --src 10.0.0.4 --dst 10.0.0.5 --proto icmp --dport 1",
            "fipscope trace --src 10.0.0.4 --dst 10.0.0.5 --length 20",
            "fipscope list --format xml",
            "fipscope lab --layout kilo",
            "fipscope lab --routers 0",
            "fipscope traffic --interval 0",
            "fipscope traffic --duration soon",
            "fipscope traffic --floating-ip router1",
            "fipscope --from x traffic",
            "fipscope diff a",
            "fipscope --from x lab",
            "fipscope --from x watch --record y",
            "fipscope watch --floating-ip x",
            "fipscope --from x diff a b",
        ] {
            assert_eq!(run(line).unwrap_err().exit_code(), 2, "{line}");
        }
        assert_eq!(run("fipscope --help").unwrap_err().exit_code(), 0);
    }

    #[test]
    fn what_the_lab_runs_is_taken_as_it_is() {
        let Ok(Typed::Run(low)) = run("fipscope lab --layout newton -- ip -n x --from y") else { panic!() };
        let crate::config::Command::Lab(lab) = low.command else { panic!() };
        assert_eq!(lab.command, ["ip", "-n", "x", "--from", "y"]);
        assert_eq!(low.from, None);
    }

    #[test]
    fn the_man_page_and_completions_know_every_command() {
        for line in
            ["fipscope man", "fipscope completions bash", "fipscope completions zsh", "fipscope completions fish"]
        {
            let Ok(Typed::Print(text)) = run(line) else { panic!("{line}") };
            for word in [
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
                "external",
            ] {
                assert!(text.contains(word), "{line}: {word}");
            }
        }
    }
}
