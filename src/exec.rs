//! Writes to the node: steps, verification, unwinding.
