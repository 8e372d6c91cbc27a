//! The agent's files, drift, the host.
