//! A change of the node on the screen: proposed, under way, over. The plan step
//! by step, what to know before it is done, and how far each step came.

use std::net::IpAddr;
use std::sync::Arc;

use super::findings::FindingId;
use super::list::List;
use super::overview::FipId;
use super::state::Node;
use super::words::{Mark, count, one_line};
use crate::check::{Applicability, Finding};
use crate::net::{ConntrackEntry, NetnsName, Snapshot};
use crate::plan::journal::{Aim, Entry, Outcome, Past, PastStep, State as PastState, StepState};
use crate::plan::repair::Mending;
use crate::plan::{Associate, Plan, Refused, Remove, Step, associate, forget, remove};

/// What is wanted of the node.
#[derive(Clone, Debug, PartialEq)]
pub enum Wanted {
    /// That these root causes go, with what follows from them.
    Mended(Vec<FindingId>),
    /// That everything that is wrong with a floating IP goes.
    Working(FipId),
    /// A floating IP for a fixed one.
    Associated(Box<Associate>),
    /// A floating IP gone.
    Removed(Box<Remove>),
    /// These tracked connections of a floating IP forgotten.
    Forgotten(FipId, Vec<(NetnsName, ConntrackEntry)>),
    /// A change of the past taken back.
    Undone(Box<Past>),
    /// The rest of a change that has no end.
    Completed(Box<Past>),
}

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

/// A change proposed.
#[derive(Clone, Debug, PartialEq)]
pub struct Proposal {
    /// What for.
    pub wanted: Wanted,
    /// The plan, or why there is none.
    pub order: Result<Arc<Order>, String>,
    /// What became of the steps, once it has begun.
    pub past: Option<Past>,
    /// How far it is.
    pub stage: Stage,
    /// Cursor and scroll offset in the steps.
    pub list: List,
}

impl Order {
    /// An order for that plan alone.
    fn of(plan: Plan, aim: Aim, node: &Node) -> Self {
        Self { plan, seen: node.snapshot.clone(), aim, word: None, roots: 0, notes: Vec::new() }
    }

