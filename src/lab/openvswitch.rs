//! Open vSwitch in the lab: its database alone, filled with the lab's ports,
//! where the lab's own bridges forward; or the switch itself, in user space,
//! with the bridges of a node.

mod database;
mod plugged;

use std::fs::File;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::exec::find_program;
use crate::plan::Plan;

use super::Error;

pub(super) use database::{client, tag};
pub(super) use plugged::{INTEGRATION, plugged};

/// Where the database is looked for; in the lab's own `/run`.
const SOCKET: &str = "/run/openvswitch/db.sock";
const SCHEMA: &str = "/usr/share/openvswitch/vswitch.ovsschema";
/// Ports that the switch makes are devices of this driver.
const TUN: &str = "/dev/net/tun";
/// As long as the server may take to begin.
const PATIENCE: Duration = Duration::from_secs(5);

/// Its processes; they end with this.
#[derive(Debug)]
pub(super) struct OpenVswitch(Vec<Child>);

impl OpenVswitch {
    /// A database with a port for each device of the plan that is on a bridge of
    /// the lab's.
    pub(super) fn database(state_path: &Path, plan: &Plan) -> Result<Self, Error> {
        let served = serve(state_path)?;
        run(&database::words(plan))?;
        Ok(served)
    }

    /// The switch with the node's bridges: one for everything that belongs to
    /// it, and one for each of these external networks, joined as the L2 agent
    /// joins them.
    pub(super) fn forwarding(state_path: &Path, external: &[&str]) -> Result<Self, Error> {
        let is_offered = File::options().read(true).write(true).open(TUN);
        is_offered.map_err(|source| Error::NoTun { source })?;
        let mut served = serve(state_path)?;
        run(&client().map(str::to_owned).into_iter().chain(["init".to_owned()]).collect::<Vec<_>>())?;
        served.0.push(start("ovs-vswitchd", &[&format!("unix:{SOCKET}"), "--no-chdir", "--unixctl=none"])?);
        for bridge in [&[INTEGRATION][..], external].concat() {
            run(&words(&format!(
                "ovs-vsctl --timeout=10 add-br {bridge} -- set bridge {bridge} datapath_type=netdev"
            )))?;
        }
        for bridge in external {
            join(bridge)?;
        }
        run(&words(&format!("ovs-ofctl add-flow {INTEGRATION} priority=65535,dl_vlan=4095,actions=drop")))?;
        Ok(served)
    }
}

impl Drop for OpenVswitch {
    fn drop(&mut self) {
        // The switch before its database.
        for child in self.0.iter_mut().rev() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// An external bridge and the integration bridge: frames of that network have
/// its tag in the one and none in the other (`ovs_neutron_agent.py`,
/// `provision_local_vlan`).
fn join(bridge: &str) -> Result<(), Error> {
    let (inner, outer, tag) = (format!("int-{bridge}"), format!("phy-{bridge}"), tag(bridge));
    let patch = |bridge: &str, own: &str, other: &str| {
        format!("ovs-vsctl --timeout=10 add-port {bridge} {own} -- set interface {own} type=patch options:peer={other}")
    };
    for command in [
        // Each waits for the other, so the first is not waited for.
        patch(INTEGRATION, &inner, &outer).replace("--timeout=10", "--no-wait"),
        patch(bridge, &outer, &inner),
        format!(
            "ovs-ofctl add-flow {INTEGRATION} \
             priority=3,in_port={inner},vlan_tci=0x0000/0x1fff,actions=mod_vlan_vid:{tag},normal"
        ),
        format!("ovs-ofctl add-flow {INTEGRATION} priority=2,in_port={inner},actions=drop"),
        format!("ovs-ofctl add-flow {bridge} priority=4,in_port={outer},dl_vlan={tag},actions=strip_vlan,normal"),
        format!("ovs-ofctl add-flow {bridge} priority=2,in_port={outer},actions=drop"),
    ] {
        run(&words(&command))?;
    }
    Ok(())
}

/// An empty database, and what serves it.
fn serve(state_path: &Path) -> Result<OpenVswitch, Error> {
    for folder in [Path::new("/run/openvswitch"), state_path] {
        std::fs::create_dir_all(folder).map_err(Error::io("make", folder.to_string_lossy()))?;
    }
    let database = state_path.join("conf.db").to_string_lossy().into_owned();
    run(&["ovsdb-tool", "create", &database, SCHEMA].map(str::to_owned))?;
    let remote = format!("--remote=punix:{SOCKET}");
    let served = OpenVswitch(vec![start("ovsdb-server", &[&database, &remote, "--no-chdir", "--unixctl=none"])?]);
    let begun = Instant::now();
    // The socket has its name a moment before it listens.
    while UnixStream::connect(SOCKET).is_err() && begun.elapsed() < PATIENCE {
        thread::sleep(Duration::from_millis(5));
    }
    Ok(served)
}

/// Starts one of its programs, which is told to end when we do, however that
/// comes about.
fn start(name: &'static str, arguments: &[&str]) -> Result<Child, Error> {
    let mut command = Command::new(program("setpriv")?);
    command.args(["--pdeathsig", "KILL", "--"]).arg(program(name)?).args(arguments).arg("-vconsole:off");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().map_err(Error::io("start", name))
}

fn program(name: &str) -> Result<PathBuf, Error> {
    find_program(name).ok_or_else(|| Error::NoOpenVswitch(name.to_owned()))
}

fn words(command: &str) -> Vec<String> {
    command.split_whitespace().map(str::to_owned).collect()
}

fn run(words: &[String]) -> Result<(), Error> {
    let [name, rest @ ..] = words else { return Ok(()) };
    let output = Command::new(program(name)?).args(rest).output().map_err(Error::io("start", name))?;
    if output.status.success() {
        return Ok(());
    }
    let said = crate::net::printable(String::from_utf8_lossy(&output.stderr).trim(), 300);
    Err(Error::io("set up", "Open vSwitch")(std::io::Error::other(said)))
}
