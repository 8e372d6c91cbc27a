//! Where answers go: standard output, standard error, a file that is whole or
//! not there at all.

use std::fmt::Display;
use std::fs::{self, OpenOptions};
use std::io::{self, IsTerminal, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::error::AppError;
use crate::config::{ColorChoice, Settings};
use crate::report::style::Style;

/// Columns of a terminal that does not tell, and of sentences in a file.
const WIDTH: usize = 80;

/// Writes an answer to standard output. A reader that went away (`| head`) has
/// what it wanted.
pub(super) fn print(text: &str) -> Result<(), AppError> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(AppError::Output(error)),
        _ => Ok(()),
    }
}

/// Writes a piece of an answer that goes on. False where the reader went away:
/// then nobody wants the rest.
pub(super) fn stream(text: &str) -> Result<bool, AppError> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(AppError::Output(error)),
    }
}

/// Says on standard error what went wrong.
pub(super) fn complain(error: &impl Display) {
    note(&format!("fipscope: {error}"));
}

/// Says something beside the answer on standard error. Lines stay lines,
/// anything else that a terminal would act on is shown instead.
pub(super) fn note(text: &str) {
    let lines: Vec<String> = text.lines().map(|line| crate::net::printable(line, 2000)).collect();
    // Where standard error is closed there is nobody to tell.
    let _ = writeln!(io::stderr().lock(), "{}", lines.join("\n"));
}

/// How text looks on standard output.
pub(super) fn style(settings: &Settings) -> Style {
    let terminal = io::stdout().is_terminal();
    let colour = match settings.color {
        ColorChoice::Always => true,
        ColorChoice::Never => false,
        ColorChoice::Auto => terminal && !settings.dumb,
    };
    let shown = if terminal { crossterm::terminal::size().ok().map(|(columns, _)| usize::from(columns)) } else { None };
    let told = shown.filter(|&columns| columns > 0).or(settings.columns);
    let whole = !terminal && told.is_none();
    Style { colour, ascii: settings.ascii, width: told.unwrap_or(WIDTH).max(40), whole }
}

/// Writes a file whole or not at all: a temporary file beside it takes its
/// place. A new file has mode 0644 less the umask, an old one keeps its mode.
/// What is no regular file (a pipe, `/dev/null`) is written to, not replaced.
pub(super) fn write_file(path: &Path, text: &str) -> Result<(), AppError> {
    let error = |operation| move |source| AppError::Write { operation, path: path.to_owned(), source };
    let old = fs::metadata(path).ok();
    if old.as_ref().is_some_and(|old| !old.is_file() && !old.is_dir()) {
        let mut file = OpenOptions::new().write(true).open(path).map_err(error("open"))?;
        return file.write_all(text.as_bytes()).map_err(error("write"));
    }
    // Behind a symbolic link stands the file that is meant.
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let temporary = beside(&target);
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o644)
        .open(&temporary)
        .map_err(error("create a file beside"))
        .and_then(|mut file| {
            if let Some(old) = old {
                file.set_permissions(old.permissions()).map_err(error("keep the mode of"))?;
            }
            file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(error("write"))?;
            fs::rename(&temporary, &target).map_err(error("replace"))
        });
    if written.is_err() {
        // Nothing was left behind, or it cannot be taken away either.
        let _ = fs::remove_file(&temporary);
    }
    written
}

fn beside(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.{}.tmp", std::process::id()))
}
