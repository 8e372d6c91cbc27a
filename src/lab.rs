//! Builds the demonstration node in a private sandbox, and makes traffic.
