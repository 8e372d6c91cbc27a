//! What the agent does to what was done by hand, in each of the four cases: at
//! the router's next update and when it is started anew, compared with what the
//! plan foretold, object by object.

use std::net::IpAddr;
use std::process::Command;

use fipscope::net::{Change, FileName, Object as Thing, Snapshot, changes};
use fipscope::plan::{AgentWill, CaseKind, Neutron, Plan, Remove, Undo, simulate};

use crate::agent::{Agent, Home, MANY_THREADS};
use crate::associate::in_console;
use crate::hands::{Hands, Pair, address};

/// Neutron has it here, and the agent was not told.
const MISSED: Pair = ("192.168.1.4", "10.0.0.5");
/// Neutron does not have it.
const FOREIGN: Pair = ("192.168.1.5", "10.0.0.6");
/// Neutron had it until a moment ago.
const DROPPED: Pair = ("192.168.1.6", "10.0.0.7");
/// Neutron has it, and the agent made it: here, and on the gateway port.
const STILL_THERE: Pair = ("192.168.1.3", "10.0.0.4");
const CENTRALIZED: Pair = ("192.168.1.9", "20.0.0.9");

/// The name under which an agent is seen to run.
const AGENT: &str = "neutron-l3-agent";

/// Gives the agent back that ran at last.
pub(crate) fn as_foretold(hands: &mut Hands<'_>, home: Home<'_>) -> Agent {
    let mut agent = Agent::start(home, AGENT, MANY_THREADS);
    agent.says("start");
    agent.says(&hands.give(DROPPED));
    agent.says("update");
    if !hands.centralized {
        consent_is_asked(hands);
    }

    let done = Done::by(hands, &mut agent);
    agent.says("update");
    done.compare(hands, &[AgentWill::UndoAtUpdate], "an update");
    clean(hands, &mut agent);

    let done = Done::by(hands, &mut agent);
    drop(agent);
    let mut agent = Agent::start(home, AGENT, MANY_THREADS);
    agent.says("start");
    done.compare(hands, &[AgentWill::UndoAtUpdate, AgentWill::UndoAtRestart], "a restart");
    clean(hands, &mut agent);

    // No agent runs meanwhile: what is allocated goes into its files.
    neutron_changes(hands, &mut agent);
    drop(agent);
    let done = Done::by_hand(hands);
    let mut agent = Agent::start(home, AGENT, MANY_THREADS);
    agent.says("start");
    done.compare(hands, &[AgentWill::UndoAtUpdate, AgentWill::UndoAtRestart], "its start");
    let started = hands.read();
    agent.says("update");
    hands.same(&started, &hands.read(), "an update after its start");
    clean(hands, &mut agent);
    agent
}

/// Where the agent runs, its consent is not enough: the user's is asked for.
fn consent_is_asked(hands: &mut Hands<'_>) {
    let words = ["associate", FOREIGN.0, FOREIGN.1, "--neutron", "has-not", "--dry-run", "--format", "json"];
    let output = hands.run(&words, 0);
    let plan: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    hands.expect(plan["applicability"] == "needs-consent", || format!("{}", plan["applicability"]));
    let warns =
        plan["warnings"].as_array().unwrap().iter().any(|one| one.as_str().unwrap().contains("keeps pairs and"));
    hands.expect(warns, || format!("{}", plan["warnings"]));
    let writes = plan["steps"].as_array().unwrap().iter().any(|step| step["namespace"].is_null());
    hands.expect(!writes, || "the files of an agent that runs are written".to_owned());
    let before = hands.read();
    in_console(hands, MISSED, true);
    hands.undo();
    hands.same(&before, &hands.read(), "the console's, taken back");
}

/// The four changes, and the node as they left it.
struct Done {
    plans: Vec<Plan>,
    after: Snapshot,
}

/// The router's last floating IP is taken away with the pair, as Neutron dropped
/// it: the agent makes the pair again.
pub(crate) fn the_pair_comes_back(hands: &mut Hands<'_>, agent: &mut Agent) {
    agent.says(&format!("drop {}", DROPPED.0));
    agent.says("update");
    agent.says(&format!("drop {}", STILL_THERE.0));
    let neutron = Some(Neutron::HasNot);
    let wanted = Remove { with_pair: true, neutron, ..Remove::new(address(STILL_THERE.0)) };
    let plan = hands.removed(&wanted, CaseKind::Dropped);
    let done = Done { plans: vec![plan], after: hands.read() };
    let ends = |node: &Snapshot| {
        let names = node.seen().flat_map(|(_, netns)| netns.links()).map(|link| link.name.as_str());
        names.filter(|name| name.starts_with("rfp-") || name.starts_with("fpr-")).count()
    };
    hands.expect(ends(&done.after) == 0, || "the pair is still there".to_owned());
    agent.says("update");
    hands.expect(ends(&hands.read()) == 2, || "the pair did not come back".to_owned());
    done.compare(hands, &[AgentWill::UndoAtUpdate], "an update that makes the pair again");
    agent.says(&hands.give(STILL_THERE));
    agent.says("update");
}

fn still_there(hands: &Hands<'_>) -> Pair {
    if hands.centralized { CENTRALIZED } else { STILL_THERE }
}

/// What Neutron says without telling the agent.
fn neutron_changes(hands: &Hands<'_>, agent: &mut Agent) {
    agent.says(&hands.give(MISSED));
    agent.says(&format!("drop {}", DROPPED.0));
}