    /// What has to be typed before it is done, where that could drop traffic:
    /// the floating IP, else `yes`.
    pub fn consent(&self) -> Option<String> {
        if self.plan.applicability == Applicability::Safe && self.plan.warnings.is_empty() {
            return None;
        }
        Some(self.word.clone().unwrap_or_else(|| "yes".to_owned()))
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

impl Wanted {
    /// What for, in a few words.
    pub fn title(&self) -> String {
        match self {
            Self::Mended(ids) => match ids.as_slice() {
                [one] => format!("repair {}", one.label()),
                many => format!("repair {}", count(many.len(), "finding", "findings")),
            },
            Self::Working(fip) => format!("repair {}", fip.label()),
            Self::Associated(wanted) => format!("associate {} with {}", wanted.floating_ip, wanted.fixed_ip),
            Self::Removed(wanted) => {
                let pair = if wanted.with_pair { " and the router's pair" } else { "" };
                format!("remove {}{pair}", wanted.floating_ip)
            }
            Self::Forgotten(fip, entries) => {
                format!("forget {} of {}", count(entries.len(), "connection", "connections"), fip.label())
            }
            Self::Undone(past) => format!("undo change {}", past.id),
            Self::Completed(past) => format!("complete change {}", past.id),
        }
    }

    fn order(&self, node: &Node) -> Result<Order, String> {
        match self {
            Self::Mended(ids) => {
                let all = &node.judged.findings;
                let found: Vec<&Finding> = all.iter().filter(|finding| ids.iter().any(|id| id.is(finding))).collect();
                mending(&found, node)
            }
            Self::Working(fip) => {
                let fip = fip.find(&node.topology).ok_or("this floating IP is not on the node any more")?;
                let found: Vec<&Finding> = node.judged.roots_of(fip).collect();
                mending(&found, node)
            }
            Self::Associated(wanted) => {
                let plan = associate(&node.snapshot, &node.topology, wanted).map_err(|why| why.to_string())?;
                let aim = Aim { gone: Vec::new(), deliver: vec![wanted.floating_ip] };
                Ok(Order { word: Some(wanted.floating_ip.to_string()), ..Order::of(plan, aim, node) })
            }
            Self::Removed(wanted) => removing(wanted, node),
            Self::Forgotten(fip, entries) => {
                let plan = forget(&fip.label(), entries.iter().map(|(name, entry)| (name, entry)));
                Ok(Order { word: fip.floating.map(|it| it.to_string()), ..Order::of(plan, Aim::default(), node) })
            }
            Self::Undone(past) => Ok(undoing(past, node)),
            Self::Completed(past) => Ok(Order::of(rest(past), past.aim.clone(), node)),
        }
    }
}

/// The plan that mends these roots and what follows from them.
fn mending(roots: &[&Finding], node: &Node) -> Result<Order, String> {
    if roots.is_empty() {
        return Err("nothing is wrong here any more".to_owned());
    }
    let mending = Mending::of(roots, &node.judged.findings, &node.snapshot);
    let by_hand = mending.by_hand(&node.snapshot).into_iter().map(|sentence| format!("By hand: {sentence}"));
    if mending.plan.steps.is_empty() {
        let sentences: Vec<String> = by_hand.collect();
        return Err(match sentences.as_slice() {
            [] => "no command on this node mends it; x on the finding says what does".to_owned(),
            sentences => sentences.join("\n"),
        });
    }
    let mut notes: Vec<String> = by_hand.collect();
    for root in roots {
        let sentence = match roots {
            [_] => format!("The L3 agent {}.", root.agent.sentence()),
            _ => format!("{}: the L3 agent {}.", root.code, root.agent.sentence()),
        };
        if !notes.contains(&sentence) {
            notes.push(sentence);
        }
    }
    let (aim, word, roots) = (mending.aim(&node.snapshot), mending.word(), roots.len());
    Ok(Order { word, roots, notes, ..Order::of(mending.plan, aim, node) })
}

/// The plan that takes a floating IP away, and what could become of the pair.
fn removing(wanted: &Remove, node: &Node) -> Result<Order, String> {
    let of = |wanted: &Remove| remove(&node.snapshot, &node.topology, wanted);
    let plan = of(wanted).map_err(|why| match why {
        Refused::PairInUse { others, .. } => {
            let others = count(others.len(), "other floating IP", "other floating IPs");
            format!("the router's pair serves {others}, too: P leaves it")
        }
        why => why.to_string(),
    })?;
    let notes = match wanted.with_pair {
        true => vec!["P leaves the router's pair.".to_owned()],
        false if of(&Remove { with_pair: true, ..wanted.clone() }).is_ok() => {
            vec!["The router's pair stays; P takes it along, as this is the router's last floating IP.".to_owned()]
        }
        false => Vec::new(),
    };
    Ok(Order { word: Some(wanted.floating_ip.to_string()), notes, ..Order::of(plan, Aim::default(), node) })
}

/// The plan that takes a change back. What that change brought about ends.
fn undoing(past: &Past, node: &Node) -> Order {
    let (mut plan, nothing) = past.way_back();
    for address in &past.aim.deliver {
        plan.applicability = Applicability::NeedsConsent;
        plan.warnings.push(format!("Traffic of {address} stops, as before that change."));
    }
    let word = past.aim.deliver.first().map(IpAddr::to_string);
    let notes = nothing.into_iter().map(|sentence| format!("Nothing takes this back: {sentence}")).collect();
    Order { word, notes, ..Order::of(plan, Aim::default(), node) }
}

/// A change's steps; those that were done are so already.
fn rest(past: &Past) -> Plan {
    let mut plan = Plan::new(past.intent.clone());
    for step in &past.steps {
        plan.push(&step.planned.place, step.planned.action.clone());
        if let Some(last) = plan.steps.last_mut() {
            last.already = matches!(step.state, StepState::Done | StepState::Skipped);
        }
    }
    plan
}

impl Proposal {
    /// A plan for what is wanted, by the reading at hand.
    pub fn of(wanted: Wanted, node: &Node) -> Self {
        let order = wanted.order(node).map(Arc::new);
        Self { wanted, order, past: None, stage: Stage::Shown(false), list: List::default() }
    }

    /// Another reading: the plan is made anew while nothing was done.
    pub fn rebuild(&mut self, node: &Node) {
        let Stage::Shown(changed) = self.stage else { return };
        if self.order.as_ref().is_ok_and(|order| Arc::ptr_eq(&order.seen, &node.snapshot)) {
            return;
        }
        let fresh = self.wanted.order(node).map(Arc::new);
        let plan = |order: &Result<Arc<Order>, String>| order.as_ref().map(|order| order.plan.clone()).ok();
        let is_same = plan(&fresh) == plan(&self.order);
        self.stage = Stage::Shown(changed || !is_same);
        self.order = fresh;
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
            (Entry::Begin(begin), _) => self.past = Some(Past::from(*begin)),
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
        self.step(at)?.error.as_deref()
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

    /// The answer of the screen.
    pub fn answer(&self) -> (Mark, String) {
        let order = match (&self.order, &self.stage) {
            (_, Stage::Refused(why)) => return (Mark::Broken, format!("Nothing was done: {}", one_line(why))),
            (Err(why), _) => return (Mark::None, one_line(why)),
            (Ok(order), _) => order,
        };
        match &self.stage {
            Stage::Shown(renewed) => {
                let renewed = if *renewed { "The node changed and the plan was made anew: " } else { "" };
                let then = match order.consent() {
                    None => "Enter carries it out".to_owned(),
                    Some(word) => format!("Enter asks for the word {word} first"),
                };
                (Mark::None, format!("{renewed}{}, nothing else changes; {then}", order.extent()))
            }
            Stage::Running => {
                let over = (0..order.plan.steps.len()).filter(|at| self.state(*at) != StepState::Planned).count();
                (Mark::Unknown, format!("Under way: step {over} of {}", order.plan.steps.len()))
            }
            Stage::Over(verified, None) => {
                let id = self.past.as_ref().map_or(0, |past| past.id);
                let back = if matches!(self.wanted, Wanted::Undone(_)) { "" } else { ", u takes it back" };
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
                (Mark::Broken, format!("{left}: {}", one_line(why)))
            }
        }
    }

    /// The floating IP that it is about, where it is there afterwards.
    pub fn chain(&self) -> Option<Chained> {
        match &self.wanted {
            Wanted::Working(fip) => Some(Chained::Fip(fip.clone())),
            Wanted::Associated(wanted) => Some(Chained::Address(wanted.floating_ip)),
            Wanted::Mended(ids) => Some(Chained::Address(ids.first()?.floating_ip?)),
            Wanted::Forgotten(fip, _) => Some(Chained::Fip(fip.clone())),
            Wanted::Removed(_) | Wanted::Undone(_) | Wanted::Completed(_) => None,
        }
    }
}

/// Whose chain shows what a change came to.
#[derive(Clone, Debug, PartialEq)]
pub enum Chained {
    /// One that was there before.
    Fip(FipId),
    /// The one with this floating IP.
    Address(IpAddr),
}
