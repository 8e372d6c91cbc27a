//! More namespaces than the limit of open files lets anybody listen to.

use std::time::{Duration, Instant};

use fipscope::kernel::{ReadOptions, Watcher};
use nix::sys::resource::{Resource, setrlimit};

use crate::live::sh;
use crate::private;

/// Namespaces, with two sockets each more than there is room for.
const SPACES: usize = 120;
const LIMIT: u64 = 240;

/// All of them are read; those that cannot be listened to are told, one that comes
/// later as well, and what changes in them is found by the slow round.
pub fn inside() {
    let Ok(_sandbox) = private::sandbox("room") else { std::process::exit(private::SKIPPED) };
    if !crate::live::works("ip -V") {
        println!("SKIPPED room: no ip here");
        std::process::exit(77);
    }
    sh(&format!("for i in $(seq {SPACES}); do ip netns add s$i || exit 1; done"));
    setrlimit(Resource::RLIMIT_NOFILE, LIMIT, LIMIT).unwrap();
    let watcher = Watcher::start(&ReadOptions::default()).unwrap();
    let mut watcher = watcher.with_rest_at_most(Duration::from_millis(1));
    let first = watcher.next(Duration::ZERO).unwrap().expect("the first reading");
    let all = &first.snapshot.namespaces;
    assert!(all.len() == SPACES && all.values().all(|netns| netns.seen().is_some()), "{all:?}");
    let health = watcher.health();
    assert_eq!(health.watched + health.deaf, SPACES + 1, "{health:?}");
    assert!(health.deaf >= SPACES / 2 && health.watched > 10, "{health:?}");
    assert!(health.why_deaf.as_ref().is_some_and(|why| why.contains("open files")), "{health:?}");
    sh("ip netns add t0");
    let mut until = |what: &str, is_there: &dyn Fn(&fipscope::net::Snapshot) -> bool| {
        let begun = Instant::now();
        while !watcher.next(Duration::from_millis(50)).unwrap().is_some_and(|update| is_there(&update.snapshot)) {
            assert!(begun.elapsed() < Duration::from_secs(20), "{what}");
        }
        watcher.health()
    };
    let late = "t0".into();
    let health = until("the new one", &|node| node.netns(&late).is_some());
    assert_eq!(health.watched + health.deaf, SPACES + 2, "{health:?}");
    // Names are in order: the last ones of the first reading found no room either.
    sh("ip -n s99 link add dummy0 type veth peer name dummy1 && ip -n t0 link add dummy0 type veth peer name dummy1");
    let has = |node: &fipscope::net::Snapshot, name: &str| {
        node.netns(&name.into()).is_some_and(|netns| netns.links().iter().any(|link| link.name.as_str() == "dummy0"))
    };
    until("a change where nobody listens", &|node| has(node, "s99") && has(node, "t0"));
    println!("test room ... ok");
}
