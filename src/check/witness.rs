//! What the kernel's own lookups make of findings that rest on the engine's.

use std::collections::HashMap;

use super::{Applicability, Confidence, Finding};
use crate::net::{RouteAnswer, RouteQuestion, Snapshot};
use crate::path::Node;
use crate::topology::Topology;

/// At most so many questions are asked of the kernel about one reading.
const MOST: usize = 256;

/// The lookups that would prove what is inferred: sorted, each once, as many as
/// may be asked at a time.
pub fn unproved(findings: &[Finding]) -> Vec<RouteQuestion> {
    let inferred = findings.iter().filter(|finding| finding.confidence == Confidence::Inferred);
    let mut questions: Vec<RouteQuestion> = inferred.flat_map(|finding| finding.questions.iter().cloned()).collect();
    questions.sort();
    questions.dedup();
    questions.truncate(MOST);
    questions
}

/// Takes what the kernel answered: an inferred finding is proved where all of its
/// lookups come to what the engine came to, and cannot be told where one does not.
/// Without an answer it stays inferred.
pub fn witnessed(
    snapshot: &Snapshot,
    topology: &Topology,
    findings: &mut [Finding],
    answers: &[(RouteQuestion, Result<RouteAnswer, String>)],
) {
    let node = Node::of(snapshot, topology);
    let answers: HashMap<&RouteQuestion, &RouteAnswer> =
        answers.iter().filter_map(|(question, answer)| Some((question, answer.as_ref().ok()?))).collect();
    for finding in findings.iter_mut().filter(|finding| finding.confidence == Confidence::Inferred) {
        let said: Option<Vec<_>> =
            finding.questions.iter().map(|question| Some((question, *answers.get(question)?))).collect();
        let Some(said) = said.filter(|said| !said.is_empty()) else { continue };
        let agrees = |(question, answer): &&(&RouteQuestion, &RouteAnswer)| {
            node.route(question).is_ok_and(|reckoned| reckoned.agrees(answer))
        };
        match said.iter().find(|one| !agrees(one)) {
            None => finding.confidence = Confidence::Proved,
            Some((question, answer)) => {
                let why = format!("the kernel decides otherwise: {question}: {answer}");
                finding.confidence = Confidence::Unknown;
                finding.message = format!("cannot tell: {why}");
                finding.why_unknown = Some(why);
                finding.mend.clear();
                finding.applicability = Applicability::None;
            }
        }
    }
    super::fold::sort(findings);
}
