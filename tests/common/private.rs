//! A sandbox or a lab around the process of a test, or a loud word on why this
//! system does not let one stand.

#![allow(dead_code, reason = "not every test needs all of it")]

use std::process::ExitCode;

use fipscope::lab::{self, Lab, LabOptions};
use fipscope::netns::{Error, Sandbox};

/// The exit code of a process that may not stand apart.
pub(crate) const SKIPPED: i32 = 77;
/// That of one which lacks what only some labs need.
pub(crate) const LACKING: i32 = 79;

/// Whether what is skipped counts as failed (`REQUIRE_NETNS=1`).
pub(crate) fn is_required() -> bool {
    std::env::var("REQUIRE_NETNS").is_ok_and(|value| value == "1")
}

/// A sandbox around this process; else the exit code of a test that was skipped.
pub(crate) fn sandbox(test: &str) -> Result<Sandbox, ExitCode> {
    match Sandbox::enter() {
        Ok(sandbox) => Ok(sandbox),
        Err(error @ Error::Sandbox { .. }) => {
            println!("SKIPPED {test}: {error}");
            Err(ExitCode::from(u8::from(is_required())))
        }
        Err(error) => panic!("{error}"),
    }
}

/// A lab around this process; where none can stand the process says why, and
/// ends with [`SKIPPED`] or [`LACKING`].
pub(crate) fn lab(options: &LabOptions) -> Lab {
    use lab::Error::{Netns, NoIptables, NoOpenVswitch, NoTun};
    match Lab::enter_and_build(options) {
        Ok(lab) => lab,
        Err(error @ (NoOpenVswitch(_) | NoTun { .. })) => {
            println!("{error}");
            std::process::exit(LACKING)
        }
        Err(error @ (Netns(Error::Sandbox { .. }) | NoIptables(_))) => {
            println!("{error}");
            std::process::exit(SKIPPED)
        }
        Err(error) => panic!("{error}"),
    }
}
