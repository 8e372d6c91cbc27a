//! Text and JSON for the command line. Pure.
