//! More namespaces than the limit of open files lets anybody listen to.

use std::fs::File;
use std::time::{Duration, Instant};

use fipscope::kernel::{ReadOptions, Update, Watcher};
use nix::sys::resource::{Resource, setrlimit};

use crate::live::sh;
use crate::private;

/// Namespaces, with two sockets each more than there is room for.
const SPACES: usize = 120;
const LIMIT: u64 = 240;
/// So many that there is room for all of them, beside two others.
const LEFT: usize = 20;

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
    let late = "t0".into();
    let health = until(&mut watcher, "the new one", &|update| update.snapshot.netns(&late).is_some()).health;
    assert_eq!(health.watched + health.deaf, SPACES + 2, "{health:?}");
    // Names are in order: the last ones of the first reading found no room either.
    sh("ip -n s99 link add dummy0 type veth peer name dummy1 && ip -n t0 link add dummy0 type veth peer name dummy1");
    let has = |node: &fipscope::net::Snapshot, name: &str| {
        node.netns(&name.into()).is_some_and(|netns| netns.links().iter().any(|link| link.name.as_str() == "dummy0"))
    };
    until(&mut watcher, "a change where nobody listens", &|update| {
        has(&update.snapshot, "s99") && has(&update.snapshot, "t0")
    });
    where_half_of_them_go_the_others_are_heard(&mut watcher);
    without_descriptors_for_a_moment(&mut watcher);
    println!("test room ... ok");
}

/// Those that had no room have it by then.
fn where_half_of_them_go_the_others_are_heard(watcher: &mut Watcher) {
    sh(&format!("for i in $(seq {}); do ip netns del s$i || exit 1; done", SPACES - LEFT));
    let begun = Instant::now();
    while watcher.health().deaf > 0 || watcher.health().watched != LEFT + 2 {
        watcher.next(Duration::from_millis(50)).unwrap();
        assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", watcher.health());
    }
    assert_eq!(watcher.health().why_deaf, None);
}

/// Nothing can be opened: what is known stays, and is read and heard as soon as
/// something can.
fn without_descriptors_for_a_moment(watcher: &mut Watcher) {
    let taken: Vec<File> = std::iter::from_fn(|| File::open("/dev/null").ok()).collect();
    watcher.handle().reread();
    let update = until(watcher, "that nothing can be listed", &|update| {
        update.snapshot.namespaces_unreadable.is_some() && update.health.deaf > LEFT
    });
    assert_eq!(update.snapshot.namespaces.len(), LEFT + 1, "what nobody can list is not gone");
    drop(taken);
    let is_well = |update: &Update| {
        let mut all = update.snapshot.namespaces.values();
        update.snapshot.namespaces_unreadable.is_none() && all.all(|netns| netns.seen().is_some())
    };
    let update = until(watcher, "that all is well again", &is_well);
    assert_eq!(update.snapshot.namespaces.len(), LEFT + 1);
    let begun = Instant::now();
    while watcher.health().deaf > 0 {
        watcher.next(Duration::from_millis(50)).unwrap();
        assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", watcher.health());
    }
}

/// The first update that is so.
fn until(watcher: &mut Watcher, what: &str, is_so: &dyn Fn(&Update) -> bool) -> Update {
    let begun = Instant::now();
    loop {
        if let Some(update) = watcher.next(Duration::from_millis(50)).unwrap()
            && is_so(&update)
        {
            return update;
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "{what}: {:?}", watcher.health());
    }
}
