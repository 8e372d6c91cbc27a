//! What judging a node costs: all checks on 100 routers with 10 floating IPs
//! each, and on 1,000, in one run; healthy, and with a fault on each hundredth
//! floating IP. The promises: under 20 ms, and linear: ten times the routers, ten
//! times the time. A node of 100 routers judged over and over stays in the
//! processor's cache, one of 1,000 (some 100 MB) does not; what of the growth is
//! memory, ten small nodes judged in turn tell. Also what the plan costs that
//! mends it all.
//! `--profile` prints a line for each check, over ten small nodes and over a large
//! one, the worst first, then judges the large broken node over and over for a profiler to watch.

#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    reason = "a measurement reads the clock and prints"
)]

use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::{Duration, Instant};

use fipscope::check::{Code, DecidedBy, Finding, Findings, Scene, Severity, checks, judge};
use fipscope::net::{Addr, IfName, Observed, Ovs, OvsPort, Route, Snapshot, TableId};
use fipscope::neutron::{Layout, NamespaceKind};
use fipscope::plan::repair;
use fipscope::topology::Topology;
use fipscope::topology::scenario::{FG, NETWORK, Scenario};

/// The program's own allocator: a run makes many small values.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const FIPS: u8 = 10;
/// Routers of a node.
const SIZES: [u16; 4] = [100, 250, 500, 1000];
/// So many times as much may ten times the routers cost: 10.7 to 13.9 were measured,
/// on a machine where nothing else ran. Growth with the square would be 100.
const LINEAR: f64 = 15.0;
/// The same, as a share of what ten of the smallest cost in turn: 0.85 to 1.16.
const OF_TEN: f64 = 1.3;

fn main() {
    let profiling = std::env::args().any(|word| word == "--profile");
    if profiling {
        let (small, large) = ((0..10).map(|_| broken(100)).collect::<Vec<_>>(), [broken(1000)]);
        by_check(&small, &large);
        println!("{:.1} ms", millis(time(&large, 30)));
        return;
    }
    for (name, make) in [("healthy", healthy as fn(u16) -> Snapshot), ("a fault on 1% of the floating IPs", broken)] {
        println!("{name}:");
        growth(make);
    }
}

/// What nodes of several sizes cost, turn about, so that all see the same weather;
/// and ten of the smallest, judged in turn.
fn growth(make: fn(u16) -> Snapshot) {
    let nodes = SIZES.map(make);
    let ten: Vec<Snapshot> = (0..10).map(|_| make(SIZES[0])).collect();
    let (mut times, mut cold) = ([Duration::MAX; SIZES.len()], Duration::MAX);
    for _ in 0..5 {
        for ((best, node), routers) in times.iter_mut().zip(&nodes).zip(SIZES) {
            *best = (*best).min(time(std::slice::from_ref(node), 4000 / u32::from(routers)));
        }
        cold = cold.min(time(&ten, 4));
    }
    for ((took, node), routers) in times.iter().zip(&nodes).zip(SIZES) {
        let each = took.as_secs_f64() * 1e6 / f64::from(routers) / f64::from(FIPS);
        let found = judge(node, &Topology::of(node));
        let found = found.iter().filter(|one| one.is_fault() && one.severity != Severity::Note).count();
        println!("  {routers} × {FIPS}: {:.1} ms, {each:.1} µs a floating IP, {found} findings", millis(*took));
    }
    let (small, large) = (times[0], times[SIZES.len() - 1]);
    let ratio = |one: Duration, other: Duration| one.as_secs_f64() / other.as_secs_f64();
    let growth = ratio(large, small);
    println!("  ten times the routers: {growth:.1} times as much");
    println!(
        "  ten of the smallest in turn: {:.1} ms; the largest: {:.2} times that",
        millis(cold),
        ratio(large, cold)
    );
    println!("  the plan that mends all of the smallest: {:.1} ms", millis(plan(&nodes[0])));
    assert!(millis(small) < 20.0, "under 20 ms are promised");
    assert!(growth < LINEAR && ratio(large, cold) < OF_TEN, "linear growth is promised");
}

/// What the plan takes that mends everything that is found.
fn plan(snapshot: &Snapshot) -> Duration {
    let findings = judge(snapshot, &Topology::of(snapshot));
    let faults: Vec<&Finding> = findings.iter().filter(|one| one.is_fault()).collect();
    let began = on_cpu();
    for _ in 0..20 {
        black_box(repair::plan(&faults, snapshot));
    }
    on_cpu().saturating_sub(began) / 20
}

/// What one run takes of the processor, over one node after the other; their
/// topologies are at hand.
fn time(nodes: &[Snapshot], runs: u32) -> Duration {
    let topologies: Vec<Topology> = nodes.iter().map(Topology::of).collect();
    let began = on_cpu();
    for _ in 0..runs {
        for (node, topology) in nodes.iter().zip(&topologies) {
            black_box(judge(node, topology));
        }
    }
    on_cpu().saturating_sub(began) / runs
}

