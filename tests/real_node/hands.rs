//! What is done by hand on a node of the real agent, and how two readings of it
//! are compared.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use fipscope::exec::{self, Carried, Order, Site};
use fipscope::kernel::{ReadOptions, read_node};
use fipscope::net::{Change, FileName, IfName, NetnsName, Object as Thing, Part, Snapshot, changes};
use fipscope::netns::NetnsDir;
use fipscope::plan::journal::{Aim, Outcome};
use fipscope::plan::{Associate, CaseKind, Neutron, Plan, Remove, associate, remove};
use fipscope::topology::Topology;
use ipnet::IpNet;

use crate::inside::Node;
use crate::kernel::their_save;

/// A floating IP and its fixed IP.
pub(crate) type Pair = (&'static str, &'static str);

/// Somebody who changes the node by hand, and what was not as it should be.
pub(crate) struct Hands<'n> {
    node: &'n Node,
    state_home: PathBuf,
    /// It is all about floating IPs of the gateway port.
    pub(crate) centralized: bool,
    pub(crate) wrong: Vec<String>,
}

impl<'n> Hands<'n> {
    pub(crate) fn new(node: &'n Node, workdir: &Path) -> Self {
        let centralized = node.scenario == "S9";
        Self { node, state_home: workdir.join("state"), centralized, wrong: Vec::new() }
    }

    /// Where the console and the program remember what was done.
    pub(crate) fn state_home(&self) -> &Path {
        &self.state_home
    }

    /// What the agent's server is told, so that it has this floating IP.
    pub(crate) fn give(&self, (floating_ip, fixed_ip): Pair) -> String {
        format!("{} {floating_ip} {fixed_ip}", if self.centralized { "bound" } else { "add" })
    }

    pub(crate) fn state_path(&self) -> &Path {
        &self.node.state_path
    }

    pub(crate) fn site(&self) -> Site {
        Site {
            netns_dir: NetnsDir::new("/run/netns"),
            state_path: Some(self.node.state_path.clone()),
            folder: self.state_home.join("fipscope"),
            read_only: false,
        }
    }

    pub(crate) fn read(&self) -> Snapshot {
        let state_path = Some(self.node.state_path.clone());
        read_node(&ReadOptions { netns_dir: "/run/netns".into(), state_path, conntrack: false }).unwrap()
    }

    /// The program with the same memory.
    pub(crate) fn program(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_fipscope"));
        command.arg("--state-path").arg(&self.node.state_path).args(words).env("XDG_STATE_HOME", &self.state_home);
        command
    }

    /// Runs the program; anything but this code is wrong.
    pub(crate) fn run(&mut self, words: &[&str], code: i32) -> Output {
        let output = self.program(words).output().unwrap();
        self.expect(output.status.code() == Some(code), || format!("fipscope {words:?}: {}", said(&output)));
        output
    }

    pub(crate) fn expect(&mut self, good: bool, what: impl FnOnce() -> String) {
        if !good {
            self.wrong.push(what());
        }
    }

    /// Associates, and gives the plan and the time from its confirmation to the
    /// verified chain.
    pub(crate) fn associate(&mut self, pair: Pair, neutron: Neutron, kind: CaseKind) -> (Plan, Duration) {
        let began = self.read();
        let plan = self.associate_plan(&began, pair, neutron);
        let (carried, took) = self.carry_out(&plan, &began, vec![address(pair.0)]);
        self.whole(&plan, kind, &carried);
        (plan, took)
    }

    pub(crate) fn associate_plan(&self, snapshot: &Snapshot, pair: Pair, neutron: Neutron) -> Plan {
        let wanted = Associate {
            neutron: Some(neutron),
            centralized: self.centralized,
            ..Associate::new(address(pair.0), address(pair.1))
        };
        associate(snapshot, &Topology::of(snapshot), &wanted).unwrap()
    }

    pub(crate) fn remove(&mut self, pair: Pair, neutron: Neutron, kind: CaseKind) -> Plan {
        self.removed(&Remove { neutron: Some(neutron), ..Remove::new(address(pair.0)) }, kind)
    }

    /// Removes, and gives the plan.
    pub(crate) fn removed(&mut self, wanted: &Remove, kind: CaseKind) -> Plan {
        let before = self.read();
        let plan = remove(&before, &Topology::of(&before), wanted).unwrap();
        let (carried, _) = self.carry_out(&plan, &before, Vec::new());
        self.whole(&plan, kind, &carried);
        plan
    }

    /// Takes the last change back.
    pub(crate) fn undo(&mut self) {
        let last = exec::history(&self.site()).unwrap().pop().unwrap();
        let carried = exec::undo(last.id, &self.site(), &mut |_| {}).unwrap();
        self.expect(carried.outcome() == Outcome::Done && carried.verified, || format!("not taken back: {carried:?}"));
    }

    fn whole(&mut self, plan: &Plan, kind: CaseKind, carried: &Carried) {
        self.expect((carried.outcome(), carried.verified) == (Outcome::Done, true), || {
            format!("{}: {carried:?}", plan.intent)
        });
        self.expect(plan.agent.map(|case| case.kind) == Some(kind), || {
            format!("{}: {:?}, not {kind:?}", plan.intent, plan.agent)
        });
    }

    fn carry_out(&self, plan: &Plan, seen: &Snapshot, deliver: Vec<IpAddr>) -> (Carried, Duration) {
        let aim = Aim { gone: Vec::new(), deliver };
        let began = Instant::now();
        let carried = exec::change(&Order { plan, seen, aim: &aim }, &self.site(), &mut |_| {}).unwrap();
        (carried, began.elapsed())
    }

