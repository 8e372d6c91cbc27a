//! The journal of changes as data: what is written down before and after each
//! step, and what that comes to when it is read back.
//!
//! One line of JSON an entry. A process that is killed leaves a change without
//! an end, at most one of whose steps is in doubt.

mod read;

use std::net::{IpAddr, Ipv4Addr};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use read::{Past, PastStep, State, StepState, read};

use super::{Action, Place, Plan, Step, Undo};

/// A line of the journal.
#[expect(clippy::large_enum_variant, reason = "one at a time")]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "entry", rename_all = "kebab-case")]
pub enum Entry {
    /// A change begins.
    Begin(Box<Begin>),
    /// Something happens to a step.
    Step {
        /// The change.
        id: u64,
        /// The step's number in its plan.
        step: u32,
        /// When.
        at: Timestamp,
        /// What.
        event: Event,
    },
    /// A change ends.
    End {
        /// The change.
        id: u64,
        /// When.
        at: Timestamp,
        /// How.
        outcome: Outcome,
    },
}

/// A change, as it is about to begin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Begin {
    /// Its number, from 1.
    pub id: u64,
    /// When.
    pub at: Timestamp,
    /// The node's name.
    pub node: String,
    /// Which run of the node's kernel (`/proc/sys/kernel/random/boot_id`).
    pub boot: String,
    /// Which reading of the node it started from (FNV-1a of the reading without
    /// counters and times), so that a saved one can be recognised.
    pub snapshot: String,
    /// What it is for.
    pub intent: String,
    /// The change that it takes back.
    #[serde(default)]
    pub undoes: Option<u64>,
    /// What it is for, in a form that can be looked at afterwards.
    #[serde(default)]
    pub aim: Aim,
    /// All of its steps.
    pub steps: Vec<Planned>,
}

/// What a change is for, as it is looked at afterwards.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Aim {
    /// Identities of findings that are to be gone.
    #[serde(default)]
    pub gone: Vec<String>,
    /// Floating IPs that are to carry traffic both ways.
    #[serde(default)]
    pub deliver: Vec<IpAddr>,
}

/// A step as it was planned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Planned {
    /// Its number in the plan, from 1.
    pub id: u32,
    /// Where it happens.
    pub place: Place,
    /// What it is good for.
    pub description: String,
    /// What is done.
    pub action: Action,
}

/// What happens to a step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Event {
    /// It is about to be done; this takes it back.
    Doing(Back),
    /// It is done.
    Done,
    /// It was so already.
    Skipped,
    /// It was refused, and nothing came of it.
    Failed(String),
    /// It is about to be taken back.
    Undoing,
    /// It is taken back.
    Undone,
    /// It could not be taken back.
    Stuck(String),
}

/// What takes a step back: [`Undo`] in a form that can be read back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Back {
    /// This, in the same place.
    Action(Action),
    /// Nothing, and why.
    Nothing(String),
}

/// How a change ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// All of it was done, and what it is for was seen to be so.
    Done,
    /// It failed; nothing of it is left.
    RolledBack,
    /// It was left unfinished and taken back; nothing of it is left.
    Undone,
    /// It failed, and some of it is left.
    Half,
    /// It was left unfinished, and somebody took care of that by hand.
    Settled,
}

/// A round of a change's announcement that was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Round {
    /// The address that was announced.
    pub address: Ipv4Addr,
    /// Which round it was, from 1: the change itself sends the first.
    pub number: u32,
    /// How many there are in all.
    pub of: u32,
}

impl Begin {
    /// The steps of a plan.
    pub fn planned(plan: &Plan) -> Vec<Planned> {
        plan.steps.iter().map(Planned::from).collect()
    }
}

impl From<&Step> for Planned {
    fn from(step: &Step) -> Self {
        let Step { id, netns, description, action, .. } = step;
        Self { id: *id, place: netns.clone(), description: description.clone(), action: action.clone() }
    }
}

impl Planned {
    /// The command line that does the same.
    pub fn command(&self) -> String {
        self.action.command(&self.place)
    }
}

impl From<Undo> for Back {
    fn from(undo: Undo) -> Self {
        match undo {
            Undo::Action(action) => Self::Action(action),
            Undo::Nothing(why) => Self::Nothing(why.to_owned()),
        }
    }
}

impl Entry {
    /// The change that it belongs to.
    pub fn id(&self) -> u64 {
        match self {
            Self::Begin(begin) => begin.id,
            Self::Step { id, .. } | Self::End { id, .. } => *id,
        }
    }
}
