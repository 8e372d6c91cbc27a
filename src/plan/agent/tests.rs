//! What the blocks come to.
