//! What becomes of a change by hand: what the L3 agent will do to it, and why
//! we think so.
//!
//! The agent knows what Neutron told it. What it finds on the node beyond that
//! it takes away where it compares (translations, floating IPs' routes), and
//! leaves where it does not (policy rules). Observed with the agent of 29.0.0.

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::net::NetnsName;

use super::{Action, Object, Plan, Step};

/// What Neutron says of the floating IP, and how that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentCase {
    /// Which of the four cases.
    pub kind: CaseKind,
    /// How it is known.
    pub told: Told,
}

/// The four cases in which a hand meets the agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CaseKind {
    /// An association that Neutron has here and the agent missed.
    Missed,
    /// An association that Neutron knows nothing of.
    Foreign,
    /// A removal of what Neutron has dropped.
    Dropped,
    /// A removal of what Neutron still has here.
    StillThere,
}

/// How the case is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Told {
    /// The user says so.
    Given,
    /// The agent's files say so; they are hints.
    Files,
}

/// What Neutron has of a floating IP on this node, as the user says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Neutron {
    /// It is associated with this fixed IP, here.
    Has,
    /// It is not.
    HasNot,
}

/// What the L3 agent will do to the outcome of a step; the mildest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AgentWill {
    /// It has nothing to do with it.
    NotApplicable,
    /// It leaves it.
    Keep,
    /// It takes it back when it is started anew.
    UndoAtRestart,
    /// It takes it back at the router's next update.
    UndoAtUpdate,
}

/// Who looks after an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Owner {
    /// The L3 agent.
    L3Agent,
    /// Open vSwitch and the agent that wires its ports.
    L2Agent,
    /// The kernel: it comes and goes by itself.
    Kernel,
    /// Others on the network.
    Neighbourhood,
}

impl Plan {
    /// What Neutron says of it and what the L3 agent then does, in one sentence
    /// with a full stop; `None` where nothing tells.
    pub fn case(&self) -> Option<String> {
        let is_rule = |step: &Step| matches!(step.action, Action::Add(Object::Rule(_)));
        let leaves_a_rule = self.steps.iter().any(is_rule);
        self.agent.map(|case| if leaves_a_rule { case.sentence() } else { case.without_a_rule() })
    }
}

impl AgentCase {
    /// One sentence with a full stop, of a floating IP on a gateway port: it has no
    /// rule that could be left.
    fn without_a_rule(self) -> String {
        match (self.kind, self.told) {
            (CaseKind::Foreign, told) => {
                let what = "Neutron does not have this floating IP here: the L3 agent takes all of it away again";
                format!("{what} ({}).", told.sentence())
            }
            _ => self.sentence(),
        }
    }

    /// One sentence with a full stop.
    pub fn sentence(self) -> String {
        let what = match self.kind {
            CaseKind::Missed => "Neutron has this floating IP here and the L3 agent missed it: what is made stays",
            CaseKind::Foreign => {
                "Neutron does not have this floating IP here: the L3 agent takes translation and route away again, \
                 and leaves the rule, which then lets packets out with their private address"
            }
            CaseKind::Dropped => "Neutron does not have this floating IP here any more: what is removed stays removed",
            CaseKind::StillThere => "Neutron still has this floating IP here: the L3 agent makes it again",
        };
        format!("{what} ({}).", self.told.sentence())
    }
}

impl Told {
    fn sentence(self) -> &'static str {
        match self {
            Self::Given => "as said",
            Self::Files => "as far as the agent's files tell",
        }
    }
}

impl Neutron {
    /// The next of what can be said: nothing, that it has it, that it has not.
    pub fn next(said: Option<Self>) -> Option<Self> {
        match said {
            None => Some(Self::Has),
            Some(Self::Has) => Some(Self::HasNot),
            Some(Self::HasNot) => None,
        }
    }
}

