//! The L3 agent among the processes, by its command line.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use jiff::SignedDuration;

use crate::net::Agent;
use crate::netns::hint;

/// The programs that are an L3 agent: Neutron's own, and the VPN service's,
/// which is one with an extension.
const PROGRAMS: [&str; 2] = ["neutron-l3-agent", "neutron-vpn-agent"];

/// What the processes of this node tell.
#[derive(Debug, Default)]
pub(crate) struct Processes {
    /// The L3 agent; of several (it forks) the eldest.
    pub(crate) agent: Option<Process>,
    /// `ovn-controller` is among them.
    pub(crate) ovn_controller: bool,
}

/// One process.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Process {
    pub(crate) pid: u32,
    /// When it was started, in clock ticks since the system was.
    started: u64,
    pub(crate) command_line: Vec<String>,
}

/// The agent's command line, understood.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct CommandLine {
    /// The program's file, as it was called.
    pub(crate) program: PathBuf,
    /// Configuration files (`false`) and folders of such (`true`), in order.
    pub(crate) config: Vec<(PathBuf, bool)>,
    /// `--state_path`, which goes over the files.
    pub(crate) state_path: Option<String>,
}

/// Looks through the processes that share our network namespace: others (of a
/// lab, or of the host around our container) are not this node's.
pub(crate) fn find() -> io::Result<Processes> {
    // With hidepid the list is silent about other users; process 1 is another user's.
    fs::metadata("/proc/1/stat")?;
    let own = fs::metadata("/proc/self/ns/net")?.ino();
    let outermost = in_first_user_namespace();
    let mut found = Processes::default();
    for entry in fs::read_dir("/proc")? {
        let Some(pid) = entry?.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        let command_line = command_line(pid);
        let ovn = command_line.first().is_some_and(|word| base(word) == "ovn-controller");
        if !ovn && understand(&command_line).is_none() {
            continue;
        }
        // An ordinary user may not look; inside a sandbox that means: a process of the world outside.
        let here = fs::metadata(format!("/proc/{pid}/ns/net")).map_or(outermost, |ns| ns.ino() == own);
        if !here {
            continue;
        }
        if ovn {
            found.ovn_controller = true;
        } else if let Some(started) = started(pid) {
            let elder = found.agent.as_ref().is_some_and(|other| (other.started, other.pid) < (started, pid));
            if !elder {
                found.agent = Some(Process { pid, started, command_line });
            }
        }
    }
    Ok(found)
}

/// The process of an agent that an earlier reading found, `since` that, where it
/// is still the same: it has that number and command line, and was started as
/// long before that reading as it said.
pub(crate) fn still(agent: &Agent, since: SignedDuration) -> Option<Process> {
    let command_line = command_line(agent.pid);
    if command_line.is_empty() || command_line != agent.command_line {
        return None;
    }
    let process = Process { pid: agent.pid, started: started(agent.pid)?, command_line };
    let by_now = i64::try_from(agent.uptime?).ok()?.checked_add(since.as_secs())?;
    let uptime = i64::try_from(process.uptime()?).ok()?;
    // Both are whole seconds.
    (uptime.abs_diff(by_now) <= 2).then_some(process)
}

impl Process {
    /// Seconds since it was started.
    pub(crate) fn uptime(&self) -> Option<u64> {
        let ticks = nix::unistd::sysconf(nix::unistd::SysconfVar::CLK_TCK).ok()??;
        let text = fs::read_to_string("/proc/uptime").ok()?;
        let now: u64 = text.split('.').next()?.parse().ok()?;
        Some(now.saturating_sub(self.started / u64::try_from(ticks).ok().filter(|ticks| *ticks > 0)?))
    }

    /// The folder that its relative paths start from, as it sees it.
    pub(crate) fn folder(&self) -> Option<PathBuf> {
        fs::read_link(format!("/proc/{}/cwd", self.pid)).ok()
    }
}

/// Understands a command line, if it is an L3 agent's: a program of that name,
/// a Python that runs one, or the title that the agent gives itself
/// (`neutron-l3-agent (/usr/bin/python3 /usr/bin/neutron-l3-agent …)`,
/// `neutron/cmd/agents/l3.py`).
pub(crate) fn understand(words: &[String]) -> Option<CommandLine> {
    let first = words.first()?;
    if let Some((name, inner)) = first.split_once(" (")
        && PROGRAMS.contains(&base(name))
    {
        let inner: Vec<String> = inner.trim_end().trim_end_matches(')').split_whitespace().map(str::to_owned).collect();
        let called = CommandLine { program: PathBuf::from(name), ..CommandLine::default() };
        return Some(understand(&inner).unwrap_or(called));
    }
    let mut place = 0;
    if base(first).starts_with("python") {
        place = 1;
        while words.get(place)?.starts_with('-') {
            // -W and -X take a word of their own; -c and -m run no program file.
            place += if words[place] == "-W" || words[place] == "-X" { 2 } else { 1 };
        }
    }
    let program = words.get(place).filter(|word| PROGRAMS.contains(&base(word)))?;
    let mut line = CommandLine { program: PathBuf::from(program), ..CommandLine::default() };
    let mut rest = words[place + 1..].iter();
    while let Some(word) = rest.next() {
        let (option, value) = word.split_once('=').map_or((word.as_str(), None), |(o, v)| (o, Some(v.to_owned())));
        let mut value = || value.clone().or_else(|| rest.next().cloned());
        match option {
            "--config-file" => line.config.extend(value().map(|file| (PathBuf::from(file), false))),
            "--config-dir" => line.config.extend(value().map(|folder| (PathBuf::from(folder), true))),
            "--state_path" | "--state-path" => line.state_path = value(),
            _ => {}
        }
    }
    Some(line)
}

