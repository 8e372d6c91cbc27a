//! Whether a change came to what it is for: the node is read and judged again,
//! packets are walked, and the kernel is asked the same.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::thread;
use std::time::{Duration, Instant};

use crate::check::{Code, DecidedBy, Finding, Pattern, Pick, check, judge, judge_with, questions, standing, states};
use crate::kernel::ask_routes;
use crate::net::{RouteQuestion, Snapshot, WireAnswers};
use crate::path::{Kernel, Node, Outcome, Walk};
use crate::plan::journal::Aim;
use crate::probe::{Manner, ask};
use crate::topology::{FipState, FloatingIp, Topology};

use super::{Error, Site};

/// The kernel's link watch, neighbours and the like get this long.
const PATIENCE: Duration = Duration::from_secs(3);
const PAUSE: Duration = Duration::from_millis(50);

/// What is to be seen after a change.
pub(super) struct Expected {
    /// Findings that are to be gone, however mild.
    gone: BTreeSet<String>,
    /// The codes of those that only answers on the wire decide.
    wire: Pick,
    /// Faults that were there, or that the simulation says will be.
    known: BTreeSet<String>,
    /// Floating IPs that the findings were about.
    concerned: BTreeSet<(Option<IpAddr>, Option<IpAddr>)>,
    deliver: BTreeSet<IpAddr>,
}

impl Expected {
    /// By the node before, and as the simulation has it after.
    pub(super) fn of(aim: &Aim, before: &Snapshot, simulated: &Snapshot) -> Self {
        let gone: BTreeSet<String> = aim.gone.iter().cloned().collect();
        let topology = Topology::of(before);
        let findings = judge(before, &topology);
        let standings = states(&topology, &findings);
        let concerned = topology
            .floating_ips
            .iter()
            .zip(&standings)
            .filter(|(_, standing)| standing.findings.iter().any(|finding| gone.contains(&finding.id)))
            .map(|(fip, _)| (fip.floating_ip, fip.fixed_ip))
            .collect();
        let after = judge(simulated, &Topology::of(simulated));
        let known = findings.iter().chain(&after).filter(|finding| counts(finding));
        let known = known.map(|finding| finding.id.clone()).collect();
        let wire = Pick { select: on_the_wire(&gone), ignore: Vec::new() };
        Self { gone, wire, known, concerned, deliver: aim.deliver.iter().copied().collect() }
    }

    /// Looks until it is so, but not for ever; the error says what is not.
    pub(super) fn wait(&self, site: &Site, mut read: impl FnMut() -> Result<Snapshot, Error>) -> Result<(), String> {
        patiently(|| {
            let now = read().map_err(|error| error.to_string())?;
            let wrong = self.wrong(&now, site);
            if wrong.is_empty() {
                return Ok(());
            }
            let lines: Vec<String> = wrong.iter().map(|what| format!("\n  {what}")).collect();
            Err(format!("all steps were done, but the node is not as it should be then:{}", lines.concat()))
        })
    }