impl Owner {
    /// Who that is, for a sentence.
    pub fn noun(self) -> &'static str {
        match self {
            Self::L3Agent => "the L3 agent",
            Self::L2Agent => "Open vSwitch and the L2 agent",
            Self::Kernel => "the kernel",
            Self::Neighbourhood => "others on the network",
        }
    }
}

impl Step {
    /// Who looks after what the step changes, and what the L3 agent will do to it.
    pub fn owner_and_agent(&self) -> String {
        let owner = self.action.owner();
        match self.agent.filter(|_| owner == Owner::L3Agent) {
            Some(will) => format!("{}, which {}", owner.noun(), will.sentence()),
            None => owner.noun().to_owned(),
        }
    }
}

impl AgentWill {
    /// What to expect, after "the L3 agent ".
    pub fn sentence(self) -> &'static str {
        match self {
            Self::NotApplicable => "has nothing to do with it",
            Self::Keep => "keeps it",
            Self::UndoAtRestart => "takes it back when it is started anew",
            Self::UndoAtUpdate => "takes it back at the router's next update",
        }
    }
}

impl Action {
    /// Who looks after what the action changes.
    pub fn owner(&self) -> Owner {
        match self {
            Self::Add(Object::OvsPort(_)) | Self::Delete(Object::OvsPort(_)) => Owner::L2Agent,
            Self::Forget { .. } | Self::ForgetConnection { .. } => Owner::Kernel,
            Self::Probe { .. } | Self::Announce { .. } => Owner::Neighbourhood,
            _ => Owner::L3Agent,
        }
    }
}

/// Writes down for every step what the agent will do to its outcome.
pub(super) fn foretell(plan: &mut Plan, case: AgentCase, may_run: bool) {
    let made = |step: &Step| match &step.action {
        Action::Add(Object::Netns(name)) if !step.already => Some(name.clone()),
        _ => None,
    };
    let new: Vec<NetnsName> = plan.steps.iter().filter_map(made).collect();
    plan.agent = Some(case);
    for step in &mut plan.steps {
        let is_new = match &step.action {
            Action::Add(Object::Netns(_)) => true,
            Action::Add(Object::Veth(pair)) => pair.peer_netns.name().is_some_and(|name| new.contains(name)),
            _ => step.netns.name().is_some_and(|name| new.contains(name)),
        };
        let will = match (step.action.owner(), case.kind) {
            (Owner::L2Agent | Owner::Kernel | Owner::Neighbourhood, _) => AgentWill::NotApplicable,
            (Owner::L3Agent, CaseKind::StillThere) => AgentWill::UndoAtUpdate,
            (Owner::L3Agent, CaseKind::Foreign) if is_new => AgentWill::UndoAtRestart,
            (Owner::L3Agent, CaseKind::Foreign) => compared(&step.action),
            (Owner::L3Agent, CaseKind::Missed | CaseKind::Dropped) => AgentWill::Keep,
        };
        // One that does not run takes nothing back before it is started.
        let late = will == AgentWill::UndoAtUpdate && !may_run;
        step.agent = Some(match will {
            _ if step.already => AgentWill::Keep,
            _ if late => AgentWill::UndoAtRestart,
            will => will,
        });
    }
}

/// What the agent compares with what Neutron told it, at every update, goes then:
/// the translations, the floating IPs' routes, and (in Juno's layout) their
/// addresses.
fn compared(action: &Action) -> AgentWill {
    let is_host = |net: IpNet| net.prefix_len() == net.max_prefix_len();
    let is_compared = match action {
        Action::Netfilter(edit) => edit.table == "nat",
        Action::Add(Object::Route(route)) | Action::ReplaceRoute { to: route, .. } => {
            is_host(route.dst) && route.via().is_some()
        }
        Action::Add(Object::Addr(addr)) => is_host(addr.address),
        _ => false,
    };
    if is_compared { AgentWill::UndoAtUpdate } else { AgentWill::Keep }
}
