//! What breaks the lab breaks a node of the real agent too, one fault after
//! another: it is found with its code alone, its repair takes it away, and pings
//! in both directions are answered again.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use fipscope::check::{Code, Finding, Severity, judge};
use fipscope::kernel::{ReadOptions, read_node};
use fipscope::lab::faults::faults;
use fipscope::lab::{LabOptions, STATE_PATH};
use fipscope::net::{Change, NetnsName, Object as Thing, Observed, Snapshot, changes};
use fipscope::neutron::Layout;
use fipscope::plan::{Action, Object, Place, Plan, Step, repair};
use fipscope::topology::Topology;

use crate::inside::Node;
use crate::probe;

/// One fault: its code, where it is to be found, about which floating IP, and
/// whether all of it can be put right from what the node tells.
type Case = (u16, &'static str, Option<&'static str>, bool);

const FLOATING: Option<&str> = Some("192.168.1.3");

/// Two routers that share the fip namespace: the second one tells the gateway.
const S3: &[Case] = &[
    (203, "qrouter-", None, true),
    (204, "fip-", None, true),
    (205, "fip-", None, true),
    (208, "qrouter-", None, true),
    (209, "qrouter-", None, true),
    (211, "qrouter-", FLOATING, true),
    (212, "qrouter-", None, true),
    (301, "qrouter-", FLOATING, true),
    (302, "qrouter-", FLOATING, true),
    (303, "qrouter-", None, true),
    (304, "qrouter-", FLOATING, true),
    (305, "qrouter-", FLOATING, true),
    (306, "qrouter-", FLOATING, true),
    // The snat namespace, which alone tells the next hop, is on another node.
    (307, "qrouter-", None, false),
    (311, "qrouter-", None, true),
    (401, "qrouter-", FLOATING, true),
    (402, "qrouter-", FLOATING, true),
    (404, "qrouter-", None, true),
    (408, "qrouter-", None, true),
    (410, "fip-", None, true),
    (413, "qrouter-", FLOATING, true),
    (411, "qrouter-", None, true),
    (414, "qrouter-", None, true),
    (415, "qrouter-", FLOATING, true),
    (501, "fip-", FLOATING, true),
    (502, "fip-", FLOATING, true),
    (503, "fip-", Some("192.168.1.250"), true),
    (504, "fip-", None, true),
    (505, "fip-", None, true),
    (508, "fip-", None, true),
    (509, "fip-", None, true),
    (510, "fip-", None, true),
    (512, "fip-", FLOATING, true),
    // Where all routers lost their way out, nothing here tells the gateway.
    (602, "fip-", None, false),
    // The address is Neutron's to know.
    (616, "fip-", None, false),
    (703, "qrouter-", None, true),
    // What it took along, the node does not tell.
    (710, "qrouter-", None, false),
    (901, "host", FLOATING, false),
    (902, "host", None, false),
];

/// A node with a snat namespace.
const S9: &[Case] = &[
    (307, "qrouter-", None, true),
    (407, "snat-", None, true),
    (803, "snat-", None, true),
    (804, "snat-", FLOATING, true),
    (805, "snat-", Some("192.168.1.9"), true),
];

/// The kernel's link watch tells the other end of a pair once a second.
pub(crate) const LINK_WATCH: Duration = Duration::from_millis(1200);

/// Breaks a node of this scenario, and says what was not as it should be.
pub(crate) fn found_and_mended(node: &Node, workdir: &Path, builder: &Path) -> Vec<String> {
    let cases = match node.scenario.as_str() {
        "S3" => S3,
        "S9" => S9,
        _ => return Vec::new(),
    };
    let began = Instant::now();
    let pings = node.scenario == "S3" && probe::instances(workdir, builder);
    let mut broken = Broken { node, pings, wrong: Vec::new() };
    for case in cases {
        broken.try_case(*case);
    }
    println!("  {} faults on a node of the real agent, {} s", cases.len(), began.elapsed().as_secs());
    broken.wrong
}

struct Broken<'n> {
    node: &'n Node,
    pings: bool,
    wrong: Vec<String>,
}

