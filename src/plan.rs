//! Intents and ordered steps as data: each with its command line, its inverse and its sentence. Pure.
//!
//! A [`Plan`] is what `exec` carries out and what the screen shows before it
//! does. [`Plan::push`] derives a step's inverse from its action, so the two
//! cannot disagree. The blocks that an association is made of, in the L3
//! agent's own order and forms, are in [`agent`].

mod action;
pub mod agent;
mod associate;
mod bare;
mod command;
mod fit;
mod forget;
mod future;
pub mod journal;
mod netfilter;
mod refused;
mod rehearsal;
mod remove;
pub mod repair;
mod script;
mod sentence;
mod simulate;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use action::{Action, AnnounceBy, LinkSetting, Object, SwitchPort, Undo, Veth, VethEnd};
pub(crate) use action::{HEARD, announced_address};
pub use associate::{Associate, GatewayPort, GatewayPortParts, associate, who_has};
pub use fit::overwritten;
pub use forget::forget;
pub use future::{AgentCase, AgentWill, CaseKind, Neutron, Owner, Told};
pub use netfilter::{ChainEdit, TableEdit};
pub use refused::Refused;
pub use rehearsal::{Due, Rehearsal, due, table_of};
pub use remove::{Remove, remove};
pub use simulate::simulate;

use crate::check::Applicability;
use crate::net::{Netns, NetnsName, Snapshot, printable};

/// Where a step happens.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Place {
    /// The host's own namespace.
    Host,
    /// A named namespace.
    Netns(NetnsName),
}

/// Ordered steps towards one end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// What it is for, in one line.
    pub intent: String,
    /// The steps, in the order in which they are done.
    pub steps: Vec<Step>,
    /// What to know before it is done, a sentence each.
    pub warnings: Vec<String>,
    /// Whether it may be carried out.
    pub applicability: Applicability,
    /// What Neutron says of it, where that matters.
    pub agent: Option<AgentCase>,
}

/// One change of the node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Its number in the plan, from 1.
    pub id: u32,
    /// Where it happens.
    pub netns: Place,
    /// What it is good for, in one sentence.
    pub description: String,
    /// What is done.
    pub action: Action,
    /// What takes it back.
    pub undo: Undo,
    /// The node is so already: it is not done.
    pub already: bool,
    /// What the L3 agent will do to the outcome, where that is known.
    pub agent: Option<AgentWill>,
}

impl Plan {
    /// A plan without steps.
    pub fn new(intent: impl Into<String>) -> Self {
        Self {
            intent: intent.into(),
            steps: Vec::new(),
            warnings: Vec::new(),
            applicability: Applicability::Safe,
            agent: None,
        }
    }

    /// The steps that are to be done: those that are not so already.
    pub fn to_do(&self) -> impl Iterator<Item = &Step> {
        self.steps.iter().filter(|step| !step.already)
    }

    /// Adds a step; its sentence and its inverse follow from the action.
    pub fn push(&mut self, netns: &Place, action: Action) {
        let id = u32::try_from(self.steps.len()).map_or(u32::MAX, |count| count + 1);
        let (description, undo) = (action.sentence(), action.inverse());
        let netns = netns.clone();
        self.steps.push(Step { id, netns, description, action, undo, already: false, agent: None });
    }

    /// The same plan with what is so already at the end, numbered anew.
    fn already_last(self) -> Self {
        let mut sorted = Self { steps: Vec::new(), ..self };
        let (already, to_do): (Vec<Step>, Vec<Step>) = self.steps.into_iter().partition(|step| step.already);
        to_do.into_iter().chain(already).for_each(|step| sorted.push_step(step));
        sorted
    }

    /// Adds a step as it is, numbered on.
    fn push_step(&mut self, step: Step) {
        self.push(&step.netns, step.action);
        if let Some(last) = self.steps.last_mut() {
            (last.already, last.agent, last.undo) = (step.already, step.agent, step.undo);
        }
    }

