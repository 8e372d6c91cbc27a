//! Where a command gets what it works on: this node, a file, or the lab.

use std::path::Path;
use std::sync::Arc;

use super::console;
use super::error::AppError;
use super::exit::Exit;
use crate::config::{ColorChoice, LabArgs, Settings};
use crate::kernel::{ReadOptions, offline, read_node};
use crate::lab::{self, Lab, LabOptions};
use crate::net::{Observed, Snapshot};
use crate::topology::Topology;
use crate::tui::Node;
use crate::tui::keymap::Keymap;
use crate::tui::theme::Theme;

/// The node, or the file that stands for it.
pub(super) fn snapshot(settings: &Settings, conntrack: bool) -> Result<Snapshot, AppError> {
    match &settings.from {
        Some(path) => load(path),
        None => entered(read_node(&options(settings, conntrack)).map_err(|error| AppError::Read(Box::new(error)))?),
    }
}

/// A snapshot from a file or an unpacked sosreport.
pub(super) fn load(path: &Path) -> Result<Snapshot, AppError> {
    offline::load(path).map_err(|error| AppError::Read(Box::new(error)))
}

/// The console, on whatever the settings name. A reading that fails is shown
/// there, and may succeed the next time.
pub(super) fn console(settings: &Settings) -> Result<Exit, AppError> {
    let looks = console::Settings { theme: theme(settings)?, keymap: keymap(settings)?, refresh: None, mouse: true };
    let read = settings.clone();
    let source = Arc::new(move || {
        let snapshot = snapshot(&read, false).map_err(|error| error.to_string())?;
        let topology = Topology::of(&snapshot);
        Ok(Node::new(snapshot, topology))
    });
    Ok(Exit::Command(console::run(source, looks)?.code()))
}

/// The lab: builds it around this process, then runs the command or the console
/// in it. Nothing may have started a thread before.
pub(super) fn lab(args: &LabArgs, settings: &Settings) -> Result<Exit, AppError> {
    let default = LabOptions::default();
    let lab = Lab::enter_and_build(&LabOptions {
        layout: args.layout,
        routers: args.routers,
        fips: args.fips.unwrap_or(default.fips),
        backend: args.backend,
        traffic: args.traffic,
    })?;
    if args.command.is_empty() {
        let inside = Settings {
            from: None,
            netns_dir: lab.netns_dir().path().to_owned(),
            state_path: Some(lab.state_path().to_owned()),
            ..settings.clone()
        };
        return console(&inside);
    }
    let code = lab::run_command(&lab, &args.command)?;
    Ok(Exit::Command(u8::try_from(code).unwrap_or(u8::MAX)))
}

fn theme(settings: &Settings) -> Result<Theme, AppError> {
    let plain = settings.color == ColorChoice::Never || (settings.color == ColorChoice::Auto && settings.dumb);
    let mut theme = if plain { Theme::plain() } else { Theme::coloured() };
    theme.ascii = settings.ascii;
    if !plain {
        for (role, words) in &settings.theme {
            theme.set(role, words)?;
        }
    }
    Ok(theme)
}

fn keymap(settings: &Settings) -> Result<Keymap, AppError> {
    let mut keymap = Keymap::default();
    for (name, keys) in &settings.keys {
        keymap.rebind(name, keys)?;
    }
    Ok(keymap)
}

fn options(settings: &Settings, conntrack: bool) -> ReadOptions {
    ReadOptions { netns_dir: settings.netns_dir.clone(), state_path: settings.state_path.clone(), conntrack }
}

/// The snapshot, unless every namespace of it kept us out.
fn entered(snapshot: Snapshot) -> Result<Snapshot, AppError> {
    let mut reasons = snapshot.namespaces.values().map(Observed::unreadable);
    match (snapshot.namespaces.len(), reasons.next().flatten()) {
        (count, Some(why)) if reasons.all(|why| why.is_some()) => Err(AppError::NoEntry { count, why: why.to_owned() }),
        _ => Ok(snapshot),
    }
}