impl Broken<'_> {
    fn try_case(&mut self, (code, place, floating, whole): Case) {
        let before = self.read();
        let known = ids(&before);
        let files: Vec<_> = ["fip-priorities", "fip-linklocal-networks"]
            .map(|name| self.node.state_path.join(name))
            .into_iter()
            .filter_map(|path| Some((fs::read(&path).ok()?, path)))
            .collect();
        let commands = self.commands(code, &before);
        run(&commands);
        let is_link = commands.iter().any(|command| command.contains("link set"));
        let settle = || thread::sleep(if is_link { LINK_WATCH } else { Duration::ZERO });
        settle();
        let broken = self.read();
        let all = judge(&broken, &Topology::of(&broken));
        let roots: Vec<&Finding> = all.iter().filter(|one| counts(one) && !known.contains(&one.id)).collect();
        let fits = |one: &&Finding| {
            let namespace = one.namespace.as_ref().map_or("host", NetnsName::as_str);
            let about = one.floating_ip.map(|address| address.to_string());
            one.code == Code(code) && namespace.starts_with(place) && about.as_deref() == floating
        };
        let said: Vec<String> =
            roots.iter().map(|one| format!("{} {} ({:?})", one.id, one.message, one.floating_ip)).collect();
        if roots.is_empty() || !roots.iter().all(|one| one.code == Code(code)) || !roots.iter().any(fits) {
            self.wrong.push(format!("{} {commands:?} is found as {said:#?}", Code(code)));
        }
        let wanted: Vec<&Finding> = roots.iter().flat_map(|root| repair::together(root, &all)).collect();
        let repair: Vec<String> = repair::plan(&wanted, &broken).steps.iter().map(Step::command).collect();
        run(&repair);
        settle();
        let left: Vec<String> = ids(&self.read()).difference(&known).cloned().collect();
        if whole && (!left.is_empty() || repair.is_empty()) {
            self.wrong.push(format!("{}: {repair:#?} leaves {left:#?}", Code(code)));
        }
        if whole && self.pings && !self.answers() {
            self.wrong.push(format!("{}: no pings after {repair:#?}", Code(code)));
        }
        for (text, path) in files {
            fs::write(path, text).unwrap();
        }
        self.restore(&before);
        let left: Vec<String> = ids(&self.read()).symmetric_difference(&known).cloned().collect();
        assert!(left.is_empty(), "{}: the node is not as it was: {left:#?}", Code(code));
    }

    /// The lab's commands with this node's names: the article's node is both.
    fn commands(&self, code: u16, node: &Snapshot) -> Vec<String> {
        let options = LabOptions { layout: Layout::Pike, ..LabOptions::default() };
        let topology = Topology::of(node);
        let router = topology.routers.iter().find(|router| router.id.starts_with("ef25020f")).unwrap();
        let sg =
            router.snat_ports.iter().find(|port| port.addresses.iter().any(|net| net.to_string().starts_with("10.")));
        let sg = sg.map_or("sg", |port| port.device.as_str());
        let qg = router.gateway_port.as_ref().map_or("qg", |port| port.device.as_str());
        let own = topology.floating_ips.iter().find(|fip| fip.fixed_ip.is_some_and(|ip| ip.to_string() == "10.0.0.4"));
        let priority = own.and_then(|fip| fip.rule_priority).unwrap();
        let snat = router.snat_namespace.as_ref().map_or("snat", NetnsName::as_str);
        // What the lab does to its bridge cannot be taken back here.
        match code {
            407 => return vec![format!("ip netns exec {snat} sysctl -qw net.netfilter.nf_conntrack_tcp_loose=1")],
            803 => return vec![format!("ip -n {snat} link set {sg} down")],
            805 => return vec![format!("ip -n {snat} addr del 192.168.1.9/32 dev {qg}")],
            _ => {}
        }
        let fault = faults().find(|fault| fault.code == code).unwrap();
        let state = self.node.state_path.display().to_string();
        let lab_priority = faults()
            .find(|fault| fault.code == 302)
            .and_then(|fault| fault.commands(&options).last()?.split(' ').next_back().map(str::to_owned))
            .unwrap();
        let name = |command: String| {
            let words = command.split(' ').map(|word| match word {
                word if word.starts_with("sg-") => sg.to_owned(),
                word if word.starts_with("qg-") => qg.to_owned(),
                word if word == lab_priority => priority.to_string(),
                word => word.replace(STATE_PATH, &state),
            });
            words.collect::<Vec<_>>().join(" ")
        };
        fault.commands(&options).into_iter().map(name).collect()
    }

    fn read(&self) -> Snapshot {
        read(self.node)
    }

    /// Pings in both directions.
    fn answers(&self) -> bool {
        let ping = |from: &str, to: &str| {
            let mut command = Command::new("ip");
            command.args(["netns", "exec", from, "ping", "-q", "-c", "1", "-W", "3", to]);
            command.output().is_ok_and(|output| output.status.success())
        };
        let outside = self.read().namespaces.into_keys().find(|name| name.as_str().starts_with("ext-")).unwrap();
        ping("vm-10.0.0.4", "198.18.0.1") && ping(outside.as_str(), "192.168.1.3")
    }

    /// Puts back by hand what no repair did.
    fn restore(&self, before: &Snapshot) {
        let mut lost: Vec<Change> = changes(&self.read(), before);
        lost.sort_by_key(|change| match &change.after {
            Some(Thing::Link(_)) => 0,
            Some(Thing::Addr(_)) => 1,
            Some(Thing::Neigh(_)) => 2,
            _ => 3,
        });
        for change in &lost {
            if let Some((place, action)) = again(change) {
                let mut plan = Plan::new("as it was");
                plan.push(&place, action);
                // What the kernel put back by itself since is refused.
                let _ = Command::new("sh").args(["-c", &plan.steps[0].command()]).output();
            }
        }
    }
}