/// A line for each check that costs something: what it takes over the small nodes
/// in turn, and over the large one. What several share is the first one's.
fn by_check(small: &[Snapshot], large: &[Snapshot]) {
    let runs = [small, large].map(|nodes| {
        let topologies: Vec<Topology> = nodes.iter().map(Topology::of).collect();
        let mut best: BTreeMap<Code, Duration> = BTreeMap::new();
        for _ in 0..5 {
            let mut sums: BTreeMap<Code, Duration> = BTreeMap::new();
            for (node, topology) in nodes.iter().zip(&topologies) {
                for (code, took) in each(node, topology) {
                    *sums.entry(code).or_default() += took;
                }
            }
            for (code, took) in sums {
                best.entry(code).and_modify(|own| *own = (*own).min(took)).or_insert(took);
            }
        }
        best
    });
    let mut lines: Vec<(f64, f64, Code)> =
        runs[0].iter().map(|(code, took)| (millis(*took), millis(runs[1][code]), *code)).collect();
    lines.sort_by(|one, other| (other.1 - other.0).total_cmp(&(one.1 - one.0)));
    for (small, large, code) in lines.into_iter().filter(|(_, large, _)| *large > 0.5) {
        println!("  {code}  {small:7.2} ms  {large:7.2} ms  ratio {:.2}", large / small);
    }
}

/// One run, check by check.
fn each(snapshot: &Snapshot, topology: &Topology) -> BTreeMap<Code, Duration> {
    let scene = Scene::of(snapshot, topology);
    let mut findings = Findings::default();
    let mut times: BTreeMap<Code, Duration> = BTreeMap::new();
    let mut measure = |code: Code, run: fn(&Scene<'_>, &mut Findings), scene: &Scene<'_>| {
        let began = Instant::now();
        run(scene, &mut findings);
        *times.entry(code).or_default() += began.elapsed();
    };
    for part in scene.parts() {
        for check in checks() {
            if let DecidedBy::Routers(run) | DecidedBy::Both(run, _) = check.decided_by {
                measure(check.code, run, &part);
            }
        }
    }
    for check in checks() {
        if let DecidedBy::Snapshot(run) | DecidedBy::Both(_, run) = check.decided_by {
            measure(check.code, run, &scene);
        }
    }
    times
}

/// How long this thread has run: a busy machine takes others' time away from it.
fn on_cpu() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(text.split(' ').next().unwrap().parse().unwrap())
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn healthy(routers: u16) -> Snapshot {
    attached(Scenario::scale(Layout::Pike, routers, FIPS).snapshot)
}

/// With an address of fg in the floating IPs' subnet, and every port of the
/// agent's on a bridge of Open vSwitch, each router on a VLAN of its own with an
/// instance beside it.
fn attached(snapshot: Snapshot) -> Snapshot {
    let node = Scenario { snapshot }.edit(&format!("fip-{NETWORK}"), |netns| {
        if let Observed::Seen(addrs) = &mut netns.addrs {
            let own = addrs.iter().find(|addr| addr.dev.as_str() == FG).unwrap().clone();
            addrs.push(Addr { address: "172.31.255.254/12".parse().unwrap(), ..own });
        }
    });
    let mut snapshot = node.snapshot;
    let port =
        |name: &str, tag| OvsPort { name: name.to_owned(), bridge: "br-int".to_owned(), tag, interfaces: vec![] };
    let mut ports = Vec::new();
    for (tag, (_, netns)) in (1..).zip(snapshot.seen()) {
        let names = netns.links().iter().map(|link| link.name.as_str());
        let plugged = names.filter(|name| ["fg-", "qr-"].iter().any(|start| name.starts_with(start)));
        ports.extend(plugged.map(|name| port(name, Some(tag))));
        ports.push(port(&format!("tap{tag:08}-00"), Some(tag)));
    }
    ports.sort();
    snapshot.host.ovs = Observed::Seen(Ovs { ports, ..Ovs::default() });
    snapshot
}

/// On each tenth router something else is wrong with its first floating IP.
fn broken(routers: u16) -> Snapshot {
    let fip = format!("fip-{NETWORK}");
    let mut node = Scenario::scale(Layout::Pike, routers, FIPS);
    for number in (0..routers).step_by(10) {
        let id = format!("{number:08x}-0000-4000-8000-{number:012x}");
        let [high, low] = number.to_be_bytes();
        let (fixed, floating) = (format!("10.{high}.{low}.10"), format!("172.{}.{low}.10", 16 + high));
        let qrouter = NamespaceKind::Router.name(&id);
        let dst = format!("{floating}/32");
        node = match number / 10 % 5 {
            0 => node.without_rule(qrouter.as_str(), &format!("from {fixed} ")),
            1 => node.without_nat(qrouter.as_str(), "-PREROUTING", &fixed),
            2 => node.without_nat(qrouter.as_str(), "-float-snat", &fixed),
            3 => node.without_route(&fip, TableId::MAIN, &dst),
            _ => node.edit(&fip, |netns| {
                if let Observed::Seen(routes) = &mut netns.routes {
                    let gateway = routes.iter().find(|route| route.is_default()).and_then(Route::via);
                    let fg = IfName::from(FG);
                    let is_its = |route: &&mut Route| route.dst.to_string() == dst;
                    routes.iter_mut().filter(is_its).for_each(|route| {
                        *route = Route::unicast(TableId::MAIN, route.dst, gateway, &fg);
                    });
                }
            }),
        };
    }
    attached(node.snapshot)
}
