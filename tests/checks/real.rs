//! What is found on nodes that the real agent built: exactly what is listed.

use super::common::{FIXTURES, drop_rule, fixture};
use super::real_findings::unexpected;

#[test]
fn nodes_of_the_real_agent_have_what_is_expected() {
    for name in FIXTURES {
        assert_eq!(unexpected(name, &fixture(name)), [""; 0]);
    }
}

#[test]
fn what_is_not_listed_is_unexpected() {
    let mut broken = fixture("S1");
    drop_rule(&mut broken, "qrouter-", "from 10.0.0.4 lookup 16");
    assert_eq!(unexpected("S1", &broken).len(), 1);
    assert_eq!(unexpected("S9", &fixture("S1")).len(), 2, "neither the root nor the note");
    let blind = fipscope::topology::scenario::Scenario { snapshot: fixture("S1") }.unreadable("fip-unread").snapshot;
    assert!(!unexpected("S1", &blind).is_empty());
}
