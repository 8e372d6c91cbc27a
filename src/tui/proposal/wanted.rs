//! What is wanted of the node, and the order that brings it about: the plan by
//! a reading, what it is for, what to know before.

use std::net::IpAddr;

use super::{Each, Order};
use crate::check::Finding;
use crate::net::{ConntrackEntry, Mac, NetnsName};
use crate::plan::journal::{Aim, Past, State as PastState, StepState};
use crate::plan::repair::Mending;
use crate::plan::{Associate, Due, Plan, Refused, Rehearsal, Remove, associate, due, forget, remove};
use crate::tui::findings::FindingId;
use crate::tui::overview::FipId;
use crate::tui::state::Node;
use crate::tui::words::count;

/// What is wanted of the node.
#[derive(Clone, Debug, PartialEq)]
pub enum Wanted {
    /// That these root causes go, with what follows from them.
    Mended(Vec<FindingId>),
    /// That everything that is wrong with a floating IP goes.
    Working(FipId),
    /// That what is wrong with one link of a floating IP's chain goes.
    Link(FipId, FindingId),
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

impl Wanted {
    /// What for, in a few words.
    pub fn title(&self) -> String {
        match self {
            Self::Mended(ids) => match ids.as_slice() {
                [one] => format!("repair {}", one.label()),
                many => format!("repair {}", count(many.len(), "finding", "findings")),
            },
            Self::Working(fip) => format!("repair {}", fip.label()),
            Self::Link(_, root) => format!("repair {}", root.label()),
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

    /// It ends a change that has no end, even where no step is left to be done.
    pub(in crate::tui) fn settles(&self) -> bool {
        matches!(self, Self::Undone(past) | Self::Completed(past) if !past.is_settled())
    }

    /// Who has to be asked of before: an association's floating IP may be
    /// somebody's already.
    pub(in crate::tui) fn answered_by(&mut self) -> Option<&mut Vec<Mac>> {
        match self {
            Self::Associated(wanted) => Some(&mut wanted.answered_by),
            _ => None,
        }
    }

    /// The order by a reading, or why there is none.
    pub(super) fn order(&self, node: &Node) -> Result<Order, String> {
        let all = &node.judged.findings;
        let roots_of = |fip: &FipId| -> Result<Vec<&Finding>, String> {
            let fip = fip.find(&node.topology).ok_or("this floating IP is not on the node any more")?;
            Ok(node.judged.roots_of(fip).collect())
        };
        match self {
            Self::Mended(ids) => {
                let found: Vec<&Finding> = all.iter().filter(|finding| ids.iter().any(|id| id.is(finding))).collect();
                mending(&found, node)
            }
            Self::Working(fip) => match roots_of(fip)?.as_slice() {
                [] => Err("nothing is wrong here".to_owned()),
                roots => mending(roots, node),
            },
            Self::Link(fip, root) => {
                let roots = roots_of(fip)?;
                let found: Vec<&Finding> = all.iter().filter(|finding| root.is(finding)).collect();
                let mut order = mending(&found, node)?;
                let others = roots.iter().filter(|other| !root.is(other)).count();
                if others > 0 {
                    let others = count(others, "other root cause", "other root causes");
                    order.notes.push(format!("{others} of {} stays; A mends all of them.", fip.label()));
                }
                Ok(order)
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
            Self::Undone(past) => undoing(past, node),
            Self::Completed(past) => completing(past, node),
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
    let each = one_by_one(roots, &mending.plan, node);
    if !each.roots.is_empty() {
        notes.push("Each is a change of its own, and the node is judged again before the next.".to_owned());
    }
    let (aim, word, roots) = (mending.aim(&node.snapshot), mending.word(), roots.len());
    Ok(Order { word, roots, each, notes, ..Order::of(mending.plan, aim, node) })
}

/// Several root causes, which are mended one after the other: as shown together,
/// or as each is by itself.
fn one_by_one(roots: &[&Finding], whole: &Plan, node: &Node) -> Each {
    let mut each = Each::default();
    if roots.len() > 1 {
        each.roots = roots.iter().map(|root| FindingId::from(*root)).collect();
        each.shown.add(whole);
        for root in roots {
            each.shown.add(&Mending::of(&[*root], &node.judged.findings, &node.snapshot).plan);
        }
    }
    each
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
    let mut notes = match wanted.with_pair {
        true => vec!["P leaves the router's pair.".to_owned()],
        false if of(&Remove { with_pair: true, ..wanted.clone() }).is_ok() => {
            vec!["The router's pair stays; P takes it along, as this is the router's last floating IP.".to_owned()]
        }
        false => Vec::new(),
    };
    notes.push(match wanted.neutron {
        None => "N says whether Neutron has it.".to_owned(),
        Some(_) => "N says otherwise, or nothing.".to_owned(),
    });
    Ok(Order { word: Some(wanted.floating_ip.to_string()), notes, ..Order::of(plan, Aim::default(), node) })
}

/// The plan that takes a change back. One that was done is taken back only where
/// the node still is as it left it.
fn undoing(past: &Past, node: &Node) -> Result<Order, String> {
    let (plan, nothing) = past.way_back();
    if past.state == PastState::Done {
        let all = plan.steps.iter().zip(due(&plan, &node.snapshot));
        let differing: Vec<String> = all
            .filter_map(|(step, due)| match due {
                Due::Do => None,
                Due::Already => Some(format!("so already: {}", step.description)),
                Due::Changed(what) => Some(what),
            })
            .collect();
        if !differing.is_empty() {
            return Err(format!("the node is not as change {} left it: {}", past.id, differing.join("\n")));
        }
    }
    if plan.steps.is_empty() && past.is_settled() {
        return Err(format!("nothing of change {} is left that could be taken back", past.id));
    }
    let word = past.aim.deliver.first().map(IpAddr::to_string);
    let notes = nothing.into_iter().map(|sentence| format!("Nothing takes this back: {sentence}")).collect();
    Ok(Order { word, notes, ..Order::of(plan, Aim::default(), node) })
}

/// The rest of a change; steps that were done are so already.
fn completing(past: &Past, node: &Node) -> Result<Order, String> {
    let is_going_back = |state| matches!(state, StepState::Undoing | StepState::Undone | StepState::Failed);
    if past.steps.iter().any(|step| is_going_back(step.state)) {
        return Err(format!("change {} was being taken back already: u in the journal goes on with that", past.id));
    }
    let mut plan = Plan::new(past.intent.clone());
    let (mut rehearsal, mut differing) = (Rehearsal::of(&node.snapshot), Vec::new());
    for step in &past.steps {
        let (place, action) = (&step.planned.place, &step.planned.action);
        plan.push(place, action.clone());
        let due = match step.state {
            StepState::Done | StepState::Skipped => Due::Already,
            _ => rehearsal.next(place, action),
        };
        if let Some(last) = plan.steps.last_mut() {
            last.already = due == Due::Already;
        }
        if let Due::Changed(what) = due {
            differing.push(what);
        }
    }
    if !differing.is_empty() {
        return Err(format!("the rest of change {} cannot be done any more: {}", past.id, differing.join("\n")));
    }
    Ok(Order::of(plan, past.aim.clone(), node))
}
