//! A change under way: each step is written down, done, and written down again.

use std::path::PathBuf;

use jiff::Timestamp;

use crate::net::netfilter::Table;
use crate::net::{Netns, Snapshot};
use crate::plan::journal::{Back, Begin, Entry, Event, Outcome, Past, PastStep, StepState};
use crate::plan::{Action, Due, Object, Place, Rehearsal, TableEdit, overwritten, table_of};

use super::ahead::Ahead;
use super::journal::Journal;
use super::lock::{AgentLock, NodeLock, PATIENCE, agent_locks};
use super::{Cause, Error, Site, Writer, settle};

/// What became of a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Carried {
    /// The change, with what became of each step.
    pub past: Past,
    /// The node was read again, and what the change is for is so.
    pub verified: bool,
    /// Why it failed, if it did.
    pub failure: Option<String>,
}

impl Carried {
    /// How it ended.
    pub fn outcome(&self) -> Outcome {
        self.past.outcome.unwrap_or(Outcome::Half)
    }
}

/// A change under way.
pub(super) struct Run<'t> {
    _lock: NodeLock,
    journal: Journal,
    writer: Writer,
    site: Site,
    agent_locks: Option<PathBuf>,
    rehearsal: Rehearsal,
    past: Past,
    told: &'t mut dyn FnMut(&Entry),
    journal_failed: Option<String>,
}

impl<'t> Run<'t> {
    /// Begins a new one, with the programs that were started for it.
    pub(super) fn begin(
        site: &Site,
        held: (NodeLock, Journal, Ahead),
        begin: Begin,
        fresh: &Snapshot,
        told: &'t mut dyn FnMut(&Entry),
    ) -> Result<Self, Error> {
        let (lock, journal, ahead) = held;
        let mut run = Self::resume(site, (lock, journal), Past::from(begin.clone()), fresh, told)?;
        run.writer = Writer::after(ahead, site.netns_dir.clone());
        let entry = Entry::Begin(Box::new(begin));
        // The first line about a step that outlives a restart of the node takes this one to the disk with it.
        run.journal.write(&entry, false)?;
        (run.told)(&entry);
        Ok(run)
    }

    /// Goes on with one that has no end. Refused where a packet filter is to be
    /// changed beside an agent whose locks are not found.
    pub(super) fn resume(
        site: &Site,
        (lock, journal): (NodeLock, Journal),
        past: Past,
        fresh: &Snapshot,
        told: &'t mut dyn FnMut(&Entry),
    ) -> Result<Self, Error> {
        let agent_locks = match agent_locks(fresh) {
            Ok(locks) => locks,
            Err(_) if !past.steps.iter().any(filters) => None,
            Err(why) => return Err(Error::NoAgentLock { why }),
        };
        Ok(Self {
            _lock: lock,
            journal,
            writer: Writer::new(site.netns_dir.clone()),
            site: site.clone(),
            agent_locks,
            rehearsal: Rehearsal::of(fresh),
            past,
            told,
            journal_failed: None,
        })
    }

    /// Does what is due, in order; the error says at what it stopped.
    pub(super) fn forward(&mut self, due: &[Due]) -> Result<(), String> {
        for (at, due) in due.iter().enumerate() {
            let Some(step) = self.past.steps.get(at).cloned() else { continue };
            let (place, action, id) = (&step.planned.place, &step.planned.action, step.planned.id);
            if matches!(step.state, StepState::Done | StepState::Skipped) {
                continue;
            }
            if let Due::Already = due {
                let was_begun = step.state == StepState::Doing;
                self.note(id, if was_begun { Event::Done } else { Event::Skipped }, false);
                continue;
            }
            let done = match due {
                Due::Changed(what) => Err(what.clone()),
                _ => self.anew(&step).and_then(|()| self.step(id, place, action)).map_err(|cause| cause.to_string()),
            };
            self.rehearsal.next(place, action);
            if let Err(why) = done {
                self.note(id, Event::Failed(why.clone()), false);
                return Err(format!("step {id} in {place} failed: {}: {why}", step.planned.description));
            }
            if let Some(why) = self.journal_failed.take() {
                return Err(why);
            }
        }
        let done = self.past.steps.iter().filter(|step| step.state == StepState::Done);
        settle(&mut self.writer, done.map(|step| (&step.planned.place, &step.planned.action)));
        Ok(())
    }

    /// Takes away what an announcement left that was cut short.
    fn anew(&mut self, step: &PastStep) -> Result<(), Cause> {
        let PastStep { planned, back: Some(Back::Action(back)), .. } = step else { return Ok(()) };
        if !matches!(planned.action, Action::Announce { .. }) {
            return Ok(());
        }
        match self.writer.perform(&planned.place, back) {
            Err(Cause::Kernel { errno: libc::EADDRNOTAVAIL, .. }) => Ok(()),
            other => other.map(drop),
        }
    }

