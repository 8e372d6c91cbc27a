//! `fipscope.explain/1`: the codes that were asked for, each with its page.

use jiff::Timestamp;
use serde::Serialize;

use super::{Head, document};
use crate::check::{AgentDoes, Check, Code, Severity};

#[derive(Serialize)]
struct Explain<'a> {
    #[serde(flatten)]
    head: Head<'a>,
    codes: Vec<Entry>,
}

#[derive(Serialize)]
struct Entry {
    code: Code,
    name: &'static str,
    title: &'static str,
    severity: Severity,
    agent: AgentDoes,
    decided_by: &'static str,
    page: &'static str,
}

/// What is known of some codes. Node and time are those of the answer.
pub fn explain(node: &str, at: Timestamp, checks: &[&'static Check]) -> String {
    let entry = |check: &&'static Check| Entry {
        code: check.code,
        name: check.name,
        title: check.title,
        severity: check.severity,
        agent: check.agent,
        decided_by: check.decided_by.word(),
        page: check.page,
    };
    let head = Head { schema: "fipscope.explain/1", node, taken_at: at };
    document(&Explain { head, codes: checks.iter().map(entry).collect() })
}
