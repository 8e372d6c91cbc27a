//! `fipscope check`, `explain` and `acknowledge`.

use super::acknowledged;
use super::commands::{accepted, external_network, find, judged, lasting, router};
use super::error::AppError;
use super::exit::Exit;
use super::output::{note, print, style};
use super::{past, source, trace};
use crate::check::{Check, Code, DecidedBy, Pick, checks, judge_with, questions, standing, states};
use crate::config::{CheckArgs, Format, Settings};
use crate::net::{Snapshot, WireAnswers};
use crate::netns::NetnsDir;
use crate::path::Node;
use crate::probe;
use crate::report::{self, Judged, Narrowed, Query};
use crate::topology::{Blind, FipState, FloatingIp, Topology};

/// `fipscope check`.
pub(super) fn check(which: &CheckArgs, settings: &Settings) -> Result<Exit, AppError> {
    let pick = pick(which)?;
    if which.probe && settings.from.is_some() {
        return Err(AppError::Usage("--probe asks on this node's links, and a file has none: leave out --from"));
    }
    if let Some(why) = undecided(&pick, which.probe) {
        note(why);
        return Ok(Exit::CannotTell);
    }
    let snapshot = lasting(source::snapshot(settings, true)?);
    let topology = lasting(Topology::of(snapshot));
    let mut narrowed = narrowed(which, pick, topology)?;
    let floating_ip = narrowed.floating_ip;
    let judged = if which.probe {
        let answers = ask(snapshot, topology, &narrowed.pick, narrowed.floating_ip, settings);
        narrowed.asked = Some(answers.len());
        accepted(judge_with(snapshot, topology, &answers), snapshot, topology, settings)
    } else {
        judged(snapshot, topology, settings)
    };
    print(&match settings.format {
        Format::Text => {
            let passes = floating_ip.and_then(|fip| passes(snapshot, topology, fip, judged, settings));
            report::text::check(snapshot, topology, judged, &narrowed, passes.as_deref(), style(settings))
        }
        Format::Json => report::json::check(snapshot, topology, judged, &narrowed),
    })?;
    if settings.format == Format::Json && narrowed.pick.is_all() {
        // JSON has no room for what has no code.
        for one in report::nameless(topology, judged, &narrowed) {
            note(&format!("fipscope: {}", one.sentence()));
        }
    }
    past::remind(settings);
    Ok(exit(topology, judged, &narrowed))
}

/// What is looked at: with an address, router and external network say which of
/// several is meant; without one they are what is looked at.
fn narrowed<'a>(which: &CheckArgs, pick: Pick, topology: &'a Topology) -> Result<Narrowed<'a>, AppError> {
    let whole = Narrowed { pick, ..Narrowed::default() };
    let (id, network) = (which.router.clone(), which.external_network.clone());
    if let Some(address) = which.floating_ip {
        let query = Query { address, router: id, external_network: network };
        let floating_ip = Some(find(topology, &query, "check --floating-ip ")?);
        return Ok(Narrowed { floating_ip, ..whole });
    }
    let router = id.map(|prefix| router(topology, &prefix, "check --router")).transpose()?;
    let external_network = network.map(|prefix| external_network(topology, &prefix)).transpose()?;
    Ok(Narrowed { router, external_network, ..whole })
}

/// `fipscope explain`.
pub(super) fn explain(code: Option<&str>, settings: &Settings) -> Result<Exit, AppError> {
    let known: Vec<&'static Check> = match code {
        Some(text) => vec![named(text)?],
        None => checks().collect(),
    };
    print(&match (settings.format, known.as_slice()) {
        (Format::Text, [check]) if code.is_some() => report::text::explain(check, style(settings)),
        (Format::Text, all) => report::text::codes(all.iter().copied(), style(settings)),
        (Format::Json, all) => {
            let node = nix::unistd::gethostname().unwrap_or_default();
            report::json::explain(&node.to_string_lossy(), jiff::Timestamp::now(), all)
        }
    })?;
    Ok(Exit::Done)
}

/// `fipscope acknowledge`.
pub(super) fn acknowledge(id: &str, revoke: bool, settings: &Settings) -> Result<Exit, AppError> {
    if settings.read_only {
        return Err(AppError::Usage("--read-only: acknowledging writes to the state folder"));
    }
    let snapshot = lasting(source::snapshot(settings, false)?);
    let topology = lasting(Topology::of(snapshot));
    let judged = judged(snapshot, topology, settings);
    let among: Vec<&str> = if revoke {
        judged.acknowledged.iter().map(String::as_str).collect()
    } else {
        judged.findings.iter().map(|finding| finding.id.as_str()).collect()
    };
    if !among.contains(&id) {
        let place = if revoke { "is acknowledged on" } else { "is on" };
        let place = format!("{place} {}", snapshot.node);
        return Err(AppError::NoFinding { id: id.to_owned(), place, hint: alike(id, &among, revoke) });
    }
    let path = acknowledged::acknowledge(settings, &snapshot.node, id, revoke)?;
    print(&match settings.format {
        Format::Text => report::text::acknowledged(id, revoke, &path.display().to_string(), style(settings)),
        Format::Json => report::json::acknowledge(snapshot, id, !revoke),
    })?;
    Ok(Exit::Done)
}

/// Whether only answers on the wire decide it.
pub(super) fn is_wire(code: Code) -> bool {
    crate::check::check(code).is_some_and(|check| matches!(check.decided_by, DecidedBy::Wire(_)))
}

