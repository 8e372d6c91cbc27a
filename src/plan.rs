//! Intents and ordered steps as data: each with its command line, its inverse and its sentence. Pure.
//!
//! A [`Plan`] is what `exec` carries out and what the screen shows before it
//! does. [`Plan::push`] derives a step's inverse from its action, so the two
//! cannot disagree. The blocks that an association is made of, in the L3
//! agent's own order and forms, are in [`agent`].

mod action;
pub mod agent;
mod command;
pub mod journal;
mod netfilter;
mod rehearsal;
pub mod repair;
mod sentence;
mod simulate;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use action::{Action, AnnounceBy, LinkSetting, Object, SwitchPort, Undo, Veth, VethEnd};
pub use netfilter::{ChainEdit, TableEdit};
pub use rehearsal::{Due, Rehearsal, due, table_of};
pub use simulate::simulate;

use crate::net::{NetnsName, printable};

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
}

impl Plan {
    /// A plan without steps.
    pub fn new(intent: impl Into<String>) -> Self {
        Self { intent: intent.into(), steps: Vec::new() }
    }

    /// Adds a step; its sentence and its inverse follow from the action.
    pub fn push(&mut self, netns: &Place, action: Action) {
        let id = u32::try_from(self.steps.len()).map_or(u32::MAX, |count| count + 1);
        let (description, undo) = (action.sentence(), action.inverse());
        self.steps.push(Step { id, netns: netns.clone(), description, action, undo });
    }

    /// Adds another plan's steps at the end, numbered on.
    pub fn append(&mut self, other: Self) {
        for step in other.steps {
            self.push(&step.netns, step.action);
        }
    }

    /// The same plan with all edits of one table of one namespace in the place
    /// of the first of them: the kernel then changes that table once. Rules name
    /// devices and addresses as words, so none of them needs to wait for those.
    #[must_use]
    pub fn gathered(self) -> Self {
        let mut gathered = Self::new(self.intent);
        let mut first = std::collections::BTreeMap::new();
        for step in self.steps {
            if let Action::Netfilter(edit) = step.action {
                let key = (step.netns.clone(), edit.backend, edit.table.clone());
                if let Some(at) = first.get(&key) {
                    gathered.extend_edit(*at, edit.edits);
                } else {
                    first.insert(key, gathered.steps.len());
                    gathered.push(&step.netns, Action::Netfilter(edit));
                }
            } else {
                gathered.push(&step.netns, step.action);
            }
        }
        for step in &mut gathered.steps {
            step.description = step.action.sentence();
            step.undo = step.action.inverse();
        }
        gathered
    }

    fn extend_edit(&mut self, at: usize, edits: Vec<ChainEdit>) {
        if let Some(Step { action: Action::Netfilter(edit), .. }) = self.steps.get_mut(at) {
            edit.edits.extend(edits);
        }
    }
}

impl Step {
    /// The command line that an operator could run instead.
    pub fn command(&self) -> String {
        self.action.command(&self.netns)
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
    pub fn netns(name: impl Into<String>) -> Self {
        Self::Netns(NetnsName::new(name))
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
    /// The step as `fipscope.plan/1` has it; whether it is already so is added
    /// by whoever compares it with a node.
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeStruct;
        let mut shape = serializer.serialize_struct("Step", 6)?;
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
        shape.end()
    }
}