    /// The plan that takes this one back, the last step first; what nothing takes
    /// back is left out.
    #[must_use]
    pub fn way_back(&self) -> Self {
        let mut back = Self::new(format!("Take back: {}", self.intent));
        for step in self.steps.iter().rev().filter(|step| !step.already) {
            if let Undo::Action(action) = &step.undo {
                back.push(&step.netns, action.clone());
            }
        }
        back
    }

    /// Adds another plan's steps at the end, numbered on.
    pub fn append(&mut self, other: Self) {
        for step in other.steps {
            self.push_step(step);
        }
    }

    /// The same plan with all edits of one table of one namespace in the place
    /// of the first of them: the kernel then changes that table once. Rules name
    /// devices and addresses as words, so none of them needs to wait for those.
    #[must_use]
    pub fn gathered(self) -> Self {
        let mut gathered = Self { steps: Vec::new(), ..self };
        let mut first = std::collections::BTreeMap::new();
        for step in self.steps {
            let key = match &step.action {
                Action::Netfilter(edit) if !step.already => {
                    Some((step.netns.clone(), edit.backend, edit.table.clone()))
                }
                _ => None,
            };
            let earlier = key.as_ref().and_then(|key| first.get(key)).copied();
            if let Some(earlier) = earlier.and_then(|at: usize| gathered.steps.get_mut(at)) {
                earlier.take_in(step);
            } else {
                first.extend(key.map(|key| (key, gathered.steps.len())));
                gathered.push_step(step);
            }
        }
        gathered
    }
}

impl Step {
    /// The command line that an operator could run instead.
    pub fn command(&self) -> String {
        self.action.command(&self.netns)
    }

    /// Takes over the edits of another step on the same table.
    fn take_in(&mut self, other: Self) {
        if let (Action::Netfilter(edit), Action::Netfilter(more)) = (&mut self.action, other.action) {
            edit.edits.extend(more.edits);
        }
        (self.description, self.undo) = (self.action.sentence(), self.action.inverse());
        self.agent = self.agent.max(other.agent);
    }

    /// The command line that takes it back, where there is one.
    pub fn undo_command(&self) -> Option<String> {
        match &self.undo {
            Undo::Action(action) => Some(action.command(&self.netns)),
            Undo::Nothing(_) => None,
        }
    }
}

impl Place {
    /// The named namespace.
    pub fn netns(name: impl AsRef<str>) -> Self {
        Self::Netns(NetnsName::new(name))
    }

    /// What was read of it.
    pub(crate) fn seen<'s>(&self, snapshot: &'s Snapshot) -> Option<&'s Netns> {
        match self {
            Self::Host => snapshot.netns_at(None),
            Self::Netns(name) => snapshot.netns(name),
        }
    }

    /// The name, `None` for the host's own.
    pub fn name(&self) -> Option<&NetnsName> {
        match self {
            Self::Host => None,
            Self::Netns(name) => Some(name),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host => f.pad("the host"),
            Self::Netns(name) => f.pad(&printable(name.as_str(), 255)),
        }
    }
}

impl Serialize for Step {
    /// The step as `fipscope.plan/1` has it.
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeStruct;
        let mut shape = serializer.serialize_struct("Step", 9)?;
        shape.serialize_field("id", &self.id)?;
        shape.serialize_field("namespace", &self.netns.name())?;
        shape.serialize_field("description", &self.description)?;
        shape.serialize_field("command", &self.command())?;
        shape.serialize_field("undo_command", &self.undo_command())?;
        let why = match &self.undo {
            Undo::Action(_) => None,
            Undo::Nothing(why) => Some(*why),
        };
        shape.serialize_field("why_no_undo", &why)?;
        shape.serialize_field("already", &self.already)?;
        shape.serialize_field("owner", &self.action.owner())?;
        shape.serialize_field("agent", &self.agent)?;
        shape.end()
    }
}
