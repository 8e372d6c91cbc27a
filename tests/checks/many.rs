//! Faults in numbers: two, and ten, on different floating IPs are told apart, and
//! mending their roots mends the node.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};

use fipscope::check::{Finding, checks};
use fipscope::net::{Observed, Qdisc, Snapshot};
use fipscope::neutron::Layout;
use fipscope::plan::{repair, simulate};
use fipscope::topology::scenario::{RouterSpec, Scenario, Subnet};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};

use super::common::{fixture, judge, root_findings};
use super::faults::{FAULTS, Fault, LEFT_OUT, Reach, Site};
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
    let primary = ("made up, highly available".to_owned(), Scenario::distributed_ha(true).snapshot);
    let real = ["S2", "S3", "S5", "S6"].map(|name| (name.to_owned(), fixture(name)));
    let bench = |(name, healthy)| Bench { name, healthy: with_queues(healthy), alone: RefCell::default() };
    made.into_iter().chain([primary]).chain(real).map(bench).collect()
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
    let (mut wrong, mut tried) = (Vec::new(), BTreeSet::new());
    for bench in benches() {
        let sites = Site::all(&bench.healthy);
        for (fault, broken) in FAULTS.iter().enumerate() {
            let at = (0..sites.len()).find(|site| (broken.make)(&sites[*site]).is_some());
            let Some(site) = at else { continue };
            tried.insert(broken.code);
            if let Err(why) = bench.check(&[(fault, site)], &sites) {
                wrong.push(format!("{}: {why}", bench.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let all: BTreeSet<u16> = FAULTS.iter().map(|fault| fault.code).collect();
    assert_eq!(tried, all, "a fault that fits no node is tried nowhere");
}

#[test]
fn every_code_that_a_snapshot_decides_is_put_on_a_node_or_left_out_for_a_reason() {
    let read: Vec<u16> = checks().filter(|check| check.decided_by.is_read()).map(|check| check.code.0).collect();
    let mut known: Vec<u16> =
        FAULTS.iter().map(|fault| fault.code).chain(LEFT_OUT.iter().map(|(code, _)| *code)).collect();
    known.sort_unstable();
    assert_eq!(known, read);
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

/// Draws that often from each seed, for each node. Where there are floating IPs
/// enough for so many faults, so many are put there each time.
fn told_apart(most: usize, draws: u32) {
    for bench in benches() {
        let sites = Site::all(&bench.healthy);
        let counts = RefCell::new(Vec::new());
        for seed in seeds() {
            let mut bytes = [0; 32];
            bytes[..4].copy_from_slice(&seed.to_le_bytes());
            let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
            let config =
                Config { cases: draws / 4, failure_persistence: None, max_shrink_iters: 500, ..Config::default() };
            let mut runner = TestRunner::new_with_rng(config, rng);
            let strategy = vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), most * 12);
            let outcome = runner.run(&strategy, |drawn| {
                let wanted = drawn.iter().map(|(fault, site)| (fault.index(FAULTS.len()), site.index(sites.len())));
                let faults = compatible(wanted, &sites, most);
                counts.borrow_mut().push(faults.len());
                bench.check(&faults, &sites).map_err(TestCaseError::fail)
            });
            match outcome {
                Ok(()) => {}
                // The drawn numbers say nothing.
                Err(TestError::Fail(why, _)) => panic!("{}, {most} faults, seed {seed}: {why}", bench.name),
                Err(error) => panic!("{}: {error}", bench.name),
            }
        }
        let (counts, name) = (counts.into_inner(), &bench.name);
        let total = counts.len();
        let enough = counts.iter().filter(|count| **count == most).count();
        println!("{name}: {most} faults at once {enough} times of {total}, at least {:?}", counts.iter().min());
        assert!(total > 0 && (enough == total || sites.len() < 2 * most), "{name}: {counts:?}");
        assert!(enough > 0 || sites.len() < most, "{name}: {counts:?}");
    }
}

/// Those of the drawn faults that can stand beside each other, so many at most.
/// Half of the routers, at most, are broken as a whole: the others have room.
fn compatible(drawn: impl Iterator<Item = Drawn>, sites: &[Site<'_>], most: usize) -> Vec<Drawn> {
    let routers: BTreeSet<&str> = sites.iter().map(|site| site.router.as_str()).collect();
    let mut taken: Vec<Drawn> = Vec::new();
    for (fault, site) in drawn {
        let is_whole = |fault: usize| FAULTS[fault].reach == Reach::WholeRouter;
        let broken = taken.iter().filter(|(other, _)| is_whole(*other)).count();
        let clashes = taken.iter().any(|(other, at)| clash(&FAULTS[fault], &sites[site], &FAULTS[*other], &sites[*at]));
        // Beside one that takes the whole network along, nothing else is to be seen.
        let alone = FAULTS[fault].reach == Reach::WholeNetwork || is_whole(fault) && broken * 2 >= routers.len();
        if taken.len() < most && !clashes && !alone && (FAULTS[fault].make)(&sites[site]).is_some() {
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
            let new: Vec<&String> = alone.difference(&before).collect();
            // What takes several along is found at each of them.
            let most = if FAULTS[drawn.0].reach.is_whole() { usize::MAX } else { 1 };
            if new.is_empty() || new.len() > most || !new.iter().all(|id| id.starts_with(&code)) {
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
