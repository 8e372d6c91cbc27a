//! Asking before the node is changed.

use std::io::{self, BufRead, IsTerminal, Write};

use super::error::AppError;
use super::output::note;
use super::privileges;
use crate::config::Consent;
use crate::config::Settings;
use crate::exec::{self, Site};
use crate::netns::NetnsDir;

/// The node that is to be changed, where that is allowed and can be asked about.
pub(super) fn allowed(consent: Consent, settings: &Settings) -> Result<Site, AppError> {
    let site = site(settings)?;
    if !consent.dry_run {
        if settings.read_only {
            return Err(exec::Error::ReadOnly.into());
        }
        can_ask(consent)?;
        let lacking = privileges::lacking();
        if !lacking.is_empty() {
            return Err(AppError::Lacking(lacking));
        }
    }
    Ok(site)
}

/// The node, and where what was changed on it is written down.
pub(super) fn site(settings: &Settings) -> Result<Site, AppError> {
    let Some(folder) = settings.state_dir.clone() else {
        return Err(AppError::Usage("there is nowhere to keep the journal: set XDG_STATE_HOME or HOME"));
    };
    Ok(Site {
        netns_dir: NetnsDir::new(&settings.netns_dir),
        state_path: settings.state_path.clone(),
        folder,
        read_only: settings.read_only,
    })
}

/// Refuses where nobody can be asked, before anything is shown or read.
fn can_ask(consent: Consent) -> Result<(), AppError> {
    if consent.yes || consent.dry_run || io::stdin().is_terminal() {
        return Ok(());
    }
    Err(AppError::Usage("there is no terminal to ask on: --yes does not ask, --dry-run only shows the plan"))
}

/// Whether it may be done. Where more is at stake, a word has to be typed.
pub(super) fn given(consent: Consent, word: Option<&str>) -> Result<bool, AppError> {
    if consent.yes {
        return Ok(true);
    }
    let answer = match word {
        Some(word) => asked(&format!("Traffic may drop, or the object is not the agent's.\nType {word} to apply: "))?,
        None => asked("Apply? [y/N] ")?,
    };
    Ok(match word {
        Some(word) => answer == word,
        None => ["y", "Y", "yes"].contains(&answer.as_str()),
    })
}

/// Says that nothing was done.
pub(super) fn refused() {
    note("fipscope: nothing was changed");
}

/// On standard error: standard output is the answer's.
fn asked(question: &str) -> Result<String, AppError> {
    let mut terminal = io::stderr().lock();
    write!(terminal, "{question}").and_then(|()| terminal.flush()).map_err(AppError::Output)?;
    let mut answer = String::new();
    // Nothing longer is an answer.
    let mut input = io::Read::take(io::stdin().lock(), 200);
    input.read_line(&mut answer).map_err(AppError::Output)?;
    Ok(answer.trim().to_owned())
}
