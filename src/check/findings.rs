//! Where checks put what they find.

use super::registry::Check;
use super::{AgentDoes, Applicability, Code, Confidence, Finding, Severity, Subject};
use crate::net::NetnsName;
use crate::topology::ObjectRef;

/// The findings of a run.
#[derive(Debug, Default)]
pub struct Findings {
    list: Vec<Finding>,
    current: Option<&'static Check>,
}

impl Findings {
    /// What follows is found by this check.
    pub(super) fn begin(&mut self, check: &'static Check) {
        self.current = Some(check);
    }

    /// Adds what was found before.
    pub(super) fn add(&mut self, found: &[Finding]) {
        self.list.extend_from_slice(found);
    }

    /// What was found, in the order in which it was.
    pub fn done(self) -> Vec<Finding> {
        self.list
    }

    /// The check fires: `message` is a sentence without a full stop. The finding
    /// can be told more about.
    pub fn fire(
        &mut self,
        subject: &Subject,
        namespace: Option<&NetnsName>,
        object: ObjectRef,
        message: impl Into<String>,
    ) -> &mut Finding {
        self.push(subject, namespace, object, Confidence::Proved, message.into())
    }

    /// The check cannot tell, and says why.
    pub fn cannot_tell(
        &mut self,
        subject: &Subject,
        namespace: Option<&NetnsName>,
        object: ObjectRef,
        why: impl Into<String>,
    ) -> &mut Finding {
        let why = why.into();
        let message = format!("cannot tell: {why}");
        let finding = self.push(subject, namespace, object, Confidence::Unknown, message);
        finding.why_unknown = Some(why);
        finding
    }

    fn push(
        &mut self,
        subject: &Subject,
        namespace: Option<&NetnsName>,
        object: ObjectRef,
        confidence: Confidence,
        message: String,
    ) -> &mut Finding {
        let (code, name, severity, agent) = match self.current {
            Some(check) => (check.code, check.name, check.severity, check.agent),
            None => (Code(100), "", Severity::Note, AgentDoes::NotApplicable),
        };
        let place = namespace.map_or("host", NetnsName::as_str);
        self.list.push(Finding {
            id: format!("{code}@{place}/{}", object.key),
            code,
            name,
            severity,
            confidence,
            why_unknown: None,
            namespace: namespace.cloned(),
            object,
            router: subject.router.clone(),
            external_network: subject.external_network.clone(),
            floating_ip: subject.floating_ip,
            fixed_ip: subject.fixed_ip,
            message,
            expected: None,
            actual: None,
            because_of: None,
            agent,
            applicability: Applicability::None,
            mend: Vec::new(),
            questions: Vec::new(),
        });
        // Just pushed.
        let last = self.list.len() - 1;
        &mut self.list[last]
    }
}
