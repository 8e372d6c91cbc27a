//! Open vSwitch's database over the lab's ports: its server alone, without the
//! switch itself, which the lab's bridges are.

use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::exec::find_program;
use crate::net::IfName;
use crate::neutron::parse_device;
use crate::plan::{Action, LinkSetting, Object, Place, Plan};

use super::Error;
use super::article::SWITCH;

/// Where the database is looked for; in the lab's own `/run`.
const SOCKET: &str = "/run/openvswitch/db.sock";
const SCHEMA: &str = "/usr/share/openvswitch/vswitch.ovsschema";
/// As long as the server may take to begin.
const PATIENCE: Duration = Duration::from_secs(5);

/// The database's server; it ends with this.
#[derive(Debug)]
pub(super) struct OpenVswitch(Child);

impl OpenVswitch {
    /// Makes a database with a port for each device of the plan that is on a
    /// bridge of the switch, and serves it.
    pub(super) fn start(state_path: &Path, plan: &Plan) -> Result<Self, Error> {
        let database = state_path.join("conf.db");
        let database = database.to_string_lossy();
        std::fs::create_dir_all("/run/openvswitch").map_err(Error::io("make", "/run/openvswitch"))?;
        run(&["ovsdb-tool", "create", &database, SCHEMA])?;
        // It is told to end when we do, however that comes about.
        let mut command = Command::new(program("setpriv")?);
        command.args(["--pdeathsig", "KILL", "--"]).arg(program("ovsdb-server")?).arg(&*database);
        command.arg(format!("--remote=punix:{SOCKET}")).arg("--no-chdir").args(["--unixctl=none", "-vconsole:off"]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().map_err(Error::io("start", "ovsdb-server"))?;
        let server = Self(child);
        let begun = Instant::now();
        // The socket has its name a moment before it listens.
        while UnixStream::connect(SOCKET).is_err() && begun.elapsed() < PATIENCE {
            thread::sleep(Duration::from_millis(5));
        }
        let mut words: Vec<String> = client().into_iter().chain(["add-br", "br-int"]).map(str::to_owned).collect();
        for (port, bridge) in ports(plan) {
            let tag = format!("tag={}", tag(&bridge));
            words.extend(["--".to_owned(), "add-port".to_owned(), "br-int".to_owned(), port, tag]);
        }
        run(&words.iter().map(String::as_str).collect::<Vec<_>>())?;
        Ok(server)
    }
}

impl Drop for OpenVswitch {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What every command to the database begins with.
pub(super) fn client() -> [&'static str; 3] {
    ["ovs-vsctl", "--db=unix:/run/openvswitch/db.sock", "--no-wait"]
}

/// The local VLAN of a bridge's network.
pub(super) fn tag(bridge: &str) -> u16 {
    let word = bridge.trim_start_matches("br-");
    word.split('.').next().and_then(|number| number.parse().ok()).unwrap_or(if word == "ex" { 2 } else { 3 })
}

/// The ports of the plan's bridges: a router's by the device's own name, as the
/// agent plugs it, an instance's by that of the far end.
fn ports(plan: &Plan) -> Vec<(String, String)> {
    let switch = Place::netns(SWITCH);
    let mut found = Vec::new();
    let mut own = std::collections::BTreeMap::<&IfName, &IfName>::new();
    for step in &plan.steps {
        match &step.action {
            Action::Add(Object::Veth(veth)) if veth.peer_netns == switch => {
                own.insert(&veth.peer.name, &veth.end.name);
            }
            Action::SetLink { dev, to: LinkSetting::Master(Some(bridge)), .. } if step.netns == switch => {
                let device = own.get(dev).copied().filter(|device| parse_device(device).is_some()).unwrap_or(dev);
                found.push((device.to_string(), bridge.to_string()));
            }
            _ => {}
        }
    }
    found
}

fn program(name: &str) -> Result<PathBuf, Error> {
    find_program(name).ok_or_else(|| Error::NoOpenVswitch(name.to_owned()))
}

fn run(words: &[&str]) -> Result<(), Error> {
    let [name, rest @ ..] = words else { return Ok(()) };
    let output = Command::new(program(name)?).args(rest).output().map_err(Error::io("start", *name))?;
    if output.status.success() {
        return Ok(());
    }
    let said = crate::net::printable(String::from_utf8_lossy(&output.stderr).trim(), 300);
    Err(Error::io("fill", "Open vSwitch's database")(std::io::Error::other(said)))
}
