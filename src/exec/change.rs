//! A plan carried out on a node that others use: validated, written down step
//! by step, verified; or taken back.

use std::io;
use std::thread;

use jiff::Timestamp;

use crate::check::judge;
use crate::net::Snapshot;
use crate::plan::journal::{Aim, Begin, Entry, Outcome, Past};
use crate::plan::{Action, Due, Plan, due, simulate, table_of};
use crate::topology::Topology;

use super::ahead::Ahead;
use super::journal::{Journal, boot};
use super::lock::NodeLock;
use super::run::{Carried, Run};
use super::scope::Scope;
use super::verify::Expected;
use super::{Error, Site};

/// A plan with what it was made from and is to come to.
#[derive(Clone, Copy, Debug)]
pub struct Order<'a> {
    /// The steps.
    pub plan: &'a Plan,
    /// The reading that the plan was made from.
    pub seen: &'a Snapshot,
    /// What is to be so afterwards.
    pub aim: &'a Aim,
}

/// Carries out a plan. What is so already is left out; where the node is not as
/// the plan saw it, nothing is done. Afterwards the node is read again: if what
/// the plan is for is not so, or something new is wrong, every step is taken
/// back, the last one first.
///
/// `told` hears every line of the journal when it has been written.
///
/// An error says why nothing was done at all.
pub fn change(order: &Order<'_>, site: &Site, told: &mut dyn FnMut(&Entry)) -> Result<Carried, Error> {
    let (lock, past) = site.enter_latest()?;
    nothing_unfinished(&past)?;
    let ahead = Ahead::of(order.plan, &site.netns_dir);
    let scope = Scope::of(order.plan, order.aim, order.seen);
    let fresh = scope.before(order.seen, site);
    let due = validated(order, &fresh)?;
    let journal = Journal::open(&site.folder, true)?;
    let begin = begin(order.plan, order.aim, &past, &fresh, None);
    let mut run = Run::begin(site, (lock, journal, ahead), begin, &fresh, told)?;
    let foresee = || Expected::of(order.aim, &fresh, &simulate(order.plan, &fresh));
    let (done, expected) = meanwhile(foresee, || run.forward(&due));
    let failure = match (done, expected) {
        (Ok(()), Some(expected)) => expected.wait(site, || Ok(scope.after(&fresh, site))).err(),
        (Ok(()), None) => Some("what comes of it could not be foreseen; please report it with a snapshot".to_owned()),
        (Err(why), _) => Some(why),
    };
    let Some(why) = failure else { return Ok(run.end(Outcome::Done, true, None)) };
    let outcome = if run.back() { Outcome::RolledBack } else { Outcome::Half };
    Ok(run.end(outcome, false, Some(why)))
}

/// Does one thing here, and has another thought out on a thread of its own;
/// `None` where that failed.
fn meanwhile<T, E: Send>(think: impl FnOnce() -> E + Send, work: impl FnOnce() -> T) -> (T, Option<E>) {
    thread::scope(|scope| {
        let thinking = thread::Builder::new().name("foresight".to_owned()).spawn_scoped(scope, think);
        let done = work();
        (done, thinking.ok().and_then(|thinking| thinking.join().ok()))
    })
}

