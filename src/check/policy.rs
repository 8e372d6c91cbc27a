//! Policy routing in the router namespace: DVR301 to DVR399.

use super::Check;

/// The checks of this family, in code order.
pub(super) static CHECKS: &[Check] = &[];
