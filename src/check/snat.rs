//! SNAT and centralized floating IPs: DVR801 to DVR899.

use super::Check;

/// The checks of this family, in code order.
pub(super) static CHECKS: &[Check] = &[];
