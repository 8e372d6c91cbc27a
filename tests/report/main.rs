//! What `list`, `show`, `check`, `diff` and `trace` say, as text and as JSON, of a node that is
//! healthy, broken, empty, or ambiguous.

#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test reads files and fails by panicking"
)]

mod article;
mod check;
mod json;
mod plan;
mod select;
mod text;
mod trace;
mod walks;
