//! The L3 agent, from a report's list of processes and its configuration files.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::super::folder::Folder;
use super::names;
use crate::net::{Agent, Gap, Host, Observed, PathOrigin};

/// Where a report has the files of an agent in a container beside the host's.
const ROOTS: [&str; 2] = ["", "var/lib/config-data/puppet-generated/neutron/"];

/// What the agent reads without being told.
const USUAL_FILES: [&str; 2] = ["/etc/neutron/neutron.conf", "/etc/neutron/l3_agent.ini"];

/// Fills in the agent and its paths.
pub(super) fn read(folder: &Folder, host: &mut Host) {
    let processes = folder.find(&names(&[
        "sos_commands/process/ps_auxwwwm",
        "sos_commands/process/ps_auxwww",
        "sos_commands/process/ps_aux",
    ]));
    let (processes, why) = match processes {
        Ok(found) => (processes_of(&found.text), None),
        Err(why) => (Vec::new(), Some(why)),
    };
    host.ovn_controller = processes.iter().any(|(_, words)| runs(words, "ovn-controller"));
    let agent = processes.into_iter().find(|(_, words)| runs(words, "neutron-l3-agent"));
    let told = agent.as_ref().map(|(_, words)| files_of(words)).filter(|files| !files.is_empty());
    let files = told.unwrap_or_else(|| USUAL_FILES.map(PathBuf::from).to_vec());
    let (settings, unreadable) = configuration(folder, &files);
    let get = |name: &str| settings.get(name).filter(|value| !value.is_empty()).cloned();

    let configured = get("DEFAULT.state_path").map(PathBuf::from);
    host.path_origin = match (&agent, &configured) {
        (_, None) => PathOrigin::Usual,
        (Some(_), Some(_)) => PathOrigin::Agent,
        (None, Some(_)) => PathOrigin::Configuration,
    };
    let state = configured.clone().unwrap_or_else(|| PathBuf::from("/var/lib/neutron"));
    host.state_path = configured;
    host.lock_path = get("oslo_concurrency.lock_path")
        .map(|path| path.replace("$state_path", &state.to_string_lossy()))
        .map(PathBuf::from);
    host.agent = match (agent, why) {
        (Some((pid, command_line)), _) => Observed::Seen(Agent {
            pid,
            uptime: None,
            command_line,
            config_files: files,
            unreadable,
            mode: get("DEFAULT.agent_mode"),
            host: get("DEFAULT.host"),
            interface_driver: get("DEFAULT.interface_driver"),
            containerised: false,
        }),
        (None, None) => Observed::Absent,
        (None, Some(why)) => {
            let mode = get("DEFAULT.agent_mode").map(|mode| format!("; its configuration says agent_mode = {mode}"));
            host.gaps.push(Gap::new("ovn-controller", why.clone()));
            Observed::Unreadable(why + &mode.unwrap_or_default())
        }
    };
}

/// Process ids and command lines of `ps aux`, whose eleventh column is the rest
/// of the line. Lines of threads have no process id of their own.
fn processes_of(text: &str) -> Vec<(u32, Vec<String>)> {
    let lines = text.lines().skip(1).filter_map(|line| {
        let mut words = line.split_whitespace();
        let pid = words.nth(1)?.parse().ok()?;
        let command: Vec<String> = words.skip(8).map(str::to_owned).collect();
        (!command.is_empty()).then_some((pid, command))
    });
    lines.collect()
}

/// True where the program, or the script that an interpreter runs, is of that
/// name.
fn runs(words: &[String], program: &str) -> bool {
    let is = |word: Option<&String>| word.is_some_and(|word| word.rsplit('/').next() == Some(program));
    let interpreted =
        words.first().is_some_and(|word| word.rsplit('/').next().is_some_and(|name| name.starts_with("python")));
    is(words.first())
        || interpreted && words.iter().skip(1).find(|word| !word.starts_with('-')).is_some_and(|word| is(Some(word)))
}

/// `--config-file FILE`, `--config-file=FILE`.
fn files_of(words: &[String]) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        match word.strip_prefix("--config-file") {
            Some("") => files.extend(words.next().map(PathBuf::from)),
            Some(rest) => files.extend(rest.strip_prefix('=').map(PathBuf::from)),
            None => {}
        }
    }
    files
}

/// The options of all files, the later file's winning, and the files that are
/// not there.
fn configuration(folder: &Folder, files: &[PathBuf]) -> (BTreeMap<String, String>, Vec<String>) {
    let (mut settings, mut unreadable) = (BTreeMap::new(), Vec::new());
    for file in files {
        let inside = file.strip_prefix("/").unwrap_or(file).to_string_lossy().into_owned();
        match folder.find(&ROOTS.map(|root| format!("{root}{inside}"))) {
            Ok(found) => settings.extend(options(&found.text)),
            Err(why) => unreadable.push(why),
        }
    }
    (settings, unreadable)
}

/// `SECTION.option`, value: what `oslo.config` reads of an INI file.
fn options(text: &str) -> Vec<(String, String)> {
    let mut section = "DEFAULT";
    let mut found = Vec::new();
    for line in text.lines().map(str::trim).filter(|line| !line.starts_with(['#', ';'])) {
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            section = name.trim();
        } else if let Some((name, value)) = line.split_once(['=', ':']) {
            found.push((format!("{section}.{}", name.trim()), value.trim().to_owned()));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_agent_is_found_among_processes() {
        let text = "USER PID %CPU %MEM VSZ RSS TTY STAT START TIME COMMAND\n\
            root 7 0.0 0.0 1 1 ? S 10:00 0:00 grep neutron-l3-agent\n\
            neutron 1234 0.1 0.2 1 1 ? - 10:00 0:01 /usr/bin/python3 /usr/bin/neutron-l3-agent --config-file=/etc/neutron/neutron.conf --config-file /etc/neutron/l3_agent.ini\n\
            neutron - 0.1 - - - - Sl 10:00 0:01 -\n";
        let processes = processes_of(text);
        let agents: Vec<u32> =
            processes.iter().filter(|(_, words)| runs(words, "neutron-l3-agent")).map(|(pid, _)| *pid).collect();
        assert_eq!(agents, [1234]);
        let files = files_of(&processes[1].1);
        assert_eq!(files, [PathBuf::from("/etc/neutron/neutron.conf"), PathBuf::from("/etc/neutron/l3_agent.ini")]);
    }

    #[test]
    fn later_options_win_and_sections_count() {
        let text = "[DEFAULT]\nagent_mode = dvr\n# agent_mode = legacy\nagent_mode=dvr_snat\n[oslo_concurrency]\nlock_path: $state_path/lock\n";
        let options: BTreeMap<String, String> = options(text).into_iter().collect();
        assert_eq!(options["DEFAULT.agent_mode"], "dvr_snat");
        assert_eq!(options["oslo_concurrency.lock_path"], "$state_path/lock");
    }
}
