//! A change of the node on the screen: proposed, under way, over. The plan step
//! by step, what to know before it is done, and how far each step came.

mod rooted;
mod wanted;

use std::net::IpAddr;
use std::sync::Arc;

pub use rooted::{Each, RootState, Rooted};
pub use wanted::Wanted;

use super::list::List;
use super::overview::FipId;
use super::state::Node;
use super::words::{Mark, count, one_line};
use crate::check::Applicability;
use crate::net::{Change, Snapshot, WireAnswer, WireQuestion, changes};
use crate::plan::journal::{Aim, Entry, Outcome, Past, PastStep, State as PastState, StepState};
use crate::plan::{Place, Plan, Step, who_has};

/// Differences that are told at most.
const DIFFERENCES: usize = 4;

/// A plan, the reading that it was made from, and what it is to bring about.
#[derive(Clone, Debug, PartialEq)]
pub struct Order {
    /// The steps.
    pub plan: Plan,
    /// The reading.
    pub seen: Arc<Snapshot>,
    /// What is looked at afterwards.
    pub aim: Aim,
    /// What has to be typed where that could drop traffic.
    pub word: Option<String>,
    /// How many root causes it mends.
    pub roots: usize,
    /// What is mended one after the other, where that is more than one.
    pub each: Each,
    /// What to know besides the plan's own warnings, a sentence each.
    pub notes: Vec<String>,
}

/// How far it is.
#[derive(Clone, Debug, PartialEq)]
pub enum Stage {
    /// Shown, nothing done; true where another reading changed the plan.
    Shown(bool),
    /// Being carried out.
    Running,
    /// Over, and whether what it is for was seen to be so; why it failed.
    Over(bool, Option<String>),
    /// Refused before anything was done.
    Refused(String),
}

/// Whether somebody has an address already.
#[derive(Clone, Debug, PartialEq)]
pub struct Taken {
    /// What is asked.
    pub question: WireQuestion,
    /// What came of it; nothing yet.
    pub answer: Option<WireAnswer>,
}

/// A change proposed.
#[derive(Clone, Debug, PartialEq)]
pub struct Proposal {
    /// What for.
    pub wanted: Wanted,
    /// The plan, or why there is none.
    pub order: Result<Arc<Order>, String>,
    /// What became of the steps, once it has begun.
    pub past: Option<Past>,
    /// How far each root cause is, where several are mended.
    pub rooted: Rooted,
    /// How far it is.
    pub stage: Stage,
    /// What changed on the node when the plan became another one.
    pub differs: Vec<String>,
    /// Who has the address that is to be announced, as the wire is asked while
    /// the plan is read; `None` where nobody is.
    pub taken: Option<Taken>,
    /// It was done just now: the chain that it was for comes with the next reading.
    pub opens: bool,
    /// Cursor and scroll offset in the steps.
    pub list: List,
}

impl Order {
    /// An order for that plan alone.
    fn of(plan: Plan, aim: Aim, node: &Node) -> Self {
        Self { plan, seen: node.snapshot.clone(), aim, word: None, roots: 0, each: Each::default(), notes: Vec::new() }
    }

    /// What has to be typed before it is done, where that could drop traffic:
    /// the floating IP, else `yes`.
    pub fn consent(&self) -> Option<String> {
        if self.plan.applicability == Applicability::Safe && self.plan.warnings.is_empty() {
            return None;
        }
        Some(self.word.clone().unwrap_or_else(|| "yes".to_owned()))
    }

    /// How much it does, and what Enter does; `bar` is why nothing may be changed.
    fn offer(&self, renewed: bool, bar: Option<&str>) -> String {
        let then = match (bar, self.consent()) {
            (Some(why), _) => why.to_owned(),
            (None, None) if renewed => "nothing else changes; Enter takes note of that".to_owned(),
            (None, None) => "nothing else changes; Enter carries it out".to_owned(),
            (None, Some(word)) => format!("nothing else changes; Enter asks for the word {word} first"),
        };
        let lead = if renewed { "The node changed and the plan was made anew: " } else { "" };
        format!("{lead}{}{} {then}", self.extent(), if bar.is_some() { ";" } else { "," })
    }