impl Done {
    /// With an agent that runs.
    fn by(hands: &mut Hands<'_>, agent: &mut Agent) -> Self {
        neutron_changes(hands, agent);
        Self::by_hand(hands)
    }

    fn by_hand(hands: &mut Hands<'_>) -> Self {
        let plans = vec![
            hands.associate(MISSED, Neutron::Has, CaseKind::Missed).0,
            hands.associate(FOREIGN, Neutron::HasNot, CaseKind::Foreign).0,
            hands.remove(DROPPED, Neutron::HasNot, CaseKind::Dropped),
            hands.remove(still_there(hands), Neutron::Has, CaseKind::StillThere),
        ];
        Self { plans, after: hands.read() }
    }

    /// The node is as they left it, but for the steps of which the plans said
    /// that the agent takes them back by then.
    fn compare(&self, hands: &mut Hands<'_>, taken_back: &[AgentWill], when: &str) {
        let mut backward = Plan::new("what the agent was foretold to do");
        let (mut kept, mut undone) = (0, 0);
        for step in self.plans.iter().rev().flat_map(|plan| plan.to_do().collect::<Vec<_>>().into_iter().rev()) {
            let Undo::Action(action) = &step.undo else { continue };
            if step.agent.is_some_and(|will| taken_back.contains(&will)) {
                backward.push(&step.netns, action.clone());
                undone += 1;
            } else {
                kept += 1;
            }
        }
        println!("  {when}: {kept} steps foretold to be kept, {undone} to be taken back");
        let mut foretold = simulate(&backward, &self.after);
        let is_warned = self.plans.iter().flat_map(|plan| &plan.warnings).any(|words| words.contains(SECOND_RULE));
        if is_warned && taken_back.contains(&AgentWill::UndoAtRestart) {
            a_second_rule(&mut foretold, &hands.read());
        }
        if hands.centralized && taken_back.contains(&AgentWill::UndoAtRestart) {
            strays(&mut foretold, &hands.read());
        }
        hands.same(&foretold, &hands.read(), &format!("foretold → after {when}"));
    }
}

/// The warning of an agent that was not told of a rule.
const SECOND_RULE: &str = "gets a second rule";

/// The second rule that the missed floating IP's instance was foretold to get,
/// with the line of the file; the agent draws the priority.
fn a_second_rule(foretold: &mut Snapshot, now: &Snapshot) {
    let (floating_ip, fixed_ip) = MISSED;
    let come = changes(foretold, now).into_iter().filter(|change| match (&change.before, &change.after) {
        (None, Some(Thing::Rule(rule))) => rule.from.is_some_and(|net| net.addr() == address(fixed_ip)),
        (None, Some(Thing::FileLine(FileName::Priorities, _, line))) => line.starts_with(&format!("{floating_ip},")),
        _ => false,
    });
    let come: Vec<Change> = come.collect();
    assert_eq!(come.len(), 2, "a rule and its line: {come:?}");
    foretold.apply(&come);
}

/// An agent that is started anew gives a floating IP of the gateway port a rule
/// in the router's namespace, too, which leads nowhere: that is its own, and no
/// plan's.
fn strays(foretold: &mut Snapshot, now: &Snapshot) {
    // One that a plan took away comes back, with another priority.
    let rules: Vec<_> = foretold.seen().flat_map(|(_, netns)| netns.rules()).filter_map(|rule| rule.from).collect();
    let lines = foretold.host.priority_file.seen().map_or(&[][..], |file| &file.lines);
    let new_rules: Vec<IpAddr> = [MISSED.1, CENTRALIZED.1].map(address).into();
    let is_new = |fixed: &IpAddr| !rules.iter().any(|net| net.addr() == *fixed);
    let new_rules: Vec<IpAddr> = new_rules.into_iter().filter(is_new).collect();
    let owners = [MISSED.0, CENTRALIZED.0].map(|floating| format!("{floating},"));
    let new_lines: Vec<String> =
        owners.into_iter().filter(|owner| !lines.iter().any(|line| line.starts_with(owner))).collect();
    let come = changes(foretold, now).into_iter().filter(|change| match (&change.before, &change.after) {
        (None, Some(Thing::Rule(rule))) => rule.from.is_some_and(|net| new_rules.contains(&net.addr())),
        (None, Some(Thing::FileLine(FileName::Priorities, _, line))) => {
            new_lines.iter().any(|owner| line.starts_with(owner))
        }
        _ => false,
    });
    let come: Vec<Change> = come.collect();
    println!("    {} rules and lines of the agent's own", come.len());
    foretold.apply(&come);
}

/// The node as it was before the four cases.
fn clean(hands: &Hands<'_>, agent: &mut Agent) {
    agent.says(&format!("drop {}", MISSED.0));
    agent.says("update");
    // What the agent does not take away: rules of instances that Neutron gave no floating IP here.
    let node = hands.read();
    for (name, netns) in node.seen() {
        for rule in netns.rules().iter().filter(|rule| (32_768..72_768).contains(&rule.priority.0)) {
            let from = rule.from.map(|net| net.addr().to_string());
            if from.as_deref().is_none_or(|from| ![STILL_THERE.1, CENTRALIZED.1].contains(&from)) {
                let words = ["-n", name.as_str(), "rule", "del", "priority", &rule.priority.0.to_string()];
                assert!(Command::new("ip").args(words).status().unwrap().success());
            }
        }
    }
    agent.says(&hands.give(DROPPED));
    agent.says("update");
}
