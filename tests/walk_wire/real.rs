//! The same on nodes built by the real L3 agent: its marks, scopes and settings.
//!
//! The builder (`real-node/build_node.sh`) stands beside the project or where
//! `FIPSCOPE_REAL_NODE` says; its `dataplane.py` adds instances and an outside.
//! Those get the names that they have in the lab, and a host behind the gateway.

use std::env;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};

use fipscope::lab::Vm;
use fipscope::net::NetnsName;
use fipscope::net::netfilter::Backend;
use fipscope::netns::NetnsDir;
use fipscope::neutron::Layout;
use fipscope::topology::Topology;

use crate::inside::{Place, Scene, report, snapshot};

/// Two routers, a centralized floating IP; `FIPSCOPE_SCENARIOS` names others.
const SCENARIOS: &str = "S3,S9";

/// What makes the outside look as it does in the lab.
const ARRANGE: &str = "
for n in $(ip netns list | awk '/^ext-/ { print $1 }'); do
    ip -n $n link show up | grep -q ': x' || continue
    touch /run/netns/gateway; mount --bind /run/netns/$n /run/netns/gateway; umount /run/netns/$n; rm /run/netns/$n
done
ip netns add outside
ip -n gateway link add eth9 type veth peer name eth0 netns outside
ip -n gateway addr add 198.51.100.1/24 dev eth9; ip -n gateway link set eth9 up
ip -n outside addr add 198.51.100.7/24 dev eth0; ip -n outside link set eth0 up; ip -n outside link set lo up
ip -n outside route add default via 198.51.100.1
";

/// What is built.
pub(crate) fn scenarios() -> Vec<String> {
    let wanted = env::var("FIPSCOPE_SCENARIOS");
    wanted.as_deref().unwrap_or(SCENARIOS).split(',').map(str::to_owned).collect()
}

/// The builder's script, where there is one.
pub(crate) fn builder() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/real-node");
    let dir = env::var_os("FIPSCOPE_REAL_NODE").map_or(beside, PathBuf::from);
    let script = dir.join("build_node.sh");
    script.is_file().then_some(script)
}

/// Builds a node, and starts this program in it.
pub(crate) fn start(builder: &Path, scenario: &str) -> Child {
    let workdir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("walk-wire-{scenario}-{}", std::process::id()));
    Command::new("timeout")
        .args(["--kill-after=5", "240"])
        .arg(builder)
        .args(["run", "--scenario", scenario, "--privsep-threads", "16", "--workdir"])
        .arg(&workdir)
        .arg("--then")
        .arg(env::current_exe().unwrap())
        .arg("--real")
        .arg(builder.parent().unwrap())
        .arg(&workdir)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// What runs inside the node's sandbox.
pub(crate) fn run(tools: &str, workdir: &str) -> ExitCode {
    let hosts = Command::new("python3").arg(Path::new(tools).join("dataplane.py")).arg(workdir).output().unwrap();
    assert!(hosts.status.success(), "{}", String::from_utf8_lossy(&hosts.stderr));
    assert!(Command::new("sh").args(["-ec", ARRANGE]).status().unwrap().success());
    let state_path = Path::new(workdir).join("neutron");
    let mut place = Place { netns_dir: NetnsDir::new("/run/netns"), state_path, vms: Vec::new() };
    place.vms = instances(&place);
    println!("{} instances", place.vms.len());
    let mut scene = Scene::open(place, Layout::Pike, Backend::Nft);
    let tally = scene.compare("whole", true, true);
    let code = report(&tally);
    let _ = std::fs::remove_dir_all(workdir);
    code
}

/// The instances of `dataplane.py`, with the floating IPs that the node has for them.
fn instances(place: &Place) -> Vec<Vm> {
    let snapshot = snapshot(place);
    let topology = Topology::of(&snapshot);
    let floating = |fixed: Ipv4Addr| {
        let fip = topology.floating_ips.iter().find(|fip| fip.fixed_ip == Some(IpAddr::V4(fixed)))?;
        match fip.floating_ip? {
            IpAddr::V4(address) => Some(address),
            IpAddr::V6(_) => None,
        }
    };
    let vm = |namespace: &NetnsName| {
        let fixed_ip = namespace.as_str().strip_prefix("vm-")?.parse().ok()?;
        Some(Vm { namespace: namespace.clone(), fixed_ip, floating_ip: floating(fixed_ip) })
    };
    snapshot.namespaces.keys().filter_map(vm).collect()
}
