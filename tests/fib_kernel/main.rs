//! Route lookups in random namespaces: the engine's answers against those of
//! the kernel that this runs on.
//!
//! `FIPSCOPE_SEED` repeats a run, `FIPSCOPE_NAMESPACE` one namespace of it,
//! `FIPSCOPE_LOOKUPS` says how many lookups are made in all.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::format_push_string,
    reason = "a test starts programs, fails by panicking, and writes lines word by word"
)]

mod node;
#[path = "../common/private.rs"]
mod private;
mod questions;
mod random;
mod world;

use std::collections::BTreeMap;
use std::env;
use std::net::Ipv4Addr;
use std::process::ExitCode;
use std::time::Instant;

use fipscope::net::{Family, NetnsName, Route, RouteAnswer, RouteKind, TableId};
use fipscope::netns::NetnsDir;

use node::Node;
use random::Random;
use world::{Answers, World};

const LOOKUPS: usize = 220_000;
const PER_NAMESPACE: usize = 1_000;
/// So many kinds of differences are told in full.
const TOLD: usize = 3;

fn main() -> ExitCode {
    let sandbox = match private::sandbox("the lookups against the kernel") {
        Ok(sandbox) => sandbox,
        Err(code) => return code,
    };
    let number = |name: &str| env::var(name).ok().map(|text| text.parse::<u64>().expect(name));
    let seed = number("FIPSCOPE_SEED").unwrap_or_else(fresh_seed);
    let wanted = number("FIPSCOPE_LOOKUPS").map_or(LOOKUPS, |wanted| usize::try_from(wanted).unwrap());
    let places = match number("FIPSCOPE_NAMESPACE") {
        Some(only) => only..only + 1,
        None => 0..u64::try_from(wanted.div_ceil(PER_NAMESPACE)).unwrap(),
    };
    println!("seed {seed}");
    let begun = Instant::now();
    let mut count = Count::default();
    for place in places {
        namespace(&sandbox.netns_dir(), seed, place, &mut count);
    }
    count.tell(seed);
    println!("took {:.1} s", begun.elapsed().as_secs_f32());
    if count.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Any number will do, as it is printed.
fn fresh_seed() -> u64 {
    u64::try_from(std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_nanos() & 0xffff_ffff).unwrap()
}

#[derive(Default)]
struct Count {
    lookups: usize,
    lines: usize,
    refused: usize,
    untold: usize,
    /// Answers of the kernel by their kind: a test in which nothing is found, or
    /// nothing refused, would prove little.
    kinds: BTreeMap<String, usize>,
    /// Differences by what the two say.
    different: BTreeMap<String, usize>,
}

impl Count {
    fn tell(&self, seed: u64) {
        println!("{} of {} lines refused by ip", self.refused, self.lines);
        for (kind, count) in &self.kinds {
            println!("{count:>8} {kind}");
        }
        for (what, count) in &self.different {
            println!("{count:>8} DIFFERENT {what}");
        }
        let different: usize = self.different.values().sum();
        println!("{} lookups, seed {seed}, {} could not be told, {different} differences", self.lookups, self.untold);
    }

    fn is_good(&self) -> bool {
        self.different.is_empty() && self.untold * 20 < self.lookups && self.refused * 5 < self.lines
    }
}

fn namespace(dir: &NetnsDir, seed: u64, place: u64, count: &mut Count) {
    let mut random = Random::of(seed, place);
    let node = Node::random(&mut random);
    let name = NetnsName::new(format!("random-{place}"));
    let world = World::build(dir, &name, &node);
    let questions = (0..PER_NAMESPACE).map(|_| questions::question(&node, &name, &mut random)).collect();
    let answers = world.ask(questions);
    count.lookups += answers.len();
    count.lines += node.lines.len();
    count.refused += world.refused;
    let mut to_tell = Vec::new();
    for answer in answers {
        *count.kinds.entry(kind(&answer.kernel)).or_default() += 1;
        count.untold += usize::from(answer.engine.is_err());
        if let Some(what) = fault(&world, &name, &answer) {
            if !count.different.contains_key(&what) && count.different.len() < TOLD {
                to_tell.push((what.clone(), answer));
            }
            *count.different.entry(what).or_default() += 1;
        }
    }
    drop(world);
    for (what, answer) in to_tell {
        println!("DIFFERENT: FIPSCOPE_SEED={seed} FIPSCOPE_NAMESPACE={place}: {what}");
        tell(dir, &name, node.clone(), &what, &answer);
    }
}

/// What is wrong with the engine's answer, in general terms; `None` where it is right.
fn fault(world: &World, name: &NetnsName, answer: &Answers) -> Option<String> {
    let way = if answer.question.iif.is_some() { "in" } else { "out" };
    match &answer.engine {
        Ok(engine) if *engine == answer.kernel || shared_trie(world, name, engine, &answer.kernel) => None,
        Ok(engine) => Some(format!("{way}: kernel {}, engine {}", kind(&answer.kernel), kind(engine))),
        Err(why) if may_be_untold(world, name, answer, why) => None,
        Err(why) => Some(format!("{way}: kernel {}, no reason not to tell: {why}", kind(&answer.kernel))),
    }
}

/// Without rules of its own a namespace keeps `local` and `main` in one table.
fn shared_trie(world: &World, name: &NetnsName, engine: &RouteAnswer, kernel: &RouteAnswer) -> bool {
    let netns = world.snapshot.netns(name).unwrap();
    let few = netns.rules().iter().filter(|rule| rule.family == Family::V4).count() == 3;
    let tables = |engine: &RouteAnswer, kernel: &RouteAnswer| match (engine, kernel) {
        (RouteAnswer::Found(engine), RouteAnswer::Found(kernel)) => Some((engine.table, kernel.table)),
        _ => None,
    };
    few && engine.agrees(kernel) && tables(engine, kernel) == Some((TableId::LOCAL, TableId::MAIN))
}

/// Whether there is a rule or route of which the answer cannot be told, and the
/// kernel's answer is one of those that it leaves open.
fn may_be_untold(world: &World, name: &NetnsName, answer: &Answers, why: &str) -> bool {
    let netns = world.snapshot.netns(name).unwrap();
    let named = |words: String| why.contains(&format!("\"{words}\""));
    let by_rule = netns.rules().iter().any(|rule| !rule.others.is_empty() && named(rule.to_string()));
    let by_route = netns.routes().iter().filter(|route| named(route.to_string())).any(|route| {
        let usable = route.next_hops.iter().filter(|hop| !hop.dead);
        usable.clone().count() > 1
            && match &answer.kernel {
                RouteAnswer::Found(found) => {
                    found.table == route.table && usable.clone().any(|hop| hop.via == found.via && hop.dev == found.dev)
                }
                // the check of the source that depends on the way out
                RouteAnswer::Refused(errno) => [libc::EINVAL, libc::EXDEV].contains(errno),
            }
    });
    let several = |route: &&Route| route.is_default() && route.family() == Family::V4 && route.via().is_some();
    let by_default = why.contains("one of several defaults") && netns.routes().iter().filter(several).count() > 1;
    let dst = answer.question.dst;
    let by_group = why.contains(&format!("packets to {dst} ")) && (dst.is_multicast() || dst == Ipv4Addr::BROADCAST);
    by_rule || by_route || by_default || by_group
}

fn kind(answer: &RouteAnswer) -> String {
    match answer {
        RouteAnswer::Found(found) if found.kind == RouteKind::Unicast => "unicast".to_owned(),
        RouteAnswer::Found(found) => format!("{} table {}", found.kind.word(), found.table),
        RouteAnswer::Refused(errno) => format!("errno {errno}"),
    }
}

/// Takes away what the difference does not need, and tells the rest.
fn tell(dir: &NetnsDir, name: &NetnsName, mut node: Node, what: &str, answer: &Answers) {
    let again = |node: &Node| {
        let world = World::build(dir, name, node);
        let device = answer.question.iif.as_ref();
        if device.is_some_and(|device| world.snapshot.netns(name).unwrap().link(device).is_none()) {
            return None;
        }
        let answers = world.ask(vec![answer.question.clone()]).pop().unwrap();
        fault(&world, name, &answers).filter(|fault| fault == what)?;
        Some(format!("{}  kernel: {}\n  engine: {:?}\n", world.words(), answers.kernel, answers.engine))
    };
    for at in (0..node.lines.len()).rev() {
        let mut fewer = node.clone();
        fewer.lines.remove(at);
        if again(&fewer).is_some() {
            node = fewer;
        }
    }
    for at in (0..node.settings.len()).rev() {
        let mut fewer = node.clone();
        fewer.settings.remove(at);
        if again(&fewer).is_some() {
            node = fewer;
        }
    }
    println!("{}\n{:?}\n{}", node.lines.join("\n"), node.settings, answer.question);
    println!("{}", again(&node).unwrap_or_else(|| "it does not come again".to_owned()));
}
