//! Builds the demonstration node in a private sandbox, and makes traffic.
//!
//! The node is that of the article in which floating IPs on distributed routers
//! were first explained: one router, two subnets, one floating IP, in the
//! layout of Juno unless another is asked for. It is built by the same plans and
//! the same writer that wire real associations. Around it stand what a node
//! does not have of its own: instances, a switch, the external gateway and a
//! host behind that, a network node's snat namespace.

mod article;
mod command;
mod error;
pub mod faults;
mod files;
mod needs;
mod node;
mod numbers;
mod openvswitch;
mod surroundings;
mod traffic;

use std::path::{Path, PathBuf};

use crate::check::Code;
use crate::exec;
use crate::net::NetnsName;
use crate::net::netfilter::Backend;
use crate::netns::{NetnsDir, Sandbox};
use crate::neutron::Layout;
use crate::plan::Action;

pub use command::run_command;
pub use error::Error;
pub use needs::Need;
pub use node::{Node, Vm, node};
pub use traffic::{Class, Counts, Traffic};

use openvswitch::OpenVswitch;

/// Where the lab's agent files lie, on the sandbox's own `/run`.
pub const STATE_PATH: &str = "/run/neutron-lab";

/// Where what is remembered of the lab's node lies: it goes with the lab, and is
/// never taken for this node's own.
pub const STATE_HOME: &str = "/run/fipscope-lab";

/// What to build.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabOptions {
    /// In which layout.
    pub layout: Layout,
    /// How many routers, the article's among them.
    pub routers: u32,
    /// How many floating IPs each.
    pub fips: u32,
    /// Also what the article leaves out: a second router on its external network
    /// and one on another network, each with instances, and in Pike's layout a
    /// centralized floating IP.
    pub more: bool,
    /// What else is to stand; what is to be broken brings what it needs.
    pub needs: Vec<Need>,
    /// In which packet filter.
    pub backend: Backend,
    /// Make traffic of all three classes.
    pub traffic: bool,
    /// What to break in it (`faults`).
    pub broken: Vec<Code>,
}

impl Default for LabOptions {
    /// The article's node.
    fn default() -> Self {
        Self {
            layout: Layout::Juno,
            routers: 1,
            fips: 1,
            more: false,
            needs: Vec::new(),
            backend: Backend::Nft,
            traffic: false,
            broken: Vec::new(),
        }
    }
}

/// A lab that stands, around this very process. It ends with the process.
#[derive(Debug)]
pub struct Lab {
    sandbox: Sandbox,
    state_path: PathBuf,
    vms: Vec<Vm>,
    traffic: Option<Traffic>,
    _open_vswitch: Option<OpenVswitch>,
    /// The agent's configuration in the lab tells the state path.
    is_configured: bool,
}

impl Lab {
    /// Moves this process into a sandbox and builds the node there. To be called
    /// before any other thread exists. After an error the process is in the
    /// sandbox, and should end.
    pub fn enter_and_build(options: &LabOptions) -> Result<Self, Error> {
        let node = node(options)?;
        let faults =
            options.broken.iter().map(|code| faults::find(*code, options.layout)).collect::<Result<Vec<_>, _>>()?;
        let program = options.backend.restore_program();
        if exec::find_program(program).is_none() {
            return Err(Error::NoIptables(program));
        }
        let sandbox = Sandbox::enter()?;
        let lab = Self::build(sandbox, node, options)?;
        for fault in faults {
            fault.prepare_lab(options)?;
            fault.break_lab(options)?;
        }
        Ok(lab)
    }

    fn build(sandbox: Sandbox, node: Node, options: &LabOptions) -> Result<Self, Error> {
        let Node { mut plan, pairs, priorities, vms } = node;
        plan.steps.retain(|step| is_offered(&step.action));
        let state_path = PathBuf::from(STATE_PATH);
        let open_vswitch = if options.has(Need::Switch) {
            let switch = OpenVswitch::forwarding(&state_path, &node::external_bridges(options))?;
            exec::run(&openvswitch::plugged(plan), &sandbox.netns_dir())?;
            Some(switch)
        } else {
            exec::run(&plan, &sandbox.netns_dir())?;
            options.has(Need::OpenVswitch).then(|| OpenVswitch::database(&state_path, &plan)).transpose()?
        };
        files::write(&state_path, &pairs, priorities.as_deref())?;
        let is_configured = options.has(Need::Configuration);
        if is_configured {
            sandbox.overlay(Path::new("/etc"), &state_path.join("etc"), "neutron")?;
            files::configuration(&state_path)?;
        }
        let traffic = options.traffic.then(|| Traffic::start(&sandbox.netns_dir())).transpose()?;
        Ok(Self { sandbox, state_path, vms, traffic, _open_vswitch: open_vswitch, is_configured })
    }

    /// The folder of the lab's namespaces.
    pub fn netns_dir(&self) -> NetnsDir {
        self.sandbox.netns_dir()
    }

    /// Where the agent's allocation files are.
    pub fn state_path(&self) -> &Path {
        &self.state_path
    }

    /// Where a reading has to be told that they are: nowhere, where the agent's
    /// configuration in the lab says it.
    pub fn given_state_path(&self) -> Option<&Path> {
        (!self.is_configured).then_some(self.state_path.as_path())
    }

    /// The instances that have a namespace.
    pub fn vms(&self) -> &[Vm] {
        &self.vms
    }

    /// The traffic, where it was asked for.
    pub fn traffic(&self) -> Option<&Traffic> {
        self.traffic.as_ref()
    }
}

/// The namespace of the host outside.
pub fn outside() -> NetnsName {
    NetnsName::from(article::OUTSIDE)
}

/// Some kernels do not show an ordinary user's namespaces all settings: those of
/// neighbours on older kernels, IPv6's where that is switched off. The lab works
/// without them, as a node does.
fn is_offered(action: &Action) -> bool {
    let Action::Sysctl { key, .. } = action else { return true };
    [("net.ipv4.neigh.", "/proc/sys/net/ipv4/neigh/lo"), ("net.ipv6.", "/proc/sys/net/ipv6/conf/all")]
        .iter()
        .all(|(prefix, folder)| !key.starts_with(prefix) || Path::new(folder).exists())
}
