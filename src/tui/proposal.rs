//! A change of the node on the screen: proposed, under way, over. The plan step
//! by step, what to know before it is done, and how far each step came.

use std::net::IpAddr;
use std::sync::Arc;

use super::findings::FindingId;
use super::list::List;
use super::overview::FipId;
use super::state::Node;
use super::words::{Mark, count};
use crate::check::{Applicability, Finding};
use crate::net::{Snapshot, printable};
use crate::plan::journal::{Aim, Entry, Past, StepState};
use crate::plan::{Associate, Plan, Remove, Step, associate, remove, repair};

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
    /// What has to be typed before it is done, where that could drop traffic:
    /// the floating IP, else `yes`.
    pub fn consent(&self) -> Option<String> {
        if self.plan.applicability == Applicability::Safe && self.plan.warnings.is_empty() {
            return None;
        }
        Some(self.aim.deliver.first().map_or_else(|| "yes".to_owned(), IpAddr::to_string))
    }
}

impl Wanted {
    /// What for, in a few words.
    pub fn title(&self) -> String {
        match self {
            Self::Mended(ids) => match ids.as_slice() {
                [one] => format!("repair {}", printable(&one.id, 80)),
                many => format!("repair {}", count(many.len(), "finding", "findings")),
            },
            Self::Working(fip) => format!("repair {}", fip.label()),
            Self::Associated(wanted) => format!("associate {} with {}", wanted.floating_ip, wanted.fixed_ip),
            Self::Removed(wanted) => format!("remove {}", wanted.floating_ip),
            Self::Undone(past) => format!("undo change {}", past.id),
            Self::Completed(past) => format!("complete change {}", past.id),
        }
    }

    fn order(&self, node: &Node) -> Result<Order, String> {
        let seen = node.snapshot.clone();
        let (plan, aim) = match self {
            Self::Mended(ids) => {
                let all = &node.judged.findings;
                let found: Vec<&Finding> = all.iter().filter(|finding| ids.iter().any(|id| id.is(finding))).collect();
                mending(&found, node)?
            }
            Self::Working(fip) => {
                let fip = fip.find(&node.topology).ok_or("this floating IP is not on the node any more")?;
                let found: Vec<&Finding> = node.judged.roots_of(fip).collect();
                mending(&found, node)?
            }
            Self::Associated(wanted) => {
                let plan = associate(&node.snapshot, &node.topology, wanted).map_err(|why| why.to_string())?;
                (plan, Aim { gone: Vec::new(), deliver: vec![wanted.floating_ip] })
            }
            Self::Removed(wanted) => {
                let plan = remove(&node.snapshot, &node.topology, wanted).map_err(|why| why.to_string())?;
                (plan, Aim::default())
            }
            Self::Undone(past) => (past.way_back().0, Aim::default()),
            Self::Completed(past) => {
                let mut rest = Plan::new(past.intent.clone());
                for step in past.steps.iter().filter(|step| step.state != StepState::Done) {
                    rest.push(&step.planned.place, step.planned.action.clone());
                }
                (rest, past.aim.clone())
            }
        };
        Ok(Order { plan, seen, aim })
    }
}

/// The plan that mends these roots and what follows from them.
fn mending(roots: &[&Finding], node: &Node) -> Result<(Plan, Aim), String> {
    let all = &node.judged.findings;
    let wanted: Vec<&Finding> = roots.iter().flat_map(|root| repair::together(root, all)).collect();
    if wanted.is_empty() {
        return Err("nothing is wrong here any more".to_owned());
    }
    let plan = repair::plan(&wanted, &node.snapshot);
    if plan.steps.is_empty() {
        let by_hand = repair::by_hand(&wanted, &node.snapshot);
        return Err(match by_hand.as_slice() {
            [] => "no command on this node mends it; x on the finding says what does".to_owned(),
            sentences => sentences.join("\n"),
        });
    }
    let mut deliver: Vec<IpAddr> = wanted.iter().filter_map(|finding| finding.floating_ip).collect();
    deliver.sort_unstable();
    deliver.dedup();
    let gone = wanted.iter().map(|finding| finding.id.clone()).collect();
    Ok((plan, Aim { gone, deliver }))
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
        let fresh = self.wanted.order(node).map(Arc::new);
        let plan = |order: &Result<Arc<Order>, String>| order.as_ref().map(|order| order.plan.clone()).ok();
        let is_same = plan(&fresh) == plan(&self.order);
        self.stage = Stage::Shown(changed || !is_same);
        self.order = fresh;
    }

    /// A line of the journal: something happens to a step.
    pub fn told(&mut self, entry: Entry) {
        match (entry, &mut self.past) {
            (Entry::Begin(begin), _) => self.past = Some(Past::from(*begin)),
            (entry, Some(past)) => past.take(entry),
            (_, None) => {}
        }
    }

    /// Its steps.
    pub fn steps(&self) -> &[Step] {
        self.order.as_ref().map_or(&[], |order| &order.plan.steps)
    }

    /// How far a step came, by its place in the plan.
    pub fn state(&self, at: usize) -> StepState {
        let step = self.past.as_ref().and_then(|past| past.steps.get(at));
        let already = self.steps().get(at).is_some_and(|step| step.already);
        step.map_or(if already { StepState::Skipped } else { StepState::Planned }, |step| step.state)
    }

    /// Why a step failed.
    pub fn error(&self, at: usize) -> Option<&str> {
        self.past.as_ref()?.steps.get(at)?.error.as_deref()
    }

    /// The answer of the screen.
    pub fn answer(&self) -> (Mark, String) {
        match (&self.order, &self.stage) {
            (_, Stage::Refused(why)) => (Mark::Broken, format!("Nothing was done: {}", why.replace('\n', "; "))),
            (Err(why), _) => (Mark::None, why.replace('\n', "; ")),
            (Ok(order), Stage::Shown(renewed)) => {
                let steps = count(order.plan.to_do().count(), "step", "steps");
                let renewed = if *renewed { "The node changed and the plan was made anew: " } else { "" };
                (Mark::None, format!("{renewed}{steps}, nothing else changes"))
            }
            (Ok(order), Stage::Running) => {
                let past = self
                    .past
                    .as_ref()
                    .map_or(0, |past| past.steps.iter().filter(|step| step.state != StepState::Planned).count());
                (Mark::Unknown, format!("Under way: step {past} of {}", order.plan.steps.len()))
            }
            (Ok(_), Stage::Over(verified, None)) => {
                let id = self.past.as_ref().map_or(0, |past| past.id);
                let back = if matches!(self.wanted, Wanted::Undone(_)) { "" } else { ", u takes it back" };
                if *verified {
                    (Mark::Ok, format!("Done and verified; change {id} of the journal{back}"))
                } else {
                    (Mark::Degraded, format!("Done; change {id} of the journal"))
                }
            }
            (Ok(_), Stage::Over(_, Some(why))) => (Mark::Broken, format!("Failed: {}", why.replace('\n', "; "))),
        }
    }
}
