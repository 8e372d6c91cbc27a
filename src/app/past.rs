//! `fipscope undo` and `fipscope journal`.

use super::associate::announced;
use super::consent::{allowed, given, refused, site};
use super::error::AppError;
use super::exit::Exit;
use super::output::{note, print, style};
use super::repair::tell;
use crate::check::Applicability;
use crate::config::{Format, JournalArgs, Settings, UndoArgs};
use crate::exec::{self, Carried};
use crate::net::printable;
use crate::plan::journal::{Outcome, Past, State};
use crate::report;

/// `fipscope undo`.
pub(super) fn undo(which: &UndoArgs, settings: &Settings) -> Result<Exit, AppError> {
    let site = allowed(which.consent, settings)?;
    let all = exec::history(&site)?;
    let past = chosen(&all, which.id)?;
    let (plan, nothing) = past.way_back();
    if settings.format == Format::Text {
        print(&report::text::plan(&plan, style(settings)))?;
    } else if which.consent.dry_run {
        print(&report::json::undo_plan(jiff::Timestamp::now(), past, &plan))?;
    }
    for sentence in nothing {
        note(&format!("fipscope: nothing takes this back: {sentence}"));
    }
    if which.consent.dry_run {
        return Ok(Exit::Done);
    }
    let word = || past.aim.deliver.first().map_or_else(|| "yes".to_owned(), ToString::to_string);
    let word = (plan.applicability == Applicability::NeedsConsent).then(word);
    if !given(which.consent, word.as_deref())? {
        refused();
        return Ok(Exit::Found);
    }
    let carried = exec::undo(past.id, &site, &mut |_| {})?;
    tell(&carried, plan.applicability, &plan.warnings, settings)?;
    Ok(exit(&carried))
}

/// `fipscope journal`.
pub(super) fn journal(what: &JournalArgs, settings: &Settings) -> Result<Exit, AppError> {
    let site = site(settings)?;
    if let Some(id) = what.complete {
        let carried = exec::complete(id, &site, &mut |_| {})?;
        tell(&carried, Applicability::Safe, &[], settings)?;
        announced(&carried, &site, settings);
        return Ok(exit(&carried));
    }
    if let Some(id) = what.settle {
        let past = exec::settle_by_hand(id, &site)?;
        let carried = Carried { past, verified: false, failure: None };
        tell(&carried, Applicability::Safe, &[], settings)?;
        return Ok(Exit::Done);
    }
    let all = exec::history(&site)?;
    print(&match settings.format {
        Format::Text => report::text::journal(&all, style(settings)),
        Format::Json => {
            let node = nix::unistd::gethostname().unwrap_or_default();
            report::json::journal(&node.to_string_lossy(), jiff::Timestamp::now(), &all)
        }
    })?;
    Ok(Exit::Done)
}

/// Says, where a change was left unfinished on this node, what can be done about
/// it; not where another process is still at it.
pub(super) fn remind(settings: &Settings) {
    if settings.from.is_some() || settings.format != Format::Text {
        return;
    }
    let Ok(site) = site(settings) else { return };
    let all = exec::history(&site).unwrap_or_default();
    let Some(open) = all.iter().find(|past| !past.is_settled()) else { return };
    if exec::holder().is_none() {
        let (id, intent) = (open.id, printable(&open.intent, 300));
        note(&format!(
            "fipscope: change {id} was left unfinished: {intent}\n\
             `fipscope undo {id}` takes it back, `fipscope journal --complete {id}` does the rest"
        ));
    }
}

/// The change that is meant: what has no end comes before the last that was
/// done and takes nothing back itself.
fn chosen(all: &[Past], id: Option<u64>) -> Result<&Past, AppError> {
    let mut newest = all.iter().rev();
    let found = match id {
        Some(id) => newest.find(|past| past.id == id),
        None => all
            .iter()
            .find(|past| past.state == State::Unfinished)
            .or_else(|| newest.find(|past| past.state == State::Done && past.undoes.is_none())),
    };
    found.ok_or_else(|| {
        AppError::NoChange(id.map_or_else(|| "that could be taken back".to_owned(), |id| id.to_string()))
    })
}

pub(super) fn exit(carried: &Carried) -> Exit {
    match carried.outcome() {
        Outcome::Done if carried.verified => Exit::Done,
        Outcome::Undone | Outcome::Settled => Exit::Done,
        Outcome::Done | Outcome::RolledBack => Exit::Found,
        Outcome::Half => Exit::Half,
    }
}
