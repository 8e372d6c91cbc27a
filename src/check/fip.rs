//! Routes and ARP in the fip namespace: DVR501 to DVR599.

use super::Check;

/// The checks of this family, in code order.
pub(super) static CHECKS: &[Check] = &[];