    fn wrong(&self, now: &Snapshot, site: &Site) -> Vec<String> {
        let topology = Topology::of(now);
        let findings = judge(now, &topology);
        let mut wrong = Vec::new();
        wrong.extend(self.left(&findings));
        for finding in findings.iter().filter(|finding| counts(finding) && !self.gone.contains(&finding.id)) {
            if !self.known.contains(&finding.id) {
                wrong.push(format!("{} is new: {}", finding.code, finding.message));
            }
        }
        let node = Node::of(now, &topology);
        for fip in &topology.floating_ips {
            let must = fip.floating_ip.is_some_and(|address| self.deliver.contains(&address));
            let concerned = self.concerned.contains(&(fip.floating_ip, fip.fixed_ip));
            let standing = standing(&topology, fip, &findings);
            // What is no more than a warning, and was foreseen, does not stop packets.
            let is_left = |finding: &&&Finding| counts(finding) && !self.known.contains(&finding.id);
            let unforeseen = standing.findings.iter().find(is_left);
            let is_whole = match standing.state {
                FipState::Ok => true,
                FipState::Degraded => must && unforeseen.is_none(),
                FipState::Broken | FipState::Unknown => false,
            };
            match (must, concerned, is_whole) {
                (true, _, false) => {
                    let worst = unforeseen.copied().or_else(|| standing.worst());
                    let why = worst.map(|worst| format!(": {} {}", worst.code, worst.message)).unwrap_or_default();
                    wrong.push(format!("{} does not work{why}", words(fip)));
                }
                (true, ..) | (_, true, true) => wrong.extend(walked(&node, fip, site)),
                _ => {}
            }
        }
        let missing = |address: &&IpAddr| topology.floating_ips.iter().all(|fip| fip.floating_ip != Some(**address));
        wrong.extend(self.deliver.iter().filter(missing).map(|address| format!("{address} is not on this node")));
        // The wire last: it takes the longest.
        if wrong.is_empty() && !self.wire.select.is_empty() {
            let questions = questions(now, &topology, &self.wire, None);
            let answers = ask(&site.netns_dir, &questions, &Manner::default());
            let answers: WireAnswers = questions.into_iter().zip(answers).collect();
            wrong.extend(self.left(&judge_with(now, &topology, &answers)));
        }
        wrong
    }

    /// What was to be gone and is not.
    fn left(&self, findings: &[Finding]) -> Vec<String> {
        let left = findings.iter().filter(|finding| self.gone.contains(&finding.id));
        left.map(|finding| format!("{} is still there: {}", finding.code, finding.message)).collect()
    }
}

/// Those of the findings' codes that only the wire decides.
fn on_the_wire(findings: &BTreeSet<String>) -> Vec<Pattern> {
    let codes: BTreeSet<&str> = findings.iter().filter_map(|id| id.split('@').next()).collect();
    let is_wire = |code: &Code| check(*code).is_some_and(|check| matches!(check.decided_by, DecidedBy::Wire(_)));
    let wire = codes.into_iter().filter(|code| code.parse().is_ok_and(|code| is_wire(&code)));
    wire.filter_map(|code| code.parse().ok()).collect()
}

/// What is wrong with packets from and to a floating IP.
fn walked(node: &Node<'_>, fip: &FloatingIp, site: &Site) -> Option<String> {
    let (mut out, mut into) = node.both_ways(fip)?;
    let mut questions: Vec<RouteQuestion> = out.questions().into_iter().chain(into.questions()).collect();
    questions.sort();
    questions.dedup();
    let answers = ask_routes(&site.netns_dir, &questions).into_iter();
    let answers = answers.map(|answer| answer.map_err(|error| error.to_string()));
    let answers: Vec<_> = questions.into_iter().zip(answers).collect();
    for (walk, way) in [(&mut out, "from"), (&mut into, "to")] {
        walk.witnessed(&answers);
        if let Some(why) = stopped(walk) {
            return Some(format!("a packet {way} {} {why}", words(fip)));
        }
    }
    None
}

fn stopped(walk: &Walk) -> Option<String> {
    if let Some(hop) = walk.hops.iter().find(|hop| matches!(hop.kernel, Kernel::Differs(_))) {
        return Some(format!("goes another way by the kernel's own lookup in {}", hop.namespace));
    }
    let arrives = matches!(walk.outcome, Outcome::Delivered | Outcome::LeavesNode);
    (!arrives).then(|| "does not come through".to_owned())
}

/// Tries again until it works or the time is over.
pub(super) fn patiently(mut look: impl FnMut() -> Result<(), String>) -> Result<(), String> {
    let begin = Instant::now();
    loop {
        let outcome = look();
        if outcome.is_ok() || begin.elapsed() > PATIENCE {
            return outcome;
        }
        thread::sleep(PAUSE);
    }
}

fn counts(finding: &Finding) -> bool {
    finding.is_fault() || finding.is_doubt()
}

fn words(fip: &FloatingIp) -> String {
    let word = |address: Option<IpAddr>| address.map_or_else(|| "unknown".to_owned(), |address| address.to_string());
    format!("{} (fixed {})", word(fip.floating_ip), word(fip.fixed_ip))
}