fn base(word: &str) -> &str {
    Path::new(word).file_name().and_then(|name| name.to_str()).unwrap_or("")
}

/// Empty for a process that has gone, and for the kernel's own.
fn command_line(pid: u32) -> Vec<String> {
    let mut bytes = Vec::new();
    let read = File::open(format!("/proc/{pid}/cmdline")).and_then(|file| file.take(65_536).read_to_end(&mut bytes));
    if read.is_err() {
        return Vec::new();
    }
    let text = String::from_utf8_lossy(&bytes);
    text.trim_end_matches('\0').split('\0').map(str::to_owned).collect()
}

/// The 22nd field of `/proc/PID/stat`; the second, the name, may have blanks
/// and brackets in it.
fn started(pid: u32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    text.rsplit_once(')')?.1.split_whitespace().nth(19)?.parse().ok()
}

fn in_first_user_namespace() -> bool {
    let map = fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    map.split_whitespace().eq(["0", "0", "4294967295"])
}

/// Why the processes could not be looked through, for a person.
pub(crate) fn unreadable(error: &io::Error) -> String {
    if error.kind() == io::ErrorKind::NotFound {
        return "the processes of other users are hidden here; try: sudo".to_owned();
    }
    format!("cannot look through the processes: {error}{}", hint(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split('|').map(str::to_owned).collect()
    }

    #[test]
    fn a_process_is_the_same_only_where_it_was_started_then() {
        let pid = std::process::id();
        let process = Process { pid, started: started(pid).unwrap(), command_line: command_line(pid) };
        let agent = Agent { pid, uptime: process.uptime(), command_line: command_line(pid), ..Agent::default() };
        let is_same = |agent: &Agent, secs| still(agent, SignedDuration::from_secs(secs)).is_some();
        assert!(is_same(&agent, 0));
        assert!(!is_same(&agent, 60), "it would be a minute older by now");
        assert!(!is_same(&Agent { uptime: None, ..agent.clone() }, 0));
        assert!(!is_same(&Agent { command_line: words("neutron-l3-agent"), ..agent.clone() }, 0));
        assert!(!is_same(&Agent { pid: u32::MAX, ..agent }, 0));
    }

    #[test]
    fn agents_are_known_by_their_command_lines() {
        let plain = "/usr/bin/python3|/usr/bin/neutron-l3-agent|--config-file|/etc/neutron/neutron.conf|\
                     --config-dir=/etc/neutron/l3.d|--config-file=l3_agent.ini|--log-file=/x";
        let line = understand(&words(plain)).unwrap();
        assert_eq!(line.program, Path::new("/usr/bin/neutron-l3-agent"));
        let expected = [("/etc/neutron/neutron.conf", false), ("/etc/neutron/l3.d", true), ("l3_agent.ini", false)];
        assert_eq!(line.config, expected.map(|(path, folder)| (PathBuf::from(path), folder)));
        let kolla = "/var/lib/kolla/venv/bin/python|-W|ignore|/var/lib/kolla/venv/bin/neutron-l3-agent|--state_path|/s";
        assert_eq!(understand(&words(kolla)).unwrap().state_path.as_deref(), Some("/s"));
        let title = "neutron-l3-agent (/usr/bin/python3 /usr/bin/neutron-l3-agent --config-file /a.conf)";
        assert_eq!(understand(&words(title)).unwrap().config, [(PathBuf::from("/a.conf"), false)]);
        assert_eq!(understand(&words("neutron-vpn-agent")).unwrap().program, Path::new("neutron-vpn-agent"));
    }

    #[test]
    fn others_are_not_taken_for_agents() {
        for other in [
            "vi|/usr/bin/neutron-l3-agent",
            "/usr/bin/python3|/usr/bin/privsep-helper|--config-file|/etc/neutron/neutron.conf",
            "/usr/bin/python3|/usr/bin/neutron-keepalived-state-change|--router_id=1",
            "/usr/bin/python3|/usr/bin/neutron-dhcp-agent",
            "python3",
            "python3|-W",
            "",
        ] {
            assert_eq!(understand(&words(other)), None, "{other}");
        }
        assert_eq!(understand(&[]), None);
    }
}
