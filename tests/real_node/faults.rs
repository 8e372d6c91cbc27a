//! What breaks the lab breaks a node of the real agent too, one fault after
//! another: it is found with its code alone, its repair takes it away, and pings
//! in both directions are answered again. What is to be found is what the lab's
//! test has of the same fault, with this node's names.

mod table;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use fipscope::check::{Code, Finding, Severity, checks, judge};
use fipscope::kernel::{ReadOptions, read_node};
use fipscope::lab::LabOptions;
use fipscope::lab::faults::{faults, named, names};
use fipscope::net::{Change, Link, Mac, NetnsName, Object as Thing, Observed, Snapshot, changes};
use fipscope::neutron::Layout;
use fipscope::plan::{Action, LinkSetting, Object, Place, Plan, Step, repair};
use fipscope::topology::Topology;

use crate::expected;
use crate::inside::Node;
use crate::probe;
use table::{Case, LEFT_OUT, OTHERWISE, S3, S9};

/// The host outside, which is also the external gateway.
const OUTSIDE: &str = "ext-public";

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
    let mut known: Vec<u16> = [S3, S9].iter().flat_map(|cases| cases.iter().map(|case| case.0)).collect();
    known.extend(LEFT_OUT.iter().map(|(code, _)| *code));
    known.sort_unstable();
    known.dedup();
    let read: Vec<u16> = checks().filter(|check| check.decided_by.is_read()).map(|check| check.code.0).collect();
    assert_eq!(known, read, "every code is tried here, or left out for a reason");
    if !probe::instances(workdir, builder) {
        return vec!["instances and a host outside could not be made: nobody can ping".to_owned()];
    }
    let mut broken = Broken { node, wrong: Vec::new() };
    for case in cases {
        broken.try_case(*case);
    }
    println!("  {} faults on a node of the real agent, {} s", cases.len(), began.elapsed().as_secs());
    broken.wrong
}

struct Broken<'n> {
    node: &'n Node,
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
        } else if let Some(wrong) = self.otherwise(code, &before, &roots) {
            self.wrong.push(format!("{}: {wrong}", Code(code)));
        }
        let wanted: Vec<&Finding> = roots.iter().flat_map(|root| repair::together(root, &all)).collect();
        let repair: Vec<String> = repair::plan(&wanted, &broken).steps.iter().map(Step::command).collect();
        run(&repair);
        settle();
        let left: Vec<String> = ids(&self.read()).difference(&known).cloned().collect();
        if whole && (!left.is_empty() || repair.is_empty()) {
            self.wrong.push(format!("{}: {repair:#?} leaves {left:#?}", Code(code)));
        }
        if whole && !answers() {
            self.wrong.push(format!("{}: no pings after {repair:#?}", Code(code)));
        }
        for (text, path) in files {
            fs::write(path, text).unwrap();
        }
        self.take_back(code, &commands, &before);
        self.restore(&before);
        let left: Vec<String> = ids(&self.read()).symmetric_difference(&known).cloned().collect();
        if !left.is_empty() {
            self.wrong.push(format!("{}: the node is not as it was: {left:#?}", Code(code)));
        }
    }

    /// How the findings are told, where they are not told as they are to be.
    fn otherwise(&self, code: u16, node: &Snapshot, roots: &[&Finding]) -> Option<String> {
        let lab = OTHERWISE.iter().find(|(known, _)| *known == code).map(|(_, text)| named(text, &pike()));
        let lab = lab.or_else(|| expected::of(&Code(code).to_string(), &pike()));
        let wanted = self.here(&lab.unwrap_or_default(), node);
        let is = expected::told(roots);
        (plain(&is) != plain(&wanted)).then(|| format!("it is to be\n{wanted}\nand is\n{is}"))
    }

    /// A text with the lab's names, with this node's: the article's node is both.
    fn here(&self, text: &str, node: &Snapshot) -> String {
        let topology = Topology::of(node);
        let router = topology.routers.iter().find(|router| router.id.starts_with("ef25020f")).unwrap();
        let on_subnet = |net: &ipnet::IpNet| net.to_string().starts_with("10.");
        let sg = router.snat_ports.iter().find(|port| port.addresses.iter().any(on_subnet));
        let own = topology.floating_ips.iter().find(|fip| fip.fixed_ip.is_some_and(|ip| ip.to_string() == "10.0.0.4"));
        let word = |name: &str| match name {
            "{SG}" => sg.map(|port| port.device.to_string()),
            "{QG}" => router.gateway_port.as_ref().map(|port| port.device.to_string()),
            "{S}" => router.snat_namespace.as_ref().map(ToString::to_string),
            "{PRIORITY}" => own.and_then(|fip| fip.rule_priority).map(|priority| priority.to_string()),
            "{STATE}" => Some(self.node.state_path.display().to_string()),
            "{ovs-vsctl}" => Some("ovs-vsctl".to_owned()),
            _ => None,
        };
        let renamed = names(&pike()).into_iter().filter_map(|(name, lab)| Some((lab, word(name)?)));
        renamed.fold(text.to_owned(), |text, (lab, here)| text.replace(&lab, &here))
    }

    /// The lab's commands with this node's names.
    fn commands(&self, code: u16, node: &Snapshot) -> Vec<String> {
        let here = |text: &str| self.here(&named(text, &pike()), node);
        // What the lab does to its bridge cannot be taken back here.
        match code {
            407 => return vec![here("ip netns exec {S} sysctl -qw net.netfilter.nf_conntrack_tcp_loose=1")],
            803 => return vec![here("ip -n {S} link set {SG} down")],
            805 => return vec![here("ip -n {S} addr del 192.168.1.9/32 dev {QG}")],
            202 => return vec![here(&format!("ip -n {{F}} link set {{FPR}} netns {OUTSIDE}"))],
            _ => {}
        }
        let fault = faults().find(|fault| fault.code == code).unwrap();
        let commands = fault.commands(&pike()).into_iter();
        commands.map(|command| self.here(&command, node)).collect()
    }

    fn read(&self) -> Snapshot {
        read(self.node)
    }

    /// Takes back what a reading does not tell how to: rules of the packet filter,
    /// and tags of Open vSwitch's.
    fn take_back(&self, code: u16, commands: &[String], before: &Snapshot) {
        match code {
            412 => run(&commands.iter().map(|command| command.replace(" -A ", " -D ")).collect::<Vec<_>>()),
            604 => {
                let ports = |node: &Snapshot| node.host.ovs.seen().unwrap().ports.clone();
                let now = ports(&self.read());
                for port in ports(before).iter().filter(|port| !now.contains(port)) {
                    run(&[format!("ovs-vsctl set port {} tag={}", port.name, port.tag.unwrap())]);
                }
            }
            _ => {}
        }
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
            for (place, action) in again(change) {
                let mut plan = Plan::new("as it was");
                plan.push(&place, action);
                // What the kernel put back by itself since is refused.
                let _ = Command::new("sh").args(["-c", &plan.steps[0].command()]).output();
            }
        }
    }
}