/// Carries out the taking back of a change that was made: if the node still is
/// as that change left it. Where it then is not as it was before the change, the
/// taking back is taken back itself.
pub(super) fn reverse(
    past: &[Past],
    undone: &Past,
    site: &Site,
    lock: NodeLock,
    told: &mut dyn FnMut(&Entry),
) -> Result<Carried, Error> {
    let (plan, _) = undone.way_back();
    let ahead = Ahead::of(&plan, &site.netns_dir);
    let fresh = site.read()?;
    let wanted = due(&plan, &fresh);
    let differs = |due: &Due, command: String| match due {
        Due::Do => None,
        Due::Already => Some(format!("it is so already: {command}")),
        Due::Changed(what) => Some(what.clone()),
    };
    let steps = plan.steps.iter();
    let differing: Vec<String> =
        steps.zip(&wanted).filter_map(|(step, due)| differs(due, step.description.clone())).collect();
    if !differing.is_empty() {
        let what = format!("left the node otherwise than it is now:\n  {}", differing.join("\n  "));
        return Err(Error::NoSuchChange { id: undone.id, why: what });
    }
    let aim = Aim::default();
    let journal = Journal::open(&site.folder, true)?;
    let begin = begin(&plan, &aim, past, &fresh, Some(undone.id));
    let mut run = Run::begin(site, (lock, journal, ahead), begin, &fresh, told)?;
    if let Err(why) = run.forward(&wanted) {
        let outcome = if run.back() { Outcome::RolledBack } else { Outcome::Half };
        return Ok(run.end(outcome, false, Some(why)));
    }
    // As it was before: what the change did could be done again, all of it.
    let mut again = Plan::new(String::new());
    for step in undone.steps.iter().filter(|step| step.state.is_left()) {
        again.push(&step.planned.place, step.planned.action.clone());
    }
    let looked = super::verify::patiently(|| {
        let now = site.read().map_err(|error| error.to_string())?;
        let is_back = due(&again, &now);
        let left = again.steps.iter().zip(&is_back).filter(|(_, due)| **due != Due::Do);
        let left: Vec<String> = left.map(|(step, _)| format!("\n  still so: {}", step.description)).collect();
        if left.is_empty() { Ok(()) } else { Err(format!("the node is not as it was before:{}", left.concat())) }
    });
    let Err(why) = looked else { return Ok(run.end(Outcome::Done, true, None)) };
    // Whoever came between may have put some of it back already.
    let outcome = if run.back() { Outcome::RolledBack } else { Outcome::Half };
    Ok(run.end(outcome, false, Some(why)))
}

/// Refuses where an earlier change has no end.
pub(super) fn nothing_unfinished(past: &[Past]) -> Result<(), Error> {
    match past.iter().find(|past| !past.is_settled()) {
        Some(past) => Err(Error::Unfinished { id: past.id, intent: past.intent.clone() }),
        None => Ok(()),
    }
}

fn validated(order: &Order<'_>, fresh: &Snapshot) -> Result<Vec<Due>, Error> {
    let due = due(order.plan, fresh);
    let mut what: Vec<String> = due
        .iter()
        .filter_map(|due| match due {
            Due::Changed(what) => Some(what.clone()),
            Due::Do | Due::Already => None,
        })
        .collect();
    // What was so when the plan was made and no longer is has a reason.
    let undone = order.plan.steps.iter().zip(&due).filter(|(step, due)| step.already && **due == Due::Do);
    what.extend(undone.map(|(step, _)| format!("no longer so: {}", step.description)));
    for step in &order.plan.steps {
        let Action::Netfilter(edit) = &step.action else { continue };
        let table = |snapshot: &Snapshot| step.netns.seen(snapshot).map(|netns| table_of(netns, edit));
        if table(order.seen) != table(fresh) {
            what.push(format!("the table {} of {} is not what it was", edit.table, step.netns));
        }
    }
    if what.is_empty() && mended_meanwhile(order, fresh) {
        what.push("what was to be mended is right by now".to_owned());
    }
    if what.is_empty() { Ok(due) } else { Err(Error::Changed { what }) }
}

/// Whether none of the findings is there any more: the agent was at work when the
/// node was read, and what is done now would stand beside what it did.
fn mended_meanwhile(order: &Order<'_>, fresh: &Snapshot) -> bool {
    let stands = |node: &Snapshot| {
        let findings = judge(node, &Topology::of(node));
        findings.iter().any(|finding| order.aim.gone.contains(&finding.id))
    };
    // Those that only the wire decides no reading shows.
    !order.aim.gone.is_empty() && !stands(fresh) && stands(order.seen)
}

fn begin(plan: &Plan, aim: &Aim, past: &[Past], fresh: &Snapshot, undoes: Option<u64>) -> Begin {
    Begin {
        id: past.iter().map(|past| past.id).max().unwrap_or(0) + 1,
        at: Timestamp::now(),
        node: fresh.node.clone(),
        boot: boot(),
        snapshot: digest(fresh),
        intent: plan.intent.clone(),
        undoes,
        aim: aim.clone(),
        steps: Begin::planned(plan),
    }
}

/// FNV-1a of the reading without counters and times.
fn digest(snapshot: &Snapshot) -> String {
    struct Fnv(u64);
    impl io::Write for Fnv {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            for byte in bytes {
                self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
            }
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut hash = Fnv(0xcbf2_9ce4_8422_2325);
    // Paths that are no text leave a digest of what comes before them.
    let _ = serde_json::to_writer(&mut hash, &snapshot.settled());
    format!("{:016x}", hash.0)
}
