//! Faults in numbers: two, and ten, on different floating IPs are told apart, and
//! mending their roots mends the node.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};

use fipscope::check::Finding;
use fipscope::net::{Observed, Qdisc, Snapshot};
use fipscope::neutron::Layout;
use fipscope::plan::{repair, simulate};
use fipscope::topology::scenario::{RouterSpec, Scenario, Subnet};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};

use super::common::{fixture, judge, root_findings};
use super::faults::{FAULTS, Fault, Reach, Site};
use super::law;

/// Where the draws begin; a failure names its own. `FIPSCOPE_SEEDS=0..100` draws
/// from others.
const SEEDS: [u32; 4] = [1, 2, 3, 4];

/// Faults of the agent's files, which steps on the node do not mend. What has no
/// mend at all says so in its finding.
const BY_HAND: [u16; 2] = [901, 902];

/// A node with the findings of each fault alone, as far as they were asked for.
struct Bench {
    name: String,
    healthy: Snapshot,
    alone: RefCell<HashMap<(usize, usize), BTreeSet<String>>>,
}

fn benches() -> Vec<Bench> {
    let made = [Layout::Juno, Layout::Newton, Layout::Pike].map(|layout| {
        let node = (0..4).fold(Scenario::empty(), |node, number| node.with_router(&two_subnets(layout, number)));
        (format!("made up, {}", layout.word()), node.snapshot)
    });
    let real = ["S2", "S3", "S5", "S6"].map(|name| (name.to_owned(), fixture(name)));
    let bench = |(name, healthy)| Bench { name, healthy: with_queues(healthy), alone: RefCell::default() };
    made.into_iter().chain(real).map(bench).collect()
}

/// Devices that are on have what the kernel puts at their root.
fn with_queues(mut node: Snapshot) -> Snapshot {
    let links = node.each_netns_mut().filter_map(|netns| match &mut netns.links {
        Observed::Seen(links) => Some(links),
        _ => None,
    });
    for link in links.flatten().filter(|link| link.is_up() && link.qdiscs.is_empty()) {
        link.qdiscs.push(Qdisc { kind: "noqueue".to_owned(), handle: 0, parent: u32::MAX });
    }
    node
}

/// A router with five floating IPs on the first of two subnets.
fn two_subnets(layout: Layout, number: u16) -> RouterSpec {
    let mut spec = RouterSpec::numbered(layout, number, 5);
    let first = spec.subnets[0].clone();
    spec.subnets.push(Subnet {
        port: first.port.replace("-00", "-01"),
        gateway: format!("20.0.{number}.1/24").parse().unwrap(),
        snat: format!("20.0.{number}.200").parse().unwrap(),
        ..first
    });
    spec
}

/// A fault by its place in the table, at a floating IP by its place on the node.
type Drawn = (usize, usize);

