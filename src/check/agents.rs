//! Namespaces and the agent: DVR101 to DVR199.

use super::Check;

/// The checks of this family, in code order.
pub(super) static CHECKS: &[Check] = &[];
