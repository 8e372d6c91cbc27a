//! Where a command gets what it works on: this node, a file, or the lab.

use std::path::Path;
use std::sync::Arc;

use super::console;
use super::error::AppError;
use super::exit::Exit;
use super::output::style;
use crate::check::Code;
use crate::config::{LabArgs, Settings};
use crate::kernel::{self, ReadOptions};
use crate::lab::{self, Lab, LabOptions};
use crate::net::{Observed, RouteQuestion, Snapshot, printable};
use crate::netns::NetnsDir;
use crate::tui::Node;

/// The node, or the file that stands for it.
pub(super) fn snapshot(settings: &Settings, conntrack: bool) -> Result<Snapshot, AppError> {
    if let Some(path) = &settings.from {
        return load(path);
    }
    let options =
        ReadOptions { netns_dir: settings.netns_dir.clone(), state_path: settings.state_path.clone(), conntrack };
    entered(kernel::read_node(&options).map_err(|error| AppError::Read(Box::new(error)))?)
}

/// A snapshot from a file or an unpacked sosreport.
pub(super) fn load(path: &Path) -> Result<Snapshot, AppError> {
    kernel::load(path).map_err(|error| AppError::Read(Box::new(error)))
}

/// The console.
pub(super) fn console(settings: &Settings) -> Result<Exit, AppError> {
    let theme = settings.theme(style(settings).colour);
    let (source, looks) = (settings.clone(), console::Settings::new(theme, settings.keymap.clone()));
    let read = move || {
        let snapshot = snapshot(&source, false).map_err(|error| error.to_string())?;
        Ok(Node::of(snapshot))
    };
    Ok(Exit::Other(console::run(Arc::new(read), asker(settings), looks)?.code().into()))
}

/// The kernel of this node, for the questions that prove a walk; a file has none.
fn asker(settings: &Settings) -> Option<console::Asker> {
    let netns_dir = NetnsDir::new(&settings.netns_dir);
    let ask = move |questions: &[RouteQuestion]| {
        let answers = kernel::ask_routes(&netns_dir, questions).into_iter();
        answers.map(|answer| answer.map_err(|error| error.to_string())).collect()
    };
    settings.from.is_none().then(|| -> console::Asker { Arc::new(ask) })
}

/// The codes of what the lab is to have broken.
fn codes(words: &[String]) -> Result<Vec<Code>, AppError> {
    let refused = |why: String| lab::Error::CannotBreak(format!("{why}.\n{}", lab::faults::list()));
    if words.is_empty() {
        return Err(refused("--break needs a code".to_owned()).into());
    }
    let code = |word: &String| {
        word.parse::<Code>().map_err(|error| refused(format!("--break {}: {error}", printable(word, 40))).into())
    };
    words.iter().map(code).collect()
}

/// The lab, with the console or another command in it.
pub(super) fn lab(arguments: &LabArgs, settings: &Settings) -> Result<Exit, AppError> {
    let usual = LabOptions::default();
    let options = LabOptions {
        layout: arguments.layout,
        routers: arguments.routers,
        fips: arguments.fips.unwrap_or(usual.fips),
        backend: arguments.backend,
        traffic: arguments.traffic,
        broken: arguments.broken.as_deref().map(codes).transpose()?.unwrap_or_default(),
        ..usual
    };
    let lab = Lab::enter_and_build(&options)?;
    if arguments.command.is_empty() {
        let inside = Settings {
            // FIPSCOPE_FROM may say otherwise.
            from: None,
            netns_dir: lab.netns_dir().path().to_owned(),
            state_path: lab.given_state_path().map(Path::to_owned),
            ..settings.clone()
        };
        return console(&inside);
    }
    Ok(Exit::Other(lab::run_command(&lab, &arguments.command)?))
}

/// The snapshot, unless every namespace of it kept us out for want of privilege.
fn entered(snapshot: Snapshot) -> Result<Snapshot, AppError> {
    let count = snapshot.namespaces.len();
    let kept_out: Option<Vec<&str>> = snapshot.namespaces.values().map(Observed::unreadable).collect();
    match kept_out.as_deref() {
        Some([why, ..]) if !nix::unistd::geteuid().is_root() => {
            Err(AppError::NoEntry { count, why: (*why).to_owned() })
        }
        _ => Ok(snapshot),
    }
}
