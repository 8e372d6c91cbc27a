//! The command line as typed (clap).
