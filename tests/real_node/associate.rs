//! A floating IP associated by hand and by the real agent: the same node comes
//! of it, whichever hand does it: the library's, the command line's, the
//! console's.

use std::path::Path;

use fipscope::plan::{CaseKind, Neutron};

use crate::agent::{Agent, Home, MANY_THREADS};
use crate::busy;
use crate::cases;
use crate::console::Console;
use crate::hands::{Hands, Pair, in_words};
use crate::inside::Node;

/// What is associated here, beside the node's own.
const SECOND: Pair = ("192.168.1.4", "10.0.0.5");
const OWN: Pair = ("192.168.1.3", "10.0.0.4");

/// Associates and removes on a node of the scenario S1, and on the gateway port
/// of S9's router, and says what was not as it should be.
pub(crate) fn by_hand(node: &Node, workdir: &Path, builder: &Path) -> Vec<String> {
    if !["S1", "S9"].contains(&node.scenario.as_str()) {
        return Vec::new();
    }
    let mut hands = Hands::new(node, workdir);
    let home = Home { workdir, builder };
    made_the_same(&mut hands, home);
    let mut agent = cases::as_foretold(&mut hands, home);
    if !hands.centralized {
        cases::the_pair_comes_back(&mut hands, &mut agent);
        busy::at_the_same_time(&mut hands, agent, home);
    }
    hands.wrong
}

/// Associates by hand.
type Way = fn(&mut Hands<'_>);

const WAYS: [(&str, Way); 3] = [("library", by_library), ("command line", by_command_line), ("console", by_console)];

fn made_the_same(hands: &mut Hands<'_>, home: Home<'_>) {
    // Under this name the program does not take it for an agent that runs.
    let mut agent = Agent::start(home, "server.py", MANY_THREADS);
    agent.says("start");
    compared_with(hands, &mut agent, "a second floating IP");
    if hands.centralized {
        return;
    }
    agent.says(&format!("drop {}", OWN.0));
    agent.says("update");
    compared_with(hands, &mut agent, "the router's first floating IP");
    agent.says(&format!("add {} {}", OWN.0, OWN.1));
    agent.says("update");
}

fn compared_with(hands: &mut Hands<'_>, agent: &mut Agent, what: &str) {
    agent.says(&hands.give(SECOND));
    let took = agent.says("update");
    println!("  {what}, by the agent: {took:.2?}");
    let (agents, agents_words) = (hands.read(), in_words(hands, SECOND));
    agent.says(&format!("drop {}", SECOND.0));
    agent.says("update");
    let before = hands.read();
    // The console's form has no gateway port.
    let ways = if hands.centralized { &WAYS[..2] } else { &WAYS };
    for (way, associate) in ways {
        associate(hands);
        let what = format!("{what}, agent's → by {way}");
        hands.same(&agents, &hands.read(), &what);
        let words = in_words(hands, SECOND);
        let missing = agents_words.iter().filter(|line| !words.contains(line)).map(|line| format!("{what}: - {line}"));
        let surplus = words.iter().filter(|line| !agents_words.contains(line)).map(|line| format!("{what}: + {line}"));
        let at = words.iter().zip(&agents_words).position(|(ours, theirs)| ours != theirs);
        let order = at.map(|at| format!("{what}: {}, not {}", words[at], agents_words[at]));
        let wrong: Vec<String> = missing.chain(surplus).chain(order).collect();
        if wrong.is_empty() {
            println!("  {what}: {} objects in the words of the system's tools, the same", words.len());
        }
        hands.wrong.extend(wrong);
        hands.undo();
        hands.same(&before, &hands.read(), &format!("{what}, taken back"));
    }
}

fn by_library(hands: &mut Hands<'_>) {
    let (_, took) = hands.associate(SECOND, Neutron::Has, CaseKind::Missed);
    println!("  by hand, from the confirmed plan to the verified chain: {took:.2?}");
}

fn by_command_line(hands: &mut Hands<'_>) {
    let words = ["associate", SECOND.0, SECOND.1, "--neutron", "has", "--no-wait", "--yes", "--centralized"];
    hands.run(if hands.centralized { &words } else { &words[..7] }, 0);
}

fn by_console(hands: &mut Hands<'_>) {
    in_console(hands, SECOND, false);
}

/// Types it into the console, to the end.
pub(crate) fn in_console(hands: &Hands<'_>, (floating_ip, fixed_ip): Pair, agent_runs: bool) {
    let state_path = hands.state_path().display().to_string();
    let mut console = Console::start_with(&["--state-path", &state_path], 40, 140, Some(hands.state_home()));
    console.shows(OWN_ROUTER);
    console.press("a");
    console.shows("fixed IP");
    // The router and what Neutron has follow; Neutron has it.
    console.press(&format!("{floating_ip}\t{fixed_ip}\t\t\u{1b}[B\r"));
    console.shows(&format!("Announce {floating_ip}"));
    let warned = console.text().contains("The L3 agent runs");
    assert_eq!(warned, agent_runs, "{}", console.text());
    console.shows("on the external network answers");
    console.press("\r");
    console.shows("to go on");
    console.press(&format!("{floating_ip}\r"));
    // On the plan, then with the chain that follows it.
    console.until("it done and verified", |screen| screen.contents().to_lowercase().contains("done and verified"));
    // The first asks whether the later announcements are to be left out.
    console.press("qq");
    console.ends_with(0);
    console.terminal_is_restored();
}

/// What the first screen shows when the node has been read.
const OWN_ROUTER: &str = "ef25020f";
