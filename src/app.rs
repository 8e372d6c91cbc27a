//! Wires rooms together: the event loop, the worker, effects, privileges, the terminal.
