//! A floating IP associated by hand and by the real agent: the same node comes
//! of it; and what the agent does to ours afterwards is what the plan said.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use fipscope::exec::{self, Order, Site};
use fipscope::kernel::{ReadOptions, read_node};
use fipscope::net::{Change, FileName, Object as Thing, Snapshot, changes};
use fipscope::netns::NetnsDir;
use fipscope::plan::journal::{Aim, Outcome};
use fipscope::plan::{
    Action, AgentWill, Associate, CaseKind, Due, Neutron, Plan, Remove, Step, associate, due, remove,
};
use fipscope::topology::Topology;

use crate::inside::Node;

/// What is associated here, beside the node's own 192.168.1.3.
const SECOND: (&str, &str) = ("192.168.1.4", "10.0.0.5");
const THIRD: (&str, &str) = ("192.168.1.5", "10.0.0.6");

/// Associates on a node of the scenario S1, and says what was not as it should
/// be.
pub(crate) fn by_hand(node: &Node, workdir: &Path, builder: &Path) -> Vec<String> {
    if node.scenario != "S1" {
        return Vec::new();
    }
    let mut hands = Hands { node, folder: workdir.join("state"), wrong: Vec::new() };
    let script = workdir.join("server.py");
    let mut agent = Agent::start(&script, workdir, builder);
    agent.says("start");
    agent.says(&format!("add {} {}", SECOND.0, SECOND.1));
    let agents_time = agent.says("update");
    let agents = hands.read();
    agent.says(&format!("drop {}", SECOND.0));
    agent.says("update");
    drop(agent);

    let (made, our_time) = hands.associate(SECOND, Neutron::Has);
    hands.expect_case(&made, CaseKind::Missed);
    let ours = hands.read();
    hands.compare(&agents, &ours);
    println!(
        "  associated by the agent in {agents_time:.2?}, by hand in {our_time:.2?}: {:.0} times faster",
        agents_time.as_secs_f64() / our_time.as_secs_f64()
    );

    // From here on the program sees that an agent runs.
    let mut agent = Agent::start(&workdir.join("neutron-l3-agent"), workdir, builder);
    agent.says(&format!("add {} {}", SECOND.0, SECOND.1));
    agent.says("start");
    hands.as_said(&made, "the agent was started");
    agent.says("update");
    hands.as_said(&made, "an update of what it missed");

    let (foreign, _) = hands.associate(THIRD, Neutron::HasNot);
    hands.expect_case(&foreign, CaseKind::Foreign);
    agent.says("update");
    hands.as_said(&foreign, "an update of what Neutron has not");

    agent.says(&format!("drop {}", SECOND.0));
    let dropped = hands.remove(SECOND, Neutron::HasNot);
    hands.expect_case(&dropped, CaseKind::Dropped);
    agent.says("update");
    hands.as_said(&dropped, "an update of what Neutron dropped");

    let still_there = hands.remove(("192.168.1.3", "10.0.0.4"), Neutron::Has);
    hands.expect_case(&still_there, CaseKind::StillThere);
    agent.says("update");
    hands.as_said(&still_there, "an update of what Neutron still has");
    hands.wrong
}

