//! By hand while the agent updates the same router without a pause, and with a
//! second hand at the same time: nothing is lost, nothing stays half done, and
//! who loses says so.

use std::collections::BTreeMap;
use std::fs;
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use fipscope::exec::{self, Carried, Error, Order};
use fipscope::net::Snapshot;
use fipscope::plan::journal::{Aim, Outcome, State};
use fipscope::plan::{CaseKind, Neutron, Plan, Refused, Remove, remove};
use fipscope::topology::Topology;

use crate::agent::{Agent, Home};
use crate::hands::{Hands, Pair, address, said};

/// What the agent makes and takes away all the time.
const AGENTS: Pair = ("192.168.1.8", "10.0.0.8");
/// What is associated by hand meanwhile, and Neutron does not have.
const OURS: Pair = ("192.168.1.5", "10.0.0.6");
/// What is broken and repaired meanwhile; the agent never mends it.
const BROKEN: Pair = ("192.168.1.3", "10.0.0.4");
/// As often at the least, and as long.
const ROUNDS: usize = 10;
const TIME: Duration = Duration::from_secs(20);
/// What has to be done at least once, and how long that may take.
const DONE: [&str; 3] = ["associate: done", "remove: done", "repair: done"];
const PATIENCE: Duration = Duration::from_secs(60);
/// As often the loser tries again.
const TRIES: usize = 20;
/// How a loser ends, in words that tell what to do.
const LOST: [&str; 3] = ["is being changed by", "changed since the plan was shown", "all of it was taken back"];

pub(crate) fn at_the_same_time(hands: &mut Hands<'_>, mut agent: Agent, home: Home<'_>) {
    waits_for_the_agent(hands, &mut agent, home);
    loses_to_whoever_was_at_the_table(hands);
    let before = hands.read();
    let with_theirs = theirs(hands, &mut agent);
    let stop = home.workdir.join("stop");
    let busy = format!("busy {} {} {}", AGENTS.0, AGENTS.1, stop.display());
    agent.begin(&busy);
    let mut tally = Tally::default();
    let began = Instant::now();
    let mut rounds = 0;
    // Until all of it was done at least once: nothing is shown by hands that never come to it.
    let enough = |tally: &Tally| DONE.iter().all(|what| tally.0.contains_key(*what));
    while rounds < ROUNDS || began.elapsed() < TIME || (!enough(&tally) && began.elapsed() < PATIENCE) {
        rounds += 1;
        associated_and_removed(hands, &mut tally);
        rule_mended(hands, &mut tally);
        leftovers_taken_away(hands);
    }
    fs::write(&stop, "").unwrap();
    let (took, updates) = agent.end(&busy);
    println!("  {} updates by the agent in {took:.0?}, meanwhile by hand: {:?}", 2 * updates, tally.0);
    agent.says("update");
    leftovers_taken_away(hands);
    for what in DONE {
        hands.expect(tally.0.contains_key(what), || format!("{what}: never"));
    }
    hands.expect(updates > 2, || format!("the agent was not busy: {updates} rounds"));
    for past in exec::history(&hands.site()).unwrap() {
        let is_whole = match past.state {
            State::Done | State::Undone => true,
            // What is announced stays so.
            State::Failed => past.outcome == Some(Outcome::RolledBack),
            State::Unfinished => false,
        };
        hands.expect(is_whole, || format!("left half done: {past:?}"));
    }
    hands.same(&before, &hands.read(), "before → after all that");
    let again = theirs(hands, &mut agent);
    hands.same(&with_theirs, &again, "the agent's own before → after all that");
}

/// While the agent holds its own lock on the router's packet filter, nobody
/// changes that by hand.
fn waits_for_the_agent(hands: &mut Hands<'_>, agent: &mut Agent, home: Home<'_>) {
    let held = home.workdir.join("held");
    let command = format!("hold {} {}", rules_of(hands, BROKEN.1).0, held.display());
    agent.begin(&command);
    let began = Instant::now();
    while !held.exists() {
        assert!(began.elapsed() < TIME, "the agent does not take its lock");
        thread::sleep(Duration::from_millis(1));
    }
    hands.associate(OURS, Neutron::HasNot, CaseKind::Foreign);
    hands.expect(!held.exists(), || "the packet filter was changed while the agent held its lock".to_owned());
    agent.end(&command);
    hands.undo();
}

/// Somebody changed the packet filter after the plan was shown: nothing is done,
/// and it is said which table it was and what to do.
fn loses_to_whoever_was_at_the_table(hands: &mut Hands<'_>) {
    let seen = hands.read();
    let plan = hands.associate_plan(&seen, OURS, Neutron::HasNot);
    let (netns, _) = rules_of(hands, OURS.1);
    let chain = |what: &str| {
        let words = ["netns", "exec", &netns, "iptables", "-t", "nat", what, "somebody"];
        assert!(Command::new("ip").args(words).status().unwrap().success());
    };
    chain("-N");
    let before = hands.read();
    let aim = Aim { gone: Vec::new(), deliver: vec![address(OURS.0)] };
    let said = match change(hands, &plan, &seen, &aim) {
        Err(error @ Error::Changed { .. }) => error.to_string(),
        other => format!("{other:?}"),
    };
    let good = said.contains(&format!("the table nat of {netns} is not what it was")) && said.contains("try again");
    hands.expect(good, || format!("the loser says: {said}"));
    hands.same(&before, &hands.read(), "the loser's");
    chain("-X");
}

