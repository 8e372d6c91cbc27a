//! Translation, connection tracking, marks, filter: DVR401 to DVR499.

use super::Check;

/// The checks of this family, in code order.
pub(super) static CHECKS: &[Check] = &[];