/// Why none of the wanted codes can be decided here.
fn undecided(pick: &Pick, probe: bool) -> Option<&'static str> {
    let wanted = || checks().filter(|check| pick.wants(check.code));
    let is_wire = |check: &Check| matches!(check.decided_by, DecidedBy::Wire(_));
    let is_decided = |check: &Check| check.decided_by.is_read() || probe && is_wire(check);
    if pick.is_all() || wanted().any(is_decided) {
        return None;
    }
    Some(if wanted().any(is_wire) {
        "fipscope: only answers on the wire decide what was selected; `fipscope check --probe` asks"
    } else {
        "fipscope: no check was selected that this node can decide by itself; `fipscope explain CODE` says what does"
    })
}

/// Asks the wire what these checks need to know.
pub(super) fn ask(
    snapshot: &Snapshot,
    topology: &Topology,
    pick: &Pick,
    about: Option<&FloatingIp>,
    settings: &Settings,
) -> WireAnswers {
    let questions = questions(snapshot, topology, pick, about);
    let answers = probe::ask(&NetnsDir::new(&settings.netns_dir), &questions, &probe::Manner::default());
    questions.into_iter().zip(answers).collect()
}

pub(super) fn pick(which: &CheckArgs) -> Result<Pick, AppError> {
    let patterns = |texts: &[String]| {
        let parsed: Result<Vec<_>, _> = texts.iter().map(|text| text.parse()).collect();
        parsed.map_err(|_| AppError::Usage("--select and --ignore take codes (DVR301) or beginnings of codes (DVR3)"))
    };
    let pick = Pick { select: patterns(&which.select)?, ignore: patterns(&which.ignore)? };
    let codes: Vec<Code> = checks().map(|check| check.code).collect();
    match pick.strangers(&codes).into_iter().next() {
        Some(text) => Err(AppError::NoCode { hint: nearest(&text), text }),
        None => Ok(pick),
    }
}

/// Faults that are not accepted; else doubts, for one floating IP also its chain's.
fn exit(topology: &Topology, judged: Judged<'_>, narrowed: &Narrowed<'_>) -> Exit {
    let shown = judged.shown(topology, narrowed);
    let states = states(topology, judged.findings);
    let mut chains = topology.fips().zip(&states).filter(|(fip, _)| narrowed.takes(fip));
    // A chain can be known to be broken though no check has a name for it.
    let is_nameless = !report::nameless(topology, judged, narrowed).is_empty();
    let is_blind = narrowed.floating_ip.is_none() && topology.blind.iter().any(Blind::hides_floating_ips);
    let is_unsure = chains.any(|(_, standing)| standing.state == FipState::Unknown);
    let is_all = narrowed.pick.is_all();
    match () {
        () if shown.has_faults() => Exit::Found,
        () if is_all && is_nameless => Exit::Found,
        () if shown.has_doubts() || is_all && (is_blind || is_unsure) => Exit::CannotTell,
        () => Exit::Done,
    }
}

/// That a packet out and one in pass, where chain, engine and kernel agree.
fn passes(
    snapshot: &Snapshot,
    topology: &Topology,
    fip: &FloatingIp,
    judged: Judged<'_>,
    settings: &Settings,
) -> Option<String> {
    if standing(topology, fip, judged.findings).state != FipState::Ok {
        return None;
    }
    let (mut out, mut into) = Node::of(snapshot, topology).both_ways(fip)?;
    if settings.from.is_none() {
        trace::verify(&mut out, Some(&mut into), settings);
    }
    report::text::passes(&out, &into)
}

fn named(text: &str) -> Result<&'static Check, AppError> {
    let code: Option<Code> = text.parse().ok();
    let found = checks().find(|check| Some(check.code) == code || check.name == text);
    found.ok_or_else(|| AppError::NoCode { text: text.to_owned(), hint: nearest(text) })
}

/// The codes that were probably meant: those near in number, or named alike.
fn nearest(text: &str) -> String {
    let digits: String = text.chars().filter(char::is_ascii_digit).take(3).collect();
    let mut codes: Vec<&Check> = if let Ok(number) = format!("{digits:0<3}").parse::<u16>()
        && number > 0
    {
        let mut all: Vec<&Check> = checks().collect();
        all.sort_by_key(|check| check.code.0.abs_diff(number));
        all.truncate(3);
        all
    } else {
        let words: Vec<&str> = text.split(['-', ' ', '_']).filter(|word| word.len() > 2).collect();
        checks().filter(|check| words.iter().any(|word| check.name.contains(word))).take(5).collect()
    };
    codes.sort_by_key(|check| check.code);
    if codes.is_empty() {
        return "`fipscope explain` lists all codes".to_owned();
    }
    let lines: Vec<String> = codes.iter().map(|check| format!("  {} {}", check.code, check.name)).collect();
    format!("there are\n{}\n`fipscope explain` lists all codes", lines.join("\n"))
}

/// Identities that were probably meant.
fn alike(id: &str, among: &[&str], revoke: bool) -> String {
    let code = id.split('@').next().unwrap_or_default();
    let same: Vec<&&str> = among.iter().filter(|other| other.split('@').next() == Some(code)).take(5).collect();
    let shown: Vec<&&str> = if same.is_empty() { among.iter().take(5).collect() } else { same };
    if shown.is_empty() {
        return if revoke { "nothing is acknowledged there" } else { "the checks find nothing there" }.to_owned();
    }
    let lines: Vec<String> = shown.iter().map(|id| format!("  {id}")).collect();
    format!("there are\n{}", lines.join("\n"))
}