    /// How much it does: `1 root cause, 2 steps`.
    pub fn extent(&self) -> String {
        let steps = count(self.plan.to_do().count(), "step", "steps");
        match self.roots {
            0 => steps,
            roots => format!("{}, {steps}", count(roots, "root cause", "root causes")),
        }
    }
}

impl Proposal {
    /// A plan for what is wanted, by the reading at hand.
    pub fn of(wanted: Wanted, node: &Node) -> Self {
        let order = wanted.order(node).map(Arc::new);
        let (stage, differs, list) = (Stage::Shown(false), Vec::new(), List::default());
        let rooted = order.as_ref().map(|order| Rooted::of(order)).unwrap_or_default();
        Self { wanted, order, past: None, rooted, stage, differs, taken: None, opens: false, list }
    }

    /// Another reading: the plan is made anew while nothing was done. True where
    /// it is another one.
    pub fn rebuild(&mut self, node: &Node) -> bool {
        if !matches!(self.stage, Stage::Shown(_) | Stage::Refused(_)) {
            return false;
        }
        if self.order.as_ref().is_ok_and(|order| Arc::ptr_eq(&order.seen, &node.snapshot)) {
            return false;
        }
        let fresh = self.wanted.order(node).map(Arc::new);
        let plan = |order: &Result<Arc<Order>, String>| order.as_ref().map(|order| order.plan.clone()).ok();
        let is_same = plan(&fresh) == plan(&self.order);
        if !is_same {
            self.differs = differing(&self.order, &fresh, node);
            if let Stage::Shown(changed) = &mut self.stage {
                *changed = true;
            }
        }
        self.rooted = fresh.as_ref().map(|order| Rooted::of(order)).unwrap_or_default();
        self.order = fresh;
        !is_same
    }

    /// There is a plan, and nothing to do.
    pub fn is_nothing(&self) -> bool {
        let is_done = self.order.as_ref().is_ok_and(|order| order.plan.to_do().next().is_none());
        is_done && !self.wanted.settles()
    }

    /// It is a plan that mends what was found.
    pub fn is_repair(&self) -> bool {
        self.order.is_ok() && matches!(self.wanted, Wanted::Mended(_) | Wanted::Working(_) | Wanted::Link(..))
    }

    /// Enter does it, if nothing bars it.
    pub fn is_ready(&self) -> bool {
        matches!(self.stage, Stage::Shown(_)) && self.order.is_ok() && !self.is_nothing()
    }

    /// It is being carried out, or over.
    pub fn has_begun(&self) -> bool {
        matches!(self.stage, Stage::Running | Stage::Over(..))
    }

    /// What the wire is to be asked before, where it was not yet; it counts as
    /// asked then.
    pub fn asks(&mut self) -> Option<WireQuestion> {
        self.wanted.answered_by()?;
        let order = self.order.as_ref().ok()?;
        match who_has(&order.plan, &order.seen)? {
            Ok(question) if self.taken.as_ref().is_some_and(|taken| taken.question == question) => None,
            Ok(question) => {
                self.taken = Some(Taken { question: question.clone(), answer: None });
                Some(question)
            }
            Err(_) => None,
        }
    }

    /// The wire answered. Where somebody has the address there is no plan any
    /// more; true where that is so.
    pub fn answered(&mut self, question: &WireQuestion, answer: WireAnswer, node: &Node) -> bool {
        let Some(taken) = self.taken.as_mut().filter(|taken| taken.question == *question) else { return false };
        taken.answer = Some(answer.clone());
        let WireAnswer::Answered(replies) = answer else { return false };
        let Some(by) = self.wanted.answered_by() else { return false };
        *by = replies.into_iter().map(|reply| reply.mac).collect();
        if matches!(self.stage, Stage::Shown(_) | Stage::Refused(_)) {
            self.order = self.wanted.order(node).map(Arc::new);
        }
        true
    }

    /// The wire was asked, and nobody can tell yet what it says.
    pub fn is_asking(&self) -> bool {
        self.taken.as_ref().is_some_and(|taken| taken.answer.is_none())
    }

