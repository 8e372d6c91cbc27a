//! The binary: parse, run, exit code.

use std::process::ExitCode;

use fipscope::app;
use fipscope::cli::{self, Typed};

fn main() -> ExitCode {
    match cli::parse(std::env::args_os()) {
        Ok(Typed::Run(arguments)) => app::run(&arguments),
        Ok(Typed::Print(text)) => app::print(&text),
        Err(usage) => usage.exit(),
    }
}
