//! The commands that answer and end: read, understand, report.

use std::collections::BTreeSet;
use std::path::Path;

use super::acknowledged;
use super::error::AppError;
use super::exit::Exit;
use super::output::{note, print, style, write_file};
use super::past;
use super::{source, witness};
use crate::check::{Finding, judge, standing};
use crate::config::{Format, Settings, ShowArgs, Shown, SnapshotArgs};
use crate::net::{Change, Snapshot, changes};
use crate::path::Glance;
use crate::report::{self, Judged, Query, Selection};
use crate::topology::{Blind, ExternalNetwork, FipState, FloatingIp, Router, Topology};

/// `fipscope list`.
pub(super) fn list(settings: &Settings) -> Result<Exit, AppError> {
    let snapshot = lasting(source::snapshot(settings, false)?);
    let topology = lasting(Topology::of(snapshot));
    let judged = judged(snapshot, topology, settings);
    print(&match settings.format {
        Format::Text => report::text::list(snapshot, topology, judged, style(settings)),
        Format::Json => report::json::list(snapshot, topology, judged),
    })?;
    past::remind(settings);
    Ok(told(topology, settings))
}

/// `fipscope show`.
pub(super) fn show(which: &ShowArgs, settings: &Settings) -> Result<Exit, AppError> {
    let snapshot = lasting(source::snapshot(settings, false)?);
    let topology = lasting(Topology::of(snapshot));
    let address = match &which.what {
        Shown::Address(address) => *address,
        Shown::Router(prefix) => return glance(snapshot, topology, prefix, settings),
    };
    let judged = judged(snapshot, topology, settings);
    let query = Query { address, router: which.router.clone(), external_network: which.external_network.clone() };
    let fip = find(topology, &query, "show ")?;
    print(&match settings.format {
        Format::Text => report::text::show(snapshot, topology, fip, judged, style(settings)),
        Format::Json => report::json::show(snapshot, topology, fip, judged),
    })?;
    past::remind(settings);
    Ok(match standing(topology, fip, judged.findings).state {
        FipState::Ok => Exit::Done,
        FipState::Degraded | FipState::Broken => Exit::Found,
        FipState::Unknown => Exit::CannotTell,
    })
}

/// `fipscope show` of a router.
fn glance(snapshot: &Snapshot, topology: &Topology, prefix: &str, settings: &Settings) -> Result<Exit, AppError> {
    if settings.format == Format::Json {
        return Err(AppError::Usage("a router at a glance is text; `fipscope list --format json` has it as JSON"));
    }
    let glance = Glance::of(snapshot, topology, router(topology, prefix, "show")?);
    print(&report::text::glance(snapshot, topology, &glance, style(settings)))?;
    Ok(told(topology, settings))
}

/// `fipscope snapshot`.
pub(super) fn snapshot(what: &SnapshotArgs, settings: &Settings) -> Result<Exit, AppError> {
    let snapshot = lasting(source::snapshot(settings, what.conntrack)?);
    let document = report::json::snapshot(snapshot);
    match what.output.as_deref().filter(|path| *path != Path::new("-")) {
        None => print(&document)?,
        Some(path) => {
            write_file(path, &document)?;
            let topology = lasting(Topology::of(snapshot));
            if settings.format == Format::Text {
                let file = path.display().to_string();
                print(&report::text::written(snapshot, topology, &file, style(settings)))?;
            }
        }
    }
    Ok(if is_blind(snapshot) { Exit::CannotTell } else { Exit::Done })
}

/// `fipscope diff`.
pub(super) fn diff(before: &Path, after: &Path, settings: &Settings) -> Result<Exit, AppError> {
    let (before, after) = (source::load(before)?, source::load(after)?);
    // Learned neighbours come and go on a node where nobody changes anything.
    let (noise, changes): (Vec<_>, Vec<_>) = changes(&before, &after).into_iter().partition(Change::is_flapping);
    print(&match settings.format {
        Format::Text => report::text::diff(&before, &after, &changes, noise.len(), style(settings)),
        Format::Json => report::json::diff(&before, &after, &changes),
    })?;
    Ok(match changes.is_empty() {
        false => Exit::Found,
        true if is_blind(&before) || is_blind(&after) => Exit::CannotTell,
        true => Exit::Done,
    })
}

/// The router that is meant; `command` is how to say so where several could be.
pub(super) fn router<'a>(topology: &'a Topology, prefix: &str, command: &str) -> Result<&'a Router, AppError> {
    let found: Vec<&Router> = topology.routers.iter().filter(|router| router.id.starts_with(prefix)).collect();
    match found.as_slice() {
        [one] => Ok(one),
        [] => {
            let ids: Vec<&str> = topology.routers.iter().take(3).map(|router| router.id.as_str()).collect();
            let hint = match topology.routers.len() {
                0 => "there is no router on this node".to_owned(),
                all if all <= 3 => format!("there are {}", ids.join(", ")),
                all => format!("there are {} and {} more; `fipscope list` shows all", ids.join(", "), all - 3),
            };
            let blind = topology.blind.iter().any(Blind::hides_floating_ips);
            Err(AppError::NoRouter { prefix: prefix.to_owned(), node: topology.node.clone(), hint, blind })
        }
        many => {
            let lines: Vec<String> = many.iter().map(|router| format!("  fipscope {command} {}", router.id)).collect();
            Err(AppError::Ambiguous { what: prefix.to_owned(), candidates: lines.join("\n") })
        }
    }
}

