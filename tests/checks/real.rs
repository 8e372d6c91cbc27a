//! What is found on nodes that the real agent built: exactly this, and why.

use super::common::{FIXTURES, Root, fixture, notes, roots};

/// A node: its errors and warnings that follow from nothing else (code, start of
/// the namespace, object), and its notes.
struct Expected {
    node: &'static str,
    roots: &'static [(u16, &'static str, &'static str)],
    notes: &'static [u16],
}

/// Nodes on which something else than [`EVERYWHERE`] is found.
const EXPECTED: &[Expected] = &[
    // Instances came after their router, and this cloud announced no ports: the
    // agent has no entries for them (701).
    Expected { node: "S2", roots: &[], notes: &[701, 701] },
    Expected { node: "S6", roots: &[], notes: &[701] },
    // The agent leaves a rule for a centralized floating IP, and the instance's
    // packets leave by the wrong way (303).
    Expected { node: "S9", roots: &[(303, "qrouter-", "45606: from 20.0.0.9 lookup 16")], notes: &[807] },
    // The gateway was cleared: the agent keeps the fip namespace (104).
    Expected { node: "S13", roots: &[], notes: &[104] },
    // The same stray rule without a pair: table 16 is empty, it does nothing (303).
    Expected { node: "S15", roots: &[], notes: &[303] },
];

/// The nodes were read after their agent had been stopped (108).
const EVERYWHERE: u16 = 108;

#[test]
fn nodes_of_the_real_agent_have_what_is_expected() {
    for name in FIXTURES {
        let snapshot = fixture(name);
        let expected = EXPECTED.iter().find(|one| one.node == name);
        let (wanted_roots, wanted_notes) = expected.map_or((&[][..], &[][..]), |one| (one.roots, one.notes));
        let found: Vec<Root> = roots(&snapshot);
        let fits = |found: &Root, wanted: &(u16, &str, &str)| {
            found.0 == wanted.0 && found.1.starts_with(wanted.1) && found.2 == wanted.2
        };
        let same = found.len() == wanted_roots.len() && found.iter().zip(wanted_roots).all(|(one, two)| fits(one, two));
        assert!(same, "{name}: {found:#?}");
        let found: Vec<u16> = notes(&snapshot).into_iter().filter(|code| *code != EVERYWHERE).collect();
        assert_eq!(found, wanted_notes, "{name}");
    }
}
