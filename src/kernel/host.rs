//! The host's side of a node: the L3 agent and its files, Open vSwitch.

mod agent;
mod config;
mod files;
mod ovs;
mod root;
mod whole;

use std::path::{Path, PathBuf};

use jiff::SignedDuration;

use self::agent::{CommandLine, Process, Processes};
use self::files::{Configuration, allocation, configuration, neutron_version};
use self::root::Root;
pub(crate) use self::whole::read_whole;
use super::ReadOptions;
use crate::net::{Agent, Host, Observed, PathOrigin};
use crate::netns::hint;

/// Neutron's own default (`neutron/conf/common.py`).
const STATE_PATH: &str = "/var/lib/neutron";

/// The host's name.
pub(crate) fn name() -> String {
    nix::unistd::gethostname().map_or_else(|_| String::new(), |name| name.to_string_lossy().into_owned())
}

/// What belongs to the host and to no namespace.
pub(crate) fn read(options: &ReadOptions) -> Host {
    Host { ovs: ovs::read(), ..read_without_switch(options) }
}

/// The same without Open vSwitch.
fn read_without_switch(options: &ReadOptions) -> Host {
    let mut host = Host {
        kernel: nix::sys::utsname::uname().ok().map(|uts| uts.release().to_string_lossy().into_owned()),
        ..Host::default()
    };
    let processes = agent::find();
    host.ovn_controller = processes.as_ref().is_ok_and(|found| found.ovn_controller);
    let (process, why) = match processes {
        Ok(Processes { agent, .. }) => (agent, None),
        Err(error) => (None, Some(agent::unreadable(&error))),
    };
    if let Some(why) = why {
        host.agent = Observed::Unreadable(why);
    }
    match Root::host() {
        Ok(own) => read_below(&mut host, &own, process.as_ref(), options),
        Err(error) => {
            let why = format!("cannot open the root folder: {error}");
            host.link_local_file = Observed::Unreadable(why.clone());
            host.priority_file = Observed::Unreadable(why);
        }
    }
    host
}

/// The agent and its allocation files again, `since` an earlier reading. The
/// process that it found is looked for first: to go through all processes takes
/// milliseconds where there are many. Open vSwitch and the host's own namespace stay
/// as they were.
pub(crate) fn again(before: &Host, since: SignedDuration, options: &ReadOptions) -> Host {
    let mut host = before.clone();
    let same = before.agent.seen().and_then(|agent| Some((agent, agent::still(agent, since)?)));
    let root = same.as_ref().and_then(|(_, process)| match before.path_origin {
        PathOrigin::Given => Root::host().ok(),
        _ => Root::of_process(process.pid).ok(),
    });
    match (same, &before.state_path, root) {
        (Some((agent, process)), Some(state_path), Some(root)) => {
            read_allocations(&mut host, &root, state_path);
            host.agent = Observed::Seen(Agent { uptime: process.uptime(), ..agent.clone() });
            host
        }
        _ => Host { ovs: host.ovs, netns: host.netns, ..read_without_switch(options) },
    }
}

fn read_below(host: &mut Host, own: &Root, process: Option<&Process>, options: &ReadOptions) {
    match process {
        Some(process) => host.agent = Observed::Seen(read_agent(host, own, process)),
        None => {
            read_files(host, own, &CommandLine::default(), None, PathOrigin::Configuration);
        }
    }
    if let Some(given) = &options.state_path {
        read_allocations(host, own, given);
        host.state_path = Some(given.clone());
        host.path_origin = PathOrigin::Given;
    }
}

fn read_agent(host: &mut Host, own: &Root, process: &Process) -> Agent {
    let line = agent::understand(&process.command_line).unwrap_or_default();
    let mut found = Agent {
        pid: process.pid,
        uptime: process.uptime(),
        command_line: process.command_line.clone(),
        ..Agent::default()
    };
    let folder = process.folder();
    let read = match Root::of_process(process.pid) {
        Ok(root) => {
            found.containerised = root.is_foreign();
            read_files(host, &root, &line, folder.as_deref(), PathOrigin::Agent)
        }
        Err(error) => {
            // We may not see its root; without a container it is ours, so the same paths are the best guess.
            found.unreadable.push(format!("cannot look into the agent's root folder: {error}{}", hint(&error)));
            read_files(host, own, &line, folder.as_deref(), PathOrigin::Configuration)
        }
    };
    found.config_files = read.files;
    found.unreadable.extend(read.unreadable);
    found.mode = read.settings.get("DEFAULT", "agent_mode");
    found.host = read.settings.get("DEFAULT", "host");
    found.interface_driver = read.settings.get("DEFAULT", "interface_driver");
    found
}

/// Reads configuration files under a root folder, and what they lead to.
fn read_files(
    host: &mut Host,
    root: &Root,
    line: &CommandLine,
    folder: Option<&Path>,
    origin: PathOrigin,
) -> Configuration {
    let read = configuration(root, line, folder);
    let configured = read.path("DEFAULT", "state_path");
    // A running agent whose files say nothing uses the default: then that is its own path too.
    let sure = configured.is_some() || (origin == PathOrigin::Agent && read.unreadable.is_empty());
    host.path_origin = if sure { origin } else { PathOrigin::Usual };
    let state_path = configured.unwrap_or_else(|| PathBuf::from(STATE_PATH));
    read_allocations(host, root, &state_path);
    host.state_path = Some(state_path);
    host.lock_path = read.path("oslo_concurrency", "lock_path");
    host.ha_confs_path = read.path("DEFAULT", "ha_confs_path");
    host.neutron_version = neutron_version(root, &line.program);
    read
}

fn read_allocations(host: &mut Host, root: &Root, state_path: &Path) {
    host.link_local_file = allocation(root, state_path, "fip-linklocal-networks");
    host.priority_file = allocation(root, state_path, "fip-priorities");
}