/// The external network that is meant, by the first characters of its id.
pub(super) fn external_network<'a>(topology: &'a Topology, prefix: &str) -> Result<&'a ExternalNetwork, AppError> {
    let all = &topology.external_networks;
    let found: Vec<&ExternalNetwork> = all.iter().filter(|network| network.id.starts_with(prefix)).collect();
    match found.as_slice() {
        [one] => Ok(one),
        [] => Err(AppError::NoNetwork {
            prefix: prefix.to_owned(),
            node: topology.node.clone(),
            hint: match all.iter().take(3).map(|network| network.id.as_str()).collect::<Vec<_>>().as_slice() {
                [] => "there is no external network on this node".to_owned(),
                some => format!("there are {}", some.join(", ")),
            },
            blind: topology.blind.iter().any(Blind::hides_floating_ips),
        }),
        many => {
            let lines: Vec<String> =
                many.iter().map(|network| format!("  fipscope check --external-network {}", network.id)).collect();
            Err(AppError::Ambiguous { what: prefix.to_owned(), candidates: lines.join("\n") })
        }
    }
}

/// The floating IP that is meant; `command` is how to say so where several could be.
pub(super) fn find<'a>(topology: &'a Topology, query: &Query, command: &str) -> Result<&'a FloatingIp, AppError> {
    let address = query.address;
    match report::select(topology, query) {
        Selection::One(fip) => Ok(fip),
        Selection::Nothing { hint } => Err(AppError::NotFound {
            address,
            node: topology.node.clone(),
            hint,
            blind: topology.blind.iter().any(Blind::hides_floating_ips),
        }),
        Selection::Many(candidates) => {
            let line = |candidate: &report::Candidate<'_>| {
                let how = match &candidate.arguments {
                    Some(arguments) => format!("fipscope {command}{arguments}"),
                    None => "no argument tells it from another one; the JSON of list has all".to_owned(),
                };
                format!("  {}: {how}", report::addresses(candidate.floating_ip))
            };
            let candidates: Vec<String> = candidates.iter().map(line).collect();
            Err(AppError::Ambiguous { what: address.to_string(), candidates: candidates.join("\n") })
        }
    }
}

/// What the checks find on the node, and what its operator acknowledged. Where
/// that cannot be read, everything counts.
pub(super) fn judged(snapshot: &Snapshot, topology: &Topology, settings: &Settings) -> Judged<'static> {
    accepted(judge(snapshot, topology), snapshot, topology, settings)
}

/// Findings, proved by the kernel where it can, with what the operator of that node
/// acknowledged.
pub(super) fn accepted(
    mut findings: Vec<Finding>,
    snapshot: &Snapshot,
    topology: &Topology,
    settings: &Settings,
) -> Judged<'static> {
    if settings.from.is_none() {
        witness::prove(&settings.netns_dir, snapshot, topology, &mut findings);
    }
    let acknowledged = acknowledged(settings, &snapshot.node);
    Judged { findings: lasting(findings), acknowledged: lasting(acknowledged) }
}

/// What a node's operator acknowledged; nothing, with a word about it, where
/// that cannot be read.
pub(super) fn acknowledged(settings: &Settings, node: &str) -> BTreeSet<String> {
    acknowledged::load(settings, node).unwrap_or_else(|error| {
        note(&format!("fipscope: {error}"));
        BTreeSet::new()
    })
}

/// Keeps a value until the process ends, which is soon: the kernel takes memory
/// back at once, and value by value it would take as long as reading them.
pub(super) fn lasting<T>(value: T) -> &'static T {
    Box::leak(Box::new(value))
}

/// Done, unless something that could hide a floating IP could not be read. JSON
/// has no room for that: it goes to standard error.
fn told(topology: &Topology, settings: &Settings) -> Exit {
    let blind: Vec<&Blind> = topology.blind.iter().filter(|part| part.hides_floating_ips()).collect();
    if settings.format == Format::Json {
        for part in &blind {
            let place = part.namespace.as_ref().map_or_else(|| "this node".to_owned(), ToString::to_string);
            note(&format!("fipscope: could not read {} of {place}: {}", part.part, part.why));
        }
    }
    if blind.is_empty() { Exit::Done } else { Exit::CannotTell }
}

/// True where something that could hide a floating IP could not be read.
fn is_blind(snapshot: &Snapshot) -> bool {
    Blind::of(snapshot).iter().any(Blind::hides_floating_ips)
}
