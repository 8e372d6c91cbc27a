//! Namespaces and the agent.
