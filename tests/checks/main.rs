//! The checks: what they find on made-up nodes and on nodes of the real agent,
//! whole and broken, and what their registry promises. One file a family.

#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test reads files and fails by panicking"
)]

mod agents;
mod associate;
mod central;
mod common;
mod examples;
mod faults;
mod files;
mod fip;
mod guards;
mod heals;
mod kept;
#[path = "../common/law.rs"]
mod law;
mod many;
mod nat;
mod neighbours;
mod outside;
mod pages;
mod pair;
mod policy;
mod real;
#[path = "../common/real_findings.rs"]
mod real_findings;
mod registry;
mod releases;
mod remove;
mod repairs;
mod snat;
mod wire;
