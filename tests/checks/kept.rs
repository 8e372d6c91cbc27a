//! What is kept from one reading to the next: after any changes it comes to what
//! a reading from the beginning comes to.

use std::sync::Arc;

use fipscope::check::{Check, DecidedBy, Finding, Findings, Judge, Scene, checks, judge};
use fipscope::net::{Netns, NetnsName, Observed, Snapshot};
use fipscope::neutron::Layout;
use fipscope::topology::scenario::{RouterSpec, Scenario};
use fipscope::topology::{Keeper, Topology};

use super::common::{FIXTURES, fixture, healthy};

const STEPS: usize = 60;

/// Healthy nodes of all kinds, with one router and with several.
fn nodes() -> Vec<(String, Snapshot)> {
    let several = [Layout::Juno, Layout::Newton, Layout::Pike].map(|layout| {
        let routers = (0..4).map(|number| RouterSpec::numbered(layout, number, 3));
        let node = routers.fold(Scenario::empty(), |node, spec| node.with_router(&spec));
        (format!("several, {}", layout.word()), node.snapshot)
    });
    let made = healthy().into_iter().map(|(name, node)| (name.to_owned(), node));
    made.chain(several).chain(FIXTURES.map(|name| (name.to_owned(), fixture(name)))).collect()
}

#[test]
fn what_is_kept_is_what_a_fresh_reading_gives() {
    for (name, first) in nodes() {
        for seed in [1, 2] {
            let mut dice = Dice(seed);
            let (mut keeper, mut node) = (Keeper::default(), Arc::new(first.clone()));
            let mut judging = Judge::default();
            for step in 0..STEPS {
                let kept = keeper.read(&node);
                assert_eq!(kept, Topology::of(&node), "{name}, seed {seed}, step {step}");
                assert_eq!(judging.read(&node, &kept), judge(&node, &kept), "{name}, seed {seed}, step {step}");
                let mut next = (*node).clone();
                for _ in 0..=dice.below(2) {
                    dice.change(&mut next, &first);
                }
                node = Arc::new(next);
            }
        }
    }
}

#[test]
fn what_no_change_touched_is_shared() {
    let node = Arc::new(Scenario::scale(Layout::Pike, 3, 2).snapshot);
    let mut keeper = Keeper::default();
    let before = keeper.read(&node);
    let mut next = (*node).clone();
    let name = next.namespaces.keys().find(|name| name.as_str().starts_with("qrouter-")).unwrap().clone();
    let Observed::Seen(rules) = &mut next.netns_mut(&name).unwrap().rules else { panic!("not read") };
    rules.retain(|rule| rule.from.is_none());
    let after = keeper.read(&Arc::new(next));
    let same = after.floating_ips.iter().filter(|fip| before.floating_ips.iter().any(|old| Arc::ptr_eq(old, fip)));
    assert_eq!((after.floating_ips.len(), same.count()), (6, 4), "those of the other routers");
}

#[test]
fn what_is_found_router_by_router_is_what_is_found_of_all() {
    let (mut divided, mut told) = (0, 0);
    for (name, first) in nodes() {
        let (mut dice, mut node) = (Dice(3), first.clone());
        for step in 0..STEPS {
            let topology = Topology::of(&node);
            let scene = Scene::of(&node, &topology);
            for check in checks() {
                let Some((whole, parts)) = both_ways(check, &scene) else { continue };
                assert_eq!(parts, whole, "{name}, step {step}, {}", check.code);
                told += usize::from(!whole.is_empty());
                divided += usize::from(!whole.is_empty() && topology.routers.len() > 1);
            }
            dice.change(&mut node, &first);
        }
    }
    assert!(told > 1000 && divided > 500, "too little was broken: {told}, {divided}");
}

/// What a check finds of all routers at once, and of each by itself, sorted; none
/// of a check that has to see all of them.
fn both_ways(check: &Check, scene: &Scene<'_>) -> Option<(Vec<Finding>, Vec<Finding>)> {
    let (DecidedBy::Routers(run) | DecidedBy::Both(run, _)) = check.decided_by else { return None };
    let (mut whole, mut parts) = (Findings::default(), Findings::default());
    run(scene, &mut whole);
    scene.parts().for_each(|part| run(&part, &mut parts));
    Some([whole, parts].map(sorted).into())
}

fn sorted(found: Findings) -> Vec<Finding> {
    let mut list = found.done();
    list.sort_by_cached_key(|one| format!("{one:?}"));
    list
}

/// Changes at random (Knuth's linear congruence, MMIX).
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % bound
    }

    /// Takes something out of a node, or puts a part back as it was at first.
    fn change(&mut self, node: &mut Snapshot, first: &Snapshot) {
        let names: Vec<NetnsName> = first.namespaces.keys().cloned().collect();
        let Some(name) = names.get(self.below(names.len().max(1))).cloned() else { return };
        match self.below(12) {
            0 | 1 => drop(node.namespaces.insert(name.clone(), first.namespaces[&name].clone())),
            2 => drop(node.namespaces.remove(&name)),
            3 => drop(node.namespaces.insert(name, Observed::Unreadable("no".to_owned()))),
            4 => node.host = first.host.clone(),
            5 => {
                let file =
                    if self.below(2) == 0 { &mut node.host.priority_file } else { &mut node.host.link_local_file };
                if let Observed::Seen(file) = file {
                    self.shorten(&mut file.lines);
                }
            }
            _ => {
                if let Some(netns) = node.netns_mut(&name) {
                    self.damage(netns);
                }
            }
        }
    }

    fn damage(&mut self, netns: &mut Netns) {
        let why = || "no".to_owned();
        match self.below(16) {
            0 | 1 => self.part(&mut netns.links),
            2 | 3 => self.part(&mut netns.addrs),
            4 | 5 => self.part(&mut netns.rules),
            6..=8 => self.part(&mut netns.routes),
            9 => self.part(&mut netns.neighs),
            10 => netns.netfilter = Observed::Unreadable(why()),
            11 => netns.routes = Observed::Unreadable(why()),
            12 => netns.links = Observed::Unreadable(why()),
            13 => netns.sysctls.clear(),
            _ => {
                let Observed::Seen(netfilter) = &mut netns.netfilter else { return };
                let Observed::Seen(tables) = &mut netfilter.nft else { return };
                let chains: Vec<_> = tables.iter_mut().flat_map(|table| &mut table.chains).collect();
                let some = self.below(chains.len().max(1));
                if let Some(chain) = chains.into_iter().nth(some) {
                    self.shorten(&mut chain.rules);
                }
            }
        }
    }

    fn part<T>(&mut self, part: &mut Observed<Vec<T>>) {
        if let Observed::Seen(list) = part {
            self.shorten(list);
        }
    }

    fn shorten<T>(&mut self, list: &mut Vec<T>) {
        if !list.is_empty() {
            list.remove(self.below(list.len()));
        }
    }
}
