//! Neighbours and internal ports: DVR701 to DVR799.

use super::Check;

/// The checks of this family, in code order.
pub(super) static CHECKS: &[Check] = &[];
