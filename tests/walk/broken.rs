//! Nodes on which something is broken.
