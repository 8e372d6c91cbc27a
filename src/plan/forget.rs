//! The plan that has connection tracking forget single connections.

use super::{Action, Place, Plan};
use crate::check::Applicability;
use crate::net::{ConntrackEntry, NetnsName};

/// As many are forgotten by one plan.
const MOST: usize = 200;

/// What becomes of a connection that is forgotten.
pub(super) const GOES_ON: &str =
    "A connection that still has packets goes on, translated as the rules say today, or breaks.";

/// Has each of these connections forgotten where it is tracked, and no other; `whose`
/// is told. Of very many only the first are.
pub fn forget<'a>(whose: &str, entries: impl IntoIterator<Item = (&'a NetnsName, &'a ConntrackEntry)>) -> Plan {
    let mut plan = Plan::new(format!("forget connections of {whose}"));
    plan.applicability = Applicability::NeedsConsent;
    let mut entries = entries.into_iter();
    for (namespace, entry) in entries.by_ref().take(MOST) {
        let action = Action::ForgetConnection { original: entry.original.clone(), zone: entry.zone };
        plan.push(&Place::Netns(namespace.clone()), action);
    }
    let more = entries.count();
    if more > 0 {
        plan.warnings.push(format!("{more} more are left: plan it again afterwards."));
    }
    plan.warnings.push(GOES_ON.to_owned());
    plan
}