/// The agent, which does what it is told.
pub(crate) struct Agent {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Agent {
    /// `script` is the name under which it is seen to run.
    pub(crate) fn start(script: &Path, workdir: &Path, builder: &Path) -> Self {
        fs::write(script, include_str!("agent.py")).unwrap();
        let home = std::env::var_os("HOME").map_or_else(|| PathBuf::from("/root"), PathBuf::from);
        let cache = std::env::var_os("XDG_CACHE_HOME").map_or_else(|| home.join(".cache"), PathBuf::from);
        let venv = std::env::var_os("VENV").map_or_else(|| cache.join("fipscope-real-node"), PathBuf::from);
        let log = fs::File::create(workdir.join("agent.err")).unwrap();
        let mut child = Command::new(venv.join("bin/python"))
            .args(["-W", "ignore"])
            .arg(script)
            .args([builder.parent().unwrap(), workdir])
            .arg("--config-file")
            .arg(workdir.join("neutron.conf"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
        let (input, output) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        Self { child, input, output }
    }

    /// Has it do something, and gives the time that it took.
    pub(crate) fn says(&mut self, command: &str) -> Duration {
        writeln!(self.input, "{command}").unwrap();
        for line in (&mut self.output).lines() {
            if let Some(seconds) = line.unwrap().strip_prefix("took ") {
                return Duration::from_secs_f64(seconds.parse().unwrap());
            }
        }
        panic!("the agent ended at {command:?}");
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

struct Hands<'n> {
    node: &'n Node,
    folder: PathBuf,
    wrong: Vec<String>,
}

impl Hands<'_> {
    fn read(&self) -> Snapshot {
        let state_path = Some(self.node.state_path.clone());
        read_node(&ReadOptions { netns_dir: "/run/netns".into(), state_path, conntrack: false }).unwrap()
    }

    /// Associates, and gives the plan and the time from its confirmation to the
    /// verified chain.
    fn associate(&mut self, (floating_ip, fixed_ip): (&str, &str), neutron: Neutron) -> (Plan, Duration) {
        let (floating_ip, fixed_ip): (IpAddr, IpAddr) = (floating_ip.parse().unwrap(), fixed_ip.parse().unwrap());
        let before = self.read();
        let wanted = Associate { neutron: Some(neutron), ..Associate::new(floating_ip, fixed_ip) };
        let plan = associate(&before, &Topology::of(&before), &wanted).unwrap();
        let took = self.carry_out(&plan, &before, vec![floating_ip]);
        (plan, took)
    }

    fn remove(&mut self, (floating_ip, _): (&str, &str), neutron: Neutron) -> Plan {
        let before = self.read();
        let wanted = Remove { neutron: Some(neutron), ..Remove::new(floating_ip.parse().unwrap()) };
        let plan = remove(&before, &Topology::of(&before), &wanted).unwrap();
        self.carry_out(&plan, &before, Vec::new());
        plan
    }

    fn carry_out(&mut self, plan: &Plan, seen: &Snapshot, deliver: Vec<IpAddr>) -> Duration {
        let site = Site {
            netns_dir: NetnsDir::new("/run/netns"),
            state_path: Some(self.node.state_path.clone()),
            folder: self.folder.clone(),
            read_only: false,
        };
        let aim = Aim { gone: Vec::new(), deliver };
        let began = Instant::now();
        let carried = exec::change(&Order { plan, seen, aim: &aim }, &site, &mut |_| {}).unwrap();
        let took = began.elapsed();
        if (carried.outcome(), carried.verified) != (Outcome::Done, true) {
            self.wrong.push(format!("{}: {carried:?}", plan.intent));
        }
        took
    }

    fn expect_case(&mut self, plan: &Plan, kind: CaseKind) {
        if plan.agent.map(|case| case.kind) != Some(kind) {
            self.wrong.push(format!("{}: {:?}, not {kind:?}", plan.intent, plan.agent));
        }
    }

    /// The same node, but for the priority, which the agent draws.
    fn compare(&mut self, agents: &Snapshot, ours: &Snapshot) {
        let all = changes(&agents.normalised(), &ours.normalised());
        let differences: Vec<Change> = all.into_iter().filter(|change| !change.is_flapping()).collect();
        for change in &differences {
            let drawn = [&change.before, &change.after].into_iter().flatten().all(|thing| match thing {
                Thing::Rule(rule) => rule.from.is_some_and(|net| net.addr().to_string() == SECOND.1),
                Thing::FileLine(FileName::Priorities, _, line) => line.contains(SECOND.0),
                _ => false,
            });
            println!("  agent's → ours{}: {change}", if drawn { " (a priority)" } else { "" });
            if !drawn {
                self.wrong.push(format!("not as the agent makes it: {change}"));
            }
        }
    }

    /// Every step's outcome is there, or is not, as the plan said that it would.
    fn as_said(&mut self, plan: &Plan, when: &str) {
        let now = self.read();
        let lasting = |step: &&Step| !matches!(step.action, Action::Forget { .. } | Action::Announce { .. });
        let mut kept = 0;
        let mut undone = 0;
        for step in plan.to_do().filter(lasting) {
            let mut alone = Plan::new("");
            alone.push(&step.netns, step.action.clone());
            let stands = due(&alone, &now) == [Due::Already];
            let wanted = matches!(step.agent, Some(AgentWill::Keep | AgentWill::NotApplicable));
            (kept, undone) = (kept + u32::from(stands), undone + u32::from(!stands));
            if stands != wanted {
                self.wrong.push(format!("after {when}: {:?}, but {}: {}", step.agent, stands, step.description));
            }
        }
        println!("  after {when}: {kept} kept, {undone} taken back");
    }
}
