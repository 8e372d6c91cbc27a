//! `fipscope associate` and `remove`: a floating IP wired, or taken away, by
//! hand. What is wanted becomes a plan, which is shown, asked about, carried out
//! and verified.

use std::net::IpAddr;
use std::time::Duration;

use super::commands::{find, lasting};
use super::consent::{allowed, given, refused};
use super::error::AppError;
use super::exit::Exit;
use super::output::{note, print, style};
use super::past;
use super::repair::tell;
use super::source;
use crate::check::Applicability;
use crate::config::{AnnounceArg, AssociateArgs, Consent, Format, GatewayPortArgs, RemoveArgs, Settings};
use crate::exec::{self, Carried, Order, Site};
use crate::net::{Snapshot, WireAnswer};
use crate::netns::NetnsDir;
use crate::plan::journal::{Aim, Round};
use crate::plan::{self, AnnounceBy, Associate, GatewayPort, GatewayPortParts, Neutron, Plan, Refused, Remove};
use crate::probe::{self, Manner};
use crate::report::{self, Query};
use crate::topology::Topology;

/// Whether somebody has the address is asked as RFC 5227 does it: three times.
/// A host on the same link answers within milliseconds.
pub(super) const PROBE: Manner =
    Manner { tries: 3, wait: Duration::from_millis(400), in_flight: 1, spacing: Duration::ZERO, most: 1 };

/// `fipscope associate`.
pub(super) fn associate(which: &AssociateArgs, settings: &Settings) -> Result<Exit, AppError> {
    let site = allowed(which.consent, settings)?;
    let snapshot = lasting(source::snapshot(settings, false)?);
    let topology = lasting(Topology::of(snapshot));
    let mut wanted = wanted(which, topology)?;
    let mut plan = plan::associate(snapshot, topology, &wanted)?;
    match asked(&plan, snapshot, settings) {
        Some(WireAnswer::Answered(replies)) => {
            wanted.answered_by = replies.into_iter().map(|reply| reply.mac).collect();
            // It is a plan's to say what that means.
            plan = plan::associate(snapshot, topology, &wanted)?;
        }
        Some(WireAnswer::NotAsked(why)) => {
            plan.warnings.push(format!("Whether somebody has {} already could not be asked: {why}", which.floating_ip));
        }
        Some(WireAnswer::Silent) | None => {}
    }
    let aim = Aim { gone: Vec::new(), deliver: vec![which.floating_ip] };
    let proposal = Proposal { address: which.floating_ip, plan: &plan, snapshot, aim };
    let Some(carried) = carry_out(&proposal, which.consent, &site, settings)? else {
        return Ok(ended_before(&plan, which.consent));
    };
    if !which.no_wait {
        announced(&carried, &site, settings);
    }
    Ok(past::exit(&carried))
}

/// `fipscope remove`.
pub(super) fn remove(which: &RemoveArgs, settings: &Settings) -> Result<Exit, AppError> {
    let site = allowed(which.consent, settings)?;
    let snapshot = lasting(source::snapshot(settings, false)?);
    let topology = lasting(Topology::of(snapshot));
    let (router, external_network) = (which.router.clone(), which.external_network.clone());
    let address = which.floating_ip;
    find(topology, &Query { address, router: router.clone(), external_network: external_network.clone() }, "remove ")?;
    let neutron = neutron(which.neutron_has);
    let wanted = Remove { floating_ip: address, router, external_network, with_pair: which.with_pair, neutron };
    let plan = plan::remove(snapshot, topology, &wanted)?;
    let proposal = Proposal { address, plan: &plan, snapshot, aim: Aim::default() };
    Ok(match carry_out(&proposal, which.consent, &site, settings)? {
        Some(carried) => past::exit(&carried),
        None => ended_before(&plan, which.consent),
    })
}

/// A plan about a floating IP, what it was made from, and what is to be so
/// afterwards.
struct Proposal<'a> {
    address: IpAddr,
    plan: &'a Plan,
    snapshot: &'a Snapshot,
    aim: Aim,
}

/// Shows the plan, asks, does it, and says what became of it. `None` where it
/// was not begun.
fn carry_out(
    proposal: &Proposal<'_>,
    consent: Consent,
    site: &Site,
    settings: &Settings,
) -> Result<Option<Carried>, AppError> {
    let Proposal { address, plan, snapshot, aim } = proposal;
    let is_nothing = plan.to_do().next().is_none();
    match settings.format {
        Format::Text => print(&report::text::plan(plan, style(settings)))?,
        Format::Json if consent.dry_run || is_nothing => {
            print(&report::json::plan(snapshot, plan, plan.applicability))?;
        }
        Format::Json => {}
    }
    if consent.dry_run || is_nothing {
        return Ok(None);
    }
    let word = (plan.applicability == Applicability::NeedsConsent).then(|| address.to_string());
    if !given(consent, word.as_deref())? {
        refused();
        return Ok(None);
    }
    let carried = exec::change(&Order { plan, seen: snapshot, aim }, site, &mut |_| {})?;
    tell(&carried, plan.applicability, &plan.warnings, settings)?;
    Ok(Some(carried))
}

/// Nothing was done: because that was asked for, because all is so already, or
/// because the answer was no.
fn ended_before(plan: &Plan, consent: Consent) -> Exit {
    if consent.dry_run || plan.to_do().next().is_none() { Exit::Done } else { Exit::Found }
}

/// What is wanted, in the plan's words.
fn wanted(which: &AssociateArgs, topology: &Topology) -> Result<Associate, AppError> {
    Ok(Associate {
        router: which.router.clone(),
        external_network: which.external_network.clone(),
        layout: which.layout,
        announce: match which.announce {
            AnnounceArg::Repeat => AnnounceBy::Repeat,
            AnnounceArg::Address => AnnounceBy::Address,
        },
        gateway_port: gateway_port(which, topology)?,
        centralized: which.centralized,
        neutron: neutron(which.neutron_has),
        ..Associate::new(which.floating_ip, which.fixed_ip)
    })
}

fn neutron(has: Option<bool>) -> Option<Neutron> {
    has.map(|has| if has { Neutron::Has } else { Neutron::HasNot })
}

/// The agent gateway port as the user describes it.
fn gateway_port(which: &AssociateArgs, topology: &Topology) -> Result<Option<GatewayPort>, Refused> {
    let GatewayPortArgs { port_id, address, mac, gateway, bridge, vlan } = which.gateway_port.clone();
    let parts = GatewayPortParts { port_id, address, mac, gateway, bridge, vlan };
    parts.complete(topology, which.external_network.as_deref())
}

/// Who has the floating IP on the external network, asked on the link on which
/// it is to be announced. `None` where the plan does nothing.
fn asked(plan: &Plan, snapshot: &Snapshot, settings: &Settings) -> Option<WireAnswer> {
    match plan::who_has(plan, snapshot)? {
        Ok(question) => probe::ask(&NetnsDir::new(&settings.netns_dir), &[question], &PROBE).pop(),
        Err(why) => Some(WireAnswer::NotAsked(why)),
    }
}

/// The later rounds of the announcement: the answer is out, and who does not
/// want to wait for them interrupts.
pub(super) fn announced(carried: &Carried, site: &Site, settings: &Settings) {
    let mut told = |round: Round| {
        if settings.format == Format::Text {
            let others = if round.number == 1 { "; the others follow, an interrupt leaves them out" } else { "" };
            note(&format!("fipscope: announced {} ({} of {}){others}", round.address, round.number, round.of));
        }
    };
    if let Err(error) = exec::announce_again(&carried.past, site, &mut told) {
        note(&format!("fipscope: {error}"));
    }
}
