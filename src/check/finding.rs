//! What a check found.

use std::net::IpAddr;

use super::Code;
use crate::net::{Change, NetnsName, RouteQuestion, words};
use crate::topology::ObjectRef;

/// One fault, or one thing that could not be judged.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// `CODE@NAMESPACE/OBJECT`: the same from run to run.
    pub id: String,
    /// The failure.
    pub code: Code,
    /// Its name: the defect in kebab case.
    pub name: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// How it is known.
    pub confidence: Confidence,
    /// Why it could not be told, where [`Finding::confidence`] is unknown.
    pub why_unknown: Option<String>,
    /// Where the object is or should be; `None` on the host itself.
    pub namespace: Option<NetnsName>,
    /// The object that is wrong or missing.
    pub object: ObjectRef,
    /// The router that it is about.
    pub router: Option<String>,
    /// The external network that it is about.
    pub external_network: Option<String>,
    /// The floating IP that it is about.
    pub floating_ip: Option<IpAddr>,
    /// The fixed IP behind it.
    pub fixed_ip: Option<IpAddr>,
    /// One sentence with the two values that disagree, without a full stop.
    pub message: String,
    /// What should be.
    pub expected: Option<String>,
    /// What is.
    pub actual: Option<String>,
    /// The finding that this one follows from.
    pub because_of: Option<String>,
    /// What the L3 agent will do about it.
    pub agent: AgentDoes,
    /// Whether its repair may be carried out.
    pub applicability: Applicability,
    /// What mends it, in order: each object as it is and as it should be. What
    /// the kernel does by itself (connected and local routes) is not listed.
    pub mend: Vec<Change>,
    /// The route lookups that prove it, where the kernel answers them as the engine
    /// did. An inferred finding has some only where it rests on these lookups alone.
    pub questions: Vec<RouteQuestion>,
}

/// How bad a finding is; the worst comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Traffic is lost or goes the wrong way.
    Error,
    /// It will be, or some of it is, or only chance keeps it going.
    Warning,
    /// Worth knowing; nothing is lost.
    Note,
}

words! { Severity { Error "error" Warning "warning" Note "note" } }

/// How a finding is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Confidence {
    /// By an object read directly, or by a witness.
    Proved,
    /// By the engine's reckoning alone, or by what is missing elsewhere.
    Inferred,
    /// It could not be told.
    Unknown,
}

words! { Confidence { Proved "proved" Inferred "inferred" Unknown "unknown" } }

/// What the L3 agent does about it (`failure-catalogue` and observed).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AgentDoes {
    /// Puts it right at the router's next update.
    HealsOnUpdate,
    /// Puts it right when it is restarted.
    HealsOnRestart,
    /// Puts it right when the floating IP is associated anew.
    HealsOnReassociation,
    /// Puts some of it right.
    Partly,
    /// Leaves it as it is.
    Never,
    /// Takes a repair by hand back.
    Undoes,
    /// Has nothing to do with it.
    NotApplicable,
}

words! {
    AgentDoes {
        HealsOnUpdate "heals-on-update" HealsOnRestart "heals-on-restart"
        HealsOnReassociation "heals-on-reassociation" Partly "partly" Never "never" Undoes "undoes"
        NotApplicable "not-applicable"
    }
}

impl AgentDoes {
    /// What to expect of the L3 agent, after "the L3 agent ".
    pub fn sentence(self) -> &'static str {
        match self {
            Self::HealsOnUpdate => "mends it at the router's next update",
            Self::HealsOnRestart => "mends it only when it is restarted",
            Self::HealsOnReassociation => "mends it only when the floating IP is associated anew",
            Self::Partly => "mends some of it",
            Self::Never => "does not mend it, not on update, not on restart",
            Self::Undoes => "takes a repair by hand back",
            Self::NotApplicable => "has nothing to do with it",
        }
    }
}

/// Whether a repair may be carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Applicability {
    /// It changes what is wrong and nothing else.
    Safe,
    /// Traffic may drop, or the object is not the agent's.
    NeedsConsent,
    /// It is told, and done elsewhere.
    DisplayOnly,
    /// There is none.
    None,
}

words! { Applicability { Safe "safe" NeedsConsent "needs-consent" DisplayOnly "display-only" None "none" } }

impl Finding {
    /// Makes it milder; never worse.
    pub fn at_most(&mut self, severity: Severity) -> &mut Self {
        self.severity = self.severity.max(severity);
        self
    }

    /// Says what should be and what is.
    pub fn values(&mut self, expected: impl Into<String>, actual: impl Into<String>) -> &mut Self {
        (self.expected, self.actual) = (Some(expected.into()), Some(actual.into()));
        self
    }

    /// Known by reckoning alone.
    pub fn inferred(&mut self) -> &mut Self {
        self.confidence = Confidence::Inferred;
        self
    }

    /// Sets what the agent does, where it is not what it usually does with this code.
    pub fn agent(&mut self, agent: AgentDoes) -> &mut Self {
        self.agent = agent;
        self
    }

    /// Adds what mends it. The first one makes it safe to carry out.
    pub fn mend(&mut self, changes: impl IntoIterator<Item = Change>) -> &mut Self {
        self.mend.extend(changes);
        if self.applicability == Applicability::None && !self.mend.is_empty() {
            self.applicability = Applicability::Safe;
        }
        self
    }

    /// Whether its repair may be carried out.
    pub fn applicability(&mut self, applicability: Applicability) -> &mut Self {
        self.applicability = applicability;
        self
    }

    /// Adds a lookup that would prove it.
    pub fn question(&mut self, question: RouteQuestion) -> &mut Self {
        self.questions.push(question);
        self
    }
}