#[test]
fn each_fault_alone_is_found_and_mended() {
    let mut wrong = Vec::new();
    for bench in benches() {
        let sites = Site::all(&bench.healthy);
        for (fault, broken) in FAULTS.iter().enumerate() {
            let at = (0..sites.len()).find(|site| (broken.make)(&sites[*site]).is_some());
            let found = at.map(|site| bench.check(&[(fault, site)], &sites));
            if let Some(Err(why)) = found {
                wrong.push(format!("{}: {why}", bench.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn two_faults_are_told_apart() {
    told_apart(2, 24);
}

#[test]
fn ten_faults_are_told_apart() {
    told_apart(10, 8);
}

fn seeds() -> Vec<u32> {
    let asked = std::env::var("FIPSCOPE_SEEDS").ok();
    let range = asked.as_deref().and_then(|range| range.split_once("..")).map(|(from, to)| {
        let number = |text: &str| text.parse::<u32>().expect("a range of numbers such as 0..100");
        number(from)..number(to)
    });
    range.map_or_else(|| SEEDS.to_vec(), Iterator::collect)
}

/// Draws that often from each seed, for each node.
fn told_apart(most: usize, draws: u32) {
    for bench in benches() {
        let sites = Site::all(&bench.healthy);
        for seed in seeds() {
            let mut bytes = [0; 32];
            bytes[..4].copy_from_slice(&seed.to_le_bytes());
            let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
            let config =
                Config { cases: draws / 4, failure_persistence: None, max_shrink_iters: 500, ..Config::default() };
            let mut runner = TestRunner::new_with_rng(config, rng);
            let strategy = vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), most * 2);
            let outcome = runner.run(&strategy, |drawn| {
                let wanted = drawn.iter().map(|(fault, site)| (fault.index(FAULTS.len()), site.index(sites.len())));
                let faults = compatible(wanted, &sites, most);
                bench.check(&faults, &sites).map_err(TestCaseError::fail)
            });
            if let Err(error) = outcome {
                panic!("{}, {most} faults, seed {seed}: {error}", bench.name);
            }
        }
    }
}

/// Those of the drawn faults that can stand beside each other, so many at most.
fn compatible(drawn: impl Iterator<Item = Drawn>, sites: &[Site<'_>], most: usize) -> Vec<Drawn> {
    let mut taken: Vec<Drawn> = Vec::new();
    for (fault, site) in drawn {
        let clashes = taken.iter().any(|(other, at)| clash(&FAULTS[fault], &sites[site], &FAULTS[*other], &sites[*at]));
        if taken.len() < most && !clashes && (FAULTS[fault].make)(&sites[site]).is_some() {
            taken.push((fault, site));
        }
    }
    taken
}

fn clash(one: &Fault, at: &Site<'_>, other: &Fault, there: &Site<'_>) -> bool {
    use Reach::{FloatingIp, Network, Router, WholeNetwork, WholeRouter};
    let (same_router, same_fip) = (at.router == there.router, at.floating == there.floating);
    match (one.reach, other.reach) {
        (WholeNetwork, _) | (_, WholeNetwork) => true,
        (Network, Network) => one.code == other.code && at.network() == there.network(),
        (Network, _) | (_, Network) => false,
        (WholeRouter, _) | (_, WholeRouter) | (Router, Router) => same_router,
        // What is not forwarded comes to no filter.
        (FloatingIp, Router) | (Router, FloatingIp) if hides(one, other) => same_router,
        (FloatingIp, _) | (_, FloatingIp) => same_router && same_fip,
    }
}

fn hides(one: &Fault, other: &Fault) -> bool {
    [(one.code, other.code), (other.code, one.code)].contains(&(311, 415))
}

impl Bench {
    fn broken(&self, faults: &[Drawn], sites: &[Site<'_>]) -> Snapshot {
        let mut node = self.healthy.clone();
        for (fault, site) in faults {
            let site = sites[*site].on(&node);
            let changes = (FAULTS[*fault].make)(&site).unwrap();
            node.apply(&changes);
        }
        node
    }

    /// What a fault alone is found as.
    fn alone(&self, drawn: Drawn, sites: &[Site<'_>]) -> BTreeSet<String> {
        let known = self.alone.borrow().get(&drawn).cloned();
        known.unwrap_or_else(|| {
            let found = root_ids(&self.broken(&[drawn], sites));
            self.alone.borrow_mut().insert(drawn, found.clone());
            found
        })
    }

    fn check(&self, faults: &[Drawn], sites: &[Site<'_>]) -> Result<(), String> {
        let words: Vec<String> = faults
            .iter()
            .map(|(fault, site)| format!("{} at {}", FAULTS[*fault].code, sites[*site].floating))
            .collect();
        let before = root_ids(&self.healthy);
        let mut wanted = before.clone();
        for drawn in faults {
            let alone = self.alone(*drawn, sites);
            let code = format!("DVR{}@", FAULTS[drawn.0].code);
            if !alone.iter().any(|id| id.starts_with(&code)) || alone.difference(&before).count() > 1 {
                return Err(format!("{words:?}: alone, {code} is found as {alone:#?}"));
            }
            wanted.extend(alone);
        }
        let node = self.broken(faults, sites);
        let found = root_ids(&node);
        if found != wanted {
            let (more, less): (Vec<_>, Vec<_>) =
                (found.difference(&wanted).collect(), wanted.difference(&found).collect());
            let folded = judge(&node).into_iter().filter(|one| less.contains(&&one.id));
            let under: Vec<_> = folded.map(|one| (one.id, one.because_of)).collect();
            return Err(format!("{words:?}: found too much {more:#?}, missed {less:#?}, folded {under:#?}"));
        }
        Self::mended(&node, &before).map_err(|why| format!("{words:?}: {why}"))
    }

    /// Mending all roots but those that are mended by hand clears all the others.
    fn mended(node: &Snapshot, before: &BTreeSet<String>) -> Result<(), String> {
        let found = judge(node);
        let helpless = |one: &&Finding| one.mend.is_empty() || BY_HAND.contains(&one.code.0);
        let helpless: BTreeSet<&str> = found.iter().filter(helpless).map(|one| one.id.as_str()).collect();
        let by_hand = |one: &Finding| helpless.contains(one.id.as_str()) || before.contains(&one.id);
        let roots: Vec<&Finding> = found.iter().filter(|one| one.because_of.is_none() && !by_hand(one)).collect();
        let wanted: Vec<&Finding> = roots.iter().flat_map(|root| repair::together(root, &found)).collect();
        let plan = repair::plan(&wanted, node);
        let left = root_findings(&simulate(&plan, node));
        let left: Vec<String> =
            left.iter().filter(|one| !by_hand(one)).map(|one| format!("{} {}", one.id, one.message)).collect();
        let commands: Vec<String> = plan.steps.iter().map(fipscope::plan::Step::command).collect();
        if !left.is_empty() {
            return Err(format!("{commands:#?} leave {left:#?}"));
        }
        law::undone(&plan, node).map_err(|lasting| format!("{commands:#?} and back: {lasting:#?}"))
    }
}

fn root_ids(node: &Snapshot) -> BTreeSet<String> {
    root_findings(node).into_iter().map(|one| one.id).collect()
}
