//! Faults.
pub(crate) const FAULTS: &[&str] = &[];