    /// What the wire says to the address that is to be announced.
    pub fn on_the_wire(&self) -> Option<(Mark, String)> {
        let Wanted::Associated(wanted) = &self.wanted else { return None };
        let (order, address) = (self.order.as_ref().ok()?, wanted.floating_ip);
        let not_asked = |why: &str| format!("Whether somebody has {address} already could not be asked: {why}.");
        Some(match (&self.taken, who_has(&order.plan, &order.seen)?) {
            (_, Err(why)) => (Mark::Degraded, not_asked(&why)),
            (None, Ok(_)) => return None,
            (Some(Taken { answer: None, .. }), _) => {
                (Mark::Unknown, format!("Asking the external network whether somebody has {address} already…"))
            }
            (Some(Taken { answer: Some(WireAnswer::NotAsked(why)), .. }), _) => {
                (Mark::Degraded, not_asked(&one_line(why)))
            }
            (Some(_), _) => (Mark::Ok, format!("Nobody on the external network answers for {address}.")),
        })
    }

    /// A line of the journal: something happens to a step.
    pub fn told(&mut self, entry: Entry) {
        if self.past.is_none()
            && let Wanted::Undone(past) | Wanted::Completed(past) = &self.wanted
            && past.id == entry.id()
        {
            // A change without an end goes on; it does not begin.
            self.past = Some((**past).clone());
        }
        match (entry, &mut self.past) {
            (Entry::Begin(begin), past) => self.rooted.earlier.extend(past.replace(Past::from(*begin))),
            (entry, Some(past)) if past.id == entry.id() => past.take(entry),
            _ => {}
        }
    }

    /// The plan, where there is one.
    pub fn plan(&self) -> Option<&Plan> {
        self.order.as_ref().ok().map(|order| &order.plan)
    }

    /// Its steps.
    pub fn steps(&self) -> &[Step] {
        self.order.as_ref().map_or(&[], |order| &order.plan.steps)
    }

    /// How far a step came, by its place in the plan.
    pub fn state(&self, at: usize) -> StepState {
        if let Some(step) = self.steps().get(at).filter(|_| self.rooted.is_any()) {
            return self.together(step);
        }
        let already = self.steps().get(at).is_some_and(|step| step.already);
        let before = if already { StepState::Skipped } else { StepState::Planned };
        let Some(step) = self.step(at) else { return before };
        match (self.goes_back(), step.state) {
            (true, StepState::Undone) => StepState::Done,
            (true, StepState::Undoing) => StepState::Doing,
            (true, _) if step.error.is_some() => StepState::Failed,
            (true, _) => StepState::Planned,
            (false, StepState::Planned) => before,
            (false, state) => state,
        }
    }

    /// Why a step failed.
    pub fn error(&self, at: usize) -> Option<&str> {
        match self.steps().get(at).filter(|_| self.rooted.is_any()) {
            Some(step) => self.together_error(step),
            None => self.step(at)?.error.as_deref(),
        }
    }

    /// Its steps are another change's own, from the last one back.
    fn goes_back(&self) -> bool {
        matches!(&self.wanted, Wanted::Undone(past) if past.state != PastState::Done)
    }

    /// What was written down of a step.
    fn step(&self, at: usize) -> Option<&PastStep> {
        let all = &self.past.as_ref()?.steps;
        match &self.wanted {
            Wanted::Undone(past) if self.goes_back() => {
                let id = past.ways_back().nth(at)?.planned.id;
                all.iter().find(|step| step.planned.id == id)
            }
            _ => all.get(at),
        }
    }

