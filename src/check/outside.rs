//! The external attachment: fg, Open vSwitch: DVR601 to DVR699.

use super::Check;

/// The checks of this family, in code order.
pub(super) static CHECKS: &[Check] = &[];
