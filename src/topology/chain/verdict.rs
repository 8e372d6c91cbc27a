//! What a link comes to, and the few shapes that it can have.

use std::fmt::Display;

use crate::net::{Link, NetnsName};
use crate::topology::link_name::LinkName;
use crate::topology::model::{ChainLink, LinkState, ObjectKind, ObjectRef};

/// A link's judgement, before it is told where it stands.
#[derive(Clone, Debug)]
pub(super) struct Verdict {
    state: LinkState,
    expected: Option<String>,
    actual: Option<String>,
    advisory: bool,
    evidence: Vec<String>,
}

impl Verdict {
    /// It holds; the object that shows it.
    pub(super) fn ok(object: &impl Display) -> Self {
        let words = object.to_string();
        Self { evidence: vec![words.clone()], ..Self::new(LinkState::Ok, Some(words.clone()), Some(words)) }
    }

    /// It holds although nothing stands there.
    pub(super) fn fine(why: &str) -> Self {
        Self::new(LinkState::Ok, None, Some(why.to_owned()))
    }

    /// What should stand there does not.
    pub(super) fn missing(expected: impl Into<String>) -> Self {
        Self::new(LinkState::Missing, Some(expected.into()), None)
    }

    /// Something else stands there.
    pub(super) fn wrong(expected: impl Into<String>, actual: impl Into<String>) -> Self {
        Self::new(LinkState::Wrong, Some(expected.into()), Some(actual.into()))
    }

    /// It could not be judged.
    pub(super) fn unknown(why: &str) -> Self {
        Self::new(LinkState::Unknown, None, Some(why.to_owned()))
    }

    /// There is no such link here.
    pub(super) fn not_applicable(why: &str) -> Self {
        Self::new(LinkState::NotApplicable, None, Some(why.to_owned()))
    }

    /// A fault here only degrades.
    pub(super) fn advisory(self) -> Self {
        Self { advisory: true, ..self }
    }

    /// What was expected, where the constructor does not take it.
    pub(super) fn expecting(self, expected: impl Into<String>) -> Self {
        Self { expected: Some(expected.into()), ..self }
    }

    /// An object that the judgement rests on.
    pub(super) fn shown(mut self, object: &impl Display) -> Self {
        self.evidence.push(object.to_string());
        self
    }

    /// Objects that the judgement rests on.
    pub(super) fn shown_all<T: Display>(mut self, objects: impl IntoIterator<Item = T>) -> Self {
        self.evidence.extend(objects.into_iter().map(|object| object.to_string()));
        self
    }

    /// True where the link holds, as far as that is known.
    pub(super) fn is_ok(&self) -> bool {
        self.state == LinkState::Ok
    }

    /// The link, with its place and object.
    pub(super) fn at(self, link: LinkName, namespace: &NetnsName, kind: ObjectKind, key: impl Display) -> ChainLink {
        ChainLink {
            link,
            namespace: namespace.clone(),
            object: ObjectRef { kind, key: key.to_string() },
            state: self.state,
            expected: self.expected,
            actual: self.actual,
            advisory: self.advisory,
            evidence: self.evidence,
        }
    }

    fn new(state: LinkState, expected: Option<String>, actual: Option<String>) -> Self {
        Self { state, expected, actual, advisory: false, evidence: Vec::new() }
    }
}

/// Unwraps what could be read; else the link is unknown, and why.
macro_rules! seen {
    ($lookup:expr) => {
        match $lookup {
            Ok(value) => value,
            Err(why) => return $crate::topology::chain::verdict::Verdict::unknown(why),
        }
    };
}
pub(super) use seen;

/// What is wrong with a device that packets have to pass, if anything.
pub(super) fn device_fault(link: &Link, dead_port: bool) -> Option<&'static str> {
    if !link.is_up() {
        Some("it is down")
    } else if !link.has_carrier() {
        Some("it has no carrier")
    } else if dead_port {
        Some("Open vSwitch keeps its port on the dead VLAN 4095")
    } else if link.ipv4.is_some_and(|conf| !conf.forwarding) {
        Some("forwarding is off")
    } else {
        None
    }
}
