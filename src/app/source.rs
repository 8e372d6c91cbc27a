//! Where a command gets what it works on: this node, a file, or the lab.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use super::acknowledged;
use super::console;
use super::console::ConsoleError;
use super::error::AppError;
use super::exit::Exit;
use super::follow;
use super::live::Live;
use super::output::{note, style};
use super::replay;
use super::traffic::ears;
use crate::check::Code;
use crate::config::{LabArgs, Settings};
use crate::kernel::{self, ReadOptions};
use crate::lab::{self, Lab, LabOptions};
use crate::net::{NetnsName, Observed, Recording, RouteQuestion, Snapshot, WireQuestion, printable};
use crate::netns::NetnsDir;
use crate::probe;
use crate::traffic::Errand;
use crate::tui::{Followed, Node};

/// The node, or the file that stands for it.
pub(super) fn snapshot(settings: &Settings, conntrack: bool) -> Result<Snapshot, AppError> {
    if let Some(path) = &settings.from {
        return load(path);
    }
    let snapshot = kernel::read_node(&options(settings, conntrack)).map_err(|error| AppError::Read(Box::new(error)))?;
    entered(&snapshot)?;
    Ok(snapshot)
}

/// What to read of this node.
pub(super) fn options(settings: &Settings, conntrack: bool) -> ReadOptions {
    ReadOptions { netns_dir: settings.netns_dir.clone(), state_path: settings.state_path.clone(), conntrack }
}

/// A snapshot from a file or an unpacked sosreport; a recording's last moment.
pub(super) fn load(path: &Path) -> Result<Snapshot, AppError> {
    let recording = recording(path)?;
    if let Some(remark) = &recording.remark {
        note(&format!("fipscope: {}: {remark}", path.display()));
    }
    Ok(recording.last())
}

/// A recording, or a file in which nothing changes.
pub(super) fn recording(path: &Path) -> Result<Recording, AppError> {
    kernel::load_recording(path).map_err(|error| AppError::Read(Box::new(error)))
}

/// The console.
pub(super) fn console(settings: &Settings) -> Result<Exit, AppError> {
    let theme = settings.theme(style(settings).colour);
    let (source, looks) = (settings.clone(), console::Settings::new(theme, settings.keymap.clone()));
    let read = move || {
        let snapshot = snapshot(&source, false).map_err(|error| error.to_string())?;
        let accepted = accepted(&source, &snapshot.node);
        Ok(Node::of(snapshot).accepting(accepted))
    };
    let own = settings.clone();
    let known = Box::new(move |node: &str| accepted(&own, node));
    let live = match &settings.from {
        None => Live::start(options(settings, false), known),
        Some(path) => replay::start(path.clone(), known),
    };
    let live = Some(live.map_err(ConsoleError::Start)?);
    let reach = console::Reach {
        asker: asker(settings),
        prober: prober(settings, probe::Manner::default()),
        finder: prober(settings, super::associate::PROBE),
        keeper: Some(keeper(settings.clone())),
        tracker: tracker(settings),
        ears: settings.from.is_none().then(|| ears(NetnsDir::new(&settings.netns_dir))),
        messenger: messenger(settings),
        judge: None,
        lacking: super::privileges::lacking(),
        site: if settings.from.is_none() { super::consent::site(settings).ok() } else { None },
    };
    Ok(Exit::Other(console::run(Arc::new(read), reach, live, looks)?.code().into()))
}

/// What is acknowledged; where that cannot be read, everything counts.
fn accepted(settings: &Settings, node: &str) -> BTreeSet<String> {
    acknowledged::load(settings, node).unwrap_or_else(|error| {
        tracing::warn!(%error);
        BTreeSet::new()
    })
}

/// The links of this node, for what only an answer on the wire decides; a file
/// has none.
fn prober(settings: &Settings, manner: probe::Manner) -> Option<console::Prober> {
    let netns_dir = NetnsDir::new(&settings.netns_dir);
    let ask = move |questions: &[WireQuestion]| probe::ask(&netns_dir, questions, &manner);
    settings.from.is_none().then(|| -> console::Prober { Arc::new(ask) })
}

/// Keeps what is acknowledged in the console.
fn keeper(settings: Settings) -> console::Keeper {
    Arc::new(move |node: &str, id: &str, revoke: bool| {
        let kept = acknowledged::acknowledge(&settings, node, id, revoke);
        kept.and_then(|_| acknowledged::load(&settings, node)).map_err(|error| error.to_string())
    })
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

/// The tracked connections of this node; a file's are not a running node's.
fn tracker(settings: &Settings) -> Option<console::Tracker> {
    let netns_dir = NetnsDir::new(&settings.netns_dir);
    let read = move |name: &NetnsName| match kernel::read_conntrack(&netns_dir, name) {
        Observed::Seen(entries) => Ok(entries),
        Observed::Absent => Err("it is gone".to_owned()),
        Observed::Unreadable(why) => Err(why),
    };
    settings.from.is_none().then(|| -> console::Tracker { Arc::new(read) })
}

/// Packets of this node's own, followed; a file sends none.
fn messenger(settings: &Settings) -> Option<console::Messenger> {
    let netns_dir = NetnsDir::new(&settings.netns_dir);
    let send = move |node: &Node, errand: &Errand, tell: &mut dyn FnMut(Followed) -> bool| {
        follow::follow(&netns_dir, (&node.snapshot, &node.topology), errand, tell).map_err(|error| error.to_string())
    };
    settings.from.is_none().then(|| -> console::Messenger { Arc::new(send) })
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
            state_dir: Some(Path::new(lab::STATE_HOME).join("fipscope")),
            ..settings.clone()
        };
        return console(&inside);
    }
    Ok(Exit::Other(lab::run_command(&lab, &arguments.command)?))
}

/// An error where every namespace kept us out for want of privilege.
pub(super) fn entered(snapshot: &Snapshot) -> Result<(), AppError> {
    let count = snapshot.namespaces.len();
    let kept_out: Option<Vec<&str>> = snapshot.namespaces.values().map(Observed::unreadable).collect();
    match kept_out.as_deref() {
        Some([why, ..]) if !nix::unistd::geteuid().is_root() => {
            Err(AppError::NoEntry { count, why: (*why).to_owned() })
        }
        _ => Ok(()),
    }
}
