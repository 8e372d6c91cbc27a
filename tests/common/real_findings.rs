//! What the checks find on nodes that the real L3 agent built, and why: the same
//! on the snapshots kept with the tests as on a node built afresh.

use fipscope::check::{Finding, Severity, judge};
use fipscope::net::{NetnsName, Snapshot};
use fipscope::topology::Topology;

/// An error or a warning that follows from nothing else: its code, how its
/// namespace begins, and how its object ends (a rule begins with the agent's own,
/// random priority).
type Root = (u16, &'static str, &'static str);

/// What is found on a node.
struct Expected {
    node: &'static str,
    roots: &'static [Root],
    notes: &'static [u16],
}

/// Nodes on which something else than [`EVERYWHERE`] is found. Nowhere is there
/// anything that could not be told.
const EXPECTED: &[Expected] = &[
    // Instances came after their router, and this cloud announced no ports: the
    // agent has no entries for them (701).
    Expected { node: "S2", roots: &[], notes: &[701, 701] },
    Expected { node: "S6", roots: &[], notes: &[701] },
    // The agent leaves a rule for a centralized floating IP, and the instance's
    // packets leave by the wrong way (303). It is centralized by design (807).
    Expected { node: "S9", roots: &[(303, "qrouter-", ": from 20.0.0.9 lookup 16")], notes: &[807] },
    // The gateway was cleared: the agent keeps the fip namespace (104).
    Expected { node: "S13", roots: &[], notes: &[104] },
    // The same stray rule without a pair: table 16 is empty, it does nothing (303).
    Expected { node: "S15", roots: &[], notes: &[303] },
];

/// The nodes were read after their agent had been stopped (108).
const EVERYWHERE: u16 = 108;

/// What is found on a node and should not be, or should and is not.
pub(crate) fn unexpected(scenario: &str, node: &Snapshot) -> Vec<String> {
    let found = judge(node, &Topology::of(node));
    let told: Vec<&Finding> = found.iter().filter(|one| one.why_unknown.is_none()).collect();
    let expected = EXPECTED.iter().find(|one| one.node == scenario);
    let (roots, notes) = expected.map_or((&[][..], &[][..]), |one| (one.roots, one.notes));

    let mut wrong: Vec<String> = Vec::new();
    let of_notes = told.iter().filter(|one| one.severity == Severity::Note).map(|one| one.code.0);
    let of_notes: Vec<u16> = of_notes.filter(|code| *code != EVERYWHERE).collect();
    if of_notes != notes {
        wrong.push(format!("notes {of_notes:?}, not {notes:?}"));
    }
    let fits = |one: &Finding, (code, place, object): &Root| {
        let namespace = one.namespace.as_ref().map_or("host", NetnsName::as_str);
        one.code.0 == *code && namespace.starts_with(place) && one.object.key.ends_with(object)
    };
    let causes = told.iter().filter(|one| one.severity != Severity::Note && one.because_of.is_none());
    let causes: Vec<&&Finding> = causes.collect();
    if causes.len() != roots.len() || !causes.iter().zip(roots).all(|(one, root)| fits(one, root)) {
        wrong.push(format!("roots {causes:#?}, not {roots:?}"));
    }
    let doubts = found.iter().filter(|one| one.why_unknown.is_some());
    wrong.extend(doubts.map(|one| format!("{} {}", one.id, one.message)));
    wrong.into_iter().map(|what| format!("{scenario} is judged otherwise: {what}")).collect()
}
