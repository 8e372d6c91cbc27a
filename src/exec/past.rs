//! What can be done about changes of the past.

use jiff::Timestamp;

use crate::plan::journal::{Back, Entry, Outcome, Past, State, StepState};
use crate::plan::{Action, Due, Object, Plan, Rehearsal, simulate};

use super::change::{nothing_unfinished, reverse};
use super::journal::Journal;
use super::run::{Carried, Run};
use super::verify::Expected;
use super::{Error, Site, file, switch};

/// The changes of the past, the oldest first.
pub fn history(site: &Site) -> Result<Vec<Past>, Error> {
    super::journal::history(&site.folder)
}

/// Takes a change back. One that was done is taken back if the node still is as
/// it left it, and that is a change of its own; of one that has no end, or
/// failed halfway, whatever is left is taken back.
pub fn undo(id: u64, site: &Site, told: &mut dyn FnMut(&Entry)) -> Result<Carried, Error> {
    let (lock, all) = site.enter()?;
    let past = find(&all, id)?;
    if past.state == State::Done {
        nothing_unfinished(&all)?;
        return reverse(&all, past, site, lock, told);
    }
    let is_over = match past.state {
        State::Undone => true,
        State::Failed => past.left().next().is_none() || past.boot != super::journal::boot(),
        State::Done | State::Unfinished => false,
    };
    if is_over {
        let why = format!("is {} already: nothing of it is left", past.state.word());
        return Err(Error::NoSuchChange { id, why });
    }
    begin_again(past, site)?;
    let fresh = site.read()?;
    let journal = Journal::open(&site.folder, false)?;
    let mut run = Run::resume(site, (lock, journal), past.clone(), &fresh, told)?;
    let outcome = if run.back() { Outcome::Undone } else { Outcome::Half };
    let failure = (outcome == Outcome::Half).then(|| "some of it could not be taken back".to_owned());
    Ok(run.end(outcome, outcome == Outcome::Undone, failure))
}

/// Does the rest of a change that has no end.
pub fn complete(id: u64, site: &Site, told: &mut dyn FnMut(&Entry)) -> Result<Carried, Error> {
    let (lock, all) = site.enter()?;
    let past = unfinished(&all, id)?;
    if past.steps.iter().any(|step| matches!(step.state, StepState::Undoing | StepState::Undone | StepState::Failed)) {
        let why = format!("was being taken back already; go on with `fipscope undo {id}`");
        return Err(Error::NoSuchChange { id, why });
    }
    begin_again(past, site)?;
    let fresh = site.read_for(&past.aim)?;
    let mut rest = Plan::new(past.intent.clone());
    let mut rehearsal = Rehearsal::of(&fresh);
    let due: Vec<Due> = past
        .steps
        .iter()
        .map(|step| match step.state {
            StepState::Done | StepState::Skipped => Due::Already,
            _ => {
                rest.push(&step.planned.place, step.planned.action.clone());
                rehearsal.next(&step.planned.place, &step.planned.action)
            }
        })
        .collect();
    let changed = |due: &Due| match due {
        Due::Changed(what) => Some(what.clone()),
        Due::Do | Due::Already => None,
    };
    let what: Vec<String> = due.iter().filter_map(changed).collect();
    if !what.is_empty() {
        return Err(Error::Changed { what });
    }
    let expected = Expected::of(&past.aim, &fresh, &simulate(&rest, &fresh));
    let journal = Journal::open(&site.folder, false)?;
    let mut run = Run::resume(site, (lock, journal), past.clone(), &fresh, told)?;
    let failure = match run.forward(&due) {
        Ok(()) => expected.wait(site, || site.read_for(&past.aim)).err(),
        Err(why) => Some(why),
    };
    let Some(why) = failure else { return Ok(run.end(Outcome::Done, true, None)) };
    let outcome = if run.back() { Outcome::RolledBack } else { Outcome::Half };
    Ok(run.end(outcome, false, Some(why)))
}

/// Writes down that somebody took care of a change that has no end.
pub fn settle_by_hand(id: u64, site: &Site) -> Result<Past, Error> {
    let (_lock, all) = site.enter()?;
    let mut past = unfinished(&all, id)?.clone();
    let entry = Entry::End { id, at: Timestamp::now(), outcome: Outcome::Settled };
    Journal::open(&site.folder, false)?.write(&entry, true)?;
    past.take(entry);
    Ok(past)
}

/// What a killed process got done of a step that is several operations is taken
/// away: the port of a switch whose device is not yet where it belongs, or has
/// not its address; a file that has not yet taken another's place. No later step
/// was begun, and nothing stands on it.
fn begin_again(past: &Past, site: &Site) -> Result<(), Error> {
    for step in &past.steps {
        let under_way = match (step.state, &step.back) {
            (StepState::Doing, _) => &step.planned.action,
            (StepState::Undoing, Some(Back::Action(action))) => action,
            _ => continue,
        };
        match under_way {
            Action::Add(Object::FileLine { path, .. }) | Action::Delete(Object::FileLine { path, .. }) => {
                file::clear(path).map_err(|source| Error::State { what: "clear", path: path.clone(), source })?;
            }
            Action::Add(Object::OvsPort(port)) if port.internal => {
                let fresh = site.read()?;
                let there = fresh.host.ovs.seen().and_then(|ovs| ovs.port(port.name.as_str()));
                if there.is_some_and(|there| there.bridge == port.bridge.as_str()) {
                    let failed = |cause| Error::Changed { what: vec![format!("the port {}: {cause}", port.name)] };
                    switch::delete(port).map_err(failed)?;
                }
            }
            _ => {}
        }
    }
    Ok(())
}

fn unfinished(all: &[Past], id: u64) -> Result<&Past, Error> {
    let past = find(all, id)?;
    if past.is_settled() {
        let why = format!("is {}, not unfinished; `fipscope journal` lists all", past.state.word());
        return Err(Error::NoSuchChange { id, why });
    }
    Ok(past)
}

fn find(all: &[Past], id: u64) -> Result<&Past, Error> {
    let found = all.iter().rev().find(|past| past.id == id);
    found.ok_or_else(|| Error::NoSuchChange {
        id,
        why: match all.last() {
            Some(last) => format!("is not in the journal; the last one is {}", last.id),
            None => "is not in the journal, which is empty".to_owned(),
        },
    })
}