/// The node with what the agent makes, which is taken away again.
fn theirs(hands: &Hands<'_>, agent: &mut Agent) -> Snapshot {
    agent.says(&format!("add {} {}", AGENTS.0, AGENTS.1));
    agent.says("update");
    let node = hands.read();
    agent.says(&format!("drop {}", AGENTS.0));
    agent.says("update");
    node
}

/// What became of what was tried.
#[derive(Default)]
struct Tally(BTreeMap<String, usize>);

impl Tally {
    fn count(&mut self, what: &str, became: &str) {
        *self.0.entry(format!("{what}: {became}")).or_default() += 1;
    }

    /// Counts a change; one that was left half done is wrong.
    fn change(&mut self, hands: &mut Hands<'_>, what: &str, outcome: Result<Carried, Error>) {
        match outcome {
            Ok(carried) if carried.outcome() == Outcome::Done && carried.verified => self.count(what, "done"),
            Ok(carried) if carried.outcome() == Outcome::RolledBack && carried.failure.is_some() => {
                self.count(what, "taken back, and said why");
            }
            Ok(carried) => hands.wrong.push(format!("{what}: {carried:?}")),
            Err(error @ (Error::Changed { .. } | Error::Busy { .. })) => {
                let good = error.to_string().contains("try again");
                hands.expect(good, || format!("{what}: {error}"));
                self.count(what, "not begun, and said why");
            }
            Err(error) => hands.wrong.push(format!("{what}: {error}")),
        }
    }
}

fn associated_and_removed(hands: &mut Hands<'_>, tally: &mut Tally) {
    let seen = hands.read();
    let plan = hands.associate_plan(&seen, OURS, Neutron::HasNot);
    let outcome = change(hands, &plan, &seen, &Aim { gone: Vec::new(), deliver: vec![address(OURS.0)] });
    tally.change(hands, "associate", outcome);
    let seen = hands.read();
    let wanted = Remove { neutron: Some(Neutron::HasNot), ..Remove::new(address(OURS.0)) };
    match remove(&seen, &Topology::of(&seen), &wanted) {
        Ok(plan) => {
            let outcome = change(hands, &plan, &seen, &Aim::default());
            tally.change(hands, "remove", outcome);
        }
        Err(Refused::NotFound(_)) => tally.count("remove", "the agent was faster"),
        Err(error) => hands.wrong.push(format!("remove: {error}")),
    }
}

fn change(hands: &Hands<'_>, plan: &Plan, seen: &Snapshot, aim: &Aim) -> Result<Carried, Error> {
    exec::change(&Order { plan, seen, aim }, &hands.site(), &mut |_| {})
}

/// A rule that the agent does not mend is, by two at the same time.
fn rule_mended(hands: &mut Hands<'_>, tally: &mut Tally) {
    let (netns, priorities) = rules_of(hands, BROKEN.1);
    let [priority] = priorities[..] else { return hands.wrong.push(format!("rules of {}: {priorities:?}", BROKEN.1)) };
    delete_rule(&netns, priority);
    for _ in 0..TRIES {
        let start = || {
            let mut program = hands.program(&["repair", BROKEN.0, "--yes"]);
            program.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
        };
        let both = [start(), start()].map(|child| child.wait_with_output().unwrap());
        for output in both {
            let text = in_one_line(&output);
            match output.status.code() {
                Some(0) => tally.count("repair", "done"),
                Some(1) if LOST.iter().any(|words| text.contains(words)) => tally.count("repair", "lost, and said why"),
                _ => hands.wrong.push(format!("repair: {text}")),
            }
        }
        if rules_of(hands, BROKEN.1).1.len() == 1 {
            return;
        }
    }
    hands.wrong.push(format!("the rule of {} was not mended", BROKEN.1));
}

/// Takes away what the agent leaves of an association that Neutron does not
/// have, as it was foretold.
fn leftovers_taken_away(hands: &Hands<'_>) {
    let (netns, priorities) = rules_of(hands, OURS.1);
    for priority in priorities {
        delete_rule(&netns, priority);
    }
}

fn delete_rule(netns: &str, priority: u32) {
    let words = ["-n", netns, "rule", "del", "priority", &priority.to_string()];
    assert!(Command::new("ip").args(words).status().unwrap().success());
}

/// The router's namespace, and the priorities of an instance's rules there.
fn rules_of(hands: &Hands<'_>, fixed_ip: &str) -> (String, Vec<u32>) {
    let node = hands.read();
    let name = node.namespaces.keys().find(|name| name.as_str().starts_with("qrouter-")).unwrap();
    let rules = node.netns(name).unwrap().rules().iter();
    let its = rules.filter(|rule| rule.from.is_some_and(|net| net.addr() == address(fixed_ip)));
    (name.as_str().to_owned(), its.map(|rule| rule.priority.0).collect())
}

fn in_one_line(output: &Output) -> String {
    said(output).split_whitespace().collect::<Vec<_>>().join(" ")
}