/// Pings in both directions.
fn answers() -> bool {
    let ping = |from: &str, to: &str| {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", from, "ping", "-q", "-c", "1", "-W", "3", to]);
        command.output().is_ok_and(|output| output.status.success())
    };
    ping("vm-10.0.0.4", "198.18.0.1") && ping(OUTSIDE, "192.168.1.3")
}

fn again(change: &Change) -> Vec<(Place, Action)> {
    let Some(place) = change.netns.clone().map(Place::Netns) else { return Vec::new() };
    let set = |link: &Link, to| Action::SetLink { dev: link.name.clone(), to, from: None };
    let actions = match (&change.before, change.after.as_ref()) {
        (_, Some(Thing::Route(route))) if route.protocol != 2 => {
            vec![Action::ReplaceRoute { to: (**route).clone(), from: None }]
        }
        (_, Some(Thing::Addr(addr))) => vec![Action::Add(Object::Addr(addr.clone()))],
        (_, Some(Thing::Neigh(neigh))) if !neigh.is_learned() => vec![Action::Add(Object::Neigh(neigh.clone()))],
        (_, Some(Thing::Rule(rule))) => vec![Action::Add(Object::Rule((**rule).clone()))],
        (Some(Thing::Route(route)), None) if route.protocol != 2 => {
            vec![Action::Delete(Object::Route((**route).clone()))]
        }
        (Some(Thing::Rule(rule)), None) => vec![Action::Delete(Object::Rule((**rule).clone()))],
        (Some(Thing::Link(now)), Some(Thing::Link(link))) => {
            // A pair that was made anew has other hardware addresses.
            let mac = link.mac.filter(|mac| now.mac != Some(*mac)).map(|mac| set(link, LinkSetting::Mac(mac)));
            mac.into_iter().chain([set(link, LinkSetting::Up(link.is_up()))]).collect()
        }
        (_, Some(Thing::Sysctl(key, Observed::Seen(to)))) => {
            vec![Action::Sysctl { key: key.clone(), to: *to, from: None }]
        }
        _ => Vec::new(),
    };
    actions.into_iter().map(|action| (place.clone(), action)).collect()
}

/// The lab whose names these nodes share.
fn pike() -> LabOptions {
    LabOptions { layout: Layout::Pike, ..LabOptions::default() }
}

/// In words, without what is the kernel's to choose: hardware addresses, and the
/// numbers of devices.
fn plain(text: &str) -> Vec<&str> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let is_device = |at: usize| words.get(at + 2).is_some_and(|flags| flags.starts_with('<'));
    let is_number = |word: &str| word.strip_suffix(':').is_some_and(|number| number.parse::<u32>().is_ok());
    let kept = words.iter().enumerate().filter(|(at, word)| !(is_number(word) && is_device(*at)));
    kept.map(|(_, word)| if word.parse::<Mac>().is_ok() { "MAC" } else { word }).collect()
}

/// The node as it is.
pub(crate) fn read(node: &Node) -> Snapshot {
    let state_path = Some(node.state_path.clone());
    read_node(&ReadOptions { netns_dir: "/run/netns".into(), state_path, conntrack: true }).unwrap()
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
