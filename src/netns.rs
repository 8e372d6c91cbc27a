//! Find, open, enter (on a thread of its own), create and mount network namespaces; run something inside.
