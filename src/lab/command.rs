//! A command inside the lab.

use std::ffi::OsString;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::prctl::set_child_subreaper;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use tokio::process::{Child, Command};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::timeout;

use super::{Error, Lab};

/// How long a command may take to end when it is told to.
const GRACE: Duration = Duration::from_secs(2);

/// Runs a command inside the lab, with `FIPSCOPE_LAB=1` in its environment, and
/// gives its exit code (128 and the signal's number where a signal ended it).
/// Whatever it leaves running is killed. To be called outside any runtime.
pub fn run_command(lab: &Lab, command: &[OsString]) -> Result<i32, Error> {
    let Some((program, arguments)) = command.split_first() else { return Ok(0) };
    // Orphans of the command come to us instead of to init.
    let _ = set_child_subreaper(true);
    let mut command = Command::new(program);
    command.args(arguments).env("FIPSCOPE_LAB", "1").env("XDG_STATE_HOME", super::STATE_HOME);
    if let Some(path) = lab.given_state_path() {
        command.env("FIPSCOPE_STATE_PATH", path);
    }
    if let Some(path) = search_path() {
        command.env("PATH", path);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let status = runtime.and_then(|runtime| runtime.block_on(run(command)));
    kill_orphans();
    status.map(code).map_err(|source| Error::Command { program: program.to_string_lossy().into_owned(), source })
}

/// The search path with the folder of this very program behind all others, so
/// that the lab knows `fipscope` wherever it was built.
fn search_path() -> Option<OsString> {
    let folder = std::env::current_exe().ok()?.parent()?.to_owned();
    // Without one, programs are looked for where the system has them.
    let known = std::env::var_os("PATH")?;
    std::env::join_paths(std::env::split_paths(&known).chain([folder])).ok()
}

/// Starts the command and waits for it. What the terminal sends reaches it as
/// well as us; a wish that we end is handed on to it.
async fn run(mut command: Command) -> io::Result<ExitStatus> {
    // Before the command exists: a signal must not end us and leave it behind.
    // A handler, unlike a mask, is not inherited.
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut quit = signal(SignalKind::quit())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    let mut child = command.spawn()?;
    loop {
        tokio::select! {
            status = child.wait() => return status,
            _ = interrupt.recv() => {}
            _ = quit.recv() => {}
            _ = terminate.recv() => return end(child, Signal::SIGTERM).await,
            _ = hangup.recv() => return end(child, Signal::SIGHUP).await,
        }
    }
}

/// Tells the command to end, and kills it if it does not.
async fn end(mut child: Child, signal: Signal) -> io::Result<ExitStatus> {
    if let Some(pid) = child.id() {
        let _ = kill(Pid::from_raw(pid.cast_signed()), signal);
    }
    if let Ok(status) = timeout(GRACE, child.wait()).await {
        return status;
    }
    child.start_kill()?;
    child.wait().await
}

/// Ends what the command left running: it has become our child.
fn kill_orphans() {
    let told = Instant::now();
    while told.elapsed() < GRACE {
        for child in children() {
            let _ = kill(child, Signal::SIGKILL);
        }
        match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            Err(Errno::ECHILD) => return,
            Ok(WaitStatus::StillAlive) => thread::sleep(Duration::from_millis(5)),
            Ok(_) | Err(_) => {}
        }
    }
}

/// Our children, as the kernel lists them for each of our threads.
fn children() -> Vec<Pid> {
    let Ok(threads) = std::fs::read_dir("/proc/self/task") else { return Vec::new() };
    threads
        .flatten()
        .filter_map(|thread| std::fs::read_to_string(thread.path().join("children")).ok())
        .flat_map(|text| {
            text.split_whitespace().filter_map(|pid| pid.parse().ok()).map(Pid::from_raw).collect::<Vec<_>>()
        })
        .collect()
}

fn code(status: ExitStatus) -> i32 {
    status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0))
}