    /// Two readings are of the same node, but for what the agent draws or has in
    /// another order; that is told.
    pub(crate) fn same(&mut self, expected: &Snapshot, found: &Snapshot, what: &str) {
        let (drawn, other) = differences(expected, found);
        for change in &drawn {
            println!("    {what}: drawn, or moved: {change}");
        }
        self.wrong.extend(other.iter().map(|change| format!("{what}: {change}")));
    }
}

pub(crate) fn address(word: &str) -> IpAddr {
    word.parse().unwrap()
}

/// What a program said, for a person.
pub(crate) fn said(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    format!("{} {} {}", output.status, text(&output.stdout), text(&output.stderr))
}

/// What differs: what is there with another priority or in another place, and
/// everything else. Learned neighbours, and which process the agent is, do not
/// count.
pub(crate) fn differences(one: &Snapshot, other: &Snapshot) -> (Vec<Change>, Vec<Change>) {
    let about_agent = |change: &Change| {
        let is = |thing: &Option<Thing>| match thing {
            Some(Thing::Fact(_)) => true,
            Some(Thing::Part(part)) => matches!(**part, Part::Agent(_)),
            _ => false,
        };
        change.netns.is_none() && (is(&change.before) || is(&change.after))
    };
    let all = changes(&one.normalised(), &other.normalised());
    let other = |one: &Change| !one.is_flapping() && !about_agent(one) && !is_of_a_mac(one);
    let all: Vec<Change> = all.into_iter().filter(other).collect();
    // What went and came again.
    let mut balance: BTreeMap<String, i32> = BTreeMap::new();
    for change in &all {
        for (thing, by) in [(&change.before, -1), (&change.after, 1)] {
            if let Some(of) = thing.as_ref().and_then(unplaced) {
                *balance.entry(of).or_default() += by;
            }
        }
    }
    let is_drawn = |change: &Change| {
        let of = [&change.before, &change.after].into_iter().flatten().find_map(unplaced);
        of.is_some_and(|of| balance[&of] == 0)
    };
    all.into_iter().partition(is_drawn)
}

/// What follows from the hardware address that the kernel draws for an end of a
/// pair: its link-local address of IPv6, with the routes that come with it.
fn is_of_a_mac(change: &Change) -> bool {
    let is_end = |dev: &IfName| dev.as_str().starts_with("rfp-") || dev.as_str().starts_with("fpr-");
    let is_own = |net: IpNet| match net.addr() {
        IpAddr::V6(own) => own.is_unicast_link_local() || own.is_multicast(),
        IpAddr::V4(_) => false,
    };
    let follows = |thing: &Thing| match thing {
        Thing::Addr(addr) => is_end(&addr.dev) && is_own(addr.address),
        Thing::Route(route) => is_own(route.dst) && route.dev().is_some_and(is_end),
        _ => false,
    };
    [&change.before, &change.after].into_iter().flatten().all(follows)
}

/// A thing without what the agent draws for it (the priority of an instance's
/// rule) and without its place in its chain.
fn unplaced(thing: &Thing) -> Option<String> {
    match thing {
        Thing::Rule(rule) if (32_768..72_768).contains(&rule.priority.0) => Some(format!("rule of {}", rule.from?)),
        Thing::FileLine(FileName::Priorities, _, line) => Some(format!("line of {}", line.split(',').next()?)),
        Thing::NfRule(at, rule) => Some(format!("{:?} {} {} {:?}", at.at.family, at.at.table, at.chain, rule.body)),
        _ => None,
    }
}

/// The same in the words of `ip` and `iptables-save`, and the agent's files as
/// they lie there; the priority of that floating IP has no number.
pub(crate) fn in_words(hands: &Hands<'_>, (floating_ip, fixed_ip): Pair) -> Vec<String> {
    let mut lines = Vec::new();
    for netns in hands.read().namespaces.keys().map(NetnsName::as_str) {
        let mut of_netns: Vec<String> = Vec::new();
        for words in [&["-4", "rule"][..], &["-4", "route", "show", "table", "all"], &["-o", "-4", "addr"]] {
            let mut text = ip_text(netns, words);
            for line in &mut text {
                if line.contains(&format!("from {fixed_ip} lookup")) {
                    *line = line.split_once(':').map_or_else(String::new, |(_, rest)| format!("PRIORITY:{rest}"));
                }
            }
            // Their order is that of the priorities, or of their making.
            text.sort();
            of_netns.extend(text);
        }
        of_netns.extend(ip_text(netns, &["neigh", "show", "nud", "permanent"]));
        // In the order in which packets meet them.
        of_netns.extend(their_save(netns, "iptables-save"));
        lines.extend(of_netns.into_iter().map(|line| format!("{netns} {line}")));
    }
    for name in ["fip-priorities", "fip-linklocal-networks"] {
        let text = std::fs::read_to_string(hands.state_path().join(name)).unwrap();
        let own = format!("{floating_ip},");
        let masked = |line: &str| if line.starts_with(&own) { format!("{own}PRIORITY") } else { line.to_owned() };
        let mut text: Vec<String> = text.lines().map(|line| format!("{name} {}", masked(line))).collect();
        // The agent takes them for a set.
        text.sort();
        lines.extend(text);
    }
    lines
}

fn ip_text(netns: &str, words: &[&str]) -> Vec<String> {
    let output = Command::new("ip").args(["-n", netns]).args(words).output().unwrap();
    assert!(output.status.success(), "ip {words:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().lines().map(|line| line.trim().to_owned()).collect()
}
