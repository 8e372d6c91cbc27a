//! What is found on nodes that the real agent built: exactly this, and why.

use super::common::{FIXTURES, Root, fixture, notes, roots};

/// A node: its errors and warnings that follow from nothing else (code, start of
/// the namespace, object), and its notes.
struct Expected {
    node: &'static str,
    roots: &'static [(u16, &'static str, &'static str)],
    notes: &'static [u16],
}

/// Nodes on which something is found; all others are clean.
const EXPECTED: &[Expected] = &[];

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
        assert_eq!(notes(&snapshot), wanted_notes, "{name}");
    }
}