    /// The answer of the screen; `bar` is why nothing may be changed.
    pub fn answer(&self, bar: Option<&str>) -> (Mark, String) {
        let order = match (&self.order, &self.stage) {
            (_, Stage::Refused(why)) => {
                let text = format!("Nothing was done: {}; Enter looks at the plan anew", one_line(why));
                return (Mark::Broken, text);
            }
            (Err(why), _) => {
                let refused = matches!(self.wanted, Wanted::Associated(_) | Wanted::Undone(_) | Wanted::Completed(_));
                return (if refused { Mark::Broken } else { Mark::None }, one_line(why));
            }
            (Ok(order), _) => order,
        };
        match &self.stage {
            Stage::Shown(_) if self.is_nothing() => {
                (Mark::Ok, "All of it is so already: there is nothing to do".to_owned())
            }
            Stage::Shown(_) if order.plan.to_do().next().is_none() => {
                (Mark::None, "No step is left to be done; Enter writes down that the change is over".to_owned())
            }
            Stage::Shown(renewed) => (Mark::None, order.offer(*renewed, bar)),
            Stage::Running if self.rooted.is_any() => {
                let at = self.rooted.under_way().unwrap_or_else(|| "the node is read and judged".to_owned());
                (Mark::Unknown, format!("Under way: {at}"))
            }
            Stage::Running => {
                let over = (0..order.plan.steps.len()).filter(|at| self.state(*at) != StepState::Planned).count();
                (Mark::Unknown, format!("Under way: step {over} of {}", order.plan.steps.len()))
            }
            Stage::Over(verified, None) if self.rooted.is_any() => {
                (if *verified { Mark::Ok } else { Mark::Degraded }, self.rooted.done(self.past.as_ref()))
            }
            Stage::Over(verified, None) => {
                let id = self.past.as_ref().map_or(0, |past| past.id);
                let back = if matches!(self.wanted, Wanted::Undone(_) | Wanted::Forgotten(..)) {
                    ""
                } else {
                    ", u takes it back"
                };
                let (mark, done) = if *verified { (Mark::Ok, "Done and verified") } else { (Mark::Degraded, "Done") };
                let chain = if self.chain().is_some() { "; Enter shows the chain" } else { "" };
                (mark, format!("{done}: change {id} of the journal{back}{chain}"))
            }
            Stage::Over(_, Some(why)) | Stage::Refused(why) => {
                let left = match self.past.as_ref().and_then(|past| past.outcome) {
                    Some(Outcome::RolledBack | Outcome::Undone) => "Failed, and nothing of it is left",
                    Some(Outcome::Half) => "Failed, and some of it is left (J shows what)",
                    _ => "Failed",
                };
                let then = if self.rooted.is_any() { format!("; {}", self.rooted.until_then()) } else { String::new() };
                (Mark::Broken, format!("{left}{then}: {}", one_line(why)))
            }
        }
    }

    /// The floating IP that it is about, where it is there afterwards.
    pub fn chain(&self) -> Option<Chained> {
        match &self.wanted {
            Wanted::Working(fip) | Wanted::Link(fip, _) => Some(Chained::Fip(fip.clone())),
            Wanted::Associated(wanted) => Some(Chained::Address(wanted.floating_ip)),
            Wanted::Mended(ids) => {
                let address = ids.first()?.floating_ip?;
                ids.iter().all(|id| id.floating_ip == Some(address)).then_some(Chained::Address(address))
            }
            Wanted::Completed(past) => past.aim.deliver.first().copied().map(Chained::Address),
            Wanted::Removed(_) | Wanted::Forgotten(..) | Wanted::Undone(_) => None,
        }
    }
}

/// What changed on the node between two plans, in the namespaces that either is
/// about.
fn differing(before: &Result<Arc<Order>, String>, after: &Result<Arc<Order>, String>, node: &Node) -> Vec<String> {
    let Ok(before) = before else { return Vec::new() };
    let orders = [Some(before), after.as_ref().ok()];
    let places: Vec<&Place> =
        orders.into_iter().flatten().flat_map(|order| &order.plan.steps).map(|step| &step.netns).collect();
    let is_about = |change: &Change| places.iter().any(|place| place.name() == change.netns.as_ref());
    let all = changes(&before.seen, &node.snapshot).into_iter();
    let mut told: Vec<String> =
        all.filter(|change| !change.is_flapping() && is_about(change)).map(|change| change.to_string()).collect();
    let more = told.len().saturating_sub(DIFFERENCES);
    if more > 0 {
        told.truncate(DIFFERENCES);
        told.push(format!("{}; e shows all", count(more, "more change", "more changes")));
    }
    told
}

/// Whose chain shows what a change came to.
#[derive(Clone, Debug, PartialEq)]
pub enum Chained {
    /// One that was there before.
    Fip(FipId),
    /// The one with this floating IP.
    Address(IpAddr),
}
