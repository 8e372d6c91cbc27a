//! Wires rooms together: the event loop, the worker, effects, privileges, the terminal.
//!
//! The command side: settings, a snapshot, the topology, a report, an exit code.
//! The console side: [`console`].

mod acknowledged;
mod associate;
mod bulk;
mod changer;
mod check;
mod commands;
mod consent;
pub mod console;
mod effects;
mod error;
mod exit;
mod follow;
pub mod listener;
pub mod live;
mod log;
mod mend;
mod output;
mod past;
mod privileges;
mod repair;
mod replay;
pub mod rewind;
mod source;
mod terminal;
mod trace;
mod traffic;
mod watch;
mod witness;
mod worker;

use std::process::ExitCode;

use self::error::AppError;
use self::exit::Exit;
use self::privileges::Needs;
use crate::config::{Command, Environment, LowArgs, Settings};

/// Runs what was typed. Everything that went wrong is on standard error by the
/// time this returns; standard output has a whole answer or nothing.
pub fn run(typed: &LowArgs) -> ExitCode {
    let outcome = Settings::load(typed, &Environment::of_process()).map_err(AppError::from).and_then(|settings| {
        log::start(&settings)?;
        tracing::info!(command = ?typed.command, version = env!("CARGO_PKG_VERSION"), "start");
        privileges::keep(Needs::of(&typed.command, &settings))?;
        dispatch(&typed.command, &settings)
    });
    let exit = outcome.unwrap_or_else(|error| {
        tracing::error!(%error);
        output::complain(&error);
        error.exit()
    });
    tracing::info!(?exit, "end");
    exit.into()
}

/// Prints text that is an answer by itself.
pub fn print(text: &str) -> ExitCode {
    match output::print(text) {
        Ok(()) => Exit::Done.into(),
        Err(error) => {
            output::complain(&error);
            error.exit().into()
        }
    }
}

fn dispatch(command: &Command, settings: &Settings) -> Result<Exit, AppError> {
    match command {
        Command::Console => source::console(settings),
        Command::List => commands::list(settings),
        Command::Show(which) => commands::show(which, settings),
        Command::Check(which) => check::check(which, settings),
        Command::Explain(code) => check::explain(code.as_deref(), settings),
        Command::Acknowledge { finding, revoke } => check::acknowledge(finding, *revoke, settings),
        Command::Trace(packet) => trace::trace(packet, settings),
        Command::Associate(which) => associate::associate(which, settings),
        Command::Remove(which) => associate::remove(which, settings),
        Command::Repair(which) => repair::repair(which, settings),
        Command::Undo(which) => past::undo(which, settings),
        Command::Journal(what) => past::journal(what, settings),
        Command::Traffic(asked) => traffic::traffic(asked, settings),
        Command::Watch(what) => watch::watch(what, settings),
        Command::Snapshot(what) => commands::snapshot(what, settings),
        Command::Diff { before, after } => commands::diff(before, after, settings),
        Command::Lab(lab) => source::lab(lab, settings),
    }
}