    /// One step, with its lines before and after.
    fn step(&mut self, id: u32, place: &Place, action: &Action) -> Result<(), Cause> {
        let known = self.writer.known(place, action)?;
        let lasts = lasts(action);
        let back = self.back_of(place, &known);
        self.note(id, Event::Doing(back), lasts);
        if let Some(why) = self.journal_failed.take() {
            return Err(Cause::Io { what: "journal".to_owned(), source: std::io::Error::other(why) });
        }
        let expected = match action {
            Action::Netfilter(edit) => self.rehearsal.table(place, edit),
            _ => None,
        };
        self.perform(place, &known, expected)?;
        self.note(id, Event::Done, lasts);
        Ok(())
    }

    /// What takes an action back. A permanent neighbour that is overwritten comes
    /// back by being written again.
    fn back_of(&self, place: &Place, action: &Action) -> Back {
        let netns = place.seen(self.rehearsal.snapshot());
        match netns.and_then(|netns| overwritten(netns, action)) {
            Some(old) => Back::Action(Action::Add(Object::Neigh(old.clone()))),
            None => Back::from(action.inverse()),
        }
    }

    /// Does one action; a change of the packet filter under the agent's lock, of a
    /// legacy table under that of all such tables too, and only where the table is
    /// what is expected, if anything is.
    fn perform(
        &mut self,
        place: &Place,
        action: &Action,
        expected: Option<Result<Option<Table>, String>>,
    ) -> Result<(), Cause> {
        let Action::Netfilter(edit) = action else { return self.writer.perform(place, action).map(drop) };
        let _held = self.agent_locks.as_deref().map(|folder| AgentLock::take(folder, place, PATIENCE)).transpose()?;
        if let Some(expected) = expected {
            // To hold a table makes it, where there is none.
            if matches!(expected, Ok(Some(_))) {
                self.writer.hold(place, edit)?;
            }
            let now = self.table(place, edit);
            if now.as_ref().ok() != Some(&expected) {
                self.writer.let_go();
                return Err(now.err().unwrap_or_else(|| Cause::TableChanged(edit.table.clone())));
            }
        }
        self.writer.perform(place, action).map(drop)
    }

    fn table(&mut self, place: &Place, edit: &TableEdit) -> Result<Result<Option<Table>, String>, Cause> {
        let netns = Netns { netfilter: self.writer.netfilter(place)?, ..Netns::default() };
        Ok(table_of(&netns, edit))
    }

    /// Takes back what was done, the last step first; true where nothing of it
    /// is left. What is so already is left out: others change the node, too, and
    /// the agent takes away what Neutron did not tell it of.
    pub(super) fn back(&mut self) -> bool {
        let mut rehearsal = self.site.read().ok().as_ref().map(Rehearsal::of);
        let left: Vec<_> = self.past.left().cloned().collect();
        let mut is_whole = true;
        for step in left {
            let (id, place) = (step.planned.id, &step.planned.place);
            // What nothing takes back leaves nothing on the node either.
            let Some(Back::Action(action)) = &step.back else { continue };
            let due = rehearsal.as_mut().map_or(Due::Do, |rehearsal| rehearsal.next(place, action));
            let lasts = lasts(action);
            let done = match due {
                Due::Already => Ok(()),
                Due::Changed(what) => Err(what),
                Due::Do => {
                    self.note(id, Event::Undoing, lasts);
                    self.perform(place, action, None).or_else(|cause| self.or_is_so(place, action, &cause))
                }
            };
            is_whole &= done.is_ok();
            self.note(id, done.map_or_else(Event::Stuck, |()| Event::Undone), lasts);
        }
        is_whole
    }

    /// Whether what was refused is so by now: somebody else was faster.
    fn or_is_so(&self, place: &Place, action: &Action, cause: &Cause) -> Result<(), String> {
        let is_so = self.site.read().is_ok_and(|now| Rehearsal::of(&now).next(place, action) == Due::Already);
        if is_so { Ok(()) } else { Err(cause.to_string()) }
    }

    /// The end.
    pub(super) fn end(mut self, outcome: Outcome, verified: bool, failure: Option<String>) -> Carried {
        let lasting = self.past.steps.iter().any(|step| step.back.is_some() && lasts(&step.planned.action));
        self.write(Entry::End { id: self.past.id, at: Timestamp::now(), outcome }, lasting);
        let failure = failure.or(self.journal_failed);
        Carried { past: self.past, verified, failure }
    }

    fn note(&mut self, step: u32, event: Event, sync: bool) {
        self.write(Entry::Step { id: self.past.id, step, at: Timestamp::now(), event }, sync);
    }

    fn write(&mut self, entry: Entry, sync: bool) {
        if let Err(error) = self.journal.write(&entry, sync) {
            self.journal_failed = Some(error.to_string());
        }
        (self.told)(&entry);
        self.past.take(entry);
    }
}

/// Whether a step changes the packet filter, or may yet.
fn filters(step: &PastStep) -> bool {
    matches!(step.planned.action, Action::Netfilter(_)) && !matches!(step.state, StepState::Skipped | StepState::Undone)
}

/// Whether a step outlives a restart of the node. The line about one that does
/// is on the disk before the step is done; a node that stops forgets the others
/// together with all namespaces.
fn lasts(action: &Action) -> bool {
    let (Action::Add(object) | Action::Delete(object)) = action else { return false };
    matches!(object, Object::FileLine { .. } | Object::OvsPort(_))
}
