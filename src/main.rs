//! The binary: parse, run, exit code.

use std::process::ExitCode;

use fipscope::app;
use fipscope::cli::{self, Typed};

/// A snapshot is tens of thousands of small values made on several threads; the
/// system's allocator spent a third of a reading on them.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match cli::parse(std::env::args_os()) {
        Ok(Typed::Run(arguments)) => app::run(&arguments),
        Ok(Typed::Print(text)) => app::print(&text),
        Err(usage) => usage.exit(),
    }
}
