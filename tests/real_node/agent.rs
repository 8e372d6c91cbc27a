//! The real L3 agent on a node that stands, told what to do line by line.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

/// The size of its pools of helper threads with which it does not wait for
/// itself.
pub(crate) const MANY_THREADS: u32 = 16;

/// Where the node's agent lies.
#[derive(Clone, Copy)]
pub(crate) struct Home<'a> {
    /// The node's folder.
    pub(crate) workdir: &'a Path,
    /// `build_node.sh`.
    pub(crate) builder: &'a Path,
}

/// The agent, which does what it is told.
pub(crate) struct Agent {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Agent {
    /// Starts it under that name, which is what others see run; 0 threads are
    /// its own default.
    pub(crate) fn start(home: Home<'_>, name: &str, threads: u32) -> Self {
        let Home { workdir, builder } = home;
        let script = workdir.join(name);
        fs::write(&script, include_str!("agent.py")).unwrap();
        let folder = std::env::var_os("HOME").map_or_else(|| PathBuf::from("/root"), PathBuf::from);
        let cache = std::env::var_os("XDG_CACHE_HOME").map_or_else(|| folder.join(".cache"), PathBuf::from);
        let venv = std::env::var_os("VENV").map_or_else(|| cache.join("fipscope-real-node"), PathBuf::from);
        let log = File::create(workdir.join("agent.err")).unwrap();
        let mut child = Command::new(venv.join("bin/python"))
            .args(["-W", "ignore"])
            .arg(script)
            .args([builder.parent().unwrap(), workdir])
            .arg(threads.to_string())
            .arg("--config-file")
            .arg(workdir.join("neutron.conf"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
        let (input, output) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        Self { child, input, output }
    }

    /// Has it do something, and gives the time that it took.
    pub(crate) fn says(&mut self, command: &str) -> Duration {
        self.begin(command);
        self.end(command).0
    }

    /// Has it begin something.
    pub(crate) fn begin(&mut self, command: &str) {
        writeln!(self.input, "{command}").unwrap();
    }

    /// Waits for the end of what it began: the time, and the rounds.
    pub(crate) fn end(&mut self, command: &str) -> (Duration, u32) {
        for line in (&mut self.output).lines() {
            if let Some(took) = line.unwrap().strip_prefix("took ") {
                let (seconds, rounds) = took.split_once(' ').unwrap();
                return (Duration::from_secs_f64(seconds.parse().unwrap()), rounds.parse().unwrap());
            }
        }
        panic!("the agent ended at {command:?}");
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
