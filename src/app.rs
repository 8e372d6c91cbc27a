//! Wires rooms together: the event loop, the worker, effects, privileges, the terminal.

pub mod console;
mod effects;
mod terminal;
mod worker;
