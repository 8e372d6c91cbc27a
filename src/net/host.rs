//! The host's side of a node: the L3 agent's process and files, Open vSwitch.

use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Gap, Netns, Observed, Ovs};

/// What belongs to the host and to no namespace of Neutron.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Host {
    /// The kernel's release (`uname -r`).
    #[serde(default)]
    pub kernel: Option<String>,
    /// The host's own network namespace.
    #[serde(default)]
    pub netns: Observed<Arc<Netns>>,
    /// The L3 agent's process; absent where none runs.
    #[serde(default)]
    pub agent: Observed<Agent>,
    /// The agent's state path, from its configuration or the usual place.
    #[serde(default)]
    pub state_path: Option<PathBuf>,
    /// How the paths came about.
    #[serde(default)]
    pub path_origin: PathOrigin,
    /// `lock_path` of `oslo_concurrency`, where configured.
    #[serde(default)]
    pub lock_path: Option<PathBuf>,
    /// `ha_confs_path`: keepalived's files of HA routers, where configured.
    #[serde(default)]
    pub ha_confs_path: Option<PathBuf>,
    /// `fip-linklocal-networks`: router ids and their link-local pairs.
    #[serde(default)]
    pub link_local_file: Observed<AllocationFile>,
    /// `fip-priorities`: floating IPs and their rule priorities.
    #[serde(default)]
    pub priority_file: Observed<AllocationFile>,
    /// The installed Neutron's version, where it can be read.
    #[serde(default)]
    pub neutron_version: Observed<String>,
    /// Open vSwitch; absent where there is no database socket.
    #[serde(default)]
    pub ovs: Observed<Ovs>,
    /// `ovn-controller` runs here.
    #[serde(default)]
    pub ovn_controller: bool,
    /// What the source does not tell about the host, though the fields above
    /// look as if it did (`ovn_controller` without a list of processes).
    #[serde(default)]
    pub gaps: Vec<Gap>,
}

/// The L3 agent, as its process tells.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Agent {
    /// Process id, in the host's numbering.
    pub pid: u32,
    /// Seconds since it was started.
    #[serde(default)]
    pub uptime: Option<u64>,
    /// Its command line, one word an entry.
    #[serde(default)]
    pub command_line: Vec<String>,
    /// The configuration files that the command line names, or the defaults.
    #[serde(default)]
    pub config_files: Vec<PathBuf>,
    /// Configuration files that could not be read, each with the reason.
    #[serde(default)]
    pub unreadable: Vec<String>,
    /// `agent_mode`: `dvr`, `dvr_snat`, `dvr_no_external`, `legacy`.
    #[serde(default)]
    pub mode: Option<String>,
    /// `host`, where configured.
    #[serde(default)]
    pub host: Option<String>,
    /// `interface_driver`, where configured.
    #[serde(default)]
    pub interface_driver: Option<String>,
    /// It sees another root folder than we do (a container).
    #[serde(default)]
    pub containerised: bool,
}

/// Where the agent's paths were found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PathOrigin {
    /// In the running agent's configuration.
    Agent,
    /// Given by the user (`--state-path`).
    Given,
    /// Configuration files on the host, no agent running.
    Configuration,
    /// The usual place; nothing told us so.
    #[default]
    Usual,
}

/// One of the agent's allocation files, as it lies on the disk
/// (`neutron/agent/l3/item_allocator.py`). The lines are what is there,
/// understood or not: the file is a hint, never the truth.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AllocationFile {
    /// The file's path, as seen from the host.
    pub path: PathBuf,
    /// Its lines, bounded in number and length.
    pub lines: Vec<String>,
    /// The file was longer than we read.
    #[serde(default)]
    pub truncated: bool,
}
