//! The log: to a file that was asked for, never to the terminal.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::sync::Mutex;

use tracing_subscriber::EnvFilter;

use super::error::AppError;
use crate::config::Settings;

/// Begins to log, where a file was named. It is the owner's alone: it tells of
/// the node's addresses.
pub(super) fn start(settings: &Settings) -> Result<(), AppError> {
    let Some(path) = &settings.log_file else { return Ok(()) };
    let file = OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .open(path)
        .map_err(|source| AppError::Write { operation: "open the log file", path: path.clone(), source })?;
    let level = match settings.verbose {
        0 => "info",
        1 => "debug",
        _ => "trace",
    };
    // netlink-proto reports each message type that is new to it as an error.
    let filter = EnvFilter::new(format!("warn,fipscope={level},netlink_proto=off"));
    // A second subscriber would be a second run in one process: the first stays.
    let _ = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(false).with_writer(Mutex::new(file)).try_init();
    Ok(())
}
