//! The agent's files, drift, the host: DVR901 to DVR999.

use super::Check;

/// The checks of this family, in code order.
pub(super) static CHECKS: &[Check] = &[];
