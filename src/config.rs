//! What was typed, the environment and the file, made into settings.
