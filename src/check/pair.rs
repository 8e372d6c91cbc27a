//! The rfp/fpr pair: DVR201 to DVR299.

use super::Check;

/// The checks of this family, in code order.
pub(super) static CHECKS: &[Check] = &[];
