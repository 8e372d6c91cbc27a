//! A repair taken back leaves the node as it was.

use fipscope::net::{Change, Snapshot, changes};
use fipscope::plan::{Plan, simulate};

/// Does a plan and takes it back, both simulated: the node is as it was before,
/// or the error says in what it is not.
pub(crate) fn undone(plan: &Plan, before: &Snapshot) -> Result<(), Vec<String>> {
    let after = simulate(&plan.way_back(), &simulate(plan, before));
    if before.same_as(&after) {
        return Ok(());
    }
    let lasting = changes(&before.normalised(), &after.normalised());
    let lasting: Vec<String> =
        lasting.into_iter().filter(|change| !change.is_flapping()).map(|change: Change| change.to_string()).collect();
    if lasting.is_empty() { Ok(()) } else { Err(lasting) }
}
