//! What a check found.

use std::net::IpAddr;

use super::Code;
use crate::net::{Change, NetnsName, RouteQuestion};
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
    /// The route lookups whose answers would prove it.
    pub questions: Vec<RouteQuestion>,
}

macro_rules! words {
    ($(#[$doc:meta])* $type:ident { $($(#[$variant_doc:meta])* $variant:ident $word:literal)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $type { $($(#[$variant_doc])* $variant,)* }

        impl $type {
            /// The word for it in text and JSON.
            pub fn word(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }
        }

        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.word())
            }
        }

        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let word = String::deserialize(deserializer)?;
                match word.as_str() {
                    $($word => Ok(Self::$variant),)*
                    _ => Err(serde::de::Error::custom(format!("'{word}' is not a word for it"))),
                }
            }
        }
    };
}

words! {
    /// How bad a finding is; the worst comes first.
    Severity {
        /// Traffic is lost or goes the wrong way.
        Error "error"
        /// It will be, or some of it is, or only chance keeps it going.
        Warning "warning"
        /// Worth knowing; nothing is lost.
        Note "note"
    }
}

words! {
    /// How a finding is known.
    Confidence {
        /// By an object read directly, or by a witness.
        Proved "proved"
        /// By the engine's reckoning alone, or by what is missing elsewhere.
        Inferred "inferred"
        /// It could not be told.
        Unknown "unknown"
    }
}

words! {
    /// What the L3 agent does about it (`failure-catalogue` and observed).
    AgentDoes {
        /// Puts it right at the router's next update.
        HealsOnUpdate "heals-on-update"
        /// Puts it right when it is restarted.
        HealsOnRestart "heals-on-restart"
        /// Puts it right when the floating IP is associated anew.
        HealsOnReassociation "heals-on-reassociation"
        /// Puts some of it right.
        Partly "partly"
        /// Leaves it as it is.
        Never "never"
        /// Takes a repair by hand back.
        Undoes "undoes"
        /// Has nothing to do with it.
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

words! {
    /// Whether a repair may be carried out.
    Applicability {
        /// It changes what is wrong and nothing else.
        Safe "safe"
        /// Traffic may drop, or the object is not the agent's.
        NeedsConsent "needs-consent"
        /// It is told, and done elsewhere.
        DisplayOnly "display-only"
        /// There is none.
        None "none"
    }
}

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
