//! Intents and ordered steps as data: each with its command line, its inverse and its sentence. Pure.
