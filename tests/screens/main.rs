//! The console: screens as text, keys as messages, the real loop on a test
//! terminal.

#![allow(
    unreachable_pub,
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test reads files and fails by panicking"
)]

mod any;
mod article;
mod carried;
mod chains;
mod desk;
mod docs;
mod findings;
mod flow;
mod form;
mod halts;
mod journal;
mod keys;
mod lately;
mod offers;
mod probe;
mod proposal;
mod real_loop;
mod replay;
mod rewind;
mod router;
mod screens;
mod stations;
mod timeline;
mod tracked;
mod traffic;
mod walk;
mod walks;
