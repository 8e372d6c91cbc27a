//! Whatever a snapshot says, reading it does not panic and keeps its promises.

#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::sync::LazyLock;

use fipscope::net::Snapshot;
use fipscope::neutron::{Layout, ReleaseRange};
use fipscope::topology::scenario::Scenario;
use fipscope::topology::{FipState, LinkState, Topology};
use proptest::prelude::*;
use serde_json::Value;

static NODES: LazyLock<Vec<Value>> = LazyLock::new(|| {
    let ha = Scenario::legacy(Some(false));
    let mixed = Scenario::article(Layout::Juno).with_second_router(Layout::Newton).with_second_network(Layout::Pike);
    let scenarios = [Scenario::article(Layout::Pike).with_centralized(), mixed, Scenario::legacy(Some(true)), ha];
    scenarios.iter().map(|node| serde_json::to_value(&node.snapshot).unwrap()).collect()
});

/// Counts the values of a document, or changes one of them.
fn visit(value: &mut Value, left: &mut usize, change: &mut dyn FnMut(&mut Value)) {
    if *left == 0 {
        *left = usize::MAX;
        change(value);
        return;
    }
    *left -= 1;
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| visit(item, left, change)),
        Value::Object(fields) => fields.values_mut().for_each(|field| visit(field, left, change)),
        _ => {}
    }
}

fn size(value: &Value) -> usize {
    1 + match value {
        Value::Array(items) => items.iter().map(size).sum(),
        Value::Object(fields) => fields.values().map(size).sum(),
        _ => 0,
    }
}

fn texts(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::String(text) => found.push(text.clone()),
        Value::Array(items) => items.iter().for_each(|item| texts(item, found)),
        Value::Object(fields) => fields.values().for_each(|field| texts(field, found)),
        _ => {}
    }
}

/// Drops, doubles or swaps parts of a document.
fn mutate(document: &mut Value, at: usize, how: u8, pick: usize, pool: &[String]) {
    let mut at = at % size(document);
    visit(document, &mut at, &mut |value| match (how % 4, &mut *value) {
        (0, Value::Array(items)) if !items.is_empty() => {
            items.remove(pick % items.len());
        }
        (1, Value::Array(items)) if !items.is_empty() => items.push(items[pick % items.len()].clone()),
        (2, Value::Array(_) | Value::Object(_)) => *value = serde_json::json!({"unreadable": "no"}),
        (_, Value::Array(items)) => items.reverse(),
        (_, Value::String(text)) => text.clone_from(&pool[pick % pool.len()]),
        (_, Value::Number(number)) => {
            let edges = [0u64, 1, 16, 254, 255, 32768, u64::from(u32::MAX)];
            *number = edges[pick % edges.len()].into();
        }
        (_, Value::Bool(flag)) => *flag = !*flag,
        (_, other) => *other = Value::Null,
    });
}

fn check(snapshot: &Snapshot) {
    let topology = Topology::of(snapshot);
    for fip in &topology.floating_ips {
        let links = || fip.outbound.iter().chain(&fip.inbound);
        assert!(links().next().is_some(), "every floating IP has a chain");
        let faulty = |link: &&fipscope::topology::ChainLink| {
            matches!(link.state, LinkState::Missing | LinkState::Wrong) && !link.advisory
        };
        assert_eq!(fip.state == FipState::Broken, links().any(|link| faulty(&link)));
        assert!(!fip.facts.is_empty(), "nothing is made up: {fip:?}");
        assert!(topology.router(&fip.router).is_some());
    }
    assert!(topology.routers.windows(2).all(|pair| pair[0].id < pair[1].id), "sorted, each once");
    let _ = ReleaseRange::of(snapshot);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn damaged_snapshots_are_read_all_the_same(
        base in 0usize..4,
        mutations in prop::collection::vec((any::<usize>(), any::<u8>(), any::<usize>()), 0..8),
    ) {
        let mut document = NODES[base].clone();
        let mut pool = Vec::new();
        texts(&document, &mut pool);
        pool.extend(["", "-", "qrouter-", "fpr-", "rfp-\u{1b}[2J", "ünïcödé-ünïcödé"].map(str::to_owned));
        for (at, how, pick) in mutations {
            let before = document.clone();
            mutate(&mut document, at, how, pick, &pool);
            // What no snapshot can say is the loader's to refuse, not ours.
            if serde_json::from_value::<Snapshot>(document.clone()).is_err() {
                document = before;
            }
        }
        check(&serde_json::from_value(document).unwrap());
    }
}

#[test]
fn most_mutations_are_snapshots_still() {
    let document = &NODES[0];
    let mut pool = Vec::new();
    texts(document, &mut pool);
    let count = (0..2000usize).filter(|seed| {
        let mut changed = document.clone();
        mutate(&mut changed, seed.wrapping_mul(7919), u8::try_from(seed % 4).unwrap(), seed / 3, &pool);
        serde_json::from_value::<Snapshot>(changed).is_ok()
    });
    assert!(count.count() > 500, "else the test above tests nothing");
}

#[test]
fn chains_that_jump_in_circles_end() {
    let node = Scenario::article(Layout::Pike);
    let mut document = serde_json::to_value(&node.snapshot).unwrap();
    let text = document.to_string().replace("\"neutron-l3-agent-float-snat\"", "\"POSTROUTING\"");
    document = serde_json::from_str(&text).unwrap();
    check(&serde_json::from_value(document).unwrap());
}