fn again(change: &Change) -> Option<(Place, Action)> {
    let place = change.netns.clone().map(Place::Netns)?;
    let action = match (&change.before, change.after.as_ref()) {
        (_, Some(Thing::Route(route))) if route.protocol != 2 => {
            Action::ReplaceRoute { to: (**route).clone(), from: None }
        }
        (_, Some(Thing::Addr(addr))) => Action::Add(Object::Addr(addr.clone())),
        (_, Some(Thing::Neigh(neigh))) if !neigh.is_learned() => Action::Add(Object::Neigh(neigh.clone())),
        (_, Some(Thing::Rule(rule))) => Action::Add(Object::Rule((**rule).clone())),
        (Some(Thing::Route(route)), None) if route.protocol != 2 => Action::Delete(Object::Route((**route).clone())),
        (Some(Thing::Rule(rule)), None) => Action::Delete(Object::Rule((**rule).clone())),
        (_, Some(Thing::Link(link))) => {
            Action::SetLink { dev: link.name.clone(), to: fipscope::plan::LinkSetting::Up(link.is_up()), from: None }
        }
        (_, Some(Thing::Sysctl(key, Observed::Seen(to)))) => Action::Sysctl { key: key.clone(), to: *to, from: None },
        _ => return None,
    };
    Some((place, action))
}

/// The node as it is.
pub(crate) fn read(node: &Node) -> Snapshot {
    let state_path = Some(node.state_path.clone());
    read_node(&ReadOptions { netns_dir: "/run/netns".into(), state_path, conntrack: false }).unwrap()
}

fn run(commands: &[String]) {
    for command in commands {
        let output = Command::new("sh").args(["-ec", command]).output().unwrap();
        assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

fn ids(snapshot: &Snapshot) -> BTreeSet<String> {
    judge(snapshot, &Topology::of(snapshot)).into_iter().filter(counts).map(|one| one.id).collect()
}

/// A root cause that is worse than a note.
fn counts(finding: &Finding) -> bool {
    finding.because_of.is_none() && finding.severity != Severity::Note && finding.why_unknown.is_none()
}
